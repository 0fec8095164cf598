"""A converter between values and plain documents that takes nothing for something else."""

import functools
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from types import GenericAlias
from typing import Any, NoReturn, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

from account_batch.account import AccountKind, AccountState, UnifiedMessaging
from account_batch.calendar import as_instant, parse_date
from account_batch.decision import Assignment
from account_batch.errors import AccountBatchError, FormatError, InvalidValueError, nearest
from account_batch.money import Money, as_amount, plain
from account_batch.questions import Answer, Question

__all__ = ["parse_instant", "parse_json", "strict_converter", "structure"]

_ENUMS = {kind.__name__: kind for kind in (AccountKind, AccountState, UnifiedMessaging)}

_Structured = TypeVar("_Structured")


@functools.cache
def strict_converter() -> cattrs.Converter:
    """A converter with exact types, no unknown keys, money and dates as text, and tagged unions.

    The same for everybody, who may not register anything with it: making one costs as much as reading a small plan.
    """
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exact)
    converter.register_structure_hook(Decimal, lambda value, _: _decimal(value))
    converter.register_unstructure_hook(Decimal, plain)
    converter.register_structure_hook(date, lambda value, _: parse_date(value, "date"))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(datetime, lambda value, _: parse_instant(value))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(Money, lambda value, _: Money.parse(_exact(value, str)))
    converter.register_unstructure_hook(Money, str)
    converter.register_structure_hook_factory(_is_collection, lambda kind: _collection(kind, converter))
    converter.register_unstructure_hook_func(lambda kind: kind == frozenset[str], sorted)
    converter.register_structure_hook_func(lambda kind: kind == Answer, lambda value, _: _unpack(value))
    converter.register_unstructure_hook_func(lambda kind: kind == Answer, _pack)
    _tag(converter, Assignment, "do")
    _tag(converter, Question, "ask")
    return converter


def _tag(converter: cattrs.Converter, union: object, tag: str) -> None:
    """Tell the members of a union apart by a key; the stock strategy calls an unknown member a missing key."""
    kinds = {kind.__name__: kind for kind in get_args(union)}

    def read(value: object, _: object) -> object:
        document = dict(_exact(value, dict))
        if tag not in document:
            raise FormatError(f"'{tag}' is missing")
        name = document.pop(tag)
        if not isinstance(name, str) or name not in kinds:
            raise FormatError(f"unknown {tag} {name!r}; {nearest(str(name), kinds)}")
        return converter.structure(document, kinds[name])

    converter.register_structure_hook_func(lambda kind: kind == union, read)
    converter.register_unstructure_hook_func(
        lambda kind: kind == union, lambda value: {tag: type(value).__name__, **converter.unstructure(value)}
    )


def structure(
    document: object, kind: type[_Structured], place: str, converter: cattrs.Converter | None = None
) -> _Structured:
    """The value of a document.

    Raises:
        FormatError: The document is not of this kind; the message names each place.
    """
    converter = strict_converter() if converter is None else converter
    try:
        return converter.structure(document, kind)
    except (BaseValidationError, AccountBatchError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError("; ".join(cattrs.transform_error(error, path=place, format_exception=_describe))) from None


def parse_json(text: str) -> object:
    """The document of a JSON text, in which numbers are exact and every key stands once.

    Raises:
        FormatError: The text is no JSON, or holds a duplicate key, NaN or Infinity.
    """

    def refuse(constant: str) -> NoReturn:
        raise FormatError(f"{constant} is no number that JSON or money has")

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        document: dict[str, object] = {}
        for key, value in pairs:
            if key in document:
                raise FormatError(f'the key "{key}" stands twice in one object')
            document[key] = value
        return document

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse, object_pairs_hook=unique)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise FormatError(f"no JSON: {str(error) or 'a number is out of range'}") from None


def parse_instant(value: object) -> datetime:
    """An instant in UTC from the text that a plan holds.

    Raises:
        FormatError: It is no ISO text with an offset.
    """
    try:
        instant = datetime.fromisoformat(_exact(value, str))
    except ValueError:
        raise FormatError(f"{value!r} is no instant") from None
    if instant.utcoffset() is None:
        raise FormatError(f"{value!r} has no offset from UTC")
    try:
        return as_instant(instant, "instant")
    except InvalidValueError as error:
        raise FormatError(str(error)) from None


_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}


def _exact(value: object, kind: type[_Structured]) -> _Structured:
    if type(value) is not kind:
        raise FormatError(f"{value!r} is not {_NAMES[kind]}")
    return value


def _decimal(value: object) -> Decimal:
    if type(value) not in {str, int, Decimal}:
        raise FormatError(f'{value!r} is no exact amount; write it like "15.00"')
    return as_amount(value, "amount", places=10, digits=30)  # type: ignore[arg-type]  # Checked above.


def _is_collection(kind: Any) -> bool:
    return get_origin(kind) is frozenset or (get_origin(kind) is tuple and get_args(kind)[1:] == (...,))


def _collection(kind: Any, converter: cattrs.Converter) -> Callable[[object, object], object]:
    """Structure lists only: the stock hooks take a text for a list of letters."""
    build: Any = get_origin(kind)
    of_items = GenericAlias(list, get_args(kind)[:1])
    items = converter.get_structure_hook(of_items)

    def hook(value: object, _: object) -> object:
        return build(items(_exact(value, list), of_items))

    return hook


def _pack(value: Answer) -> object:
    """A value of a field, which says itself of what type it is."""
    match value:
        case Decimal():
            return {"decimal": plain(value)}
        case date():
            return {"date": value.isoformat()}
        case frozenset():
            return {"set": sorted(value)}
        case AccountKind() | AccountState() | UnifiedMessaging():
            return {type(value).__name__: value.value}
        case _:
            return value


def _unpack(value: Any) -> Answer:
    match value:
        case None | bool() | int() | str() as plain_value:
            return plain_value
        case {"decimal": str() as amount} if len(value) == 1:
            return as_amount(amount, "value", digits=30)
        case {"date": str() as day} if len(value) == 1:
            return parse_date(day, "value")
        case {"set": list() as items} if len(value) == 1:
            return frozenset(_exact(item, str) for item in items)
        case dict() if len(value) == 1 and (name := next(iter(value))) in _ENUMS:
            return _ENUMS[name](value[name])
        case _:
            raise FormatError(f"{value!r} is no value of a field")


def _describe(error: BaseException, _: type | None) -> str:
    """One thing that is wrong in a document, in words for the person who wrote it."""
    match error:
        case ForbiddenExtraKeysError(extra_fields=extra, cl=kind):
            known = [field.name for field in attrs.fields(kind)]
            return ", ".join(f'unknown key "{name}"; {nearest(name, known)}' for name in sorted(extra))
        case KeyError():
            return f"{error} is missing"
        case TypeError() | AttributeError():
            return "this is no object of keys and values"
        case _:
            return str(error)
