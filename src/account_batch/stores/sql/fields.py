"""Fields: how values of accounts are read from columns and written to them, with the habits of old tables."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

import attrs
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Numeric,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from account_batch.errors import InvalidValueError
from account_batch.stores.sql.expressions import (
    amount_from,
    amount_from_minor,
    amount_to,
    amount_to_minor,
    exact,
)
from account_batch.stores.sql.instants import Zones, calendar_of, instant_of, is_before, local_day_of
from account_batch.stores.sql.types import SCALE, Amount, Day, Flag, Instant, Number, Text

__all__ = [
    "Code",
    "Constant",
    "Field",
    "Writes",
    "amount",
    "coded",
    "column",
    "constant",
    "enabled_date",
    "instant_date",
    "unset",
    "zero_date",
]

Writes: TypeAlias = Mapping[Column[Any], ColumnElement[Any]]
"""Which columns get which values."""

Code: TypeAlias = str | int | bool | None
"""What a column holds for a value; None is NULL."""

Constant: TypeAlias = str | bool | int | Decimal | date | Enum | None
"""A value of a field of an account."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")


@attrs.frozen(kw_only=True)
class Field:
    """How a value of an account is read and written.

    >>> Field(read=literal("USD", Text())).write is None
    True

    Args:
        read: The value, with the type that types.FIELD_TYPES says, compared exactly. A mapping converts what has
            another type, such as a plain column.
        write: Says for a value which columns get which values; None where it cannot be written.
        places: How many decimals of an amount it can hold.
        raw: For texts in a column with a collation of its own: that column, which equals whatever read equals, and
            more. A condition on both finds by an index what a condition on read decides.
        is_set: Whether there is a value, where that is easier to say than the value.
        on_or_before: Likewise for dates, whether there is one on or before a day.
        coded: The values that have a code, where only those can be written.
    """

    read: ColumnElement[Any]
    write: Callable[[ColumnElement[Any]], Writes] | None = None
    places: int = SCALE
    raw: Column[Any] | None = None
    is_set: ColumnElement[bool] | None = None
    on_or_before: Callable[[date], ColumnElement[bool]] | None = None
    coded: frozenset[Code | Decimal | date] | None = None


def unset(kind: type[TypeEngine[Any]]) -> ColumnElement[Any]:
    """NULL with a canonical type."""
    plain: dict[type[TypeEngine[Any]], TypeEngine[Any]] = {
        Amount: Numeric(),
        Day: Date(),
        Instant: DateTime(),
        Number: BigInteger(),
    }
    # MariaDB casts nothing to a flag, and PostgreSQL takes a bare NULL for one.
    nothing = null() if kind is Flag else cast(null(), plain.get(kind, String()))
    return type_coerce(nothing, kind())


def column(source: Column[Any]) -> Field:
    """The same column read and written, whatever type it has: numbers for texts, 1 and 0 for flags.

    Empty texts, and zeros for counts, are read as not set.
    """
    raw = source if isinstance(source.type, String) else None
    return Field(read=source, write=lambda value: {source: value}, places=_places(source.type), raw=raw)


def constant(value: Constant) -> Field:
    """The same value for all accounts; it cannot be written."""
    raw = value.value if isinstance(value, Enum) else value
    if raw is None:
        return Field(read=null())
    return Field(read=literal(raw, _kind_of(raw)()))


def coded(source: Column[Any], codes: Mapping[Code, Constant]) -> Field:
    """A column with a code for each value, for example {"A": "open", "S": "inactive"} or {"Y": False, "N": True}.

    Of several codes for one value, the first is written; a plan that sets a value without a code is refused. What
    stands in the column and is no code is never taken for a value: texts are read as "unknown code ...", which no
    account can have as a state; others are read as NULL, which no account can have as a flag.

    Args:
        source: The column.
        codes: Value by code; None as a code is NULL, None as a value is not set.

    Raises:
        InvalidValueError: There are no codes, or values of different kinds.
    """
    values = {code: value.value if isinstance(value, Enum) else value for code, value in codes.items()}
    kinds = {_kind_of(value) for value in values.values() if value is not None}
    if len(kinds) != 1:
        raise InvalidValueError(
            f"coded: {dict(codes)!r} are no codes of one kind of value; write a value for each code"
        )
    (kind,) = kinds
    known = [(_is_code(source, code), _value(value, kind)) for code, value in values.items()]
    other = exact(literal("unknown code ", Text()) + exact(source)) if kind is Text else unset(kind)
    if kind in {Text, Flag} and None not in values:
        known.append((source.is_(None), unset(kind) if kind is Text else literal(False, Flag())))
    first: dict[Any, Code] = {}
    for code, value in values.items():
        first.setdefault(value, code)

    def write(value: ColumnElement[Any]) -> Writes:
        steps = [
            (value.is_(None) if each is None else value == literal(each, kind()), _code(source, code))
            for each, code in first.items()
        ]
        return {source: case(*steps, else_=source)}

    read = case(*known, else_=other)
    return Field(
        read=exact(read) if kind is Text else type_coerce(read, kind()), write=write, coded=frozenset(values.values())
    )


def amount(source: Column[Any], minor_digits: int | None = None) -> Field:
    """An amount in plain units, as a number or text, or in whole minor units.

    Args:
        source: The column.
        minor_digits: The decimals of the minor unit that it counts, for example 2 for cents; None is plain units.

    Raises:
        InvalidValueError: There are more digits than an amount has.
    """
    if minor_digits is not None:
        if not 0 <= minor_digits <= SCALE:
            raise InvalidValueError(f"amount: minor_digits {minor_digits} is none of 0 to {SCALE}")
        digits = minor_digits
        return Field(
            read=amount_from_minor(source, digits),
            write=lambda value: {source: amount_to_minor(value, digits)},
            places=digits,
        )
    text = isinstance(source.type, String)
    return Field(
        read=amount_from(source),
        write=lambda value: {source: amount_to(value, text=text)},
        places=_places(source.type),
    )


def zero_date(source: Column[Any], sentinel: str = "0000-00-00") -> Field:
    """A date that is not set where the column holds a certain other date.

    Args:
        source: The column.
        sentinel: The date that means none.

    Raises:
        InvalidValueError: The column holds no dates, or the sentinel does not look like one.
    """
    _check_date(source, "zero_date")
    none = _date_literal(sentinel, "zero_date")
    return Field(
        read=type_coerce(case((source == none, None), else_=source), Day()),
        write=lambda value: {source: func.coalesce(value, none)},
    )


def enabled_date(flag: Column[Any], source: "Column[Any] | Field", on: Code = "Y", off: Code = "N") -> Field:
    """A date that is set only where a flag says so.

    Clearing it turns the flag off and leaves the date in its column.

    Args:
        flag: The column of the flag.
        source: The date, as a column or for example instant_date(...).
        on: What the flag holds where the date counts.
        off: What is written where it does not.

    Raises:
        InvalidValueError: The column holds no dates.
    """
    dated = source if isinstance(source, Field) else column(source)
    _check_date(dated.read, "enabled_date")
    day = type_coerce(dated.read, Day())

    def write(value: ColumnElement[Any]) -> Writes:
        assert dated.write is not None  # Else there is no way to write this field either.
        written = dated.write(value)
        return {
            flag: case((value.is_(None), _code(flag, off)), else_=_code(flag, on)),
            **{kept: case((value.is_(None), kept), else_=new) for kept, new in written.items()},
        }

    enabled = _is_code(flag, on)
    reached = dated.on_or_before
    return Field(
        read=type_coerce(case((enabled, day), else_=None), Day()),
        write=None if dated.write is None else write,
        is_set=and_(enabled, day.is_not(None) if dated.is_set is None else dated.is_set),
        on_or_before=None if reached is None else lambda day: and_(enabled, reached(day)),
    )


def instant_date(
    source: Column[Any],
    zones: str | Mapping[str, str],
    customer: ColumnElement[Any] | None = None,
    stored_in: str = "UTC",
    sentinel: str | None = None,
) -> Field:
    """The date that the calendar of the customer's billing zone shows at an instant; written is its first instant.

    Exact for 1970 to 2069. Where the clock of stored_in shows a time twice, it is read as the later date, so that
    what was written is read again.

    Args:
        source: A column of instants without a zone; or, on PostgreSQL, with one.
        zones: The billing zone, or one for each customer; customers that are not named have UTC.
        customer: The customer of an account, where zones says one for each.
        stored_in: The zone of the clock by which the column shows instants; a TIMESTAMP of MariaDB shows them in the
            zone of the connection.
        sentinel: What the column holds for not set, if not NULL, for example "0000-00-00 00:00:00".

    Raises:
        InvalidValueError: A zone is unknown, the customer is missing, or the column holds no instants.
    """
    if not isinstance(source.type, DateTime):
        raise InvalidValueError(f"instant_date: the column {source.name} is {source.type!r}; declare it as DateTime")
    if not isinstance(zones, str) and customer is None:
        raise InvalidValueError("instant_date: zones of customers need customer=, the column that names the customer")
    runs = _zones(zones, stored_in)
    who = None if customer is None or len(runs) == 1 else exact(customer)
    none = None if sentinel is None else _date_literal(sentinel, "instant_date")
    aware = bool(source.type.timezone)

    def write(value: ColumnElement[Any]) -> Writes:
        instant = instant_of(value, who, runs, aware=aware)
        return {source: instant if none is None else case((value.is_(None), none), else_=instant)}

    read = local_day_of(source, who, runs)
    is_set: ColumnElement[bool] = source.is_not(None)
    if none is not None:
        read = type_coerce(case((source == none, None), else_=read), Day())
        is_set = and_(is_set, source != none)
    return Field(
        read=read, write=write, is_set=is_set, on_or_before=lambda day: and_(is_set, is_before(source, who, runs, day))
    )


def _zones(zones: str | Mapping[str, str], stored_in: str) -> Zones:
    if isinstance(zones, str):
        return (((), calendar_of(zones, stored_in)),)
    customers: dict[str, list[str]] = {}
    for name, zone in zones.items():
        customers.setdefault(zone, []).append(name)
    calendars = {zone: calendar_of(zone, stored_in) for zone in customers}
    named = tuple((tuple(names), calendars[zone]) for zone, names in customers.items())
    return (*named, ((), calendar_of("UTC", stored_in)))


def _date_literal(text: str, place: str) -> ColumnElement[Any]:
    if not _DATE.fullmatch(text):
        raise InvalidValueError(f'{place}: "{text}" is no date; write it like 0000-00-00 or 9999-12-31')
    return literal_column(f"'{text}'")


def _check_date(source: ColumnElement[Any], place: str) -> None:
    if not isinstance(source.type, Date | Day):
        raise InvalidValueError(f"{place}: {source} is {source.type!r}; for instants, use instant_date(column, zones)")


def _places(kind: TypeEngine[Any]) -> int:
    """How many decimals a column keeps."""
    if isinstance(kind, Integer):
        return 0
    if isinstance(kind, Numeric) and kind.scale is not None:
        return min(kind.scale, SCALE)
    return SCALE


def _kind_of(value: object) -> type[TypeEngine[Any]]:
    match value:
        case bool():
            return Flag
        case int():
            return Number
        case str():
            return Text
        case Decimal():
            return Amount
        case date():
            return Day
        case _:
            raise InvalidValueError(f"{value!r}: no value of a field of an account")


def _value(value: object, kind: type[TypeEngine[Any]]) -> ColumnElement[Any]:
    return unset(kind) if value is None else literal(value, kind())


def _is_code(source: Column[Any], code: Code) -> ColumnElement[bool]:
    """Whether a column holds a code, exactly."""
    match code:
        case None:
            return source.is_(None)
        case str():
            return exact(source) == literal(code, Text())
        case _:
            return source == _code(source, code)


def _code(source: Column[Any], code: Code) -> ColumnElement[Any]:
    """A code as the column takes it."""
    match code:
        case None:
            return null()
        case bool() if not isinstance(source.type, Boolean):
            return literal(int(code), source.type)
        case _:
            return literal(code, source.type)
