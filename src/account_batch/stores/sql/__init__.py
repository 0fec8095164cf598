"""SqlStore: accounts in SQLite, PostgreSQL or MariaDB, in tables of our own or of the user's.

Needs the extra sql; postgres and mariadb bring the drivers.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property

import attrs
from sqlalchemy import Connection, Engine, MetaData, Select, delete, func, insert, select

from account_batch.account import Account
from account_batch.decision import Outcome, TransactionKind
from account_batch.errors import (
    ChangeRejectedError,
    DigestMismatchError,
    InvalidValueError,
    PlanError,
    StoreError,
    StoreLayoutError,
)
from account_batch.filters import AccountFilter
from account_batch.money import Money
from account_batch.plan import Plan
from account_batch.store import LedgerEntry, counts_so_far
from account_batch.stores.sql.accounts import account_rows, add_accounts, put_account
from account_batch.stores.sql.connect import Database
from account_batch.stores.sql.freeze import SqlFreezer
from account_batch.stores.sql.journal import Kept, Stored, StoredOutcomes, StoredTargets, Tables
from account_batch.stores.sql.mapping import AccountMapping, own_ledger, own_mapping
from account_batch.stores.sql.schema import OwnTables, journal, own_accounts
from account_batch.stores.sql.translate import conditions
from account_batch.stores.sql.view import View
from account_batch.stores.sql.work import SqlWork

__all__ = ["PlanSummary", "SqlStore"]


@attrs.frozen(kw_only=True)
class PlanSummary:
    """A plan that a store keeps, in short.

    Args:
        changing: How many accounts it changes.
        done: How many of them have an outcome.
        applied: How many of them were applied; the others that are done are stale or failed.
        valid_until: From when on it is not applied any more, if nothing of it was before.
    """

    id: str
    planned_at: datetime
    actor: str
    reason: str
    changing: int
    done: int
    applied: int
    valid_until: datetime | None


class SqlStore:
    """Accounts in a SQL database; plans are frozen and applied there, with statements over whole sets.

    >>> SqlStore("sqlite://").create().find(AccountFilter())
    <0 accounts>

    Args:
        url_or_engine: SQLAlchemy's, for example "sqlite:///accounts.db".
        mapping: Where the accounts are, if not in tables of our own.

    Raises:
        StoreError: The URL cannot be understood, or names a database that is not supported.
    """

    def __init__(self, url_or_engine: str | Engine, mapping: AccountMapping | None = None) -> None:
        self._database = Database(url_or_engine)
        self._metadata = MetaData()
        self._own: OwnTables | None = None
        if mapping is None:
            self._own = own_accounts(self._metadata)
            mapping = own_mapping(self._own)
        self._journal = journal(self._metadata, mapping.prefix, mapping.key.type)
        ledger = mapping.ledger or own_ledger(self._journal.ledger)
        self._tables = Tables(View(mapping, ledger), self._journal)

    def create(self) -> "SqlStore":
        """Make the tables that are missing: those of accounts, unless they are the user's, and the journal.

        Returns:
            The store itself.

        Raises:
            StoreError: The database is not available, or has tables without transactions.
        """
        self._check_tables()
        if self._own is not None:
            self._database.prepare_file()
        with self._database.alone() as connection:
            self._metadata.create_all(connection)
            if connection.execute(self._identity()).first() is None:
                row = {"accounts": self._accounts, "identity": f"sql:{uuid.uuid4()}"}
                connection.execute(insert(self._journal.store).values(row))
        return self

    def close(self) -> None:
        """Give the connections back to the system; those of the caller's engine stay."""
        self._database.close()

    @cached_property
    def identity(self) -> str:
        """A text that only this storage has, kept beside the accounts."""
        self._check_tables()
        with self._database.reading() as connection:
            found = connection.execute(self._identity()).scalar()
            others = list(connection.execute(select(self._journal.store.c.accounts)).scalars())
        if found is None:
            raise StoreLayoutError(
                f"the journal knows nothing of {self._accounts}; "
                + (
                    f"it is of {', '.join(sorted(others))}, which a SqlStore with that mapping opens"
                    if others
                    else "tell it with SqlStore(...).create()"
                )
            )
        return str(found)

    @property
    def _accounts(self) -> str:
        """The name of the table of accounts: two of them may share a journal."""
        return f"{self._tables.view.table.fullname}.{self._tables.view.key.name}"

    def _identity(self) -> Select[tuple[str]]:
        store = self._journal.store
        return select(store.c.identity).where(store.c.accounts == self._accounts)

    def _check_tables(self) -> None:
        """Refuse what cannot keep a transaction, or would cut values silently."""
        mine = set(self._metadata.tables)
        others = {(schema, name) for schema, name in self._tables.view.tables() if name not in mine}
        self._database.check(self._tables.view.tables(), there=others)

    # Accounts.

    def find(self, where: AccountFilter) -> Stored[Account]:
        """The accounts that the filter means, in the order of adding; read when they are looked at.

        Raises:
            StoreError: The tables lack a field that the filter looks at.
        """
        rows, make = account_rows(self._tables.view)
        return Stored(self._database.reading, rows.where(*conditions(where, self._tables.view)), make)

    def add(self, accounts: Iterable[Account]) -> None:
        """Add new accounts, all of them or, if an id is there already, none; they are read one after the other.

        Raises:
            InvalidValueError: An id is there already or comes twice, or the database cannot hold a value.
            StoreError: The database is not available, or the accounts are in tables of the user's.
        """
        own = self._own_tables()
        try:
            with self._database.writing() as connection:
                add_accounts(connection, own, accounts)
        except ChangeRejectedError as error:
            raise InvalidValueError(f"account: {error}") from error

    def put(self, account: Account) -> None:
        """Add an account, or replace the one with its id.

        Raises:
            InvalidValueError: The database cannot hold a value.
            StoreError: The database is not available, or the accounts are in tables of the user's.
        """
        own = self._own_tables()
        try:
            self._database.write(lambda connection: put_account(connection, own, account))
        except ChangeRejectedError as error:
            raise InvalidValueError(f"account: {error}") from error

    def _own_tables(self) -> OwnTables:
        if self._own is None:
            raise StoreError("the accounts are in tables of your own: add them as your program does")
        return self._own

    # The ledger.

    def charged(self, reference: str) -> Collection[str]:
        """The ids of the accounts that have a ledger entry with this reference."""
        view = self._tables.view
        query = select(view.read("id")).where(view.key.in_(view.charged(reference)))
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def transactions(self, plan_id: str) -> list[LedgerEntry]:
        """The ledger entries that a plan made, in the order of making.

        Raises:
            StoreError: The entries are in a table of the user's that lacks a field of them.
        """
        ledger = self._tables.view.ledger
        names = [field.name for field in attrs.fields(LedgerEntry)]
        columns = [ledger.read(name).label(name) for name in [*names, "currency"]]
        query = select(*columns).where(ledger.read("plan_id") == plan_id).order_by(*ledger.table.primary_key)
        with self._database.reading() as connection:
            return [
                LedgerEntry(
                    **{name: getattr(row, name) for name in names if name not in {"kind", "amount"}},
                    kind=TransactionKind(row.kind),
                    amount=Money(row.amount, row.currency),
                )
                for row in connection.execute(query)
            ]

    # Plans.

    @contextmanager
    def freezing(self, plan_id: str) -> Iterator[SqlFreezer]:
        """One transaction in which a plan is made; see store.SupportsSets."""
        with self._database.writing() as connection:
            yield SqlFreezer(self._database, self._tables, connection, plan_id)

    def work(self, plan: Plan, canary: int) -> SqlWork:
        """A plan that was made here, for applying it; see store.SupportsSets.

        Raises:
            PlanError: No such plan is kept here.
            DigestMismatchError: The plan of this id is another one.
        """
        known = plan if isinstance(plan.targets, StoredTargets) else None
        kept = self._find(plan.id, known)
        said = [field.name for field in attrs.fields(Plan) if field.name != "targets"]
        if any(getattr(kept.plan, name) != getattr(plan, name) for name in said):
            raise DigestMismatchError(f"plan {plan.id}: the store keeps another plan under this id; plan again")
        return SqlWork(self._database, self._tables, kept, canary)

    def load(self, plan_id: str) -> Plan:
        """The plan of an id, with its changes; who, when, why, filter, spec, old and new.

        Raises:
            PlanError: No such plan is kept here.
        """
        kept = self._find(plan_id)
        return attrs.evolve(kept.plan, targets=kept.targets(self._tables, self._database.reading))

    def outcomes(self, plan_id: str) -> StoredOutcomes:
        """What came of every account of a plan so far, in its order.

        Raises:
            PlanError: No such plan is kept here.
        """
        return StoredOutcomes(self._tables, self._database.reading, self._find(plan_id))

    def status(self, plan_id: str) -> Mapping[Outcome, int]:
        """The accounts of a plan by outcome so far; every outcome is there.

        Raises:
            PlanError: No such plan is kept here.
        """
        kept = self._find(plan_id)
        return counts_so_far(kept.plan, SqlWork(self._database, self._tables, kept, 0).tally().counts)

    def plans(self) -> list[PlanSummary]:
        """The plans that are kept here, the newest first."""
        plan, chunk, outcome = self._journal.plan, self._journal.chunk, self._journal.outcome
        applied = select(func.sum(chunk.c.applied)).where(chunk.c.plan == plan.c.number).scalar_subquery()
        alone = select(func.count()).where(outcome.c.plan == plan.c.number).correlate(plan)
        failed = alone.where(outcome.c.outcome != Outcome.APPLIED.value).scalar_subquery()
        done = func.coalesce(applied, 0) + alone.scalar_subquery()
        query = select(plan, done.label("done"), failed.label("failed")).order_by(plan.c.number.desc())
        with self._database.reading() as connection:
            return [
                PlanSummary(
                    id=row.id,
                    planned_at=row.planned_at,
                    actor=row.actor,
                    reason=row.reason,
                    changing=row.changing,
                    done=int(row.done),
                    applied=int(row.done - row.failed),
                    valid_until=row.valid_until,
                )
                for row in connection.execute(query)
            ]

    def discard(self, plan_id: str) -> None:
        """Forget a plan of which nothing was applied.

        Raises:
            PlanError: No such plan is kept here, or some account has an outcome.
        """
        kept = self._find(plan_id)
        journal = self._journal

        def forget(connection: Connection) -> None:
            locked = select(journal.plan.c.number).where(journal.plan.c.number == kept.number).with_for_update()
            connection.execute(locked)
            for table in (journal.chunk, journal.outcome):
                if connection.execute(select(table.c.plan).where(table.c.plan == kept.number).limit(1)).first():
                    raise PlanError(
                        f"plan {plan_id}: applied already, at least in part; it stays as the record of that"
                    )
            for table in (journal.target, journal.decision, journal.entry, journal.addon):
                connection.execute(delete(table).where(table.c.plan == kept.number))
            connection.execute(delete(journal.plan).where(journal.plan.c.number == kept.number))

        self._database.write(forget)

    def _find(self, plan_id: str, known: Plan | None = None) -> Kept:
        with self._database.reading() as connection:
            return Kept.find(self._journal, connection, plan_id, known)
