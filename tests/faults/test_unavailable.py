"""Storage that breaks: a clear StoreError, nothing half done, and whoever continues later finishes the work."""

import itertools
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, make_url, text

from account_batch import ApplyPolicy, Outcome, Plan, Report, apply_plan, plan_update
from account_batch.errors import StoreError
from account_batch.stores.sql import SqlStore
from databases import BACKENDS, Databases, engine
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


@pytest.fixture(params=[backend for backend in BACKENDS if backend != "sqlite"])
def server_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """The URL of a fresh database on each server."""
    with databases.fresh(request.param) as url:
        yield url


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
