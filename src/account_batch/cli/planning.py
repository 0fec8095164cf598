"""The commands that plan, and show what was planned."""

import getpass
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from account_batch.cli.databases import DEFAULT, Store, call, find_plan, is_id, opened, plan_in_file
from account_batch.cli.files import accounts_of, read_catalog, read_request, written
from account_batch.cli.output import plan_document, print_json, print_text, summary
from account_batch.cli.progress import waiting
from account_batch.cli.usage import Flag, UsageError, as_filter_option, instant
from account_batch.codec.request import as_written
from account_batch.decision import Outcome
from account_batch.errors import FilterError, SpecError
from account_batch.filters import AccountFilter
from account_batch.plan import Plan
from account_batch.planner import plan_due, plan_update
from account_batch.stores.memory import MemoryStore

if TYPE_CHECKING:
    from account_batch.stores.sql import SqlStore

__all__ = ["due", "plan", "preview", "show"]


def preview(
    request: Path,
    /,
    *,
    accounts: Path,
    catalog: Path,
    now: str | None = None,
    json: Flag = False,
    show_ids: Flag = False,
) -> int:
    """Print what a request would do to the accounts of a CSV file, and write nothing.

    Args:
        request: TOML, or JSON if it is called *.json.
        accounts: CSV with the field names of Account as header.
        catalog: TOML.
        now: The instant to decide at, like 2026-12-01T09:00:00+01:00; the clock's, if left out.
        json: Print one JSON document.
        show_ids: Print account ids, which may be PINs, in full.
    """
    at = instant(now)
    where, spec = read_request(request)
    known = read_catalog(catalog)
    store = MemoryStore(accounts_of(accounts))
    try:
        made = plan_update(store, where, spec, catalog=known, now=at)
    except SpecError as error:
        raise as_written(error) from None
    if json:
        print_json(summary(made))
    else:
        print_text(made.confirmation(show_ids=show_ids))
    return 0


def plan(
    request: Path,
    /,
    *,
    catalog: Path,
    store: Store = DEFAULT,
    actor: str | None = None,
    reason: str = "",
    expected: int | None = None,
    at_most: int | None = None,
    stop_on_refusal: Flag = False,
    out: Path | None = None,
    now: str | None = None,
    json: Flag = False,
    show_ids: Flag = False,
) -> int:
    """Plan a request on the accounts of the store, keep the plan there, and print what to say yes to.

    Args:
        request: TOML, or JSON if it is called *.json.
        catalog: TOML.
        store: The database with the accounts: a URL, or the file of an SQLite database.
        actor: Who asks, for the journal; whoever is logged in, if left out.
        reason: Why, for the journal.
        expected: The number of accounts that the filter has to select.
        at_most: The number of accounts that it may select.
        stop_on_refusal: Plan nothing if any account is refused.
        out: A file for the plan, to be shown and applied like its id.
        now: The instant to decide at, like 2026-12-01T09:00:00+01:00; the clock's, if left out.
        json: Print one JSON document.
        show_ids: Print account ids, which may be PINs, in full.
    """
    at = instant(now)
    where, spec = read_request(request)
    known = read_catalog(catalog)

    def make(database: "SqlStore") -> Plan:
        try:
            return plan_update(
                database,
                where,
                spec,
                catalog=known,
                now=at,
                actor=_actor(actor),
                reason=reason,
                expected=expected,
                at_most=at_most,
                stop_on_refusal=stop_on_refusal,
            )
        except SpecError as error:
            raise as_written(error) from None

    return _plan(make, store, out, json=json, show_ids=show_ids)


def due(
    *,
    catalog: Path,
    store: Store = DEFAULT,
    batch: str | None = None,
    actor: str | None = None,
    reason: str = "",
    out: Path | None = None,
    now: str | None = None,
    json: Flag = False,
    show_ids: Flag = False,
) -> int:
    """Plan the opening of the accounts whose activation date has come; "apply" carries it out.

    Args:
        catalog: TOML.
        store: The database with the accounts: a URL, or the file of an SQLite database.
        batch: The batch to look at; all, if left out.
        actor: Who asks, for the journal; whoever is logged in, if left out.
        reason: Why, for the journal.
        out: A file for the plan, to be shown and applied like its id.
        now: The instant to decide at, like 2026-12-01T09:00:00+01:00; the clock's, if left out.
        json: Print one JSON document.
        show_ids: Print account ids, which may be PINs, in full.
    """
    at = instant(now)
    known = read_catalog(catalog)

    def make(database: "SqlStore") -> Plan:
        try:
            where = AccountFilter(batch=batch)
            return plan_due(database, catalog=known, now=at, actor=_actor(actor), reason=reason, where=where)
        except (FilterError, SpecError) as error:
            raise UsageError(as_filter_option(str(error))) from None

    return _plan(make, store, out, json=json, show_ids=show_ids)


def show(
    plan: str,
    /,
    *,
    store: Store = DEFAULT,
    html: Flag = False,
    json: Flag = False,
    show_ids: Flag = False,
) -> int:
    """Print what a plan does, as it was to be confirmed.

    Args:
        plan: The id of a plan in the store, or a plan file.
        store: The database with the accounts: a URL, or the file of an SQLite database.
        html: Print a page for a browser.
        json: Print one JSON document.
        show_ids: Print account ids, which may be PINs, in full.
    """
    if html and json:
        raise UsageError("--html: one of --html and --json")
    with opened(store) if is_id(plan) else nullcontext() as database:
        found = plan_in_file(plan) if database is None else find_plan(plan, database)
        if html:
            sys.stdout.write(found.to_html(show_ids=show_ids))
        elif json:
            print_json(plan_document(found))
        else:
            print_text(found.confirmation(show_ids=show_ids))
    return 0


def _plan(make: Callable[["SqlStore"], Plan], store: str, out: Path | None, *, json: bool, show_ids: bool) -> int:
    """Make a plan, keep it and say how to go on."""
    with opened(store) as database, written(out) if out else nullcontext() as file:
        with waiting("planning"):
            made = make(database)
        if file is not None:
            file.write(made.to_json())
        text = "" if json else f"{made.confirmation(show_ids=show_ids)}\n{_next_step(made, store)}"
    if json:
        print_json(plan_document(made))
    else:
        print_text(text)
    return 0


def _next_step(made: Plan, store: str) -> str:
    if not made.totals.counts[Outcome.APPLIED]:
        return "There is nothing to apply: no account would change.\n"
    return f"Nothing was changed yet. To carry it out:\n  {call(f'apply {made.id}', store)}\n"


def _actor(actor: str | None) -> str:
    """Who asks: as it was said, or else the name of whoever is logged in."""
    if actor is not None:
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # A user without a name; Python says it in several ways.
        return ""
