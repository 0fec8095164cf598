"""What type checkers know about the public names: checked by mypy --strict, never run."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal, assert_type

from hypothesis import strategies as st

from account_batch import (
    CLEAR,
    KEEP,
    Account,
    AccountChange,
    AccountFilter,
    AccountKind,
    ActivateNow,
    ActivateOn,
    ApplyPolicy,
    AssignAddons,
    AssignDistributor,
    Catalog,
    Charge,
    ExpireOn,
    MemoryStore,
    Money,
    Outcome,
    Plan,
    RemoveAddons,
    ReplaceAddons,
    Report,
    UpdateSpec,
    apply_plan,
    plan_due,
    plan_update,
    testing,
)
from account_batch.spec import Marker
from account_batch.store import LedgerEntry
from account_batch.stores.sql import SqlStore
from account_batch.stores.sql.mapping import AccountMapping


def settings_are_told_apart(spec: UpdateSpec) -> None:
    """KEEP, CLEAR and each kind of value are different types."""
    assert_type(spec.charge, Charge | Literal[Marker.KEEP])
    assert_type(spec.site, Literal[Marker.KEEP, Marker.CLEAR] | str)
    if spec.site is not KEEP and spec.site is not CLEAR:
        assert_type(spec.site, str)
    if spec.charge is not KEEP:
        assert_type(spec.charge.amount, Money)
    if spec.activation is not KEEP and spec.activation is not CLEAR:
        assert_type(spec.activation, ActivateNow | ActivateOn)
    if spec.addons is not KEEP:
        assert_type(spec.addons, AssignAddons | ReplaceAddons | RemoveAddons)
    assert_type(spec.distributor, Literal[Marker.KEEP, Marker.CLEAR] | AssignDistributor)


def wrong_settings_are_errors() -> None:
    """A value of another type, or CLEAR where it makes no sense, does not pass the checker."""
    UpdateSpec(product=CLEAR)  # type: ignore[arg-type]  # A product cannot be cleared.
    UpdateSpec(availability_days="90")  # type: ignore[arg-type]  # Days are a whole number.
    UpdateSpec(opening_balance=15.0)  # type: ignore[arg-type]  # Money is never a float.
    Money(1.5, "USD")  # type: ignore[arg-type]  # Money is never a float.
    ActivateOn(20261201)  # type: ignore[arg-type]  # Dates are dates or ISO text.


def constructors_take_what_is_natural() -> None:
    """Text for dates, money, control numbers and distributors; any iterable for a collection."""
    UpdateSpec(expiration=ExpireOn("2027-12-01"), distributor="acme", addons=AssignAddons({"call-waiting"}), site=CLEAR)
    where = AccountFilter(batch="B", control_numbers=[1, 2, 3], account_id="44", contact={"city": "Lviv"})
    assert_type(where.batch, str | None)
    account = Account(
        id="1", customer="c", kind=AccountKind.DEBIT, currency="USD", product="gold", balance=5, addons=["a"]
    )
    assert_type(account.balance, Decimal)
    assert_type(account.effective_expiration, date | None)


def a_database_is_a_store(mapping: AccountMapping, spec: UpdateSpec, catalog: Catalog, now: datetime) -> None:
    """SqlStore plans, applies, and tells what it keeps."""
    store = SqlStore("sqlite:///accounts.db", mapping=mapping).create()
    assert_type(store, SqlStore)
    plan = plan_update(store, AccountFilter(batch="B"), spec, catalog=catalog, now=now)
    assert_type(apply_plan(plan, store, now=now), Report)
    assert_type(store.load(plan.id), Plan)
    assert_type(store.find(AccountFilter())[0], Account)
    assert_type(store.transactions(plan.id), list[LedgerEntry])
    assert_type(store.status(plan.id)[Outcome.STALE], int)


def the_round_is_typed(store: MemoryStore, spec: UpdateSpec, catalog: Catalog, now: datetime) -> None:
    """From a store to a report."""
    plan = plan_update(store, AccountFilter(batch="B"), spec, catalog=catalog, now=now)
    assert_type(plan, Plan)
    assert_type(plan.changes[0], AccountChange)
    assert_type(plan_due(store, catalog=catalog, now=now).valid_until, datetime | None)
    report = apply_plan(plan, store, now=now, policy=ApplyPolicy(canary=1), on_progress=print)
    assert_type(report, Report)
    assert_type(report.counts[Outcome.APPLIED], int)


def the_kit_for_tests(account: Account, catalog: Catalog, scenario: testing.Scenario) -> None:
    """Strategies know what they draw, and checks take any store and planner."""
    assert_type(testing.amounts(0, 10), st.SearchStrategy[Decimal])
    assert_type(testing.money(currency="USD"), st.SearchStrategy[Money])
    assert_type(testing.calendar_dates(), st.SearchStrategy[date])
    assert_type(testing.instants(), st.SearchStrategy[datetime])
    assert_type(testing.control_number_texts(valid=False), st.SearchStrategy[str])
    assert_type(testing.catalogs(), st.SearchStrategy[Catalog])
    assert_type(testing.accounts(catalog, batch="B"), st.SearchStrategy[Account])
    assert_type(testing.filters(catalog), st.SearchStrategy[AccountFilter])
    assert_type(testing.specs(catalog), st.SearchStrategy[UpdateSpec])
    assert_type(testing.invalid_settings(), st.SearchStrategy[testing.InvalidSettings])
    assert_type(testing.scenarios(), st.SearchStrategy[testing.Scenario])
    assert_type(testing.rival_writes([account]), st.SearchStrategy[list[Account]])
    testing.check_store(MemoryStore)
    testing.check_store(
        lambda accounts: SqlStore("sqlite://"),  # noqa: ARG005  # Only the types matter.
        read=lambda store: store.find(scenario.where),
        write=lambda store, written: store.put(written),
        ledger=lambda store, plan_id: store.transactions(plan_id),
        reopen=lambda store: store,
    )
    testing.check_laws(scenario)
    testing.check_laws(
        scenario,
        plan=lambda store, given: plan_update(store, given.where, given.spec, catalog=given.catalog, now=given.now),
    )
