"""The commands."""

import importlib.metadata
import importlib.resources
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.text import Text

from account_batch.account import Account
from account_batch.catalog import Catalog
from account_batch.codec.accounts import read_accounts
from account_batch.codec.catalog import parse_catalog
from account_batch.codec.plan import totals_document
from account_batch.codec.request import as_written, parse_request, request_schema
from account_batch.codec.strict import parse_instant
from account_batch.decision import Outcome
from account_batch.errors import AccountBatchError, FormatError, SpecError, StoreError
from account_batch.executor import apply_plan
from account_batch.filters import AccountFilter
from account_batch.plan import Plan
from account_batch.planner import plan_update
from account_batch.render import printable
from account_batch.report import Report
from account_batch.spec import UpdateSpec
from account_batch.stores.memory import MemoryStore

__all__ = ["run"]

app = App(
    name="account-batch",
    help="Change many telecom accounts of a batch at once: plan, confirm, apply once.",
    version=lambda: importlib.metadata.version("account-batch"),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

_Json = Annotated[bool, Parameter(name="--json", negative="")]
_ShowIds = Annotated[bool, Parameter(negative="")]


def run(arguments: Sequence[str]) -> int:
    """Run a command; whatever is wrong is said in one line, without a traceback.

    Returns:
        0 done, 1 some accounts were not applied, 2 wrong request or usage, 3 the run broke or was stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # What the terminal cannot show is better escaped than an error.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(list(arguments), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _complain(f"{error} See account-batch --help.", 2)
    except StoreError as error:
        return _complain(str(error), 3)
    except AccountBatchError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("stopped", 3)
    except (BrokenPipeError, SystemExit):  # The latter is what rich makes of the former.
        # Who reads the output has seen enough, and Python must not complain when it closes the stream.
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        return _complain(f"the output cannot be written: {error.strerror}", 3)
    # Help and version are answered by the parser itself, and so is a call without a command.
    return code if isinstance(code, int) else 0 if arguments else 2


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"account-batch: {printable(message)}\n")
    return code


@app.command
def preview(
    request: Path,
    /,
    *,
    accounts: Path,
    catalog: Path,
    now: str | None = None,
    json: _Json = False,
    show_ids: _ShowIds = False,
) -> int:
    """Print what a request would do to the accounts of a CSV file, and write nothing.

    Args:
        request: TOML, or JSON if it is called *.json.
        accounts: CSV with the field names of Account as header.
        catalog: TOML.
        now: The instant to decide at, like 2026-12-01T09:00:00+01:00; the clock's, if left out.
        json: Print counts and totals as JSON.
        show_ids: Print account ids, which may be PINs, in full.
    """
    instant = _instant(now)
    where, spec = _read_request(request)
    known = _read_catalog(catalog)
    store = MemoryStore(_read_accounts(accounts))
    try:
        plan = plan_update(store, where, spec, catalog=known, now=instant)
    except SpecError as error:
        raise as_written(error) from None
    if json:
        _print_json(_summary(plan))
    else:
        _print(plan.confirmation(show_ids=show_ids))
    return 0


@app.command
def schema() -> int:
    """Print the JSON Schema of a request."""
    _print_json(request_schema())
    return 0


@app.command
def demo() -> int:
    """Run the whole job on sample data: plan, confirm, apply, and apply again, which changes nothing."""
    sample = importlib.resources.files("account_batch.cli") / "demo"
    with importlib.resources.as_file(sample) as folder:
        where, spec = _read_request(folder / "request.toml")
        known = _read_catalog(folder / "catalog.toml")
        store = MemoryStore(_read_accounts(folder / "accounts.csv"))
        request = (folder / "request.toml").read_text(encoding="utf-8")
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    plan = plan_update(store, where, spec, catalog=known, now=now, actor="demo", reason="show how it works")
    _print(f"The request:\n\n{request}\nThe plan, as a person confirms it:\n\n{plan.confirmation()}\nApplied once:\n\n")
    _print(_outcomes(apply_plan(plan, store, now=now)))
    booked = len(store.transactions(plan.id))
    _print("\nApplied again, as after a lost reply; the recorded outcomes, and nothing moves twice:\n\n")
    _print(_outcomes(apply_plan(plan, store, now=now)))
    _print(f"\nLedger entries: {booked} after the first time, {len(store.transactions(plan.id))} after the second.\n")
    return 0


def _outcomes(report: Report) -> str:
    counted = (f"  {outcome.value.replace('_', ' '):<13} {report.counts[outcome]}\n" for outcome in Outcome)
    return "".join(counted)


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        return parse_instant(text)
    except FormatError as error:
        raise FormatError(f"--now: {error}; write it like 2026-12-01T09:00:00+01:00") from None


@contextmanager
def _in_file(path: Path) -> Iterator[None]:
    """Say which file is meant by what goes wrong."""
    try:
        yield
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: no UTF-8 text: {error.reason} at byte {error.start}") from None
    except AccountBatchError as error:
        raise type(error)(f"{path}: {error}") from None


def _read_request(path: Path) -> tuple[AccountFilter, UpdateSpec]:
    with _in_file(path):
        return parse_request(path.read_text(encoding="utf-8-sig"), toml=path.suffix != ".json")


def _read_catalog(path: Path) -> Catalog:
    with _in_file(path):
        return parse_catalog(path.read_text(encoding="utf-8-sig"))


def _read_accounts(path: Path) -> list[Account]:
    with _in_file(path), path.open(encoding="utf-8-sig", newline="") as lines:
        return list(read_accounts(lines))


def _summary(plan: Plan) -> dict[str, Any]:
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


def _print(text: str) -> None:
    """Print as it is; on a terminal, headings and warnings stand out."""
    styled = Text()
    for line in text.splitlines(keepends=True):
        heading = line.isupper() and not line.startswith(" ")
        styled.append(line, style="bold" if heading else "bold red" if line.startswith("  !") else "")
    Console(highlight=False).print(styled, soft_wrap=True, end="")


def _print_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
