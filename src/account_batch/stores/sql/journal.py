"""Reading what the journal holds: targets, outcomes and accounts as sequences that are read when they are looked at."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

import attrs
from sqlalchemy import ColumnElement, Connection, FromClause, Join, Row, Select, and_, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from account_batch.codec.strict import strict_converter, structure
from account_batch.decision import Outcome, Reason, RefusalCode
from account_batch.errors import PlanError
from account_batch.money import add
from account_batch.plan import FieldChange, Group, Lazy, Plan, Target, Targets
from account_batch.questions import Value
from account_batch.report import AccountOutcome
from account_batch.stores.sql.layout import Layout
from account_batch.stores.sql.raw import from_raw
from account_batch.stores.sql.schema import Journal
from account_batch.stores.sql.view import View

__all__ = [
    "BEFORE",
    "Kept",
    "Reading",
    "Stored",
    "StoredOutcomes",
    "StoredTargets",
    "Tables",
    "dump_reasons",
    "load_reasons",
]

BEFORE: Final = ("activation_date", "expiration_date", "associated_number", "addons", "balance")
"""The fields whose old values are no facts, and so are frozen with the target."""

_PAGE: Final = 2_000

Reading: TypeAlias = Callable[[], AbstractContextManager[Connection]]

_Item = TypeVar("_Item")


class _Then(Join):
    """A join that reads its left side first, in that order.

    What is left is a range of the primary key; optimizers that know nothing yet of new rows would rather look at every
    target once for each decision.
    """

    inherit_cache = True


@compiles(_Then)
def _write_then(join: _Then, compiler: SQLCompiler, **options: Any) -> str:
    options["asfrom"] = True
    word = {"sqlite": "CROSS JOIN", "postgresql": "JOIN"}.get(compiler.dialect.name, "STRAIGHT_JOIN")
    assert join.onclause is not None  # then() gives it one.
    left, right = (compiler.process(part, **options) for part in (join.left, join.right))
    on = compiler.process(join.onclause, **options | {"asfrom": False})
    return f"{left} {word} {right} ON {on}"


def then(left: FromClause, right: FromClause, on: ColumnElement[bool]) -> FromClause:
    """The join of two tables, the left one read first."""
    return _Then(left, right, on)


@attrs.frozen
class Tables:
    """The tables that a store works on."""

    view: View
    journal: Journal

    def decided(self, words: int) -> FromClause:
        """The targets, each with its decision."""
        return then(self.journal.target, self.journal.decision, self.same_words(words))

    def same_words(self, words: int) -> ColumnElement[bool]:
        """Whether a decision is that of a target."""
        target, decision = self.journal.target, self.journal.decision
        same = (target.c[f"facts_{number}"] == decision.c[f"facts_{number}"] for number in range(words))
        return and_(decision.c.plan == target.c.plan, *same)


class Stored(Sequence[_Item], Generic[_Item]):
    """A sequence in the database, of which only the part that is looked at is read; equal to one with equal items.

    Iterating holds a connection, and reads once; an index or slice is a query of its own.

    Args:
        reading: Opens a connection.
        rows: The ordered query.
        make: What makes an item of a row.
        count: How many there are; counted, if None.
    """

    def __init__(
        self,
        reading: Reading,
        rows: Select[Any],
        make: Callable[[Row[Any]], _Item],
        count: int | None = None,
    ) -> None:
        self._reading = reading
        self._rows = rows
        self._make = make
        self._count = count

    def __len__(self) -> int:
        if self._count is None:
            with self._reading() as connection:
                counted = select(func.count()).select_from(self._rows.order_by(None).subquery())
                return int(connection.execute(counted).scalar_one())
        return self._count

    def __iter__(self) -> Iterator[_Item]:
        options = {"yield_per": _PAGE}
        with self._reading() as connection, connection.execute(self._rows, execution_options=options) as rows:
            yield from map(self._make, rows)

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_Item, ...]: ...
    def __getitem__(self, index: int | slice) -> _Item | tuple[_Item, ...]:
        if isinstance(index, slice):
            places = range(len(self))[index]
            if not places:
                return ()
            found = self._between(min(places), max(places) - min(places) + 1)
            return tuple(found[:: places.step])
        place = range(len(self))[index]
        return self._between(place, 1)[0]

    def _between(self, first: int, count: int) -> list[_Item]:
        with self._reading() as connection:
            return list(map(self._make, connection.execute(self._rows.offset(first).limit(count))))

    __eq__ = Lazy.__eq__
    __hash__ = Lazy.__hash__
    __repr__ = Lazy.__repr__


class StoredTargets(Targets):
    """The targets of a plan in the journal."""

    def __init__(self, tables: Tables, reading: Reading, number: int, groups: Sequence[Group], words: int) -> None:
        self._tables = tables
        self._reading = reading
        self._number = number
        self._groups = groups
        self._words = words
        self._facts = [dict(group.facts) for group in groups]

    def rows(self, *more: ColumnElement[Any]) -> Select[Any]:
        """The targets of the plan with their groups, in its order."""
        target, decision = self._tables.journal.target, self._tables.journal.decision
        return (
            select(
                target.c.key,
                target.c.account_id,
                target.c.control_number,
                decision.c.grp,
                *(target.c[f"before_{field}"] for field in BEFORE),
                *more,
            )
            .select_from(self._tables.decided(self._words))
            .where(target.c.plan == self._number)
            .order_by(target.c.control_number.is_(None), target.c.control_number, target.c.account_id)
        )

    def of(self, groups: Collection[int]) -> Stored[Target]:
        """Those of some groups."""
        grp = self._tables.journal.decision.c.grp
        count = sum(self._groups[number].count for number in groups)
        return Stored(self._reading, self.rows().where(grp.in_(sorted(groups))), self.target, count)

    def example(self, code: RefusalCode, groups: Collection[int]) -> Target:  # noqa: ARG002  # The groups say it all.
        """The one of some groups that is found first."""
        journal = self._tables.journal
        rows = self.rows().where(journal.decision.c.grp.in_(sorted(groups)))
        with self._reading() as connection:
            return self.target(connection.execute(rows.order_by(None).order_by(journal.target.c.key).limit(1)).one())

    def target(self, row: Row[Any]) -> Target:
        """The target that a row is; its old values are facts of the group, or were frozen."""
        facts = self._facts[row.grp]
        before = tuple(
            from_raw(field, getattr(row, f"before_{field}")) if field in BEFORE else facts[Value(field)]
            for field in self._groups[row.grp].decision.fields
        )
        return Target(row.account_id, row.control_number, row.grp, before)

    def _all(self) -> Stored[Target]:
        return Stored(self._reading, self.rows(), self.target, len(self))

    def __len__(self) -> int:
        return sum(group.count for group in self._groups)

    def __iter__(self) -> Iterator[Target]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Target: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Target, ...]: ...
    def __getitem__(self, index: int | slice) -> Target | tuple[Target, ...]:
        return self._all()[index]


class StoredOutcomes(Stored[AccountOutcome]):
    """What came of every target of a plan so far."""

    def __init__(self, tables: Tables, reading: Reading, kept: "Kept") -> None:
        target, outcome, balance = tables.journal.target, tables.journal.outcome, tables.journal.balance
        chunk = tables.journal.chunk
        self._groups = kept.plan.groups
        applied_at = (
            select(chunk.c.at)
            .where(chunk.c.plan == target.c.plan, chunk.c.last_key >= target.c.key)
            .order_by(chunk.c.last_key)
            .limit(1)
            .scalar_subquery()
        )
        columns = (outcome.c.outcome, outcome.c.reasons, outcome.c.at, balance.c.before, applied_at.label("applied_at"))
        rows = (
            kept.targets(tables, reading)
            .rows(*columns)
            .outerjoin(outcome, and_(outcome.c.plan == target.c.plan, outcome.c.key == target.c.key))
            .outerjoin(balance, and_(balance.c.plan == target.c.plan, balance.c.key == target.c.key))
        )
        super().__init__(reading, rows, self._outcome, sum(group.count for group in self._groups))

    def _outcome(self, row: Row[Any]) -> AccountOutcome:
        decision = self._groups[row.grp].decision
        outcome, at, reasons = decision.planned, None, decision.refusals
        if row.outcome is not None:
            outcome, at, reasons = Outcome(row.outcome), row.at, load_reasons(row.reasons)
        elif outcome is Outcome.APPLIED:
            outcome, at = (Outcome.NOT_ATTEMPTED, None) if row.applied_at is None else (outcome, row.applied_at)
        moved = None
        if outcome is Outcome.APPLIED and row.before is not None:
            moved = FieldChange(field="balance", before=row.before, after=add(row.before, decision.shift))
        return AccountOutcome(
            account_id=row.account_id,
            control_number=row.control_number,
            outcome=outcome,
            at=at,
            reasons=reasons,
            balance=moved,
        )


def dump_reasons(reasons: Sequence[Reason]) -> str:
    """Reasons as the journal holds them."""
    return json.dumps(strict_converter().unstructure(list(reasons)), ensure_ascii=False)


def load_reasons(text: str) -> tuple[Reason, ...]:
    """The reasons that dump_reasons wrote."""
    return structure(json.loads(text), tuple[Reason, ...], "reasons") if text else ()


@attrs.frozen
class Kept:
    """A plan in the journal.

    Args:
        plan: Without its targets, but for examples.
        number: What the other tables call it.
        layout: How the answers about its targets are packed.
    """

    plan: Plan
    number: int
    layout: Layout

    @classmethod
    def find(cls, journal: Journal, connection: Connection, plan_id: str, known: Plan | None = None) -> "Kept":
        """The plan of an id.

        Args:
            journal: Where.
            connection: Reads it.
            plan_id: The id.
            known: The plan, where it was made or loaded here; a file is not trusted.

        Raises:
            PlanError: There is none.
        """
        plan = journal.plan
        columns = [plan.c.number, plan.c.layout, *([] if known else [plan.c.document])]
        found = connection.execute(select(*columns).where(plan.c.id == plan_id)).one_or_none()
        if found is None:
            raise PlanError(f"plan {plan_id}: no such plan was made on this store, or it was discarded")
        return cls(known or Plan.from_json(found.document), found.number, Layout.load(found.layout))

    def targets(self, tables: Tables, reading: Reading) -> StoredTargets:
        """Its targets."""
        return StoredTargets(tables, reading, self.number, self.plan.groups, self.layout.words)
