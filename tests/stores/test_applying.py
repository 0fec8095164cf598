"""Applying: on every store the same outcomes, accounts and ledger entries, once, whatever happens in between."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from account_batch import (
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    ActivateNow,
    ApplyPolicy,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    MemoryStore,
    Outcome,
    Plan,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    Report,
    StatusChange,
    StatusFilter,
    UpdateSpec,
    apply_plan,
    plan_due,
    plan_update,
)
from account_batch.errors import GuardError, PlanError, PlanExpiredError
from account_batch.plan import FieldChange
from account_batch.store import Commit
from account_batch.stores.sql import SqlStore
from campaigns import SPECS, population
from databases import BACKENDS, Databases, engine, examples
from sameness import MakeSqlStore, MakeStore, Store, accounts_of, ledger_of, said_by, saved, told_by
from spec_strategies import BATCH, Case, cases, stock, stocked
from world import CATALOG, NOW, account, usd

_BATCH = AccountFilter(batch="SUMMER-2026")
_ANY = AccountFilter(batch="SUMMER-2026", status=StatusFilter.ANY)
_FEE = UpdateSpec(charge=Charge(usd("2"), comment="fee"))
_SIMPLE = ApplyPolicy()
_TOGETHER = ApplyPolicy(all_or_nothing=True)
_PAIRS = ApplyPolicy(chunk_size=2)


def _accounts(*numbers: int, **fields: Any) -> list[Account]:
    return [account(**{"id": f"a{number}", "control_number": number} | fields) for number in numbers]


def _impossible(kind: str, *numbers: int) -> list[Account]:
    """Accounts that owe so much that they cannot owe more, in a store of a kind."""
    most = 9 * 10**13 if kind == "sqlite" else 10**15
    return _accounts(*numbers, kind=AccountKind.CREDIT, balance=most - 1)


def _plan(store: Store, spec: UpdateSpec = _FEE, where: AccountFilter = _ANY) -> Plan:
    return plan_update(store, where, spec, catalog=CATALOG, now=NOW)


def _apply(plan: Plan, store: Store, policy: ApplyPolicy = _SIMPLE, **arguments: Any) -> Report:
    policy = attrs.evolve(policy, over_credit_limit=True)
    terminate = len(plan.changes) if plan.terminates else None
    return apply_plan(plan, store, now=NOW, policy=policy, terminate=terminate, **arguments)


def _names(report: Report) -> str:
    """The first letter of each outcome, in the order of the plan."""
    assert report.counts == {outcome: sum(item.outcome is outcome for item in report.outcomes) for outcome in Outcome}
    return "".join(outcome.outcome.name[0] for outcome in report.outcomes)


def _balances(store: Store) -> list[Decimal | int]:
    return [found.balance for found in accounts_of(store).values()]


def _spoil(store: Store, *numbers: int) -> None:
    """Somebody else takes the funds of accounts that a plan charges."""
    for found in accounts_of(store).values():
        if found.control_number in numbers:
            store.put(attrs.evolve(found, balance=0))


def _stop_after(chunks: int) -> Callable[[], bool]:
    """A caller who says stop when so many chunks are done."""
    turns = itertools.count()
    return lambda: next(turns) >= chunks


# As in memory.


def test_campaign_after_campaign_leaves_what_it_leaves_in_memory(make_sql_store: MakeSqlStore) -> None:
    """All settings one after the other: plans, reports, accounts and ledgers stay those of MemoryStore."""
    accounts = population()[:160]
    store, reference = make_sql_store(accounts), MemoryStore(accounts)
    policies = [ApplyPolicy(chunk_size=7), ApplyPolicy(), _TOGETHER, ApplyPolicy(chunk_size=50, canary=3)]
    specs = {name: spec for name, spec in SPECS.items() if name != "terminate"} | {"terminate": SPECS["terminate"]}
    effective = 0
    for (name, spec), policy in zip(specs.items(), itertools.cycle(policies), strict=False):
        plan, expected = _plan(store, spec), _plan(reference, spec)
        assert said_by(plan) == said_by(expected), name
        report, wanted = _apply(plan, store, policy), _apply(expected, reference, policy)
        assert told_by(report) == told_by(wanted), name
        assert report.counts[Outcome.APPLIED] == len(expected.changes), name
        assert ledger_of(store, plan) == ledger_of(reference, expected), name
        assert accounts_of(store) == accounts_of(reference), name
        effective += len(expected.changes) > 0
    assert effective > 30


_INTERFERING: dict[str, dict[str, Any]] = {
    "unrelated fields": {"contact": {"email": "new"}, "custom_fields": {"a": "b"}, "registered": True},
    "funds": {"balance": "0.5"},
    "more funds": {"balance": "77.00001"},
    "state": {"state": AccountState.CLOSED},
    "batch": {"batch": "TENTH"},
    "no batch": {"batch": None},
    "customer": {"customer": "kiwi"},
    "used": {"first_used_on": "2026-11-23"},
    "dates": {"activation_date": "2026-11-30", "expiration_date": "2026-11-25"},
    "add-ons": {"addons": {"voicemail"}},
    "product": {"product": "monthly"},
    "number": {"associated_number": "1"},
    "language": {"ivr_language": "uk"},
    "distributor": {"distributor": "half"},
    "currency": {"currency": "EUR"},
    "case": {"ivr_language": "EN", "associated_number": "18005551234 ", "time_zone": "america/New_York"},
}


@pytest.mark.parametrize("setting", ["everything", "number", "assign add-ons", "terminate", "expire", "all money"])
def test_who_is_stale_is_who_is_stale_in_memory(make_sql_store: MakeSqlStore, setting: str) -> None:
    """Whatever somebody else changes meanwhile, the same accounts are stale for the same reasons, the rest applied."""
    told = []
    for make in (make_sql_store, MemoryStore):
        store: Store = make(population())
        plan = _plan(store, SPECS[setting])
        if isinstance(store, MemoryStore):
            plan = saved(plan)
        before = accounts_of(store)
        for change, fields in zip(plan.changes, itertools.cycle(_INTERFERING.values()), strict=False):
            store.put(attrs.evolve(before[change.account_id], **fields))
        report = _apply(plan, store, ApplyPolicy(chunk_size=20))
        told.append((told_by(report), accounts_of(store), ledger_of(store, plan)))
        assert report.counts[Outcome.STALE] > 0 < report.counts[Outcome.APPLIED]
    assert told[0] == told[1]


def _policies() -> st.SearchStrategy[ApplyPolicy]:
    return st.one_of(
        st.builds(ApplyPolicy, chunk_size=st.integers(1, 12), canary=st.integers(0, 4)),
        st.builds(ApplyPolicy, chunk_size=st.integers(1, 3), stop_after=st.integers(1, 3)),
        st.builds(ApplyPolicy, chunk_size=st.integers(1, 3), stop_after_percent=st.integers(0, 60)),
        st.just(_TOGETHER),
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_plan_is_applied_as_in_memory(backend: str, databases: Databases) -> None:
    """For any plan, policy and interference: the same outcomes, accounts and ledger, stopped and continued.

    Somebody else changes some accounts to what their neighbours are, and reaches some with the reference of a charge.
    """

    @examples(backend)
    @given(cases(), _policies(), st.sets(st.integers(0, 30)), st.integers(0, 3))
    def law(case: Case, policy: ApplyPolicy, changed: set[int], chunks: int) -> None:
        store = databases.store(backend, case.accounts)
        stock(store, case)
        told, expected = (list(_life(one, case, policy, changed, chunks)) for one in (store, stocked(case)))
        assert told == expected

    law()


def _life(store: Store, case: Case, policy: ApplyPolicy, changed: set[int], chunks: int) -> Iterator[object]:
    """What is told and left when a plan is applied in parts while somebody else works on the same accounts."""
    where = AccountFilter(batch=BATCH, status=StatusFilter.ANY, customer=case.customer)
    plan = plan_update(store, where, case.specs[0], catalog=case.catalog, now=case.now)
    if isinstance(store, MemoryStore):
        plan = saved(plan)
    for place in changed:
        one, other = (case.accounts[number % len(case.accounts)] for number in (place, place + 1))
        store.put(attrs.evolve(other, id=one.id, control_number=one.control_number))
    for should_stop in (_stop_after(chunks), None):
        report = apply_plan(
            plan,
            store,
            now=case.now,
            policy=attrs.evolve(policy, over_credit_limit=True),
            terminate=len(plan.changes) if plan.terminates else None,
            should_stop=should_stop,
        )
        yield told_by(report)
    yield from (ledger_of(store, plan), accounts_of(store))


# The same for every store.


def test_applying_sets_the_fields_and_books_the_money(make_store: MakeStore) -> None:
    """Afterwards the accounts are as the changes of the plan say, and the ledger holds their transactions."""
    store = make_store(_accounts(1, 2, state=AccountState.INACTIVE, addons={"fax"}, product="silver"))
    spec = UpdateSpec(
        activation=ActivateNow(),
        expiration=ExpireOn("2027-12-01"),
        product="gold",
        addons=ReplaceAddons({"voicemail", "call-waiting"}),
        charge=Charge(usd("1.00001"), comment="it's a fee", internal_comment="%s", reference="r"),
        refund=Refund(usd("2")),
        distributor=AssignDistributor("north"),
    )
    plan = _plan(store, spec)
    assert _names(_apply(plan, store)) == "AA"
    for found, change in zip(accounts_of(store).values(), plan.changes, strict=True):
        assert {field.field for field in change.fields} == set(
            "state activation_date expiration_date product addons balance distributor".split()
        )
        assert {field.field: getattr(found, field.field) for field in change.fields} == {
            field.field: field.after for field in change.fields
        }
        entries = [entry for entry in store.transactions(plan.id) if entry.account_id == found.id]
        assert [
            (entry.kind, entry.amount, entry.comment, entry.internal_comment, entry.reference, entry.distributor)
            for entry in entries
        ] == [
            (one.kind, one.amount, one.comment, one.internal_comment, one.reference, one.distributor)
            for one in change.transactions
        ]
        assert len(entries) == 3
        assert found.balance == Decimal(15) - Decimal("1.00001") - 2


@pytest.mark.parametrize(
    ("setting", "left"),
    [
        (AssignAddons({"voicemail", "call-waiting"}), {"voicemail", "call-waiting", "fax"}),
        (ReplaceAddons({"voicemail"}), {"voicemail"}),
        (ReplaceAddons(()), set()),
        (RemoveAddons({"voicemail", "fax"}), {"call-waiting"}),
    ],
    ids=["assign", "replace", "replace by nothing", "remove"],
)
def test_addons_become_what_is_said(make_store: MakeStore, setting: Any, left: set[str]) -> None:
    """Add-ons are assigned, replaced and removed on accounts that have some, and on no others."""
    catalog = attrs.evolve(
        CATALOG,
        products=[
            attrs.evolve(one, allowed_addons=["call-waiting", "voicemail", "fax"]) if one.id == "gold" else one
            for one in CATALOG.products
        ],
    )
    had = {"call-waiting", "fax"}
    store = make_store([*_accounts(1, addons=had), *_accounts(2, addons=had, batch="TENTH")])
    plan = plan_update(store, _BATCH, UpdateSpec(addons=setting), catalog=catalog, now=NOW)
    assert _names(_apply(plan, store)) == "A"
    assert [found.addons for found in accounts_of(store).values()] == [left, had]
    [[field]] = [change.fields for change in plan.changes]
    assert (field.field, field.before, field.after) == ("addons", frozenset(had), frozenset(left))


def test_money_is_exact(make_store: MakeStore) -> None:
    """Opening balances, charges and refunds move balances to the last decimal, whatever their size."""
    balances = ["0.30001", "99999999999.99999", "1", "12345678901.00001"]
    store = make_store(
        [account(id=f"a{n}", opening_balance=amount, balance=amount) for n, amount in enumerate(balances)]
    )
    spec = UpdateSpec(opening_balance=usd("0.70002"), charge=Charge(usd("0.1")), refund=Refund(usd("0.20001")))
    plan = _plan(store, spec)
    assert _names(_apply(plan, store)) == "AAAA"
    assert _balances(store) == [Decimal("0.40001")] * 4
    assert {found.opening_balance for found in accounts_of(store).values()} == {Decimal("0.70002")}
    assert sum(entry.amount.amount for entry in store.transactions(plan.id)) == 4 * Decimal("0.30001")


def test_many_small_amounts_add_up(make_store: MakeStore) -> None:
    """Ten charges of a thousandth of a cent are a hundredth of a cent, on every database."""
    store = make_store(_accounts(1, balance="0.1"))
    for _ in range(10):
        assert _names(_apply(_plan(store, UpdateSpec(charge=Charge(usd("0.00001")))), store)) == "A"
    assert _balances(store) == [Decimal("0.0999")]


def test_only_frozen_targets_are_changed(make_store: MakeStore) -> None:
    """An account that came to the batch after planning is left alone, however well the filter would mean it."""
    store = make_store(_accounts(1))
    plan = _plan(store)
    store.add(_accounts(2))
    assert (_names(_apply(plan, store)), _balances(store)) == ("A", [13, 15])


def test_balances_move_from_where_they_are(make_store: MakeStore) -> None:
    """A call between planning and applying is not undone, and the journal tells the true balances."""
    store = make_store(_accounts(1))
    plan = _plan(store)
    store.put(*_accounts(1, balance="7.77"))
    [outcome] = _apply(plan, store).outcomes
    assert _balances(store) == [Decimal("5.77")]
    assert outcome.balance == FieldChange(field="balance", before=Decimal("7.77"), after=Decimal("5.77"))
    assert outcome.at == NOW


def test_a_stale_account_is_left_alone_and_the_others_proceed(make_store: MakeStore) -> None:
    """What changed since planning is recorded as stale with the reason, and not written."""
    store = make_store(_accounts(1, 2, 3))
    plan = _plan(store)
    _spoil(store, 2)
    report = _apply(plan, store)
    assert (_names(report), _balances(store)) == ("ASA", [13, 0, 13])
    [reason] = report.outcomes[1].reasons
    assert (reason.field, reason.code) == ("balance", None)


def test_a_terminated_account_was_meant_until_the_end(make_store: MakeStore) -> None:
    """An account that any criterion of the filter no longer means at apply is not terminated."""
    where = AccountFilter(
        batch="SUMMER-2026", control_numbers="1-9", account_id="a", used=False, contact={"email": "x"}, product="gold"
    )
    changes: list[dict[str, Any]] = [
        {},
        {"first_used_on": "2026-11-23"},
        {"contact": {"email": "X"}},
        {"contact": {}},
        {"product": "Gold"},
        {"control_number": 10},
        {"batch": "TENTH"},
        {"contact": {"email": "x", "more": "y"}},
    ]
    store = make_store(_accounts(*range(1, 9), contact={"email": "x"}))
    plan = _plan(store, UpdateSpec(status=StatusChange.TERMINATED), where)
    for number, fields in enumerate(changes, 1):
        store.put(*_accounts(number, **{"contact": {"email": "x"}} | fields))
    assert _names(_apply(plan, store)) == "ASSSSSSA"
    closed = [found.id for found in accounts_of(store).values() if found.state is AccountState.CLOSED]
    assert closed == ["a1", "a8"]


def test_due_activations_are_applied_like_any_plan(make_store: MakeStore) -> None:
    """Due accounts are opened, and what their distributor owes is booked; one that is put off is stale."""
    due = {"state": AccountState.INACTIVE, "activation_date": "2026-11-23", "distributor": "north"}
    store = make_store([*_accounts(1, 2, **due), *_accounts(3, **due | {"activation_date": "2026-11-24"})])
    plan = plan_due(store, catalog=CATALOG, now=NOW)
    store.put(*_accounts(2, **due | {"activation_date": "2026-12-24"}))
    assert _names(_apply(plan, store)) == "AS"
    assert [found.state.name for found in accounts_of(store).values()] == ["OPEN", "INACTIVE", "INACTIVE"]
    assert [entry.amount for entry in store.transactions(plan.id)] == [usd("12.75")]


@pytest.mark.parametrize("bad", [(1,), (8,), (4, 5), (1, 3, 8), tuple(range(1, 9))], ids=str)
def test_a_failing_account_fails_alone(make_store: MakeStore, kind: str, bad: tuple[int, ...]) -> None:
    """A charge that pushes a balance out of range fails that account for good; all others of its chunk are applied."""
    good = [number for number in range(1, 9) if number not in bad]
    impossible = _impossible(kind, *bad)
    store = make_store(_accounts(*good) + impossible)
    plan = _plan(store)
    report = _apply(plan, store)
    assert _names(report) == "".join("F" if number in bad else "A" for number in range(1, 9))
    assert all(bool(outcome.reasons) is (outcome.outcome is Outcome.FAILED) for outcome in report.outcomes)
    assert sorted(entry.account_id for entry in store.transactions(plan.id)) == [f"a{number}" for number in good]
    store.put(attrs.evolve(impossible[0], balance=0))
    assert told_by(_apply(plan, store)) == told_by(report)


@pytest.mark.parametrize(
    ("spoiled", "impossible", "names"),
    [((2,), (), "NSNN"), ((1, 4), (), "SNNS"), ((), (3,), "NNFN"), ((2,), (3,), "NSFN"), ((1, 2), (3, 4), "SSFF")],
    ids=str,
)
def test_all_or_nothing_keeps_nothing_and_names_the_culprits(
    make_store: MakeStore, kind: str, spoiled: tuple[int, ...], impossible: tuple[int, ...], names: str
) -> None:
    """Any stale or failing account rolls everything back; a later run that allows it applies the rest."""
    store = make_store(_accounts(*{1, 2, 3, 4}.difference(impossible)) + _impossible(kind, *impossible))
    plan = _plan(store)
    _spoil(store, *spoiled)
    before = accounts_of(store)
    report = _apply(plan, store, _TOGETHER)
    assert _names(report) == names
    culprits = 4 - names.count("N")
    assert report.stopped == (f"all or nothing: {culprits} accounts are stale or failed" if culprits < 4 else None)
    assert (accounts_of(store), list(store.transactions(plan.id))) == (before, [])
    assert _names(_apply(plan, store)) == names.replace("N", "A")
    assert len(list(store.transactions(plan.id))) == names.count("N")


def test_a_plan_is_applied_once(make_store: MakeStore, kind: str) -> None:
    """Applying again touches nothing, and tells the recorded outcomes of the first time."""
    store = make_store(_accounts(1, 2) + _impossible(kind, 3) + _accounts(4, state=AccountState.CLOSED))
    plan = _plan(store)
    _spoil(store, 2)
    first = _apply(plan, store)
    _spoil(store, 1)
    left = accounts_of(store)
    again = apply_plan(plan, store, now=NOW + timedelta(hours=1))
    assert _names(first) == "ASFR"
    assert told_by(again) == told_by(first)
    assert accounts_of(store) == left
    assert len(list(store.transactions(plan.id))) == 1


def test_the_same_campaign_moves_money_once(make_store: MakeStore) -> None:
    """With a reference, who was reached by one plan is refused by the next and stale in one that was made before."""
    spec = UpdateSpec(charge=Charge(usd("2"), reference="it's a fee"))
    store = make_store(_accounts(1, 2, 3))
    early, first = _plan(store, spec), _plan(store, spec, attrs.evolve(_BATCH, control_numbers="2-3"))
    assert _names(_apply(first, store)) == "AA"
    assert _names(_apply(early, store)) == "ASS"
    assert len(_plan(store, spec).refused) == 3
    assert _balances(store) == [13, 13, 13]
    assert _names(_apply(_plan(store), store)) == "AAA"


def test_what_was_stopped_is_continued(make_store: MakeStore) -> None:
    """should_stop is asked before every chunk; applying again attempts what was not attempted, and nothing else."""
    store = make_store(_accounts(*range(1, 6)))
    plan = _plan(store)
    told: list[tuple[int, int]] = []
    report = _apply(plan, store, _PAIRS, should_stop=_stop_after(1), on_progress=lambda *now: told.append(now))
    assert (_names(report), report.stopped) == ("AANNN", "the caller said stop")
    assert _balances(store) == [13, 13, 15, 15, 15]
    report = _apply(plan, store, _PAIRS, on_progress=lambda *now: told.append(now))
    assert (_names(report), report.stopped) == ("AAAAA", None)
    assert _balances(store) == [13] * 5
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_a_caller_who_stops_at_once_changes_nothing(make_store: MakeStore) -> None:
    """should_stop is asked before the first chunk too, also when everything goes in one transaction."""
    store = make_store(_accounts(1, 2))
    plan = _plan(store)
    for policy in (ApplyPolicy(), _TOGETHER):
        assert _names(_apply(plan, store, policy, should_stop=lambda: True)) == "NN"
    assert _balances(store) == [15, 15]


def test_progress_that_breaks_leaves_a_plan_that_can_be_continued(make_store: MakeStore) -> None:
    """An error of the caller's own progress ends the run after a chunk that is kept."""
    store = make_store(_accounts(1, 2, 3))
    plan = _plan(store)

    def broken(_done: int, _total: int) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # The test's own.
        _apply(plan, store, _PAIRS, on_progress=broken)
    assert _balances(store) == [13, 13, 15]
    assert _names(_apply(plan, store)) == "AAA"


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        (ApplyPolicy(chunk_size=1, stop_after=1), "ASNNN"),
        (ApplyPolicy(chunk_size=1, stop_after_percent=60), "ASAAA"),
        (ApplyPolicy(chunk_size=1, stop_after_percent=40), "ASNNN"),
        (ApplyPolicy(chunk_size=2, canary=2), "ASNNN"),
        (ApplyPolicy(chunk_size=1, canary=1), "ASAAA"),
        (_TOGETHER, "NSNNN"),
    ],
    ids=str,
)
def test_a_policy_looks_at_all_runs(make_store: MakeStore, policy: ApplyPolicy, names: str) -> None:
    """Retrying with the same policy does not walk through a threshold; one that allows more continues."""
    store = make_store(_accounts(1, 2, 3, 4, 5))
    plan = _plan(store)
    _spoil(store, 2)
    first, again = (_apply(plan, store, policy) for _ in range(2))
    assert _names(first) == _names(again) == names
    assert (again.stopped == first.stopped) is True
    assert (first.stopped is not None) is ("N" in names)
    assert _names(_apply(plan, store)) == "ASAAA"


def test_a_canary_is_the_first_of_the_plan(make_store: MakeStore) -> None:
    """The canaries are the first accounts by control number, wherever the store keeps them, and go by themselves."""
    store = make_store(_accounts(5, 3, 1, 4, 2))
    plan = _plan(store)
    report = _apply(plan, store, ApplyPolicy(canary=2), should_stop=_stop_after(1))
    assert _names(report) == "AANNN"
    _spoil(store, 5)
    assert _names(_apply(plan, store, ApplyPolicy(canary=2))) == "AAAAS"


def test_a_failing_canary_fails_alone(make_store: MakeStore, kind: str) -> None:
    """The other canaries are applied, and nothing behind them until somebody allows it."""
    store = make_store(_accounts(1, 3, 4, 5, 6) + _impossible(kind, 2))
    plan = _plan(store)
    report = _apply(plan, store, ApplyPolicy(canary=4))
    assert (_names(report), report.stopped) == ("AFAANN", "canary: 1 of the first 4 accounts are stale or failed")
    assert _names(_apply(plan, store)) == "AFAAAA"


@pytest.mark.parametrize("terminate", [None, 0, 3])
def test_a_termination_needs_its_number_said_back(make_store: MakeStore, terminate: int | None) -> None:
    """Any number but that of the accounts that end is a GuardError, and nothing is touched."""
    store = make_store(_accounts(1, 2))
    plan = _plan(store, UpdateSpec(status=StatusChange.TERMINATED))
    with pytest.raises(GuardError, match="terminates 2 accounts"):
        apply_plan(plan, store, now=NOW, terminate=terminate)
    assert {found.state for found in accounts_of(store).values()} == {AccountState.OPEN}


def test_from_valid_until_on_one_has_to_plan_again(make_store: MakeStore) -> None:
    """A plan that is too old is not applied, and not continued; what it did is told for ever."""
    store = make_store(_accounts(1, 2))
    plan = _plan(store)
    assert plan.valid_until is not None
    _apply(plan, store, ApplyPolicy(chunk_size=1), should_stop=_stop_after(1))
    with pytest.raises(PlanExpiredError):
        apply_plan(plan, store, now=plan.valid_until)
    assert _balances(store) == [13, 15]
    assert _names(_apply(plan, store)) == "AA"
    assert _names(apply_plan(plan, store, now=plan.valid_until + timedelta(days=900))) == "AA"


def test_a_plan_is_applied_to_the_store_that_it_was_made_on(make_store: MakeStore) -> None:
    """On another store it is a PlanError, also if the accounts look the same."""
    plan = _plan(MemoryStore(_accounts(1)))
    store = make_store(_accounts(1))
    with pytest.raises(PlanError, match="was made on the store"):
        apply_plan(plan, store, now=NOW)
    assert _balances(store) == [15]


# What only databases have.


def test_a_plan_is_loaded_from_the_database(make_sql_store: MakeSqlStore) -> None:
    """A plan lies in the database with everything that it says, before it is applied and after."""
    store = make_sql_store(population())
    plan = _plan(store, SPECS["everything"])
    said = said_by(plan)
    loaded = store.load(plan.id)
    assert (loaded, loaded.digest, said_by(loaded)) == (plan, plan.digest, said)
    report = _apply(loaded, store)
    assert said_by(store.load(plan.id)) == said
    assert told_by(_apply(store.load(plan.id), store)) == told_by(report)
    assert {plan.id} == {one.id for one in store.plans()}


def test_a_plan_from_a_file_is_applied_once_it_is_bound(make_sql_store: MakeSqlStore) -> None:
    """The file of a plan shows its summary without the store, its changes with it, and applies like the plan."""
    store = make_sql_store(population())
    plan = _plan(store, SPECS["everything"])
    read = Plan.from_json(plan.to_json())
    assert (read, read.totals, len(read.changes)) == (plan, plan.totals, len(plan.changes))
    assert read.confirmation() == plan.confirmation()
    with pytest.raises(PlanError):
        list(read.changes)
    assert list(store.load(read.id).changes) == list(plan.changes)
    report = _apply(read, store)
    assert report.counts[Outcome.APPLIED] == len(plan.changes)
    assert told_by(report) == told_by(_apply(plan, store))


def test_plans_are_listed_and_discarded(make_sql_store: MakeSqlStore) -> None:
    """Plans are listed, the newest first, until one of which nothing was applied is discarded."""
    store = make_sql_store(_accounts(1, 2))
    plans = [
        plan_update(store, _ANY, _FEE, catalog=CATALOG, now=NOW + timedelta(hours=n), actor="ann", reason=f"o'{n}")
        for n in range(3)
    ]
    assert [(one.id, one.planned_at, one.changing, one.done) for one in store.plans()] == [
        (plan.id, plan.planned_at, 2, 0) for plan in reversed(plans)
    ]
    assert _names(_apply(plans[0], store, ApplyPolicy(chunk_size=1), should_stop=_stop_after(1))) == "AN"
    store.discard(plans[1].id)
    with pytest.raises(PlanError):
        store.discard(plans[0].id)
    assert [(one.id, one.done) for one in store.plans()] == [(plans[2].id, 0), (plans[0].id, 1)]
    with pytest.raises(PlanError):
        _apply(plans[1], store)
    assert (_names(_apply(plans[0], store)), _balances(store)) == ("AA", [13, 13])


def test_status_tells_how_far_a_plan_is(make_sql_store: MakeSqlStore) -> None:
    """Before, between and after the counts are those that applying reports, and the journal survives reopening."""
    store = make_sql_store([*_accounts(1, 2, 3), *_accounts(4, state=AccountState.CLOSED)])
    plan = _plan(store)

    def counts(**expected: int) -> dict[Outcome, int]:
        return dict.fromkeys(Outcome, 0) | {Outcome(name): count for name, count in expected.items()}

    assert dict.fromkeys(Outcome, 0) | dict(store.status(plan.id)) == counts(not_attempted=3, refused=1)
    _spoil(store, 1)
    _apply(plan, store, _PAIRS, should_stop=_stop_after(1))
    assert dict.fromkeys(Outcome, 0) | dict(store.status(plan.id)) == counts(
        stale=1, applied=1, not_attempted=1, refused=1
    )
    report = _apply(plan, store)
    assert dict.fromkeys(Outcome, 0) | dict(store.status(plan.id)) == report.counts


def test_a_store_is_opened_again(databases: Databases, make_sql_store: MakeSqlStore) -> None:
    """A database that is opened again is the same store, with its accounts, plans and outcomes; create() harms none."""
    store = make_sql_store(_accounts(1, 2))
    plan = _plan(store)
    report = _apply(plan, store)
    again = databases.reopen(store)
    again.create()
    assert again.identity == store.identity
    assert accounts_of(again) == accounts_of(store)
    assert told_by(_apply(again.load(plan.id), again)) == told_by(report)
    assert set(again.charged("fee")) == set()


@pytest.mark.parametrize("canary", [0, 4])
def test_what_another_worker_did_is_no_part_of_a_half(
    databases: Databases, make_sql_store: MakeSqlStore, canary: int
) -> None:
    """A part that has to be halved is what is left of it, if another worker was there meanwhile."""
    store = make_sql_store(_accounts(1, 2, 3, 4))
    plan = _plan(store)
    work = store.work(plan, canary)
    part = next(iter(work.parts(10)))
    assert [half.count for half in work.halves(part)] == [2, 2]
    policy = ApplyPolicy(canary=1) if canary else ApplyPolicy(chunk_size=1)
    assert _names(_apply(plan, databases.reopen(store), policy, should_stop=_stop_after(1))) == "ANNN"
    (rest,) = work.halves(part)
    assert rest.count == 3
    assert [half.count for half in work.halves(rest)] == [1, 2]
    assert work.apply(rest, now=NOW, commit=Commit.ALWAYS) == ()
    assert _balances(store) == [13] * 4
    assert (work.halves(rest)[0].count, len(store.transactions(plan.id))) == (0, 4)


def test_an_outcome_that_another_worker_recorded_stays(databases: Databases, make_sql_store: MakeSqlStore) -> None:
    """What failed here and was applied there meanwhile is applied, and who asks for it finds nothing left."""
    store = make_sql_store(_accounts(1))
    plan = _plan(store)
    work = store.work(plan, 0)
    part = work.everything()
    target = work.only(part)
    assert target is not None
    report = _apply(plan, databases.reopen(store))
    failed = attrs.evolve(report.outcomes[0], outcome=Outcome.FAILED)
    assert failed.account_id == target.account_id
    work.record([failed])
    assert work.only(part) is None
    assert told_by(_apply(plan, store)) == told_by(report)
    assert _names(report) == "A"


_IGNORES = {
    "sqlite": [
        "CREATE TRIGGER theirs BEFORE UPDATE ON accounts WHEN old.control_number = 2 BEGIN SELECT RAISE(IGNORE); END"
    ],
    "postgresql": [
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        (
            "CREATE TRIGGER theirs BEFORE UPDATE ON accounts FOR EACH ROW WHEN (old.control_number = 2)"
            " EXECUTE FUNCTION theirs()"
        ),
    ],
}


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend != "mariadb"])
def test_an_account_that_a_trigger_passes_over_fails(databases: Databases, backend: str) -> None:
    """Nothing is booked for it, and the others are applied; MariaDB's triggers cannot do that."""
    with databases.fresh(backend) as url, engine(url) as other, closing(SqlStore(url)) as store:
        store.create().add(_accounts(1, 2, 3))
        with other.begin() as connection:
            for statement in _IGNORES[other.dialect.name]:
                connection.execute(text(statement))
        plan = _plan(store)
        report = _apply(plan, store)
        assert (_names(report), _balances(store)) == ("AFA", [13, 15, 13])
        [reason] = report.outcomes[1].reasons
        assert reason.detail == "the database wrote fewer accounts than it was told to, and does not say why"
        assert [entry.account_id for entry in store.transactions(plan.id)] == ["a1", "a3"]


def test_an_account_that_is_gone_is_stale(databases: Databases, make_sql_store: MakeSqlStore) -> None:
    """Where an account is gone by the time of applying, the report says so, and nothing is booked."""
    store = make_sql_store(_accounts(1, 2))
    plan = _plan(store)
    with databases.beside(store) as other:
        other.execute(text("DELETE FROM accounts WHERE id = 'a1'"))
    report = _apply(plan, store)
    assert _names(report) == "SA"
    assert [reason.detail for reason in report.outcomes[0].reasons] == ["the account is gone"]
    assert [entry.account_id for entry in store.transactions(plan.id)] == ["a2"]
