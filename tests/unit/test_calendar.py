import importlib.metadata
import itertools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from time import tzset
from typing import Any, TypeAlias

import pendulum
import pytest

from account_batch.calendar import as_instant, first_instant, is_zone, local_date, parse_date, shift_days, zone_data
from account_batch.errors import InvalidValueError

# Names that stand in the zone database and mean no zone: a placeholder, and whatever the host has been set to.
_NO_ZONES = {"Factory", "localtime"}
_ZONES = sorted(zoneinfo.available_timezones() - _NO_ZONES)


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        pytest.param("UTC", "2026-12-01", "2026-12-01T00:00:00", id="UTC"),
        pytest.param("Europe/Kyiv", "2026-12-01", "2026-11-30T22:00:00", id="east"),
        pytest.param("America/New_York", "2026-12-01", "2026-12-01T05:00:00", id="west"),
        pytest.param("Asia/Kathmandu", "2026-12-01", "2026-11-30T18:15:00", id="quarter of an hour"),
        pytest.param("Pacific/Kiritimati", "2026-12-01", "2026-11-30T10:00:00", id="easternmost"),
        pytest.param("Etc/GMT+12", "2026-12-01", "2026-12-01T12:00:00", id="westernmost"),
        pytest.param("Africa/Monrovia", "1970-01-01", "1970-01-01T00:44:30", id="offset with seconds"),
        pytest.param("America/New_York", "2026-03-08", "2026-03-08T05:00:00", id="short day with a midnight"),
        pytest.param("America/New_York", "2026-11-01", "2026-11-01T04:00:00", id="long day with one midnight"),
        pytest.param("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00", id="no midnight: Sao Paulo"),
        pytest.param("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00", id="no midnight: Beirut"),
        pytest.param("Africa/Cairo", "2023-04-28", "2023-04-27T22:00:00", id="no midnight: Cairo"),
        pytest.param("America/Havana", "2026-11-01", "2026-11-01T04:00:00", id="two midnights: Havana"),
        pytest.param("Atlantic/Azores", "2026-10-25", "2026-10-25T00:00:00", id="two midnights: Azores"),
        pytest.param("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00", id="a minute of the day, then the eve"),
        pytest.param("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00", id="before the skipped day"),
        pytest.param("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00", id="skipped day: Samoa"),
        pytest.param("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00", id="after the skipped day"),
        pytest.param("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00:00", id="skipped day: Kwajalein"),
        pytest.param("America/Toronto", "1919-03-31", "1919-03-31T04:30:00", id="midnight inside a gap"),
        pytest.param("Africa/Monrovia", "1972-01-07", "1972-01-07T00:44:30", id="gap with seconds"),
        pytest.param("Europe/Kyiv", "9999-12-31", "9999-12-30T22:00:00", id="last day"),
        pytest.param("UTC", "0001-01-01", "0001-01-01T00:00:00", id="first day"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: str, instant: str) -> None:
    """A day begins when the local calendar first shows it, also without midnight, with two, or when skipped."""
    assert first_instant(date.fromisoformat(day), zone) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


def test_the_first_instant_is_plain_utc() -> None:
    """The answer is a standard datetime in UTC: nothing that loses its fold when it is pickled."""
    instant = first_instant(date(2026, 11, 1), "America/Havana")
    assert (type(instant), instant.tzinfo, instant.fold) == (datetime, UTC, 0)


@pytest.mark.parametrize("zone", ["Europe/Kyiv", "Pacific/Auckland"])
def test_a_day_that_begins_before_the_calendar_is_refused(zone: str) -> None:
    """The first day of the year 1 begins in the year before it east of Greenwich: an error that says so."""
    with pytest.raises(InvalidValueError, match=f"^0001-01-01: begins in {zone} outside") as caught:
        first_instant(date.min, zone)
    assert isinstance(caught.value, ValueError)


# The proof of first_instant. Nothing below uses the library or pendulum: it looks at a clock, minute by minute.

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_FIRST, _LAST = date(2010, 1, 1), date(2035, 12, 31)
_TICKS = [datetime(2009, 12, 25, tzinfo=UTC) + n * timedelta(hours=12) for n in range(2 * 9509)]

_Clock: TypeAlias = tuple[tuple[datetime, timedelta | None], ...]
"""The instants at which a zone changes its offset, and the offsets from there; the first is where we begin to look."""


def _offset(instant: datetime, zone: tzinfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _shown(instant: datetime, zone: tzinfo) -> date:
    return instant.astimezone(zone).date()


def _clock(zone: tzinfo) -> _Clock:
    """Look twice a day, and where the offset has changed, halve the interval down to the minute of the change."""
    changes = [(_TICKS[0], _offset(_TICKS[0], zone))]
    for tick in _TICKS[1:]:
        after = tick.astimezone(zone).utcoffset()
        if after != changes[-1][1]:
            low, high = tick - timedelta(hours=12), tick
            while high - low > _MINUTE:
                middle = low + (high - low) // (2 * _MINUTE) * _MINUTE
                low, high = (middle, high) if _offset(middle, zone) == changes[-1][1] else (low, middle)
            changes.append((high, after))
    return tuple(changes)


def _days(clock: _Clock) -> Iterator[date]:
    """Every day within two days of a change, and every 89th day."""
    near = {
        (change + offset).date() + away * _DAY
        for (_, before), (change, after) in itertools.pairwise(clock)
        for offset in (before, after)
        if offset is not None
        for away in (-2, -1, 0, 1, 2)
    }
    some = {_FIRST + n * _DAY for n in range(0, (_LAST - _FIRST).days + 1, 89)}
    return (day for day in near | some if _FIRST <= day <= _LAST)


def _search(day: date, zone: tzinfo) -> datetime:
    """The first minute at which the calendar shows the day or a later one.

    Walks in hours to five hours before the first hour that shows it, and from there in minutes: no clock is turned
    back by so much.
    """
    instant = datetime.combine(day, time(), UTC) - 40 * _HOUR
    while _shown(instant + 5 * _HOUR, zone) < day:
        instant += _HOUR
    while _shown(instant, zone) < day:
        instant += _MINUTE
    assert _shown(instant - _MINUTE, zone) < day <= _shown(instant, zone)
    return instant


@pytest.fixture(scope="module")
def searched() -> dict[_Clock, dict[date, datetime]]:
    """What was found already, by the changes of the clock: most zone names are aliases."""
    return {}


@pytest.mark.parametrize("name", _ZONES)
def test_first_instant_agrees_with_a_search_of_every_minute(
    name: str, searched: dict[_Clock, dict[date, datetime]]
) -> None:
    """In every zone, each day around a change of the clock, 2010 to 2035, begins where the minutes say."""
    zone = zoneinfo.ZoneInfo(name)
    clock = _clock(zone)
    if clock not in searched:
        searched[clock] = {day: _search(day, zone) for day in _days(clock)}
    assert {day: first_instant(day, name) for day in searched[clock]} == searched[clock]


def test_the_search_meets_the_days_it_is_made_for() -> None:
    """The days that are searched hold known oddities, so the proof is not empty."""
    havana = zoneinfo.ZoneInfo("America/Havana")
    assert date(2026, 11, 1) in set(_days(_clock(havana)))
    assert date(2011, 12, 30) in set(_days(_clock(zoneinfo.ZoneInfo("Pacific/Apia"))))
    assert _search(date(2026, 11, 1), havana) == datetime(2026, 11, 1, 4, tzinfo=UTC)


def test_every_zone_of_the_database_is_a_zone() -> None:
    """All names of the machine's zone database are zones, except those that mean something else on every host."""
    refused = {name for name in zoneinfo.available_timezones() if not is_zone(name)}
    assert refused <= _NO_ZONES
    assert len(_ZONES) > 400


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Factory",
        "localtime",
        "posixrules",
        "posix/UTC",
        "right/UTC",
        "Europe",
        "Europe/Kiew",
        "europe/kyiv",
        "utc",
        "local",
        "Europe/Kyiv\n",
        " Europe/Kyiv",
        "Europe/Kyiv/",
        "Europe//Kyiv",
        "../zoneinfo/UTC",
        "/usr/share/zoneinfo/UTC",
        "tzdata.zi",
        "+01:00",
        "UTC+1",
        "1",
        "UTC\0",
        "\uff35TC",
        "\ud800",
        "x" * 5000,
    ],
    ids=lambda name: ascii(name[:30]),
)
def test_other_names_are_no_zones(name: str) -> None:
    """What is no IANA name, exactly as it is written, is no zone."""
    assert is_zone(name) is False


@pytest.mark.parametrize(
    ("zone", "day"),
    [("America/New_York", "2026-11-23"), ("Europe/Kyiv", "2026-11-23"), ("Pacific/Auckland", "2026-11-24")],
)
def test_the_same_instant_has_several_dates(zone: str, day: str) -> None:
    """At noon in London the calendar of Auckland is a day ahead."""
    assert local_date(datetime(2026, 11, 23, 12, tzinfo=UTC), zone).isoformat() == day


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 11, 23, 12, tzinfo=UTC),
        datetime(2026, 11, 23, 14, tzinfo=zoneinfo.ZoneInfo("Europe/Kyiv")),
        datetime(2026, 11, 23, 6, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
        pendulum.DateTime(2026, 11, 23, 12, tzinfo=pendulum.UTC),
    ],
    ids=["UTC", "zone", "offset", "pendulum"],
)
def test_an_instant_is_plain_utc(value: datetime) -> None:
    """Any aware datetime becomes a standard datetime in UTC."""
    instant = as_instant(value, "now")
    assert (type(instant), instant.tzinfo, instant) == (datetime, UTC, datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def machine_on_the_marquesas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is set to a zone that is nine hours and a half behind UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Pacific/Marquesas")
        tzset()
        yield
    tzset()


@pytest.mark.usefixtures("machine_on_the_marquesas")
def test_an_instant_does_not_depend_on_the_zone_of_the_machine() -> None:
    """UTC is UTC wherever the program runs."""
    noon = datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2)))
    assert as_instant(noon, "now") == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.usefixtures("machine_on_the_marquesas")
def test_the_first_instant_does_not_depend_on_the_zone_of_the_machine() -> None:
    """A day without midnight, which is searched for, begins in its zone and not in that of the machine."""
    assert first_instant(date(2026, 9, 6), "America/Santiago") == datetime(2026, 9, 6, 4, tzinfo=UTC)


def test_an_instant_remembers_the_fold() -> None:
    """The second one o'clock of an autumn night is an hour after the first."""
    kyiv = zoneinfo.ZoneInfo("Europe/Kyiv")
    first, second = (as_instant(datetime(2026, 10, 25, 3, 30, tzinfo=kyiv, fold=fold), "now") for fold in (0, 1))
    assert second - first == _HOUR


class _Nowhere(tzinfo):
    """A zone that does not know its offset, which Python counts as none."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, _: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 11, 23, 12),  # noqa: DTZ001  # The missing zone is what is tested.
        datetime(2026, 11, 23, 12, tzinfo=_Nowhere()),
        datetime(1, 1, 1, tzinfo=timezone(_HOUR)),
        datetime(9999, 12, 31, 23, tzinfo=timezone(-_HOUR)),
        date(2026, 11, 23),
        "2026-11-23T12:00:00Z",
        1795435200,
        None,
    ],
    ids=str,
)
def test_what_is_no_instant_is_refused(value: Any) -> None:
    """A naive datetime, a date, text or a number is no instant, and the message names it."""
    with pytest.raises(InvalidValueError, match=r"^now: ") as caught:
        as_instant(value, "now")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("value", ["2026-12-01", date(2026, 12, 1), pendulum.Date(2026, 12, 1)], ids=repr)
def test_a_date_is_plain(value: date | str) -> None:
    """ISO text and any calendar date become a standard date."""
    day = parse_date(value, "x")
    assert (type(day), day) == (date, date(2026, 12, 1))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2026-1-1",
        "2026-12-1",
        "26-12-01",
        "20261201",
        "2026-W49-2",
        "2026-335",
        "2026-12",
        "2026",
        "12:30",
        "now",
        "today",
        "01.12.2026",
        "12/01/2026",
        "2026/12/01",
        "2026-12-01T00:00",
        "2026-12-01 ",
        "2026-12-01\n",
        "+2026-12-01",
        "12026-12-01",
        "2026-02-29",
        "2026-04-31",
        "2026-13-01",
        "2026-00-10",
        "2026-12-00",
        "0000-01-01",
        "\uff12026-12-01",
        "2026\u201112\u201101",
        datetime(2026, 12, 1, tzinfo=UTC),
        pendulum.DateTime(2026, 12, 1, tzinfo=pendulum.UTC),
        20261201,
        True,
        None,
        b"2026-12-01",
    ],
    ids=ascii,
)
def test_what_is_no_calendar_date_is_refused(value: Any) -> None:
    """Impossible days, other notations and instants are no dates, and the message names the place."""
    with pytest.raises(InvalidValueError, match=r"^spec\.x: ") as caught:
        parse_date(value, "spec.x")
    assert isinstance(caught.value, ValueError)


def test_an_impossible_day_is_called_so() -> None:
    """A well-formed date that no calendar has is told apart from another notation."""
    with pytest.raises(InvalidValueError, match=r'^x: "2026-02-30" is no day of the calendar'):
        parse_date("2026-02-30", "x")
    with pytest.raises(InvalidValueError, match=r'^x: "2026-2-3" is no date; write it like 2026-12-01'):
        parse_date("2026-2-3", "x")


@pytest.mark.parametrize(
    ("day", "days", "shifted"),
    [
        (date(2026, 2, 28), 1, date(2026, 3, 1)),
        (date(2028, 2, 28), 1, date(2028, 2, 29)),
        (date(2026, 1, 1), -1, date(2025, 12, 31)),
        (date(2026, 1, 1), 0, date(2026, 1, 1)),
        (date(9999, 12, 30), 1, date.max),
        (date.max, 1, None),
        (date.min, -1, None),
        (date(2026, 1, 1), 2**31 - 1, None),
    ],
)
def test_days_are_counted_on_the_calendar(day: date, days: int, shifted: date | None) -> None:
    """A shift counts whole days, and there is none beyond the end of the calendar."""
    assert shift_days(day, days) == shifted


@pytest.fixture
def zone_folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder where Python looks for the zone database; only the listing of it is read here."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path / "missing"), str(tmp_path)])
    yield tmp_path
    zoneinfo.reset_tzpath(to=before)


def test_the_version_of_the_host_database_is_known(zone_folder: Path) -> None:
    """The version stands in the first line of the listing that the host's database comes with."""
    (zone_folder / "tzdata.zi").write_text("# version 2025b\n# This zic input file is in the public domain.\n")
    assert zone_data() == "2025b"


@pytest.mark.usefixtures("zone_folder")
def test_without_a_host_database_the_wheel_is_named() -> None:
    """On a host without a zone database the installed tzdata wheel is what counts."""
    assert zone_data() == f"tzdata {importlib.metadata.version('tzdata')}"
