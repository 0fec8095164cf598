"""The commands that apply a plan, and say how far it is."""

import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from account_batch.account import mask
from account_batch.cli.databases import DEFAULT, Store, call, find_plan, kept_plan, opened
from account_batch.cli.files import written
from account_batch.cli.output import counts_document, outcome_lines, print_json, print_text
from account_batch.cli.progress import interruptible, progress_bar
from account_batch.cli.usage import Flag, UnfinishedError, UsageError, instant
from account_batch.codec.report import dump_report, write_report
from account_batch.decision import Outcome
from account_batch.errors import StoreError, StoreLayoutError
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.plan import Plan
from account_batch.render import accounts_in_words, printable
from account_batch.report import AccountOutcome, Report

if TYPE_CHECKING:
    from account_batch.stores.sql import PlanSummary

__all__ = ["apply", "status"]

_SHOWN = 5
_GO_ON = ApplyPolicy()


def apply(
    plan: str,
    /,
    *,
    store: Store = DEFAULT,
    terminate: int | None = None,
    policy: Annotated[ApplyPolicy, Parameter(name="*")] = _GO_ON,
    report: Path | None = None,
    now: str | None = None,
    json: Flag = False,
) -> int:
    """Carry out a plan, or continue it: each account once, however often it is called.

    Args:
        plan: The id of a plan in the store, or a plan file.
        store: The database with the accounts: a URL, or the file of an SQLite database.
        terminate: How many accounts are terminated for ever, said back; asked for on a terminal.
        policy: When to go on, and when to stop.
        report: A file for what came of every account: CSV, or JSON if it is called *.json.
        now: The instant to decide at, like 2026-12-01T09:00:00+01:00; the clock's, if left out.
        json: Print one JSON document.
    """
    at = instant(now)
    again = call(f"apply {shlex.quote(plan)}", store)
    with opened(store) as database, written(report) if report else nullcontext() as file:
        made = find_plan(plan, database)
        changing = made.totals.counts[Outcome.APPLIED]
        left = database.status(made.id)[Outcome.NOT_ATTEMPTED]
        if left and terminate is None and made.terminates and not _expired(made.valid_until, at):
            terminate = _ask_to_terminate(made, changing)
        try:
            with (
                interruptible() as interruption,
                progress_bar("applying", changing - left, changing, interruption) as on_progress,
            ):
                came = apply_plan(
                    made,
                    database,
                    now=at,
                    policy=policy,
                    terminate=terminate,
                    on_progress=on_progress,
                    should_stop=interruption,
                )
        except KeyboardInterrupt:
            raise UnfinishedError(f"stopped at once; what was done is recorded, and {again} continues") from None
        except StoreLayoutError:
            raise
        except StoreError as error:
            raise UnfinishedError(f"{error}; what was done is recorded, and {again} continues") from error
        if file is not None and report is not None:
            if report.suffix == ".json":
                file.write(dump_report(made, came))
            else:
                write_report(made, came, file)
        text = "" if json else "".join(_told(came, again=again, who=call(f"export --plan {came.plan_id}", store)))
    if json:
        print_json({**counts_document(came.plan_id, came.counts), "stopped": came.stopped})
    else:
        print_text(text)
    if came.stopped is not None:
        return 3
    return 0 if came.all_applied else 1


def _expired(valid_until: datetime | None, at: datetime) -> bool:
    return valid_until is not None and at >= valid_until


def _ask_to_terminate(made: Plan, count: int) -> int:
    """Have a person say back how many accounts are terminated.

    Raises:
        UsageError: The person says something else, or there is none.
    """
    accounts = accounts_in_words(count)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"--terminate: the plan terminates {accounts} for ever; --terminate {count} says yes to that")
    sys.stderr.write(f"{made.confirmation()}\nType {count} to terminate {accounts} for ever: ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != str(count):
        raise UsageError(f'"{answer}" is not {count}; nothing was changed')
    return count


def _told(came: Report, *, again: str, who: str) -> Iterator[str]:
    """What came of a run, in words."""
    yield f"Plan {came.plan_id}\n{outcome_lines(came.counts)}"
    if came.counts[Outcome.STALE] or came.counts[Outcome.FAILED]:
        yield "\n"
        yield from map(_example, islice(_bad(came.outcomes), _SHOWN))
    if came.stopped is not None:
        yield f"\nStopped: {printable(came.stopped)}. To continue:\n  {again}\n"
    elif not came.all_applied:
        yield f"\nWhat came of each account, and why:\n  {who}\n"


def _bad(outcomes: Iterable[AccountOutcome]) -> Iterator[AccountOutcome]:
    return (outcome for outcome in outcomes if outcome.outcome in {Outcome.STALE, Outcome.FAILED})


def _example(outcome: AccountOutcome) -> str:
    number = "" if outcome.control_number is None else f"control number {outcome.control_number}, "
    why = "; ".join(f"{reason.field.replace('_', ' ')}: {reason.detail}" for reason in outcome.reasons)
    return printable(f"  !  {number}id {mask(outcome.account_id)}: {outcome.outcome.value}: {why}") + "\n"


def status(plan: str | None = None, /, *, store: Store = DEFAULT, now: str | None = None, json: Flag = False) -> int:
    """Print how far a plan is or, without one, the plans of the store, the newest first.

    Args:
        plan: The id of a plan in the store, or a plan file.
        store: The database with the accounts: a URL, or the file of an SQLite database.
        now: The instant at which plans are expired or not, like 2026-12-01T09:00:00+01:00; the clock's, if left out.
        json: Print one JSON document.
    """
    at = instant(now)
    with opened(store) as database:
        if plan is None:
            return _list(database.plans(), at, json=json)
        made = kept_plan(plan, database)
        counts = database.status(made.id)
        head, _, _ = made.confirmation().partition("\n\n")
    changing, left = made.totals.counts[Outcome.APPLIED], counts[Outcome.NOT_ATTEMPTED]
    expired = _expired(made.valid_until, at)
    state = _state(changing=changing, done=changing - left, applied=counts[Outcome.APPLIED], expired=expired)
    if json:
        print_json({**counts_document(made.id, counts), "state": state})
    else:
        rest = f"\nTo carry it out:\n  {call(f'apply {made.id}', store)}\n" if left and not expired else ""
        print_text(f"{head}\n  {state}\n\n{outcome_lines(counts)}{rest}")
    return 0


def _list(plans: Sequence["PlanSummary"], at: datetime, *, json: bool) -> int:
    """Print some plans."""
    documents = [
        {
            "plan_id": plan.id,
            "planned_at": plan.planned_at.isoformat(),
            "valid_until": None if plan.valid_until is None else plan.valid_until.isoformat(),
            "actor": plan.actor,
            "reason": plan.reason,
            "changing": plan.changing,
            "done": plan.done,
            "applied": plan.applied,
            "state": _state(
                changing=plan.changing, done=plan.done, applied=plan.applied, expired=_expired(plan.valid_until, at)
            ),
        }
        for plan in plans
    ]
    if json:
        print_json(documents)
        return 0
    lines = [f"{'PLAN':<36}  {'PLANNED (UTC)':<16}  {'TO CHANGE':>9}  {'APPLIED':>9}  STATE\n"]
    lines += [
        f"{plan.id}  {plan.planned_at:%Y-%m-%d %H:%M}  {plan.changing:>9}  {plan.applied:>9}  {document['state']}\n"
        for plan, document in zip(plans, documents, strict=True)
    ]
    print_text("".join(lines) if plans else "There are no plans yet.\n")
    return 0


def _state(*, changing: int, done: int, applied: int, expired: bool) -> str:
    """How far a plan is, in a few words."""
    if not changing:
        return "nothing to do"
    if done == changing:
        return "done" if applied == done else f"done, but {done - applied} stale or failed"
    far = "begun" if done else "not applied"
    return f"{far}, expired" if expired else far
