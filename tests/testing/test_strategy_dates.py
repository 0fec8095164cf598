"""Where the dates and instants of the public strategies lie."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from account_batch.calendar import first_instant, local_date
from account_batch.testing import calendar_dates, instants
from account_batch.testing.strategies.dates import changing_days, clock_changes, odd_days
from account_batch.testing.strategies.names import ZONES

DAY = timedelta(days=1)

# Rates are of drawn examples: the same ones each time, and so the same rates.
counted = settings(max_examples=300, derandomize=True, database=None, deadline=None)


@given(calendar_dates(date(2011, 12, 1), date(2012, 1, 31)))
def test_dates_lie_between_the_bounds(day: date) -> None:
    """Both bounds narrow."""
    assert date(2011, 12, 1) <= day <= date(2012, 1, 31)


@given(calendar_dates(date(2026, 11, 2), date(2026, 11, 20), zones=["UTC", "Asia/Kathmandu"]))
def test_dates_come_where_no_clock_changes_too(day: date) -> None:
    """There is not always a transition to sit on."""
    assert date(2026, 11, 2) <= day <= date(2026, 11, 20)


@pytest.mark.parametrize("zones", [ZONES, ("Europe/Kyiv",)])
def test_dates_are_transitions_about_half_of_the_time(zones: tuple[str, ...]) -> None:
    """Half are on or next to a day on which the clock of one of the zones changes."""
    near = {day + away for zone in zones for day in changing_days(zone) for away in (-DAY, 0 * DAY, DAY)}
    seen = Counter[bool]()

    @counted
    @given(calendar_dates(zones=zones))
    def count(day: date) -> None:
        seen[day in near] += 1

    count()
    assert 0.4 < seen[True] / seen.total() < 0.75


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Pacific/Apia", date(2011, 12, 30)),  # Skipped.
        ("Pacific/Kiritimati", date(1994, 12, 31)),  # Skipped.
        ("Asia/Beirut", date(2027, 3, 28)),  # Without midnight.
        ("America/Havana", date(2026, 11, 1)),  # With two.
    ],
)
def test_dates_know_the_odd_days(zone: str, day: date) -> None:
    """Days that were skipped, begin without midnight or with two are odd, and on them the clock changes."""
    assert day in odd_days(zone)
    assert day in changing_days(zone)


@pytest.mark.parametrize("zone", ZONES)
def test_dates_know_every_change_of_a_clock(zone: str) -> None:
    """The offset differs just before a change, and nowhere between two of them."""
    tz = ZoneInfo(zone)
    times = [at for at, _, _ in clock_changes(zone)]
    for at, old, new in clock_changes(zone):
        assert (at - timedelta(seconds=1)).astimezone(tz).replace(tzinfo=None) == old - timedelta(seconds=1)
        assert at.astimezone(tz).replace(tzinfo=None) == new != old
    for this, following in itertools.pairwise(times):
        middle = this + (following - this) / 2
        assert middle.astimezone(tz).utcoffset() == this.astimezone(tz).utcoffset()


@pytest.mark.parametrize("zone", ZONES)
def test_dates_are_odd_iff_they_do_not_begin_with_their_only_midnight(zone: str) -> None:
    """A day is plain iff a day before it ends just when it begins, at a midnight that comes once."""
    for day in sorted(changing_days(zone)):
        start = first_instant(day, zone)
        shown = start.astimezone(ZoneInfo(zone))
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  # What a clock shows.
        both = {midnight.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
        assert (day in odd_days(zone)) is (shown.replace(tzinfo=None) != midnight or len(both) == 2)


@given(instants(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC), zones=["Europe/Kyiv"]))
def test_instants_lie_between_the_bounds(at: datetime) -> None:
    """Bounds narrow, and everything is in UTC."""
    assert datetime(2026, 1, 1, tzinfo=UTC) <= at <= datetime(2026, 12, 31, tzinfo=UTC)
    assert at.tzinfo is UTC


@given(instants())
def test_instants_can_be_shown_in_every_zone(at: datetime) -> None:
    """Even the first and the last."""
    for zone in ZONES:
        local_date(at, zone)


def test_instants_are_transitions_about_half_of_the_time() -> None:
    """Half are where a clock changes, or a microsecond beside."""
    changes = {at for at, _, _ in clock_changes("Europe/Kyiv")}
    step = timedelta(microseconds=1)
    seen = Counter[bool]()

    @counted
    @given(instants(zones=["Europe/Kyiv"]))
    def count(at: datetime) -> None:
        seen[not changes.isdisjoint({at - step, at, at + step})] += 1

    count()
    assert 0.4 < seen[True] / seen.total() < 0.75
