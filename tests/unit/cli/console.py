"""What tests of the command line call it with, and what they see."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from account_batch.cli import main

__all__ = ["ACCOUNTS", "AT", "CATALOG", "NOW", "REQUEST", "TERMINATION", "CommandLine", "Said", "at_terminal"]

AT = "2026-11-23T10:00:00Z"
NOW = ("--now", AT)
CATALOG = """
roles = ["default"]

[[customer]]
id = "acme"
billing_time_zone = "America/New_York"

[[batch]]
id = "SUMMER-2026"
customer = "acme"

[[product]]
id = "silver"
currency = "USD"
allowed_addons = ["fax"]

[[product]]
id = "gold"
currency = "USD"
subscription = { in_advance = true }

[[product]]
id = "fax"
currency = "USD"
is_addon = true

[[distributor]]
id = "kiosk"
currency = "USD"
commission = "0.15"
"""
ACCOUNTS = """id,batch,control_number,customer,kind,state,currency,opening_balance,balance,product,addons,role
647555000011,SUMMER-2026,1,acme,debit,inactive,USD,10,10,silver,,
647555000022,SUMMER-2026,2,acme,debit,inactive,USD,10,0.5,silver,,
647555000033,SUMMER-2026,3,acme,debit,inactive,USD,10,10,silver,fax,default
647555000044,SUMMER-2026,4,acme,voucher,open,USD,10,10,silver,,default
647555000055,SUMMER-2026,5,acme,credit,open,USD,10,10,silver,,
"""
REQUEST = """
[filter]
batch = "SUMMER-2026"
control_numbers = "1-9"

[update]
activation = "now"
charge = { amount = "1.00 USD" }
product = "gold"
distributor = "kiosk"
"""
TERMINATION = """
[filter]
batch = "SUMMER-2026"
control_numbers = "1-3"

[update]
status = "terminated"
"""


class _Terminal(io.StringIO):
    """A terminal, which keeps what is written to it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@contextmanager
def at_terminal(typed: str = "") -> Iterator[io.StringIO]:
    """A terminal at which a person types; gives what it shows."""
    shown = _Terminal()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "200")
        patch.setattr("sys.stderr", shown)
        patch.setattr("sys.stdin", _Terminal(typed))
        yield shown


@attrs.frozen
class Said:
    """What a call leaves."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on the standard output."""
        return json.loads(self.out)

    def refused(self, code: int = 2) -> str:
        """The one line that an error leaves on the standard error, and nowhere else."""
        assert (self.code, self.out) == (code, "")
        assert self.err.startswith("account-batch: ")
        assert (self.err[-1], self.err.count("\n"), "Traceback" in self.err) == ("\n", 1, False)
        return self.err.removeprefix("account-batch: ").removesuffix("\n")


class CommandLine:
    """The command line in a folder with sample files."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        """Call it."""
        self._capsys.readouterr()
        code = main(arguments)
        return Said(code, *self._capsys.readouterr())

    def on_terminal(self, *arguments: str, typed: str = "") -> Said:
        """Call it at a terminal, where a person types."""
        with at_terminal(typed) as shown:
            said = self(*arguments)
        return attrs.evolve(said, err=shown.getvalue())

    def done(self, *arguments: str, code: int = 0) -> Said:
        """Call it where all goes well."""
        said = self(*arguments)
        assert (said.code, said.err) == (code, "")
        return said

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def plan(self, *more: str) -> str:
        """Plan the request, and give the id of the plan."""
        arguments = ("plan", "request.toml", "--catalog", "catalog.toml", *NOW, "--json", *more)
        return str(self.done(*arguments).json["plan_id"])

    def states(self) -> dict[str, str]:
        """The state of every account, by the last two digits of the id."""
        return {account["id"][-2:]: account["state"] for account in self.done("export", "--json").json}
