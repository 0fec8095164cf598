"""Requests, a filter and a spec, as TOML or JSON, and the JSON Schema of them.

One table says for every key how it is read, how it is written and what its schema is.
"""

import functools
import json
from collections.abc import Callable, Mapping
from datetime import date
from enum import Enum
from typing import Any, TypeAlias

import attrs

from account_batch.account import UnifiedMessaging
from account_batch.codec.catalog import parse_toml
from account_batch.codec.strict import parse_json
from account_batch.errors import AccountBatchError, FormatError, InvalidValueError, nearest, suggestion
from account_batch.filters import AccountFilter, Registration, StatusFilter, TextMatch, TextMode
from account_batch.money import Money
from account_batch.spec import (
    CLEAR,
    KEEP,
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

__all__ = [
    "as_written",
    "dump_request",
    "parse_request",
    "read_filter",
    "read_spec",
    "request_schema",
    "write_filter",
    "write_spec",
]

Schema: TypeAlias = dict[str, Any]


@attrs.frozen
class _Form:
    """How the value of a key looks in a document.

    Args:
        read: Makes the value of a part of a document, given its place for messages.
        write: Makes the part of a document of a value.
        schema: The JSON Schema of the part.
    """

    read: Callable[[Any, str], Any]
    write: Callable[[Any], object]
    schema: Schema


def _same(value: object) -> object:
    return value


def _plain(kind: type, name: str, schema: Schema) -> _Form:
    def read(part: Any, place: str) -> Any:
        if type(part) is not kind:
            raise FormatError(f"{place}: {part!r} is not {name}")
        return part

    return _Form(read, _same, schema)


def _choice(kind: type[Enum]) -> _Form:
    words = [member.value for member in kind]

    def read(part: Any, place: str) -> Any:
        if not isinstance(part, str) or part not in words:
            raise FormatError(f"{place}: {part!r} is none of {', '.join(words)}{suggestion(part, words)}")
        return kind(part)

    return _Form(read, lambda member: member.value, {"enum": words})


def _or_clear(form: _Form) -> _Form:
    """The form, or the word "clear"."""

    def read(part: Any, place: str) -> Any:
        return CLEAR if part == "clear" else form.read(part, place)

    def write(value: Any) -> object:
        written = "clear" if value is CLEAR else form.write(value)
        if written == "clear" and value is not CLEAR:
            raise FormatError(f'{value!r} cannot be written: "clear" means to clear it')
        return written

    return _Form(read, write, {"anyOf": [{"const": "clear"}, form.schema]})


def _object(forms: Mapping[str, _Form], required: tuple[str, ...] = ()) -> _Form:
    """An object of keys with forms of their own."""

    def read(part: Any, place: str) -> dict[str, Any]:
        if not isinstance(part, dict):
            raise FormatError(f"{place}: {part!r} is no table of keys and values")
        for key in part:
            if key not in forms:
                raise FormatError(f'{place}: unknown key "{key}"; {nearest(key, forms)}')
        for key in required:
            if key not in part:
                raise FormatError(f'{place}: the key "{key}" is missing')
        return {key: forms[key].read(value, f"{place}.{key}") for key, value in part.items()}

    def write(values: Mapping[str, Any]) -> dict[str, object]:
        return {key: forms[key].write(value) for key, value in values.items()}

    schema: Schema = {
        "type": "object",
        "properties": {key: form.schema for key, form in forms.items()},
        "required": list(required),
        "additionalProperties": False,
    }
    return _Form(read, write, schema)


_TEXT = _plain(str, "text", {"type": "string", "pattern": "\\S"})
_COMMENT = _plain(str, "text", {"type": "string"})
_FLAG = _plain(bool, "true or false", {"type": "boolean"})
_COUNT = _plain(int, "a whole number", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1})


def _read_money(part: Any, place: str) -> Money:
    if not isinstance(part, str):
        raise FormatError(f'{place}: {part} is no text; money is exact, and written like "15.00 USD"')
    try:
        return Money.parse(part)
    except InvalidValueError as error:
        raise FormatError(f"{place}: {error}") from None


_MONEY = _Form(
    _read_money,
    str,
    {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)? [A-Z]{3}$"},
)
_DATE_SCHEMA: Schema = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


def _read_day(part: Any, place: str) -> date | str:
    # TOML has dates of its own; the constructors check both.
    if not isinstance(part, str | date):
        raise FormatError(f"{place}: {part!r} is no date; write it like 2026-12-01")
    return part


def _read_activation(part: Any, place: str) -> ActivateNow | ActivateOn:
    return ActivateNow() if part == "now" else ActivateOn(_read_day(part, place))


_ACTIVATION = _Form(
    _read_activation,
    lambda value: "now" if isinstance(value, ActivateNow) else value.day.isoformat(),
    {"anyOf": [{"const": "now"}, _DATE_SCHEMA]},
)
_EXPIRATION = _Form(
    lambda part, place: ExpireOn(_read_day(part, place)), lambda value: value.day.isoformat(), _DATE_SCHEMA
)


def _names(*, least: int) -> _Form:
    def read(part: Any, place: str) -> list[str]:
        if not isinstance(part, list):
            raise FormatError(f"{place}: {part!r} is no list of add-ons")
        return [_TEXT.read(item, f"{place}[{index}]") for index, item in enumerate(part)]

    return _Form(read, sorted, {"type": "array", "items": _TEXT.schema, "minItems": least})


def _one_key(
    forms: Mapping[str, _Form], make: Mapping[str, Callable[[Any], Any]], split: Callable[[Any], Any]
) -> _Form:
    """An object with exactly one of the keys.

    Args:
        forms: The keys.
        make: Makes the value for a key.
        split: The key and content of a value.
    """
    whole = _object(forms)

    def read(part: Any, place: str) -> Any:
        values = whole.read(part, place)
        if len(values) != 1:
            raise FormatError(f"{place}: needs exactly one of {', '.join(forms)}")
        [(key, value)] = values.items()
        return make[key](value)

    def write(value: Any) -> object:
        key, content = split(value)
        return whole.write({key: content})

    return _Form(read, write, {**whole.schema, "minProperties": 1, "maxProperties": 1})


_ADDON_CHANGES = {"assign": AssignAddons, "replace": ReplaceAddons, "remove": RemoveAddons}
_ADDONS = _one_key(
    {"assign": _names(least=1), "replace": _names(least=0), "remove": _names(least=1)},
    _ADDON_CHANGES,
    lambda value: (next(key for key, kind in _ADDON_CHANGES.items() if isinstance(value, kind)), value.addons),
)


def _taking(kind: type[Charge] | type[Refund]) -> _Form:
    form = _object(
        {
            "amount": _MONEY,
            "comment": _COMMENT,
            "internal_comment": _COMMENT,
            "reference": _TEXT,
            "allow_overdraft": _FLAG,
        },
        required=("amount",),
    )

    def write(value: Charge | Refund) -> object:
        return form.write({key: part for key, part in _parts(value).items() if part is not None})

    return _Form(lambda part, place: kind(**form.read(part, place)), write, form.schema)


def _parts(value: attrs.AttrsInstance) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


_ASSIGN_DISTRIBUTOR = _object({"id": _TEXT, "charge": _FLAG}, required=("id",))


def _read_distributor(part: Any, place: str) -> AssignDistributor:
    if isinstance(part, str):
        return AssignDistributor(_TEXT.read(part, place))
    return AssignDistributor(**_ASSIGN_DISTRIBUTOR.read(part, place))


_DISTRIBUTOR = _Form(
    _read_distributor,
    lambda value: _ASSIGN_DISTRIBUTOR.write({key: part for key, part in _parts(value).items() if part is not None}),
    {"anyOf": [_TEXT.schema, _ASSIGN_DISTRIBUTOR.schema]},
)

_VALUES: dict[str, _Form] = {
    "activation": _ACTIVATION,
    "expiration": _EXPIRATION,
    "availability_days": _COUNT,
    "status": _choice(StatusChange),
    "opening_balance": _MONEY,
    "charge": _taking(Charge),
    "refund": _taking(Refund),
    "product": _TEXT,
    "addons": _ADDONS,
    "charging_period": _COUNT,
    "associated_number": _TEXT,
    "unified_messaging": _choice(UnifiedMessaging),
    "ivr_language": _TEXT,
    "time_zone": _TEXT,
    "role": _TEXT,
    "site": _TEXT,
    "distributor": _DISTRIBUTOR,
}
_CLEARABLE = {
    "activation",
    "expiration",
    "availability_days",
    "charging_period",
    "associated_number",
    "ivr_language",
    "time_zone",
    "site",
    "distributor",
}
_UPDATE = {name: _or_clear(form) if name in _CLEARABLE else form for name, form in _VALUES.items()}

_MODES = {mode.value: mode for mode in TextMode}
_TEXT_MATCH = _one_key(
    dict.fromkeys(_MODES, _TEXT),
    {key: functools.partial(TextMatch, mode) for key, mode in _MODES.items()},
    lambda value: (value.mode.value, value.text),
)
_ACCOUNT_ID = _Form(
    lambda part, place: part if isinstance(part, str) else _TEXT_MATCH.read(part, place),
    _TEXT_MATCH.write,
    {"anyOf": [_TEXT.schema, _TEXT_MATCH.schema]},
)


def _read_details(part: Any, place: str) -> dict[str, str]:
    if not isinstance(part, dict):
        raise FormatError(f"{place}: {part!r} is no table of names and texts")
    return {key: _TEXT.read(value, f"{place}.{key}") for key, value in part.items()}


_DETAILS = _Form(
    _read_details,
    dict,
    {"type": "object", "additionalProperties": _TEXT.schema, "propertyNames": {"pattern": "\\S"}},
)

_FILTER: dict[str, _Form] = {
    "batch": _TEXT,
    "control_numbers": _Form(
        _TEXT.read, str, {"type": "string", "pattern": r"^ *[0-9]+( *- *[0-9]+)? *(, *[0-9]+( *- *[0-9]+)? *)*$"}
    ),
    "account_id": _ACCOUNT_ID,
    "status": _choice(StatusFilter),
    "registration": _choice(Registration),
    "blocked": _FLAG,
    "used": _FLAG,
    "customer": _TEXT,
    "product": _TEXT,
    "contact": _DETAILS,
    "custom_fields": _DETAILS,
}

_WHERE = _object(_FILTER)
_SPEC = _object(_UPDATE)
_REQUEST = _object(
    {
        "filter": _Form(lambda part, place: AccountFilter(**_WHERE.read(part, place)), _same, _WHERE.schema),
        "update": _Form(
            lambda part, place: UpdateSpec(**_SPEC.read(part, place)), _same, {**_SPEC.schema, "minProperties": 1}
        ),
    },
    required=("filter", "update"),
)


def parse_request(text: str, *, toml: bool) -> tuple[AccountFilter, UpdateSpec]:
    """The filter and spec of a request (DESIGN.md section 10).

    Args:
        text: The whole file.
        toml: Whether it is TOML; else it is JSON.

    Raises:
        FormatError: The text has another form; the message names the place.
        FilterError: A criterion makes no sense.
        SpecError: A setting makes no sense.
    """
    document = parse_toml(text) if toml else parse_json(text.removeprefix("\N{BYTE ORDER MARK}"))
    try:
        request = _REQUEST.read(document, "request")
    except AccountBatchError as error:
        raise as_written(type(error)(str(error).removeprefix("request."))) from None
    return request["filter"], request["update"]


def as_written(error: AccountBatchError) -> AccountBatchError:
    """The same error with the place that a request has for it: what Python calls spec is the table update."""
    message = str(error)
    if message.startswith("spec"):
        message = f"update{message.removeprefix('spec')}"
    return type(error)(message)


def dump_request(where: AccountFilter, spec: UpdateSpec) -> str:
    """The request as JSON, which parse_request reads.

    Raises:
        FormatError: A value is the word "clear", which means something else in a request.
    """
    update = {name: _UPDATE[name].write(getattr(spec, name)) for name in spec.settings()}
    return json.dumps({"filter": write_filter(where), "update": update}, indent=2, ensure_ascii=False)


def request_schema() -> Schema:
    """The JSON Schema of a request; it accepts every document that parse_request accepts."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "account_batch request",
        **_REQUEST.schema,
    }


def write_filter(where: AccountFilter) -> dict[str, object]:
    """The filter as part of a document: every criterion that is set."""
    return {
        name: _FILTER[name].write(value) for name, value in _parts(where).items() if value is not None and value != {}
    }


def read_filter(document: object) -> AccountFilter:
    """The filter that write_filter wrote.

    Raises:
        FormatError: The document has another form.
        FilterError: A criterion makes no sense.
    """
    return AccountFilter(**_WHERE.read(document, "where"))


def write_spec(spec: UpdateSpec) -> dict[str, object]:
    """The spec as part of a plan: in full, so that a default that changes does not change old plans."""
    return {
        name: value.value if value is KEEP or value is CLEAR else {"set": _VALUES[name].write(value)}
        for name, value in _parts(spec).items()
    }


def read_spec(document: object) -> UpdateSpec:
    """The spec that write_spec wrote.

    Raises:
        FormatError: The document has another form.
        SpecError: A setting makes no sense.
    """

    def read(part: Any, place: str) -> Any:
        if part in ("keep", "clear"):
            return KEEP if part == "keep" else CLEAR
        return _object({"set": _VALUES[place.rpartition(".")[2]]}, required=("set",)).read(part, place)["set"]

    form = _object(dict.fromkeys(_UPDATE, _Form(read, _same, {})), required=tuple(_UPDATE))
    return UpdateSpec(**form.read(document, "spec"))
