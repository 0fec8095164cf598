import csv
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import attrs
import pytest

from account_batch.cli import applying, main
from account_batch.errors import StoreError
from account_batch.filters import AccountFilter, TextMatch
from account_batch.plan import Plan
from account_batch.stores.sql import SqlStore
from unit.cli.console import NOW, REQUEST, TERMINATION, CommandLine, Said

_EASY = '[filter]\nbatch = "SUMMER-2026"\n[update]\nstatus = "blocked"\n'
_UNKNOWN = "31d12d9b-a711-4a93-85d7-e39b09586e5a"


def _counts(said: Said) -> dict[str, int]:
    return {name: count for name, count in said.json["counts"].items() if count}


def _block(ending: str) -> None:
    """Somebody else changes an account."""
    store = SqlStore("sqlite:///account_batch.db")
    (account,) = store.find(AccountFilter(account_id=TextMatch.ends_with(ending)))
    store.put(attrs.evolve(account, blocked=True, product="gold"))
    store.close()


def test_a_plan_is_applied(stocked: CommandLine) -> None:
    """Every outcome is counted; refused accounts make exit code 1, and the call that tells why is named."""
    plan_id = stocked.plan()
    text = stocked.done("apply", plan_id, *NOW, code=1).out
    assert text == (
        f"Plan {plan_id}\n"
        "  applied        2\n  unchanged      0\n  refused        3\n"
        "  stale          0\n  failed         0\n  not attempted  0\n"
        f"\nWhat came of each account, and why:\n  account-batch export --plan {plan_id}\n"
    )
    assert stocked.states() == {"11": "open", "22": "inactive", "33": "inactive", "44": "open", "55": "open"}


def test_a_plan_is_applied_once(stocked: CommandLine) -> None:
    """A second time gives the recorded outcomes, and moves nothing."""
    plan_id = stocked.plan()
    first = stocked.done("apply", plan_id, *NOW, code=1)
    accounts = stocked.done("export").out
    assert stocked.done("apply", plan_id, *NOW, code=1) == first
    assert stocked.done("export").out == accounts


def test_everything_applied_is_exit_code_0(stocked: CommandLine) -> None:
    """Where every account was applied there is nothing more to say."""
    stocked.write("request.toml", _EASY)
    plan_id = stocked.plan()
    assert stocked.done("apply", plan_id, *NOW).out.endswith("  not attempted  0\n")


def test_what_came_of_a_plan_as_json(stocked: CommandLine) -> None:
    """The document has every outcome, and why the run stopped, if it did."""
    plan_id = stocked.plan()
    document = stocked.done("apply", plan_id, *NOW, "--json", code=1).json
    assert document == {
        "plan_id": plan_id,
        "counts": {"applied": 2, "unchanged": 0, "refused": 3, "stale": 0, "failed": 0, "not_attempted": 0},
        "stopped": None,
    }


def test_a_plan_file_is_applied(stocked: CommandLine) -> None:
    """A file stands for the plan that the store keeps."""
    stocked.plan("--out", "my plan.json")
    assert _counts(stocked.done("apply", "my plan.json", *NOW, "--json", code=1)) == {"applied": 2, "refused": 3}
    assert stocked.done("status", "my plan.json", "--json").json["state"] == "done"


def test_another_plan_under_the_same_id_is_wrong(stocked: CommandLine) -> None:
    """A file that is not the plan of the store is not applied."""
    plan_id = stocked.plan("--out", "plan.json")
    stocked.write("request.toml", _EASY)
    stocked.plan("--out", "other.json")
    other = Plan.from_json(Path("other.json").read_text(encoding="utf-8"))
    stocked.write("plan.json", attrs.evolve(other, id=plan_id).to_json())
    assert plan_id in stocked("apply", "plan.json", *NOW).refused()


@pytest.mark.parametrize("command", ["apply", "show", "status"])
def test_an_unknown_plan_is_wrong_usage(stocked: CommandLine, command: str) -> None:
    """An id that the store does not keep is exit code 2 and one line."""
    assert stocked(command, _UNKNOWN).refused().startswith(f"plan {_UNKNOWN}: ")


def test_a_plan_has_its_time(stocked: CommandLine) -> None:
    """Past its valid_until a plan is not applied, and nobody is asked to say a number first."""
    stocked.write("request.toml", TERMINATION)
    plan_id = stocked.plan()
    said = stocked("apply", plan_id, "--now", "2026-11-24T10:00:00Z")
    assert said.refused() == f"plan {plan_id} was valid until 2026-11-24 10:00 UTC: plan again"


def test_who_is_stale_is_said(stocked: CommandLine) -> None:
    """An account that somebody changed since planning is left alone, and named without its id."""
    stocked.write("request.toml", _EASY)
    plan_id = stocked.plan()
    _block("33")
    text = stocked.done("apply", plan_id, *NOW, code=1).out
    assert "  applied        4\n" in text
    assert "\n\n  !  control number 3, id ...0033: stale: " in text
    assert text.endswith(f"\n  account-batch export --plan {plan_id}\n")


def test_an_account_without_a_number_is_named_by_its_end(cli: CommandLine) -> None:
    """Where there is no control number the masked id has to do."""
    cli.write("accounts.csv", "id,batch,customer,kind,currency,product\n1234567890,SUMMER-2026,acme,debit,USD,silver\n")
    cli.write("request.toml", _EASY)
    cli.done("import", "accounts.csv")
    plan_id = cli.plan()
    _block("90")
    assert "\n  !  id ...890: stale: " in cli.done("apply", plan_id, *NOW, code=1).out


def test_a_policy_stops_a_run(stocked: CommandLine) -> None:
    """What the options say no to stops the run with exit code 3, and the call that continues is named."""
    stocked.write("request.toml", _EASY)
    plan_id = stocked.plan()
    _block("11")
    text = stocked.done("apply", plan_id, *NOW, "--canary", "1", code=3).out
    assert "  not attempted  4\n" in text
    assert text.endswith(
        "\nStopped: canary: 1 of the first 1 accounts are stale or failed. To continue:\n"
        f"  account-batch apply {plan_id}\n"
    )
    assert stocked.done("status", plan_id, *NOW, "--json").json["state"] == "begun"
    assert _counts(stocked.done("apply", plan_id, *NOW, "--json", code=1)) == {"applied": 4, "stale": 1}


def test_all_or_nothing(stocked: CommandLine) -> None:
    """With --all-or-nothing one stale account keeps all others as they were."""
    stocked.write("request.toml", _EASY)
    plan_id = stocked.plan()
    _block("11")
    document = stocked.done("apply", plan_id, *NOW, "--all-or-nothing", "--json", code=3).json
    assert document["counts"]["not_attempted"] == 4
    assert document["stopped"] == "all or nothing: 1 accounts are stale or failed"


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (("--chunk-size", "0"), "--chunk-size: 0 makes no sense"),
        (("--canary", "-1"), "--canary: -1 makes no sense"),
        (("--stop-after-percent", "101"), "--stop-after-percent: 101.0 makes no sense"),
        (("--terminate", "2"), "--terminate: the plan terminates 0 accounts, and 2 was said back"),
        (("--now", "noon"), "--now: "),
    ],
)
def test_a_wrong_policy_names_its_option(stocked: CommandLine, option: tuple[str, ...], line: str) -> None:
    """What makes no sense is named as it was written, and nothing is applied."""
    plan_id = stocked.plan()
    now = () if "--now" in option else NOW
    assert stocked("apply", plan_id, *now, *option).refused().startswith(line)
    assert stocked.done("status", plan_id, *NOW, "--json").json["state"] == "not applied"


def test_a_credit_limit_names_its_option(stocked: CommandLine) -> None:
    """A distributor that would owe too much stops the run, unless the option allows it."""
    catalog = Path("catalog.toml").read_text(encoding="utf-8")
    stocked.write("catalog.toml", f'{catalog}credit_limit = "1"\n')
    plan_id = stocked.plan()
    line = "--over-credit-limit: kiosk would owe more than the credit limit allows"
    assert stocked("apply", plan_id, *NOW).refused() == line
    stocked.done("apply", plan_id, *NOW, "--over-credit-limit", code=1)


# Terminations.


@pytest.fixture
def termination(stocked: CommandLine) -> str:
    """A plan that terminates three accounts."""
    stocked.write("request.toml", TERMINATION)
    return stocked.plan()


def test_a_termination_in_a_script_says_its_number(stocked: CommandLine, termination: str) -> None:
    """Without a terminal the number has to be among the options, and has to be right."""
    line = "--terminate: the plan terminates 3 accounts for ever; --terminate 3 says yes to that"
    assert stocked("apply", termination, *NOW).refused() == line
    line = "--terminate: the plan terminates 3 accounts, and 4 was said back"
    assert stocked("apply", termination, *NOW, "--terminate", "4").refused() == line
    assert _counts(stocked.done("apply", termination, *NOW, "--json", "--terminate", "3")) == {"applied": 3}


def test_a_finished_termination_asks_nobody(stocked: CommandLine, termination: str) -> None:
    """Where nothing is left to do there is nothing to say back."""
    stocked.done("apply", termination, *NOW, "--terminate", "3")
    stocked.done("apply", termination, *NOW)


def test_a_person_types_the_number(stocked: CommandLine, termination: str) -> None:
    """On a terminal the confirmation is shown, and the number that is typed says yes."""
    said = stocked.on_terminal("apply", termination, *NOW, "--json", typed="3\n")
    assert _counts(said) == {"applied": 3}
    assert said.err.startswith(f"Plan {termination}: terminate accounts of batch")
    assert "\nType 3 to terminate 3 accounts for ever: " in said.err


@pytest.mark.parametrize("typed", ["", "\n", "yes\n", "30\n"])
def test_a_person_types_something_else(stocked: CommandLine, termination: str, typed: str) -> None:
    """Anything but the number is no."""
    said = stocked.on_terminal("apply", termination, *NOW, typed=typed)
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith(f'account-batch: "{typed.strip()}" is not 3; nothing was changed\n')
    assert stocked.states() == dict(zip(("11", "22", "33", "44", "55"), ("inactive",) * 3 + ("open",) * 2, strict=True))


def test_one_account_is_one_account(stocked: CommandLine) -> None:
    """The question speaks of one account as a person would."""
    stocked.write("request.toml", TERMINATION.replace("1-3", "1"))
    assert "terminates 1 account for ever" in stocked("apply", stocked.plan(), *NOW).refused()


# Reports.


def test_a_report_is_written(stocked: CommandLine) -> None:
    """The file has a row for each account, as CSV or as JSON."""
    plan_id = stocked.plan()
    stocked.done("apply", plan_id, *NOW, "--report", "report.csv", code=1)
    with Path("report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["account_id"][-2:], row["outcome"]) for row in rows] == [
        ("11", "applied"),
        ("22", "refused"),
        ("33", "refused"),
        ("44", "refused"),
        ("55", "applied"),
    ]
    assert (rows[0]["state.old"], rows[0]["state.new"]) == ("inactive", "open")
    stocked.done("apply", plan_id, *NOW, "--report", "report.json", code=1)
    assert len(json.loads(Path("report.json").read_text(encoding="utf-8"))["accounts"]) == 5


def test_a_file_for_the_report_is_looked_at_first(stocked: CommandLine) -> None:
    """Where the report cannot be written to, nothing is applied."""
    plan_id = stocked.plan()
    line = stocked("apply", plan_id, *NOW, "--report", ".").refused()
    assert line == ".: cannot be written: Is a directory"
    assert stocked.done("status", plan_id, *NOW, "--json").json["state"] == "not applied"


def test_a_report_that_breaks_can_be_written_again(stocked: CommandLine) -> None:
    """Where the disk is full the plan is applied, and exit code 3 says that something is missing."""
    plan_id = stocked.plan()
    line = stocked("apply", plan_id, *NOW, "--report", "/dev/full").refused(3)
    assert line == "/dev/full: cannot be written: No space left on device"
    assert stocked.done("status", plan_id, *NOW, "--json").json["state"] == "done"


def test_an_older_report_stays_where_nothing_is_applied(stocked: CommandLine, termination: str) -> None:
    """A call that is refused leaves the files as they were."""
    stocked.write("report.csv", "older")
    stocked("apply", termination, *NOW, "--report", "report.csv").refused()
    assert Path("report.csv").read_text(encoding="utf-8") == "older"
    assert not Path("report.csv.part").exists()


# How far a plan is.


def test_plans_are_listed(stocked: CommandLine) -> None:
    """The newest plan comes first, each with its state."""
    assert stocked.done("status").out == "There are no plans yet.\n"
    first = stocked.plan("--actor", "ann")
    stocked.done("apply", first, *NOW, code=1)
    stocked.write("request.toml", _EASY)
    second = stocked.plan()
    stocked.write("request.toml", _EASY.replace("blocked", "unblocked"))
    third = stocked.plan()
    assert stocked.done("status", *NOW).out == (
        f"{'PLAN':<36}  PLANNED (UTC)     TO CHANGE    APPLIED  STATE\n"
        f"{third}  2026-11-23 10:00          0          0  nothing to do\n"
        f"{second}  2026-11-23 10:00          5          0  not applied\n"
        f"{first}  2026-11-23 10:00          2          2  done\n"
    )
    assert stocked.done("status", "--json").json[-1] == {
        "plan_id": first,
        "planned_at": "2026-11-23T10:00:00+00:00",
        "valid_until": "2026-11-24T05:00:00+00:00",
        "actor": "ann",
        "reason": "",
        "changing": 2,
        "done": 2,
        "applied": 2,
        "state": "done",
    }


def test_a_plan_that_is_over_is_not_called_done_or_ready(stocked: CommandLine) -> None:
    """Who is stale is not counted as applied, and a plan that is expired is not offered to be applied."""
    stocked.write("request.toml", _EASY)
    first, second = stocked.plan(), stocked.plan()
    stocked.done("apply", first, *NOW)
    stocked.done("apply", second, *NOW, code=1)
    stocked.write("request.toml", REQUEST)
    third = stocked.plan()
    late = ("--now", "2027-01-01T00:00:00Z")
    states = [(plan["state"], plan["applied"]) for plan in stocked.done("status", *late, "--json").json]
    assert states == [("not applied, expired", 0), ("done, but 5 stale or failed", 0), ("done", 5)]
    assert "To carry it out" not in stocked.done("status", third, *late).out
    assert "To carry it out" in stocked.done("status", third, *NOW).out


def test_a_plan_says_how_far_it_is(stocked: CommandLine) -> None:
    """Before applying, the call that carries it out is named; after, there is none."""
    plan_id = stocked.plan("--actor", "ann")
    text = stocked.done("status", plan_id, *NOW).out
    assert text.startswith(
        f'Plan {plan_id}: update accounts of batch "SUMMER-2026"\n  planned 2026-11-23 10:00 UTC by ann'
    )
    assert "\n  not applied\n\n  applied        0\n" in text
    assert text.endswith(f"  not attempted  2\n\nTo carry it out:\n  account-batch apply {plan_id}\n")
    stocked.done("apply", plan_id, *NOW, code=1)
    text = stocked.done("status", plan_id, *NOW).out
    assert "\n  done\n\n  applied        2\n" in text
    assert text.endswith("  not attempted  0\n")


# Progress and interruption.


def test_progress_is_seen_on_a_terminal(stocked: CommandLine) -> None:
    """A person sees how many accounts are done of how many; nothing of it goes to the output."""
    said = stocked.on_terminal("apply", stocked.plan(), *NOW, "--chunk-size", "1")
    assert said.out.startswith("Plan ")
    assert "applying" in said.err
    assert "2 of 2 accounts" in said.err


def test_progress_is_not_seen_in_a_pipe(stocked: CommandLine) -> None:
    """Without a terminal the standard error stays empty."""
    assert stocked("apply", stocked.plan(), *NOW).err == ""


def test_plans_are_applied_beside_the_main_thread(stocked: CommandLine) -> None:
    """A program may call the command line in a thread, which takes no signals."""
    plan_id = stocked.plan()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["apply", plan_id, *NOW])))
    thread.start()
    thread.join()
    assert codes == [1]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "stopped at once; what was done is recorded, and account-batch apply {} continues"),
        (StoreError("it is gone"), "it is gone; what was done is recorded, and account-batch apply {} continues"),
    ],
)
def test_a_run_that_breaks_says_how_to_go_on(
    stocked: CommandLine, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str
) -> None:
    """A second Ctrl-C, and a storage that is gone, are exit code 3 and the call that continues."""
    plan_id = stocked.plan()

    def break_down(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(applying, "apply_plan", break_down)
    assert stocked("apply", plan_id, *NOW).refused(3) == line.format(plan_id)


def test_a_person_interrupts_and_continues(cli: CommandLine) -> None:
    """Ctrl-C ends the run after the current chunk, and the same call does the rest."""
    rows = "".join(f"{number},SUMMER-2026,{number},acme,debit,USD,silver\n" for number in range(1, 2_001))
    cli.write("accounts.csv", f"id,batch,control_number,customer,kind,currency,product\n{rows}")
    cli.write("request.toml", _EASY)
    cli.done("import", "accounts.csv")
    plan_id = cli.plan()
    code = "import sys; from account_batch.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "apply", plan_id, *NOW, "--chunk-size", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not cli.done("status", "--json").json[0]["done"]:
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "")
    assert out.endswith(f"\nStopped: the caller said stop. To continue:\n  account-batch apply {plan_id}\n")
    counts = cli.done("status", plan_id, *NOW, "--json").json["counts"]
    assert 1 <= counts["applied"] < 2_000
    assert _counts(cli.done("apply", plan_id, *NOW, "--json")) == {"applied": 2_000}
