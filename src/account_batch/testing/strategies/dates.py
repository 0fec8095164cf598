"""Strategies of dates and instants, as often where a clock changes as anywhere else."""

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from account_batch.calendar import as_instant, parse_date
from account_batch.testing.strategies.arguments import check_order, named, zone_names
from account_batch.testing.strategies.names import ZONES

__all__ = ["calendar_dates", "changing_days", "clock_changes", "instants", "odd_days"]

# Clocks changed before and will change after, by the same rules.
_START, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=7)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

_Change: TypeAlias = tuple[datetime, datetime, datetime]
_Time = TypeVar("_Time", date, datetime)


def calendar_dates(
    min_value: date | None = None, max_value: date | None = None, *, zones: Iterable[str] = ZONES
) -> st.SearchStrategy[date]:
    """Dates, half of them on or next to a day on which the clock of a zone changes.

    Half of these again are days that begin without midnight or with two, or that the zone skipped, such as 2011-12-30
    in Pacific/Apia. Where no clock changes between the bounds, any date comes. They shrink towards 2000-01-01.

    Args:
        min_value: The first; by default the calendar's first.
        max_value: The last; by default the calendar's last.
        zones: IANA names; by default a few that do everything that zones do.

    Raises:
        InvalidArgument: A bound is no date, they are in the wrong order, or there is no such zone.
    """
    least = date.min if min_value is None else named("min_value", lambda: parse_date(min_value, "min_value"))
    most = date.max if max_value is None else named("max_value", lambda: parse_date(max_value, "max_value"))
    check_order(least, most)
    return _dates(least, most, zone_names(zones))


def instants(
    min_value: datetime | None = None, max_value: datetime | None = None, *, zones: Iterable[str] = ZONES
) -> st.SearchStrategy[datetime]:
    """Instants in UTC, half of them where the clock of a zone changes, or a microsecond beside.

    They shrink towards the beginning of 2000.

    Args:
        min_value: The first, aware; by default the first that every zone can show.
        max_value: The last, aware; by default the last that every zone can show.
        zones: IANA names; by default a few that do everything that zones do.

    Raises:
        InvalidArgument: A bound is no aware datetime, they are in the wrong order, or there is no such zone.
    """
    least = _EARLIEST if min_value is None else named("min_value", lambda: as_instant(min_value, "min_value"))
    most = _LATEST if max_value is None else named("max_value", lambda: as_instant(max_value, "max_value"))
    check_order(least, most)
    return _instants(least, most, zone_names(zones))


@functools.lru_cache(maxsize=64)
def _dates(least: date, most: date, zones: tuple[str, ...]) -> st.SearchStrategy[date]:
    anywhere = st.dates(least, most)

    def there() -> list[st.SearchStrategy[date]]:
        """Made when the first date is drawn: it looks at all the years of all zones."""
        return [
            st.sampled_from(found)
            for find in (changing_days, odd_days)
            if (found := _within(least, most, (day for zone in zones for day in find(zone)), _far))
        ]

    return _half(anywhere, there, st.sampled_from([timedelta(0), timedelta(0), -_DAY, _DAY]), least, most)


@functools.lru_cache(maxsize=64)
def _instants(least: datetime, most: datetime, zones: tuple[str, ...]) -> st.SearchStrategy[datetime]:
    microsecond = timedelta(microseconds=1)
    steps = st.integers((least - _ORIGIN) // microsecond, (most - _ORIGIN) // microsecond)
    anywhere = steps.map(lambda step: _ORIGIN + step * microsecond)

    def there() -> list[st.SearchStrategy[datetime]]:
        """Made when the first instant is drawn: it looks at all the years of all zones."""
        changes = (at for zone in zones for at, _, _ in clock_changes(zone))
        found = _within(least, most, changes, lambda at: _far(at.date()))
        return [st.sampled_from(found)] if found else []

    beside = st.sampled_from([timedelta(0), timedelta(0), -microsecond, microsecond])
    return _half(anywhere, there, beside, least, most)


def _half(
    anywhere: st.SearchStrategy[_Time],
    there: Callable[[], Sequence[st.SearchStrategy[_Time]]],
    beside: st.SearchStrategy[timedelta],
    least: _Time,
    most: _Time,
) -> st.SearchStrategy[_Time]:
    """Every second draw from there, or beside what was drawn there."""
    made = functools.cache(there)
    coin = st.booleans()

    @st.composite
    def drawn(draw: st.DrawFn) -> _Time:
        if not draw(coin) or not made():
            return draw(anywhere)
        at = draw(st.one_of(made()))
        away = draw(beside)
        return at if (away < timedelta(0) and at == least) or (away > timedelta(0) and at == most) else at + away

    return drawn()


def _within(least: _Time, most: _Time, times: Iterable[_Time], key: Callable[[_Time], object]) -> list[_Time]:
    return sorted({one for one in times if least <= one <= most}, key=lambda one: (key(one), one))


def _far(day: date) -> int:
    return abs((day - _ORIGIN.date()).days)


@functools.cache
def clock_changes(zone: str) -> tuple[_Change, ...]:
    """The changes of a zone's clock: the instant in UTC, what the clock would have shown, and what it shows then."""
    tz = ZoneInfo(zone)
    changes = []
    start = _START
    before = _offset(start, tz)
    while start < _END:
        end = start + _STEP
        after = _offset(end, tz)
        if after != before:
            at = _first(start, end, before, tz)
            wall = at.replace(tzinfo=None)
            changes.append((at, wall + before, wall + after))
        start, before = end, after
    return tuple(changes)


def _first(start: datetime, end: datetime, before: timedelta, tz: ZoneInfo) -> datetime:
    """The first second after start, and up to end, with another offset."""
    while end - start > _SECOND:
        middle = start + (end - start) // _SECOND // 2 * _SECOND
        if _offset(middle, tz) == before:
            start = middle
        else:
            end = middle
    return end


def _offset(at: datetime, tz: ZoneInfo) -> timedelta:
    offset = at.astimezone(tz).utcoffset()
    assert offset is not None  # A zone always has an offset; only the type of utcoffset leaves it open.
    return offset


@functools.cache
def changing_days(zone: str) -> frozenset[date]:
    """The dates that the clock of a zone shows, or skips, when it changes."""
    return frozenset(
        day for _, old, new in clock_changes(zone) for day in _days(min(old, new).date(), max(old, new).date())
    )


@functools.cache
def odd_days(zone: str) -> frozenset[date]:
    """The days of a zone that begin without midnight or with two, or that never happened."""
    return frozenset(
        day
        for _, old, new in clock_changes(zone)
        for day in _days(min(old, new).date(), max(old, new).date())
        if min(old, new) <= datetime.combine(day, time()) < max(old, new)
    )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=away) for away in range((last - first).days + 1)]
