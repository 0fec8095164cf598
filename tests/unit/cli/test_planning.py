import getpass
import json
import re
from pathlib import Path

import pytest

from account_batch.codec.request import write_filter
from account_batch.filters import AccountFilter
from account_batch.plan import Plan
from unit.cli.console import NOW, TERMINATION, CommandLine

_PLAN = ("plan", "request.toml", "--catalog", "catalog.toml", *NOW)
_DUE = ("due", "--catalog", "catalog.toml", "--now", "2026-12-01T05:00:00Z")


def test_a_plan_is_its_confirmation_and_how_to_go_on(stocked: CommandLine) -> None:
    """What a person says yes to is printed, with the call that carries it out."""
    text = stocked.done(*_PLAN, "--actor", "ann", "--reason", "winter cards").out
    confirmation, _, rest = text.rpartition("\n\n")
    plan_id = confirmation[5:41]
    assert confirmation.startswith(f'Plan {plan_id}: update accounts of batch "SUMMER-2026"\n')
    assert "\n  planned 2026-11-23 10:00 UTC by ann: winter cards\n" in confirmation
    assert rest == f"Nothing was changed yet. To carry it out:\n  account-batch apply {plan_id}\n"
    assert "64755500" not in text


def test_a_plan_changes_nothing_and_is_kept(stocked: CommandLine) -> None:
    """The accounts are as they were, and the plan can be shown again, with and without ids."""
    before = stocked.done("export").out
    text = stocked.done(*_PLAN).out
    assert stocked.done("export").out == before
    plan_id = text[5:41]
    assert text.startswith(stocked.done("show", plan_id).out)
    assert "id 647555000022: " in stocked.done("show", plan_id, "--show-ids").out


def test_a_plan_shows_ids_when_asked(stocked: CommandLine) -> None:
    """With --show-ids the ids of the examples are whole."""
    assert "id 647555000022: " in stocked.done(*_PLAN, "--show-ids").out


def test_a_plan_as_json(stocked: CommandLine) -> None:
    """The document says which plan it is, what was asked, and what it comes to; show gives the same."""
    said = stocked.done(*_PLAN, "--json", "--actor", "ann", "--reason", "winter cards")
    document = said.json
    assert (document["actor"], document["reason"]) == ("ann", "winter cards")
    assert document["filter"] == write_filter(AccountFilter(batch="SUMMER-2026", control_numbers="1-9"))
    assert document["update"].keys() == {"activation", "charge", "product", "distributor"}
    assert document["counts"] == {"change": 2, "unchanged": 0, "refused": 3}
    assert "64755500" not in said.out
    assert stocked.done("show", document["plan_id"], "--json").json == document


def test_a_plan_that_changes_nobody_says_so(stocked: CommandLine) -> None:
    """There is no call to carry out what would do nothing."""
    stocked.write("request.toml", '[filter]\nbatch = "SUMMER-2026"\n[update]\nproduct = "silver"\n')
    text = stocked.done(*_PLAN).out
    assert text.endswith("\n\nThere is nothing to apply: no account would change.\n")


def test_a_plan_file_is_shown_without_a_store(stocked: CommandLine) -> None:
    """The file has the summary, and needs no database to be shown."""
    text = stocked.done(*_PLAN, "--out", "plan.json").out
    (stocked.folder / "account_batch.db").unlink()
    assert text.startswith(stocked.done("show", "plan.json").out)
    assert Plan.from_json(Path("plan.json").read_text(encoding="utf-8")).id == text[5:41]


def test_a_plan_is_shown_as_a_page(stocked: CommandLine) -> None:
    """With --html the confirmation is a page."""
    plan_id = stocked.plan()
    page = stocked.done("show", plan_id, "--html").out
    assert page.startswith("<!doctype html>")
    assert plan_id in page


def test_a_plan_is_shown_in_one_form(stocked: CommandLine) -> None:
    """A page that is JSON makes no sense."""
    assert stocked("show", stocked.plan(), "--html", "--json").refused() == "--html: one of --html and --json"


def test_what_is_neither_plan_nor_file_is_one_line(stocked: CommandLine) -> None:
    """A plan that is not there is wrong usage."""
    unknown = "31d12d9b-a711-4a93-85d7-e39b09586e5a"
    assert stocked("show", unknown).refused().startswith(f"plan {unknown}: ")
    missing = '"plan.json" is neither the id of a plan nor a plan file; account-batch status lists the plans'
    assert stocked("show", "plan.json").refused() == missing
    assert stocked("show", "accounts.csv").refused().startswith("accounts.csv: plan: no JSON")


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (("--expected", "9"), "--expected: 9 accounts were expected, the filter selects 5"),
        (("--at-most", "4"), "--at-most: 4 accounts were allowed, the filter selects 5"),
        (
            ("--stop-on-refusal",),
            "--stop-on-refusal: 3 of 5 accounts are refused: ADDON_NOT_ALLOWED, INSUFFICIENT_FUNDS, NOT_CHARGEABLE",
        ),
        (("--actor", " "), "--actor: "),
        (("--reason", " "), "--reason: "),
        (("--expected", "-1"), "--expected: "),
        (("--now", "tomorrow"), "--now: "),
    ],
)
def test_a_guard_names_its_option(stocked: CommandLine, option: tuple[str, ...], line: str) -> None:
    """What an option says no to is named as it was written, and no plan is kept."""
    arguments = [part for part in _PLAN if option[0] != "--now" or part not in NOW]
    assert stocked(*arguments, *option).refused().startswith(line)
    assert stocked.done("status", "--json").json == []


def test_a_wrong_request_names_the_key(stocked: CommandLine) -> None:
    """What the catalog does not know is named as the request has it."""
    stocked.write("request.toml", '[filter]\nbatch = "SUMMER-2026"\n[update]\nproduct = "glod"\n')
    assert stocked(*_PLAN).refused().startswith('update.product: the catalog does not know "glod"')


def test_who_is_logged_in_is_the_actor(stocked: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has the name of the user, unless another one is given."""
    monkeypatch.setenv("LOGNAME", "ben")
    assert " by ben\n" in stocked.done(*_PLAN).out
    assert " by ann\n" in stocked.done(*_PLAN, "--actor", "ann").out


def test_a_user_without_a_name_is_nobody(stocked: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no name for the user, the actor is left out."""

    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert stocked.done(*_PLAN, "--json").json["actor"] == ""


def test_a_file_for_the_plan_is_looked_at_first(stocked: CommandLine) -> None:
    """Where the plan cannot be written to, nothing is planned."""
    line = stocked(*_PLAN, "--out", "absent/plan.json").refused()
    assert line == "absent/plan.json: cannot be written: No such file or directory"
    assert stocked.done("status", "--json").json == []


def test_planning_is_seen_on_a_terminal(stocked: CommandLine) -> None:
    """Who waits for a plan sees that something happens; the plan itself goes to the output."""
    said = stocked.on_terminal(*_PLAN)
    assert said.code == 0
    assert "planning" in said.err
    assert "planning" not in said.out


def _schedule(cli: CommandLine) -> None:
    cli.write("request.toml", '[filter]\nbatch = "SUMMER-2026"\n[update]\nactivation = "2026-12-01"\n')
    cli.done("apply", cli.plan(), *NOW)


def test_due_activations_are_planned(stocked: CommandLine) -> None:
    """Once the day has come, a plan opens the accounts, and applying it does."""
    _schedule(stocked)
    assert stocked.done(*_DUE[:-1], "2026-12-01T04:59:00Z", "--json").json["counts"]["change"] == 0
    text = stocked.done(*_DUE, "--actor", "cron").out
    assert re.match(r"Plan \S+: open accounts that are due\n  planned 2026-12-01 05:00 UTC by cron\n", text)
    assert stocked.done("apply", text[5:41], *_DUE[-2:]).code == 0
    assert set(stocked.states().values()) == {"open"}


def test_due_activations_of_a_batch(stocked: CommandLine) -> None:
    """--batch narrows, and a plan without a spec has an empty update."""
    _schedule(stocked)
    document = stocked.done(*_DUE, "--batch", "SUMMER-2026", "--json").json
    assert (document["counts"]["change"], document["filter"]["batch"], document["update"]) == (3, "SUMMER-2026", {})


@pytest.mark.parametrize(
    ("batch", "line"), [("SUMER-2026", '--batch: the catalog does not know "SUMER-2026"; did you'), (" ", "--batch: ")]
)
def test_a_wrong_batch_names_the_option(stocked: CommandLine, batch: str, line: str) -> None:
    """A typo is an error, and named as it was written."""
    assert stocked(*_DUE, "--batch", batch).refused().startswith(line)


def test_a_termination_is_planned_without_its_number(stocked: CommandLine) -> None:
    """The call that carries it out has no number that nobody has read."""
    stocked.write("request.toml", TERMINATION)
    assert re.search(r"\n  account-batch apply \S+\n$", stocked.done(*_PLAN).out)


def test_a_plan_file_is_complete_or_not_there(stocked: CommandLine) -> None:
    """Where planning is refused there is no file, and an older one stays."""
    stocked.write("plan.json", "older")
    stocked(*_PLAN, "--out", "plan.json", "--expected", "9").refused()
    assert sorted(path.name for path in stocked.folder.glob("plan*")) == ["plan.json"]
    assert Path("plan.json").read_text(encoding="utf-8") == "older"
    stocked.done(*_PLAN, "--out", "plan.json")
    assert json.loads(Path("plan.json").read_text(encoding="utf-8"))["format"] == "account_batch plan"
