"""Applying: carries a plan out chunk by chunk, each in one transaction, and records it there.

A chunk is a range of the account key. Its rows are locked in that order, the facts that the decisions rest on and the
old values that they overwrite are compared in the statement that writes, and only if it wrote fewer accounts than are
left in the chunk are the stale ones looked for, recorded, and the chunk written again without them.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    exists,
    func,
    insert,
    literal,
    select,
)

from account_batch.account import Account
from account_batch.decision import Outcome, Reason
from account_batch.errors import ChangeRejectedError, StoreError
from account_batch.plan import Target
from account_batch.report import AccountOutcome
from account_batch.store import Commit, Tally, why_stale
from account_batch.stores.sql.accounts import read_accounts
from account_batch.stores.sql.connect import Database, savepoint
from account_batch.stores.sql.journal import Kept, StoredOutcomes, Tables, dump_reasons
from account_batch.stores.sql.types import Number
from account_batch.stores.sql.view import says
from account_batch.stores.sql.writes import Writes

__all__ = ["SqlWork"]

_MOST_KEYS: Final = 500


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
        self._writes = Writes(database.dialect, tables, kept)
        self._keys_of: dict[str, Any] = {}
        self._canary = self._find_canary(canary)

    # What is left, and what is done.

    def _find_canary(self, count: int) -> tuple[Any, ...]:
        if not count:
            return ()
        changes = says(self._journal.decision.c.changes, True)
        with self._database.reading() as connection:
            rows = self._targets.rows().where(changes).limit(count)
            return tuple(row.key for row in connection.execute(rows))

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
                query = self._writes.changing(key).where(*self._left(connection, _Keys(keys)))
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
            left = self._writes.changing(key).where(*self._left(connection, _Range(None, 0))).order_by(key).limit(size)
            keys = left.subquery()
            last, count = connection.execute(select(func.max(keys.c.key), func.count())).one()
        return _Range(last, count) if count else None

    def _left(self, connection: Connection, part: _Part) -> list[ColumnElement[bool]]:
        """Which changing targets are meant: those of the part that have no outcome."""
        outcome = self._journal.outcome
        meant = _within(part, self._mark(connection), self._journal.target.c.key)
        some = select(outcome.c.key).where(outcome.c.plan == self._kept.number).limit(1)
        if connection.execute(some).first() is not None:
            meant.append(self._not_recorded())
        return meant

    def halves(self, part: _Part) -> Sequence[_Part]:
        """The part in two; what other workers left of it, if they did some of it; nothing where it is one account."""
        key = self._journal.target.c.key
        with self._database.reading() as connection:
            left = self._writes.changing(key).where(*self._left(connection, part))
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
        # Not every optimizer sees that the keys of accounts are in the same range as those of targets. Of texts, which
        # may have another collation there, that is not certain.
        number, mark = isinstance(self._view.key.type, Integer | Number), self._mark(connection)
        bounds = _within(part, mark, self._view.key) if number else []
        self._writes.lock(connection, [*left, *bounds])
        stale: Sequence[AccountOutcome] = ()
        with savepoint(connection) as undo:
            applied = self._writes.fields(connection, left, bounds)
            if applied != part.count:
                undo()
                expected = connection.execute(self._writes.changing(func.count()).where(*left)).scalar_one()
                stale = self._find_stale(connection, left, now)
                self._insert_outcomes(connection, stale)
                left.append(self._not_recorded())
                applied = self._writes.fields(connection, left, bounds)
                if applied != expected - len(stale):
                    raise ChangeRejectedError(
                        "the database wrote fewer accounts than it was told to, and does not say why"
                    )
        self._writes.addons(connection, left, lambda key: _within(part, mark, key) if number else [])
        self._writes.ledger(connection, left, now)
        self._record_applied(connection, part, left, now, applied)
        return stale

    def _lock_plan(self, connection: Connection) -> None:
        """Let one worker at a time apply a plan; SQLite, which has one writer anyway, knows no locks of rows."""
        plan = self._journal.plan
        connection.execute(select(plan.c.number).where(plan.c.number == self._kept.number).with_for_update())

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
        rows = self._writes.changing(
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
            new |= set(connection.execute(self._writes.changing(self._journal.target.c.key).where(*left)).scalars())
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
        fresh = select(view.key).where(view.key == target.c.key, *self._writes.fresh).correlate(target, decision)
        rows = connection.execute(
            self._targets.rows().where(says(decision.c.changes, True), *left, ~exists(fresh))
        ).all()
        outcomes = []
        for some in _slices(rows):
            keys = [row.key for row in some]
            accounts = dict(read_accounts(connection, view, view.key.in_(keys)))
            charged = {
                (row.key, reference)
                for reference in self._writes.references
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


def _within(part: _Part, mark: Any, key: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """Where the keys of a part are, beyond the mark."""
    if isinstance(part, _Keys):
        meant, bounds = [key.in_(part.keys)], [mark]
    else:
        meant, bounds = [key <= part.last] if part.last is not None else [], [mark, part.after]
    return [*meant, *(key > bound for bound in bounds if bound is not None)]


def _slices(items: Sequence[Any], size: int = _MOST_KEYS) -> Iterator[Any]:
    return (items[at : at + size] for at in range(0, len(items), size))
