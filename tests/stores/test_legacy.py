"""A store over a database that somebody else designed: the same accounts and plans, and rows as their owner expects."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import attrs
import pytest
from sqlalchemy import inspect

from account_batch import (
    CLEAR,
    AccountFilter,
    ActivateNow,
    ActivateOn,
    ApplyPolicy,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    MemoryStore,
    Money,
    Outcome,
    Plan,
    Refund,
    RefusalCode,
    Registration,
    RemoveAddons,
    ReplaceAddons,
    Report,
    StatusChange,
    StatusFilter,
    TextMatch,
    TransactionKind,
    UnifiedMessaging,
    UpdateSpec,
    apply_plan,
    plan_due,
    plan_update,
)
from account_batch.errors import StoreError
from databases import BACKENDS, Databases, engine
from legacy import BATCH, CATALOG, NEVER, NOW, SERVICES, Legacy, Row, population
from sameness import EVERYBODY, Store, accounts_of, said_by, told_by

_WHERE = AccountFilter(batch=BATCH, status=StatusFilter.ANY)
_POLICY = ApplyPolicy(chunk_size=100, over_credit_limit=True)
_TODAY = {"lakeside": "2026-11-23", "harbour": "2026-11-24", "nile": "2026-11-23"}
_SHARE = {501: Decimal("0.85"), 502: Decimal("0.5")}


@pytest.fixture(scope="module", params=BACKENDS)
def operator(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Legacy]:
    """The operator's database of each kind, as the last test left it: making tables takes longer than most tests."""
    with databases.fresh(request.param) as url, engine(url) as made:
        legacy = Legacy(made)
        legacy.metadata.create_all(made)
        yield legacy


@pytest.fixture
def nobody(operator: Legacy) -> Legacy:
    """The operator's database, without subscribers."""
    operator.empty()
    return operator


@pytest.fixture
def legacy(nobody: Legacy) -> Legacy:
    """The operator's database, with subscribers of every sort."""
    nobody.fill(population(), SERVICES)
    return nobody


def _cad(amount: str) -> Money:
    return Money(amount, "CAD")


def _plan(store: Store, spec: UpdateSpec, where: AccountFilter = _WHERE) -> Plan:
    return plan_update(store, where, spec, catalog=CATALOG, now=NOW)


def _apply(plan: Plan, store: Store) -> Report:
    return apply_plan(plan, store, now=NOW, policy=_POLICY, terminate=len(plan.changes) if plan.terminates else None)


class Booking(NamedTuple):
    """A row of the table of payments, as far as campaigns differ in it."""

    code: str
    amount: Decimal
    memo: str = ""
    ref: str | None = None
    dealer: int | None = None


class Campaign(NamedTuple):
    """What is set, and what becomes of the rows of a subscriber who gets it."""

    spec: UpdateSpec
    columns: Callable[[Row], dict[str, Any]] = lambda _: {}
    services: Callable[[set[str]], set[str]] = lambda codes: codes
    bookings: Callable[[Row], list[Booking]] = lambda _: []


def _dealer_pays(amount: Decimal, dealer: int | None) -> list[Booking]:
    paid = Decimal(0) if dealer is None else amount * _SHARE[dealer]
    return [Booking("DC", paid, dealer=dealer)] if paid else []


def _opens(row: Row) -> dict[str, Any]:
    return {"life": "live", "starts_on": _TODAY[row["owner"]]} if row["life"] == "new" else {}


CAMPAIGNS = {
    "block": Campaign(UpdateSpec(status=StatusChange.BLOCKED), lambda _: {"enabled": "N"}),
    "unblock": Campaign(UpdateSpec(status=StatusChange.UNBLOCKED), lambda _: {"enabled": "Y"}),
    "terminate": Campaign(UpdateSpec(status=StatusChange.TERMINATED), lambda _: {"closed": 1}),
    "expire": Campaign(
        UpdateSpec(expiration=ExpireOn("2027-04-30")),
        lambda row: {
            "expires": "Y",
            "expires_at": {
                "lakeside": "2027-04-30 04:00:00",
                "harbour": "2027-04-29 12:00:00",
                "nile": "2027-04-29 22:00:00",
            }[row["owner"]],
        },
    ),
    "never expire": Campaign(UpdateSpec(expiration=CLEAR), lambda _: {"expires": "N"}),
    "activate now": Campaign(
        UpdateSpec(activation=ActivateNow()),
        _opens,
        bookings=lambda row: _dealer_pays(Decimal(row["initial_cents"]) / 100, row["dealer"]),
    ),
    "activate later": Campaign(UpdateSpec(activation=ActivateOn("2026-12-01")), lambda _: {"starts_on": "2026-12-01"}),
    "do not activate": Campaign(UpdateSpec(activation=CLEAR), lambda _: {"starts_on": NEVER}),
    "availability": Campaign(UpdateSpec(availability_days=60), lambda _: {"grace_days": 60}),
    "no availability": Campaign(UpdateSpec(availability_days=CLEAR), lambda _: {"grace_days": 0}),
    "opening balance": Campaign(
        UpdateSpec(opening_balance=_cad("20.00")),
        lambda row: {"initial_cents": 2000, "saldo": row["saldo"] + 20 - Decimal(row["initial_cents"]) / 100},
        bookings=lambda row: (
            _dealer_pays(20 - Decimal(row["initial_cents"]) / 100, row["dealer"]) if row["life"] == "live" else []
        ),
    ),
    # Whether funds shrink or debts grow, it is less in the column.
    "charge": Campaign(
        UpdateSpec(charge=Charge(_cad("0.95"), comment="SIM fee", reference="fee-2026")),
        lambda row: {"saldo": row["saldo"] - Decimal("0.95")},
        bookings=lambda _: [Booking("CH", Decimal("0.95"), "SIM fee", "fee-2026")],
    ),
    "charge and refund": Campaign(
        UpdateSpec(charge=Charge(_cad("2"), allow_overdraft=True), refund=Refund(_cad("0.01"), allow_overdraft=True)),
        lambda row: {"saldo": row["saldo"] - Decimal("2.01")},
        bookings=lambda _: [Booking("CH", Decimal(2)), Booking("RF", Decimal("0.01"))],
    ),
    "product": Campaign(UpdateSpec(product="20"), lambda _: {"tariff": 20}),
    "assign add-ons": Campaign(UpdateSpec(addons=AssignAddons({"CW"})), services=lambda codes: codes | {"CW"}),
    "replace add-ons": Campaign(UpdateSpec(addons=ReplaceAddons({"VM"})), services=lambda _: {"VM"}),
    "remove add-ons": Campaign(UpdateSpec(addons=RemoveAddons({"CW"})), services=lambda codes: codes - {"CW"}),
    "associated number": Campaign(UpdateSpec(associated_number="18005551234"), lambda _: {"forward_to": "18005551234"}),
    "no associated number": Campaign(UpdateSpec(associated_number=CLEAR), lambda _: {"forward_to": ""}),
    "messaging": Campaign(UpdateSpec(unified_messaging=UnifiedMessaging.NO), lambda _: {"messaging": 0}),
    "messaging by product": Campaign(
        UpdateSpec(unified_messaging=UnifiedMessaging.BY_PRODUCT), lambda _: {"messaging": None}
    ),
    "language": Campaign(UpdateSpec(ivr_language="en"), lambda _: {"lang": "en"}),
    "distributor": Campaign(
        UpdateSpec(distributor=AssignDistributor("501", charge=True)),
        lambda _: {"dealer": 501},
        bookings=lambda row: _dealer_pays(Decimal(row["initial_cents"]) / 100, 501) if row["life"] == "live" else [],
    ),
    "no distributor": Campaign(UpdateSpec(distributor=CLEAR), lambda _: {"dealer": None}),
    "much at once": Campaign(
        UpdateSpec(
            status=StatusChange.UNBLOCKED,
            activation=ActivateNow(),
            availability_days=365,
            product="20",
            addons=ReplaceAddons({"VM", "CW"}),
            ivr_language="fr",
            distributor=CLEAR,
        ),
        lambda row: {**_opens(row), "enabled": "Y", "grace_days": 365, "tariff": 20, "lang": "fr", "dealer": None},
        lambda _: {"VM", "CW"},
    ),
}


def test_every_row_is_the_account_that_it_means(legacy: Legacy) -> None:
    """Two columns for a status, flags, zeros, signs and clocks are read as what they stand for."""
    assert {account.id: account for account in legacy.store().find(EVERYBODY)} == legacy.accounts()


FILTERS = [
    AccountFilter(batch=BATCH),
    AccountFilter(batch=BATCH, control_numbers="3-50,77,100-200"),
    *(AccountFilter(status=status) for status in StatusFilter),
    AccountFilter(blocked=True),
    AccountFilter(used=False, status=StatusFilter.ANY),
    AccountFilter(used=True),
    AccountFilter(registration=Registration.REGISTERED),
    AccountFilter(customer="nile", product="10"),
    AccountFilter(account_id=TextMatch.starts_with("a%")),
    AccountFilter(account_id=TextMatch.contains("'x")),
    AccountFilter(contact={"email": "ann@example.org"}),
    AccountFilter(custom_fields={"colour": "red"}),
]


def test_filters_find_the_same_accounts_as_in_memory(legacy: Legacy) -> None:
    """By each criterion, compared exactly whatever the collation of the column is."""
    memory, store = MemoryStore(legacy.accounts().values()), legacy.store()
    for where in FILTERS:
        found = {account.id for account in store.find(where)}
        assert found == {account.id for account in memory.find(where)}, where
        assert found, where
    assert not list(store.find(AccountFilter(account_id=TextMatch.contains("'X"))))


def test_plans_are_those_of_the_same_accounts_in_memory(legacy: Legacy) -> None:
    """Change by change, with everything else that a plan says."""
    memory, store = MemoryStore(legacy.accounts().values()), legacy.store()
    for name, campaign in CAMPAIGNS.items():
        expected = said_by(_plan(memory, campaign.spec))
        said = said_by(_plan(store, campaign.spec))
        for part, value in expected.items():
            assert said[part] == value, f"{name}: {part}"
        assert expected["changes"], name


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_applying_writes_what_the_operator_expects_and_nothing_else(legacy: Legacy, name: str) -> None:
    """In the rows of those who change, the columns that are meant; services and payments likewise."""
    campaign = CAMPAIGNS[name]
    memory, store = MemoryStore(legacy.accounts().values()), legacy.store()
    expected = _plan(memory, campaign.spec)
    changing = {change.account_id for change in expected.changes}
    rows, services = legacy.rows(), legacy.services()
    changed = [number for number, row in rows.items() if row["pin"] in changing]
    plan = _plan(store, campaign.spec)

    report = _apply(plan, store)

    assert told_by(report) == told_by(_apply(expected, memory))
    assert legacy.rows() == {
        number: {**row, **campaign.columns(row)} if number in changed else row for number, row in rows.items()
    }
    meant = {
        number: campaign.services(services.get(number, set())) if number in changed else services.get(number, set())
        for number in rows
    }
    assert legacy.services() == {number: codes for number, codes in meant.items() if codes}
    assert legacy.payments() == [
        {
            "subscriber": number,
            **booking._asdict(),
            "job": plan.id,
            "booked_at": "2026-11-23 12:00:00",
            "channel": "BATCH",
        }
        for number in changed
        for booking in campaign.bookings(rows[number])
    ]
    assert accounts_of(store) == accounts_of(memory) == dict(sorted(legacy.accounts().items()))


def test_applying_again_changes_nothing(legacy: Legacy) -> None:
    """Neither with the same store nor with one that another process opens."""
    store = legacy.store()
    plan = _plan(store, CAMPAIGNS["charge"].spec)
    report = _apply(plan, store)
    rows, payments = legacy.rows(), legacy.payments()
    assert payments
    assert told_by(_apply(plan, store)) == told_by(report)
    assert told_by(_apply(plan, legacy.store())) == told_by(report)
    assert (legacy.rows(), legacy.payments()) == (rows, payments)


def test_due_activations_are_carried_out(legacy: Legacy) -> None:
    """Those whose date has come in the calendar of their owner."""
    memory, store = MemoryStore(legacy.accounts().values()), legacy.store()
    expected = plan_due(memory, catalog=CATALOG, now=NOW)
    plan = plan_due(store, catalog=CATALOG, now=NOW)
    assert said_by(plan) == said_by(expected)
    before = legacy.rows()
    due = {
        number
        for number, row in before.items()
        if row["life"] == "new" and not row["closed"] and NEVER < row["starts_on"] <= _TODAY.get(row["owner"], "")
    }
    _apply(plan, store)
    after = legacy.rows()
    assert {number for number in before if after[number] != before[number]} == due
    assert all(after[number]["life"] == "live" for number in due)


def test_the_entries_of_a_plan_are_read_from_the_table_of_payments(legacy: Legacy) -> None:
    """As far as it has columns for them."""
    store = legacy.store()
    plan = _plan(store, CAMPAIGNS["charge"].spec)
    _apply(plan, store)
    entries = store.transactions(plan.id)
    assert len(entries) == len(plan.changes)
    assert {entry.account_id for entry in entries} == {change.account_id for change in plan.changes}
    assert {(entry.kind, entry.amount, entry.comment, entry.reference) for entry in entries} == {
        (TransactionKind.CHARGE, _cad("0.95"), "SIM fee", "fee-2026")
    }


def _some(**columns: Any) -> list[Row]:
    """Six open debit subscribers of one batch, with 15.00 of which nothing was used."""
    usual = {
        "print_run": BATCH,
        "owner": "lakeside",
        "kind": 1,
        "life": "live",
        "closed": 0,
        "enabled": "Y",
        "web_login": None,
        "initial_cents": 1500,
        "saldo": Decimal("15.00"),
        "starts_on": NEVER,
        "expires": "N",
        "expires_at": None,
        "grace_days": 0,
        "first_call": f"{NEVER} 00:00:00",
        "last_topup": None,
        "tariff": 10,
        "forward_to": "",
        "messaging": None,
        "lang": None,
        "dealer": None,
        "remark": None,
    }
    return [{**row, **usual, "serial_no": row["id"] + 1, **columns} for row in population(6)]


def _outcomes(report: Report) -> str:
    """The first letter of each outcome, in the order of the plan."""
    return "".join(outcome.outcome.name[0] for outcome in report.outcomes)


def test_a_payment_with_the_reference_refuses_another_charge(nobody: Legacy) -> None:
    """Also one that another program booked; a reference in other letters is another one."""
    nobody.fill(_some())
    for number, ref in ((1, "fee-2026"), (2, "FEE-2026"), (3, "fee-2026 "), (4, None)):
        nobody.run(
            "INSERT INTO payment (subscriber, code, amount, memo, ref, booked_at, channel)"
            " VALUES (:number, 'CH', 1, '', :ref, '2026-01-01 00:00:00', 'WEB')",
            number=number,
            ref=ref,
        )
    (refused,) = _plan(nobody.store(), CAMPAIGNS["charge"].spec).refused
    assert refused.account_id == population(2)[1]["pin"]
    assert refused.codes == {RefusalCode.ALREADY_CHARGED}


_BOOKED = """
    INSERT INTO payment (subscriber, code, amount, memo, ref, booked_at, channel)
    VALUES ({number}, 'CH', 1, '', 'fee-2026', '2026-01-01 00:00:00', 'WEB')
"""


@pytest.mark.parametrize(
    ("name", "statements", "outcomes"),
    [
        (
            "block",
            [
                "UPDATE subscriber SET closed = 1 WHERE id = {number}",
                "UPDATE subscriber SET life = 'new' WHERE id = {number}",
                "UPDATE subscriber SET print_run = 'OLD' WHERE id = {number}",
                "UPDATE subscriber SET owner = 'nile' WHERE id = {number}",
                "DELETE FROM subscriber WHERE id = {number}",
            ],
            "SSSSSA",
        ),
        (
            "charge",
            [
                "UPDATE subscriber SET saldo = 0.94 WHERE id = {number}",
                "UPDATE subscriber SET kind = 3 WHERE id = {number}",
                _BOOKED,
            ],
            "SSSAAA",
        ),
        (
            "charge",
            [
                "UPDATE subscriber SET saldo = 20.00 WHERE id = {number}",
                "UPDATE subscriber SET remark = 'moved' WHERE id = {number}",
                "UPDATE subscriber SET lang = 'fr' WHERE id = {number}",
                "UPDATE subscriber SET expires_at = '2026-01-01 00:00:00' WHERE id = {number}",
                "INSERT INTO subscriber_service (subscriber, code) VALUES ({number}, 'VM')",
            ],
            "AAAAAA",
        ),
        (
            "opening balance",
            [
                "UPDATE subscriber SET first_call = '2026-11-23 11:00:00' WHERE id = {number}",
                "UPDATE subscriber SET initial_cents = 1600 WHERE id = {number}",
            ],
            "SSAAAA",
        ),
        (
            "expire",
            ["UPDATE subscriber SET expires = 'Y', expires_at = '2027-01-01 00:00:00' WHERE id = {number}"],
            "SAAAAA",
        ),
        ("associated number", ["UPDATE subscriber SET forward_to = '1' WHERE id = {number}"], "SAAAAA"),
        (
            "replace add-ons",
            [
                "INSERT INTO subscriber_service (subscriber, code) VALUES ({number}, 'CW')",
                "INSERT INTO subscriber_service (subscriber, code) VALUES ({number}, 'FAX')",
            ],
            "SSAAAA",
        ),
        ("product", ["INSERT INTO subscriber_service (subscriber, code) VALUES ({number}, 'FAX')"], "SAAAAA"),
    ],
)
def test_a_row_that_changed_since_planning_is_left_alone(
    nobody: Legacy, name: str, statements: list[str], outcomes: str
) -> None:
    """It is stale if what was decided rests on what changed, and else keeps what another program wrote."""
    campaign = CAMPAIGNS[name]
    nobody.fill(_some())
    store = nobody.store()
    plan = _plan(store, campaign.spec)
    for number, statement in enumerate(statements):
        nobody.run(statement.format(number=number))
    rows, services, payments = nobody.rows(), nobody.services(), len(nobody.payments())
    assert _outcomes(_apply(plan, store)) == outcomes
    applied = [number for number, outcome in enumerate(outcomes) if outcome == "A"]
    assert nobody.rows() == {
        number: {**row, **campaign.columns(row)} if number in applied else row for number, row in rows.items()
    }
    for number in rows:
        before = services.get(number, set())
        assert nobody.services().get(number, set()) == (campaign.services(before) if number in applied else before)
    assert len(nobody.payments()) == payments + sum(len(campaign.bookings(rows[number])) for number in applied)


def test_a_terminated_account_has_to_be_among_those_meant(nobody: Legacy) -> None:
    """The filter is looked at again, in the operator's columns."""
    nobody.fill(_some(enabled="N"))
    store = nobody.store()
    plan = _plan(store, CAMPAIGNS["terminate"].spec, AccountFilter(batch=BATCH, blocked=True))
    nobody.run("UPDATE subscriber SET enabled = 'Y' WHERE id = 2")
    assert _outcomes(_apply(plan, store)) == "AASAAA"
    assert [row["closed"] for row in nobody.rows().values()] == [1, 1, 0, 1, 1, 1]


def test_old_and_new_values_are_those_of_the_account(nobody: Legacy) -> None:
    """The plan that is read from the journal speaks of what a row means, not of its columns."""
    nobody.fill(_some(kind=2, saldo=Decimal("-15.00")))
    store = nobody.store()
    plan = _plan(store, CAMPAIGNS["charge"].spec)
    _apply(plan, store)
    (field,) = store.load(plan.id).changes[0].fields
    assert (field.field, field.before, field.after) == ("balance", Decimal(15), Decimal("15.95"))


# What is added, and what is refused.


def test_only_tables_of_the_journal_are_added(nobody: Legacy) -> None:
    """The operator's own tables stay, and there is no second ledger beside them."""
    nobody.store()
    names = set(inspect(nobody.engine).get_table_names())
    added = {name for name in names if name.startswith("account_batch_")}
    assert names - added == {"subscriber", "subscriber_service", "payment"}
    assert added


@pytest.mark.parametrize("table", ["subscriber", "subscriber_service", "payment"])
def test_tables_without_transactions_are_refused(databases: Databases, table: str) -> None:
    """MariaDB has such; the message names the table."""
    with databases.fresh("mariadb") as url, engine(url) as made:
        legacy = Legacy(made)
        legacy.metadata.create_all(made)
        legacy.run(f"ALTER TABLE {table} ENGINE = MyISAM")
        with pytest.raises(StoreError, match=f"table {table} is MyISAM, which has no transactions"):
            legacy.store()
        assert "account_batch_plan" not in inspect(made).get_table_names()


def test_a_table_that_is_not_there_is_named(database_url: str) -> None:
    """A mapping onto another database than the operator's is noticed at once."""
    with engine(database_url) as made:
        legacy = Legacy(made)
        legacy.metadata.create_all(made)
        for table in ("payment", "subscriber_service", "subscriber"):
            legacy.run(f"DROP TABLE {table}")
            with pytest.raises(StoreError, match=rf"\b{table}\b"):
                legacy.store()
            legacy.metadata.tables[table].create(made)


@pytest.mark.parametrize(
    ("named", "spec"),
    [
        ("role", UpdateSpec(role="boss")),
        ("site", UpdateSpec(site=CLEAR)),
        ("time_zone", UpdateSpec(time_zone="America/Toronto")),
        ("internal_comment", UpdateSpec(charge=Charge(_cad("1"), internal_comment="see ticket 12"))),
    ],
)
def test_setting_what_the_tables_lack_is_refused(legacy: Legacy, named: str, spec: UpdateSpec) -> None:
    """By name, before anything is planned or written."""
    store = legacy.store()
    catalog = attrs.evolve(CATALOG, roles=["boss"])
    with pytest.raises(StoreError, match=named):
        plan_update(store, _WHERE, spec, catalog=catalog, now=NOW)
    assert not store.plans()


@pytest.mark.parametrize(
    ("named", "where"),
    [
        ("batch", AccountFilter(batch=BATCH)),
        ("control_number", AccountFilter(control_numbers="1-3")),
        ("registered", AccountFilter(registration=Registration.REGISTERED)),
        ("blocked", AccountFilter(blocked=False)),
        ("first_used_on", AccountFilter(used=True)),
        ("contact.phone", AccountFilter(contact={"phone": "1"})),
        ("custom_fields.size", AccountFilter(custom_fields={"size": "L"})),
    ],
)
def test_filtering_by_what_the_tables_lack_is_refused(legacy: Legacy, named: str, where: AccountFilter) -> None:
    """By name; an account without it is never taken for one that has or lacks it."""
    mapping = legacy.mapping
    mapping = attrs.evolve(mapping, fields={name: field for name, field in mapping.fields.items() if name != named})
    with pytest.raises(StoreError, match=named):
        list(legacy.store(mapping).find(where))


def test_a_field_that_cannot_be_written_is_refused(legacy: Legacy) -> None:
    """A constant is the same for all accounts."""
    mapping = legacy.mapping
    read_only = attrs.evolve(mapping.fields["ivr_language"], write=None)
    store = legacy.store(attrs.evolve(mapping, fields={**mapping.fields, "ivr_language": read_only}))
    with pytest.raises(StoreError, match="ivr_language: the mapping has no way to write it"):
        _plan(store, CAMPAIGNS["language"].spec)


def test_two_fields_in_one_column_are_set_one_at_a_time(legacy: Legacy) -> None:
    """The message names both."""
    mapping = legacy.mapping
    both = {**mapping.fields, "expiration_date": mapping.fields["activation_date"]}
    store = legacy.store(attrs.evolve(mapping, fields=both))
    spec = UpdateSpec(activation=ActivateOn("2026-12-01"), expiration=ExpireOn("2027-12-01"))
    with pytest.raises(StoreError, match=r"_date: .*starts_on.*_date"):
        _plan(store, spec)
    assert _plan(store, attrs.evolve(spec, activation=CAMPAIGNS["block"].spec.activation)).changes


@pytest.mark.parametrize(
    ("named", "spec"),
    [
        ("balance", UpdateSpec(charge=Charge(_cad("1.001"), allow_overdraft=True))),
        ("opening_balance", UpdateSpec(opening_balance=_cad("20.001"))),
    ],
)
def test_an_amount_with_more_decimals_than_its_column_is_refused(legacy: Legacy, named: str, spec: UpdateSpec) -> None:
    """The database would round it silently."""
    with pytest.raises(StoreError, match=named):
        _plan(legacy.store(), spec)


def test_the_accounts_of_a_mapping_are_not_the_library_s_to_add(legacy: Legacy) -> None:
    """The operator's own program makes subscribers."""
    with pytest.raises(StoreError, match="tables of your own"):
        legacy.store().add(legacy.accounts().values())


# A text as the key.


@pytest.fixture
def by_pin(database_url: str) -> Iterator[Legacy]:
    """The operator's database, in which subscribers are known by their PIN; on MariaDB it is compared sloppily."""
    with engine(database_url) as made:
        legacy = Legacy(made, "pin")
        legacy.metadata.create_all(made)
        legacy.fill(population(), SERVICES)
        yield legacy


@pytest.mark.parametrize("name", ["much at once", "charge", "assign add-ons"])
def test_a_key_of_text_does_as_well(by_pin: Legacy, name: str) -> None:
    """Chunk by chunk in whatever order the database has for it."""
    campaign = CAMPAIGNS[name]
    memory, store = MemoryStore(by_pin.accounts().values()), by_pin.store()
    expected, plan = _plan(memory, campaign.spec), _plan(store, campaign.spec)
    assert said_by(plan) == said_by(expected)
    assert told_by(_apply(plan, store)) == told_by(_apply(expected, memory))
    assert accounts_of(store) == accounts_of(memory) == dict(sorted(by_pin.accounts().items()))
    changing = {change.account_id for change in expected.changes}
    assert {booking["subscriber"] for booking in by_pin.payments()} == (changing if name == "charge" else set())
    assert _apply(plan, store).counts[Outcome.APPLIED] == len(changing)
