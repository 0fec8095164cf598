"""Calendar dates in columns of instants: exactly what calendar.local_date and calendar.first_instant say, as SQL.

The day of an instant in a zone is the day of (instant + offset), with the offset that the clock has then. The first
instant of a day is (midnight - offset), where the offset is not that of the clock if the zone has that day without a
midnight, or with two. Both offsets stay the same for months: SQL searches the steps between them.
"""

import zoneinfo
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any, TypeAlias

import attrs
from sqlalchemy import Boolean, ColumnElement, literal, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import InternalTraversal

from account_batch.calendar import first_instant, is_zone
from account_batch.errors import InvalidValueError
from account_batch.stores.sql.types import Day, Text

__all__ = ["Calendar", "Runs", "Zones", "calendar_of", "instant_of", "is_before", "local_day_of", "runs_of"]

_EPOCH = date(1970, 1, 1)
_DAYS = (date(2070, 1, 1) - _EPOCH).days
_DAY = 86_400
# SQLite's parser gives up at a depth of 100, and a hundred years have about 200 steps.
_BLOCK = 16

Runs: TypeAlias = tuple[tuple[int, int], ...]
"""The first day, counted from 1970, of each run of days with the same offset, and that offset in seconds."""


@attrs.frozen
class Calendar:
    """The calendar of a zone, for a column of instants.

    Args:
        steps: The first second, counted from 1970 on the clock of the column, of each offset that gives the date.
        runs: The offsets that give the first instants of days.
    """

    steps: Runs
    runs: Runs


Zones: TypeAlias = tuple[tuple[tuple[str, ...], Calendar], ...]
"""Calendars, and the customers that they hold for; the last one holds for everybody else."""


def calendar_of(zone: str, stored_in: str) -> Calendar:
    """The calendar of a zone; see runs_of.

    A clock other than that of UTC shows some instants alike. There a date is read from its first instant on, which is
    not the local date only where a calendar turns back to the day before for some minutes, as in St. John's until 2011.
    """
    runs = runs_of(zone, stored_in)
    if stored_in == "UTC":
        return Calendar(_steps(zoneinfo.ZoneInfo(zone)), runs)
    switches = ((day * _DAY - max(before, after), after) for (_, before), (day, after) in pairwise(runs))
    return Calendar((runs[0], *switches), runs)


def _steps(calendar: zoneinfo.ZoneInfo) -> Runs:
    """From which second in UTC on the clock has which offset."""

    def noon(day: int) -> int:
        return int(datetime.combine(_EPOCH + timedelta(days=day), time(12), calendar).timestamp())

    def offset(second: int) -> int:
        return _seconds(datetime.fromtimestamp(second, calendar))

    steps = [(0, offset(noon(-1)))]
    for week in range(0, _DAYS, 7):
        if offset(noon(week + 6)) == steps[-1][1]:
            continue
        for day in range(week, week + 7):
            last, first = noon(day - 1), noon(day)
            after = offset(first)
            if after == steps[-1][1]:
                continue
            while first - last > 1:
                middle = (last + first) // 2
                last, first = (last, middle) if offset(middle) == after else (middle, first)
            steps.append((first, after))
    return tuple(steps)


def runs_of(zone: str, stored_in: str) -> Runs:
    """The runs of a zone from 1970 to 2069; earlier and later days have the offset of the nearest one.

    Args:
        zone: Of the calendar.
        stored_in: The zone of the clock by which the column shows instants.

    Raises:
        InvalidValueError: One of them is no IANA zone.
    """
    for name in (zone, stored_in):
        if not isinstance(name, str) or not is_zone(name):
            raise InvalidValueError(f"instant_date: {name!r} is no IANA zone; write it like Europe/Kyiv")
    calendar, clock = zoneinfo.ZoneInfo(zone), zoneinfo.ZoneInfo(stored_in)
    runs: list[tuple[int, int]] = []

    def is_quiet(first: int, days: int) -> bool:
        """Whether both clocks stand still from the noon before some days to the noon of the last one."""
        return _ahead(first - 1, calendar, clock) == _ahead(first + days - 1, calendar, clock)

    def add(day: int, offset: int) -> None:
        if not runs or runs[-1][1] != offset:
            runs.append((day, offset))

    for week in range(0, _DAYS, 7):
        days = (week,) if is_quiet(week, 7) else range(week, week + 7)
        for day in days:
            if len(days) == 1 or is_quiet(day, 1):
                # Midnight exists, and once.
                ahead, shown = _ahead(day, calendar, clock)
                add(day, ahead - shown)
            else:
                first = first_instant(_EPOCH + timedelta(days=day), zone)
                add(day, day * _DAY - int(first.timestamp()) - _seconds(first.astimezone(clock)))
    return tuple(runs)


def _ahead(day: int, calendar: zoneinfo.ZoneInfo, clock: zoneinfo.ZoneInfo) -> tuple[int, int]:
    """What the calendar and the clock are ahead of UTC at noon of a day of the calendar."""
    noon = datetime.combine(_EPOCH + timedelta(days=day), time(12), calendar)
    return _seconds(noon), _seconds(noon.astimezone(clock))


def _seconds(local: datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None  # The instant has a zone.
    return int(offset.total_seconds())


def local_day_of(instant: ColumnElement[Any], customer: ColumnElement[str] | None, zones: Zones) -> ColumnElement[Any]:
    """The date that the calendar of the customer shows at an instant."""
    return type_coerce(_LocalDay(instant, customer, zones), Day())


def instant_of(
    day: ColumnElement[Any], customer: ColumnElement[str] | None, zones: Zones, *, aware: bool
) -> ColumnElement[Any]:
    """The first instant of a date in the calendar of the customer, as the column has it.

    Args:
        day: The date.
        customer: Whose calendar; None where there is one zone only.
        zones: The zones.
        aware: Whether the column keeps instants with their zone.
    """
    return (_AwareInstant if aware else _NaiveInstant)(day, customer, zones)


def is_before(
    instant: ColumnElement[Any], customer: ColumnElement[str] | None, zones: Zones, day: date
) -> ColumnElement[bool]:
    """Whether an instant is before the first one of the day after some day: what its date decides, without the date."""
    return type_coerce(_Before(instant, customer, zones, (day - _EPOCH).days + 1), Boolean())


class _Zoned(FunctionElement[Any]):
    """The runs are part of the expression, and no parameters."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012  # As SQLAlchemy declares it.
        *FunctionElement._traverse_internals,  # noqa: SLF001  # The documented way to add to the cache key.
        ("zones", InternalTraversal.dp_plain_obj),
    ]

    def __init__(self, value: ColumnElement[Any], customer: ColumnElement[str] | None, zones: Zones) -> None:
        # The names of customers are parameters; the last zone needs none.
        names = [literal(name, Text()) for customers, _ in zones[:-1] for name in customers]
        super().__init__(value, *([] if customer is None else [customer]), *names)
        self.zones = zones


class _LocalDay(_Zoned):
    inherit_cache = True


class _Before(_Zoned):
    """The day, counted from 1970, is part of the expression too."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012  # As SQLAlchemy declares it.
        *_Zoned._traverse_internals,  # noqa: SLF001  # See above.
        ("day", InternalTraversal.dp_plain_obj),
    ]

    def __init__(self, value: ColumnElement[Any], customer: ColumnElement[str] | None, zones: Zones, day: int) -> None:
        super().__init__(value, customer, zones)
        self.day = day


class _NaiveInstant(_Zoned):
    inherit_cache = True


class _AwareInstant(_Zoned):
    inherit_cache = True


def _seen(element: _Zoned, compiler: SQLCompiler, options: dict[str, Any]) -> tuple[str, str, list[str]]:
    """The value, the same as it compares with moments, and the other clauses."""
    value, *others = (f"({compiler.process(clause, **options)})" for clause in element.clauses)
    (argument, *_) = element.clauses
    if compiler.dialect.name == "postgresql" and getattr(argument.type, "timezone", False):
        value = f"({value} AT TIME ZONE 'UTC')"
    # Texts of SQLite come with a T or a blank in the middle; cut off at the second, they sort all the same.
    return value, f"replace({value}, 'T', ' ')" if compiler.dialect.name == "sqlite" else value, others


@compiles(_Before)
def _write_before(element: _Before, compiler: SQLCompiler, **options: Any) -> str:
    _, seen, others = _seen(element, compiler, options)

    def begins(calendar: Calendar) -> str:
        runs = calendar.runs
        offset = next((offset for first, offset in reversed(runs) if first <= element.day), runs[0][1])
        return _moment(element.day * _DAY - offset, compiler.dialect.name)

    return f"({seen} < {_by_customer(element.zones, others, begins)})"


@compiles(_LocalDay)
def _write_local_day(element: _LocalDay, compiler: SQLCompiler, **options: Any) -> str:
    value, seen, others = _seen(element, compiler, options)
    name = compiler.dialect.name

    def offset(calendar: Calendar) -> str:
        texts = [(_moment(first, name), seconds) for first, seconds in calendar.steps[1:]]
        return _search(seen, texts, calendar.steps[0][1], lambda seconds: _span(seconds, name))

    shift = _by_customer(element.zones, others, offset)
    match name:
        case "sqlite":
            return f"date(substr({value}, 1, 19), {shift})"
        case "postgresql":
            return f"CAST({value} + {shift} AS DATE)"
        case _:
            return f"CAST(DATE_ADD({value}, INTERVAL {shift} SECOND) AS DATE)"


@compiles(_NaiveInstant)
def _write_naive(element: _NaiveInstant | _AwareInstant, compiler: SQLCompiler, **options: Any) -> str:
    day, *others = (f"({compiler.process(clause, **options)})" for clause in element.clauses)
    name = compiler.dialect.name

    def offset(calendar: Calendar) -> str:
        texts = [(_date(first, name), seconds) for first, seconds in calendar.runs[1:]]
        return _search(day, texts, calendar.runs[0][1], lambda seconds: _span(-seconds, name))

    shift = _by_customer(element.zones, others, offset)
    match name:
        case "sqlite":
            return f"datetime({day}, {shift})"
        case "postgresql":
            return f"(CAST({day} AS TIMESTAMP) + {shift})"
        case _:
            return f"DATE_ADD(CAST({day} AS DATETIME), INTERVAL {shift} SECOND)"


@compiles(_AwareInstant)
def _write_aware(element: _AwareInstant, compiler: SQLCompiler, **options: Any) -> str:
    written = _write_naive(element, compiler, **options)
    return f"({written} AT TIME ZONE 'UTC')" if compiler.dialect.name == "postgresql" else written


def _by_customer(zones: Zones, others: Sequence[str], offset: Callable[[Calendar], str]) -> str:
    if len(zones) == 1:
        return offset(zones[0][1])
    customer, *names = others
    unused = iter(names)
    cases = []
    for customers, runs in zones[:-1]:
        listed = ", ".join(islice(unused, len(customers)))
        cases.append(f"WHEN {customer} IN ({listed}) THEN {offset(runs)}")
    return f"CASE {' '.join(cases)} ELSE {offset(zones[-1][1])} END"


def _search(value: str, steps: Sequence[tuple[str, int]], below: int, write: Callable[[int], str]) -> str:
    """What belongs to the last step that the value has reached: in blocks of blocks, so that the SQL is not deep."""
    if not steps:
        return write(below)
    size = 1 if len(steps) <= _BLOCK else _BLOCK
    blocks = [steps[at : at + size] for at in range(0, len(steps), size)]
    within = [write(below), *(_search(value, block[1:], block[0][1], write) for block in blocks)]
    whens = (f"WHEN {value} < {block[0][0]} THEN {found}" for block, found in zip(blocks, within, strict=False))
    return f"CASE {' '.join(whens)} ELSE {within[-1]} END"


def _moment(seconds: int, dialect: str) -> str:
    text = str(datetime.combine(_EPOCH, time()) + timedelta(seconds=seconds))
    match dialect:
        case "sqlite":
            # Without zeros at the end a text sorts before every way to write the same moment.
            return f"'{text.removesuffix(':00').removesuffix(' 00:00')}'"
        case "postgresql":
            return f"TIMESTAMP '{text}'"
        case _:
            return f"TIMESTAMP'{text}'"


def _date(day: int, dialect: str) -> str:
    text = f"'{_EPOCH + timedelta(days=day)}'"
    return text if dialect == "sqlite" else f"DATE {text}"


def _span(seconds: int, dialect: str) -> str:
    match dialect:
        case "sqlite":
            return f"'{seconds:+d} seconds'"
        case "postgresql":
            return f"INTERVAL '{seconds} seconds'"
        case _:
            return str(seconds)
