"""Accounts of the database as snapshots, and snapshots as rows of our own tables."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select, update

from account_batch.account import Account, mask
from account_batch.errors import InvalidValueError, StoreError
from account_batch.stores.sql.raw import as_raw, from_raw
from account_batch.stores.sql.schema import OwnTables
from account_batch.stores.sql.types import FIELD_TYPES
from account_batch.stores.sql.view import View

__all__ = ["account_rows", "add_accounts", "put_account", "read_accounts"]

_AT_ONCE: Final = 1_000
_DETAILS: Final = ("contact", "custom_fields")


def account_rows(view: View) -> tuple[Select[Any], Callable[[Row[Any]], Account]]:
    """The query for accounts, in the order of their keys, and what makes an account of a row."""
    fields = [field for field in FIELD_TYPES if field in view.mapping.fields]
    columns: list[ColumnElement[Any]] = [view.read(field).label(field) for field in fields]
    columns.append(view.addons().label("addons"))
    named: dict[str, list[str]] = {}
    for group in _DETAILS:
        details = view.details(group)
        if isinstance(details, Mapping):
            named[group] = list(details)
            columns += [value.label(f"{group}_{at}") for at, value in enumerate(details.values())]
        else:
            columns.append(details.label(group))

    def make(row: Row[Any]) -> Account:
        values: dict[str, Any] = {field: from_raw(field, getattr(row, field)) for field in [*fields, "addons"]}
        for group in _DETAILS:
            if group not in named:
                values[group] = json.loads(getattr(row, group) or "{}")
                continue
            found = {name: getattr(row, f"{group}_{at}") for at, name in enumerate(named[group])}
            values[group] = {name: value for name, value in found.items() if value}
        try:
            return Account(**values)
        except InvalidValueError as error:
            raise StoreError(f"the tables have an account that cannot be: {error}") from error

    return select(view.key.label("account_key"), *columns).select_from(view.table).order_by(view.key), make


def read_accounts(
    connection: Connection, view: View, *which: ColumnElement[bool]
) -> Iterator[tuple[Any, Account | StoreError]]:
    """Yield the keys and snapshots of some accounts, or why there can be no snapshot."""
    rows, make = account_rows(view)
    for row in connection.execute(rows.where(*which)):
        try:
            yield row.account_key, make(row)
        except StoreError as error:
            yield row.account_key, error


def add_accounts(connection: Connection, own: OwnTables, accounts: Iterable[Account]) -> int:
    """Add new accounts, and return how many.

    Raises:
        InvalidValueError: An id is there already, or comes twice.
    """
    count = 0
    rest = iter(accounts)
    while some := list(islice(rest, _AT_ONCE)):
        ids: set[str] = set()
        for account in some:
            _check(account)
            if account.id in ids:
                raise InvalidValueError(f"account.id: {mask(account.id)} comes twice")
            ids.add(account.id)
        there = connection.execute(select(own.accounts.c.id).where(own.accounts.c.id.in_(ids)).limit(1)).scalar()
        if there is not None:
            raise InvalidValueError(f"account.id: {mask(there)} is there already; put() replaces")
        connection.execute(insert(own.accounts), list(map(_row, some)))
        _add_parts(connection, own, some)
        count += len(some)
    return count


def put_account(connection: Connection, own: OwnTables, account: Account) -> None:
    """Add an account, or replace the one with its id."""
    _check(account)
    accounts = own.accounts
    key = connection.execute(select(accounts.c.key).where(accounts.c.id == account.id).with_for_update()).scalar()
    if key is None:
        add_accounts(connection, own, [account])
        return
    connection.execute(update(accounts).where(accounts.c.key == key).values(_row(account)))
    for table in (own.addons, own.details):
        connection.execute(delete(table).where(table.c.account == key))
    _add_parts(connection, own, [account])


def _row(account: Account) -> dict[str, Any]:
    return {field: as_raw(getattr(account, field)) for field in FIELD_TYPES}


def _add_parts(connection: Connection, own: OwnTables, accounts: Sequence[Account]) -> None:
    """Add what an account may have any number of."""
    parted = {account.id: account for account in accounts if account.addons or account.contact or account.custom_fields}
    if not parted:
        return
    ids = select(own.accounts.c.id, own.accounts.c.key).where(own.accounts.c.id.in_(parted))
    addons: list[dict[str, Any]] = []
    details: list[dict[str, Any]] = []
    for account_id, key in connection.execute(ids):
        account = parted[account_id]
        addons += [{"account": key, "addon": addon} for addon in sorted(account.addons)]
        for group in _DETAILS:
            details += [
                {"account": key, "field": group, "name": name, "value": value}
                for name, value in getattr(account, group).items()
            ]
    for table, rows in ((own.addons, addons), (own.details, details)):
        if rows:
            connection.execute(insert(table), rows)


def _check(account: object) -> None:
    if not isinstance(account, Account):
        raise InvalidValueError(f"account: {account!r} is no Account")
