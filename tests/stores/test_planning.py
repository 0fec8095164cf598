"""Planning: on every database the same plan as MemoryStore gives, change by change."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given

from account_batch import (
    Account,
    AccountFilter,
    Batch,
    Charge,
    MemoryStore,
    Outcome,
    Plan,
    Refund,
    Registration,
    StatusFilter,
    TextMatch,
    UpdateSpec,
    apply_plan,
    plan_due,
    plan_update,
)
from account_batch.errors import BatchRequiredError, GuardError, UnknownReferenceError
from campaigns import SPECS, population
from databases import BACKENDS, Databases, examples
from sameness import MakeSqlStore, MakeStore, Store, accounts_of, said_by
from spec_strategies import BATCH, Case, cases, stock, stocked
from world import CATALOG, NOW, account, usd

_BATCH = AccountFilter(batch="SUMMER-2026")
_ANY = AccountFilter(batch="SUMMER-2026", status=StatusFilter.ANY)


_WHERES = {
    "batch": _BATCH,
    "any state": _ANY,
    "numbers": AccountFilter(batch="SUMMER-2026", control_numbers="1-40,50,400-999", status=StatusFilter.INACTIVE),
    "text": AccountFilter(batch="SUMMER-2026", account_id=TextMatch.starts_with("a%00")),
    "negated": AccountFilter(
        batch="SUMMER-2026", blocked=False, used=False, registration=Registration.UNREGISTERED, customer="acme"
    ),
    "product": AccountFilter(batch="SUMMER-2026", product="gold", status=StatusFilter.OPEN, used=True, blocked=True),
    "another batch": AccountFilter(batch="TENTH"),
    "nobody": AccountFilter(batch="SUMMER-2026", product="phone"),
}


def _plan(store: Store, spec: UpdateSpec, where: AccountFilter = _ANY, **arguments: Any) -> Plan:
    return plan_update(
        store, where, spec, catalog=CATALOG, now=NOW, actor="ann", reason="it's 'autumn' 🍂", **arguments
    )


def _with_ledger(make: Callable[[Iterable[Account]], Store]) -> Store:
    """The population, of which a third was charged before with the references of the specs."""
    store = make(population())
    where = attrs.evolve(_BATCH, control_numbers="1-120")
    for spec in (
        UpdateSpec(charge=Charge(usd("0.00001"), reference="fee", allow_overdraft=True)),
        UpdateSpec(charge=Charge(usd("0.00001"), reference="Back", allow_overdraft=True)),
        UpdateSpec(refund=Refund(usd("0.00001"), reference="back", allow_overdraft=True)),
    ):
        apply_plan(_plan(store, spec, where), store, now=NOW)
    return store


def test_every_setting_gives_the_plan_of_memory(make_sql_store: MakeSqlStore) -> None:
    """Whatever is set, on accounts of every sort, the database's plan says what that of MemoryStore says."""
    store, reference = _with_ledger(make_sql_store), _with_ledger(MemoryStore)
    before = accounts_of(store)
    for name, spec in SPECS.items():
        plan, expected = _plan(store, spec), _plan(reference, spec)
        assert said_by(plan) == said_by(expected), name
    assert accounts_of(store) == before


def test_every_filter_gives_the_plan_of_memory(make_sql_store: MakeSqlStore) -> None:
    """Whatever is selected, the plan is that of MemoryStore, with the control numbers that are not there."""
    store, reference = make_sql_store(population()), MemoryStore(population())
    for name, where in _WHERES.items():
        for setting in ("everything", "language", "terminate"):
            said, expected = (said_by(_plan(one, SPECS[setting], where)) for one in (store, reference))
            assert said == expected, (name, setting)


@pytest.mark.parametrize("hours", [0, -13, 11, 12, 24 * 8])
def test_due_activations_are_those_of_memory(make_sql_store: MakeSqlStore, hours: int) -> None:
    """Accounts are due on the same day in every zone, with or without a filter."""
    store, reference = make_sql_store(population()), MemoryStore(population())
    for where in (None, _BATCH, AccountFilter(customer="kiwi"), AccountFilter(account_id="44")):
        said, expected = (
            said_by(plan_due(one, catalog=CATALOG, now=NOW + timedelta(hours=hours), where=where))
            for one in (store, reference)
        )
        assert said == expected, where


_TROUBLE = ("o'batch", "B%", "😀", "b ", "b", "B", "x" * 64, '"; DROP TABLE accounts; --')


@pytest.mark.parametrize("batch", _TROUBLE)
def test_hostile_texts_are_planned_like_any(make_sql_store: MakeSqlStore, batch: str) -> None:
    """A batch, a product and a text that tries to be SQL select and set exactly what they say."""
    catalog = attrs.evolve(CATALOG, batches=[*CATALOG.batches, *(Batch(id=name, customer="acme") for name in _TROUBLE)])
    accounts = [
        account(id=f"{name}|{other}", batch=name, control_number=n % 3 + 1, associated_number=other)
        for n, (name, other) in enumerate((name, other) for name in _TROUBLE for other in _TROUBLE)
    ]
    spec = UpdateSpec(associated_number=batch, charge=Charge(usd("1"), comment=batch, reference=batch))
    said = []
    for store in (make_sql_store(accounts), MemoryStore(accounts)):
        plan = plan_update(store, AccountFilter(batch=batch), spec, catalog=catalog, now=NOW, reason=batch)
        apply_plan(plan, store, now=NOW)
        again = plan_update(store, AccountFilter(batch=batch), spec, catalog=catalog, now=NOW)
        said.append((said_by(plan), said_by(again), accounts_of(store)))
    assert said[0] == said[1]


def test_targets_come_in_control_number_order_then_id(make_store: MakeStore) -> None:
    """Accounts without a control number come last; ids are ordered by code point, whatever the database likes."""
    ids = ["a", "B", "A", "b", "ä", "a ", "😀", "\uffff", "10", "9", "a_"]
    accounts = [
        *(account(id=name, control_number=None) for name in ids),
        *(account(id=f"{name}-2", control_number=2) for name in reversed(ids)),
        account(id="first", control_number=1),
    ]
    plan = _plan(make_store(accounts), UpdateSpec(ivr_language="en"))
    expected = ["first", *sorted(f"{name}-2" for name in ids), *sorted(ids)]
    assert [change.account_id for change in plan.changes] == expected
    assert [target.account_id for target in plan.targets] == expected


def test_changes_can_be_looked_at_in_any_order(make_store: MakeStore) -> None:
    """Changes are a sequence: by place, from the end, in slices, and again."""
    accounts = [account(id=f"a{n}", control_number=n, ivr_language="en" if n % 3 else None) for n in range(1, 31)]
    plan = _plan(make_store(accounts), UpdateSpec(ivr_language="en"))
    numbers = [change.control_number for change in plan.changes]
    assert numbers == list(range(3, 31, 3)) == [change.control_number for change in plan.changes]
    assert len(plan.changes) == 10
    assert [plan.changes[place].control_number for place in (0, 3, -1, -10)] == [3, 12, 30, 3]
    assert [change.control_number for change in plan.changes[2:8:3]] == [9, 18]
    with pytest.raises(IndexError):
        plan.changes[10]
    assert plan.unchanged[19].control_number == 29
    assert [plan.targets[place].control_number for place in (0, -1)] == [1, 30]
    assert [target.control_number for target in plan.targets[27:]] == [28, 29, 30]
    assert [*plan.targets[5:5], *plan.changes[10:]] == []


def test_a_guard_that_says_stop_leaves_nothing(make_sql_store: MakeSqlStore) -> None:
    """Where a guard, the catalog or the filter refuses to plan, no plan is kept."""
    store = make_sql_store(population())
    language = SPECS["language"]
    for guard in ({"expected": 1}, {"at_most": 1}, {"stop_on_refusal": True}):
        with pytest.raises(GuardError):
            _plan(store, language, **guard)
    with pytest.raises(UnknownReferenceError):
        _plan(store, UpdateSpec(product="platinum"))
    with pytest.raises(BatchRequiredError):
        _plan(store, language, AccountFilter())
    assert list(store.plans()) == []


def test_planning_counts_whom_it_selects(make_store: MakeStore) -> None:
    """The counts of a plan are those of its lists, and expected is met by their sum."""
    accounts = population()
    plan = _plan(make_store(accounts), SPECS["everything"], expected=sum(map(_ANY.matches, accounts)))
    counts = plan.totals.counts
    assert counts[Outcome.APPLIED] == len(plan.changes) == len(list(plan.changes)) > 10
    assert counts[Outcome.REFUSED] == len(plan.refused) == len(list(plan.refused)) > 10
    assert counts[Outcome.UNCHANGED] == len(plan.unchanged) == len(list(plan.unchanged))


def _said(store: Store, case: Case) -> list[object]:
    where = AccountFilter(batch=BATCH, status=StatusFilter.ANY, customer=case.customer)
    plans = [plan_update(store, where, spec, catalog=case.catalog, now=case.now) for spec in case.specs]
    return [said_by(plan) for plan in (*plans, plan_due(store, catalog=case.catalog, now=case.now))]


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_plan_is_that_of_memory(backend: str, databases: Databases) -> None:
    """For any accounts, ledger, catalog, instant and specs, the plans of the database are those of MemoryStore."""

    @examples(backend)
    @given(cases())
    def law(case: Case) -> None:
        store = databases.store(backend, case.accounts)
        stock(store, case)
        assert _said(store, case) == _said(stocked(case), case)

    law()
