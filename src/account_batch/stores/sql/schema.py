"""The tables that the library owns: accounts of its own, and the journal beside accounts of anybody."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from sqlalchemy import CheckConstraint, Column, Dialect, Index, Integer, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy import Text as SqlText
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from account_batch.account import Account
from account_batch.decision import CHANGEABLE
from account_batch.stores.sql.types import FIELD_TYPES, SCALE, Amount, Day, Flag, Instant, LongText, Number, Text

__all__ = ["OPTIONAL", "SETTABLE", "WORDS", "Journal", "OwnTables", "journal", "own_accounts"]

WORDS = 8
"""How many words the answers to all questions about an account may fill."""

SETTABLE = tuple(name for name in FIELD_TYPES if name in CHANGEABLE)
"""The fields that an update sets to a value, in the order of Account; add-ons and the balance are changed otherwise."""

OPTIONAL = frozenset(field.name for field in attrs.fields(Account) if field.default is None)
"""The fields of an account that may be unset."""

# SQLite keeps whole numbers of 64 bits, scaled by 10^5.
_SQLITE_MOST = 9 * 10 ** (13 + SCALE)
_MOST = 10**15


@attrs.frozen(kw_only=True)
class OwnTables:
    """Accounts in tables of the library's own.

    Args:
        accounts: One row an account: every field that is one value.
        addons: One row an add-on of an account.
        details: One row an entry of contact or custom_fields.
    """

    accounts: Table
    addons: Table
    details: Table


@attrs.frozen(kw_only=True)
class Journal:
    """What the library remembers of plans, in the same database as the accounts.

    Args:
        store: One row for each table of accounts that has its plans here: its name and the identity of this storage.
        plan: The plans.
        target: The frozen accounts of a plan with the answers that they gave.
        decision: What becomes of the targets with certain answers, as values to write.
        entry: The transactions of a group of a plan.
        addon: The add-ons that a group of a plan gains or loses.
        chunk: Which part of a plan was carried out when.
        outcome: What came of targets, where it is not what the plan and its chunks say.
        balance: The true balance of a target before it moved.
        ledger: The ledger entries.
    """

    store: Table
    plan: Table
    target: Table
    decision: Table
    entry: Table
    addon: Table
    chunk: Table
    outcome: Table
    balance: Table
    ledger: Table


def own_accounts(metadata: MetaData) -> OwnTables:
    """The tables of accounts for those who have none."""
    accounts = _table(
        metadata,
        "accounts",
        Column("key", Number(), primary_key=True),
        *(Column(name, kind(), nullable=name in OPTIONAL) for name, kind in FIELD_TYPES.items()),
        Index("accounts_id", "id", unique=True),
        Index("accounts_batch", "batch", "control_number"),
        Index("accounts_activation", "state", "activation_date"),
        *_limits("opening_balance", "balance"),
        # Room on each page, so that PostgreSQL writes a changed row beside the old one and no index again.
        postgresql_with={"fillfactor": 80},
        # A key is never given twice, so what remembers an account by it can never mean another one.
        sqlite_autoincrement=True,
    )
    addons = _table(
        metadata,
        "account_addons",
        Column("account", Number(), nullable=False),
        Column("addon", Text(), nullable=False),
        PrimaryKeyConstraint("account", "addon"),
        sqlite_with_rowid=False,
    )
    details = _table(
        metadata,
        "account_details",
        Column("account", Number(), nullable=False),
        Column("field", Text(), nullable=False),
        Column("name", Text(), nullable=False),
        Column("value", LongText(), nullable=False),
        PrimaryKeyConstraint("account", "field", "name"),
        sqlite_with_rowid=False,
    )
    return OwnTables(accounts=accounts, addons=addons, details=details)


def journal(metadata: MetaData, prefix: str, key_type: TypeEngine[Any]) -> Journal:
    """The tables of the journal.

    They refer to each other by value only: foreign keys would lock the row of the plan for every target.

    Args:
        metadata: Where they are registered.
        prefix: What their names begin with.
        key_type: The type of the column that identifies an account.
    """
    # Keys are joined by the index of the user's column, and so have its type and collation; but STRICT tables of SQLite
    # know no types of other databases.
    strict = Integer() if isinstance(key_type, Integer | Number) else SqlText()
    same_type = key_type.with_variant(strict, "sqlite")

    def key(name: str, *, nullable: bool = False) -> Column[Any]:
        return Column(name, same_type, nullable=nullable)

    def table(name: str, *items: SchemaItem, rowid: bool = True, **options: Any) -> Table:
        return _table(metadata, prefix + name, *items, sqlite_with_rowid=rowid, **options)

    store = table(
        "store", Column("accounts", Text(), primary_key=True), Column("identity", Text(), nullable=False), rowid=False
    )
    plan = table(
        "plan",
        Column("number", Number(), primary_key=True),
        Column("id", Text(), nullable=False),
        Column("document", LongText()),
        Column("layout", LongText()),
        Column("planned_at", Instant()),
        Column("valid_until", Instant()),
        Column("actor", LongText()),
        Column("reason", LongText()),
        Column("changing", Number()),
        Index(f"{prefix}plan_id", "id", unique=True),
        # A number is never given twice, so that rows of a discarded plan can never become those of another.
        sqlite_autoincrement=True,
    )
    target = table(
        "target",
        _plan(),
        key("key"),
        Column("account_id", Text(), nullable=False),
        Column("control_number", Number()),
        *_words("facts"),
        Column("before_activation_date", Day()),
        Column("before_expiration_date", Day()),
        Column("before_associated_number", Text()),
        Column("before_addons", LongText()),
        Column("before_balance", Amount()),
        PrimaryKeyConstraint("plan", "key"),
        rowid=False,
    )
    ledger = table(
        "ledger",
        Column("number", Number(), primary_key=True),
        key("key"),
        Column("account_id", Text(), nullable=False),
        Column("plan_id", Text(), nullable=False),
        *_transaction(),
        Column("at", Instant(), nullable=False),
        Index(f"{prefix}ledger_reference", "reference", "key"),
        Index(f"{prefix}ledger_plan", "plan_id"),
    )
    return Journal(
        store=store,
        plan=plan,
        target=target,
        decision=_decisions(table),
        entry=table(
            "entry",
            _plan(),
            Column("grp", Number(), nullable=False),
            Column("place", Number(), nullable=False),
            *_transaction(),
            PrimaryKeyConstraint("plan", "grp", "place"),
            rowid=False,
        ),
        addon=table(
            "addon",
            _plan(),
            Column("grp", Number(), nullable=False),
            Column("addon", Text(), nullable=False),
            Column("added", Flag(), nullable=False),
            PrimaryKeyConstraint("plan", "grp", "addon"),
            rowid=False,
        ),
        chunk=table(
            "chunk",
            _plan(),
            key("last_key"),
            Column("at", Instant(), nullable=False),
            Column("applied", Number(), nullable=False),
            PrimaryKeyConstraint("plan", "last_key"),
            rowid=False,
        ),
        outcome=table(
            "outcome",
            _plan(),
            key("key"),
            Column("outcome", Text(), nullable=False),
            Column("reasons", LongText()),
            Column("at", Instant(), nullable=False),
            PrimaryKeyConstraint("plan", "key"),
            rowid=False,
        ),
        balance=table(
            "balance",
            _plan(),
            key("key"),
            Column("before", Amount(), nullable=False),
            PrimaryKeyConstraint("plan", "key"),
            rowid=False,
        ),
        ledger=ledger,
    )


def _decisions(table: Callable[..., Table]) -> Table:
    settings: list[Column[Any]] = [Column("sets_addons", Flag(), nullable=False)]
    for name in SETTABLE:
        settings += [Column(f"sets_{name}", Flag(), nullable=False), Column(f"new_{name}", FIELD_TYPES[name]())]
    return table(
        "decision",
        _plan(),
        Column("number", Number(), nullable=False),
        Column("grp", Number(), nullable=False),
        Column("changes", Flag(), nullable=False),
        *_words("facts", filled=2),
        *_words("mask"),
        *settings,
        # A decision that sets the add-ons, and does not only add or remove some, has the new ones as a JSON array.
        Column("new_addons", LongText()),
        Column("shift", Amount(), nullable=False),
        # Every target looks its decision up by what it answered.
        PrimaryKeyConstraint("plan", "facts_0", "facts_1", "number"),
        rowid=False,
    )


def _plan() -> Column[int]:
    return Column("plan", Number(), nullable=False)


def _words(name: str, *, filled: int = 0) -> list[Column[int]]:
    return [Column(f"{name}_{place}", Number(), nullable=place >= filled) for place in range(WORDS)]


def _transaction() -> list[Column[Any]]:
    return [
        Column("kind", Text(), nullable=False),
        Column("amount", Amount(), nullable=False),
        Column("currency", Text(), nullable=False),
        Column("comment", LongText(), nullable=False),
        Column("internal_comment", LongText(), nullable=False),
        Column("reference", Text()),
        Column("distributor", Text()),
    ]


def _limits(*columns: str) -> list[CheckConstraint]:
    checks: list[CheckConstraint] = []
    for column in columns:
        sqlite = CheckConstraint(f"{column} BETWEEN -{_SQLITE_MOST} AND {_SQLITE_MOST}", name=f"accounts_{column}")
        servers = CheckConstraint(f"{column} > -{_MOST} AND {column} < {_MOST}", name=f"accounts_{column}")
        checks += [sqlite.ddl_if(dialect="sqlite"), servers.ddl_if(callable_=_on_server)]
    return checks


def _on_server(*_: object, dialect: Dialect, **__: object) -> bool:
    return dialect.name != "sqlite"


def _table(metadata: MetaData, name: str, *items: SchemaItem, **options: Any) -> Table:
    kept: Mapping[str, Any] = {
        "sqlite_strict": True,
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mariadb_engine": "InnoDB",
        "mariadb_charset": "utf8mb4",
    }
    return Table(name, metadata, *items, **kept, **options)
