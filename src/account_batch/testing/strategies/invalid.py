"""The strategy of settings that are refused, of each kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs
from hypothesis import strategies as st

from account_batch.catalog import Catalog
from account_batch.errors import EmptySpecError, SpecError, UnknownReferenceError
from account_batch.frozen import FrozenMapping
from account_batch.money import Money
from account_batch.spec import (
    CLEAR,
    KEEP,
    AssignAddons,
    Charge,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    UpdateSpec,
)
from account_batch.testing.strategies.arguments import check_catalog
from account_batch.testing.strategies.names import LANGUAGES
from account_batch.testing.strategies.specs import SETTINGS, setting_names, setting_strategies

__all__ = ["BUILT", "PLANNED", "InvalidSettings", "invalid_settings"]

_Settings = st.SearchStrategy[Mapping[str, Any]]


# mypy knows the type of a constructor argument from a named converter only.
def _frozen(settings: Mapping[str, object]) -> Mapping[str, object]:
    return FrozenMapping(settings)


@attrs.frozen(kw_only=True)
class InvalidSettings:
    """Attributes of UpdateSpec that cannot be carried out on any account.

    >>> InvalidSettings(settings={}, error=EmptySpecError, about="sets nothing").spec()
    Traceback (most recent call last):
    account_batch.errors.EmptySpecError: spec: sets nothing; set at least one attribute

    Args:
        settings: By name.
        error: Exactly what is raised: UnknownReferenceError by plan_update, any other when the spec is built.
        about: What is wrong, in words; the same for all of one kind.
    """

    settings: Mapping[str, object] = attrs.field(converter=_frozen)
    error: type[Exception]
    about: str

    def spec(self) -> UpdateSpec:
        """The spec of these settings, where it can be built.

        Raises:
            SpecError: It cannot; the exact class is error.
            TypeError: There is no such setting, likewise.
        """
        settings: dict[str, Any] = dict(self.settings)
        return UpdateSpec(**settings)


_TEXTS = ("product", "associated_number", "ivr_language", "time_zone", "role", "site", "distributor")
_COUNTS = ("availability_days", "charging_period")
_NEVER_CLEAR = ("status", "opening_balance", "charge", "refund", "product", "addons", "unified_messaging", "role")
_CENT, _HUGE = Money("0.01", "USD"), Money(10**15, "USD")
_TERMINATED = StatusChange.TERMINATED


def _each(names: Iterable[str], values: Sequence[object]) -> _Settings:
    """One of the names with one of the values; nothing, if there is no value."""
    pairs = [(name, value) for name in names for value in values]
    return st.sampled_from(pairs).map(lambda pair: dict([pair])) if pairs else st.nothing()


def _beside_termination() -> _Settings:
    others = setting_names(Catalog(), [name for name in SETTINGS if name != "status"])
    return st.sampled_from(others).flatmap(
        lambda name: setting_strategies(Catalog(), name).map(lambda value: {"status": _TERMINATED, name: value})
    )


BUILT: Mapping[str, tuple[type[Exception], _Settings]] = {
    "sets nothing": (EmptySpecError, st.just({}) | _each(SETTINGS, [KEEP])),
    "no such setting": (TypeError, _each(["produkt", "balance", "add_ons"], ["gold", 1])),
    "wrong type": (SpecError, _each(SETTINGS, [None, 1.5, b"gold", ("gold",)])),
    "cleared, and cannot be": (SpecError, _each(_NEVER_CLEAR, [CLEAR])),
    "blank text": (SpecError, _each(_TEXTS, ["", " ", "\t\n"])),
    "text that no storage keeps": (SpecError, _each(_TEXTS, ["gold\0", "\ud800"])),
    "count below 1 or above 2^31 - 1": (SpecError, _each(_COUNTS, [0, -1, 2**31, True])),
    "opening balance out of range": (SpecError, _each(["opening_balance"], [Money("-0.01", "USD"), _HUGE])),
    "no such time zone": (SpecError, _each(["time_zone"], ["Europe/Kiew", "localtime", "+02:00"])),
    "terminates and sets something else": (SpecError, _beside_termination()),
    "charge and refund with one reference": (
        SpecError,
        st.sampled_from(["fee-2026", "0"]).map(
            lambda name: {"charge": Charge(_CENT, reference=name), "refund": Refund(_CENT, reference=name)}
        ),
    ),
}
"""What is wrong when the spec is built, with the error and the settings."""

_STRANGE = ("nobody", "Gold", "gold ")


def _unknown(setting: str, known: Callable[[Catalog], Iterable[str]]) -> Callable[[Catalog], _Settings]:
    """The setting with names that the catalog does not know for it."""
    return lambda catalog: _each([setting], [name for name in (*_STRANGE, *LANGUAGES) if name not in known(catalog)])


def _products(catalog: Catalog) -> list[str]:
    return [entry.id for entry in catalog.products]


def _naming_addons(names: Iterable[str]) -> _Settings:
    return _each(["addons"], [kind([name]) for name in names for kind in (AssignAddons, ReplaceAddons, RemoveAddons)])


PLANNED: Mapping[str, Callable[[Catalog], _Settings]] = {
    "unknown product": _unknown("product", _products),
    "unknown add-on": lambda catalog: _naming_addons(name for name in _STRANGE if name not in _products(catalog)),
    "unknown IVR language": _unknown("ivr_language", lambda catalog: catalog.ivr_languages),
    "unknown role": _unknown("role", lambda catalog: catalog.roles),
    "unknown site": _unknown("site", lambda catalog: [entry.id for entry in catalog.sites]),
    "unknown distributor": _unknown("distributor", lambda catalog: [entry.id for entry in catalog.distributors]),
    "add-on as main product": lambda catalog: _each(
        ["product"], [entry.id for entry in catalog.products if entry.is_addon]
    ),
    "main product as add-on": lambda catalog: _naming_addons(
        entry.id for entry in catalog.products if not entry.is_addon
    ),
}
"""What is wrong only for a catalog, which plan_update says."""


def invalid_settings(catalog: Catalog | None = None) -> st.SearchStrategy[InvalidSettings]:
    """Settings that are refused for every account, of each kind, half of them with a valid setting beside.

    They shrink to none at all, which is an error too.

    Args:
        catalog: With it, also those that can be built, and that plan_update refuses with this catalog: names that it
            does not know, an add-on as main product, and the reverse, where it has such.

    Raises:
        InvalidArgument: catalog is no Catalog.
    """
    check_catalog(catalog, optional=True)
    kinds = [_marked(about, error, settings) for about, (error, settings) in BUILT.items()]
    if catalog is not None:
        kinds += [_marked(about, UnknownReferenceError, settings(catalog)) for about, settings in PLANNED.items()]
    return st.one_of(kinds)


def _marked(about: str, error: type[Exception], settings: _Settings) -> st.SearchStrategy[InvalidSettings]:
    alone = error is EmptySpecError or "terminates" in about
    beside = _NOTHING if alone else _BESIDE
    return st.builds(
        lambda valid, invalid: InvalidSettings(settings={**valid, **invalid}, error=error, about=about),
        beside,
        settings,
    )


_NOTHING: _Settings = st.just({})
_BESIDE: _Settings = _NOTHING | _each(["availability_days"], [1, CLEAR])
