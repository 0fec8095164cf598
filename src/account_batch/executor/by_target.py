"""TargetByTarget: applies a plan to the storages that know one account after the other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from account_batch.decision import Outcome
from account_batch.plan import Plan, Target
from account_batch.report import AccountOutcome
from account_batch.store import Commit, SupportsApply, Tally

__all__ = ["TargetByTarget"]

_Part: TypeAlias = Sequence[Target]


class TargetByTarget:
    """The targets of a plan, and what is recorded of them; see store.Work."""

    def __init__(self, plan: Plan, store: SupportsApply, canary: int) -> None:
        self._plan = plan
        self._store = store
        self._recorded: dict[str, AccountOutcome] = {}
        self._counts: Counter[Outcome] = Counter()
        self._remember(store.outcomes(plan.id).values())
        self._foreseen = [group.decision.planned for group in plan.groups]
        self._canary = {target.account_id for target in islice(self._changing(), canary)}

    def tally(self) -> Tally:
        """What is recorded, as far as it was seen."""
        known = [self._recorded[name] for name in self._canary & self._recorded.keys()]
        return Tally(counts=dict(self._counts), spoiled=len(_not_applied(known)))

    def parts(self, size: int) -> Iterator[_Part]:
        """Yield the canary first, then what is left."""
        left = self._left()
        canary = len(self._canary - self._recorded.keys())
        for targets in (islice(left, canary), left):
            while part := tuple(islice(targets, size)):
                yield part

    def everything(self) -> _Part:
        """All that is left."""
        return tuple(self._left())

    def halves(self, part: _Part) -> Sequence[_Part]:
        """The part in two."""
        half = len(part) // 2
        return (part[:half], part[half:]) if half else ()

    def only(self, part: _Part) -> Target:
        """The only target."""
        return part[0]

    def apply(self, part: _Part, *, now: datetime, commit: Commit) -> Sequence[AccountOutcome]:
        """Have the store apply a part."""
        outcomes = self._store.apply(self._plan, part, now=now, commit=commit)
        bad = _not_applied(outcomes)
        if commit is Commit.ALWAYS or (commit is Commit.IF_ALL_APPLIED and not bad):
            self._remember(outcomes)
        return bad

    def record(self, outcomes: Sequence[AccountOutcome]) -> None:
        """Have the store record outcomes, unless others were recorded."""
        self._remember(self._store.record(self._plan, outcomes))

    def outcomes(self) -> Sequence[AccountOutcome]:
        """One outcome per target, also those that other workers recorded."""
        self._remember(self._store.outcomes(self._plan.id).values())
        return tuple(map(self._outcome, self._plan.targets))

    def _remember(self, outcomes: Iterable[AccountOutcome]) -> None:
        for outcome in outcomes:
            if outcome.account_id not in self._recorded:
                self._recorded[outcome.account_id] = outcome
                self._counts[outcome.outcome] += 1

    def _outcome(self, target: Target) -> AccountOutcome:
        recorded = self._recorded.get(target.account_id)
        if recorded is not None:
            return recorded
        foreseen = self._foreseen[target.group]
        return AccountOutcome(
            account_id=target.account_id,
            control_number=target.control_number,
            outcome=Outcome.NOT_ATTEMPTED if foreseen is Outcome.APPLIED else foreseen,
            reasons=self._plan.groups[target.group].decision.refusals,
        )

    def _changing(self) -> Iterator[Target]:
        return (target for target in self._plan.targets if self._foreseen[target.group] is Outcome.APPLIED)

    def _left(self) -> Iterator[Target]:
        return (target for target in self._changing() if target.account_id not in self._recorded)


def _not_applied(outcomes: Sequence[AccountOutcome]) -> list[AccountOutcome]:
    return [outcome for outcome in outcomes if outcome.outcome is not Outcome.APPLIED]
