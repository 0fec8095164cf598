"""Dates in columns of instants: SQL says what calendar.local_date and calendar.first_instant say."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, create_engine, delete, insert, select, update
from sqlalchemy.dialects import mysql

from account_batch.calendar import first_instant, local_date
from account_batch.errors import InvalidValueError
from account_batch.stores.sql.instants import runs_of
from account_batch.stores.sql.mapping import Field, instant_date
from account_batch.stores.sql.types import Day, Number

ZONES = [
    "America/New_York",
    "Europe/Kyiv",
    "Asia/Beirut",
    "America/Havana",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "America/St_Johns",
]
TO_MICROSECONDS = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
ALL_DAYS = [date(1970, 1, 1) + timedelta(days=day) for day in range(36_524)]


def users(*, aware: bool = False) -> Table:
    """A table of somebody who keeps instants."""
    return Table(
        "users",
        MetaData(),
        Column("key", Number(), primary_key=True),
        Column("owner", String(20)),
        Column("at", DateTime(timezone=True) if aware else TO_MICROSECONDS),
        Column("day", Day()),
    )


USERS = users()


def engine_of(url: str, table: Table) -> Engine:
    """An engine on a database that has the table, with nothing in it."""
    engine = create_engine(url)
    table.metadata.create_all(engine)
    return engine


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """A database with the table."""
    engine = engine_of(database_url, users())
    yield engine
    engine.dispose()


def naive(instant: datetime, stored_in: str = "UTC") -> datetime:
    """What a clock shows at an instant."""
    return instant.astimezone(ZoneInfo(stored_in)).replace(tzinfo=None)


def days_around_changes(zone: str) -> list[date]:
    """Days on both sides of every change of the clocks in a hundred years, and some ordinary ones."""
    clock = ZoneInfo(zone)
    ahead = [datetime.combine(day, time(), UTC).astimezone(clock).utcoffset() for day in ALL_DAYS]
    changes = [at for at in range(1, len(ALL_DAYS)) if ahead[at] != ahead[at - 1]]
    chosen = {at + by for at in changes for by in (-3, -2, -1, 0, 1)} | set(range(0, len(ALL_DAYS), 397))
    return [ALL_DAYS[at] for at in sorted(chosen) if 0 <= at < len(ALL_DAYS)]


def written(engine: Engine, table: Table, field: Field, rows: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """What the column holds for each day after it was written there, and what is read from it again."""
    assert field.write is not None
    with engine.begin() as connection:
        connection.execute(delete(table))
        connection.execute(insert(table), [{"key": key, **row} for key, row in enumerate(rows, 1)])
        connection.execute(update(table).values(dict(field.write(table.c.day))))
        query = select(table.c.at, field.read).order_by(table.c.key)
        return [(at, day) for at, day in connection.execute(query)]


def read(engine: Engine, table: Table, field: Field, rows: list[dict[str, Any]]) -> list[date]:
    """The date that is read of each instant."""
    with engine.begin() as connection:
        connection.execute(delete(table))
        connection.execute(insert(table), [{"key": key, **row} for key, row in enumerate(rows, 1)])
        return list(connection.execute(select(field.read).order_by(table.c.key)).scalars())


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_read_is_the_local_date(database: Engine, zone: str) -> None:
    """Of every instant around every change of offset in a hundred years, and of ordinary ones."""
    table = users()
    steps = [timedelta(microseconds=-1), timedelta(seconds=-1), timedelta(0), timedelta(seconds=1), timedelta(hours=1)]
    instants = [first_instant(day, zone) + step for day in days_around_changes(zone) for step in steps]
    found = read(database, table, instant_date(table.c.at, zone), [{"at": naive(instant)} for instant in instants])
    wrong = [(at, day) for at, day in zip(instants, found, strict=True) if day != local_date(at, zone)]
    assert wrong == []


@pytest.mark.parametrize("zone", ZONES)
def test_what_is_written_is_the_first_instant(database: Engine, zone: str) -> None:
    """A skipped day is written as the first instant of a later one, and any other is read as itself again."""
    table = users()
    days = days_around_changes(zone)
    found = written(database, table, instant_date(table.c.at, zone), [{"day": day} for day in days])
    assert [at for at, _ in found] == [naive(first_instant(day, zone)) for day in days]
    skipped = {day for day, (_, again) in zip(days, found, strict=True) if day != again}
    assert skipped == ({date(2011, 12, 30)} if zone == "Pacific/Apia" else set())


@pytest.mark.parametrize(
    ("zone", "stored_in"),
    [
        ("America/New_York", "America/New_York"),
        ("America/Havana", "America/Havana"),
        ("Asia/Beirut", "Europe/Kyiv"),
        ("Asia/Tokyo", "Europe/London"),
    ],
)
def test_instants_are_stored_by_the_clock_of_the_server(database: Engine, zone: str, stored_in: str) -> None:
    """Written is what the clock shows then; read is the local date, but where the clock shows a time twice."""
    table = users()
    field = instant_date(table.c.at, zone, stored_in=stored_in)
    days = days_around_changes(zone)[::3] + days_around_changes(stored_in)[::3]
    found = written(database, table, field, [{"day": day} for day in days])
    assert found == [(naive(first_instant(day, zone), stored_in), day) for day in days]
    clock = ZoneInfo(stored_in)
    steps = [timedelta(seconds=-1), timedelta(0), timedelta(hours=1), timedelta(hours=12)]
    shown = [naive(first_instant(day, zone), stored_in) + step for day in days for step in steps]
    # Times that the clock shows once.
    clear = [at for at in shown if at.replace(tzinfo=clock).utcoffset() == at.replace(tzinfo=clock, fold=1).utcoffset()]
    dates = read(database, table, field, [{"at": at} for at in clear])
    assert dates == [local_date(at.replace(tzinfo=clock), zone) for at in clear]


def test_a_time_that_the_clock_shows_twice_is_read_as_the_later_date(database: Engine) -> None:
    """Midnight of Tokyo in the repeated hour of a clock that is behind: what was written is read again."""
    table = users()
    zone, stored_in, day = "Atlantic/Azores", "Europe/London", date(2026, 10, 25)
    field = instant_date(table.c.at, zone, stored_in=stored_in)
    found = written(database, table, field, [{"day": day}])
    assert found == [(naive(first_instant(day, zone), stored_in), day)]


def test_every_customer_has_a_zone(database: Engine) -> None:
    """Customers that zones does not name have UTC."""
    table = users()
    zones = {"acme": "America/New_York", "o'neill": "Asia/Tokyo", "globex": "America/New_York"}
    field = instant_date(table.c.at, zones, customer=table.c.owner)
    at = datetime(2026, 6, 30, 20, tzinfo=UTC)
    owners = ["acme", "o'neill", "globex", "ACME", "stranger", None]
    found = read(database, table, field, [{"owner": owner, "at": naive(at)} for owner in owners])
    expected = [local_date(at, zones.get(owner or "", "UTC")) for owner in owners]
    assert found == expected
    assert len(set(found)) == 2
    again = written(database, table, field, [{"owner": owner, "day": date(2026, 7, 1)} for owner in owners])
    assert again == [
        (naive(first_instant(date(2026, 7, 1), zones.get(owner or "", "UTC"))), date(2026, 7, 1)) for owner in owners
    ]


def test_not_set_stays_not_set(database: Engine) -> None:
    """NULL is read and written as NULL; with a sentinel, the sentinel is."""
    table = users()
    plain, marked = (instant_date(table.c.at, "Europe/Kyiv", sentinel=each) for each in (None, "1999-01-01 00:00:00"))
    assert read(database, table, plain, [{"at": None}]) == [None]
    assert written(database, table, plain, [{"day": None}]) == [(None, None)]
    assert written(database, table, marked, [{"day": None}]) == [(datetime(1999, 1, 1), None)]  # noqa: DTZ001


@pytest.mark.parametrize("database_url", ["postgres-wheel", "postgres"], indirect=True)
def test_columns_with_a_zone(database_url: str) -> None:
    """An aware column of PostgreSQL is read and written by its instants, whatever the zone of the session is."""
    table = users(aware=True)
    engine = engine_of(database_url, table)
    field = instant_date(table.c.at, "Asia/Beirut")
    assert field.write is not None
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'America/New_York'")
        connection.execute(insert(table), [{"day": date(2026, 3, 29)}])
        connection.execute(update(table).values(dict(field.write(table.c.day))))
        at, day = connection.execute(select(table.c.at, field.read)).one()
    engine.dispose()
    assert (at, day) == (first_instant(date(2026, 3, 29), "Asia/Beirut"), date(2026, 3, 29))


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Engine]:
    """A database for many small questions."""
    engine = engine_of("sqlite://", users())
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def fields() -> dict[str, Field]:
    """The field of each zone."""
    return {zone: instant_date(USERS.c.at, zone) for zone in ZONES}


@given(
    zone=st.sampled_from(ZONES),
    instant=st.datetimes(datetime(1970, 1, 2), datetime(2069, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_any_instant(in_memory: Engine, fields: dict[str, Field], zone: str, instant: datetime) -> None:
    """The local date of any instant, and the first instant of it."""
    field = fields[zone]
    (day,) = read(in_memory, USERS, field, [{"at": naive(instant)}])
    assert day == local_date(instant, zone)
    assert written(in_memory, USERS, field, [{"day": day}]) == [(naive(first_instant(day, zone)), day)]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-08 05:00:00",
        "2026-03-08T05:00:00Z",
        "2026-03-08 05:00",
        "2026-03-08 05:00:00.000",
        "2026-03-08 05:00:00+00:00",
    ],
)
def test_sqlite_reads_every_way_to_write_an_instant(in_memory: Engine, text: str) -> None:
    """Midnight in New York on the day on which the clocks change."""
    table = users()
    with in_memory.begin() as connection:
        connection.execute(delete(table))
        connection.exec_driver_sql("INSERT INTO users (at) VALUES (?)", (text,))
        found = connection.execute(select(instant_date(table.c.at, "America/New_York").read)).scalar_one()
    assert found == date(2026, 3, 8)


def test_far_days_have_the_offset_of_the_nearest_year(in_memory: Engine) -> None:
    """Before 1970 and after 2069 the clocks stand still."""
    table = users()
    field = instant_date(table.c.at, "America/New_York")
    days = [date(1950, 7, 1), date(2100, 7, 1)]
    found = written(in_memory, table, field, [{"day": day} for day in days])
    assert [day for _, day in found] == days
    assert {at.hour for at, _ in found} == {5}


def test_the_sql_is_not_deep() -> None:
    """A zone with hundreds of runs is searched in blocks, and finding the runs takes no time to speak of."""
    started = process_time()
    assert len(runs_of("America/New_York", "UTC")) > 190
    assert process_time() - started < 1
    table = users()
    written_sql = str(select(instant_date(table.c.at, "America/New_York").read))
    depth = deepest = 0
    for word in written_sql.split():
        depth += {"CASE": 1, "END": -1}.get(word.strip("(),"), 0)
        deepest = max(deepest, depth)
    assert 2 <= deepest <= 4


def test_what_cannot_be_an_instant_is_refused() -> None:
    """Unknown zones, columns of other types, customers that are missing."""
    table = users()
    with pytest.raises(InvalidValueError, match="instant_date: 'Kyiv' is no IANA zone"):
        instant_date(table.c.at, "Kyiv")
    with pytest.raises(InvalidValueError, match="instant_date: 'here' is no IANA zone"):
        instant_date(table.c.at, "Europe/Kyiv", stored_in="here")
    with pytest.raises(InvalidValueError, match="instant_date: the column owner is"):
        instant_date(table.c.owner, "Europe/Kyiv")
    with pytest.raises(InvalidValueError, match="instant_date: zones of customers need customer="):
        instant_date(table.c.at, {"acme": "Europe/Kyiv"})
    with pytest.raises(InvalidValueError, match='instant_date: "never" is no date'):
        instant_date(table.c.at, "Europe/Kyiv", sentinel="never")
