"""Storage that breaks: a clear StoreError, nothing half done, and whoever continues later finishes the work."""

import itertools
import shutil
import sqlite3
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event, inspect, make_url, text

from account_batch import Account, AccountFilter, ApplyPolicy, Outcome, Plan, Report, apply_plan, plan_update
from account_batch.errors import StoreError, StoreLayoutError
from account_batch.stores.sql import SqlStore
from databases import Databases, engine
from faults.crowd import BATCH, campaign, check_campaigns, crowd
from world import CATALOG, NOW, account

_SIZE = 40
_POLICY = ApplyPolicy(chunk_size=10)
_OTHERS = {
    "postgresql": (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "SELECT pg_terminate_backend(:other, 10000)",
    ),
    "mysql": (
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        "KILL :other",
    ),
    "mariadb": (
        "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        "KILL :other",
    ),
}


def _fill(url: str | Engine) -> SqlStore:
    store = SqlStore(url)
    store.create()
    store.add(crowd(_SIZE))
    return store


def _plan(store: SqlStore, turn: int = 1) -> Plan:
    return plan_update(store, BATCH, campaign(turn), catalog=CATALOG, now=NOW)


def _apply(plan: Plan, store: SqlStore, **arguments: Any) -> Report:
    return apply_plan(plan, store, now=NOW, policy=_POLICY, **arguments)


def _finish(plan: Plan, store: SqlStore) -> None:
    """Continue where the storage works again; every account must have been changed and charged once in all."""
    assert _apply(plan, store).counts[Outcome.APPLIED] == _SIZE
    check_campaigns(store, [plan.id], _SIZE)


# Servers.


def _cut(url: str) -> None:
    """Close the connections of all others from the server's side."""
    find, close = _OTHERS[make_url(url).get_backend_name()]
    with engine(url) as own, own.connect() as connection:
        for other in connection.execute(text(find)).scalars().all():
            connection.execute(text(close), {"other": other})


def test_a_connection_that_is_closed_between_chunks(server_url: str) -> None:
    """After the server closed the connection an error says so, or nothing is noticed; continuing finishes the plan."""
    with closing(_fill(server_url)) as store:
        plan = _plan(store)
        turns = itertools.count()

        def cut_once() -> bool:
            if next(turns) == 2:
                _cut(server_url)
            return False

        try:
            _apply(plan, store, should_stop=cut_once)
        except StoreError as error:
            assert "database" in str(error)  # noqa: PT017  # Either is right.
        _finish(plan, store)


class _Breaking:
    """Closes the connection of a store in front of the n-th statement or commit from now.

    Args:
        engine: The store's own.
        url: For another connection, that closes it.
    """

    def __init__(self, engine: Engine, url: str) -> None:
        self._url = url
        self._left: int | None = None
        event.listen(engine, "before_cursor_execute", self._count)
        event.listen(engine, "commit", self._count)

    def at(self, number: int) -> None:
        """Close in front of so many from now; 0 is the next."""
        self._left = number

    def stop(self) -> bool:
        """Close no more; whether it came so far."""
        happened, self._left = self._left is None, None
        return happened

    def _count(self, *_: object) -> None:
        if self._left == 0:
            self._left = None
            _cut(self._url)
        elif self._left is not None:
            self._left -= 1


@contextmanager
def _breaking(url: str) -> Iterator[tuple[SqlStore, _Breaking]]:
    made = create_engine(url)
    try:
        yield _fill(made), _Breaking(made, url)
    finally:
        made.dispose()


def test_a_connection_that_breaks_anywhere_in_apply(server_url: str) -> None:
    """In front of whatever statement or commit the connection breaks, an error says so, and continuing finishes."""
    with _breaking(server_url) as (store, breaking):
        done: list[str] = []
        broke = True
        while broke:
            plan = _plan(store, len(done) + 1)
            breaking.at(3 * len(done))
            try:
                _apply(plan, store)
            except StoreError as error:
                assert "database" in str(error)  # noqa: PT017  # The last time, nothing breaks.
            broke = breaking.stop()
            assert _apply(plan, store).counts[Outcome.APPLIED] == _SIZE
            done.append(plan.id)
            check_campaigns(store, done, _SIZE)
        assert len(done) > 5


def test_a_connection_that_breaks_anywhere_in_planning(server_url: str) -> None:
    """In front of whatever statement the connection breaks, no plan is made, and planning again makes one."""
    with _breaking(server_url) as (store, breaking):
        errors = made = 0
        broke = True
        while broke:
            breaking.at(errors)
            try:
                _plan(store)
            except StoreError as error:
                assert "database" in str(error)  # noqa: PT017  # The last time, nothing breaks.
                errors += 1
            else:
                made += 1
            broke = breaking.stop()
        assert errors > 5
        assert len(list(store.plans())) == made == 1


def test_a_connection_of_ones_own_engine_that_is_closed(server_url: str) -> None:
    """An engine that does not look whether its connections live gives one error, and then works again."""
    with engine(server_url) as made:
        store = _fill(made)
        _cut(server_url)
        with pytest.raises(StoreError, match="database"):
            list(store.find(BATCH))
        _finish(_plan(store), store)


def test_a_connection_that_is_closed_while_the_caller_fails(server_url: str) -> None:
    """The error is the caller's own, and nothing is kept."""

    def broken() -> Iterator[Account]:
        yield from (account(id=f"n{number}", control_number=number) for number in range(1, 1002))
        _cut(server_url)
        raise EOFError

    with closing(_fill(server_url)) as store:
        with pytest.raises(EOFError):
            store.add(broken())
        assert len(store.find(BATCH)) == _SIZE


_NO_WAITING = {
    "postgresql": {"options": "-c lock_timeout=1ms"},
    "mariadb": {"init_command": "SET innodb_lock_wait_timeout = 0"},
}


def test_a_lock_that_is_never_released(server_url: str) -> None:
    """After some attempts the error says so; when the other program is done, the same works."""
    waits = _NO_WAITING[make_url(server_url).get_backend_name()]
    made = create_engine(server_url, connect_args=waits)
    store = _fill(made)
    (first,) = store.find(AccountFilter(control_numbers="1"))
    with engine(server_url) as other:
        with other.begin() as connection:
            connection.execute(text("UPDATE accounts SET registered = NOT registered WHERE control_number = 1"))
            with pytest.raises(StoreError, match=r"another transaction was in the way: .*; tried 12 times"):
                store.put(attrs.evolve(first, site="hq"))
        store.put(attrs.evolve(first, site="hq"))
    assert list(store.find(AccountFilter(control_numbers="1"))) == [attrs.evolve(first, site="hq")]
    made.dispose()


def test_a_database_without_our_tables(server_url: str) -> None:
    """Whatever is asked of it, the error says how to make them."""
    with closing(SqlStore(server_url)) as store:
        for ask in (lambda: list(store.find(BATCH)), lambda: store.add(crowd(1)), lambda: _plan(store)):
            with pytest.raises(StoreLayoutError, match=r"has not all the tables: .*; make them with .*create\(\)"):
                ask()


@pytest.mark.parametrize(
    ("connects", "says"),
    [
        ({"init_command": "SET sql_mode = ''"}, "sql_mode has no STRICT_TRANS_TABLES"),
        ({"client_flag": 0}, "count changed rows only; make the engine with FOUND_ROWS"),
    ],
    ids=["values are cut", "equal rows are not counted"],
)
def test_a_mariadb_that_would_mislead(databases: Databases, connects: dict[str, Any], says: str) -> None:
    """A server or connection that loses what matters is refused before anything is made."""
    with databases.fresh("mariadb") as url:
        made = create_engine(url, connect_args=connects)
        with pytest.raises(StoreLayoutError, match=says):
            SqlStore(made).create()
        assert inspect(made).get_table_names() == []
        made.dispose()


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [("postgresql://host/name", "psycopg", "postgres"), ("mariadb://host/name", "pymysql", "mariadb")],
)
def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, url: str, driver: str, extra: str) -> None:
    """The error says what to install, and nothing of the URL, which may hold a password."""
    monkeypatch.setitem(sys.modules, driver, None)  # As Python does for a module that must not be imported.
    with pytest.raises(StoreError, match=rf"^the store's URL needs {driver}; install account-batch\[{extra}\]$"):
        SqlStore(url)


@pytest.mark.parametrize("url", ["postgresql+psycopg://postgres@127.0.0.1:1/x", "mariadb+pymysql://root@127.0.0.1:1/x"])
def test_a_server_that_does_not_answer(url: str) -> None:
    """Where no server listens, the error says that it is the database."""
    with closing(SqlStore(url)) as store, pytest.raises(StoreError, match="database"):
        list(store.find(BATCH))


# SQLite files.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database may be."""
    return tmp_path / "accounts.db"


def test_an_engine_that_begins_by_itself(file: Path) -> None:
    """As SQLAlchemy's manual has it; a transaction of ours still begins with the lock of the file."""
    made = create_engine(f"sqlite:///{file}")
    begun: list[str] = []

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    @event.listens_for(made, "before_cursor_execute")
    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        begun.append(statement)

    store = _fill(made)
    _finish(_plan(store), store)
    writes = [at for at, statement in enumerate(begun) if statement.startswith(("INSERT", "UPDATE", "DELETE"))]
    for at in writes:
        last = next(statement for statement in reversed(begun[:at]) if statement.startswith("BEGIN"))
        assert last == "BEGIN IMMEDIATE"
    made.dispose()


def test_an_engine_without_a_connection_to_spare(file: Path) -> None:
    """Where all connections of the caller's pool are in use, the error is one of the store."""
    made = create_engine(f"sqlite:///{file}", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0)
    store = _fill(made)
    with made.connect(), pytest.raises(StoreError, match=r"the database: .*Pool limit of size 1"):
        store.put(account())
    _finish(_plan(store), store)
    made.dispose()


def test_a_file_in_utf_16(file: Path) -> None:
    """Its texts sort in another order than those of Python, and it is refused."""
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA encoding = 'UTF-16'")
        other.execute("CREATE TABLE theirs (x)")
    with closing(SqlStore(f"sqlite:///{file}")) as store, pytest.raises(StoreLayoutError, match="UTF-16"):
        store.create()


def _limited(file: Path) -> tuple[Engine, Callable[[int | None], None]]:
    """An engine on a file that may not grow beyond so many pages more than it has, and what sets the limit."""
    pages = [10**9]
    made = create_engine(f"sqlite:///{file}", poolclass=NullPool)

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    event.listen(made, "connect", limit)

    def set_limit(more: int | None) -> None:
        with made.connect() as connection:
            now = connection.execute(text("PRAGMA page_count")).scalar_one()
        pages[0] = 10**9 if more is None else now + more

    return made, set_limit


def test_a_disk_that_is_full(file: Path) -> None:
    """However little room there is, an error says that the disk is full; with room again, continuing finishes."""
    made, limit = _limited(file)
    store = _fill(made)
    done: list[str] = []
    errors = 0
    for more in range(12):
        plan = _plan(store, len(done) + 1)
        limit(more)
        try:
            _apply(plan, store)
        except StoreError as error:
            assert "full" in str(error)  # noqa: PT017  # The last ones have room enough.
            errors += 1
        limit(None)
        assert _apply(plan, store).counts[Outcome.APPLIED] == _SIZE
        done.append(plan.id)
        check_campaigns(store, done, _SIZE)
    assert errors > 1


def test_a_disk_that_is_full_keeps_no_plan(file: Path) -> None:
    """Planning on a full disk is an error that says so, and leaves no part of a plan."""
    made, limit = _limited(file)
    store = _fill(made)
    limit(0)
    with pytest.raises(StoreError, match="full"):
        deque((_plan(store) for _ in range(50)), maxlen=0)
    limit(None)
    for summary in store.plans():
        assert len(list(store.load(summary.id).changes)) == _SIZE
    _finish(_plan(store), store)


def _damage(place: Path, kept: Path) -> None:
    shutil.copytree(place, kept)
    for file in place.iterdir():
        file.write_bytes(b"no database" * 10_000)


def _remove(place: Path, kept: Path) -> None:
    shutil.copytree(place, kept)
    for file in place.iterdir():
        file.unlink()


def _take_away(place: Path, kept: Path) -> None:
    place.rename(kept)


def _replace(place: Path, kept: Path) -> None:
    place.rename(kept)
    place.mkdir()
    _fill(f"sqlite:///{place}/accounts.db").close()


@pytest.mark.parametrize("happens", [_damage, _remove, _take_away, _replace])
def test_a_file_that_is_taken_away(tmp_path: Path, happens: Callable[[Path, Path], None]) -> None:
    """If the file goes, or becomes another one, between two chunks, an error says so; once back, continuing works."""
    place, kept = tmp_path / "place", tmp_path / "kept"
    place.mkdir()
    with closing(_fill(f"sqlite:///{place}/accounts.db")) as store:
        plan = _plan(store)
        with pytest.raises(StoreError):
            _apply(plan, store, on_progress=lambda done, _: happens(place, kept) if done == 20 else None)
    shutil.rmtree(place, ignore_errors=True)
    kept.rename(place)
    with closing(SqlStore(f"sqlite:///{place}/accounts.db")) as store:
        _finish(store.load(plan.id), store)


def test_a_file_that_is_read_only(file: Path) -> None:
    """Whoever may only read can look at a plan; applying says that the file is read-only, and touches nothing."""
    with closing(_fill(f"sqlite:///{file}")) as store:
        plan = _plan(store)
        before = file.read_bytes()
        with closing(SqlStore(f"sqlite:///file:{file}?mode=ro&uri=true")) as reader:
            assert list(reader.load(plan.id).changes) == list(plan.changes)
            for change in (
                lambda: _apply(plan, reader),
                lambda: _plan(reader),
                lambda: reader.add([account(id="new")]),
            ):
                with pytest.raises(StoreError, match="read-only"):
                    change()
        assert file.read_bytes() == before
        _finish(plan, store)


def test_a_file_that_is_locked(file: Path) -> None:
    """While another program holds the lock an error says so; when it is done, continuing finishes."""
    with closing(_fill(f"sqlite:///{file}?timeout=0.05")) as store:
        plan = _plan(store)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for change in (lambda: _apply(plan, store), lambda: _plan(store), lambda: store.put(account())):
                with pytest.raises(StoreError, match="lock"):
                    change()
        _finish(plan, store)


def test_a_lock_that_is_released_in_time_is_waited_for(file: Path) -> None:
    """A program that holds the lock for a moment between two chunks delays the work, and breaks nothing."""
    with closing(_fill(f"sqlite:///{file}")) as store:
        plan = _plan(store)

        def write(_done: int, _total: int) -> None:
            with closing(sqlite3.connect(file)) as other, other:
                other.execute("UPDATE accounts SET registered = 1 - registered")

        assert _apply(plan, store, on_progress=write).counts[Outcome.APPLIED] == _SIZE
        check_campaigns(store, [plan.id], _SIZE)


@pytest.mark.parametrize(
    ("content", "says"), [(b"no database" * 1000, "no SQLite database"), (b"", r"create\(\)")], ids=["garbage", "empty"]
)
def test_a_file_that_is_no_store(file: Path, content: bytes, says: str) -> None:
    """A file that is no database, or has no tables yet, is an error that says what to do."""
    file.write_bytes(content)
    with closing(SqlStore(f"sqlite:///{file}")) as store:
        for ask in (lambda: list(store.find(BATCH)), lambda: store.add(crowd(1)), lambda: _plan(store)):
            with pytest.raises(StoreError, match=says):
                ask()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Where the file cannot even be opened, the error says so."""
    with (
        closing(SqlStore(f"sqlite:///{tmp_path}/nowhere/accounts.db")) as store,
        pytest.raises(StoreError, match="cannot be opened"),
    ):
        store.create()
