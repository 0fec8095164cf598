"""The strategy of whole scenarios, consistent with themselves."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import attrs
from hypothesis import strategies as st

from account_batch.account import AccountKind, AccountState
from account_batch.calendar import first_instant
from account_batch.catalog import Catalog, Product
from account_batch.filters import AccountFilter, Registration, StatusFilter
from account_batch.spec import KEEP, UpdateSpec
from account_batch.testing.scenario import Scenario
from account_batch.testing.strategies.accounts import ACCOUNT_IDS, CONTROL_NUMBERS, accounts
from account_batch.testing.strategies.arguments import check_catalog, check_whole
from account_batch.testing.strategies.catalogs import catalogs
from account_batch.testing.strategies.dates import calendar_dates
from account_batch.testing.strategies.filters import filters
from account_batch.testing.strategies.names import PRODUCTS, ROLES
from account_batch.testing.strategies.specs import setting_names, specs

__all__ = ["scenarios"]

# Whatever may be set, such a catalog has something for it.
_CATALOGS = catalogs(roles=st.frozensets(st.sampled_from(ROLES), min_size=1))
_ANY_CATALOG = Catalog(roles=ROLES, products=[Product(id=PRODUCTS[0], currency="USD")])
_TODAY = calendar_dates(date(2000, 1, 1), date(2037, 12, 31))
_TIME = st.sampled_from(
    [timedelta(hours=12), timedelta(0), timedelta(microseconds=-1), timedelta(minutes=15), timedelta(hours=23)]
)
_AWAY = st.sampled_from([timedelta(days=days) for days in (0, 1, -1, 2, 7, 30, 90, -2, -7, -30, -90, 365)])
_DATES = ("activation_date", "expiration_date", "first_used_on", "last_recharged_on")
_STRANGERS = accounts()
_KINDS = st.sampled_from([AccountKind.DEBIT, AccountKind.DEBIT, AccountKind.CREDIT])
_NUMBERS = st.none() | CONTROL_NUMBERS
_OPEN = st.sampled_from([AccountState.OPEN, AccountState.INACTIVE])
_INACTIVE = st.sampled_from([AccountState.INACTIVE, AccountState.INACTIVE, AccountState.OPEN])

_Fields = Mapping[str, st.SearchStrategy[Any]]


def scenarios(
    catalog: Catalog | None = None, *, settings: Iterable[str] | None = None, max_accounts: int = 6
) -> st.SearchStrategy[Scenario]:
    """Everything that plan_update takes, consistent with itself; most scenarios change something.

    The first account is one that the filter means; the others are of its batch, of others, or strangers to the
    catalog. All ids differ. Dates and the instant are of one day and those around it, every second time one on which
    a clock changes. They shrink to one account, one setting and noon of 2000-01-01.

    Args:
        catalog: What it is all about; by default drawn too.
        settings: The attributes of UpdateSpec that are set, as for specs.
        max_accounts: The most accounts.

    Raises:
        InvalidArgument: catalog is no Catalog or lacks a batch, its customer or a main product; a setting is unknown
            or has nothing in the catalog; or max_accounts is below 1.
    """
    check_catalog(catalog, optional=True)
    check_whole("max_accounts", max_accounts, 1, 10_000)
    names = setting_names(_ANY_CATALOG if catalog is None else catalog, settings)
    if catalog is not None:
        filters(catalog, for_update=True)
        accounts(catalog)
    ids = st.lists(ACCOUNT_IDS, unique=True, min_size=1, max_size=max_accounts)
    return _scenarios(_CATALOGS if catalog is None else st.just(catalog), names, ids)


@st.composite
def _scenarios(
    draw: st.DrawFn,
    any_of: st.SearchStrategy[Catalog],
    settings: list[str],
    ids: st.SearchStrategy[list[str]],
) -> Scenario:
    catalog = draw(any_of)
    where = draw(filters(catalog, for_update=True))
    owner = where.customer or next(entry.customer for entry in catalog.batches if entry.id == where.batch)
    customer = catalog.customer(owner)
    assert customer is not None  # The filters are of batches whose customer the catalog knows.
    today = draw(_TODAY)
    days = _AWAY.map(lambda away: today + away)
    dates: _Fields = dict.fromkeys(_DATES, st.none() | days)
    spec = draw(specs(catalog, settings=settings, days=days))
    members: _Fields = {**dates, "batch": st.just(where.batch), "customer": st.just(owner), "control_number": _NUMBERS}
    meant = accounts(catalog, **{**members, **_fitting(where, spec, days)})
    others = st.one_of(meant, accounts(catalog, **members), accounts(catalog, **dates), _STRANGERS)
    first, *rest = draw(ids)
    if where.account_id is not None:
        first = where.account_id.text
    found = [attrs.evolve(draw(meant), id=first)]
    found += [attrs.evolve(draw(others), id=name) for name in rest if name != first]
    return Scenario(
        catalog=catalog,
        accounts=tuple(found),
        where=where,
        spec=spec,
        now=first_instant(today, customer.billing_time_zone) + draw(_TIME),
    )


def _fitting(where: AccountFilter, spec: UpdateSpec, days: st.SearchStrategy[date]) -> _Fields:
    """What makes an account of the batch one that is meant, but for its id, and usually one that is changed."""
    fields: dict[str, st.SearchStrategy[Any]] = {"kind": _KINDS, "state": _states(where.status, spec)}
    if spec.opening_balance is not KEEP:
        fields |= {"kind": st.just(AccountKind.DEBIT), "first_used_on": st.none()}
    if where.control_numbers is not None:
        fields["control_number"] = st.sampled_from([first for first, _ in where.control_numbers.ranges])
    if where.registration is not Registration.ANY:
        fields["registered"] = st.just(where.registration is Registration.REGISTERED)
    if where.blocked is not None:
        fields["blocked"] = st.just(where.blocked)
    if where.used is not None:
        fields["first_used_on"] = days if where.used else st.none()
    if where.product is not None:
        fields["product"] = st.just(where.product)
    if where.contact:
        fields["contact"] = st.just(where.contact)
    return fields


def _states(status: StatusFilter, spec: UpdateSpec) -> st.SearchStrategy[AccountState]:
    if status not in {StatusFilter.ANY, StatusFilter.ALL_EXCEPT_CLOSED}:
        return st.just(AccountState(status.value))
    return _OPEN if spec.activation is KEEP else _INACTIVE
