"""Every store of the project under the suite that others hold their stores to."""

from collections.abc import Sequence

import pytest
from sqlalchemy import MetaData, delete

from account_batch import Account
from account_batch.stores.sql import SqlStore
from account_batch.stores.sql.mapping import AccountMapping, own_mapping
from account_batch.stores.sql.schema import own_accounts
from account_batch.testing import check_store
from databases import engine
from sameness import EVERYBODY


def _mapped() -> AccountMapping:
    """The tables of accounts as if they were somebody else's, with a journal under other names."""
    return own_mapping(own_accounts(MetaData()), "billing_")


@pytest.fixture(params=["own", "mapped"])
def mapping(request: pytest.FixtureRequest) -> AccountMapping | None:
    """None, or a mapping."""
    return _mapped() if request.param == "mapped" else None


def test_sql_stores(database_url: str, mapping: AccountMapping | None) -> None:
    """On every database, with other connections that write, and opened again."""
    with engine(database_url) as ours, engine(database_url) as beside:
        accounts = SqlStore(beside).create()
        SqlStore(ours, mapping).create()
        tables = MetaData()
        tables.reflect(beside)

        def make(rows: Sequence[Account]) -> SqlStore:
            with beside.begin() as connection:
                for table in tables.tables.values():
                    connection.execute(delete(table))
            accounts.add(rows)
            return SqlStore(ours, mapping).create()

        check_store(
            make,
            read=lambda _: accounts.find(EVERYBODY),
            write=lambda _, account: accounts.put(account),
            reopen=lambda _: SqlStore(ours, mapping),
        )
