"""The strategy of specs that a catalog knows everything of, and those of what is in them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import attrs
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from account_batch.account import UnifiedMessaging, as_items
from account_batch.catalog import Catalog
from account_batch.errors import nearest
from account_batch.money import Money
from account_batch.spec import (
    CLEAR,
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    UpdateSpec,
)
from account_batch.testing.strategies.amounts import amounts
from account_batch.testing.strategies.arguments import check_catalog, check_whole, named
from account_batch.testing.strategies.dates import calendar_dates
from account_batch.testing.strategies.names import MONTHS, NUMBERS, TIME_ZONES

__all__ = ["SETTINGS", "setting_names", "setting_strategies", "specs", "takings"]

# Specs shrink to the first of these, and blocking changes most accounts.
SETTINGS = tuple(sorted((field.name for field in attrs.fields(UpdateSpec)), key=lambda name: name != "status"))

_Days: TypeAlias = st.SearchStrategy[date]
_Setting: TypeAlias = Callable[[Catalog, _Days], st.SearchStrategy[Any]]

_DAYS = calendar_dates(date(2026, 1, 1), date(2027, 12, 31))
_CLEAR = st.just(CLEAR)
_POSITIVE, _NOT_NEGATIVE = amounts("0.00001", 1000), amounts(0, 1000)
_COMMENT = st.sampled_from(["", "SIM fee"])
_INTERNAL = st.sampled_from(["", "ticket 7"])
_UNCLEAR = st.sampled_from([None, True, False])
_TERMINATED = StatusChange.TERMINATED


def takings(
    kind: type[Charge | Refund], currencies: Iterable[str], reference: str
) -> st.SearchStrategy[Charge | Refund]:
    """Charges or refunds, half of them with the reference."""
    return st.builds(
        kind,
        st.builds(Money, _POSITIVE, st.sampled_from(list(currencies))),
        comment=_COMMENT,
        internal_comment=_INTERNAL,
        reference=st.sampled_from([None, reference]),
        allow_overdraft=st.booleans(),
    )


def _always(values: st.SearchStrategy[Any]) -> _Setting:
    return lambda _catalog, _days: values


def _one_of(names: Iterable[str]) -> st.SearchStrategy[str]:
    known = sorted(names)
    return st.sampled_from(known) if known else st.nothing()


def _currencies(catalog: Catalog) -> Sequence[str]:
    return sorted({entry.currency for entry in catalog.products if not entry.is_addon}) or ["USD"]


def _addons(catalog: Catalog, _: _Days) -> st.SearchStrategy[Any]:
    names = sorted(entry.id for entry in catalog.products if entry.is_addon)
    if not names:
        return st.just(ReplaceAddons(()))
    some = st.frozensets(st.sampled_from(names), min_size=1, max_size=2)
    every = st.frozensets(st.sampled_from(names), max_size=2)
    return st.builds(AssignAddons, some) | st.builds(ReplaceAddons, every) | st.builds(RemoveAddons, some)


def _distributors(catalog: Catalog, _: _Days) -> st.SearchStrategy[Any]:
    names = _one_of(entry.id for entry in catalog.distributors)
    return st.builds(AssignDistributor, names, charge=_UNCLEAR) | _CLEAR


def _charging_periods(catalog: Catalog, _: _Days) -> st.SearchStrategy[Any]:
    offered = {months for entry in catalog.products for months in entry.offered_months}
    return st.sampled_from([*sorted(offered), *MONTHS, CLEAR])


_STRATEGIES: Mapping[str, _Setting] = {
    "activation": lambda _, days: st.just(ActivateNow()) | st.builds(ActivateOn, days) | _CLEAR,
    "expiration": lambda _, days: st.builds(ExpireOn, days) | _CLEAR,
    "availability_days": _always(st.sampled_from([1, 7, 30, 90, CLEAR])),
    "status": _always(st.sampled_from(StatusChange)),
    "opening_balance": lambda catalog, _: st.builds(Money, _NOT_NEGATIVE, st.sampled_from(_currencies(catalog))),
    "charge": lambda catalog, _: takings(Charge, _currencies(catalog), "fee-2026"),
    "refund": lambda catalog, _: takings(Refund, _currencies(catalog), "back-2026"),
    "product": lambda catalog, _: _one_of(entry.id for entry in catalog.products if not entry.is_addon),
    "addons": _addons,
    "charging_period": _charging_periods,
    "associated_number": _always(st.sampled_from([*NUMBERS, CLEAR])),
    "unified_messaging": _always(st.sampled_from(UnifiedMessaging)),
    "ivr_language": lambda catalog, _: _one_of(catalog.ivr_languages) | _CLEAR,
    "time_zone": _always(st.sampled_from([*TIME_ZONES, CLEAR])),
    "role": lambda catalog, _: _one_of(catalog.roles),
    "site": lambda catalog, _: _one_of(entry.id for entry in catalog.sites) | _CLEAR,
    "distributor": _distributors,
}


def setting_strategies(catalog: Catalog, name: str, days: _Days = _DAYS) -> st.SearchStrategy[Any]:
    """What the catalog lets a setting be; nothing, if it has nothing for it."""
    return _STRATEGIES[name](catalog, days)


def setting_names(catalog: Catalog, settings: Iterable[str] | None) -> list[str]:
    """Those of the settings, in the order of SETTINGS, that the catalog has something for; None is all.

    Raises:
        InvalidArgument: There is no such setting, or none is left.
    """
    names = list(SETTINGS) if settings is None else named("settings", lambda: as_items(settings, "settings"))
    for name in names:
        if name not in SETTINGS:
            raise InvalidArgument(f"settings: {name!r} is no attribute of UpdateSpec; {nearest(str(name), SETTINGS)}")
    lacking = {"role": catalog.roles, "product": [entry for entry in catalog.products if not entry.is_addon]}
    possible = [name for name in SETTINGS if name in names and lacking.get(name, True)]
    if not possible:
        raise InvalidArgument(f"settings: the catalog has nothing for {', '.join(names) or 'none at all'}")
    return possible


def specs(
    catalog: Catalog,
    *,
    settings: Iterable[str] | None = None,
    max_settings: int = 4,
    days: st.SearchStrategy[date] | None = None,
) -> st.SearchStrategy[UpdateSpec]:
    """Specs of which the catalog knows everything, so that plan_update takes them; now and then one that terminates.

    They shrink to one setting, to blocking where that is as simple as others.

    Args:
        catalog: What they point at.
        settings: The attributes of UpdateSpec that they may set; by default all.
        max_settings: The most settings of one spec.
        days: The dates in them; by default those of two years.

    Raises:
        InvalidArgument: catalog is no Catalog, a setting is unknown, the catalog has nothing for any of them,
            max_settings is below 1, or days is no strategy.
    """
    check_catalog(catalog, optional=False)
    names = setting_names(catalog, settings)
    check_whole("max_settings", max_settings, 1, 2**31 - 1)
    if days is not None and not isinstance(days, st.SearchStrategy):
        raise InvalidArgument(f"days={days!r} is no strategy of dates")
    some = st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=max_settings)
    return _specs(catalog, some, _DAYS if days is None else days)


@st.composite
def _specs(draw: st.DrawFn, catalog: Catalog, some: st.SearchStrategy[list[str]], days: _Days) -> UpdateSpec:
    chosen: dict[str, Any] = {name: draw(setting_strategies(catalog, name, days)) for name in draw(some)}
    if chosen.get("status") is _TERMINATED:
        return UpdateSpec(status=_TERMINATED)
    return UpdateSpec(**chosen)
