"""What a storage adapter has to do, and the parts of it that are the same for every storage."""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar, runtime_checkable

import attrs

from account_batch.account import Account, AccountKind
from account_batch.decision import Outcome, Reason, Transaction, TransactionKind, value_after
from account_batch.filters import AccountFilter
from account_batch.money import Money, plain
from account_batch.plan import Group, Plan, Target, Targets
from account_batch.questions import Answer, FundsCover, HasTransaction, Question, answer
from account_batch.report import AccountOutcome
from account_batch.spec import UpdateSpec

__all__ = [
    "Commit",
    "Freezer",
    "Holdings",
    "LedgerEntry",
    "SupportsApply",
    "SupportsRead",
    "SupportsSets",
    "Tally",
    "Work",
    "account_after",
    "counts_so_far",
    "ledger_entries",
    "why_stale",
]


@attrs.frozen(kw_only=True)
class LedgerEntry:
    """A transaction (xDR) in the ledger, with the account it was made for and the plan that made it."""

    account_id: str
    plan_id: str
    kind: TransactionKind
    amount: Money
    comment: str
    reference: str | None
    distributor: str | None
    internal_comment: str


class Commit(enum.Enum):
    """When a store keeps what it did in the transaction of one call."""

    ALWAYS = "always"
    IF_ALL_APPLIED = "if_all_applied"
    NEVER = "never"
    """A rehearsal."""


class SupportsRead(Protocol):
    """The role that planning needs."""

    @property
    def identity(self) -> str:
        """A text that only this storage has, the same for as long as its accounts live."""
        ...

    def find(self, where: AccountFilter) -> Iterable[Account]:
        """The accounts for which where.matches holds, each once, in any order.

        Raises:
            StoreError: The storage cannot answer.
        """
        ...

    def charged(self, reference: str) -> Collection[str]:
        """The ids of the accounts that have a ledger entry with this reference.

        Raises:
            StoreError: The storage cannot answer.
        """
        ...


class SupportsApply(SupportsRead, Protocol):
    """The role that applying needs, on top of reading."""

    def outcomes(self, plan_id: str) -> Mapping[str, AccountOutcome]:
        """The recorded outcomes of a plan, by account id.

        Raises:
            StoreError: The storage cannot answer.
        """
        ...

    def apply(
        self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit
    ) -> Sequence[AccountOutcome]:
        """Carry out a plan on some of its targets, in one transaction.

        A target that has a recorded outcome is not touched again: that outcome is returned. Of any other target the
        current account is read; where why_stale finds reasons it is stale, else the fields of account_after and the
        entries of ledger_entries are written. Every outcome is recorded in the same transaction, with now and, where
        the balance moves, its true old and new value.

        With Commit.IF_ALL_APPLIED the transaction is kept only if every outcome is applied, with Commit.NEVER it
        never is; the outcomes returned are those that it would have had.

        Returns:
            One outcome per target, in their order: applied or stale, or what was recorded.

        Raises:
            ChangeRejectedError: Some account of the transaction cannot be written; nothing was kept.
            StoreError: The storage is not available; nothing was kept, and the caller may try again later.
        """
        ...

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> Sequence[AccountOutcome]:
        """Record outcomes of accounts that have none yet, in one transaction.

        Returns:
            What is recorded of each of the accounts now: what was given, or what another worker recorded before.

        Raises:
            StoreError: The storage is not available; nothing was kept.
        """
        ...


@attrs.frozen(kw_only=True)
class Holdings:
    """What the accounts of a plan that is about to terminate them hold together, for one kind and currency.

    Args:
        balance: The sum of their positive balances.
        registered: How many of them are registered right now.
    """

    kind: AccountKind
    currency: str
    balance: Decimal
    registered: int


class Freezer(Protocol):
    """Freezes the targets of one plan: what freezing gives, in the transaction that it opened."""

    def targets(self, groups: Sequence[Group]) -> Targets:
        """The frozen targets, once freeze was called and the groups are known."""
        ...

    def freeze(
        self,
        where: AccountFilter,
        questions: Sequence[Question],
        decide: Callable[[Callable[[Question], Answer]], int | None],
        *,
        only: Question | None,
    ) -> Mapping[int, int]:
        """Freeze the accounts for which where.matches holds, each with the group that it belongs to.

        Args:
            where: Which accounts.
            only: A question; where the answer is no, decide gives None, and need not be called.
            questions: All that decide may ask.
            decide: Gives for the answers of an account the number of its group, or None where it is not in the plan.
                Called about once per distinct answers, never per account.

        Returns:
            The number of targets of each group.

        Raises:
            StoreError: The storage cannot answer.
        """
        ...

    def digest(self, where: AccountFilter, spec: UpdateSpec | None, groups: Sequence[Group]) -> str:
        """The digest of the plan: over the decisions with their counts and, where they are at hand, the targets."""
        ...

    def control_numbers(self, where: AccountFilter | None) -> Iterable[int]:
        """The control numbers of the accounts that a filter means or, without one, of the targets; ascending, once."""
        ...

    def holdings(self, groups: Collection[int]) -> Iterable[Holdings]:
        """What the targets of some groups hold."""
        ...

    def keep(self, plan: Plan) -> None:
        """Keep the plan with its targets."""
        ...


@attrs.frozen(kw_only=True)
class Tally:
    """How far a plan is.

    Args:
        counts: The accounts whose outcomes are recorded, by outcome.
        spoiled: How many of the canaries have an outcome other than applied.
    """

    counts: Mapping[Outcome, int]
    spoiled: int


def counts_so_far(plan: Plan, recorded: Mapping[Outcome, int]) -> dict[Outcome, int]:
    """The accounts of a plan by outcome; every outcome is there, and they add up.

    Args:
        plan: Foresees what is refused and unchanged.
        recorded: The changing accounts whose outcomes are recorded.
    """
    left = len(plan.changes) - sum(recorded.values())
    foreseen = {**plan.totals.counts, Outcome.APPLIED: 0, Outcome.NOT_ATTEMPTED: left}
    return dict.fromkeys(Outcome, 0) | foreseen | dict(recorded)


_Part = TypeVar("_Part")


class Work(Protocol[_Part]):
    """A plan on the store that it was made on: what applying it needs, part by part."""

    def tally(self) -> Tally:
        """What is recorded by now, by any worker."""
        ...

    def parts(self, size: int) -> Iterator[_Part]:
        """Yield the changing accounts that have no outcome: the canaries first, then the rest in parts of a size.

        The next part is found when it is asked for, after what was done about the ones before.
        """
        ...

    def everything(self) -> _Part:
        """All changing accounts that have no outcome, as one part."""
        ...

    def halves(self, part: _Part) -> Sequence[_Part]:
        """The part in two, or what other workers left of it, or nothing where it is one account."""
        ...

    def only(self, part: _Part) -> Target | None:
        """The target of a part of one account; None where it has an outcome by now."""
        ...

    def apply(self, part: _Part, *, now: datetime, commit: Commit) -> Sequence[AccountOutcome]:
        """Carry out the plan on a part, in one transaction; see SupportsApply.apply.

        Returns:
            The outcomes of this part that are not applied.
        """
        ...

    def record(self, outcomes: Sequence[AccountOutcome]) -> None:
        """Record outcomes of accounts that have none yet, in one transaction."""
        ...

    def outcomes(self) -> Sequence[AccountOutcome]:
        """One outcome per target of the plan, in its order; those that are not recorded as the plan foresees them."""
        ...


@runtime_checkable
class SupportsSets(SupportsRead, Protocol):
    """The optional role of storages that work on whole sets: they hold the targets of a plan themselves."""

    def freezing(self, plan_id: str) -> AbstractContextManager[Freezer]:
        """One transaction in which a plan is made; nothing of it is kept unless it ends well.

        Raises:
            StoreError: The storage is not available.
        """
        ...

    def work(self, plan: Plan, canary: int) -> Work[Any]:
        """A plan that was made here, for applying it.

        Args:
            plan: With or without its targets.
            canary: How many of the first changing accounts are tried first.

        Raises:
            PlanError: No such plan is kept here, or it is another one.
        """
        ...


def why_stale(
    plan: Plan, target: Target, account: Account | None, has_transaction: Callable[[str, str], bool]
) -> tuple[Reason, ...]:
    """Why the decision about a target does not hold for the account as it is now; empty if it does.

    An account is stale iff a fact that the rules read has changed, or a value that would be overwritten (the balance
    aside: it moves relatively), or it is gone, or it is to be terminated and its filter no longer means it.

    Args:
        plan: Holds the decision.
        target: What was frozen.
        account: The account now; None if it is gone.
        has_transaction: Says for an account id and a reference whether the ledger has such a transaction.
    """
    if account is None:
        return (Reason(field="id", detail="the account is gone"),)
    group = plan.groups[target.group]
    reasons: dict[str, Reason] = {}
    for field, before in zip(group.decision.fields, target.before, strict=True):
        if field != "balance" and getattr(account, field) != before:
            reasons[field] = Reason(field=field, detail="changed since planning")
    for question, known in group.facts:
        if answer(question, account, has_transaction) != known:
            reasons.setdefault(question.about, Reason(field=question.about, detail=_since_planning(question)))
    if plan.terminates and not reasons and not plan.where.matches(account):
        reasons["filter"] = Reason(field="filter", detail="the filter no longer means the account")
    return tuple(reasons.values())


def _since_planning(question: Question) -> str:
    """What a person would say of an answer that has changed."""
    match question:
        case HasTransaction(reference=reference):
            return f'changed since planning: transactions with the reference "{reference}"'
        case FundsCover(amount=amount):
            return f"changed since planning: whether it covers {plain(amount)}"
        case _:
            return "changed since planning"


def account_after(plan: Plan, target: Target, account: Account) -> Account:
    """The account as the plan leaves it.

    Raises:
        InvalidValueError: No such account can exist, for example for a balance out of range.
    """
    decision = plan.groups[target.group].decision
    changed: dict[str, Any] = {
        step.field: value_after(step, getattr(account, step.field)) for step in decision.assignments
    }
    return attrs.evolve(account, **changed)


def ledger_entries(plan: Plan, target: Target) -> tuple[LedgerEntry, ...]:
    """The ledger entries that a plan leaves for a target."""
    transactions: tuple[Transaction, ...] = plan.groups[target.group].decision.transactions
    return tuple(
        LedgerEntry(
            account_id=target.account_id,
            plan_id=plan.id,
            kind=transaction.kind,
            amount=transaction.amount,
            comment=transaction.comment,
            reference=transaction.reference,
            distributor=transaction.distributor,
            internal_comment=transaction.internal_comment,
        )
        for transaction in transactions
    )
