"""Applying: carries a plan out chunk by chunk, each in one transaction, and records it there.

A chunk is a range of the account key. Its rows are locked in that order, the facts that the decisions rest on and the
old values that they overwrite are compared in the statement that writes, and only if it wrote fewer accounts than are
left in the chunk are the stale ones looked for, recorded, and the chunk written again without them.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from account_batch.account import Account
from account_batch.decision import CHANGEABLE, Assign, Decision, Outcome, Reason, ShiftBalance
from account_batch.errors import ChangeRejectedError, StoreError
from account_batch.plan import Target
from account_batch.questions import HasTransaction, Question
from account_batch.report import AccountOutcome
from account_batch.store import Commit, Tally, why_stale
from account_batch.stores.sql.accounts import read_accounts
from account_batch.stores.sql.connect import Database, savepoint
from account_batch.stores.sql.journal import BEFORE, Kept, StoredOutcomes, Tables, dump_reasons, then
from account_batch.stores.sql.raw import as_raw
from account_batch.stores.sql.translate import conditions
from account_batch.stores.sql.types import Instant, Number, Text
from account_batch.stores.sql.view import says

__all__ = ["SqlWork"]

_MOST_KEYS: Final = 500
_NOTHING: Final = Decimal(0)


@attrs.frozen
class _Range:
    """The accounts left with keys up to one.

    Args:
        after: Above this key only; None is all. Where outcomes are recorded nothing may be passed over: all up to the
            last key is recorded, and so only rehearsals have it.
        rehearsed: Whether it is part of a rehearsal.
    """

    last: Any
    count: int
    after: Any = None
    rehearsed: bool = False


@attrs.frozen
class _Keys:
    """The accounts left among these keys."""

    keys: tuple[Any, ...]

    @property
    def count(self) -> int:
        """How many keys."""
        return len(self.keys)


_Part: TypeAlias = _Range | _Keys


class _UndoneError(Exception):
    """Ends a transaction that is not to be kept, with what would have come of it."""

    def __init__(self, outcomes: Sequence[AccountOutcome]) -> None:
        super().__init__()
        self.outcomes = outcomes


class SqlWork:
    """A plan on the store that it was made on; see store.Work."""

    def __init__(self, database: Database, tables: Tables, kept: Kept, canary: int) -> None:
        self._database = database
        self._tables = tables
        self._journal = tables.journal
        self._view = tables.view
        self._kept = kept
        self._plan = kept.plan
        self._targets = kept.targets(tables, database.reading)
        changing = [group for group in self._plan.groups if group.decision.planned is Outcome.APPLIED]
        self._decisions = [group.decision for group in changing]
        asked = {question for group in changing for question, _ in group.facts}
        self._masks = kept.layout.masks(asked)
        self._references = [question.reference for question in asked if isinstance(question, HasTransaction)]
        moves = any(_shift(decision) for decision in self._decisions)
        # MariaDB's UPDATE locks row by row, in the order of the key, and compares what it locked. That is enough where
        # the facts are columns of the row and nothing was read before.
        self._alone = not moves and all(self._is_column(question) for question in asked)
        self._keys_of: dict[str, Any] = {}
        self._canary = self._find_canary(canary)

    def _is_column(self, question: Question) -> bool:
        if isinstance(question, HasTransaction) or "addons" in question.reads:
            return False
        mapped = (self._view.mapping.fields.get(field) for field in question.reads)
        return all(field is None or isinstance(field.read, Column) for field in mapped)

    # What is left, and what is done.

    def _find_canary(self, count: int) -> tuple[Any, ...]:
        if not count:
            return ()
        changes = says(self._journal.decision.c.changes, True)
        with self._database.reading() as connection:
            rows = self._targets.rows().where(changes).limit(count)
            return tuple(row.key for row in connection.execute(rows))

    def _changing(
        self, *columns: ColumnElement[Any], and_then: tuple[Table, ColumnElement[bool]] | None = None
    ) -> Select[Any]:
        """The changing targets of the plan, and perhaps what is joined to each."""
        target, decision = self._journal.target, self._journal.decision
        rows = self._tables.decided(self._kept.layout.words)
        return (
            select(*columns)
            .select_from(rows if and_then is None else then(rows, *and_then))
            .where(target.c.plan == self._kept.number, says(decision.c.changes, True))
        )

    def _not_recorded(self) -> ColumnElement[bool]:
        target, outcome = self._journal.target, self._journal.outcome
        recorded = select(outcome.c.key).where(outcome.c.plan == target.c.plan, outcome.c.key == target.c.key)
        return ~exists(recorded.correlate(target))

    def _mark(self, connection: Connection) -> Any:
        """The key up to which everything has an outcome.

        Raises:
            StoreError: The plan is gone, or the database is another one by now.
        """
        plan, chunk = self._journal.plan, self._journal.chunk
        mark = select(func.max(chunk.c.last_key)).where(chunk.c.plan == plan.c.number).scalar_subquery()
        query = select(mark).where(plan.c.number == self._kept.number, plan.c.id == self._plan.id)
        found = connection.execute(query).one_or_none()
        if found is None:
            raise StoreError(
                f"plan {self._plan.id}: the store keeps it no longer; it was discarded, or this is another database"
            )
        return found[0]

    def tally(self) -> Tally:
        """What is recorded, by any worker."""
        chunk, outcome, number = self._journal.chunk, self._journal.outcome, self._kept.number
        exceptions = select(outcome.c.outcome, func.count()).where(outcome.c.plan == number).group_by(outcome.c.outcome)
        spoiled = 0
        with self._database.reading() as connection:
            # In this order: what another worker does between the two statements makes nobody seem worse than it is.
            counts = {Outcome(name): count for name, count in connection.execute(exceptions)}
            applied = connection.execute(select(func.sum(chunk.c.applied)).where(chunk.c.plan == number)).scalar()
            for keys in _slices(self._canary):
                bad = select(func.count()).where(
                    outcome.c.plan == number, outcome.c.key.in_(keys), outcome.c.outcome != Outcome.APPLIED.value
                )
                spoiled += connection.execute(bad).scalar_one()
        counts[Outcome.APPLIED] = counts.get(Outcome.APPLIED, 0) + int(applied or 0)
        return Tally(counts={outcome: count for outcome, count in counts.items() if count}, spoiled=spoiled)

    def parts(self, size: int) -> Iterator[_Part]:
        """Yield the canaries first, then the rest in the order of the key."""
        key = self._journal.target.c.key
        for keys in _slices(self._canary, min(size, _MOST_KEYS)):
            with self._database.reading() as connection:
                query = self._changing(key).where(*self._left(connection, _Keys(keys)))
                left = tuple(connection.execute(query).scalars())
            if left:
                yield _Keys(left)
        while (part := self._next(size)) is not None:
            yield part

    def everything(self) -> _Part:
        """All that is left."""
        part = self._next(None)
        return _Keys(()) if part is None else attrs.evolve(part, rehearsed=True)

    def _next(self, size: int | None) -> _Range | None:
        key = self._journal.target.c.key
        with self._database.reading() as connection:
            left = self._changing(key).where(*self._left(connection, _Range(None, 0))).order_by(key).limit(size)
            keys = left.subquery()
            last, count = connection.execute(select(func.max(keys.c.key), func.count())).one()
        return _Range(last, count) if count else None

    def _left(self, connection: Connection, part: _Part) -> list[ColumnElement[bool]]:
        """Which changing targets are meant: those of the part that have no outcome."""
        outcome = self._journal.outcome
        meant = self._within(connection, part, self._journal.target.c.key)
        some = select(outcome.c.key).where(outcome.c.plan == self._kept.number).limit(1)
        if connection.execute(some).first() is not None:
            meant.append(self._not_recorded())
        return meant

    def _within(self, connection: Connection, part: _Part, key: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """Where the keys of a part are, beyond the mark."""
        if isinstance(part, _Keys):
            meant, bounds = [key.in_(part.keys)], [self._mark(connection)]
        else:
            meant = [key <= part.last] if part.last is not None else []
            bounds = [self._mark(connection), part.after]
        return [*meant, *(key > bound for bound in bounds if bound is not None)]

    def halves(self, part: _Part) -> Sequence[_Part]:
        """The part in two; what other workers left of it, if they did some of it; nothing where it is one account."""
        key = self._journal.target.c.key
        with self._database.reading() as connection:
            left = self._changing(key).where(*self._left(connection, part))
            count = connection.execute(left.with_only_columns(func.count())).scalar_one()
            if count != part.count:
                keys = tuple(connection.execute(left).scalars()) if isinstance(part, _Keys) else ()
                return (_Keys(keys) if isinstance(part, _Keys) else attrs.evolve(part, count=count),)
            if count == 1:
                return ()
            half = count // 2
            middle = connection.execute(left.order_by(key).offset(half - 1).limit(1)).scalar()
        if middle is None:  # They were faster again.
            return (part,)
        if isinstance(part, _Keys):
            return tuple(_Keys(keys) for keys in (part.keys[:half], part.keys[half:]))
        above = attrs.evolve(part, count=count - half, after=middle if part.rehearsed else None)
        return attrs.evolve(part, last=middle, count=half), above

    def only(self, part: _Part) -> Target | None:
        """The target of a part of one account; None where another worker recorded an outcome of it meanwhile."""
        with self._database.reading() as connection:
            changes = says(self._journal.decision.c.changes, True)
            rows = self._targets.rows().where(changes, *self._left(connection, part))
            row = connection.execute(rows).one_or_none()
        if row is None:
            return None
        self._keys_of[row.account_id] = row.key
        return self._targets.target(row)

    # Carrying it out.

    def apply(self, part: _Part, *, now: datetime, commit: Commit) -> Sequence[AccountOutcome]:
        """Carry out the plan on a part, in one transaction."""

        def attempt(connection: Connection) -> Sequence[AccountOutcome]:
            stale = self._carry_out(connection, part, now)
            if commit is Commit.NEVER or (commit is Commit.IF_ALL_APPLIED and stale):
                raise _UndoneError(stale)
            return stale

        try:
            return self._database.write(attempt)
        except _UndoneError as undone:
            return undone.outcomes

    def _carry_out(self, connection: Connection, part: _Part, now: datetime) -> Sequence[AccountOutcome]:
        self._lock_plan(connection)
        left = self._left(connection, part)
        self._lock_accounts(connection, left)
        stale: Sequence[AccountOutcome] = ()
        with savepoint(connection) as undo:
            applied = self._write_fields(connection, left)
            if applied != part.count:
                undo()
                expected = connection.execute(self._changing(func.count()).where(*left)).scalar_one()
                stale = self._find_stale(connection, left, now)
                self._insert_outcomes(connection, stale)
                left.append(self._not_recorded())
                applied = self._write_fields(connection, left)
                if applied != expected - len(stale):
                    raise ChangeRejectedError(
                        "the database wrote fewer accounts than it was told to, and does not say why"
                    )
        self._write_addons(connection, part, left)
        self._write_ledger(connection, left, now)
        self._record_applied(connection, part, left, now, applied)
        return stale

    def _lock_plan(self, connection: Connection) -> None:
        """Let one worker at a time apply a plan; SQLite, which has one writer anyway, knows no locks of rows."""
        plan = self._journal.plan
        connection.execute(select(plan.c.number).where(plan.c.number == self._kept.number).with_for_update())

    def _lock_accounts(self, connection: Connection, left: Sequence[ColumnElement[bool]]) -> None:
        """Lock the accounts in the order of the key, before anything about them is read."""
        key, table = self._view.key, self._view.table
        accounts = table, key == self._journal.target.c.key
        if self._database.dialect == "postgresql":
            rows = self._changing(key, and_then=accounts).where(*left)
            locked = rows.order_by(key).with_for_update(of=table).subquery()
            connection.execute(select(func.count()).select_from(locked)).one()
        elif self._database.dialect == "mysql" and not self._alone:
            # The order of the join is that of locking: targets are read in the order of their primary key.
            rows = self._changing(func.count(), and_then=accounts).where(*left)
            connection.execute(rows.with_for_update()).one()

    def _fresh(self) -> list[ColumnElement[bool]]:
        """Whether an account is as it was: the facts that were read, and the old values that are no facts."""
        target, decision, view = self._journal.target, self._journal.decision, self._view
        # Tables of the user's may give the key of an account that is gone to another one.
        fresh: list[ColumnElement[bool]] = [view.read("id") == target.c.account_id]
        for number, word in enumerate(self._kept.layout.expressions(view, self._masks)):
            if self._masks[number]:
                mask = decision.c[f"mask_{number}"]
                fresh.append(word.bitwise_and(mask) == target.c[f"facts_{number}"].bitwise_and(mask))
        for field in BEFORE:
            if field != "balance" and any(field in known.fields for known in self._decisions):
                now = view.addons() if field == "addons" else view.read(field)
                same = now.is_not_distinct_from(target.c[f"before_{field}"])
                fresh.append(or_(says(decision.c[f"sets_{field}"], False), same))
        if self._plan.terminates:
            fresh += conditions(self._plan.where, view)
        return fresh

    def _write_fields(self, connection: Connection, left: Sequence[ColumnElement[bool]]) -> int:
        """Write the fields of the accounts that are fresh, after noting the balances that move; how many they are."""
        target, decision, view = self._journal.target, self._journal.decision, self._view
        if any(_shift(known) for known in self._decisions):
            balance = self._journal.balance
            moved = self._changing(
                target.c.plan, target.c.key, view.read("balance"), and_then=(view.table, view.key == target.c.key)
            ).where(decision.c.shift != _NOTHING, *left)
            connection.execute(insert(balance).from_select(["plan", "key", "before"], moved))
        values = self._new_values() or {view.key: view.key}
        written = (
            update(view.table)
            .values(values)
            .where(
                target.c.plan == self._kept.number,
                self._tables.same_words(self._kept.layout.words),
                says(decision.c.changes, True),
                view.key == target.c.key,
                *left,
                *self._fresh(),
            )
        )
        return connection.execute(written).rowcount

    def _new_values(self) -> dict[Any, ColumnElement[Any]]:
        """What the columns of an account become: what its decision says, or what they are."""
        decision, view = self._journal.decision, self._view
        values: dict[Any, ColumnElement[Any]] = {}

        def write(field: str, new: ColumnElement[Any], where: ColumnElement[bool] | None) -> None:
            for column, value in view.write(field, new).items():
                if column in values:
                    raise StoreError(
                        f"{field}: the tables keep it in {column}, which another field of the plan writes too"
                    )
                values[column] = value if where is None else case((where, value), else_=column)

        for field in sorted(CHANGEABLE - {"addons"}):
            steps = [_assigned(known, field) for known in self._decisions]
            news = {step.value for step in steps if step is not None}
            if news:
                kind = view.read(field).type
                new = literal(as_raw(*news), kind) if len(news) == 1 else decision.c[f"new_{field}"]
                write(field, new, says(decision.c[f"sets_{field}"], True) if None in steps else None)
        shifts = {_shift(known) for known in self._decisions}
        if shifts - {_NOTHING}:
            balance = view.read("balance")
            shift = literal(next(iter(shifts)), balance.type) if len(shifts) == 1 else decision.c.shift
            moves = decision.c.shift != _NOTHING if _NOTHING in shifts else None
            write("balance", type_coerce(balance + shift, balance.type), moves)
        return values

    def _write_addons(self, connection: Connection, part: _Part, left: Sequence[ColumnElement[bool]]) -> None:
        """Give and take add-ons; where a decision sets them, all others go."""
        if not any("addons" in known.fields for known in self._decisions):
            return
        target, decision, addon = self._journal.target, self._journal.decision, self._journal.addon
        table = self._view.addon_table
        named = and_(addon.c.plan == decision.c.plan, addon.c.grp == decision.c.grp)
        this = addon.c.addon == table.read
        given = select(addon.c.addon).where(named, this, says(addon.c.added, True)).correlate(decision, table.table)
        taken = select(addon.c.addon).where(named, this, says(addon.c.added, False)).correlate(decision, table.table)
        goes = or_(and_(decision.c.new_addons.is_not(None), ~exists(given)), exists(taken))
        accounts = self._changing(target.c.key).where(target.c.key == table.account, *left, goes)
        # Which keys are in a range of texts depends on the collation, which may be another one there.
        number = isinstance(self._view.key.type, Integer | Number)
        within = self._within(connection, part, table.account) if number else ()
        connection.execute(delete(table.table).where(*within, exists(accounts.correlate(table.table))))
        there = select(literal(1)).where(table.account == target.c.key, table.read == addon.c.addon)
        new = self._changing(target.c.key, addon.c.addon, and_then=(addon, named)).where(
            says(addon.c.added, True), *left, ~exists(there.correlate(target, addon))
        )
        connection.execute(insert(table.table).from_select([table.account, table.addon], new))

    def _write_ledger(self, connection: Connection, left: Sequence[ColumnElement[bool]], now: datetime) -> None:
        if not any(known.transactions for known in self._decisions):
            return
        target, decision, entry = self._journal.target, self._journal.decision, self._journal.entry
        ledger = self._view.ledger
        values = {
            "account_id": target.c.account_id,
            "plan_id": literal(self._plan.id, Text()),
            "at": literal(now, Instant()),
            **{
                name: entry.c[name]
                for name in ("kind amount currency comment internal_comment reference distributor").split()
            },
        }
        columns: dict[Any, ColumnElement[Any]] = {ledger.account: target.c.key}
        for name, value in values.items():
            columns |= ledger.write(name, value)
        named = and_(entry.c.plan == decision.c.plan, entry.c.grp == decision.c.grp)
        booked = (
            self._changing(*columns.values(), and_then=(entry, named))
            .where(*left)
            .order_by(target.c.key, entry.c.place)
        )
        connection.execute(insert(ledger.table).from_select(list(columns), booked))

    # Recording.

    def _record_applied(
        self, connection: Connection, part: _Part, left: Sequence[ColumnElement[bool]], now: datetime, applied: int
    ) -> None:
        """Record a range as done, or each account where the part is no range."""
        journal = self._journal
        if isinstance(part, _Range):
            row = {"plan": self._kept.number, "last_key": part.last, "at": now, "applied": applied}
            if applied:
                connection.execute(insert(journal.chunk).values(row))
            return
        target, outcome = journal.target, journal.outcome
        text = outcome.c.outcome.type
        rows = self._changing(
            target.c.plan,
            target.c.key,
            literal(Outcome.APPLIED.value, text),
            literal("", outcome.c.reasons.type),
            literal(now, outcome.c.at.type),
        ).where(*left)
        connection.execute(insert(outcome).from_select(["plan", "key", "outcome", "reasons", "at"], rows))

    def record(self, outcomes: Sequence[AccountOutcome]) -> None:
        """Record outcomes of accounts that have none yet."""
        if outcomes:
            self._database.write(lambda connection: self._record(connection, outcomes))
            self._keys_of.clear()

    def _record(self, connection: Connection, outcomes: Sequence[AccountOutcome]) -> None:
        self._lock_plan(connection)
        keys = [self._keys_of[outcome.account_id] for outcome in outcomes]
        new: set[Any] = set()
        for some in _slices(keys):
            left = self._left(connection, _Keys(some))
            new |= set(connection.execute(self._changing(self._journal.target.c.key).where(*left)).scalars())
        self._insert_outcomes(connection, [outcome for outcome in outcomes if self._keys_of[outcome.account_id] in new])

    def _insert_outcomes(self, connection: Connection, outcomes: Sequence[AccountOutcome]) -> None:
        rows = [
            {
                "plan": self._kept.number,
                "key": self._keys_of[outcome.account_id],
                "outcome": outcome.outcome.value,
                "reasons": dump_reasons(outcome.reasons),
                "at": outcome.at,
            }
            for outcome in outcomes
        ]
        if rows:
            connection.execute(insert(self._journal.outcome), rows)

    def _find_stale(
        self, connection: Connection, left: Sequence[ColumnElement[bool]], now: datetime
    ) -> Sequence[AccountOutcome]:
        """Who is not as it was, and why."""
        target, decision, view = self._journal.target, self._journal.decision, self._view
        fresh = select(view.key).where(view.key == target.c.key, *self._fresh()).correlate(target, decision)
        rows = connection.execute(
            self._targets.rows().where(says(decision.c.changes, True), *left, ~exists(fresh))
        ).all()
        outcomes = []
        for some in _slices(rows):
            keys = [row.key for row in some]
            accounts = dict(read_accounts(connection, view, view.key.in_(keys)))
            charged = {
                (row.key, reference)
                for reference in self._references
                for row in connection.execute(view.charged(reference).where(view.ledger.account.in_(keys)))
            }
            for row in some:
                self._keys_of[row.account_id] = row.key
                outcomes.append(
                    AccountOutcome(
                        account_id=row.account_id,
                        control_number=row.control_number,
                        outcome=Outcome.STALE,
                        reasons=self._why_stale(row, accounts.get(row.key), charged),
                        at=now,
                    )
                )
        return outcomes

    def _why_stale(
        self, row: Row[Any], account: Account | StoreError | None, charged: Collection[tuple[Any, str]]
    ) -> tuple[Reason, ...]:
        if isinstance(account, StoreError):
            return (Reason(field="store", detail=str(account)),)
        same = account if account is not None and account.id == row.account_id else None
        reasons = why_stale(
            self._plan, self._targets.target(row), same, lambda _, reference: (row.key, reference) in charged
        )
        # The database compares exactly what it has, also what no Account can tell apart.
        return reasons or (Reason(field="id", detail="changed since planning"),)

    def outcomes(self) -> StoredOutcomes:
        """One outcome per target, read from the journal when it is looked at."""
        return StoredOutcomes(self._tables, self._database.reading, self._kept)


def _assigned(decision: Decision, field: str) -> Assign | None:
    steps = (step for step in decision.assignments if isinstance(step, Assign) and step.field == field)
    return next(steps, None)


def _shift(decision: Decision) -> Decimal:
    return next((step.amount for step in decision.assignments if isinstance(step, ShiftBalance)), _NOTHING)


def _slices(items: Sequence[Any], size: int = _MOST_KEYS) -> Iterator[Any]:
    return (items[at : at + size] for at in range(0, len(items), size))
