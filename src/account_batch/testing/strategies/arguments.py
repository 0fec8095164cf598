"""The arguments of strategies: refused by name where they make no sense, before anything is drawn."""

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from account_batch.account import as_items
from account_batch.calendar import is_zone
from account_batch.catalog import Catalog
from account_batch.errors import AccountBatchError, nearest

__all__ = [
    "as_strategy",
    "check_catalog",
    "check_order",
    "check_whole",
    "field_strategies",
    "named",
    "zone_names",
]

_Value = TypeVar("_Value")
_Result = TypeVar("_Result")


def as_strategy(value: st.SearchStrategy[_Value] | _Value) -> st.SearchStrategy[_Value]:
    """The strategy, or that of the plain value."""
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


def named(name: str, make: Callable[[], _Result]) -> _Result:
    """What is made from an argument.

    Raises:
        InvalidArgument: The library refuses it; the message names the argument.
    """
    try:
        return make()
    except AccountBatchError as error:
        message = str(error)
        raise InvalidArgument(message if message.startswith(name) else f"{name}: {message}") from error


def check_order(least: Any, most: Any) -> None:
    """Refuse bounds with nothing between them.

    Raises:
        InvalidArgument: min_value is above max_value.
    """
    if least is not None and most is not None and least > most:
        raise InvalidArgument(f"min_value={least} is above max_value={most}")


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse what is no whole number in a range.

    Raises:
        InvalidArgument: The message names the argument.
    """
    if type(value) is not int or not least <= value <= most:
        raise InvalidArgument(f"{name}={value!r} is no whole number from {least} to {most}")


def check_catalog(catalog: object, *, optional: bool) -> None:
    """Refuse what is no catalog.

    Raises:
        InvalidArgument: The message names the argument.
    """
    if not isinstance(catalog, Catalog) and not (optional and catalog is None):
        hint = "; to draw it too, use flatmap" if isinstance(catalog, st.SearchStrategy) else ""
        raise InvalidArgument(f"catalog={catalog!r} is no Catalog{hint}")


def zone_names(zones: Iterable[str]) -> tuple[str, ...]:
    """The zones of an argument of that name.

    Raises:
        InvalidArgument: There is none, or one that the machine does not know.
    """
    names = tuple(named("zones", lambda: as_items(zones, "zones")))
    if not names:
        raise InvalidArgument("zones: none given; name at least one, such as Europe/Kyiv")
    for name in names:
        if not isinstance(name, str) or not is_zone(name):
            raise InvalidArgument(f"zones: {name!r} is no IANA zone; write it like Europe/Kyiv")
    return names


def field_strategies(
    kind: type[attrs.AttrsInstance], given: Mapping[str, object], plain: Mapping[str, object]
) -> Mapping[str, st.SearchStrategy[Any]]:
    """A strategy for each field that is given as a strategy or as a plain value.

    Args:
        kind: The class of the drawn values.
        given: By the names of the fields.
        plain: What kind can be made of; plain values are tried on it.

    Raises:
        InvalidArgument: A name is unknown, or a plain value is none for its field.
    """
    known = [field.name for field in attrs.fields(kind)]
    for name in given:
        _check_known(name, known, kind.__name__)
    values = {name: value for name, value in given.items() if not isinstance(value, st.SearchStrategy)}
    for name, value in values.items():
        named(name, functools.partial(kind, **{**plain, name: value}))
    return {name: as_strategy(value) for name, value in given.items()}


def _check_known(name: str, known: Collection[str], kind: str) -> None:
    if name not in known:
        raise InvalidArgument(f"{name}: no field of {kind}; {nearest(name, known)}")
