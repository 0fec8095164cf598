"""How SqlStore learns which values accounts have, and packs the answers about them into numbers."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import attrs
import pytest
from sqlalchemy import MetaData

from account_batch import (
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    ActivateNow,
    Batch,
    Catalog,
    Charge,
    Customer,
    Distributor,
    MemoryStore,
    Money,
    Outcome,
    Plan,
    Product,
    Subscription,
    UpdateSpec,
    apply_plan,
    plan_update,
)
from account_batch.account import AccountKind as Kind
from account_batch.errors import PlanFormatError, StoreError
from account_batch.questions import AddonsOutside, HasAddon, IsSet, Question, Value
from account_batch.stores.sql import SqlStore
from account_batch.stores.sql.layout import Layout
from account_batch.stores.sql.mapping import LedgerTable, own_mapping
from account_batch.stores.sql.schema import own_accounts
from account_batch.stores.sql.translate import holds
from account_batch.stores.sql.view import View
from sameness import MakeSqlStore, said_by

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
WHERE = AccountFilter(batch="B")


def _catalog(*products: Product, distributors: Iterable[Distributor] = ()) -> Catalog:
    return Catalog(
        customers=[Customer(id="c", billing_time_zone="Europe/Kyiv")],
        batches=[Batch(id="B", customer="c")],
        products=[Product(id="gold", currency="USD"), *products],
        distributors=distributors,
        ivr_languages=["en"],
    )


def _account(number: int, **fields: object) -> Account:
    usual = Account(
        id=f"A{number:06}",
        batch="B",
        control_number=number,
        customer="c",
        kind=AccountKind.DEBIT,
        currency="USD",
        product="silver",
        balance=10,
    )
    return attrs.evolve(usual, **fields)  # type: ignore[arg-type]  # Whatever a test needs.


@pytest.fixture
def sqlite(tmp_path: Path) -> SqlStore:
    """An empty store."""
    return SqlStore(f"sqlite:///{tmp_path / 'accounts.db'}").create()


def _same_plans(store: SqlStore, accounts: list[Account], spec: UpdateSpec, catalog: Catalog) -> Plan:
    """The plan of a store, which has to be that of memory."""
    store.add(accounts)
    plan = plan_update(store, WHERE, spec, catalog=catalog, now=NOW)
    assert said_by(plan) == said_by(plan_update(MemoryStore(accounts), WHERE, spec, catalog=catalog, now=NOW))
    return plan


def test_values_that_come_late_are_learnt(make_sql_store: MakeSqlStore) -> None:
    """Values that the first accounts do not have, also unset ones, are learnt and decided by like any other."""
    accounts = [_account(number) for number in range(1, 2_101)]
    accounts[2_050] = _account(2_051, product="gold")
    accounts[2_060] = _account(2_061, ivr_language="en")
    accounts[2_070] = _account(2_071, product="gold", ivr_language="en")
    plan = _same_plans(make_sql_store([]), accounts, UpdateSpec(product="gold", ivr_language="en"), _catalog())
    assert len(plan.unchanged) == 1


def test_more_values_than_there_is_room_for(sqlite: SqlStore) -> None:
    """Where far more values come late than came early, everything is packed anew."""
    accounts = [_account(number, product=f"P{max(0, number - 2_050)}") for number in range(1, 2_101)]
    plan = _same_plans(sqlite, accounts, UpdateSpec(product="gold"), _catalog())
    assert len(plan.groups) == 51


def test_many_values_are_told_apart(make_sql_store: MakeSqlStore) -> None:
    """Values are found by halves, in the order of their characters, whatever else the database sorts by."""
    letters = ["a", "A", "a ", "\u00e4", "\u03b1", "\U0001f600", "\u202e", "'", "%", "_", "Z", "z", "\u00df", "ss", "~"]
    accounts = [_account(number, ivr_language=letter) for number, letter in enumerate(letters, 1)]
    plan = _same_plans(make_sql_store([]), accounts, UpdateSpec(ivr_language="en"), _catalog())
    assert [change.fields[0].before for change in plan.changes] == letters


def test_too_many_values_are_refused(sqlite: SqlStore) -> None:
    """Beyond 8,000 values of a field planning says so, and keeps nothing."""
    sqlite.add(_account(number, product=f"P{number}") for number in range(1, 8_010))
    with pytest.raises(StoreError, match=r"more than 8000 values of product, .* narrow the filter"):
        plan_update(sqlite, WHERE, UpdateSpec(product="gold"), catalog=_catalog(), now=NOW)
    assert sqlite.plans() == []


def test_opening_balances_may_all_differ(sqlite: SqlStore) -> None:
    """Opening balances that no rule asks for, however many, make no difference."""
    accounts = [
        _account(number, opening_balance=number, state=AccountState.INACTIVE, activation_date=None)
        for number in range(1, 8_010)
    ]
    plan = _same_plans(sqlite, accounts, UpdateSpec(activation=ActivateNow()), _catalog())
    assert len(plan.groups) == 1


def test_opening_balances_are_looked_at_where_a_rule_asks(make_sql_store: MakeSqlStore) -> None:
    """What a distributor is charged depends on the opening balance of each account."""
    accounts = [
        _account(number, opening_balance=number, state=AccountState.INACTIVE, distributor="d" if number > 5 else None)
        for number in range(1, 11)
    ]
    catalog = _catalog(distributors=[Distributor(id="d", currency="USD", commission="0.1")])
    plan = _same_plans(make_sql_store([]), accounts, UpdateSpec(activation=ActivateNow()), catalog)
    charged = [transaction.amount for change in plan.changes for transaction in change.transactions]
    assert charged == [Money(amount, "USD") for amount in ("5.4", "6.3", "7.2", "8.1", "9")]


def test_questions_fill_several_words(make_sql_store: MakeSqlStore) -> None:
    """More answers than one number has room for are compared all the same."""
    subscription = Subscription(in_advance=True, prepaid_months=[6])
    addons = [Product(id=f"x{n}", currency="USD", is_addon=True, subscription=subscription) for n in range(150)]
    catalog = _catalog(Product(id="all", currency="USD", allowed_addons=[addon.id for addon in addons]), *addons)
    accounts = [
        _account(number, product="all", addons=[f"x{number}"] if number % 2 else []) for number in range(1, 101)
    ]
    store = make_sql_store([])
    plan = _same_plans(store, accounts, UpdateSpec(charging_period=6), catalog)
    assert (len(plan.changes), len(plan.refused)) == (50, 50)
    store.put(attrs.evolve(accounts[98], addons=["x98"]))
    counts = apply_plan(plan, store, now=NOW).counts
    assert (counts[Outcome.APPLIED], counts[Outcome.STALE]) == (49, 1)


def test_answers_that_no_change_rests_on_are_not_compared(make_sql_store: MakeSqlStore) -> None:
    """What only others were asked, changed or refused, makes no account stale."""
    subscription = Subscription(in_advance=True, prepaid_months=[6])
    addons = [Product(id=f"x{n:03}", currency="USD", is_addon=True, subscription=subscription) for n in range(150)]
    catalog = _catalog(Product(id="all", currency="USD", allowed_addons=[addon.id for addon in addons]), *addons)
    addons_of: list[list[str]] = [["x000"], ["x001"], []]
    accounts = [_account(number, product="all", addons=names) for number, names in enumerate(addons_of, 1)]
    store = make_sql_store([])
    plan = _same_plans(store, accounts, UpdateSpec(charging_period=6), catalog)
    assert (len(plan.changes), len(plan.refused)) == (2, 1)
    store.put(attrs.evolve(accounts[0], addons=["x000", "x001", "x149"]))
    assert apply_plan(plan, store, now=NOW).counts[Outcome.APPLIED] == 2


def test_more_questions_than_there_is_room_for_are_refused() -> None:
    """Eight words of 60 bits are what a target has."""
    questions: list[Question] = [IsSet("site"), *(HasAddon(f"x{n}") for n in range(480))]
    with pytest.raises(StoreError, match="481 questions are more than the journal has room for"):
        Layout.of(questions, {})


def test_a_layout_is_read_as_it_was_written() -> None:
    """Every kind of question and value comes back, of the same type."""
    questions: list[Question] = [
        Value("kind"),
        Value("blocked"),
        Value("availability_days"),
        AddonsOutside(frozenset({"a"})),
        IsSet("site"),
    ]
    known: dict[Question, list[object]] = {
        questions[0]: ["debit"],
        questions[1]: [False, True],
        questions[2]: [None, 1],
        questions[3]: ["[]", '["b"]'],
    }
    layout = Layout.of(questions, known)
    again = Layout.load(layout.dump())
    assert again == layout
    words = (layout.masks(questions)[0] & 0 | 1 | 2 << 3 | 2 << 6 | 2 << 9 | 1 << 12,)
    answers = [again.answers(words)(question) for question in questions]
    assert answers == [Kind.DEBIT, True, 1, frozenset({"b"}), True]
    assert [type(answer) for answer in answers] == [Kind, bool, int, frozenset, bool]


def test_a_value_is_neither_yes_nor_no() -> None:
    """A question for a value has no answer that is a bit."""
    own = own_mapping(own_accounts(MetaData()))
    view = View(own, LedgerTable(table=own.table, account=own.key, fields={"amount": own.fields["balance"]}))
    for question in (Value("state"), AddonsOutside(frozenset())):
        with pytest.raises(TypeError, match=type(question).__name__):
            holds(question, view)


def test_an_empty_batch_has_an_empty_plan(make_sql_store: MakeSqlStore) -> None:
    """A batch without accounts is planned, with the warning that nobody is selected."""
    plan = _same_plans(make_sql_store([]), [], UpdateSpec(product="gold"), _catalog())
    assert (len(plan.targets), list(plan.targets), plan.warnings) == (0, [], ("no account is selected",))


def test_plan_files_without_targets_say_what_they_are(sqlite: SqlStore) -> None:
    """A file of a plan in a database has an example for each refusal, and one that lacks it is no plan."""
    charge = Charge(Money(11, "USD"))
    plan = _same_plans(sqlite, [_account(1), _account(2)], UpdateSpec(charge=charge), _catalog())
    again = Plan.from_json(plan.to_json())
    assert (again.confirmation(), len(again.targets)) == (plan.confirmation(), 2)
    ((_, example),) = json.loads(plan.to_json())["targets"]["examples"].items()
    for targets, message in (
        ({"examples": {}}, "a refusal has no example"),
        ({"some": {}}, "neither a list nor"),
        ({"examples": {"NOT_DEBIT": example}}, "the example of NOT_DEBIT is not refused with it"),
    ):
        document = json.loads(plan.to_json()) | {"targets": targets}
        content = {key: value for key, value in document.items() if key != "checksum"}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        document["checksum"] = sha256(text.encode()).hexdigest()
        with pytest.raises(PlanFormatError, match=message):
            Plan.from_json(json.dumps(document))
