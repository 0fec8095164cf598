from contextlib import closing
from datetime import datetime
from pathlib import Path

import attrs
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine

from account_batch import AccountFilter, AccountKind, UpdateSpec, plan_update
from account_batch.cli.databases import call, without_passwords
from account_batch.codec.catalog import parse_catalog
from account_batch.stores.sql import SqlStore
from account_batch.stores.sql.mapping import AccountMapping, column, constant
from unit.cli.console import AT, CATALOG, NOW, CommandLine

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
    cli("status", "--store", "catalog.toml").refused(2)
    cli("import", "accounts.csv", "--store", "catalog.toml").refused(2)
    assert Path("catalog.toml").read_bytes() == before


def test_a_database_without_tables_names_the_import(cli: CommandLine) -> None:
    """An empty file has no tables yet; importing makes them."""
    Path("account_batch.db").touch()
    for command in (("status",), _PLAN):
        assert cli(*command).refused(2).endswith("; make them with account-batch import")


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


def test_tables_of_another_program_are_left_to_it(cli: CommandLine) -> None:
    """Plans over mapped tables are shown; what needs the accounts says whose they are, and touches nothing."""
    users = Table("users", MetaData(), Column("number", Integer, primary_key=True), Column("lang", String(9)))
    known: dict[str, str | AccountKind] = {
        "customer": "acme",
        "kind": AccountKind.DEBIT,
        "currency": "USD",
        "product": "silver",
    }
    fields = {"id": column(users.c.number), "batch": constant("SUMMER-2026"), "ivr_language": column(users.c.lang)}
    mapping = AccountMapping(
        table=users, key=users.c.number, fields=fields | {name: constant(value) for name, value in known.items()}
    )
    engine = create_engine("sqlite:///account_batch.db")
    users.create(engine)
    engine.dispose()
    with closing(SqlStore("sqlite:///account_batch.db", mapping)) as store:
        store.create()
        plan = plan_update(
            store,
            AccountFilter(batch="SUMMER-2026"),
            UpdateSpec(ivr_language="en"),
            catalog=attrs.evolve(parse_catalog(CATALOG), ivr_languages=["en"]),
            now=datetime.fromisoformat(AT),
        )
    assert cli.done("show", plan.id).out.startswith(f"Plan {plan.id}")
    assert cli.done("status", plan.id, *NOW).out
    for command in (("apply", plan.id, *NOW), _PLAN, ("export",)):
        assert cli(*command).refused(2).endswith("is of users.number, which a SqlStore with that mapping opens")
