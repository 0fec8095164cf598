"""Calendar dates and the instants at which they begin."""

import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pendulum

from account_batch.errors import InvalidValueError

__all__ = ["as_instant", "first_instant", "is_zone", "local_date", "parse_date", "shift_days", "zone_data"]

_HOST_NAMES = frozenset({"Factory", "localtime", "posixrules"})
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_zone(name: str) -> bool:
    """Whether this is an IANA zone name that the machine knows.

    Names that mean something else on every host (localtime) or count leap seconds (right/...) are none.
    """
    if not name.isascii() or name in _HOST_NAMES or name.startswith(("posix/", "right/")):
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def first_instant(day: date, zone: str) -> datetime:
    """The instant, in UTC, from which the calendar of a zone shows a day or, where it is skipped, a later one.

    Zones have days without midnight, days with two, and days that never happened (DESIGN.md rule 6).

    Args:
        day: The calendar date.
        zone: IANA name.

    Raises:
        InvalidValueError: The instant lies outside the years 1 to 9999.
    """
    tz = pendulum.timezone(zone)
    midnight = datetime.combine(day, time())
    # Seconds from midnight of UTC to midnight in the zone. Where local midnight exists once, or twice, fold 0 is the
    # only, or the first, of its instants. Where the clock jumps over midnight, fold 0 counts with the offset before
    # the jump and so lies behind it, fold 1 with the offset after and lies before it: the jump is what we search.
    shows, hides = (-_offset_seconds(midnight.replace(tzinfo=tz, fold=fold)) for fold in (0, 1))
    try:
        while shows - hides > 1:
            middle = (shows + hides) // 2
            wall = (midnight.replace(tzinfo=UTC) + timedelta(seconds=middle)).astimezone(tz)
            if wall.replace(tzinfo=None) >= midnight:
                shows = middle
            else:
                hides = middle
        return midnight.replace(tzinfo=UTC) + timedelta(seconds=shows)
    except OverflowError:
        raise InvalidValueError(f"{day}: begins in {zone} outside the years 1 to 9999") from None


def _offset_seconds(local: datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None  # A zone always has an offset; only the type of utcoffset leaves it open.
    return int(offset.total_seconds())


def local_date(instant: datetime, zone: str) -> date:
    """The date that the calendar of a zone shows at an aware instant."""
    return instant.astimezone(pendulum.timezone(zone)).date()


def as_instant(value: datetime, name: str) -> datetime:
    """An aware instant in UTC.

    Raises:
        InvalidValueError: The value is no datetime, or has no zone; the message names it.
    """
    if not isinstance(value, datetime):
        raise InvalidValueError(f"{name}: {value!r} is no datetime")
    if value.utcoffset() is None:
        raise InvalidValueError(f"{name}: {value!r} has no time zone; pass for example datetime.now(UTC)")
    if not date.min.year < value.year < date.max.year:
        raise InvalidValueError(f"{name}: {value!r} lies outside the years 2 to 9998, and some zone cannot show it")
    utc = value.astimezone(UTC)
    return datetime.combine(utc.date(), utc.time(), UTC)


def parse_date(value: date | str, name: str) -> date:
    """A calendar date, from ISO text such as "2026-12-01" or from a date that is not a datetime.

    Raises:
        InvalidValueError: Anything else, and days that no calendar has; the message names the place.
    """
    if isinstance(value, str):
        if not _ISO_DATE.fullmatch(value):
            raise InvalidValueError(f'{name}: "{value}" is no date; write it like 2026-12-01')
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise InvalidValueError(f'{name}: "{value}" is no day of the calendar ({error})') from None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise InvalidValueError(f"{name}: {value!r} is no calendar date; pass datetime.date or text like 2026-12-01")
    return date(value.year, value.month, value.day)


def shift_days(day: date, days: int) -> date | None:
    """The date so many days later (earlier, if negative), or None where the calendar ends before it."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def zone_data() -> str:
    """The version of the zone database in use; hosts differ, so plans record it."""
    from importlib.metadata import version  # noqa: PLC0415  # Costs as much as a fifth of importing the library.

    for folder in zoneinfo.TZPATH:
        listing = Path(folder) / "tzdata.zi"
        if listing.is_file():
            with listing.open(encoding="utf-8") as lines:
                return lines.readline().removeprefix("# version ").strip()
    return f"tzdata {version('tzdata')}"
