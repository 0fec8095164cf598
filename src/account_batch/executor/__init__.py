"""The executor: applies exactly the frozen targets of a plan, each at most once, and never decides."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from account_batch.calendar import as_instant
from account_batch.decision import Outcome, Reason
from account_batch.errors import ChangeRejectedError, GuardError, InvalidValueError, PlanError, PlanExpiredError
from account_batch.executor.by_target import TargetByTarget
from account_batch.frozen import FrozenMapping
from account_batch.plan import Plan, Target
from account_batch.report import AccountOutcome, Report
from account_batch.store import Commit, SupportsApply, SupportsSets, Work, counts_so_far

__all__ = ["ApplyPolicy", "apply_plan"]


_Part = TypeVar("_Part")


def _whole(value: object, *, least: int) -> bool:
    return type(value) is int and value >= least


@attrs.frozen(kw_only=True)
class ApplyPolicy:
    """When to go on, and when to stop.

    >>> ApplyPolicy(canary=100, stop_after_percent=1)
    ApplyPolicy(all_or_nothing=False, chunk_size=10000, stop_after=None, stop_after_percent=1, canary=100, \
over_credit_limit=False)

    Args:
        all_or_nothing: One transaction: any stale or failed account rolls everything back.
        chunk_size: How many accounts each transaction changes.
        stop_after: Stop once so many accounts are stale or failed.
        stop_after_percent: Stop once some accounts are stale or failed, and they are at least this percentage of those
            attempted.
        canary: Try so many changing accounts first; anything not applied among them stops.
        over_credit_limit: Whether distributors may end up owing more than their credit limit.

    Raises:
        InvalidValueError: A value is of the wrong type or range.
    """

    all_or_nothing: bool = False
    chunk_size: int = 10_000
    stop_after: int | None = None
    stop_after_percent: float | None = None
    canary: int = 0
    over_credit_limit: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense."""
        percent = self.stop_after_percent
        checks = {
            "all_or_nothing": isinstance(self.all_or_nothing, bool),
            "chunk_size": _whole(self.chunk_size, least=1),
            "stop_after": self.stop_after is None or _whole(self.stop_after, least=1),
            "stop_after_percent": percent is None or (type(percent) in {int, float} and 0 <= percent <= 100),
            "canary": _whole(self.canary, least=0),
            "over_credit_limit": isinstance(self.over_credit_limit, bool),
        }
        for name, valid in checks.items():
            if not valid:
                raise InvalidValueError(f"policy.{name}: {getattr(self, name)!r} makes no sense")


def apply_plan(
    plan: Plan,
    store: SupportsApply | SupportsSets,
    *,
    now: datetime,
    policy: ApplyPolicy = ApplyPolicy(),
    terminate: int | None = None,
    on_progress: Callable[[int, int], object] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Report:
    """Apply a plan: its frozen targets only, each in one transaction with its ledger entries, each at most once.

    Applying again continues with what was not attempted and returns the recorded outcomes of the rest, so that
    neither a crash nor a lost reply nor a second worker ever changes or charges an account twice.

    Args:
        plan: What a person said yes to.
        store: The store that it was made on.
        now: Aware.
        policy: When to stop; by default nothing but the storage stops it.
        terminate: The number of accounts that the plan terminates, said back.
        on_progress: Called after every chunk with the number of changing accounts that are done, and of all.
        should_stop: Asked before every chunk; True ends the run, which can be continued.

    Raises:
        PlanError: The plan was made on another store.
        PlanExpiredError: It is past its valid_until, and something is left to do.
        GuardError: terminate is not the number of terminations, or a distributor would be over its credit limit.
        StoreError: The storage is not available; what was done is recorded, and applying again continues.
        InvalidValueError: now has no time zone.
    """
    now = as_instant(now, "now")
    if not isinstance(plan, Plan):
        raise PlanError(f"plan: {plan!r} is no Plan")
    if not isinstance(policy, ApplyPolicy):
        raise InvalidValueError(f"policy: {policy!r} is no ApplyPolicy")
    if store.identity != plan.store:
        raise PlanError(f"plan {plan.id} was made on the store {plan.store}, and cannot be applied to {store.identity}")
    work: Work[Any]
    if isinstance(store, SupportsSets):
        work = store.work(plan, policy.canary)
    else:
        work = TargetByTarget(plan, store, policy.canary)
    run = _Run(plan, work, policy, now)
    if run.left:
        _check_guards(plan, now, policy, terminate)
        run.go(on_progress or _ignore_progress, should_stop or _never)
    return run.report()


def _ignore_progress(_done: int, _total: int) -> None:
    """Do nothing; the default reporter."""


def _never() -> bool:
    return False


def _check_guards(plan: Plan, now: datetime, policy: ApplyPolicy, terminate: int | None) -> None:
    if plan.valid_until is not None and now >= plan.valid_until:
        raise PlanExpiredError(f"plan {plan.id} was valid until {plan.valid_until:%Y-%m-%d %H:%M} UTC: plan again")
    ends = len(plan.changes) if plan.terminates else 0
    said_back = type(terminate) is int and terminate == ends
    if not said_back and (ends or terminate is not None):
        said = "the number was not said back" if terminate is None else f"{terminate!r} was said back"
        raise GuardError(f"terminate: the plan terminates {ends} accounts, and {said}")
    over = [name for name, total in plan.totals.distributors.items() if total.over_limit]
    if over and not policy.over_credit_limit:
        raise GuardError(f"over_credit_limit: {', '.join(over)} would owe more than the credit limit allows")


class _Run(Generic[_Part]):
    """One go at a plan."""

    def __init__(self, plan: Plan, work: Work[_Part], policy: ApplyPolicy, now: datetime) -> None:
        self._now = now
        self._plan = plan
        self._work = work
        self._policy = policy
        self._stopped: str | None = None
        self._total = len(plan.changes)
        self._tally = work.tally()

    @property
    def left(self) -> int:
        """How many changing accounts have no outcome."""
        return self._total - sum(self._tally.counts.values())

    def go(self, on_progress: Callable[[int, int], object], should_stop: Callable[[], bool]) -> None:
        """Attempt what is left, transaction by transaction, until something says stop."""
        together = self._policy.all_or_nothing
        for part in [self._work.everything()] if together else self._work.parts(self._policy.chunk_size):
            self._stopped = "the caller said stop" if should_stop() else self._why_stop()
            if self._stopped:
                return
            if together:
                self._attempt_together(part)
            else:
                self._bisect(part, Commit.ALWAYS)
            self._tally = self._work.tally()
            on_progress(self._total - self.left, self._total)
        self._stopped = self._why_stop() if self.left else None

    def report(self) -> Report:
        """What came of every account so far, also by other workers."""
        outcomes = self._work.outcomes()
        self._tally = self._work.tally()
        return Report(
            plan_id=self._plan.id,
            counts=FrozenMapping(counts_so_far(self._plan, self._tally.counts)),
            outcomes=outcomes,
            stopped=self._stopped,
        )

    def _why_stop(self) -> str | None:
        """What of the policy says stop, given everything that is recorded, by this run or an earlier one."""
        policy, counts = self._policy, self._tally.counts
        attempted = sum(counts.values())
        bad = attempted - counts.get(Outcome.APPLIED, 0)
        if policy.all_or_nothing and bad:
            return f"all or nothing: {bad} accounts are stale or failed"
        if policy.stop_after is not None and bad >= policy.stop_after:
            return f"stop_after: {bad} accounts are stale or failed"
        percent = policy.stop_after_percent
        if percent is not None and bad and bad * 100 >= percent * attempted:
            return f"stop_after_percent: {bad} of {attempted} attempted accounts are stale or failed"
        spoiled = self._tally.spoiled
        return f"canary: {spoiled} of the first {policy.canary} accounts are stale or failed" if spoiled else None

    def _attempt_together(self, part: _Part) -> None:
        """Apply everything in one transaction; if that cannot be, record no more than who was in the way."""
        try:
            culprits = list(self._work.apply(part, now=self._now, commit=Commit.IF_ALL_APPLIED))
        except ChangeRejectedError:
            culprits = self._bisect(part, Commit.NEVER)
            if not culprits:  # What was in the way is gone by now, and nothing was kept: the caller may try again.
                raise
        self._work.record(culprits)

    def _bisect(self, part: _Part, commit: Commit) -> list[AccountOutcome]:
        """Apply a part, or both halves of it where the storage rejects some account, which then fails alone.

        Returns:
            What is not applied; it is recorded before anything behind it is attempted.
        """
        try:
            return list(self._work.apply(part, now=self._now, commit=commit))
        except ChangeRejectedError as error:
            halves = self._work.halves(part)
            if not halves:
                target = self._work.only(part)
                failed = [] if target is None else [_failed(target, error, self._now)]
                if commit is Commit.ALWAYS:
                    self._work.record(failed)
                return failed
        return [outcome for half in halves for outcome in self._bisect(half, commit)]


def _failed(target: Target, error: ChangeRejectedError, now: datetime) -> AccountOutcome:
    return AccountOutcome(
        account_id=target.account_id,
        control_number=target.control_number,
        outcome=Outcome.FAILED,
        at=now,
        reasons=(Reason(field="store", detail=str(error)),),
    )
