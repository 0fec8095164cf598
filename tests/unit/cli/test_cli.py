import contextlib
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest

from account_batch.cli import main
from account_batch.codec.request import request_schema
from account_batch.decision import EffectKind, RefusalCode
from account_batch.errors import StoreError
from unit.cli.console import ACCOUNTS as _ACCOUNTS
from unit.cli.console import CATALOG as _CATALOG
from unit.cli.console import NOW as _NOW
from unit.cli.console import REQUEST as _REQUEST


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with a request, a catalog and accounts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "request.toml").write_text(_REQUEST, encoding="utf-8")
    (tmp_path / "catalog.toml").write_text(_CATALOG, encoding="utf-8")
    (tmp_path / "accounts.csv").write_text(_ACCOUNTS, encoding="utf-8")
    return tmp_path


def _preview(request: str = "request.toml", *more: str) -> int:
    return main(["preview", request, "--accounts", "accounts.csv", "--catalog", "catalog.toml", *_NOW, *more])


def _refused(capsys: pytest.CaptureFixture[str], code: int, *, expected: int = 2) -> str:
    """The one line that an error leaves, on stderr and nowhere else."""
    out, err = capsys.readouterr()
    assert (code, out) == (expected, "")
    assert err.startswith("account-batch: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.removeprefix("account-batch: ").removesuffix("\n")


@pytest.mark.usefixtures("folder")
def test_a_preview_is_the_confirmation(capsys: pytest.CaptureFixture[str]) -> None:
    """The text of a preview has the sections of a confirmation, and masks ids."""
    assert _preview() == 0
    out, err = capsys.readouterr()
    assert (err, [line for line in out.splitlines() if line.isupper()]) == (
        "",
        [
            "CANNOT BE UNDONE",
            "WHICH ACCOUNTS",
            "WHAT IS SET",
            "HOW MANY ACCOUNTS",
            "MONEY",
            "REFUSED, AND LEFT WHOLLY UNTOUCHED",
            "WARNINGS",
        ],
    )
    assert "id ...0022: " in out
    assert "64755500" not in out


@pytest.mark.usefixtures("folder")
def test_a_preview_shows_ids_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """With --show-ids the ids of the examples are whole."""
    assert _preview("request.toml", "--show-ids") == 0
    assert "id 647555000022: " in capsys.readouterr().out


def _json(capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert _preview("request.toml", "--json", *more) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


@pytest.mark.usefixtures("folder")
def test_a_preview_as_json_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """The object counts accounts by planned outcome, refusals by code name and effects by kind name."""
    document = _json(capsys)
    assert document["counts"] == {"change": 2, "unchanged": 0, "refused": 3}
    assert document["refusals"] == {"ADDON_NOT_ALLOWED": 1, "INSUFFICIENT_FUNDS": 1, "NOT_CHARGEABLE": 1}
    assert document["effects"] == {"ACTIVATED": 1, "SUBSCRIPTION_STARTS": 2, "DISTRIBUTOR_CHARGED": 2}
    assert document["refusals"].keys() <= RefusalCode.__members__.keys()
    assert document["effects"].keys() <= EffectKind.__members__.keys()


@pytest.mark.usefixtures("folder")
def test_a_preview_as_json_has_totals(capsys: pytest.CaptureFixture[str]) -> None:
    """Money is text with its currency, and never a number that somebody reads as a float."""
    totals = _json(capsys)["totals"]
    assert totals["money"] == [
        {"kind": "charge", "amount": "2.00 USD"},
        {"kind": "distributor_charge", "amount": "17.00 USD"},
    ]
    assert totals["distributors"] == {"kiosk": {"booked": "17.00 USD", "scheduled": "0.00 USD", "over_limit": False}}


@pytest.mark.usefixtures("folder")
def test_a_preview_as_json_says_what_the_plan_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Absent control numbers, warnings, instants and the digest are in the object; ids are not."""
    document = _json(capsys)
    assert document["absent"] == "6-9"
    assert document["warnings"] == ["control numbers that are not in the batch: 6-9"]
    assert document["planned_at"] == "2026-11-23T10:00:00+00:00"
    assert document["valid_until"] == "2026-11-24T05:00:00+00:00"
    assert len(document["digest"]) == 64
    assert "64755500" not in json.dumps(document)


def test_a_preview_as_json_of_a_plain_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan that nothing ends and that misses nobody has nulls there."""
    (folder / "request.toml").write_text('[filter]\nbatch = "SUMMER-2026"\n[update]\nrole = "default"\n')
    document = _json(capsys)
    assert (document["absent"], document["valid_until"], document["warnings"]) == (None, None, [])
    assert document["counts"] == {"change": 3, "unchanged": 2, "refused": 0}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("now", "activated"), [("2026-12-01T04:59:59Z", 0), ("2026-12-01T05:00:00Z", 1), ("2026-12-01T06:00:00+01:00", 1)]
)
def test_a_preview_is_made_at_the_given_instant(
    folder: Path, capsys: pytest.CaptureFixture[str], now: str, activated: int
) -> None:
    """--now decides what today is in the customer's zone, and may have any offset."""
    text = '[filter]\nbatch = "SUMMER-2026"\ncontrol_numbers = "1"\n[update]\nactivation = "2026-12-01"\n'
    (folder / "request.toml").write_text(text)
    arguments = ["preview", "request.toml", "--accounts", "accounts.csv", "--catalog", "catalog.toml"]
    assert main([*arguments, "--now", now, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["effects"].get("ACTIVATED", 0) == activated


@pytest.mark.usefixtures("folder")
def test_a_preview_is_made_now_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --now the instant is that of the clock, in UTC."""
    before = datetime.now(UTC)
    assert main("preview request.toml --accounts accounts.csv --catalog catalog.toml --json".split()) == 0
    planned_at = datetime.fromisoformat(json.loads(capsys.readouterr().out)["planned_at"])
    assert (planned_at.tzinfo, before <= planned_at <= datetime.now(UTC)) == (UTC, True)


def test_a_request_may_be_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A request that is called *.json is read as JSON, and means the same."""
    document = {
        "filter": {"batch": "SUMMER-2026", "control_numbers": "1-9"},
        "update": {
            "activation": "now",
            "charge": {"amount": "1.00 USD"},
            "product": "gold",
            "distributor": "kiosk",
        },
    }
    (folder / "request.json").write_text(json.dumps(document))
    expected = _json(capsys)
    assert _preview("request.json", "--json") == 0
    assert json.loads(capsys.readouterr().out) == expected


def test_a_preview_writes_nothing(folder: Path) -> None:
    """Files are the same after a preview, and there are no new ones."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert _preview() == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the JSON Schema of a request, and nothing else."""
    assert main(["schema"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(document)
    assert (document, err) == (request_schema(), "")


def test_the_demo_runs_the_whole_job(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo plans, shows, applies, and applies again without moving anything twice."""
    assert main(["demo"]) == 0
    out, err = capsys.readouterr()
    applied = [line.split()[1] for line in out.splitlines() if line.startswith("  applied ")]
    assert (err, applied) == ("", ["18", "18"])
    assert "HOW MANY ACCOUNTS\n" in out
    assert "Ledger entries: 32 after the first time, 32 after the second.\n" in out


def test_the_demo_is_the_same_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    """Two demos print the same, but for the id of the plan."""
    texts = []
    for _ in range(2):
        assert main(["demo"]) == 0
        texts.append(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|digest .*", "", capsys.readouterr().out))
    assert texts[0] == texts[1]


def test_the_demo_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo has a folder and a database of its own, whatever the environment says, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACCOUNT_BATCH_STORE", "precious.db")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert main(["demo"]) == 0
    assert "--store" not in capsys.readouterr().out
    assert os.environ["ACCOUNT_BATCH_STORE"] == "precious.db"
    assert (Path.cwd(), list(tmp_path.iterdir())) == (tmp_path, [])


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["preview", "--help"], ["schema", "--help"]])
def test_help_is_no_error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Who asks for help gets it on stdout."""
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert ("Usage: account-batch" in out, err) == (True, "")


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists every command."""
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^│ (\w+) ", out, re.MULTILINE) == (
        "demo preview import plan show apply status due export schema".split()
    )


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version alone."""
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"{version('account-batch')}\n", "")


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    """No command is wrong usage: the commands are shown, and the exit code says that nothing was done."""
    assert main([]) == 2
    assert "preview" in "".join(capsys.readouterr())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("prevew request.toml", 'Unknown command "prevew".'),
        ("preview", "REQUEST"),
        ("preview request.toml", "--accounts"),
        ("preview request.toml --accounts accounts.csv", "--catalog"),
        ("preview request.toml --accounts accounts.csv --catalog", "--catalog"),
        ("preview --accounts accounts.csv --catalog catalog.toml", "REQUEST"),
        ("preview request.toml more --accounts accounts.csv --catalog catalog.toml", "more"),
        ("preview request.toml --accounts accounts.csv --catalog catalog.toml --jsn", "--jsn"),
        ("preview request.toml --accounts accounts.csv --catalog catalog.toml --json=maybe", "--json"),
        ("preview request.toml --accounts a --accounts b --catalog catalog.toml", "--accounts"),
        ("schema --pretty", "--pretty"),
        ("demo now", "now"),
        ("--jsn", "--jsn"),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: str, message: str) -> None:
    """A call that makes no sense is exit code 2 and one line that names the argument and the help."""
    line = _refused(capsys, main(arguments.split()))
    assert message in line
    assert line.endswith("See account-batch --help.")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("now", ["", "now", "tomorrow", "2026-12-01", "2026-12-01T00:00:00", "12:30", "1700000000"])
def test_an_instant_has_an_offset(capsys: pytest.CaptureFixture[str], now: str) -> None:
    """--now that is no instant, or has no offset, is one line that says how to write it."""
    code = main(["preview", "request.toml", "--accounts", "accounts.csv", "--catalog", "catalog.toml", f"--now={now}"])
    assert _refused(capsys, code).startswith("--now: ")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "now",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
)
def test_an_instant_at_the_end_of_the_calendar_is_one_line(capsys: pytest.CaptureFixture[str], now: str) -> None:
    """An instant that some zone has no date for is an error like any other."""
    code = main(["preview", "request.toml", "--accounts", "accounts.csv", "--catalog", "catalog.toml", f"--now={now}"])
    _refused(capsys, code)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("request.toml", b"", 'request.toml: request: the key "filter" is missing'),
        ("request.toml", b"[filter]\nbatch = x", "request.toml: no TOML: Invalid value (at line 2, column 9)"),
        ("request.toml", b"[filter]\n[update]", "request.toml: update: sets nothing"),
        (
            "request.toml",
            b"[filter]\nbach = 'x'\n[update]",
            'request.toml: filter: unknown key "bach"; did you mean "b',
        ),
        ("request.toml", b"[filter]\ncontrol_numbers = '8-3'\n[update]\nrole = 'x'", "request.toml: filter.control_nu"),
        (
            "request.toml",
            b"[filter]\n[update]\ncharge = { amount = '1 US' }",
            "request.toml: update.charge.amount: curr",
        ),
        (
            "request.toml",
            b"[filter]\n[update]\nrole = '\xff'",
            "request.toml: no UTF-8 text: invalid start byte at byte",
        ),
        (
            "request.toml",
            b"[filter]\n[update]\nrole = 'default'",
            "filter.batch: missing; updates need exactly one bat",
        ),
        (
            "request.toml",
            b"[filter]\nbatch = 'SUMMER-2026'\ncustom_fields = { a = 'b' }\n[update]\nrole = 'default'",
            "filter.custom_fields: a: updates cannot select by custom fields",
        ),
        (
            "request.toml",
            b"[filter]\nbatch = 'SUMER-2026'\n[update]\nrole = 'default'",
            'filter.batch: the catalog does not know "SUMER-2026"; did you mean "SUMMER-2026"?',
        ),
        ("catalog.toml", b"x", "catalog.toml: no TOML: "),
        (
            "catalog.toml",
            b"[[customers]]",
            'catalog.toml: catalog: unknown table "customers"; did you mean "customer"?',
        ),
        ("catalog.toml", b"roles = 'x'", "catalog.toml: 'x' is not a list @ catalog.roles"),
        ("catalog.toml", b"\xff\xfe", "catalog.toml: no UTF-8 text: "),
        ("catalog.toml", b"", 'filter.batch: the catalog does not know "SUMMER-2026"; none are known'),
        ("accounts.csv", b"", "accounts.csv: accounts: empty"),
        ("accounts.csv", b"id,idd", 'accounts.csv: accounts, line 1: unknown column "idd"; did you mean "id"?'),
        ("accounts.csv", b"id,customer,kind,currency,product\n1,a", "accounts.csv: accounts, line 2: 2 values where"),
        ("accounts.csv", b"id,customer,kind,currency,product\n\xff", "accounts.csv: accounts: after line 0: no UTF-8"),
        (
            "accounts.csv",
            b"id,customer,kind,currency,product\n1,a,debit,USD,x\n1,a,debit,USD,x",
            "accounts.csv: accounts, line 3: the id of line 2 again",
        ),
    ],
)
def test_a_wrong_file_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, content: bytes, message: str
) -> None:
    """Whatever is wrong with a file is exit code 2 and one line that says where and what."""
    (folder / file).write_bytes(content)
    assert _refused(capsys, _preview()).startswith(message)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("option", ["request", "--accounts", "--catalog"])
@pytest.mark.parametrize(
    ("name", "why"), [("absent", "No such file or directory"), (".", "Is a directory"), ("", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str], option: str, name: str, why: str
) -> None:
    """A file that is missing, or none, is exit code 2 and one line that names it."""
    files = {"request": "request.toml", "--accounts": "accounts.csv", "--catalog": "catalog.toml"} | {option: name}
    request = files.pop("request")
    code = main(["preview", request, *(part for pair in files.items() for part in pair)])
    assert _refused(capsys, code) == f"{name or '.'}: cannot be read: {why}"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["spec.toml", "special/request.toml", "filter.toml", "request.toml.old"])
def test_a_file_is_named_as_it_was_given(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Whatever a file is called, the message has its name."""
    assert _refused(capsys, _preview(name)) == f"{name}: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("key", "value"), [("product", '"glod"'), ("addons", '{ assign = ["fx"] }'), ("distributor", '"kisk"')]
)
def test_an_unknown_reference_names_the_key_that_was_written(
    folder: Path, capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    """What the catalog does not know is reported under the key of the file, like every other wrong setting."""
    (folder / "request.toml").write_text(f'[filter]\nbatch = "SUMMER-2026"\n[update]\n{key} = {value}\n')
    assert f"update.{key}: the catalog does not know" in _refused(capsys, _preview())


@pytest.mark.parametrize(
    "document",
    [
        '{"filter": {"a\\nb": 1}, "update": {"role": "default"}}',
        '{"filter": {"batch": "SUMMER\\n2026"}, "update": {"role": "default"}}',
        '{"filter": {"batch": "SUMMER-2026", "control_numbers": "1\\n"}, "update": {"role": "default"}}',
    ],
    ids=["key", "batch", "control-numbers"],
)
def test_a_line_end_in_a_request_makes_no_second_line(
    folder: Path, capsys: pytest.CaptureFixture[str], document: str
) -> None:
    """An error stays one line whatever the text that it is about holds."""
    (folder / "request.json").write_text(document)
    _refused(capsys, _preview("request.json"))


def test_a_line_end_in_a_cell_makes_no_second_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error about a cell with a quoted line end stays one line."""
    (folder / "accounts.csv").write_text('id,customer,kind,currency,product\n1,acme,"deb\nit",USD,silver\n')
    _refused(capsys, _preview())


def test_a_line_end_in_an_argument_makes_no_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An error about an argument with a line end stays one line."""
    _refused(capsys, main(["pre\nview"]))


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1e-99999999999999999999"])
@pytest.mark.parametrize("file", ["request.toml", "catalog.toml"])
def test_a_number_beyond_all_bounds_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, number: str
) -> None:
    """A number that nothing can hold is a wrong file, and no traceback."""
    (folder / file).write_text(f"roles = [{number}]\n")
    _refused(capsys, _preview())


@pytest.mark.parametrize("quoted", [False, True])
def test_accounts_may_begin_with_a_mark(folder: Path, capsys: pytest.CaptureFixture[str], *, quoted: bool) -> None:
    """A byte-order mark, as spreadsheets write it, is read over, with and without quotes around the column names."""
    header, _, rows = _ACCOUNTS.partition("\n")
    names = ",".join(f'"{name}"' for name in header.split(",")) if quoted else header
    (folder / "accounts.csv").write_text(f"{names}\n{rows}", encoding="utf-8-sig")
    assert _json(capsys)["counts"] == {"change": 2, "unchanged": 0, "refused": 3}


def test_a_missing_extra_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the libraries of the extra there is one line that says what to install."""
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    for name in [name for name in sys.modules if name.startswith("account_batch.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    assert _refused(capsys, main(["demo"])) == "needs cyclopts; install account-batch[cli]"


def test_a_missing_library_of_a_store_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only commands with a store need its libraries, and say which."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("account_batch.stores.sql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    (tmp_path / "accounts.csv").write_text(_ACCOUNTS, encoding="utf-8")
    line = _refused(capsys, main(["import", "accounts.csv", "--store", "accounts.db"]))
    assert line == "needs sqlalchemy; install account-batch[sql]"
    assert main(["schema"]) == 0


def test_the_streams_of_a_program_stay_as_they_were(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that calls the command line finds its streams unchanged, whatever came of the call."""
    with (
        (tmp_path / "out").open("w", encoding="ascii", errors="strict") as stdout,
        (tmp_path / "err").open("w", encoding="ascii", errors="xmlcharrefreplace") as stderr,
    ):
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", stderr)
        assert (main(["schema"]), main(["nonsense"])) == (0, 2)
        assert (stdout.errors, stderr.errors) == ("strict", "xmlcharrefreplace")


def _break(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def break_down(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(Path, "read_text", break_down)


@pytest.mark.usefixtures("folder")
def test_an_exit_is_an_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends the process says with which code."""
    _break(monkeypatch, SystemExit(7))
    with pytest.raises(SystemExit) as ended:
        _preview()
    assert ended.value.code == 7


@pytest.mark.usefixtures("folder")
def test_a_defect_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever nobody thought of is no traceback either."""
    _break(monkeypatch, ZeroDivisionError("division by zero"))
    line = _refused(capsys, _preview(), expected=3)
    assert line == "unexpected ZeroDivisionError, a defect of this program: division by zero"


def test_an_output_that_breaks_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that is no file and cannot be written is an error like a full disk."""

    class Broken(io.StringIO):
        def write(self, _: str) -> NoReturn:
            raise OSError("the printer is on fire")

    monkeypatch.setattr(sys, "stdout", Broken())
    assert main(["schema"]) == 3
    assert capsys.readouterr().err == "account-batch: the output cannot be written: the printer is on fire\n"


def test_an_interrupted_start_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before there is a command is exit code 3, too."""

    def interrupt(_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("account_batch.cli.run.run", interrupt)
    assert _refused(capsys, main(["demo"]), expected=3) == "stopped"


def test_arguments_are_those_of_the_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called without arguments, the program takes those it was started with."""
    monkeypatch.setattr(sys, "argv", ["account-batch", "schema"])
    assert main() == 0
    assert json.loads(capsys.readouterr().out) == request_schema()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("error", "line"),
    [(KeyboardInterrupt(), "stopped"), (StoreError("the store is gone"), "request.toml: the store is gone")],
    ids=["interrupt", "store"],
)
def test_a_run_that_breaks_can_be_continued(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str
) -> None:
    """A person who interrupts, and a storage that cannot answer, are exit code 3 and one line."""

    def break_down(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(Path, "read_text", break_down)
    assert _refused(capsys, _preview(), expected=3) == line


def _closed_pipe() -> int:
    """The writing end of a pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["preview"]])
def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Where nobody reads the output any more, the program ends as if somebody had."""
    with os.fdopen(_closed_pipe(), "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(_PREVIEW if arguments == ["preview"] else arguments) == 0


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment without what makes programs colourful, wide or narrow."""
    without = {"FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES", "PYTHONIOENCODING"}
    return {**{name: value for name, value in os.environ.items() if name not in without}, **more}


def _command(*arguments: str) -> list[str]:
    code = "import sys; from account_batch.cli import main; sys.exit(main())"
    return [sys.executable, "-W", "error", "-c", code, *arguments]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), capture_output=True, encoding="utf-8", check=False, env=_environment(environment)
    )


_PREVIEW = ("preview", "request.toml", "--accounts", "accounts.csv", "--catalog", "catalog.toml", *_NOW)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "command", [_PREVIEW, (*_PREVIEW, "--json"), ("demo",), ("schema",), ("--help",)], ids=" ".join
)
def test_a_broken_pipe_is_no_error(command: tuple[str, ...]) -> None:
    """A process whose reader went away ends with exit code 0 and without a word."""
    with os.fdopen(_closed_pipe(), "wb") as pipe:
        run = subprocess.run(_command(*command), stdout=pipe, stderr=subprocess.PIPE, check=False, env=_environment({}))
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.fixture
def long_comment(folder: Path) -> str:
    """A request whose comment is longer than any line, and looks like markup."""
    comment = "[bold]SIM fee[/bold] :smile: https://example.org/ " + "very " * 100 + "long"
    text = f'[filter]\nbatch = "SUMMER-2026"\n[update]\ncharge = {{ amount = "1 USD", comment = "{comment}" }}\n'
    (folder / "request.toml").write_text(text)
    return comment


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "40"}, {"TERM": "xterm-256color"}])
def test_output_in_a_pipe_is_plain(long_comment: str, environment: dict[str, str]) -> None:
    """In a pipe there are no escape codes, no line is wrapped and no text is taken for markup."""
    run = _run(*_PREVIEW, **environment)
    assert (run.returncode, run.stderr, "\x1b" in run.stdout) == (0, "", False)
    assert f'  charge  1.00 USD, "{long_comment}"\n' in run.stdout


@pytest.mark.usefixtures("folder")
def test_output_in_a_pipe_is_the_confirmation() -> None:
    """A preview prints the confirmation as it is, up to its last line end."""
    lines = _run(*_PREVIEW).stdout
    assert lines.startswith("Plan ")
    assert lines.endswith("control numbers that are not in the batch: 6-9\n")


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_letters_that_the_output_cannot_show_are_no_traceback(folder: Path, more: tuple[str, ...]) -> None:
    """Where the output takes ASCII only, other letters are shown in another way, or it is said that they cannot be."""
    text = '[filter]\nbatch = "SUMMER-2026"\n[update]\ncharge = { amount = "1 USD", comment = "Київ" }\n'
    (folder / "request.toml").write_text(text, encoding="utf-8")
    run = _run(*_PREVIEW, *more, PYTHONIOENCODING="ascii")
    assert "Traceback" not in run.stderr
    assert run.returncode in {0, 3}


@pytest.mark.usefixtures("folder")
def test_an_error_in_a_process_is_one_line() -> None:
    """As a process, too, an error is exit code 2, one line on stderr and nothing on stdout."""
    run = _run("preview", "absent.toml", *_PREVIEW[2:])
    assert (run.returncode, run.stdout, run.stderr) == (
        2,
        "",
        "account-batch: absent.toml: cannot be read: No such file or directory\n",
    )


@contextlib.contextmanager
def _waiting_for(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has opened its request, a named pipe, and waits for it."""
    os.mkfifo(path)
    arguments = ["preview", str(path), *_PREVIEW[2:]]
    with subprocess.Popen(
        _command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment({})
    ) as process:
        with path.open("wb"):  # Opening waits until the other side has opened, too.
            yield process
        process.wait(timeout=60)


def test_an_interrupted_process_says_so(folder: Path) -> None:
    """Ctrl-C ends the process with exit code 3 and one line."""
    with _waiting_for(folder / "pipe.toml") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (3, b"", b"account-batch: stopped\n")


def test_a_full_disk_breaks_the_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that cannot be written is exit code 3: the run broke."""
    with Path("/dev/full").open("w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["schema"]) == 3
    assert os.strerror(errno.ENOSPC) in capsys.readouterr().err


def test_output_may_go_anywhere() -> None:
    """A program that calls the command line and keeps its output in memory gets it all."""
    with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.redirect_stderr(io.StringIO()) as stderr:
        assert (main(["schema"]), main(["nonsense"])) == (0, 2)
    assert json.loads(stdout.getvalue()) == request_schema()
    assert stderr.getvalue().startswith('account-batch: Unknown command "nonsense".')


def test_a_full_disk_is_no_traceback() -> None:
    """Output that cannot be written is an error in one line, with an exit code that says the run broke."""
    with Path("/dev/full").open("wb") as file:
        run = subprocess.run(
            _command("schema"), stdout=file, stderr=subprocess.PIPE, check=False, env=_environment({}), text=True
        )
    assert ("Traceback" in run.stderr, run.stderr.count("\n"), run.returncode) == (False, 1, 3)
    assert os.strerror(errno.ENOSPC) in run.stderr
