"""Planning: freezes the targets of a plan in one statement, and has each distinct set of answers decided once."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from typing import Any, Final, assert_never

import attrs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
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

from account_batch.account import AccountKind
from account_batch.codec.plan import dump_plan
from account_batch.decision import CHANGEABLE, AlterAddons, Assign, Outcome, ShiftBalance
from account_batch.errors import StoreError
from account_batch.filters import AccountFilter
from account_batch.plan import Group, Plan, plan_digest
from account_batch.questions import Answer, Equals, FundsCover, IsSet, Question, Value
from account_batch.spec import UpdateSpec
from account_batch.store import Holdings
from account_batch.stores.sql.connect import Database
from account_batch.stores.sql.journal import BEFORE, Reading, StoredTargets, Tables
from account_batch.stores.sql.layout import Layout, Words, digit_questions, raw_value
from account_batch.stores.sql.raw import Raw, as_raw
from account_batch.stores.sql.schema import WORDS
from account_batch.stores.sql.translate import conditions, holds
from account_batch.stores.sql.types import Amount

__all__ = ["SqlFreezer"]

_OPENING: Final = Value("opening_balance")
_SAMPLE: Final = 2_000
_ROUNDS: Final = 20
_AT_ONCE: Final = 200


class SqlFreezer:
    """The targets of one plan in the transaction that makes it; see store.Freezer."""

    def __init__(self, database: Database, tables: Tables, connection: Connection, plan_id: str) -> None:
        self._database = database
        self._tables = tables
        self._view = tables.view
        self._journal = tables.journal
        self._connection = connection
        made = connection.execute(insert(self._journal.plan).values(id=plan_id)).inserted_primary_key
        assert made is not None  # One row was inserted.
        self._number = int(made[0])
        self._layout = Layout(())
        self._groups: dict[Words, int] = {}
        self._counts: Counter[int] = Counter()

    def targets(self, groups: Sequence[Group]) -> StoredTargets:
        """Read from the database when they are looked at."""
        return self._stored(self._database.reading, groups)

    def _stored(self, reading: Reading, groups: Sequence[Group]) -> StoredTargets:
        return StoredTargets(self._tables, reading, self._number, groups, self._layout.words)

    def freeze(
        self,
        where: AccountFilter,
        questions: Sequence[Question],
        decide: Callable[[Callable[[Question], Answer]], int | None],
        *,
        only: Question | None,
    ) -> Mapping[int, int]:
        """Freeze the accounts that the filter means."""
        means = [*conditions(where, self._view), *([] if only is None else [holds(only, self._view)])]
        # An opening balance may be another one for every account, and is seldom asked for unless it is to be corrected.
        corrects = any(isinstance(question, FundsCover) and question.opening is not None for question in questions)
        asked = [question for question in questions if corrects or question != _OPENING]
        try:
            self._decide_all(self._grouped(means, asked), decide)
        except KeyError:
            self._forget()
            self._decide_all(self._grouped(means, questions), decide)
        return self._counts

    def _decide_all(
        self,
        grouped: Iterable[tuple[Words, int]],
        decide: Callable[[Callable[[Question], Answer]], int | None],
    ) -> None:
        """Have every distinct set of answers decided, and forget the targets that are not in the plan.

        Raises:
            KeyError: The rules ask for what was left out.
        """
        numbers = [(words, count, decide(self._layout.answers(words))) for words, count in grouped]
        passed_over = [words for words, _, number in numbers if number is None]
        for words, count, number in numbers:
            if number is not None:
                self._groups[words] = number
                self._counts[number] += count
        for at in range(0, len(passed_over), _AT_ONCE):
            self._forget(or_(*(self._has(words) for words in passed_over[at : at + _AT_ONCE])))

    def _grouped(self, means: Sequence[ColumnElement[bool]], questions: Sequence[Question]) -> list[tuple[Words, int]]:
        """Freeze what is meant, and count the targets with the same words.

        Accounts with values that were not known yet are learnt from, taken back and frozen again, until none is left;
        what such an account is by then is what is frozen.
        """
        known = self._learn(select(*self._digits(questions)).where(*means).limit(_SAMPLE), questions)
        self._layout = Layout.of(questions, known)
        self._insert(means, questions, again=False)
        for _ in range(_ROUNDS):
            grouped = self._count()
            unknown = {place.question: place for words, _ in grouped for place in self._layout.unknown(words)}
            if not unknown:
                return grouped
            target, view = self._journal.target, self._view
            missing = [target.c[f"facts_{place.word}"].bitwise_and(place.mask) == 0 for place in unknown.values()]
            joined = (
                select(*self._digits(questions))
                .join_from(target, view.table, target.c.key == view.key)
                .where(target.c.plan == self._number, or_(*missing))
                .distinct()
            )
            for question, values in self._learn(joined, questions).items():
                known[question] = list(dict.fromkeys([*known[question], *values]))
            learnt = self._layout.learn(known)
            if learnt is None:
                learnt = Layout.of(questions, known)
                self._forget()
            else:
                self._forget(or_(*missing))
            self._layout = learnt
            self._insert(means, questions, again=True)
        raise StoreError("the accounts change faster than they can be planned; try again when it is quieter")

    def _digits(self, questions: Sequence[Question]) -> list[ColumnElement[Raw]]:
        return [raw_value(question, self._view) for question in digit_questions(questions)]

    def _learn(self, query: Select[tuple[Raw, ...]], questions: Sequence[Question]) -> dict[Question, list[Raw]]:
        """The values that the rows of a query have."""
        asked = digit_questions(questions)
        rows = [tuple(row) for row in self._connection.execute(query)]
        return {question: list(dict.fromkeys(row[at] for row in rows)) for at, question in enumerate(asked)}

    def _insert(self, means: Sequence[ColumnElement[bool]], questions: Sequence[Question], *, again: bool) -> None:
        target, view = self._journal.target, self._view
        words = {f"facts_{number}": word for number, word in enumerate(self._layout.expressions(view))}
        before = {f"before_{field}": view.read(field) for field in _overwritable(questions)}
        columns = {
            "plan": literal(self._number),
            "key": view.key,
            "account_id": view.read("id"),
            "control_number": view.read("control_number"),
            **words,
            **before,
        }
        rows = select(*(value.label(name) for name, value in columns.items())).select_from(view.table).where(*means)
        if again:
            there = select(target.c.key).where(target.c.plan == self._number, target.c.key == view.key)
            rows = rows.where(~exists(there.correlate(view.table)))
        self._connection.execute(insert(target).from_select(list(columns), rows))

    def _count(self) -> list[tuple[Words, int]]:
        target, words = self._journal.target, self._words()
        query = select(*words, func.count()).where(target.c.plan == self._number).group_by(*words).order_by(*words)
        return [(tuple(row[:-1]), row[-1]) for row in self._connection.execute(query)]

    def _forget(self, which: ColumnElement[bool] | None = None) -> None:
        target = self._journal.target
        gone = delete(target).where(target.c.plan == self._number)
        self._connection.execute(gone if which is None else gone.where(which))

    def _has(self, words: Words) -> ColumnElement[bool]:
        return and_(*(column == word for column, word in zip(self._words(), words, strict=True)))

    def _words(self) -> list[ColumnElement[Any]]:
        return [self._journal.target.c[f"facts_{number}"] for number in range(self._layout.words)]

    def digest(self, where: AccountFilter, spec: UpdateSpec | None, groups: Sequence[Group]) -> str:
        """The digest over the decisions with their counts."""
        return plan_digest(where, spec, groups, (), ())

    def control_numbers(self, where: AccountFilter | None) -> Iterator[int]:
        """The control numbers of the accounts that a filter means or, without one, of the targets."""
        target, view = self._journal.target, self._view
        number: ColumnElement[int]
        if where is None:
            number = target.c.control_number
            query = select(number).where(target.c.plan == self._number)
        else:
            number = view.read("control_number")
            query = select(number).select_from(view.table).where(*conditions(where, view))
        query = query.where(number.is_not(None)).distinct().order_by(number)
        yield from self._connection.execute(query, execution_options={"yield_per": 10_000}).scalars()

    def holdings(self, groups: Collection[int]) -> Iterator[Holdings]:
        """What the targets of some groups hold."""
        target, view, words = self._journal.target, self._view, self._words()
        kind, currency, balance = (view.read(field) for field in ("kind", "currency", "balance"))
        nothing = literal(Decimal(0), Amount())
        query = (
            select(
                *words,
                kind,
                currency,
                type_coerce(func.sum(case((balance > nothing, balance), else_=nothing)), Amount()),
                func.sum(case((view.read("registered"), 1), else_=0)),
            )
            .join_from(target, view.table, target.c.key == view.key)
            .where(target.c.plan == self._number)
            .group_by(*words, kind, currency)
        )
        for row in self._connection.execute(query):
            if self._groups[tuple(row[: len(words)])] in groups:
                kind_text, code, total, registered = row[len(words) :]
                yield Holdings(kind=AccountKind(kind_text), currency=code, balance=total, registered=int(registered))

    def keep(self, plan: Plan) -> None:
        """Write the plan, and its decisions in the form that applies them set-wise."""
        self._view.check(plan.spec, [group.decision for group in plan.groups])
        journal, number = self._journal, self._number
        rows = [
            self._decision(place, words, group, plan.groups[group])
            for place, (words, group) in enumerate(self._groups.items())
        ]
        if rows:
            self._connection.execute(insert(journal.decision), rows)
        if entries := list(self._entries(plan.groups)):
            self._connection.execute(insert(journal.entry), entries)
        if addons := list(self._addons(plan.groups)):
            self._connection.execute(insert(journal.addon), addons)
        if self._database.dialect == "postgresql":
            # It knows nothing yet of what was just written, and would look at every decision for each target.
            for table in (journal.target, journal.decision):
                name = self._connection.dialect.identifier_preparer.format_table(table)
                self._connection.exec_driver_sql(f"ANALYZE {name}")
        targets = self._stored(lambda: nullcontext(self._connection), plan.groups)
        changing = sum(group.count for group in plan.groups if group.decision.planned is Outcome.APPLIED)
        self._connection.execute(
            update(journal.plan)
            .where(journal.plan.c.number == number)
            .values(
                document=dump_plan(attrs.evolve(plan, targets=targets)),
                layout=self._layout.dump(),
                planned_at=plan.planned_at,
                valid_until=plan.valid_until,
                actor=plan.actor,
                reason=plan.reason,
                changing=changing,
            )
        )

    def _decision(self, place: int, words: Words, number: int, group: Group) -> dict[str, object]:
        """How a group is applied, and which part of the words makes it stale."""
        decision = group.decision
        masks = self._layout.masks(question for question, _ in group.facts)
        row: dict[str, object] = {
            "plan": self._number,
            "number": place,
            "grp": number,
            "changes": decision.planned is Outcome.APPLIED,
            "shift": Decimal(0),
            **{f"facts_{at}": words[at] if at < len(words) else 0 for at in range(WORDS)},
            **{f"mask_{at}": masks[at] if at < len(masks) else 0 for at in range(WORDS)},
            **{f"sets_{field}": False for field in CHANGEABLE},
            **{f"new_{field}": None for field in CHANGEABLE},
        }
        for step in decision.assignments:
            match step:
                case Assign(field="addons"):
                    row |= {"sets_addons": True, "new_addons": as_raw(step.value)}
                case Assign(field=field, value=value):
                    row[f"sets_{field}"] = True
                    row[f"new_{field}"] = as_raw(value)
                case ShiftBalance(amount=amount):
                    row["shift"] = amount
                case AlterAddons():
                    row["sets_addons"] = True
                case _:
                    assert_never(step)
        return row

    def _entries(self, groups: Sequence[Group]) -> Iterator[dict[str, object]]:
        """The transactions of each group."""
        for number, group in enumerate(groups):
            for place, transaction in enumerate(group.decision.transactions):
                yield {
                    "plan": self._number,
                    "grp": number,
                    "place": place,
                    "kind": transaction.kind.value,
                    "amount": transaction.amount.amount,
                    "currency": transaction.amount.currency,
                    "comment": transaction.comment,
                    "internal_comment": transaction.internal_comment,
                    "reference": transaction.reference,
                    "distributor": transaction.distributor,
                }

    def _addons(self, groups: Sequence[Group]) -> Iterator[dict[str, object]]:
        """The add-ons that each group gives and takes; where a group sets them, all others go."""
        for number, group in enumerate(groups):
            for step in group.decision.assignments:
                added: Iterable[str] = ()
                removed: Iterable[str] = ()
                if isinstance(step, AlterAddons):
                    added, removed = step.added, step.removed
                elif isinstance(step, Assign) and isinstance(step.value, frozenset):
                    added = step.value
                for addon in sorted(added):
                    yield {"plan": self._number, "grp": number, "addon": addon, "added": True}
                for addon in sorted(removed):
                    yield {"plan": self._number, "grp": number, "addon": addon, "added": False}


def _overwritable(questions: Iterable[Question]) -> list[str]:
    """The fields of BEFORE that the decisions may write: those that the rules compare with what they set."""
    asked = tuple(questions)
    compared = {question.field for question in asked if isinstance(question, Equals)}
    # Clearing asks whether there is something to clear. Whether there is an activation date is of interest to other
    # rules too, and clearing it compares it as well.
    compared |= {question.field for question in asked if isinstance(question, IsSet)} - {"activation_date"}
    moves = any(isinstance(question, FundsCover) for question in asked)
    return [field for field in BEFORE if field in compared or (field == "balance" and moves)]
