"""Judging: which outcomes the accounts of a plan may have, as complaints about those that they cannot."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from account_batch.decision import Outcome
from account_batch.plan import Plan
from account_batch.report import AccountOutcome, Report
from account_batch.testing.oracle import Entry, Row, Settings, Where, after, is_stale
from account_batch.testing.plain import NOW

__all__ = ["Complaint", "Made", "Run", "complaints", "complaints_about", "complaints_about_report"]

Complaint: TypeAlias = tuple[str, str]
"""The clause that is broken, and what was seen."""

_LARGEST: Final = Decimal(10) ** 15
_LARGE: Final = Decimal(10) ** 13
_LAST: Final = 2**31
_BAD = frozenset({"stale", "failed"})


@attrs.define(kw_only=True)
class Made:
    """A plan, and what the oracle knows of it.

    Args:
        changing: The accounts that change, in the order of the plan: as they were, and their new values and entries.
        outcomes: What is known to have come of every account.
        crashed: Whether a run was broken off, after which more may be recorded than was seen.
        perhaps_stale: The accounts that it may have recorded as stale.
    """

    name: str
    plan: Plan
    where: Where
    settings: Settings
    changing: Mapping[str, tuple[Row, Mapping[str, Any], tuple[Entry, ...]]]
    outcomes: dict[str, str]
    crashed: bool = False
    perhaps_stale: set[str] = attrs.Factory(set)

    def is_stale(self, name: str, rows: Mapping[str, Row], *, charged: bool) -> bool | None:
        """Whether an account that was to be changed is stale; see oracle.is_stale."""
        then, new, _ = self.changing[name]
        return is_stale(then, rows[name], new, self.where, self.settings, charged=charged)


@attrs.frozen(kw_only=True)
class Run:
    """One go at a plan, to be judged.

    Args:
        found: What came of every account, by this run or an earlier one.
        booked: The accounts that have ledger entries of the plan.
        rows: The accounts as they were before the run.
        stale: Whether an account is stale.
        policy: The arguments of ApplyPolicy.
        may_stop: Whether the run was told to stop, or broken off.
    """

    made: Made
    found: Mapping[str, str]
    booked: AbstractSet[str]
    rows: Mapping[str, Row]
    stale: Callable[[str], bool | None]
    policy: Mapping[str, Any]
    may_stop: bool


def complaints_about_report(made: Made, report: Report, rows: Mapping[str, Row]) -> Iterator[Complaint]:
    """Yield what does not add up in a report: one outcome for each account, in the order of the plan, and the counts.

    Args:
        made: The plan.
        report: What is said of it.
        rows: The accounts.
    """
    names = [item.account_id for item in report.outcomes]
    targets = {*made.changing, *made.outcomes}
    if sorted(names) != sorted(targets):
        yield "outcomes", f"the report has {len(names)} outcomes, for {len(targets)} accounts; each has one"
    numbers = [(rows[name]["control_number"] or _LAST, name) for name in names]
    if numbers != sorted(numbers):
        yield "outcomes", f"they are in the order {names}, and not in that of the plan"
    counts = Counter(item.outcome for item in report.outcomes)
    said = {outcome: count for outcome, count in report.counts.items() if count}
    if said != counts:
        yield "outcomes", f"the counts {said} do not add up to the outcomes, which are {dict(counts)}"


def complaints(run: Run) -> Iterator[Complaint]:
    """Yield what is wrong with the outcomes of a run."""
    made, found = run.made, run.found
    for name, outcome in made.outcomes.items():
        if found[name] != outcome:
            clause = "single use" if name in made.changing else "outcomes"
            yield clause, f"{name!r} was {outcome} in {made.name}, and is said to be {found[name]} now"
    if stray := [name for name in run.booked if found.get(name) != "applied"]:
        yield "ledger", f"{made.name} booked transactions of {stray}, which are not applied"
    new = {name: found[name] for name in made.changing if name not in made.outcomes}
    for name, outcome in new.items():
        if outcome != "not_attempted":
            yield from _about_one(run, name, outcome)
    yield from _about_all(run, new)


def _about_one(run: Run, name: str, outcome: str) -> Iterator[Complaint]:
    made, stale = run.made, run.stale(name)
    if stale is True and outcome != "stale":
        clause = "termination" if "terminated" in made.settings else "staleness"
        yield clause, f"{name!r} has changed, or was charged, since it was planned for, and is said to be {outcome}"
    if stale is False and outcome == "stale" and name not in made.perhaps_stale:
        yield "staleness", f"{name!r} is said to be stale, though nothing that was read has changed"
    if outcome == "failed" and stale is not True and abs(run.rows[name]["balance"]) < _LARGE:
        yield "failures", f"{name!r} is said to have failed, and nothing is in the way"
    then, values, _ = made.changing[name]
    if outcome == "applied" and abs(after(run.rows[name], then, values)["balance"]) >= _LARGEST:
        yield "failures", f"{name!r} is said to be applied, which no account can be"


def _about_all(run: Run, new: Mapping[str, str]) -> Iterator[Complaint]:
    """Whether all together are what the policy allows."""
    left = [name for name, outcome in new.items() if outcome == "not_attempted"]
    if run.policy.get("all_or_nothing"):
        yield from _about_together(run, new, left)
    elif run.policy.get("canary"):
        yield from _about_canary(run, new, left)
    elif left and not run.may_stop:
        yield "chunks", f"{left} are said to be not attempted, and nothing said stop"


def _about_together(run: Run, new: Mapping[str, str], left: list[str]) -> Iterator[Complaint]:
    made = run.made
    bad = [name for name in made.changing if run.found[name] in _BAD]
    applied = [name for name, outcome in new.items() if outcome == "applied"]
    if bad and applied:
        yield "all or nothing", f"{applied} are said to be applied, though {bad} are stale or failed"
    stale = [name for name in left if run.stale(name)]
    stopped_before = made.crashed or any(made.outcomes.get(name) in _BAD for name in made.changing)
    if not stopped_before and (stale or (left and not bad)):
        yield "all or nothing", f"{stale or left} are said to be not attempted, and nobody was in the way"


def _about_canary(run: Run, new: Mapping[str, str], left: list[str]) -> Iterator[Complaint]:
    first = list(run.made.changing)[: run.policy["canary"]]
    spoiled = [name for name in first if run.found[name] != "applied"]
    if spoiled and not run.made.crashed and set(new) - set(first) - set(left):
        yield "canary", f"of the first {len(first)} {spoiled} were not applied, and it went on nevertheless"
    if left and not spoiled and not run.may_stop:
        yield "canary", f"all of the first {len(first)} were applied, and {left} are not attempted"


def complaints_about(made: Made, item: AccountOutcome, row: Row) -> Iterator[Complaint]:
    """Yield what is wrong with what an outcome says of its account: the number, and how the balance moved.

    Args:
        made: The plan.
        item: The outcome.
        row: The account before the run.
    """
    if item.outcome in {Outcome.STALE, Outcome.FAILED, Outcome.REFUSED} and not item.reasons:
        yield "outcomes", f"{item.account_id!r} is {item.outcome.value}, and the outcome does not say why"
    if item.control_number != row["control_number"]:
        yield "outcomes", f"{item.account_id!r} is said to have the control number {item.control_number}"
    if item.outcome is not Outcome.APPLIED or item.account_id in made.outcomes or made.crashed:
        return
    then, new, _ = made.changing[item.account_id]
    moved = (row["balance"], after(row, then, new)["balance"])
    said = None if item.balance is None else (item.balance.before, item.balance.after)
    if said != (None if moved[0] == moved[1] else moved):
        yield "journal", f"the balance of {item.account_id!r} is said to have moved {said}, and it moved {moved}"
    if item.at != NOW:
        yield "journal", f"{item.account_id!r} is said to be applied at {item.at}, and it was {NOW}"
