"""Stores that are broken on purpose, each in one way that somebody's first adapter was broken in."""

import fnmatch
import functools
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from types import MappingProxyType
from typing import Any

import attrs
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from account_batch import Account, AccountFilter, AccountState, MemoryStore, Outcome, Registration
from account_batch.errors import ChangeRejectedError
from account_batch.filters import ControlNumbers, TextMatch
from account_batch.plan import Plan, Target
from account_batch.report import AccountOutcome
from account_batch.store import Commit, Holdings, LedgerEntry, Tally, account_after
from account_batch.stores.sql import SqlStore

__all__ = ["BROKEN", "reopened", "sql_store"]

Outcomes = list[AccountOutcome]


def _before(plan: Plan, target: Target) -> dict[str, Any]:
    """The old values that were frozen, by field."""
    return dict(zip(plan.groups[target.group].decision.fields, target.before, strict=True))


class LosesEvery1000thChange(MemoryStore):
    """Says that it was applied."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        before = {target.account_id: self._accounts[target.account_id] for target in targets}
        found = super().apply(plan, targets, now=now, commit=commit)
        for target in targets:
            if target.control_number is not None and target.control_number % 1000 == 999:
                self.put(before[target.account_id])
        return found


class AppliesTwiceOnResume(MemoryStore):
    """Forgets what was done when it is opened again."""

    def reopened(self) -> None:
        self._outcomes.clear()


class IgnoresStaleness(MemoryStore):
    """Writes, whatever has changed."""

    def _try(self, plan: Plan, target: Target, *rest: Any) -> AccountOutcome:
        account = self._accounts[target.account_id]
        fields = plan.groups[target.group].decision.fields
        before = tuple(getattr(account, field) for field in fields)
        bare = attrs.evolve(plan, groups=tuple(attrs.evolve(group, facts=()) for group in plan.groups))
        return super()._try(bare, attrs.evolve(target, before=before), *rest)


class CallsAChangedBalanceStale(MemoryStore):
    """Compares the balance like a fact."""

    def _try(self, plan: Plan, target: Target, now: datetime, *rest: Any) -> AccountOutcome:
        found = super()._try(plan, target, now, *rest)
        before = _before(plan, target)
        account = self._accounts[target.account_id]
        if "balance" in before and before["balance"] != account.balance:
            new, entries = rest
            if new.pop(target.account_id, None) and plan.groups[target.group].decision.transactions:
                entries.pop()
            return attrs.evolve(found, outcome=Outcome.STALE, balance=None)
        return found


class NotAtomicBetweenFieldAndLedger(MemoryStore):
    """Books first, and keeps what it booked where the fields cannot be written."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        new: dict[str, Account] = {}
        entries: list[LedgerEntry] = []
        try:
            return super().apply(plan, targets, now=now, commit=commit)
        except ChangeRejectedError:
            for target in targets[:1]:
                self._try(plan, target, now, new, entries)
            for entry in entries:
                self._book(entry)
            raise


class KeepsTheJournalInATransactionOfItsOwn(MemoryStore):
    """The outcomes of the last chunk are written with the next one; a crash in between loses them."""

    def reopened(self) -> None:
        for recorded in self._outcomes.values():
            for name in list(recorded)[-1:]:
                del recorded[name]


class RunsTheFilterAgainAtApply(MemoryStore):
    """Calls stale whom the filter does not mean any more."""

    def _try(self, plan: Plan, target: Target, *rest: Any) -> AccountOutcome:
        if not plan.where.matches(self._accounts[target.account_id]):
            found = super()._try(plan, target, rest[0], {}, [])
            return attrs.evolve(found, outcome=Outcome.STALE, balance=None)
        return super()._try(plan, target, *rest)


class AddsWhomTheFilterMeansByNow(MemoryStore):
    """Runs UPDATE ... WHERE with the filter."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        found = super().apply(plan, targets, now=now, commit=commit)
        known = {target.account_id for target in plan.targets}
        for account in self.find(plan.where):
            if account.id not in known and targets:
                self.put(account_after(plan, attrs.evolve(targets[0], account_id=account.id), account))
        return found


class TreatsWildcardsAsWildcards(MemoryStore):
    """LIKE."""

    def find(self, where: AccountFilter) -> list[Account]:
        if where.account_id is None:
            return super().find(where)
        pattern = where.account_id.text.replace("%", "*").replace("_", "?")
        pattern += {"exactly": "", "starts_with": "*", "ends_with": "", "contains": "*"}[where.account_id.mode.value]
        if where.account_id.mode.value in {"contains", "ends_with"}:
            pattern = f"*{pattern}"
        others = super().find(attrs.evolve(where, account_id=None))
        return [account for account in others if fnmatch.fnmatchcase(account.id, pattern)]


class ComparesIdsWithoutCase(MemoryStore):
    """A collation that ends in _ci."""

    def find(self, where: AccountFilter) -> list[Account]:
        if where.account_id is None:
            return super().find(where)
        wanted = TextMatch(where.account_id.mode, where.account_id.text.lower())
        others = super().find(attrs.evolve(where, account_id=None))
        return [account for account in others if wanted.matches(account.id.lower())]


class IgnoresTrailingSpaces(MemoryStore):
    """PAD SPACE."""

    def find(self, where: AccountFilter) -> list[Account]:
        if where.batch is None:
            return super().find(where)
        others = super().find(attrs.evolve(where, batch=None))
        return [account for account in others if (account.batch or "").rstrip() == where.batch.rstrip()]


class TakesRangesOffByOne(MemoryStore):
    """Ends ranges before their end."""

    def find(self, where: AccountFilter) -> list[Account]:
        if where.control_numbers is None:
            return super().find(where)
        ranges = where.control_numbers.ranges
        short = [(first, max(first, last - 1)) for first, last in ranges]
        numbers = ControlNumbers(number for first, last in short for number in range(first, last + 1))
        return super().find(attrs.evolve(where, control_numbers=numbers))


class DropsNullInANegatedCriterion(MemoryStore):
    """NOT (NULL = 'x') is not true."""

    def find(self, where: AccountFilter) -> list[Account]:
        found = super().find(where)
        negated = where.used is False or where.registration is Registration.UNREGISTERED
        return [account for account in found if account.last_recharged_on] if negated else found


class FindsAccountsTwice(MemoryStore):
    """A join with the add-ons."""

    def find(self, where: AccountFilter) -> list[Account]:
        return [account for account in super().find(where) for _ in range(max(1, len(account.addons)))]


class KeepsMoneyAsFloat(MemoryStore):
    """REAL."""

    def _write(self, account: Account) -> None:
        super()._write(attrs.evolve(account, balance=Decimal(float(account.balance)).quantize(Decimal("0.001"))))


class MovesDatesThroughTheZoneOfTheServer(MemoryStore):
    """Midnight there is the day before here, where the clocks changed."""

    def _write(self, account: Account) -> None:
        day = account.expiration_date
        if day == date(2027, 3, 28):
            day -= timedelta(days=1)
        super()._write(attrs.evolve(account, expiration_date=day))


class ForgetsStaleAccounts(MemoryStore):
    """Tries them again."""

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> Outcomes:
        super().record(plan, [outcome for outcome in outcomes if outcome.outcome is not Outcome.STALE])
        return list(outcomes)


class ReportsFailedAsApplied(MemoryStore):
    """Swallows the error."""

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> Outcomes:
        fine = [
            attrs.evolve(one, outcome=Outcome.APPLIED, reasons=()) if one.outcome is Outcome.FAILED else one
            for one in outcomes
        ]
        return super().record(plan, fine)


class AllOrNothingThatIsNot(MemoryStore):
    """Commits what it can."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        commit = Commit.ALWAYS if commit is Commit.IF_ALL_APPLIED else commit
        return super().apply(plan, targets, now=now, commit=commit)


class KeepsRehearsals(MemoryStore):
    """Commits what was only to be tried."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        commit = Commit.ALWAYS if commit is Commit.NEVER else commit
        return super().apply(plan, targets, now=now, commit=commit)


class LosesTheEndOfAChunk(MemoryStore):
    """BETWEEN a AND b - 1."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        found = super().apply(plan, targets[:-1] if len(targets) > 1 else targets, now=now, commit=commit)
        if len(targets) > 1:
            last = super().apply(plan, targets[-1:], now=now, commit=Commit.NEVER)
            found += self.record(plan, last) if commit is Commit.ALWAYS else last
        return found


class TouchesClosedAccounts(MemoryStore):
    """Sets the language of the whole batch."""

    def _commit(self, plan: Plan, new: Mapping[str, Account], *rest: Any) -> None:
        super()._commit(plan, new, *rest)
        languages = {account.ivr_language for account in new.values()}
        for account in list(self._accounts.values()):
            if account.state is AccountState.CLOSED and account.batch == plan.where.batch and languages:
                self.put(attrs.evolve(account, ivr_language=max(languages, key=str)))


class MixesUpTwoPlans(MemoryStore):
    """One journal for all."""

    def outcomes(self, _plan_id: str) -> Mapping[str, AccountOutcome]:
        return {name: one for recorded in self._outcomes.values() for name, one in recorded.items()}


class WritesTheWholeAccountAsItWasPlanned(MemoryStore):
    """Loses what others wrote since."""

    def _try(self, plan: Plan, target: Target, now: datetime, new: dict[str, Account], *rest: Any) -> AccountOutcome:
        found = super()._try(plan, target, now, new, *rest)
        before = _before(plan, target)
        if target.account_id in new and "balance" in before:
            old = attrs.evolve(self._accounts[target.account_id], balance=before["balance"])
            new[target.account_id] = account_after(plan, target, old)
        return found


class ChargesAReferenceAgainAtApply(MemoryStore):
    """Looks for it when planning only."""

    def _has_transaction(self, _account_id: str, _reference: str) -> bool:
        return False


class ForgetsReferences(ChargesAReferenceAgainAtApply):
    """Charges whom it charged."""

    def charged(self, _reference: str) -> Collection[str]:
        return frozenset()


class BooksTwice(MemoryStore):
    """Once for the account, and once for the distributor."""

    def _book(self, entry: LedgerEntry) -> None:
        super()._book(entry)
        if entry.distributor is not None:
            super()._book(entry)


class LosesTheInternalComment(MemoryStore):
    """It is nobody's business."""

    def _book(self, entry: LedgerEntry) -> None:
        super()._book(attrs.evolve(entry, internal_comment=""))


class TellsThePlannedBalance(MemoryStore):
    """And not the true one."""

    def _try(self, plan: Plan, target: Target, *rest: Any) -> AccountOutcome:
        found = super()._try(plan, target, *rest)
        if found.balance is None:
            return found
        before = _before(plan, target)["balance"]
        return attrs.evolve(found, balance=attrs.evolve(found.balance, before=before))


class ForgetsThePlan(MemoryStore):
    """Keeps another one."""

    def load(self, plan_id: str) -> Plan:
        return attrs.evolve(super().load(plan_id), digest="0" * 16)


class BreaksOff(MemoryStore):
    """A defect of its own."""

    def find(self, where: AccountFilter) -> list[Account]:
        if where.contact:
            raise KeyError("contact")
        return super().find(where)


class LosesTheComment(MemoryStore):
    """A ledger without a column for it."""

    def _book(self, entry: LedgerEntry) -> None:
        super()._book(attrs.evolve(entry, comment=""))


class AddsAddonsInsteadOfReplacingThem(MemoryStore):
    """Never deletes a row."""

    def _commit(self, plan: Plan, new: Mapping[str, Account], *rest: Any) -> None:
        kept = {
            name: attrs.evolve(account, addons=account.addons | self._accounts[name].addons)
            for name, account in new.items()
        }
        super()._commit(plan, kept, *rest)


class HasOneIdentityForAll(MemoryStore):
    """A constant."""

    @property
    def identity(self) -> str:
        return "the store"


class ChangesItsIdentity(MemoryStore):
    """One for each process."""

    def reopened(self) -> None:
        self._identity = f"memory:{uuid.uuid4()}"


class ComparesReferencesWithoutCase(MemoryStore):
    """A collation that ends in _ci."""

    def charged(self, reference: str) -> Collection[str]:
        alike = [known for known in self._charged if known.lower() == reference.lower()]
        return {name for known in alike for name in super(ComparesReferencesWithoutCase, self).charged(known)}


class AppliesWhatIsRecorded(MemoryStore):
    """Leaves it to the executor to ask."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        kept = self._outcomes.pop(plan.id, {})
        try:
            return super().apply(plan, targets, now=now, commit=commit)
        finally:
            self._outcomes[plan.id] = {**kept, **self._outcomes.get(plan.id, {})}


class RecordsOverWhatIsRecorded(MemoryStore):
    """INSERT OR REPLACE."""

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> Outcomes:
        self._plans.setdefault(plan.id, plan)
        self._outcomes.setdefault(plan.id, {}).update({one.account_id: one for one in outcomes})
        return list(outcomes)


class ComparesWithWhatItSawFirst(MemoryStore):
    """Reads all accounts when a run begins."""

    _seen: Mapping[str, Account] = MappingProxyType({})

    def outcomes(self, plan_id: str) -> Mapping[str, AccountOutcome]:
        self._seen = dict(self._accounts)
        return super().outcomes(plan_id)

    def _try(self, plan: Plan, target: Target, *rest: Any) -> AccountOutcome:
        now = self._accounts
        self._accounts = {**now, target.account_id: self._seen.get(target.account_id, now[target.account_id])}
        try:
            return super()._try(plan, target, *rest)
        finally:
            self._accounts = now


class BooksWhatLooksAlikeOnce(MemoryStore):
    """A unique key that is too short."""

    def _book(self, entry: LedgerEntry) -> None:
        booked = [(one.account_id, one.amount, one.kind) for known in self._ledger.values() for one in known]
        if (entry.account_id, entry.amount, entry.kind) not in booked:
            super()._book(entry)


class BooksPositiveAmountsOnly(MemoryStore):
    """UNSIGNED."""

    def _book(self, entry: LedgerEntry) -> None:
        amount = attrs.evolve(entry.amount, amount=abs(entry.amount.amount))
        super()._book(attrs.evolve(entry, amount=amount))


class TakesAThousandAtOnce(MemoryStore):
    """IN (...) with a limit."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        found = super().apply(plan, targets[:1000], now=now, commit=commit)
        rest = super().apply(plan, targets[1000:], now=now, commit=Commit.NEVER)
        return [*found, *self.record(plan, rest)]


class WritesNoNull(MemoryStore):
    """COALESCE(new, old)."""

    def _commit(self, plan: Plan, new: Mapping[str, Account], *rest: Any) -> None:
        kept = {}
        for name, account in new.items():
            before = self._accounts[name]
            fields = ("site", "time_zone", "expiration_date", "availability_days", "ivr_language", "distributor")
            lost: dict[str, Any] = {field: getattr(before, field) for field in fields if not getattr(account, field)}
            kept[name] = attrs.evolve(account, **lost)
        super()._commit(plan, kept, *rest)


class ForgetsWhoFailed(MemoryStore):
    """When it is opened again."""

    def reopened(self) -> None:
        for recorded in self._outcomes.values():
            for name in [name for name, one in recorded.items() if one.outcome is Outcome.FAILED]:
                del recorded[name]


class TellsNoReasons(MemoryStore):
    """Stale, and that is it."""

    def _try(self, plan: Plan, target: Target, *rest: Any) -> AccountOutcome:
        return attrs.evolve(super()._try(plan, target, *rest), reasons=())


class RejectsSomebody(MemoryStore):
    """A trigger that nobody remembers."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        if any(target.account_id == "a3" for target in targets):
            raise ChangeRejectedError("a3")
        return super().apply(plan, targets, now=now, commit=commit)


class DoesNothingTogether(MemoryStore):
    """A transaction that was never begun."""

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> Outcomes:
        return super().apply(plan, () if commit is Commit.IF_ALL_APPLIED else targets, now=now, commit=commit)


class TellsNoNumber(MemoryStore):
    """A report without control numbers."""

    def _try(self, plan: Plan, target: Target, *rest: Any) -> AccountOutcome:
        return attrs.evolve(super()._try(plan, target, *rest), control_number=None)


class TellsTheTimeOfTheServer(MemoryStore):
    """CURRENT_TIMESTAMP."""

    def _try(self, plan: Plan, target: Target, now: datetime, *rest: Any) -> AccountOutcome:
        return super()._try(plan, target, now + timedelta(hours=1), *rest)


class LosesAccounts(MemoryStore):
    """INSERT IGNORE."""

    def add(self, accounts: Iterable[Account]) -> None:
        super().add(account for account in accounts if account.id.strip() == account.id)


class PlansOnOldValues(MemoryStore):
    """A replica that is behind."""

    def find(self, where: AccountFilter) -> list[Account]:
        found = super().find(where)
        if where == AccountFilter(batch="B"):
            return [attrs.evolve(account, ivr_language="uk") for account in found]
        return found


# Stores that work on sets are broken in the part of it that they do themselves.


def sql_store(accounts: Iterable[Account], kind: type[SqlStore] = SqlStore) -> SqlStore:
    """A store in the memory of the process."""
    store = kind(create_engine("sqlite://", poolclass=StaticPool)).create()
    store.add(accounts)
    return store


class _Wrapped:
    """Work, some of which is done otherwise."""

    def __init__(self, work: Any) -> None:
        self._work = work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


class _WorksOtherwise(SqlStore):
    """A store with work of its own."""

    _Work = _Wrapped

    def work(self, plan: Plan, canary: int) -> Any:
        return self._Work(super().work(plan, canary))


class ForgetsRefusedAccounts(_WorksOtherwise):
    """Has no outcomes for them."""

    class _Work(_Wrapped):
        def outcomes(self) -> list[AccountOutcome]:
            return [one for one in self._work.outcomes() if one.outcome is not Outcome.REFUSED]


class IgnoresTheCanary(_WorksOtherwise):
    """Goes on, whatever came of it."""

    class _Work(_Wrapped):
        def tally(self) -> Tally:
            found: Tally = attrs.evolve(self._work.tally(), spoiled=0)
            return found


class TellsOutcomesInAnyOrder(_WorksOtherwise):
    """The last one first."""

    class _Work(_Wrapped):
        def outcomes(self) -> list[AccountOutcome]:
            return list(reversed(self._work.outcomes()))


class EndsAfterTheCanary(SqlStore):
    """Whatever came of it."""

    class _Work(_Wrapped):
        def parts(self, size: int) -> Any:
            return islice(self._work.parts(size), 1)

    def work(self, plan: Plan, canary: int) -> Any:
        work = super().work(plan, canary)
        return self._Work(work) if canary == 3 else work


class _StrandsTwice(_Wrapped):
    def holdings(self, groups: Collection[int]) -> list[Holdings]:
        return [attrs.evolve(one, balance=one.balance * 2) for one in self._work.holdings(groups)]


class StrandsMoneyTwice(SqlStore):
    """A join with the add-ons."""

    @contextmanager
    def freezing(self, plan_id: str) -> Iterator[Any]:
        with super().freezing(plan_id) as freezer:
            yield _StrandsTwice(freezer)


class StopsAfterTheFirstChunk(_WorksOtherwise):
    """Finds no second one."""

    class _Work(_Wrapped):
        def parts(self, size: int) -> Any:
            for part in self._work.parts(size):
                yield part
                return


def reopened(store: Any) -> Any:
    """The same store, after whatever it forgets when its process ends."""
    if hasattr(store, "reopened"):
        store.reopened()
    return store


Make = Callable[[Sequence[Account]], Any]

BROKEN: dict[str, tuple[Make, str]] = {
    kind.__name__: (functools.partial(sql_store, kind=kind) if issubclass(kind, SqlStore) else kind, clause)
    for kind, clause in {
        LosesEvery1000thChange: "applying",
        AppliesTwiceOnResume: "single use",
        IgnoresStaleness: "staleness",
        CallsAChangedBalanceStale: "staleness",
        NotAtomicBetweenFieldAndLedger: "ledger",
        KeepsTheJournalInATransactionOfItsOwn: "single use",
        RunsTheFilterAgainAtApply: "staleness",
        AddsWhomTheFilterMeansByNow: "nothing else",
        TreatsWildcardsAsWildcards: "reading",
        ComparesIdsWithoutCase: "reading",
        IgnoresTrailingSpaces: "reading",
        TakesRangesOffByOne: "reading",
        DropsNullInANegatedCriterion: "reading",
        FindsAccountsTwice: "reading",
        KeepsMoneyAsFloat: "reading",
        MovesDatesThroughTheZoneOfTheServer: "reading",
        ForgetsStaleAccounts: "single use",
        ReportsFailedAsApplied: "failures",
        AllOrNothingThatIsNot: "all or nothing",
        KeepsRehearsals: "all or nothing",
        LosesTheEndOfAChunk: "applying",
        TouchesClosedAccounts: "nothing else",
        MixesUpTwoPlans: "two plans",
        WritesTheWholeAccountAsItWasPlanned: "applying",
        ForgetsReferences: "planning",
        BooksTwice: "ledger",
        LosesTheComment: "ledger",
        LosesTheInternalComment: "ledger",
        TellsThePlannedBalance: "journal",
        ForgetsThePlan: "journal",
        BreaksOff: "errors",
        ChargesAReferenceAgainAtApply: "staleness",
        ComparesReferencesWithoutCase: "planning",
        AppliesWhatIsRecorded: "single use",
        RecordsOverWhatIsRecorded: "single use",
        ComparesWithWhatItSawFirst: "staleness",
        BooksWhatLooksAlikeOnce: "ledger",
        BooksPositiveAmountsOnly: "ledger",
        TakesAThousandAtOnce: "applying",
        WritesNoNull: "applying",
        ForgetsWhoFailed: "single use",
        TellsNoReasons: "outcomes",
        StrandsMoneyTwice: "planning",
        RejectsSomebody: "failures",
        DoesNothingTogether: "all or nothing",
        TellsNoNumber: "outcomes",
        TellsTheTimeOfTheServer: "journal",
        LosesAccounts: "reading",
        PlansOnOldValues: "planning",
        TellsOutcomesInAnyOrder: "outcomes",
        EndsAfterTheCanary: "canary",
        AddsAddonsInsteadOfReplacingThem: "applying",
        HasOneIdentityForAll: "identity",
        ChangesItsIdentity: "identity",
        ForgetsRefusedAccounts: "outcomes",
        IgnoresTheCanary: "canary",
        StopsAfterTheFirstChunk: "chunks",
    }.items()
}
