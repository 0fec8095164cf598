"""Plan: the frozen target accounts, each with what was decided about it, and what it all comes to."""

import functools
from abc import abstractmethod
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from itertools import islice
from operator import eq
from typing import Generic, Self, TypeVar, overload

import attrs

from account_batch.decision import (
    Decision,
    Effect,
    EffectKind,
    FieldValue,
    NoteCode,
    Outcome,
    Reason,
    RefusalCode,
    Transaction,
    TransactionKind,
    value_after,
)
from account_batch.filters import AccountFilter, ControlNumbers
from account_batch.money import Money, plain
from account_batch.questions import Answer, Question
from account_batch.spec import StatusChange, UpdateSpec

__all__ = [
    "AccountChange",
    "DistributorTotal",
    "FieldChange",
    "Group",
    "HeldTargets",
    "Lazy",
    "Plan",
    "RefusedAccount",
    "Target",
    "Targets",
    "Totals",
    "UnchangedAccount",
    "account_change",
    "canonical",
    "plan_digest",
]


@attrs.frozen(kw_only=True)
class FieldChange:
    """One field of one account, old and new; values as on Account, and never the same."""

    field: str
    before: FieldValue
    after: FieldValue


@attrs.frozen(kw_only=True)
class AccountChange:
    """What a plan does to one account.

    Args:
        fields: Old and new values; a change of money appears as one net change of balance. The balance moves
            relatively at apply, so that its values here are those at planning.
        transactions: The ledger entries that it leaves.
    """

    account_id: str
    control_number: int | None
    fields: tuple[FieldChange, ...]
    transactions: tuple[Transaction, ...]
    effects: tuple[Effect, ...]
    notes: tuple[NoteCode, ...]


@attrs.frozen(kw_only=True)
class RefusedAccount:
    """An account that a plan leaves wholly untouched, and every reason why."""

    account_id: str
    control_number: int | None
    reasons: tuple[Reason, ...]

    @property
    def codes(self) -> frozenset[RefusalCode]:
        """The refusal codes of the reasons."""
        return frozenset(reason.code for reason in self.reasons if reason.code is not None)


@attrs.frozen(kw_only=True)
class UnchangedAccount:
    """An account that has all that the spec sets already."""

    account_id: str
    control_number: int | None
    notes: tuple[NoteCode, ...]


@attrs.frozen(kw_only=True)
class Group:
    """All accounts of a plan with the same facts, and so with the same decision.

    Args:
        facts: What the rules read, in the order of reading: an account is stale iff one of these has changed.
        count: How many accounts of the plan.
    """

    facts: tuple[tuple[Question, Answer], ...]
    decision: Decision
    count: int


@attrs.frozen
class Target:
    """One account of a plan, frozen.

    Args:
        group: The index of its group in the plan.
        before: The values, at planning, of the fields that the decision writes, in its order.
    """

    account_id: str
    control_number: int | None
    group: int
    before: tuple[FieldValue, ...]


@attrs.frozen(kw_only=True)
class DistributorTotal:
    """What a distributor is charged by a plan.

    Args:
        booked: By applying the plan.
        scheduled: Later, when accounts are activated.
        over_limit: Whether what it owes already plus both is beyond its credit limit.
    """

    booked: Money
    scheduled: Money
    over_limit: bool


@attrs.frozen(kw_only=True)
class Totals:
    """What a plan comes to.

    Args:
        counts: Accounts by planned outcome: applied, unchanged, refused.
        refusals: Accounts by refusal code, the most frequent first; one account may have several.
        effects: How many times each effect takes place.
        money: Transactions by currency and kind.
        distributors: Charges by distributor.
        opening_difference: What the opening balances gain together, by currency.
        stranded_funds: Funds left on the debit accounts that are terminated, by currency.
        stranded_debts: Amounts owed on the credit accounts that are terminated, by currency.
        registered: How many of the accounts that are terminated were registered at planning.
    """

    counts: Mapping[Outcome, int]
    refusals: Mapping[RefusalCode, int]
    effects: Mapping[EffectKind, int]
    money: Mapping[tuple[str, TransactionKind], Money]
    distributors: Mapping[str, DistributorTotal]
    opening_difference: Mapping[str, Money]
    stranded_funds: Mapping[str, Money]
    stranded_debts: Mapping[str, Money]
    registered: int


_Item = TypeVar("_Item")


class Lazy(Sequence[_Item], Generic[_Item]):
    """A sequence whose items are made when they are looked at; equal to any sequence of equal items.

    Args:
        length: How many there are.
        make: What makes the item of a place.
    """

    def __init__(self, length: int, make: Callable[[int], _Item]) -> None:
        self._length = length
        self._make = make

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_Item, ...]: ...
    def __getitem__(self, index: int | slice) -> _Item | tuple[_Item, ...]:
        if isinstance(index, slice):
            return tuple(map(self._make, range(self._length)[index]))
        return self._make(range(self._length)[index])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{len(self)} accounts>"


class Targets(Sequence[Target]):
    """The frozen accounts of a plan, in control-number order, then id."""

    @abstractmethod
    def of(self, groups: Collection[int]) -> Sequence[Target]:
        """Those of some groups, in the same order."""

    @abstractmethod
    def example(self, code: RefusalCode, groups: Collection[int]) -> Target:
        """One that is refused with a code, which a summary shows.

        Args:
            code: The code.
            groups: The groups that are refused with it; there is at least one.
        """


class HeldTargets(Lazy[Target], Targets):
    """Targets in memory.

    Args:
        numbers: The group of each.
        make: What makes the target of a place.
    """

    def __init__(self, numbers: Sequence[int], make: Callable[[int], Target]) -> None:
        super().__init__(len(numbers), make)
        self._numbers = numbers

    def of(self, groups: Collection[int]) -> Sequence[Target]:
        """Those of some groups, in the same order."""
        places = array("Q", (place for place, number in enumerate(self._numbers) if number in groups))
        return Lazy(len(places), lambda index: self._make(places[index]))

    def example(self, code: RefusalCode, groups: Collection[int]) -> Target:  # noqa: ARG002  # The groups say it all.
        """The first of some groups."""
        return self._make(next(place for place, number in enumerate(self._numbers) if number in groups))


class _Items(Sequence[_Item], Generic[_Item]):
    """The targets of one planned outcome, as what they are for the reader; found when the first is looked at."""

    def __init__(self, plan: "Plan", planned: Outcome, make: Callable[[Target, Decision], _Item]) -> None:
        self._groups = {number: group for number, group in enumerate(plan.groups) if group.decision.planned is planned}
        self._plan = plan
        self._make = make

    @functools.cached_property
    def _targets(self) -> Sequence[Target]:
        return self._plan.targets.of(self._groups.keys())

    def __len__(self) -> int:
        return sum(group.count for group in self._groups.values())

    def __iter__(self) -> Iterator[_Item]:
        return map(self._item, self._targets)

    @overload
    def __getitem__(self, index: int) -> _Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_Item, ...]: ...
    def __getitem__(self, index: int | slice) -> _Item | tuple[_Item, ...]:
        if isinstance(index, slice):
            return tuple(map(self._item, self._targets[index]))
        return self._item(self._targets[index])

    def _item(self, target: Target) -> _Item:
        return self._make(target, self._groups[target.group].decision)

    __eq__ = Lazy.__eq__
    __hash__ = Lazy.__hash__
    __repr__ = Lazy.__repr__


def account_change(target: Target, decision: Decision) -> AccountChange:
    """What a decision does to a target."""
    return AccountChange(
        account_id=target.account_id,
        control_number=target.control_number,
        fields=tuple(
            FieldChange(field=assignment.field, before=before, after=value_after(assignment, before))
            for assignment, before in zip(decision.assignments, target.before, strict=True)
        ),
        transactions=decision.transactions,
        effects=decision.effects,
        notes=decision.notes,
    )


def _refused(target: Target, decision: Decision) -> RefusedAccount:
    return RefusedAccount(account_id=target.account_id, control_number=target.control_number, reasons=decision.refusals)


def _unchanged(target: Target, decision: Decision) -> UnchangedAccount:
    return UnchangedAccount(account_id=target.account_id, control_number=target.control_number, notes=decision.notes)


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """What will happen to which accounts: made by plan_update or plan_due, confirmed by a person, applied once.

    Two plans are equal if they have the same id and digest.

    Args:
        digest: SHA-256 over filter, spec, decisions and frozen targets; the same for the same decisions about the
            same accounts.
        spec: None for a plan of due activations.
        planned_at: Aware, in UTC.
        valid_until: The instant, in UTC, from which applying is refused; None is never.
        warnings: What a person should think about, in plain words.
        totals: What it comes to.
        groups: The decisions, with the facts that they rest on and their counts.
        targets: The frozen accounts, in control-number order, then id; read from the database that holds them.
        absent: The control numbers that were asked for and are not in the batch.
        store: The identity of the store that it was made on.
        zone_data: The version of the time zone database it was made with.
    """

    id: str
    digest: str
    where: AccountFilter
    spec: UpdateSpec | None
    planned_at: datetime
    valid_until: datetime | None
    actor: str
    reason: str
    warnings: tuple[str, ...]
    totals: Totals
    groups: tuple[Group, ...] = attrs.field(repr=False)
    targets: Targets = attrs.field(repr=False)
    absent: ControlNumbers | None
    store: str
    zone_data: str

    @functools.cached_property
    def changes(self) -> Sequence[AccountChange]:
        """The accounts that will be changed, old to new."""
        return _Items(self, Outcome.APPLIED, account_change)

    @functools.cached_property
    def refused(self) -> Sequence[RefusedAccount]:
        """The accounts that are left wholly untouched, and why."""
        return _Items(self, Outcome.REFUSED, _refused)

    @functools.cached_property
    def unchanged(self) -> Sequence[UnchangedAccount]:
        """The accounts that have all that the spec sets already."""
        return _Items(self, Outcome.UNCHANGED, _unchanged)

    @property
    def terminates(self) -> bool:
        """Whether applying it terminates accounts, which is final."""
        return self.spec is not None and self.spec.status is StatusChange.TERMINATED

    def confirmation(self, *, show_ids: bool = False) -> str:
        """What a person reads before saying yes: irreversible effects first (DESIGN.md section 6).

        Args:
            show_ids: Card ids are PINs, and are masked unless asked for.
        """
        from account_batch.render import render_text  # noqa: PLC0415  # The named exception of DESIGN.md section 8.

        return render_text(self, show_ids=show_ids)

    def to_html(self, *, show_ids: bool = False) -> str:
        """The confirmation as an HTML page of its own.

        Args:
            show_ids: Card ids are PINs, and are masked unless asked for.
        """
        from account_batch.render import render_html  # noqa: PLC0415  # The named exception of DESIGN.md section 8.

        return render_html(self, show_ids=show_ids)

    def to_json(self) -> str:
        """The whole plan as JSON with a format version; ids are not masked."""
        from account_batch.codec.plan import dump_plan  # noqa: PLC0415  # The named exception of DESIGN.md section 8.

        return dump_plan(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan that to_json wrote.

        Raises:
            PlanFormatError: The text is no plan of a known format version.
            DigestMismatchError: The content is not what was written.
        """
        from account_batch.codec.plan import load_plan  # noqa: PLC0415  # The named exception of DESIGN.md section 8.

        return load_plan(cls, text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        return (self.id, self.digest) == (other.id, other.digest)

    def __hash__(self) -> int:
        return hash((self.id, self.digest))


def plan_digest(
    where: AccountFilter,
    spec: UpdateSpec | None,
    groups: Sequence[Group],
    targets: Iterable[tuple[str, int | None, int]],
    overwritten: Iterable[tuple[FieldValue, ...]],
) -> str:
    """The SHA-256 over what a plan decides about whom.

    Args:
        where: The filter.
        spec: The spec, if any.
        groups: The decisions.
        targets: Id, control number and group of each target.
        overwritten: The values of each target that will be overwritten, in the order of its decision's fields. The
            balance is none of them: it moves relatively.
    """
    texts: dict[tuple[FieldValue, ...], str] = {}
    content = sha256(canonical((where, spec, tuple(groups))).encode())
    rest = iter(targets)
    while chunk := list(islice(rest, 10_000)):
        content.update(repr(chunk).encode())
    for values in overwritten:
        text = texts.get(values)
        if text is None:
            text = texts[values] = canonical(values)
        content.update(text.encode())
    return content.hexdigest()


def canonical(value: object) -> str:
    """A text that two values share iff they are the same: what digests are made of.

    Knows the values of this library: no order of a set, no trailing zero and no type that compares equal to another
    comes into it.
    """
    match value:
        case None | bool() | int() | str():
            return repr(value)
        case Enum():
            return f"{type(value).__name__}.{value.name}"
        case Decimal():
            return f"{plain(value)}d"
        case date():
            return value.isoformat()
        case tuple() | list():
            return f"[{','.join(map(canonical, value))}]"
        case frozenset():
            return f"{{{','.join(sorted(map(canonical, value)))}}}"
        case Mapping():
            return f"<{','.join(f'{name!r}:{canonical(value[name])}' for name in sorted(value))}>"
        case _:
            fields = (f"{field.name}={canonical(getattr(value, field.name))}" for field in _fields(value))
            return f"{type(value).__name__}({','.join(fields)})"


def _fields(value: object) -> tuple["attrs.Attribute[object]", ...]:
    kind: type[attrs.AttrsInstance] = type(value)  # type: ignore[assignment]  # attrs.fields refuses all others.
    fields: tuple[attrs.Attribute[object], ...] = attrs.fields(kind)
    return fields
