"""What a storage adapter has to do, and the parts of it that are the same for every storage."""

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attrs

from account_batch.account import Account
from account_batch.decision import Reason, Transaction, TransactionKind, value_after
from account_batch.filters import AccountFilter
from account_batch.money import Money
from account_batch.plan import Plan, Target
from account_batch.questions import answer
from account_batch.report import AccountOutcome

__all__ = [
    "Commit",
    "LedgerEntry",
    "SupportsApply",
    "SupportsRead",
    "account_after",
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
            reasons.setdefault(
                question.about, Reason(field=question.about, detail=f"changed since planning: {question}")
            )
    if plan.terminates and not reasons and not plan.where.matches(account):
        reasons["filter"] = Reason(field="filter", detail="the filter no longer means the account")
    return tuple(reasons.values())


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
