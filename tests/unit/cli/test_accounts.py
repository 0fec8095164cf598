import contextlib
import csv
import io
import json
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from account_batch.codec.accounts import read_accounts
from account_batch.stores.sql import SqlStore
from unit.cli.console import ACCOUNTS, NOW, CommandLine


def _ids(text: str) -> list[str]:
    return [row["id"][-2:] for row in csv.DictReader(text.splitlines())]


def test_accounts_are_imported(cli: CommandLine) -> None:
    """The database and its tables are made, and the accounts are counted."""
    assert cli.done("import", "accounts.csv").out == "5 accounts imported into sqlite:///account_batch.db\n"
    assert _ids(cli.done("export").out) == ["11", "22", "33", "44", "55"]


def test_an_import_as_json(cli: CommandLine) -> None:
    """The document says how many, and where they are."""
    document = cli.done("import", "accounts.csv", "--store", "other.db", "--json").json
    assert document == {"imported": 5, "store": "other.db"}


def test_one_account_is_imported(cli: CommandLine) -> None:
    """One account is one account."""
    cli.write("accounts.csv", "\n".join(ACCOUNTS.splitlines()[:2]))
    assert cli.done("import", "accounts.csv").out.startswith("1 account imported into ")


def test_no_accounts_are_imported(cli: CommandLine) -> None:
    """A file with a header only makes an empty store."""
    cli.write("accounts.csv", ACCOUNTS.splitlines()[0])
    assert cli.done("import", "accounts.csv").out.startswith("0 accounts imported into ")
    assert cli.done("export", "--json").out == "[]\n"
    assert _ids(cli.done("export").out) == []


def test_more_accounts_are_imported_later(stocked: CommandLine) -> None:
    """A store takes more accounts at any time."""
    stocked.write("accounts.csv", ACCOUNTS.replace("64755500", "64755511"))
    stocked.done("import", "accounts.csv")
    assert len(_ids(stocked.done("export").out)) == 10


def test_accounts_are_imported_once(stocked: CommandLine) -> None:
    """An id that is there already is an error, and nothing of the file is kept."""
    stocked.write("accounts.csv", ACCOUNTS.replace("647555000011", "647555000099"))
    line = "accounts.csv: account.id: ...0022 is there already; nothing was imported"
    assert stocked("import", "accounts.csv").refused() == line
    assert _ids(stocked.done("export").out) == ["11", "22", "33", "44", "55"]


def test_all_accounts_are_imported_or_none(cli: CommandLine) -> None:
    """What is wrong in the last line keeps the others out, also where there are many."""
    rows = "".join(f"{number},acme,debit,USD,silver\n" for number in range(2_500))
    cli.write("accounts.csv", f"id,customer,kind,currency,product\n{rows}1,acme,cash,USD,silver\n")
    assert cli("import", "accounts.csv").refused().startswith("accounts.csv: accounts, line 2502, kind: ")
    assert cli.done("export", "--json").json == []


@pytest.mark.parametrize("content", [None, "", "id,nonsense\n"])
def test_a_wrong_file_makes_no_database(cli: CommandLine, content: str | None) -> None:
    """Where the file cannot be read there is nothing to make a store for."""
    (cli.folder / "accounts.csv").unlink()
    if content is not None:
        cli.write("accounts.csv", content)
    cli("import", "accounts.csv").refused()
    assert not Path("account_batch.db").exists()


def test_an_import_is_seen_on_a_terminal(cli: CommandLine) -> None:
    """A person sees how many accounts there will be."""
    rows = "".join(f"{number},acme,debit,USD,silver\n" for number in range(2_000))
    cli.write("accounts.csv", f"id,customer,kind,currency,product\n{rows}")
    said = cli.on_terminal("import", "accounts.csv")
    assert said.code == 0
    assert "importing" in said.err
    assert "2,000 of 2,0" in said.err


def test_an_interrupted_import_keeps_nothing(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while importing is exit code 3, and says what is there now."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(SqlStore, "add", interrupt)
    assert cli("import", "accounts.csv").refused(3) == "stopped; nothing was imported"


def test_what_was_exported_can_be_imported(stocked: CommandLine) -> None:
    """CSV to the output or to a file is the same, and holds every account whatever its state."""
    stocked.write("request.toml", '[filter]\nbatch = "SUMMER-2026"\n[update]\nstatus = "terminated"\n')
    stocked.done("apply", stocked.plan(), *NOW, "--terminate", "5")
    text = stocked.done("export").out
    said = stocked("export", "--out", "out.csv")
    assert (said.code, said.out, said.err) == (0, "", "5 accounts written to out.csv\n")
    assert Path("out.csv").read_bytes() == text.encode()
    stocked.done("import", "out.csv", "--store", "copy.db")
    assert stocked.done("export", "--store", "copy.db").out == text
    assert {account.state.value for account in read_accounts(text.splitlines(keepends=True))} == {"closed"}


def test_accounts_as_json(stocked: CommandLine) -> None:
    """Every field is there, and amounts are text."""
    accounts = stocked.done("export", "--json").json
    assert accounts[2]["addons"] == ["fax"]
    assert (accounts[0]["id"], accounts[0]["balance"], accounts[0]["site"]) == ("647555000011", "10", None)
    assert stocked("export", "--json", "--out", "out.json").err == "5 accounts written to out.json\n"
    assert json.loads(Path("out.json").read_text(encoding="utf-8")) == accounts


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--batch", "SUMMER-2026"), ["11", "22", "33", "44", "55"]),
        (("--batch", "WINTER"), []),
        (("--control-numbers", "2-3,5"), ["22", "33", "55"]),
        (("--status", "open"), ["44", "55"]),
        (("--status", "all-except-closed", "--customer", "acme"), ["11", "22", "33", "44", "55"]),
        (("--customer", "others"), []),
        (("--product", "silver", "--control-numbers", "1"), ["11"]),
        (("--request", "request.toml"), ["11", "22", "33", "44", "55"]),
    ],
)
def test_some_accounts_are_exported(stocked: CommandLine, options: tuple[str, ...], ids: list[str]) -> None:
    """Options narrow the accounts, or a request says which."""
    assert _ids(stocked.done("export", *options).out) == ids


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--control-numbers", "8-3"), '--control-numbers: "8-3": the range 8-3 runs backwards'),
        (("--batch", " "), "--batch: "),
        (("--request", "request.toml", "--batch", "SUMMER-2026"), "--request: the filter of the request says it all"),
        (("--request", "absent.toml"), "absent.toml: cannot be read: No such file or directory"),
        (("--plan", "plan.json", "--batch", "SUMMER-2026"), "--plan: the report is about all accounts of the plan"),
        (("--plan", "plan.json"), '"plan.json" is neither the id of a plan nor a plan file'),
        (("--out", "absent/out.csv"), "absent/out.csv: cannot be written: No such file or directory"),
    ],
)
def test_wrong_criteria_name_their_option(stocked: CommandLine, options: tuple[str, ...], line: str) -> None:
    """What makes no sense is named as it was written."""
    assert stocked("export", *options).refused().startswith(line)


def test_what_came_of_a_plan_is_exported(stocked: CommandLine) -> None:
    """The report of a plan is that which applying it writes, and may be asked for at any time."""
    plan_id = stocked.plan()
    before = list(csv.DictReader(stocked.done("export", "--plan", plan_id).out.splitlines()))
    assert [row["outcome"] for row in before] == ["not_attempted", "refused", "refused", "refused", "not_attempted"]
    stocked.done("apply", plan_id, *NOW, "--report", "report.csv", code=1)
    assert stocked.done("export", "--plan", plan_id).out.encode() == Path("report.csv").read_bytes()
    document = stocked.done("export", "--plan", plan_id, "--json").json
    assert [account["outcome"] for account in document["accounts"]][:2] == ["applied", "refused"]
    assert document["counts"]["applied"] == 2


def test_an_export_may_go_nowhere(stocked: CommandLine) -> None:
    """A device is written to as it is, and not replaced."""
    assert stocked("export", "--out", "/dev/null").err == "5 accounts written to /dev/null\n"
    assert Path("/dev/null").is_char_device()


def test_an_export_is_waited_for_on_a_terminal(stocked: CommandLine) -> None:
    """Who waits for a file sees that something happens."""
    said = stocked.on_terminal("export", "--out", "out.csv")
    assert said.code == 0
    assert "exporting" in said.err


def test_an_export_keeps_every_letter(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are UTF-8 wherever they go, since no letter of an account may get lost."""
    cli.write("accounts.csv", "id,customer,kind,currency,product,contact.city\n1,acme,debit,USD,silver,Київ\n")
    cli.done("import", "accounts.csv")
    with Path("output").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli("export").code == 0
        assert (stream.encoding, stream.errors) == ("ascii", "strict")
    (account,) = read_accounts(Path("output").read_text(encoding="utf-8").splitlines(keepends=True))
    assert account.contact == {"city": "Київ"}


def test_an_export_may_go_anywhere(stocked: CommandLine) -> None:
    """A program that keeps the output in memory gets it all."""
    with contextlib.redirect_stdout(io.StringIO(newline="")) as stdout:
        assert stocked("export").code == 0
    assert stdout.getvalue() == stocked.done("export").out
