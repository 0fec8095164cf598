"""Writes: what applying writes to the accounts of a part, as statements over the whole part."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
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

from account_batch.decision import CHANGEABLE, Assign, Decision, Outcome
from account_batch.questions import HasTransaction, Question
from account_batch.stores.sql.journal import BEFORE, Kept, Tables, then
from account_batch.stores.sql.raw import as_raw
from account_batch.stores.sql.translate import conditions
from account_batch.stores.sql.types import Instant, Text
from account_batch.stores.sql.view import is_in, says

__all__ = ["Writes"]


_NOTHING: Final = Decimal(0)


class Writes:
    """The statements of one plan; each takes the conditions that say which of its changing targets are meant."""

    def __init__(self, dialect: str, tables: Tables, kept: Kept) -> None:
        self._dialect = dialect
        self._tables = tables
        self._journal = tables.journal
        self._view = tables.view
        self._kept = kept
        self._plan = kept.plan
        changing = [group for group in self._plan.groups if group.decision.planned is Outcome.APPLIED]
        self._decisions = [group.decision for group in changing]
        asked = {question for group in changing for question, _ in group.facts}
        self._masks = kept.layout.masks(asked)
        self.references = [question.reference for question in asked if isinstance(question, HasTransaction)]
        moves = any(decision.shift for decision in self._decisions)
        # MariaDB's UPDATE locks row by row, in the order of the key, and compares what it locked. That is enough where
        # the facts are columns of the row and nothing was read before.
        self._alone = not moves and all(self._is_column(question) for question in asked)

    def _is_column(self, question: Question) -> bool:
        if isinstance(question, HasTransaction) or "addons" in question.reads:
            return False
        mapped = (self._view.mapping.fields.get(field) for field in question.reads)
        return all(field is None or isinstance(field.read, Column) for field in mapped)

    def changing(
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

    def lock(self, connection: Connection, left: Sequence[ColumnElement[bool]]) -> None:
        """Lock the accounts in the order of the key, before anything about them is read."""
        key, table = self._view.key, self._view.table
        accounts = table, key == self._journal.target.c.key
        if self._dialect == "postgresql":
            rows = self.changing(key, and_then=accounts).where(*left)
            locked = rows.order_by(key).with_for_update(of=table).subquery()
            connection.execute(select(func.count()).select_from(locked)).one()
        elif self._dialect == "mysql" and not self._alone:
            # The order of the join is that of locking: targets are read in the order of their primary key.
            rows = self.changing(func.count(), and_then=accounts).where(*left)
            connection.execute(rows.with_for_update()).one()

    @cached_property
    def fresh(self) -> Sequence[ColumnElement[bool]]:
        """Whether an account is as it was: the facts that were read, and the old values that are no facts."""
        target, decision, view = self._journal.target, self._journal.decision, self._view
        # Tables of the user's may give the key of an account that is gone to another one.
        # SQLite must not look them up by the id for that, and so the id is part of an expression.
        same_id = func.coalesce(view.read("id"), literal("", Text()), type_=Text()) == target.c.account_id
        fresh: list[ColumnElement[bool]] = [same_id]
        for number, word in enumerate(self._kept.layout.expressions(view, self._masks)):
            if self._masks[number]:
                mask = decision.c[f"mask_{number}"]
                fresh.append(word.bitwise_and(mask) == target.c[f"facts_{number}"].bitwise_and(mask))
        for field in BEFORE:
            if field != "balance" and any(field in known.fields for known in self._decisions):
                same = view.read(field).is_not_distinct_from(target.c[f"before_{field}"])
                fresh.append(or_(says(decision.c[f"sets_{field}"], False), same))
        if self._plan.terminates:
            fresh += conditions(self._plan.where, view)
        return fresh

    def fields(
        self, connection: Connection, left: Sequence[ColumnElement[bool]], bounds: Sequence[ColumnElement[bool]]
    ) -> int:
        """Write the fields of the accounts that are fresh, after noting the balances that move; how many they are.

        Args:
            connection: Has the transaction.
            left: Which targets.
            bounds: What is certain of their accounts.
        """
        target, decision, view = self._journal.target, self._journal.decision, self._view
        if any(known.shift for known in self._decisions):
            balance = self._journal.balance
            moved = self.changing(
                target.c.plan, target.c.key, view.read("balance"), and_then=(view.table, view.key == target.c.key)
            ).where(decision.c.shift != _NOTHING, *left, *bounds)
            connection.execute(insert(balance).from_select(["plan", "key", "before"], moved))
        values = self._new_values or {view.key: view.key}
        written = (
            update(view.table)
            .values(values)
            .where(
                target.c.plan == self._kept.number,
                self._tables.same_words(self._kept.layout.words),
                says(decision.c.changes, True),
                view.key == target.c.key,
                *left,
                *bounds,
                *self.fresh,
            )
        )
        return connection.execute(written).rowcount

    @cached_property
    def _new_values(self) -> dict[Any, ColumnElement[Any]]:
        """What the columns of an account become: what its decision says, or what they are."""
        decision, view = self._journal.decision, self._view
        # It was looked at when the plan was made, perhaps with another mapping.
        view.check_columns(dict.fromkeys(field for known in self._decisions for field in known.fields))
        values: dict[Any, ColumnElement[Any]] = {}

        def write(field: str, new: ColumnElement[Any], where: ColumnElement[bool] | None) -> None:
            for column, value in view.write(field, new).items():
                values[column] = value if where is None else case((where, value), else_=column)

        for field in sorted(CHANGEABLE - {"addons"}):
            steps = [_assigned(known, field) for known in self._decisions]
            news = {step.value for step in steps if step is not None}
            if news:
                kind = view.read(field).type
                new = literal(as_raw(*news), kind) if len(news) == 1 else decision.c[f"new_{field}"]
                write(field, new, says(decision.c[f"sets_{field}"], True) if None in steps else None)
        shifts = {known.shift for known in self._decisions}
        if shifts - {_NOTHING}:
            balance = view.read("balance")
            shift = literal(next(iter(shifts)), balance.type) if len(shifts) == 1 else decision.c.shift
            moves = decision.c.shift != _NOTHING if _NOTHING in shifts else None
            write("balance", type_coerce(balance + shift, balance.type), moves)
        return values

    def addons(
        self,
        connection: Connection,
        left: Sequence[ColumnElement[bool]],
        within: Callable[[ColumnElement[Any]], Sequence[ColumnElement[bool]]],
    ) -> None:
        """Give and take add-ons; where a decision sets them, all others that the account had go.

        What somebody else gave or took since they were compared, without locking the account, stays given or taken:
        as if it had come after.

        Args:
            connection: Has the transaction.
            left: Which targets.
            within: The conditions by which the key of an account, in some column, is in the part.
        """
        if not any("addons" in known.fields for known in self._decisions):
            return
        target, decision, addon = self._journal.target, self._journal.decision, self._journal.addon
        table = self._view.addon_table
        named = and_(addon.c.plan == decision.c.plan, addon.c.grp == decision.c.grp)
        this = addon.c.addon == table.read
        given = select(addon.c.addon).where(named, this, says(addon.c.added, True)).correlate(decision, table.table)
        taken = select(addon.c.addon).where(named, this, says(addon.c.added, False)).correlate(decision, table.table)
        set_anew, had = decision.c.new_addons.is_not(None), target.c.before_addons
        goes = or_(and_(set_anew, is_in(table.read, had), ~exists(given)), exists(taken))
        accounts = self.changing(target.c.key).where(target.c.key == table.account, *left, goes)
        connection.execute(delete(table.table).where(*within(table.account), exists(accounts.correlate(table.table))))
        there = select(literal(1)).where(table.account == target.c.key, table.read == addon.c.addon)
        new = self.changing(target.c.key, addon.c.addon, and_then=(addon, named)).where(
            says(addon.c.added, True),
            *left,
            ~and_(set_anew, is_in(addon.c.addon, had)),
            ~exists(there.correlate(target, addon)),
        )
        connection.execute(insert(table.table).from_select([table.account, table.addon], new))

    def ledger(self, connection: Connection, left: Sequence[ColumnElement[bool]], now: datetime) -> None:
        """Book the transactions."""
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
            self.changing(*columns.values(), and_then=(entry, named)).where(*left).order_by(target.c.key, entry.c.place)
        )
        connection.execute(insert(ledger.table).from_select(list(columns), booked))


def _assigned(decision: Decision, field: str) -> Assign | None:
    steps = (step for step in decision.assignments if isinstance(step, Assign) and step.field == field)
    return next(steps, None)
