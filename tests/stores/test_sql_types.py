"""SQL types: what goes into a database comes out of it, and compares as it does in Python."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Engine,
    MetaData,
    Table,
    create_engine,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from account_batch.account import Account
from account_batch.decision import CHANGEABLE
from account_batch.errors import InvalidValueError
from account_batch.stores.sql.schema import OPTIONAL, SETTABLE, journal, own_accounts
from account_batch.stores.sql.types import FIELD_TYPES, Amount, Day, Flag, Instant, LongText, Number, Text

VALUES = Table(
    "vals",
    MetaData(),
    Column("key", Number(), primary_key=True),
    Column("text", Text()),
    Column("long_text", LongText()),
    Column("amount", Amount()),
    Column("day", Day()),
    Column("flag", Flag()),
    Column("instant", Instant()),
    Column("number", Number()),
    sqlite_strict=True,
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
TEXTS = ["a", "A", "a ", " a", "ä", "a\u0308", "ß", "ss", "%", "_", "'", "\\", "😀", "", "\t", "Z", "z"]


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """A database with a column of every type."""
    engine = create_engine(database_url)
    VALUES.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Engine]:
    """SQLite, for many small questions."""
    engine = create_engine("sqlite://")
    VALUES.metadata.create_all(engine)
    yield engine
    engine.dispose()


def kept(engine: Engine, column: str, value: object) -> Any:
    """What comes out of a column for what went in."""
    with engine.begin() as connection:
        connection.execute(delete(VALUES))
        connection.execute(insert(VALUES).values({column: value}))
        return connection.execute(select(VALUES.c[column])).scalar_one()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", "A b "),
        ("text", "\N{GREEK SMALL LETTER ALPHA}😀"),
        ("long_text", "x" * 70_000),
        ("amount", Decimal("0.00001")),
        ("amount", Decimal("-89999999999999.99999")),
        ("amount", Decimal("1E+3")),
        ("amount", Decimal("1.5000000")),
        ("amount", Decimal(0)),
        ("day", date(1, 1, 1)),
        ("day", date(9999, 12, 31)),
        ("flag", True),
        ("flag", False),
        ("instant", datetime(2026, 12, 1, 8, 30, 0, 1, UTC)),
        ("number", 2**63 - 1),
        ("number", -(2**63)),
    ],
)
def test_values_come_back(database: Engine, column: str, value: object) -> None:
    """With their type, on every database; None is None."""
    found = kept(database, column, value)
    assert found == value
    assert type(found) is type(value)
    assert kept(database, column, None) is None


def test_instants_come_back_in_utc(database: Engine) -> None:
    """Whatever zone they were given in, and whatever zone the session has."""
    given_at = datetime(2026, 12, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    found = kept(database, "instant", given_at)
    assert found == given_at
    assert found.tzinfo is UTC


def test_instants_sort_like_themselves(database: Engine) -> None:
    """Also those without fractions of a second."""
    instants = [datetime(2026, 12, 1, 8, 0, 0, micro, UTC) for micro in (0, 1, 100_000)]
    with database.begin() as connection:
        connection.execute(insert(VALUES), [{"instant": each} for each in reversed(instants)])
        found = connection.execute(select(VALUES.c.instant).order_by(VALUES.c.instant)).scalars().all()
    assert list(found) == instants


def test_texts_are_compared_exactly(database: Engine) -> None:
    """Case, accents and trailing spaces tell texts apart; the order is that of Python."""
    with database.begin() as connection:
        for column in ("text", "long_text"):
            connection.execute(delete(VALUES))
            connection.execute(insert(VALUES), [{column: text} for text in TEXTS])
            for text in TEXTS:
                same = select(VALUES.c[column]).where(VALUES.c[column] == text)
                assert connection.execute(same).scalars().all() == [text]
            groups = select(VALUES.c[column], func.count()).group_by(VALUES.c[column]).order_by(VALUES.c[column])
            assert [tuple(row) for row in connection.execute(groups)] == [(text, 1) for text in sorted(TEXTS)]


def test_sums_of_amounts_are_amounts(database: Engine) -> None:
    """Exact ones: a tenth three times is no 0.30000000000000004."""
    with database.begin() as connection:
        connection.execute(insert(VALUES), [{"amount": Decimal("0.1")}] * 3 + [{"amount": Decimal("-0.00001")}])
        total = connection.execute(select(type_coerce(func.sum(VALUES.c.amount), Amount()))).scalar_one()
        moved = update(VALUES).values(amount=VALUES.c.amount + Decimal("0.5")).where(VALUES.c.amount > Decimal("0.09"))
        connection.execute(moved)
        most = connection.execute(select(type_coerce(func.max(VALUES.c.amount), Amount()))).scalar_one()
    assert (total, type(total)) == (Decimal("0.29999"), Decimal)
    assert most == Decimal("0.6")


def test_whole_numbers_are_amounts(database: Engine) -> None:
    """Also where the driver makes no Decimal of them."""
    with database.connect() as connection:
        found = connection.execute(select(literal(3, Amount()))).scalar_one()
    assert (found, type(found)) == (Decimal(3), Decimal)


@given(st.decimals(min_value=-(9 * 10**13) + 1, max_value=9 * 10**13 - 1, places=5))
def test_amounts_do_not_depend_on_the_decimal_context(in_memory: Engine, amount: Decimal) -> None:
    """A caller who computes with three digits loses none."""
    with localcontext() as context:
        context.prec = 3
        found = kept(in_memory, "amount", amount)
    assert found == amount


@pytest.mark.parametrize("amount", ["90000000000000", "-90000000000000", "1E+30"])
def test_sqlite_refuses_amounts_that_it_cannot_hold(in_memory: Engine, amount: str) -> None:
    """With our own error, which says the limit."""
    with pytest.raises(InvalidValueError, match=r"out of range; SQLite keeps amounts below 9\*10\^13"):
        kept(in_memory, "amount", Decimal(amount))


def test_sqlite_refuses_amounts_with_more_decimals(in_memory: Engine) -> None:
    """Nothing is rounded silently."""
    with pytest.raises(InvalidValueError, match=r"0\.000001: more than 5 decimals"):
        kept(in_memory, "amount", Decimal("0.000001"))


def test_flags_are_conditions(database: Engine) -> None:
    """They are compared with True and False, and NULL is neither."""
    with database.begin() as connection:
        connection.execute(insert(VALUES), [{"flag": flag} for flag in (True, False, None)])
        for flag in (True, False):
            found = connection.execute(select(VALUES.c.flag).where(VALUES.c.flag == flag)).scalars().all()
            assert list(found) == [flag]


def test_days_are_compared_as_days(database: Engine) -> None:
    """Also with days in parameters of an expression."""
    with database.begin() as connection:
        connection.execute(insert(VALUES), [{"day": date(2026, 12, 1)}])
        found = connection.execute(
            select(VALUES.c.day <= date(2026, 12, 1), VALUES.c.day < literal(date(2026, 12, 1), Day()))
        ).one()
    assert [bool(each) for each in found] == [True, False]


def test_every_field_has_a_type() -> None:
    """All fields of Account but those with many values, in its order."""
    many = ["addons", "contact", "custom_fields"]
    fields = [name for name in Account.__annotations__ if name not in many]
    assert list(FIELD_TYPES) == fields
    assert set(SETTABLE) == CHANGEABLE - {"addons"}
    assert "site" in OPTIONAL
    assert "blocked" not in OPTIONAL


@pytest.mark.parametrize("kind", [Number, Text])
def test_the_tables_can_be_made(database_url: str, kind: type[TypeEngine[Any]]) -> None:
    """On every database, with keys of both kinds; making them again does no harm, and keys count by themselves."""
    engine = create_engine(database_url)
    metadata = MetaData()
    own, ours = own_accounts(metadata), journal(metadata, "batch_", kind())
    metadata.create_all(engine)
    metadata.create_all(engine)
    names = {table.name for table in metadata.tables.values()}
    assert set(inspect(engine).get_table_names()) == names
    assert {name for name in names if not name.startswith("batch_")} == {
        "accounts",
        "account_addons",
        "account_details",
    }
    with engine.begin() as connection:
        numbers = [connection.execute(insert(ours.plan).values(id=text)).inserted_primary_key for text in ("a", "A")]
        connection.execute(delete(ours.plan))
        numbers.append(connection.execute(insert(ours.plan).values(id="a")).inserted_primary_key)
    engine.dispose()
    assert [number[0] for number in numbers if number is not None] == [1, 2, 3]
    assert own.accounts.c.key.primary_key


@pytest.mark.parametrize(
    ("column", "amount"),
    [("balance", "1E+15"), ("balance", "-1E+15"), ("opening_balance", "1E+15")],
)
def test_the_tables_refuse_amounts_out_of_range(database_url: str, column: str, amount: str) -> None:
    """What no account can have cannot be written by a shift either."""
    engine = create_engine(database_url)
    metadata = MetaData()
    accounts = own_accounts(metadata).accounts
    metadata.create_all(engine)
    row = {"id": "1", "customer": "acme", "kind": "debit", "state": "open", "currency": "USD", "product": "gold"}
    row |= {"unified_messaging": "by_product"}
    row_of_zeros: dict[str, Any] = {**row, "blocked": False, "registered": False, "opening_balance": 0, "balance": 0}
    part = Decimal(amount) * Decimal("0.054" if engine.dialect.name == "sqlite" else "0.5")
    with engine.begin() as connection:
        connection.execute(insert(accounts).values({**row_of_zeros, column: part}))
    twice = update(accounts).values({column: accounts.c[column] + part})
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(twice)
    with engine.begin() as connection:
        assert connection.execute(select(accounts.c[column])).scalar_one() == part
    engine.dispose()
