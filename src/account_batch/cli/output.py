"""What is printed: texts for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from account_batch.codec.plan import totals_document
from account_batch.codec.request import write_filter, write_spec
from account_batch.decision import Outcome
from account_batch.plan import Plan

__all__ = ["Screen", "counts_document", "outcome_lines", "plan_document", "print_json", "print_text", "summary"]


class Screen(Console):
    """The standard output; one that nobody reads any more is an error like any other."""

    def on_broken_pipe(self) -> None:
        """Leave it to whoever runs the command, rather than end the process."""
        raise  # noqa: PLE0704  # It is called while the error is handled.


def print_text(text: str) -> None:
    """Print as it is; on a terminal, headings and warnings stand out."""
    styled = Text()
    for line in text.splitlines(keepends=True):
        heading = line.isupper() and not line.startswith(" ")
        styled.append(line, style="bold" if heading else "bold red" if line.startswith("  !") else "")
    Screen(highlight=False).print(styled, soft_wrap=True, end="")


def print_json(document: object) -> None:
    """Print a document; letters that the output may not have are escaped."""
    ascii_only = str(getattr(sys.stdout, "encoding", None) or "utf-8").lower() not in {"utf-8", "utf8"}
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=ascii_only) + "\n")


def outcome_lines(counts: Mapping[Outcome, int]) -> str:
    """One line for each outcome."""
    return "".join(f"  {outcome.value.replace('_', ' '):<13}  {counts[outcome]}\n" for outcome in Outcome)


def counts_document(plan_id: str, counts: Mapping[Outcome, int]) -> dict[str, Any]:
    """A plan with its accounts by outcome."""
    return {"plan_id": plan_id, "counts": {outcome.value: counts[outcome] for outcome in Outcome}}


def summary(plan: Plan) -> dict[str, Any]:
    """What a plan comes to, by the names of the enums (DESIGN.md section 10)."""
    totals = plan.totals
    counts = {"change": Outcome.APPLIED, "unchanged": Outcome.UNCHANGED, "refused": Outcome.REFUSED}
    return {
        "counts": {name: totals.counts[outcome] for name, outcome in counts.items()},
        "refusals": {code.name: count for code, count in totals.refusals.items()},
        "effects": {kind.name: count for kind, count in totals.effects.items()},
        "totals": totals_document(totals),
        "warnings": list(plan.warnings),
        "absent": None if plan.absent is None else str(plan.absent),
        "planned_at": plan.planned_at.isoformat(),
        "valid_until": None if plan.valid_until is None else plan.valid_until.isoformat(),
        "digest": plan.digest,
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """What a plan is and what it comes to."""
    settings = {} if plan.spec is None else write_spec(plan.spec)
    return {
        "plan_id": plan.id,
        "actor": plan.actor,
        "reason": plan.reason,
        "filter": write_filter(plan.where),
        "update": {name: setting for name, setting in settings.items() if setting != "keep"},
        **summary(plan),
    }
