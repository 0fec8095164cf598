"""Database: an engine, its transactions, and what its errors mean."""

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from account_batch.errors import AccountBatchError, ChangeRejectedError, StoreError, StoreLayoutError

__all__ = ["Database", "savepoint"]

_Result = TypeVar("_Result")

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

# A transaction that lost against another one is run again so many times.
_ATTEMPTS: Final = 12

# SQLSTATE classes of PostgreSQL that do not speak about the data of a statement.
# What is none of these classes, such as a state of a trigger's own, rejects the account as well.
_UNAVAILABLE_STATES = tuple("00 01 02 03 08 0A 25 26 28 2D 34 3B 3D 3F 40 42 53 54 55 57 58 F0 HV XX".split())
_AGAIN_STATES = frozenset({"40001", "40P01", "55P03"})
# The same for the error numbers of MariaDB: null, duplicate, foreign key, out of range, wrong or too long value,
# check constraint, SIGNAL of a trigger.
_REJECTED_NUMBERS = frozenset(
    {1048, 1062, 1264, 1265, 1292, 1366, 1369, 1406, 1411, 1451, 1452, 1526, 1586, 1644, 1690, 4025}
)
# Triggers may signal numbers of their own.
_FIRST_OF_USERS = 5000
_FOUND_ROWS = 2
_AGAIN_NUMBERS = frozenset({1020, 1205, 1213})
_NO_TABLE_NUMBERS = frozenset({1146})
_SQLITE_REJECTED = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})
_SQLITE_SAYS = {
    sqlite3.SQLITE_BUSY: "another program holds the lock of the file; try again when it is done",
    sqlite3.SQLITE_LOCKED: "another program holds the lock of the file; try again when it is done",
    sqlite3.SQLITE_FULL: "the disk is full; make room and continue",
    sqlite3.SQLITE_READONLY: "the file is read-only; give the program the right to write",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; its folder has to be there and writable",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_IOERR: "the disk does not answer as it should",
}


class _AgainError(StoreError):
    """Another transaction was in the way; the same one may succeed now."""


class Database:
    """Where the tables are.

    Args:
        url_or_engine: SQLAlchemy's; a URL without a driver gets psycopg or pymysql.

    Raises:
        StoreError: The URL cannot be understood, or names a database that is not supported.
    """

    def __init__(self, url_or_engine: str | Engine) -> None:
        self._own = not isinstance(url_or_engine, Engine)
        self.engine = url_or_engine if isinstance(url_or_engine, Engine) else _engine(url_or_engine)
        self.dialect = _supported(self.engine.dialect.name)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that writes nothing."""
        with self._connection() as connection:
            if self.dialect == "sqlite" and not _in_transaction(connection):
                connection.exec_driver_sql("BEGIN")
            yield connection

    def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Run work in a transaction, from the start again where another transaction was in the way.

        Raises:
            ChangeRejectedError: The database rejects a value; nothing was kept.
            StoreError: The database is not available; nothing was kept.
        """
        for _ in range(_ATTEMPTS):
            try:
                with self.writing() as connection:
                    return work(connection)
            except _AgainError as error:
                lost = error
        raise StoreError(f"{lost}; tried {_ATTEMPTS} times") from lost

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; it is kept if it ends well."""
        with self._connection() as connection:
            if self.dialect == "sqlite":
                _end_transaction(connection)
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            if self.dialect == "sqlite":
                connection.exec_driver_sql("COMMIT")
            else:
                connection.commit()

    def prepare_file(self) -> None:
        """Let a SQLite file be read while it is written."""
        if self.dialect == "sqlite":
            with self._connection() as connection:
                _end_transaction(connection)
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def check(self, tables: Collection[tuple[str | None, str]], there: Collection[tuple[str | None, str]]) -> None:
        """Refuse what would lose or mix up values: tables without transactions, servers and files that are not exact.

        Args:
            tables: Schema and name of each; no schema is that of the connection.
            there: Those of them that have to be there.

        Raises:
            StoreError: It names them.
        """
        with self._connection() as connection:
            for schema, name in sorted(there, key=str):
                if not inspect(connection).has_table(name, schema=schema):
                    raise StoreLayoutError(f"the database has no table {name}, which the mapping names")
            if self.dialect == "sqlite" and connection.exec_driver_sql("PRAGMA encoding").scalar() != "UTF-8":
                raise StoreLayoutError("the database: its texts are in UTF-16 and sort otherwise; use a file in UTF-8")
            if self.dialect == "mysql":
                _check_mariadb(connection, tables)

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A transaction that writes, while no other program makes the same tables."""
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('account_batch'))")
            if self.dialect == "mysql":
                connection.exec_driver_sql("SELECT GET_LOCK('account_batch', 60)")
            yield connection
            if self.dialect == "mysql":
                connection.commit()
                connection.exec_driver_sql("SELECT RELEASE_LOCK('account_batch')")

    def close(self) -> None:
        """Give the connections of an engine of our own back."""
        if self._own:
            self.engine.dispose()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        # Every statement sees what was committed before it began, on each database alike: rows are locked first, and
        # what is read after that holds. SQLite has one writer at a time, and says itself when transactions begin.
        level = "AUTOCOMMIT" if self.dialect == "sqlite" else "READ COMMITTED"
        try:
            with self.engine.connect() as connection:
                connection.execution_options(isolation_level=level)
                connection.begin()
                try:
                    yield connection
                except BaseException:
                    _roll_back(connection, self.dialect)
                    raise
                if self.dialect == "sqlite":
                    _end_transaction(connection)
        except DBAPIError as error:
            raise self._translated(error) from error
        except SQLAlchemyError as error:
            raise StoreError(f"the database: {error}") from error
        except self.engine.dialect.loaded_dbapi.Error as error:
            # SQLAlchemy lets through what the driver says of a connection that the server closed meanwhile.
            raise StoreError(f"the database: {error}") from error
        except OverflowError as error:
            raise ChangeRejectedError(f"the database cannot hold a number: {error}") from error

    def _translated(self, error: DBAPIError) -> AccountBatchError:
        """What an error of the driver means."""
        cause = error.orig
        said = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        if self.dialect == "sqlite":
            code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if "no such table" in said:
                return _without_tables(said)
            if code in _SQLITE_REJECTED:
                return ChangeRejectedError(f"the database rejects a value: {said}")
            kind = StoreLayoutError if code == sqlite3.SQLITE_NOTADB else StoreError
            return kind(
                f"the database: {said}: {_SQLITE_SAYS[code]}" if code in _SQLITE_SAYS else f"the database: {said}"
            )
        if self.dialect == "postgresql":
            state = getattr(cause, "sqlstate", None) or ""
            rejected = bool(state) and not state.startswith(_UNAVAILABLE_STATES)
            again = state in _AGAIN_STATES
            missing = state in {"42P01", "3F000"}
        else:
            number = cause.args[0] if cause is not None and cause.args else 0
            said = str(cause.args[1]) if cause is not None and len(cause.args) > 1 else said
            rejected, again, missing = (
                number in numbers for numbers in (_REJECTED_NUMBERS, _AGAIN_NUMBERS, _NO_TABLE_NUMBERS)
            )
            rejected = rejected or number >= _FIRST_OF_USERS
        if missing:
            return _without_tables(said)
        if again:
            return _AgainError(f"the database: another transaction was in the way: {said}")
        return (
            ChangeRejectedError(f"the database rejects a value: {said}")
            if rejected
            else StoreError(f"the database: {said}")
        )


def _supported(name: str) -> str:
    """The dialect, one name for MariaDB and MySQL."""
    if name not in {"sqlite", "postgresql", "mysql", "mariadb"}:
        raise StoreError(f"{name}: not supported; use SQLite, PostgreSQL or MariaDB")
    return "mysql" if name == "mariadb" else name


def _check_mariadb(connection: Connection, tables: Collection[tuple[str | None, str]]) -> None:
    mode = str(connection.exec_driver_sql("SELECT @@sql_mode").scalar())
    if "STRICT_TRANS_TABLES" not in mode and "STRICT_ALL_TABLES" not in mode:
        raise StoreLayoutError(
            "the database: sql_mode has no STRICT_TRANS_TABLES, and would cut values silently; add it"
        )
    if not getattr(connection.connection.driver_connection, "client_flag", _FOUND_ROWS) & _FOUND_ROWS:
        raise StoreLayoutError("the database: its connections count changed rows only; make the engine with FOUND_ROWS")
    query = text(
        "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = coalesce(:schema, DATABASE()) "
        "AND table_name = :name AND engine <> 'InnoDB'"
    )
    for schema, name in tables:
        for found, engine in connection.execute(query, {"schema": schema, "name": name}):
            raise StoreLayoutError(f"the table {found} is {engine}, which has no transactions; make it InnoDB")


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        driver = _DRIVERS.get(parsed.drivername)
        parsed = parsed.set(drivername=driver) if driver else parsed
        _supported(parsed.get_backend_name())
        # A connection that the server closed meanwhile is made anew.
        engine = create_engine(parsed, pool_pre_ping=not parsed.drivername.startswith("sqlite"))
    except ImportError as error:
        extra = "postgres" if url.startswith("postgres") else "mariadb"
        raise StoreError(f"the store's URL needs {error.name}; install account-batch[{extra}]") from None
    except (ArgumentError, NoSuchModuleError, TypeError, ValueError) as error:
        raise StoreError(
            "the store's URL cannot be understood; write it like sqlite:///accounts.db or postgresql://host/name "
            f"({type(error).__name__})"
        ) from None
    if engine.dialect.name == "sqlite" and engine.url.database:
        _watch(engine, Path(engine.url.database))
    return engine


def _watch(engine: Engine, file: Path) -> None:
    """Open a SQLite file anew that was taken away: a connection would go on writing what nobody finds any more."""

    def identity() -> tuple[int, int] | None:
        try:
            status = file.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def remember(_: object, record: ConnectionPoolEntry) -> None:
        record.info["file"] = identity()

    def look(_: object, record: ConnectionPoolEntry, __: object) -> None:
        if record.info["file"] != identity():
            raise DisconnectionError

    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", look)


def _without_tables(said: str) -> StoreLayoutError:
    return StoreLayoutError(f"the database has not all the tables: {said}; make them with SqlStore(...).create()")


def _in_transaction(connection: Connection) -> bool:
    raw = connection.connection.driver_connection
    return isinstance(raw, sqlite3.Connection) and raw.in_transaction


def _end_transaction(connection: Connection) -> None:
    """End what SQLite has begun: an engine of the user's may begin by itself, but not with the lock of the file."""
    if _in_transaction(connection):
        connection.exec_driver_sql("ROLLBACK")


def _roll_back(connection: Connection, dialect: str) -> None:
    """Undo what is open; where the connection is gone there is nothing to undo."""
    try:
        if dialect != "sqlite":
            connection.rollback()
        else:
            _end_transaction(connection)
    except DBAPIError:
        connection.invalidate()


@contextmanager
def savepoint(connection: Connection) -> Iterator[Callable[[], None]]:
    """A place in the transaction to come back to; yields what goes back."""
    connection.execute(text("SAVEPOINT account_batch"))
    yield lambda: connection.execute(text("ROLLBACK TO SAVEPOINT account_batch")).close()
    connection.execute(text("RELEASE SAVEPOINT account_batch"))
