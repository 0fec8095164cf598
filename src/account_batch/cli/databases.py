"""The database that the accounts are in, as it is named on the command line."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from account_batch.cli.files import read_plan
from account_batch.cli.usage import UsageError
from account_batch.errors import StoreError
from account_batch.plan import Plan

if TYPE_CHECKING:
    from account_batch.stores.sql import SqlStore

__all__ = [
    "DEFAULT",
    "VARIABLE",
    "Store",
    "call",
    "find_plan",
    "is_id",
    "kept_plan",
    "opened",
    "plan_in_file",
    "without_passwords",
]

DEFAULT = "sqlite:///account_batch.db"
VARIABLE = "ACCOUNT_BATCH_STORE"

Store = Annotated[str, Parameter(env_var=VARIABLE)]

_SQLITE = re.compile(r"sqlite(?:\+\w+)?://(?:/(?P<file>[^?]*))?(?:\?.*)?", re.DOTALL)
_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_USER = re.compile(r"(://[^:/@\s]*):\S*@")
_OPTION = re.compile(r"((?:pass\w*|pwd)=)[^&\s]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """The text, with stars for the passwords of the URLs in it."""
    return _OPTION.sub(r"\1***", _USER.sub(r"\1:***@", text))


def call(command: str, store: str) -> str:
    """A call of the program that means the same store, to be shown to a person."""
    if store == os.environ.get(VARIABLE, DEFAULT):
        return f"account-batch {command}"
    return f"account-batch {command} --store {shlex.quote(without_passwords(store))}"


@contextmanager
def opened(store: str, *, new: bool = False) -> Iterator["SqlStore"]:
    """The store, which is closed in the end.

    Args:
        store: A URL, or the file of an SQLite database.
        new: Whether it need not be there yet.

    Raises:
        UsageError: It is not there.
        StoreError: It cannot be opened.
    """
    from account_batch.stores.sql import SqlStore  # noqa: PLC0415  # Needs an extra that preview does without.

    url = store if "://" in store else f"sqlite:///{store}"
    if url != store and "?" in store:
        raise UsageError(f'--store: {store}: a file whose name has a "?" cannot be told from a URL')
    if local := _SQLITE.fullmatch(url):
        _check_file(local["file"] or "", new=new)
    try:
        database = SqlStore(url)
    except StoreError as error:  # It was not asked yet, and so the URL is wrong.
        raise UsageError(f"--store: {error}") from None
    with closing(database):
        try:
            yield database
        except StoreError as error:
            raise type(error)(str(error).replace("SqlStore(...).create()", "account-batch import")) from error


def _check_file(name: str, *, new: bool) -> None:
    """SQLite makes a file where there is none; only importing should."""
    if name in {"", ":memory:"}:
        raise UsageError("--store: a database in memory is gone when the command ends; name a file")
    if new:
        if not Path(name).absolute().parent.is_dir():
            raise UsageError(f"--store: {name}: there is no such folder")
    elif not Path(name).is_file():
        raise UsageError(f"--store: {name}: there is no such database; account-batch import ACCOUNTS.csv makes it")


def is_id(plan: str) -> bool:
    """Whether a plan is named by its id, and not by a file."""
    return _ID.fullmatch(plan) is not None


def kept_plan(plan: str, store: "SqlStore") -> Plan:
    """The plan that a store keeps, by its id or by the file that says which it is."""
    return store.load(plan if is_id(plan) else plan_in_file(plan).id)


def find_plan(plan: str, store: "SqlStore") -> Plan:
    """The plan of a file as the file says it, or that with an id as the store keeps it."""
    return store.load(plan) if is_id(plan) else plan_in_file(plan)


def plan_in_file(plan: str) -> Plan:
    """The plan of a file.

    Raises:
        UsageError: There is no such file, and so perhaps an id was meant.
        AccountBatchError: The file cannot be read, or holds no plan.
    """
    if not Path(plan).exists():
        raise UsageError(f'"{plan}" is neither the id of a plan nor a plan file; account-batch status lists the plans')
    return read_plan(Path(plan))
