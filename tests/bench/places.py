"""Databases for measuring: empty ones, and copies of one that was filled, each left with nothing to write."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, NullPool, create_engine, text

__all__ = ["at_once", "copied", "empty", "settle"]


@contextmanager
def at_once(url: URL) -> Iterator[Connection]:
    """A connection, each statement of which is kept at once."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def empty(server: URL) -> Iterator[URL]:
    """An empty database on a server, dropped in the end; for SQLite, a file in the folder of the file that is named."""
    if _is_sqlite(server):
        with tempfile.TemporaryDirectory(prefix="bench_", dir=_folder(server)) as folder:
            yield server.set(database=f"{folder}/accounts.db")
        return
    with _named(server, "CREATE DATABASE {0}") as url:
        yield url


@contextmanager
def copied(server: URL, template: URL) -> Iterator[URL]:
    """A copy of a settled database that nobody is connected to, dropped in the end."""
    if _is_sqlite(server):
        with empty(server) as url:
            shutil.copyfile(str(template.database), str(url.database))
            # What the copy leaves to be written would otherwise be written in the time that is measured.
            os.sync()
            yield url
        return
    if server.get_backend_name() == "postgresql":
        with _named(server, f"CREATE DATABASE {{0}} TEMPLATE {template.database} STRATEGY file_copy") as url:
            with at_once(url) as connection:
                connection.execute(text("CHECKPOINT"))
            yield url
        return
    with empty(server) as url:
        _copy_tables(template, url)
        settle(url)
        yield url


def settle(url: URL) -> None:
    """Have a database do now what it would do some time after it was filled."""
    with at_once(url) as connection:
        match url.get_backend_name():
            case "sqlite":
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            case "postgresql":
                connection.execute(text("VACUUM (FREEZE, ANALYZE)"))
                connection.execute(text("CHECKPOINT"))
            case _:
                tables = ", ".join(_tables(connection))
                connection.execute(text(f"ANALYZE TABLE {tables}"))
                connection.execute(text(f"FLUSH TABLES {tables} FOR EXPORT"))
                connection.execute(text("UNLOCK TABLES"))


@contextmanager
def _named(server: URL, create: str) -> Iterator[URL]:
    name = f"bench_{uuid.uuid4().hex}"
    with at_once(server) as connection:
        connection.execute(text(create.format(name)))
    try:
        yield server.set(database=name)
    finally:
        with at_once(server) as connection:
            connection.execute(text(f"DROP DATABASE {name}"))


def _copy_tables(template: URL, url: URL) -> None:
    with at_once(url) as connection:
        connection.execute(text("SET foreign_key_checks = 0, unique_checks = 0"))
        with at_once(template) as source:
            tables = _tables(source)
            definitions = [source.execute(text(f"SHOW CREATE TABLE {table}")).one()[1] for table in tables]
        for table, definition in zip(tables, definitions, strict=True):
            connection.exec_driver_sql(definition.replace("%", "%%"))
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM {template.database}.{table}"))  # noqa: S608  # The names come from the database.


def _tables(connection: Connection) -> list[str]:
    return list(connection.execute(text("SHOW TABLES")).scalars())


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _folder(url: URL) -> Path | None:
    return Path(url.database).parent if url.database else None
