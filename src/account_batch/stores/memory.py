"""MemoryStore: accounts in the memory of the process; the reference for every other store."""

import functools
import threading
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from account_batch.account import Account, mask
from account_batch.decision import Outcome
from account_batch.errors import ChangeRejectedError, InvalidValueError, StoreError
from account_batch.filters import AccountFilter
from account_batch.plan import FieldChange, Plan, Target
from account_batch.report import AccountOutcome
from account_batch.store import Commit, LedgerEntry, account_after, ledger_entries, why_stale

__all__ = ["MemoryStore"]


class MemoryStore:
    """Accounts in memory, for tests and scripts; safe to use from several threads.

    >>> MemoryStore([]).find(AccountFilter())
    []

    Raises:
        InvalidValueError: Two accounts have the same id.
    """

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self._identity = f"memory:{uuid.uuid4()}"
        self._lock = threading.RLock()
        self._accounts: dict[str, Account] = {}
        self._batches: dict[str | None, dict[str, None]] = defaultdict(dict)
        self._ledger: dict[str, list[LedgerEntry]] = defaultdict(list)
        self._charged: dict[str, set[str]] = defaultdict(set)
        self._plans: dict[str, Plan] = {}
        self._outcomes: dict[str, dict[str, AccountOutcome]] = {}
        self.add(accounts)

    @property
    def identity(self) -> str:
        """A text that only this store has, for as long as it lives."""
        return self._identity

    def add(self, accounts: Iterable[Account]) -> None:
        """Add new accounts, all of them or, if an id is there already, none.

        Raises:
            InvalidValueError: An id is there already, or comes twice.
        """
        with self._lock:
            new: dict[str, Account] = {}
            for account in accounts:
                _check(account)
                if account.id in new or account.id in self._accounts:
                    raise InvalidValueError(f"account.id: {mask(account.id)} is there already; put() replaces")
                new[account.id] = account
            for account in new.values():
                self._write(account)

    def put(self, account: Account) -> None:
        """Add an account, or replace the one with its id."""
        _check(account)
        with self._lock:
            self._write(account)

    def find(self, where: AccountFilter) -> list[Account]:
        """The accounts that the filter means, in the order of adding."""
        with self._lock:
            if where.batch is None:
                found: Iterable[Account] = self._accounts.values()
            else:
                found = map(self._accounts.__getitem__, self._batches.get(where.batch, ()))
            for criterion in where.criteria():
                found = filter(criterion, found)
            return list(found)

    def charged(self, reference: str) -> Collection[str]:
        """The ids of the accounts that have a ledger entry with this reference."""
        with self._lock:
            return frozenset(self._charged.get(reference, ()))

    def transactions(self, plan_id: str) -> list[LedgerEntry]:
        """The ledger entries that a plan made, in the order of making."""
        with self._lock:
            return list(self._ledger.get(plan_id, ()))

    def outcomes(self, plan_id: str) -> Mapping[str, AccountOutcome]:
        """The recorded outcomes of a plan, by account id."""
        with self._lock:
            return dict(self._outcomes.get(plan_id, {}))

    def load(self, plan_id: str) -> Plan:
        """The plan that outcomes were recorded of: who, when, why, filter, spec, old and new.

        Raises:
            StoreError: No such plan was applied here.
        """
        with self._lock:
            if plan_id not in self._plans:
                raise StoreError(f'no plan "{plan_id}" was applied here')
            return self._plans[plan_id]

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> list[AccountOutcome]:
        """Carry out a plan on some of its targets, in one transaction; see SupportsApply.

        Raises:
            ChangeRejectedError: An account would become one that cannot exist; nothing was kept.
        """
        with self._lock:
            recorded = self._outcomes.get(plan.id, {})
            new: dict[str, Account] = {}
            entries: list[LedgerEntry] = []
            outcomes = [
                recorded.get(target.account_id) or self._try(plan, target, now, new, entries) for target in targets
            ]
            applied = all(outcome.outcome is Outcome.APPLIED for outcome in outcomes)
            if commit is Commit.ALWAYS or (commit is Commit.IF_ALL_APPLIED and applied):
                self._commit(plan, new, entries, outcomes)
            return outcomes

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> list[AccountOutcome]:
        """Record outcomes of accounts that have none yet; see SupportsApply."""
        with self._lock:
            self._plans.setdefault(plan.id, plan)
            recorded = self._outcomes.setdefault(plan.id, {})
            return [recorded.setdefault(outcome.account_id, outcome) for outcome in outcomes]

    def _commit(
        self,
        plan: Plan,
        new: Mapping[str, Account],
        entries: Iterable[LedgerEntry],
        outcomes: Sequence[AccountOutcome],
    ) -> None:
        """Keep all of it or, whatever interrupts, nothing."""
        before = [self._accounts[account_id] for account_id in new]
        booked = len(self._ledger[plan.id])
        attempted = [outcome for outcome in outcomes if outcome.account_id not in self._outcomes.get(plan.id, {})]
        try:
            for account in new.values():
                self._write(account)
            for entry in entries:
                self._book(entry)
            self.record(plan, outcomes)
        except BaseException:
            for account in before:
                self._write(account)
            for entry in self._ledger[plan.id][booked:]:
                if entry.reference is not None:
                    self._charged[entry.reference].discard(entry.account_id)
            del self._ledger[plan.id][booked:]
            for outcome in attempted:
                self._outcomes.get(plan.id, {}).pop(outcome.account_id, None)
            raise

    def _try(
        self, plan: Plan, target: Target, now: datetime, new: dict[str, Account], entries: list[LedgerEntry]
    ) -> AccountOutcome:
        outcome = functools.partial(
            AccountOutcome, account_id=target.account_id, control_number=target.control_number, at=now
        )
        account = self._accounts.get(target.account_id)
        reasons = why_stale(plan, target, account, self._has_transaction)
        if reasons or account is None:
            return outcome(outcome=Outcome.STALE, reasons=reasons)
        try:
            after = account_after(plan, target, account)
        except InvalidValueError as error:
            raise ChangeRejectedError(f"control number {target.control_number}: {error}") from error
        new[account.id] = after
        entries.extend(ledger_entries(plan, target))
        moved = account.balance != after.balance
        balance = FieldChange(field="balance", before=account.balance, after=after.balance) if moved else None
        return outcome(outcome=Outcome.APPLIED, balance=balance)

    def _has_transaction(self, account_id: str, reference: str) -> bool:
        return account_id in self._charged.get(reference, ())

    def _write(self, account: Account) -> None:
        before = self._accounts.get(account.id)
        if before is not None and before.batch != account.batch:
            del self._batches[before.batch][account.id]
        self._accounts[account.id] = account
        self._batches[account.batch][account.id] = None

    def _book(self, entry: LedgerEntry) -> None:
        self._ledger[entry.plan_id].append(entry)
        if entry.reference is not None:
            self._charged[entry.reference].add(entry.account_id)


def _check(account: object) -> None:
    if not isinstance(account, Account):
        raise InvalidValueError(f"account: {account!r} is no Account")
