"""Mappings onto tables of somebody else: their habits are read as what they mean, and written back as they were."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    create_engine,
    delete,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DataError

from account_batch import (
    CLEAR,
    AccountFilter,
    AccountKind,
    AccountState,
    AssignAddons,
    Batch,
    Catalog,
    Customer,
    Money,
    Outcome,
    Product,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    StatusFilter,
    UpdateSpec,
    apply_plan,
    plan_update,
)
from account_batch.errors import InvalidValueError, StoreError
from account_batch.questions import Equals, HasAddon, Question
from account_batch.stores.sql import SqlStore
from account_batch.stores.sql.fields import Code, Constant, Field, unset
from account_batch.stores.sql.mapping import (
    AccountMapping,
    AddonTable,
    DetailTable,
    LedgerTable,
    amount,
    coded,
    column,
    constant,
    enabled_date,
    instant_date,
    own_ledger,
    own_mapping,
    zero_date,
)
from account_batch.stores.sql.schema import journal, own_accounts
from account_batch.stores.sql.translate import holds
from account_batch.stores.sql.types import FIELD_TYPES, Instant, Number, Text
from account_batch.stores.sql.view import View
from world import NOW

# Old systems compare so.
SLOPPY = String(40).with_variant(mysql.VARCHAR(40, collation="utf8mb4_general_ci"), "mysql", "mariadb")
DOUBLE = Float(53)

USERS = Table(
    "users",
    MetaData(),
    Column("user_id", Integer, primary_key=True),
    Column("card", SLOPPY, unique=True, nullable=False),
    Column("name", SLOPPY),
    Column("name_or_empty", SLOPPY, nullable=False, default=""),
    Column("plan", Integer),
    Column("serial", Integer, nullable=False, default=0),
    Column("flag", SmallInteger),
    Column("bool", Boolean),
    Column("money", Numeric(20, 5)),
    Column("cents", Integer),
    Column("money_text", String(30)),
    Column("money_float", DOUBLE),
    Column("day", Date),
    Column("at", DateTime),
)

ESSENTIAL: dict[str, Any] = {
    "id": column(USERS.c.card),
    "customer": constant("acme"),
    "kind": constant(AccountKind.DEBIT),
    "currency": constant("USD"),
    "product": column(USERS.c.plan),
}


def mapping(**fields: Any) -> AccountMapping:
    """A mapping onto the table, with some fields beyond the essential ones."""
    return AccountMapping(table=USERS, key=USERS.c.user_id, fields={**ESSENTIAL, **fields})


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    """A database with somebody else's table."""
    engine = create_engine(database_url)
    USERS.metadata.create_all(engine)
    yield engine
    engine.dispose()


def fill(engine: Engine, *rows: dict[str, Any]) -> None:
    """Put rows in the table, and no others."""
    with engine.begin() as connection:
        connection.execute(delete(USERS))
        for key, row in enumerate(rows, 1):
            connection.execute(insert(USERS).values({"user_id": key, "card": f"card {key}", **row}))


def read(engine: Engine, field: Field) -> list[Any]:
    """The values of a field, by row."""
    with engine.connect() as connection:
        return list(connection.execute(select(field.read).select_from(USERS).order_by(USERS.c.user_id)).scalars())


def write(engine: Engine, name: str, field: Field, value: object) -> None:
    """Set a field of all rows."""
    assert field.write is not None
    kind = FIELD_TYPES[name]
    new = unset(kind) if value is None else literal(value, kind())
    with engine.begin() as connection:
        connection.execute(update(USERS).values(dict(field.write(new))))


def held(engine: Engine, *names: str) -> list[Any]:
    """What columns hold, by row."""
    with engine.connect() as connection:
        query = select(*(USERS.c[name] for name in names)).order_by(USERS.c.user_id)
        return [tuple(row) if len(names) > 1 else row[0] for row in connection.execute(query)]


class TestColumns:
    """Plain columns, of whatever type."""

    def test_texts_are_compared_exactly(self, database: Engine) -> None:
        """Whatever the collation of their columns is."""
        fill(database, {"name": "Acme"}, {"name": "acme"})
        field = mapping(site=column(USERS.c.name)).fields["site"]
        query = select(USERS.c.user_id).where(field.read == "acme")
        with database.connect() as connection:
            assert connection.execute(query).scalars().all() == [2]
            assert connection.execute(query.where(USERS.c.name == "acme")).scalars().all() == [2]
            grouped = select(field.read).group_by(field.read).order_by(field.read)
            assert connection.execute(grouped).scalars().all() == ["Acme", "acme"]
        assert field.raw is USERS.c.name

    def test_blank_texts_are_not_set(self, database: Engine) -> None:
        """And not set is written as NULL where the column takes it, else as an empty text."""
        fill(database, {"name": "", "name_or_empty": ""}, {"name": "  ", "name_or_empty": "x "}, {"name": None})
        fields = mapping(site=column(USERS.c.name), role=column(USERS.c.name_or_empty)).fields
        assert read(database, fields["site"]) == [None, None, None]
        assert read(database, fields["role"]) == [None, "x ", None]
        write(database, "site", fields["site"], None)
        write(database, "role", fields["role"], None)
        assert held(database, "name", "name_or_empty") == [(None, "")] * 3
        write(database, "role", fields["role"], "boss")
        assert read(database, fields["role"]) == ["boss"] * 3

    def test_numbers_are_texts_where_the_field_is_one(self, database: Engine) -> None:
        """A product may have a number."""
        fill(database, {"plan": 7})
        field = mapping().fields["product"]
        assert read(database, field) == ["7"]
        with database.connect() as connection:
            assert connection.execute(select(USERS.c.user_id).where(field.read == "7")).scalars().all() == [1]
        write(database, "product", field, "12")
        assert held(database, "plan") == [12]
        assert field.raw is None

    def test_zero_is_no_count(self, database: Engine) -> None:
        """Control numbers and periods begin at 1."""
        fill(database, {"serial": 0}, {"serial": 3})
        field = mapping(control_number=column(USERS.c.serial)).fields["control_number"]
        assert read(database, field) == [None, 3]
        write(database, "control_number", field, None)
        assert held(database, "serial") == [0, 0]
        write(database, "control_number", field, 5)
        assert held(database, "serial") == [5, 5]
        fill(database, {"plan": 0}, {"plan": None}, {"plan": 6})
        nullable = mapping(charging_period=column(USERS.c.plan)).fields["charging_period"]
        assert read(database, nullable) == [None, None, 6]
        write(database, "charging_period", nullable, None)
        assert held(database, "plan") == [None, None, None]

    @pytest.mark.parametrize("name", ["flag", "bool"])
    def test_flags(self, database: Engine, name: str) -> None:
        """Numbers or booleans; NULL is no."""
        fill(database, {name: 1}, {name: 0}, {name: None})
        field = mapping(blocked=USERS.c[name]).fields["blocked"]
        assert read(database, field) == [True, False, False]
        write(database, "blocked", field, value=True)
        assert held(database, name) == [1, 1, 1]
        write(database, "blocked", field, value=False)
        assert held(database, name) == [0, 0, 0]

    def test_dates(self, database: Engine) -> None:
        """As they are."""
        fill(database, {"day": date(2026, 12, 1)}, {"day": None})
        field = mapping(expiration_date=column(USERS.c.day)).fields["expiration_date"]
        assert read(database, field) == [date(2026, 12, 1), None]
        with database.connect() as connection:
            found = connection.execute(select(USERS.c.user_id).where(field.read <= date(2026, 12, 1)))
            assert found.scalars().all() == [1]
        write(database, "expiration_date", field, date(2027, 1, 1))
        assert held(database, "day") == [date(2027, 1, 1)] * 2

    def test_what_is_not_mapped_is_not_there(self) -> None:
        """A mapping has the fields that it was given."""
        assert sorted(mapping().fields) == ["currency", "customer", "id", "kind", "product"]

    def test_constants(self, database: Engine) -> None:
        """The same for all accounts, of every kind, and never written."""
        fill(database, {})
        fields = mapping(
            state=constant(AccountState.INACTIVE),
            blocked=constant(True),
            balance=constant(Decimal("1.5")),
            activation_date=constant(date(2026, 1, 1)),
            availability_days=constant(30),
            site=constant(None),
        ).fields
        names = ["state", "blocked", "balance", "activation_date", "availability_days", "site", "kind", "customer"]
        found = [read(database, fields[name])[0] for name in names]
        assert found == ["inactive", True, Decimal("1.5"), date(2026, 1, 1), 30, None, "debit", "acme"]
        assert {fields[name].write for name in names} == {None}
        with pytest.raises(InvalidValueError, match=r"^1\.5: no value of a field of an account$"):
            constant(1.5)  # type: ignore[arg-type]  # What a caller without a type checker may write.


class TestCodes:
    """Columns with a code for each value."""

    def test_texts(self, database: Engine) -> None:
        """What is no code is no value; codes are compared exactly, and the first code of a value is written."""
        codes: dict[Code, Constant] = {"A": "open", "L": "open", "S": AccountState.INACTIVE, None: "closed"}
        field = mapping(state=coded(USERS.c.name, codes)).fields["state"]
        fill(database, *({"name": name} for name in ["A", "L", "S", None, "a", "open"]))
        assert read(database, field) == [
            "open",
            "open",
            "inactive",
            "closed",
            "unknown code a",
            "unknown code open",
        ]
        with database.connect() as connection:
            found = connection.execute(select(USERS.c.user_id).where(field.read.in_(["open", "OPEN"])))
            assert sorted(found.scalars()) == [1, 2]
        for value, code in (("open", "A"), ("inactive", "S"), ("closed", None)):
            write(database, "state", field, value)
            assert set(held(database, "name")) == {code}

    def test_null_is_not_set_unless_it_is_a_code(self, database: Engine) -> None:
        """It is read as NULL, never as a value."""
        fill(database, {"name": None}, {"name": "x"})
        field = mapping(ivr_language=coded(USERS.c.name, {"x": "en", "": None})).fields["ivr_language"]
        assert read(database, field) == [None, "en"]
        write(database, "ivr_language", field, None)
        assert held(database, "name") == ["", ""]

    def test_a_flag_the_other_way_round(self, database: Engine) -> None:
        """Enabled is not blocked."""
        field = mapping(blocked=coded(USERS.c.name, {"Y": False, "N": True})).fields["blocked"]
        fill(database, {"name": "Y"}, {"name": "N"}, {"name": "y"})
        assert read(database, field)[:2] == [False, True]
        write(database, "blocked", field, value=True)
        assert held(database, "name") == ["N"] * 3
        numbers = mapping(blocked=coded(USERS.c.flag, {1: False, 0: True})).fields["blocked"]
        fill(database, {"flag": 1}, {"flag": 0}, {"flag": None}, {"flag": 2})
        assert read(database, numbers) == [False, True, False, None]
        write(database, "blocked", numbers, value=False)
        assert held(database, "flag") == [1] * 4
        booleans = mapping(blocked=coded(USERS.c.bool, {True: False, False: True})).fields["blocked"]
        fill(database, {"bool": True}, {"bool": False})
        assert read(database, booleans) == [False, True]
        write(database, "blocked", booleans, value=False)
        assert held(database, "bool") == [True, True]
        numbers = mapping(blocked=coded(USERS.c.flag, {True: False, False: True})).fields["blocked"]
        fill(database, {"flag": 1}, {"flag": 0}, {"flag": 2})
        assert read(database, numbers) == [False, True, None]
        write(database, "blocked", numbers, value=True)
        assert held(database, "flag") == [0, 0, 0]

    @pytest.mark.parametrize(
        ("row", "spec", "said"),
        [
            ({"name": "B"}, UpdateSpec(ivr_language="en"), r'state: the tables have "unknown code B"'),
            ({"flag": 2}, UpdateSpec(status=StatusChange.BLOCKED), r"blocked: the tables have a code .* not know"),
            ({}, UpdateSpec(status=StatusChange.TERMINATED), r'state: the mapping has no code for "closed"; give'),
            ({}, UpdateSpec(ivr_language="fr"), r'ivr_language: the mapping has no code for "fr"; give'),
            ({"cents": 7}, UpdateSpec(ivr_language=CLEAR), r"ivr_language: the mapping has no code for not set; give"),
        ],
        ids=["unknown state", "unknown flag", "state without a code", "text without a code", "nothing without a code"],
    )
    def test_what_has_no_code_is_refused(
        self, database: Engine, row: dict[str, Any], spec: UpdateSpec, said: str
    ) -> None:
        """Neither read as something else, nor left as it is and called applied."""
        fill(database, {"name": "A", "flag": 1, "plan": 1, **row})
        known = mapping(
            batch=constant("B"),
            state=coded(USERS.c.name, {"A": "open"}),
            blocked=coded(USERS.c.flag, {1: False, 0: True}),
            ivr_language=coded(USERS.c.cents, {7: "en"}),
        )
        catalog = Catalog(
            customers=[Customer(id="acme", billing_time_zone="UTC")],
            batches=[Batch(id="B", customer="acme")],
            products=[Product(id="1", currency="USD")],
            ivr_languages=["en", "fr"],
        )
        with closing(SqlStore(database, known)) as store:
            store.create()
            everybody = AccountFilter(batch="B")
            for where in (everybody, attrs.evolve(everybody, status=StatusFilter.OPEN, blocked=False)):
                with pytest.raises(StoreError, match=said):
                    plan_update(store, where, spec, catalog=catalog, now=NOW)
            assert store.plans() == []

    def test_a_code_that_no_column_holds(self, database: Engine) -> None:
        """It is an error of the store that says what is wrong."""
        fill(database, {"flag": 1, "plan": 1})
        known = mapping(blocked=coded(USERS.c.flag, {1: False, 2**70: True}))
        with closing(SqlStore(database, known)) as store:
            store.create()
            if database.dialect.name == "mariadb":  # It compares with any number.
                assert [found.blocked for found in store.find(AccountFilter())] == [False]
                return
            with pytest.raises(StoreError, match="the database"):
                list(store.find(AccountFilter()))

    def test_a_value_without_a_code_changes_nothing(self, database: Engine) -> None:
        """What cannot be said there is not written as something else."""
        fill(database, {"name": "A"})
        field = mapping(state=coded(USERS.c.name, {"A": "open"})).fields["state"]
        write(database, "state", field, "closed")
        assert held(database, "name") == ["A"]

    @pytest.mark.parametrize("codes", [{}, {"A": None}, {"A": "open", "B": True}])
    def test_codes_of_one_kind(self, codes: dict[Any, Any]) -> None:
        """There are some, and their values are of one kind."""
        with pytest.raises(InvalidValueError, match=r"coded: .* are no codes of one kind of value"):
            coded(USERS.c.name, codes)


ACME = Catalog(
    customers=[Customer(id="acme", billing_time_zone="UTC")],
    batches=[Batch(id="B", customer="acme")],
    products=[
        Product(id="1", currency="USD", allowed_addons=["fax"]),
        Product(id="2", currency="USD"),
        Product(id="fax", currency="USD", is_addon=True),
    ],
    ivr_languages=["en"],
)
BATCH = AccountFilter(batch="B")


@contextmanager
def opened(engine: Engine, **fields: Any) -> Iterator[SqlStore]:
    """A store over a mapping with some fields, in which everybody is in one batch."""
    with closing(SqlStore(engine, mapping(batch=constant("B"), **fields))) as store:
        yield store.create()


class TestAccounts:
    """What accounts come of the rows."""

    def test_rows_that_no_account_can_be(self, database: Engine) -> None:
        """Reading them is an error that says why; they are stale where they became so after planning."""
        fill(database, {"plan": 1, "name": "USD"}, {"plan": 1, "name": "USD"})
        with opened(database, currency=column(USERS.c.name), ivr_language=column(USERS.c.name_or_empty)) as store:
            plan = plan_update(store, BATCH, UpdateSpec(ivr_language="en"), catalog=ACME, now=NOW)
            with database.begin() as connection:
                moved = update(USERS).where(USERS.c.user_id == 1)
                connection.execute(moved.values(name="dollars", name_or_empty="uk"))
            with pytest.raises(StoreError, match=r"the tables have an account that cannot be: account\.currency"):
                list(store.find(BATCH))
            report = apply_plan(plan, store, now=NOW)
            assert [item.outcome for item in report.outcomes] == [Outcome.STALE, Outcome.APPLIED]
            (reason,) = report.outcomes[0].reasons
            assert reason.field == "store"
            assert "cannot be: account.currency" in reason.detail
            assert held(database, "name_or_empty") == ["uk", "en"]

    def test_without_addons(self, database: Engine) -> None:
        """Accounts have none, a product is changed all the same, and setting add-ons is refused by name."""
        fill(database, {"plan": 1})
        with opened(database) as store:
            for setting in (ReplaceAddons(()), ReplaceAddons({"fax"}), AssignAddons({"fax"}), RemoveAddons({"fax"})):
                with pytest.raises(StoreError, match='the tables have no "addons"; give the mapping one'):
                    plan_update(store, BATCH, UpdateSpec(addons=setting), catalog=ACME, now=NOW)
            assert store.plans() == []
            plan = plan_update(store, BATCH, UpdateSpec(product="2"), catalog=ACME, now=NOW)
            assert apply_plan(plan, store, now=NOW).counts[Outcome.APPLIED] == 1
            (found,) = store.find(BATCH)
            assert (found.product, found.addons) == ("2", frozenset())

    def test_questions_about_addons_that_are_nowhere(self, database: Engine) -> None:
        """No account has any, and so exactly none is what each of them has."""
        fill(database, {})
        view = View(
            mapping(), LedgerTable(table=USERS, account=USERS.c.user_id, fields={"amount": column(USERS.c.money)})
        )
        questions: list[Question] = [
            Equals("addons", frozenset()),
            Equals("addons", frozenset({"fax"})),
            HasAddon("fax"),
        ]
        with database.connect() as connection:
            answers = select(*(holds(question, view) for question in questions)).select_from(USERS)
            assert [bool(answer) for answer in connection.execute(answers).one()] == [True, False, False]

    def test_a_mapping_that_lost_its_addons(self, database: Engine) -> None:
        """A plan that gives add-ons is not applied without them; nothing is called applied."""
        fill(database, {"plan": 1})
        extras = Table("extras", MetaData(), Column("owner", Integer), Column("extra", SLOPPY))
        extras.create(database)
        without = mapping(batch=constant("B"))
        addons = AddonTable(table=extras, account=extras.c.owner, addon=extras.c.extra)
        with closing(SqlStore(database, attrs.evolve(without, addons=addons)).create()) as store:
            plan = plan_update(store, BATCH, UpdateSpec(addons=AssignAddons({"fax"})), catalog=ACME, now=NOW)
            with (
                closing(SqlStore(database, without)) as other,
                pytest.raises(StoreError, match='the tables have no "addons"'),
            ):
                apply_plan(plan, other, now=NOW)
            assert store.status(plan.id)[Outcome.NOT_ATTEMPTED] == 1
            assert apply_plan(plan, store, now=NOW).counts[Outcome.APPLIED] == 1
            assert [found.addons for found in store.find(BATCH)] == [{"fax"}]

    def test_a_field_that_moves_another_one(self, database: Engine) -> None:
        """Correcting opening balances moves balances, and is refused where there are none."""
        fill(database, {"plan": 1, "money": Decimal(5)})
        spec = UpdateSpec(opening_balance=Money(7, "USD"))
        with opened(database, opening_balance=column(USERS.c.money)) as store:
            with pytest.raises(StoreError, match='the tables have no "balance"; give the mapping one'):
                plan_update(store, BATCH, spec, catalog=ACME, now=NOW)
            assert store.plans() == []
            assert held(database, "money") == [5]


AMOUNTS = ["15", "0.1", "-0.5", "1234567.89", "-0.00001", "0"]


class TestAmounts:
    """Money, in every way in which tables keep it."""

    @pytest.mark.parametrize("name", ["money", "money_text", "money_float"])
    @pytest.mark.parametrize("text", AMOUNTS)
    def test_plain_units(self, database: Engine, name: str, text: str) -> None:
        """As a number or as text, exactly, both ways."""
        value: Any = {"money": Decimal(text), "money_text": text, "money_float": float(text)}[name]
        fill(database, {name: value})
        field = mapping(balance=amount(USERS.c[name])).fields["balance"]
        (found,) = read(database, field)
        assert (found, type(found)) == (Decimal(text), Decimal)
        with database.begin() as connection:
            assert connection.execute(select(field.read == Decimal(text))).scalar_one() == 1
            assert field.write is not None
            moved = update(USERS).values(dict(field.write(field.read + literal(Decimal("0.10001"), field.read.type))))
            connection.execute(moved)
        assert read(database, field) == [Decimal(text) + Decimal("0.10001")]
        write(database, "balance", field, Decimal(text))
        (again,) = held(database, name)
        assert Decimal(str(again)) == Decimal(text)

    @pytest.mark.parametrize("text", [".5", "+.5", " 0.50 ", "00.5"])
    def test_texts_of_people(self, database: Engine, text: str) -> None:
        """Signs, blanks and superfluous zeros say nothing."""
        fill(database, {"money_text": text}, {"money_text": ""}, {"money_text": None})
        field = mapping(balance=column(USERS.c.money_text)).fields["balance"]
        assert read(database, field) == [Decimal("0.5"), 0, 0]

    def test_texts_have_more_digits_than_floating_point(self, database: Engine) -> None:
        """All of them count."""
        fill(database, {"money_text": "12345678901234.56789"})
        field = mapping(balance=amount(USERS.c.money_text)).fields["balance"]
        assert read(database, field) == [Decimal("12345678901234.56789")]
        write(database, "balance", field, Decimal("-12345678901234.00009"))
        assert held(database, "money_text") == ["-12345678901234.00009"]

    @pytest.mark.parametrize(("digits", "value"), [(0, "1234"), (2, "12.34"), (5, "0.01234")])
    def test_minor_units(self, database: Engine, digits: int, value: str) -> None:
        """Whole numbers of them."""
        fill(database, {"cents": 1234}, {"cents": -1234})
        field = mapping(balance=amount(USERS.c.cents, minor_digits=digits)).fields["balance"]
        assert read(database, field) == [Decimal(value), -Decimal(value)]
        assert field.places == digits
        write(database, "balance", field, 3 * Decimal(value))
        assert held(database, "cents") == [3702, 3702]

    def test_places(self) -> None:
        """What a column would round is known."""
        cents = Column("x", Numeric(10, 2))
        Table("other", MetaData(), cents)
        assert amount(cents).places == 2
        assert column(cents).places == 2
        assert mapping(balance=column(USERS.c.cents)).fields["balance"].places == 0
        assert mapping(balance=column(USERS.c.money_text)).fields["balance"].places == 5
        with pytest.raises(InvalidValueError, match="amount: minor_digits 6 is none of 0 to 5"):
            amount(USERS.c.cents, minor_digits=6)


class TestDates:
    """Dates that are there and mean none."""

    def test_a_date_that_means_none(self, database: Engine) -> None:
        """Both ways."""
        fill(database, {"day": date(9999, 12, 31)}, {"day": date(2026, 12, 1)}, {"day": None})
        field = mapping(expiration_date=zero_date(USERS.c.day, "9999-12-31")).fields["expiration_date"]
        assert read(database, field) == [None, date(2026, 12, 1), None]
        write(database, "expiration_date", field, None)
        assert held(database, "day") == [date(9999, 12, 31)] * 3
        write(database, "expiration_date", field, date(2027, 1, 1))
        assert read(database, field) == [date(2027, 1, 1)] * 3

    def test_zero_dates_of_mariadb(self, database: Engine) -> None:
        """No calendar has them, and MariaDB keeps them; PostgreSQL refuses to."""
        field = mapping(expiration_date=zero_date(USERS.c.day)).fields["expiration_date"]
        at = mapping(activation_date=instant_date(USERS.c.at, "Asia/Tokyo", sentinel="0000-00-00 00:00:00")).fields[
            "activation_date"
        ]
        fill(database, {})
        if database.dialect.name == "postgresql":
            with pytest.raises(DataError):
                write(database, "expiration_date", field, None)
            return
        write(database, "expiration_date", field, None)
        write(database, "activation_date", at, None)
        with database.connect() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM users WHERE day = '0000-00-00'")
            assert found.scalar_one() == 1
        assert read(database, field) == [None]
        assert read(database, at) == [None]
        write(database, "activation_date", at, date(2026, 12, 1))
        assert held(database, "at") == [datetime(2026, 11, 30, 15)]  # noqa: DTZ001

    def test_a_date_that_a_flag_enables(self, database: Engine) -> None:
        """Clearing turns the flag off and keeps the date."""
        day = date(2026, 12, 1)
        fill(database, {"name": "Y", "day": day}, {"name": "N", "day": day}, {"name": None, "day": day}, {"name": "Y"})
        field = mapping(expiration_date=enabled_date(USERS.c.name, USERS.c.day)).fields["expiration_date"]
        assert read(database, field) == [day, None, None, None]
        write(database, "expiration_date", field, None)
        assert held(database, "name", "day") == [("N", day)] * 3 + [("N", None)]
        write(database, "expiration_date", field, date(2027, 1, 1))
        assert held(database, "name", "day") == [("Y", date(2027, 1, 1))] * 4

    def test_an_instant_that_a_flag_enables(self, database: Engine) -> None:
        """Habits go together."""
        at = datetime(2026, 11, 30, 15)  # noqa: DTZ001
        fill(database, {"flag": 1, "at": at}, {"flag": 0, "at": at})
        field = mapping(
            expiration_date=enabled_date(USERS.c.flag, instant_date(USERS.c.at, "Asia/Tokyo"), on=1, off=0)
        ).fields["expiration_date"]
        assert read(database, field) == [date(2026, 12, 1), None]
        write(database, "expiration_date", field, None)
        assert held(database, "flag", "at") == [(0, at)] * 2

    def test_what_holds_no_dates_is_refused(self) -> None:
        """With what would be right."""
        with pytest.raises(InvalidValueError, match=r"zero_date: users\.at is DateTime\(\); for instants, use"):
            zero_date(USERS.c.at)
        with pytest.raises(InvalidValueError, match=r"enabled_date: users\.at is"):
            enabled_date(USERS.c.name, USERS.c.at)
        with pytest.raises(InvalidValueError, match='zero_date: "0" is no date'):
            zero_date(USERS.c.day, "0")
        read_only = Field(read=column(USERS.c.day).read)
        assert enabled_date(USERS.c.name, read_only).write is None


class TestMapping:
    """What a mapping refuses."""

    def test_a_key_may_be_text(self) -> None:
        """If it is unique and always there."""
        made = AccountMapping(table=USERS, key=USERS.c.card, fields=ESSENTIAL)
        assert made.key is USERS.c.card

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"sight": column(USERS.c.name)}, 'mapping.fields: unknown field "sight"; did you mean "site"?'),
            ({"addons": column(USERS.c.name)}, 'mapping.fields: unknown field "addons"'),
            ({"site": "name"}, "mapping.fields.site: 'name' is no Field; write column(table.c.name)"),
            (
                {"expiration_date": column(USERS.c.at)},
                "mapping.fields.expiration_date: DateTime() is no Day; write zero_",
            ),
            ({"blocked": column(USERS.c.name)}, "mapping.fields.blocked: String(length=40) is no Flag; write coded("),
            ({"balance": column(USERS.c.day)}, "mapping.fields.balance: Date() is no Amount; write amount(column)"),
            (
                {"availability_days": column(USERS.c.name)},
                "mapping.fields.availability_days: String(length=40) is no N",
            ),
        ],
    )
    def test_fields(self, change: dict[str, Any], message: str) -> None:
        """Unknown ones, and columns without an exact conversion; the message says where, and what would be right."""
        with pytest.raises(InvalidValueError) as caught:
            mapping(**change)
        assert str(caught.value).startswith(message)

    def test_required_fields(self) -> None:
        """All that are missing are named."""
        with pytest.raises(InvalidValueError, match=r"mapping\.fields: missing: customer, kind, currency; map them"):
            AccountMapping(
                table=USERS,
                key=USERS.c.user_id,
                fields={"id": column(USERS.c.card), "product": column(USERS.c.plan)},
            )

    def test_keys(self) -> None:
        """A key that may come twice, be missing, be elsewhere or be no key."""
        other = Table("other", MetaData(), Column("x", Integer, primary_key=True), Column("y", Date, unique=True))
        for key, message in (
            (USERS.c.name, r"mapping\.key: users\.name is not declared unique and NOT NULL"),
            (USERS.c.serial, r"mapping\.key: users\.serial is not declared unique"),
            (other.c.x, r"mapping\.key: other\.x is no column of users"),
        ):
            with pytest.raises(InvalidValueError, match=message):
                AccountMapping(table=USERS, key=key, fields=ESSENTIAL)
        with pytest.raises(InvalidValueError, match=r"mapping\.key: other\.y is Date\(\); a key is a whole number or"):
            AccountMapping(table=other, key=other.c.y, fields=ESSENTIAL)

    def test_other_tables(self) -> None:
        """What is written has to be in the row of the account."""
        other = Table("other", MetaData(), Column("x", SLOPPY))
        with pytest.raises(
            InvalidValueError, match=r"mapping\.fields\.site: writes other\.x, which is no column of us"
        ):
            mapping(site=column(other.c.x))
        with pytest.raises(InvalidValueError, match=r"mapping\.addons\.addon: users\.name is no column of other"):
            AddonTable(table=other, account=other.c.x, addon=USERS.c.name)

    @pytest.mark.parametrize("prefix", ["", "a b", "1x", "ä"])
    def test_prefixes(self, prefix: str) -> None:
        """They begin the name of a table."""
        with pytest.raises(InvalidValueError, match="begins no name of a table"):
            AccountMapping(table=USERS, key=USERS.c.user_id, fields=ESSENTIAL, prefix=prefix)


def test_our_own_tables_are_mapped_as_they_are() -> None:
    """Every field is a column, read without any conversion, so that indexes are used."""
    metadata = MetaData()
    own = own_accounts(metadata)
    made = own_mapping(own)
    assert {name: field.read for name, field in made.fields.items()} == {
        name: own.accounts.c[name] for name in FIELD_TYPES
    }
    assert made.addons is not None
    assert made.addons.read is own.addons.c.addon
    assert isinstance(made.contact, DetailTable)
    assert (made.contact.name, made.contact.value) == (own.details.c.name, own.details.c.value)
    ledger = own_ledger(journal(metadata, made.prefix, Number()).ledger)
    assert ledger.read("reference") is ledger.table.c.reference


def test_details_and_addons_are_compared_exactly(database: Engine) -> None:
    """In columns of the account or in tables of their own."""
    fill(database, {"name": "Red"})
    made = AccountMapping(
        table=USERS, key=USERS.c.user_id, fields=ESSENTIAL, contact={"colour": USERS.c.name}, custom_fields={}
    )
    assert isinstance(made.contact, dict) is False
    assert not isinstance(made.contact, DetailTable)
    extras = AddonTable(table=USERS, account=USERS.c.user_id, addon=USERS.c.name)
    table = DetailTable(table=USERS, account=USERS.c.user_id, field=USERS.c.name, name=USERS.c.name, value=USERS.c.name)
    for expression in (made.contact["colour"], extras.read, table.field, table.name, table.value):
        with database.connect() as connection:
            for text, count in (("Red", 1), ("red", 0)):
                found = connection.execute(select(USERS.c.user_id).where(expression == text)).all()
                assert len(found) == count


class TestLedger:
    """The table of transactions of somebody else."""

    def ledger(self, **fields: Any) -> LedgerTable:
        """A ledger in the table, which has what these tests need."""
        return LedgerTable(table=USERS, account=USERS.c.user_id, fields={"amount": column(USERS.c.money), **fields})

    def test_fields_that_it_has(self, database: Engine) -> None:
        """Are read and written in their types; others are not set, or empty."""
        ledger = self.ledger(reference=column(USERS.c.name), kind=coded(USERS.c.flag, {1: "charge", 2: "refund"}))
        fill(database, {"name": "", "money": Decimal("1.5"), "flag": 2})
        names = ["reference", "amount", "kind", "distributor", "comment"]
        with database.begin() as connection:
            assert connection.execute(select(*map(ledger.read, names))).one() == (
                None,
                Decimal("1.5"),
                "refund",
                None,
                "",
            )
            written = ledger.write("kind", literal("charge", Text()))
            connection.execute(update(USERS).values(dict(written)))
        assert held(database, "flag") == [1]
        assert ledger.write("comment", literal("x", Text())) == {}
        assert ledger.write("amount", literal(1, USERS.c.money.type)).keys() == {USERS.c.money}

    def test_instants_are_kept_in_utc(self, database: Engine) -> None:
        """In a column that knows no zones, whatever zone the session has."""
        fill(database, {"money": Decimal(1)})
        at = datetime(2026, 12, 1, 1, 30, 0, 250_000, timezone(timedelta(hours=5, minutes=30)))
        written = self.ledger(at=column(USERS.c.at)).write("at", literal(at, Instant()))
        with database.begin() as connection:
            if database.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TIME ZONE 'Pacific/Auckland'")
            connection.execute(update(USERS).values(dict(written)))
        (found,) = held(database, "at")
        # MariaDB's DATETIME has whole seconds unless it is declared otherwise.
        assert found.replace(microsecond=0) == datetime(2026, 11, 30, 20)  # noqa: DTZ001  # The column has no zone.
        assert found.microsecond == (0 if database.dialect.name == "mariadb" else 250_000)

    def test_what_is_refused(self) -> None:
        """Unknown fields, no amount, an account elsewhere."""
        with pytest.raises(InvalidValueError, match=r'mapping\.ledger: unknown field "remark"'):
            self.ledger(remark=column(USERS.c.name))
        with pytest.raises(InvalidValueError, match=r"mapping\.ledger: missing: amount"):
            LedgerTable(table=USERS, account=USERS.c.user_id, fields={})
        other = Table("other", MetaData(), Column("x", Integer))
        with pytest.raises(InvalidValueError, match=r"mapping\.ledger\.account: other\.x is no column of users"):
            LedgerTable(table=USERS, account=other.c.x, fields={"amount": column(USERS.c.money)})
