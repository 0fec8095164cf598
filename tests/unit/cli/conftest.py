"""The command line in a folder of its own."""

from pathlib import Path

import pytest

from unit.cli.console import ACCOUNTS, CATALOG, REQUEST, CommandLine


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in a folder with a request, a catalog and accounts, without a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACCOUNT_BATCH_STORE", raising=False)
    command_line = CommandLine(tmp_path, capsys)
    for name, text in {"request.toml": REQUEST, "catalog.toml": CATALOG, "accounts.csv": ACCOUNTS}.items():
        command_line.write(name, text)
    return command_line


@pytest.fixture
def stocked(cli: CommandLine) -> CommandLine:
    """The same, with the accounts in the default database."""
    cli.done("import", "accounts.csv")
    return cli
