"""Report: what came of every account of a plan."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from account_batch.decision import Outcome, Reason
from account_batch.plan import FieldChange

__all__ = ["AccountOutcome", "Report"]


@attrs.frozen(kw_only=True)
class AccountOutcome:
    """What came of one account of a plan, and why.

    Args:
        at: When it was recorded, in UTC; None where the plan foresaw it.
        balance: The true old and new balance, where it moved: it moves relatively, whatever it is by then.
        reasons: Of a refusal, of staleness or of a failure; empty for what went well.
    """

    account_id: str
    control_number: int | None
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    at: datetime | None = None
    balance: FieldChange | None = None


@attrs.frozen(kw_only=True)
class Report:
    """What came of every account of a plan.

    Args:
        counts: Accounts by outcome; every outcome is there, and they add up to the plan's accounts.
        outcomes: One per account, in the order of the plan.
        stopped: Why it ended before every account was attempted; None if it did not.
    """

    plan_id: str
    counts: Mapping[Outcome, int]
    outcomes: Sequence[AccountOutcome] = attrs.field(repr=False)
    stopped: str | None

    @property
    def all_applied(self) -> bool:
        """Whether every account was applied, or had it all already."""
        return self.counts[Outcome.APPLIED] + self.counts[Outcome.UNCHANGED] == len(self.outcomes)
