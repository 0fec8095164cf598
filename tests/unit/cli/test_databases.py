from pathlib import Path

import pytest

from account_batch.cli.databases import call, without_passwords
from unit.cli.console import NOW, CommandLine

_PLAN = ("plan", "request.toml", "--catalog", "catalog.toml", *NOW)


def test_a_store_may_be_a_file(cli: CommandLine) -> None:
    """A path is the file of an SQLite database, and the calls that are shown name it."""
    cli.done("import", "accounts.csv", "--store", "my accounts.db")
    text = cli.done(*_PLAN, "--store", "sqlite:///my accounts.db").out
    assert text.endswith(" --store 'sqlite:///my accounts.db'\n")
    assert Path("my accounts.db").is_file()


def test_a_store_may_be_in_the_environment(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is what the option would be, and the calls that are shown do without."""
    monkeypatch.setenv("ACCOUNT_BATCH_STORE", "other.db")
    assert cli.done("import", "accounts.csv").out == "5 accounts imported into other.db\n"
    assert "--store" not in cli.done(*_PLAN).out
    assert not Path("account_batch.db").exists()


@pytest.mark.parametrize("store", ["absent.db", "sqlite:///absent.db", "sqlite+pysqlite:///absent.db?timeout=1", "/"])
def test_a_missing_database_names_the_import(cli: CommandLine, store: str) -> None:
    """A command that only uses accounts makes no empty database."""
    before = set(cli.folder.iterdir())
    line = cli("status", "--store", store).refused()
    assert line.endswith(": there is no such database; account-batch import ACCOUNTS.csv makes it")
    assert set(cli.folder.iterdir()) == before


@pytest.mark.parametrize("store", ["", "sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:"])
@pytest.mark.parametrize("command", [("import", "accounts.csv"), ("status",)])
def test_a_database_in_memory_makes_no_sense(cli: CommandLine, command: tuple[str, ...], store: str) -> None:
    """It would be gone when the command ends."""
    line = cli(*command, "--store", store).refused()
    assert line == "--store: a database in memory is gone when the command ends; name a file"


@pytest.mark.parametrize(
    ("store", "line"),
    [
        ("absent/accounts.db", "--store: absent/accounts.db: there is no such folder"),
        ("what?.db", '--store: what?.db: a file whose name has a "?" cannot be told from a URL'),
        ("nonsense://", "--store: "),
        ("postgresql://host:port/name", "--store: "),
    ],
)
def test_a_wrong_store_is_one_line(cli: CommandLine, store: str, line: str) -> None:
    """A store that cannot be is wrong usage."""
    assert cli("import", "accounts.csv", "--store", store).refused().startswith(line)


def test_a_file_that_is_no_database_is_one_line(cli: CommandLine) -> None:
    """A file of something else is named, and not touched."""
    before = Path("catalog.toml").read_bytes()
    cli("status", "--store", "catalog.toml").refused(3)
    cli("import", "accounts.csv", "--store", "catalog.toml").refused(3)
    assert Path("catalog.toml").read_bytes() == before


def test_a_database_without_tables_names_the_import(cli: CommandLine) -> None:
    """An empty file has no tables yet; importing makes them."""
    Path("account_batch.db").touch()
    for command in (("status",), _PLAN):
        assert cli(*command).refused(3).endswith("; make them with account-batch import")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:secret@host/name", "postgresql://ann:***@host/name"),
        ("postgresql://ann:s@cr:e/t@host/name", "postgresql://ann:***@host/name"),
        ("postgresql://ann@host/name", "postgresql://ann@host/name"),
        ("postgresql://host/name?password=secret&user=ann", "postgresql://host/name?password=***&user=ann"),
        ("mariadb+pymysql://:secret@host/name", "mariadb+pymysql://:***@host/name"),
        ("sqlite:///accounts.db", "sqlite:///accounts.db"),
    ],
)
def test_passwords_are_not_shown(text: str, shown: str) -> None:
    """Whatever a URL is part of, its password is not readable."""
    assert without_passwords(text) == shown
    assert "secret" not in call("status", text)


def test_passwords_are_not_in_messages(cli: CommandLine) -> None:
    """A server that does not answer, and a URL in the wrong place, are reported without the password."""
    url = "postgresql://ann:secret@127.0.0.1:1/name"
    for said in (cli("status", "--store", url), cli("status", "absent", "more", url), cli("status", url)):
        assert said.code in {2, 3}
        assert "secret" not in said.out + said.err
        assert "Traceback" not in said.err
