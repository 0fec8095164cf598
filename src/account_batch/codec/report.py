"""Reports as CSV, one row per account, and as JSON."""

import csv
import json
from collections.abc import Iterator
from typing import TextIO

from account_batch.codec.accounts import cell
from account_batch.codec.strict import strict_converter
from account_batch.decision import Outcome
from account_batch.plan import FieldChange, Plan, Target, account_change
from account_batch.questions import Answer
from account_batch.report import AccountOutcome, Report

__all__ = ["dump_report", "write_report"]


def write_report(plan: Plan, report: Report, file: TextIO) -> None:
    """Write what came of every account as CSV: id, control number, outcome, why, and what was old and is new.

    Args:
        plan: The plan that the report is about.
        report: What came of it.
        file: Opened with newline="" and encoding="utf-8".
    """
    fields = sorted({field for group in plan.groups for field in group.decision.fields})
    writer = csv.writer(file)
    values = [f"{field}.{when}" for field in fields for when in ("old", "new")]
    writer.writerow(["account_id", "control_number", "outcome", "codes", "reasons", *values])
    for target, outcome in zip(plan.targets, report.outcomes, strict=True):
        codes = "|".join(reason.code.name for reason in outcome.reasons if reason.code is not None)
        reasons = "; ".join(f"{reason.field}: {reason.detail}" for reason in outcome.reasons)
        changed = {field.field: (field.before, field.after) for field in _written(plan, target, outcome)}
        old_and_new = [cell(value) for field in fields for value in changed.get(field, (None, None))]
        writer.writerow(
            [
                cell(outcome.account_id),
                cell(outcome.control_number),
                outcome.outcome.value,
                codes,
                cell(reasons),
                *old_and_new,
            ]
        )


def dump_report(plan: Plan, report: Report) -> str:
    """What came of every account, as JSON."""
    pack = strict_converter().get_unstructure_hook(Answer)
    accounts = []
    for target, outcome in zip(plan.targets, report.outcomes, strict=True):
        account: dict[str, object] = {
            "account_id": outcome.account_id,
            "control_number": outcome.control_number,
            "outcome": outcome.outcome.value,
            "reasons": [
                {
                    "code": None if reason.code is None else reason.code.name,
                    "field": reason.field,
                    "detail": reason.detail,
                }
                for reason in outcome.reasons
            ],
        }
        if outcome.outcome is Outcome.APPLIED:
            account["fields"] = {
                field.field: {"old": pack(field.before), "new": pack(field.after)}
                for field in _written(plan, target, outcome)
            }
        accounts.append(account)
    counts = {outcome.value: count for outcome, count in report.counts.items()}
    return json.dumps(
        {"plan_id": report.plan_id, "counts": counts, "stopped": report.stopped, "accounts": accounts},
        ensure_ascii=False,
    )


def _written(plan: Plan, target: Target, outcome: AccountOutcome) -> Iterator[FieldChange]:
    """What was old and is new; of the balance, which moves relatively, the true values."""
    if outcome.outcome is not Outcome.APPLIED:
        return
    for field in account_change(target, plan.groups[target.group].decision).fields:
        yield outcome.balance if field.field == "balance" and outcome.balance is not None else field
