"""Files that are read and written; whatever is wrong with one is an error that names it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from account_batch.account import Account
from account_batch.catalog import Catalog
from account_batch.cli.usage import UnfinishedError, UsageError
from account_batch.codec.accounts import read_accounts
from account_batch.codec.catalog import parse_catalog
from account_batch.codec.request import parse_request
from account_batch.errors import AccountBatchError, FormatError
from account_batch.filters import AccountFilter
from account_batch.plan import Plan
from account_batch.spec import UpdateSpec

__all__ = ["accounts_of", "output_to", "read_catalog", "read_plan", "read_request", "written"]


@contextmanager
def _in_file(path: Path) -> Iterator[None]:
    """Say which file is meant by what goes wrong."""
    try:
        yield
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: no UTF-8 text: {error.reason} at byte {error.start}") from None
    except AccountBatchError as error:
        raise type(error)(f"{path}: {error}") from None


def read_request(path: Path) -> tuple[AccountFilter, UpdateSpec]:
    """The filter and spec of a request file: TOML, or JSON if it is called *.json."""
    with _in_file(path):
        return parse_request(path.read_text(encoding="utf-8-sig"), toml=path.suffix != ".json")


def read_catalog(path: Path) -> Catalog:
    """The catalog of a TOML file."""
    with _in_file(path):
        return parse_catalog(path.read_text(encoding="utf-8-sig"))


def read_plan(path: Path) -> Plan:
    """The plan of a plan file."""
    with _in_file(path):
        return Plan.from_json(path.read_text(encoding="utf-8-sig"))


def accounts_of(path: Path, on_progress: Callable[[int, int], object] | None = None) -> Iterator[Account]:
    """Yield the accounts of a CSV file.

    Args:
        path: Of the file.
        on_progress: Called now and then with the number of accounts that were read, and how many there seem to be.
    """
    with _in_file(path), path.open("rb") as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
        size = path.stat().st_size if path.is_file() else 0
        for number, account in enumerate(read_accounts(lines), 1):
            yield account
            if size and on_progress and not number % 1_000:
                on_progress(number, number * size // file.tell())


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A file to write to, which takes its name when it is complete; until then an older one stays.

    Raises:
        UsageError: It cannot be made there.
        UnfinishedError: It cannot be completed.
    """
    special = path.exists() and not path.is_file()
    part = path if special else path.with_name(f"{path.name}.part")
    try:
        file = part.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with file:
            yield file
        if not special:
            part.replace(path)
    except BaseException as error:
        if not special:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UnfinishedError(f"{path}: cannot be written: {error.strerror}") from None
        raise


@contextmanager
def output_to(path: Path | None) -> Iterator[TextIO]:
    """A file to write to or, without one, the standard output, which takes every letter meanwhile."""
    if path is not None:
        with written(path) as file:
            yield file
    elif isinstance(stream := sys.stdout, TextIOWrapper):
        encoding, errors = stream.encoding, stream.errors
        stream.reconfigure(encoding="utf-8", errors="strict")
        try:
            yield stream
        finally:
            stream.reconfigure(encoding=encoding, errors=errors)
    else:
        yield stream
