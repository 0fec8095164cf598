import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState
from account_batch.decision import Outcome, TransactionKind
from account_batch.errors import ChangeRejectedError, InvalidValueError, StoreError
from account_batch.executor import apply_plan
from account_batch.filters import AccountFilter, Registration, StatusFilter, TextMatch
from account_batch.plan import FieldChange, Plan, Target
from account_batch.planner import plan_update
from account_batch.report import AccountOutcome
from account_batch.spec import AssignDistributor, Charge, Refund, UpdateSpec
from account_batch.store import Commit
from account_batch.stores.memory import MemoryStore
from world import CATALOG, NOW, account, usd

_EVERYBODY = AccountFilter(status=StatusFilter.ANY)
_BATCH = AccountFilter(batch="SUMMER-2026")
_FEE = UpdateSpec(charge=Charge(usd("1"), reference="fee"))


def _accounts(*numbers: int, **fields: Any) -> list[Account]:
    return [account(**{"id": f"a{number}", "control_number": number} | fields) for number in numbers]


def _ids(store: MemoryStore, where: AccountFilter = _EVERYBODY) -> list[str]:
    return [found.id for found in store.find(where)]


def _plan(store: MemoryStore, spec: UpdateSpec = _FEE) -> Plan:
    return plan_update(store, _BATCH, spec, catalog=CATALOG, now=NOW)


def _apply(
    plan: Plan, store: MemoryStore, targets: Sequence[Target] | None = None, commit: Commit = Commit.ALWAYS
) -> list[AccountOutcome]:
    return store.apply(plan, plan.targets if targets is None else targets, now=NOW, commit=commit)


def _names(outcomes: Iterable[AccountOutcome]) -> list[tuple[str, Outcome]]:
    return [(outcome.account_id, outcome.outcome) for outcome in outcomes]


def _everything(store: MemoryStore, plan: Plan) -> tuple[object, ...]:
    """All that a store says about a plan and its accounts."""
    return store.find(_EVERYBODY), store.transactions(plan.id), store.outcomes(plan.id), store.charged("fee")


# Accounts.


def test_what_was_added_is_found_in_the_order_of_adding() -> None:
    """A store has the accounts that it was made with, and those that were added since."""
    store = MemoryStore(_accounts(3, 1))
    store.add(_accounts(2))
    assert store.find(_EVERYBODY) == _accounts(3, 1, 2)


def test_a_store_may_start_empty() -> None:
    """Without accounts there is nothing to find."""
    assert MemoryStore().find(_EVERYBODY) == []


def test_accounts_may_come_from_a_generator() -> None:
    """Any iterable of accounts will do."""
    assert _ids(MemoryStore(iter(_accounts(1, 2)))) == ["a1", "a2"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (AccountFilter(), ["a1", "a2", "a4", "a5"]),
        (AccountFilter(status=StatusFilter.ANY), ["a1", "a2", "a3", "a4", "a5"]),
        (AccountFilter(batch="SUMMER-2026"), ["a1", "a2"]),
        (AccountFilter(batch="SUMMER-2026", status=StatusFilter.CLOSED), ["a3"]),
        (AccountFilter(batch="SUMMER-2026", control_numbers="2-3"), ["a2"]),
        (AccountFilter(batch="ZERO"), ["a4"]),
        (AccountFilter(batch="summer-2026"), []),
        (AccountFilter(account_id=TextMatch.ends_with("5")), ["a5"]),
        (AccountFilter(registration=Registration.REGISTERED), ["a2"]),
        (AccountFilter(custom_fields={"colour": "red"}), ["a1"]),
        (AccountFilter(batch="SUMMER-2026", custom_fields={"colour": "blue"}), []),
    ],
    ids=str,
)
def test_accounts_are_found_by_what_the_filter_means(where: AccountFilter, found: list[str]) -> None:
    """With a batch or without, exactly the accounts are found for which the filter matches."""
    one, two, three, four, five = _accounts(1, 2, 3, 4, 5)
    store = MemoryStore(
        [
            attrs.evolve(one, custom_fields={"colour": "red"}),
            attrs.evolve(two, registered=True),
            attrs.evolve(three, state=AccountState.CLOSED),
            attrs.evolve(four, batch="ZERO"),
            attrs.evolve(five, batch=None),
        ]
    )
    assert _ids(store, where) == found


def test_an_id_that_is_there_is_not_added_again() -> None:
    """Adding is for new accounts: the message says that put replaces, and the one that is there stays."""
    store = MemoryStore(_accounts(1))
    with pytest.raises(InvalidValueError, match=r"is there already; put\(\) replaces"):
        store.add(_accounts(1, blocked=True))
    assert store.find(_EVERYBODY) == _accounts(1)


@pytest.mark.parametrize("numbers", [(2, 3, 1), (2, 3, 2), (1, 2, 3)])
def test_accounts_are_added_all_or_none(numbers: tuple[int, ...]) -> None:
    """If one id is there already or comes twice, none of the accounts is added, wherever it stands."""
    store = MemoryStore(_accounts(1))
    with pytest.raises(InvalidValueError):
        store.add(_accounts(*numbers))
    assert _ids(store) == ["a1"]
    assert _ids(store, _BATCH) == ["a1"]


def test_a_source_that_breaks_adds_nothing() -> None:
    """If the accounts run dry halfway, for example because a file is broken, none is added."""

    def broken() -> Iterator[Account]:
        yield from _accounts(1, 2)
        raise OSError

    store = MemoryStore()
    with pytest.raises(OSError):  # noqa: PT011  # The test's own.
        store.add(broken())
    assert _ids(store) == []


@pytest.mark.parametrize("wrong", ["a1", None, {"id": "a1"}], ids=str)
def test_only_accounts_are_kept(wrong: Any) -> None:
    """What is no account is refused when it comes, not when it is found."""
    store = MemoryStore()
    with pytest.raises(InvalidValueError, match="is no Account"):
        store.put(wrong)
    with pytest.raises(InvalidValueError, match="is no Account"):
        store.add([*_accounts(1), wrong])
    assert _ids(store) == []


def test_the_message_about_an_id_shows_no_pin() -> None:
    """Card ids are PINs, and errors land in logs."""
    store = MemoryStore([account(id="4711-0815-2342")])
    with pytest.raises(InvalidValueError) as caught:
        store.add([account(id="4711-0815-2342")])
    assert "4711-0815" not in str(caught.value)


def test_a_store_is_not_made_of_accounts_with_one_id() -> None:
    """Two accounts with the same id cannot both be there."""
    with pytest.raises(InvalidValueError, match="is there already"):
        MemoryStore(_accounts(1, 1))


def test_put_adds_a_new_account() -> None:
    """An account that is not there yet is there after put."""
    store = MemoryStore(_accounts(1))
    store.put(*_accounts(2))
    assert _ids(store, _BATCH) == ["a1", "a2"]


def test_put_replaces_the_account_of_the_id() -> None:
    """An account that is there is replaced, with all its fields."""
    store = MemoryStore(_accounts(1, 2))
    (changed,) = _accounts(1, blocked=True, control_number=9)
    store.put(changed)
    assert store.find(_EVERYBODY) == store.find(_BATCH) == [changed, *_accounts(2)]


@pytest.mark.parametrize(
    ("before", "after"), [("SUMMER-2026", "ZERO"), ("SUMMER-2026", None), (None, "SUMMER-2026"), ("NEW", "NEWER")]
)
def test_put_moves_an_account_to_its_new_batch(before: str | None, after: str | None) -> None:
    """An account that moves is found in its new batch, and no longer in the old one."""
    store = MemoryStore(_accounts(1, batch=before))
    store.put(*_accounts(1, batch=after))
    found = {batch: _ids(store, AccountFilter(batch=batch)) for batch in (before, after) if batch is not None}
    assert found == {batch: ["a1"] if batch == after else [] for batch in found}
    assert _ids(store) == ["a1"]


def test_an_account_that_moves_and_comes_back_is_there_once() -> None:
    """Moving to and fro leaves one account in one batch."""
    store = MemoryStore(_accounts(1, 2))
    for batch in ("ZERO", "SUMMER-2026", "ZERO", "SUMMER-2026"):
        store.put(*_accounts(1, batch=batch))
    assert sorted(_ids(store, _BATCH)) == ["a1", "a2"]
    assert _ids(store, AccountFilter(batch="ZERO")) == []


def test_what_was_found_is_the_callers() -> None:
    """The list that find returns does not change with the store, and the store not with it."""
    store = MemoryStore(_accounts(1))
    found = store.find(_EVERYBODY)
    store.add(_accounts(2))
    found.clear()
    assert _ids(store) == ["a1", "a2"]


def test_every_store_has_an_identity_of_its_own() -> None:
    """No two stores are taken for each other, and one stays what it is when its accounts change."""
    store, other = MemoryStore(_accounts(1)), MemoryStore(_accounts(1))
    before = store.identity
    store.add(_accounts(2))
    assert store.identity == before != other.identity


# Ledger and journal.


def test_a_new_store_has_no_transactions_and_no_outcomes() -> None:
    """Neither the ledger nor the journal knows a plan that was not applied."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    assert (store.transactions(plan.id), store.outcomes(plan.id), store.charged("fee")) == ([], {}, frozenset())


def test_transactions_are_those_of_the_plan_in_the_order_of_making() -> None:
    """Each plan has its own ledger entries."""
    store = MemoryStore(_accounts(2, 1, opening_balance=10))
    spec = UpdateSpec(charge=Charge(usd("1")), refund=Refund(usd("2")), distributor=AssignDistributor("north"))
    first, second = _plan(store, spec), _plan(store)
    apply_plan(first, store, now=NOW)
    apply_plan(second, store, now=NOW)
    kinds = [TransactionKind.CHARGE, TransactionKind.REFUND, TransactionKind.DISTRIBUTOR_CHARGE]
    assert [(entry.account_id, entry.kind) for entry in store.transactions(first.id)] == [
        *itertools.product(["a1"], kinds),
        *itertools.product(["a2"], kinds),
    ]
    assert [entry.plan_id for entry in store.transactions(second.id)] == [second.id] * 2


def test_charged_knows_who_has_a_reference() -> None:
    """After a campaign, exactly the accounts that it reached have its reference."""
    store = MemoryStore(_accounts(1, 2) + _accounts(3, kind=AccountKind.VOUCHER))
    apply_plan(_plan(store), store, now=NOW)
    apply_plan(_plan(store, UpdateSpec(charge=Charge(usd("1")))), store, now=NOW)
    assert set(store.charged("fee")) == {"a1", "a2"}
    assert set(store.charged("other")) == set()


def test_what_was_asked_for_is_a_snapshot() -> None:
    """Entries, references and outcomes that were looked at do not change while a plan is applied."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    looked_at = (store.transactions(plan.id), store.outcomes(plan.id), store.charged("fee"))
    apply_plan(plan, store, now=NOW)
    assert looked_at == ([], {}, frozenset())


# Applying, as every store has to.


def test_applying_writes_accounts_entries_and_outcomes() -> None:
    """What is applied is on the account, in the ledger and in the journal."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    outcomes = _apply(plan, store, plan.targets[:1])
    assert _names(outcomes) == [("a1", Outcome.APPLIED)]
    assert [found.balance for found in store.find(_EVERYBODY)] == [14, 15]
    assert [entry.account_id for entry in store.transactions(plan.id)] == ["a1"]
    assert store.outcomes(plan.id) == {"a1": outcomes[0]}


def test_what_has_an_outcome_is_not_touched_again() -> None:
    """Applying a target twice returns what was recorded, and charges once."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    first = _apply(plan, store, plan.targets[:1])
    again = _apply(plan, store)
    assert _names(again) == [("a1", Outcome.APPLIED), ("a2", Outcome.APPLIED)]
    assert again[0] == first[0]
    assert [found.balance for found in store.find(_EVERYBODY)] == [14, 14]


def test_an_outcome_says_when_and_how_the_balance_moved() -> None:
    """The journal keeps the instant and the true old and new balance, whatever the balance was at planning."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    store.put(*_accounts(1, balance=7))
    later = NOW + timedelta(hours=1)
    (outcome,) = store.apply(plan, plan.targets, now=later, commit=Commit.ALWAYS)
    assert outcome.at == later
    assert outcome.balance == FieldChange(field="balance", before=Decimal(7), after=Decimal(6))
    assert store.outcomes(plan.id)["a1"] == outcome


def test_a_balance_that_does_not_move_is_not_told() -> None:
    """Only where money moves does the journal keep a balance; a stale account has none."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store, UpdateSpec(ivr_language="en"))
    store.put(*_accounts(2, ivr_language="uk"))
    outcomes = _apply(plan, store)
    assert [(outcome.outcome, outcome.at, outcome.balance) for outcome in outcomes] == [
        (Outcome.APPLIED, NOW, None),
        (Outcome.STALE, NOW, None),
    ]


def test_what_was_recorded_as_failed_stays_failed() -> None:
    """A recorded outcome of any kind is returned, and the account left alone."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    failed = AccountOutcome(account_id="a1", control_number=1, outcome=Outcome.FAILED)
    store.record(plan, [failed])
    assert _apply(plan, store) == [failed]
    assert store.find(_EVERYBODY) == _accounts(1)


def test_the_first_outcome_of_an_account_stays() -> None:
    """Recording does not replace what was recorded, returns what is recorded by then, and is by plan."""
    store = MemoryStore(_accounts(1, 2))
    plan, other = _plan(store), _plan(store)
    applied, failed, two = (
        AccountOutcome(account_id=name, control_number=1, outcome=outcome)
        for name, outcome in [("a1", Outcome.APPLIED), ("a1", Outcome.FAILED), ("a2", Outcome.STALE)]
    )
    assert store.record(plan, [applied]) == [applied]
    assert store.record(plan, [failed, two]) == [applied, two]
    assert store.record(other, [failed]) == [failed]
    assert store.record(plan, []) == []
    assert store.outcomes(plan.id) == {"a1": applied, "a2": two}
    assert store.outcomes(other.id) == {"a1": failed}


def test_what_was_applied_can_be_loaded() -> None:
    """The journal has the plan itself: who, when, why, filter, spec, old and new per account."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW)
    loaded = store.load(plan.id)
    assert (loaded, loaded.actor, loaded.changes) == (plan, plan.actor, plan.changes)


def test_what_was_never_applied_cannot_be_loaded() -> None:
    """A plan that the store does not know is an error that names it."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    with pytest.raises(StoreError, match=plan.id):
        store.load(plan.id)


def test_a_stale_account_keeps_its_neighbours_from_nothing() -> None:
    """With Commit.ALWAYS the stale account is recorded as such, and the others are applied."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    store.put(*_accounts(1, balance=0))
    outcomes = _apply(plan, store)
    assert [outcome.outcome for outcome in outcomes] == [Outcome.STALE, Outcome.APPLIED]
    assert outcomes[0].reasons
    assert [found.balance for found in store.find(_EVERYBODY)] == [0, 14]
    assert list(store.outcomes(plan.id).values()) == outcomes


def test_a_transaction_with_a_stale_account_is_not_kept_if_all_have_to_be_applied() -> None:
    """With Commit.IF_ALL_APPLIED nothing is kept unless everything is, neither on accounts nor in the journal."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    store.put(*_accounts(1, balance=0))
    before = _everything(store, plan)
    outcomes = _apply(plan, store, commit=Commit.IF_ALL_APPLIED)
    assert [outcome.outcome for outcome in outcomes] == [Outcome.STALE, Outcome.APPLIED]
    assert _everything(store, plan) == before


def test_a_transaction_in_which_all_are_applied_is_kept() -> None:
    """With Commit.IF_ALL_APPLIED everything is kept where everything is applied."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    _apply(plan, store, commit=Commit.IF_ALL_APPLIED)
    assert [found.balance for found in store.find(_EVERYBODY)] == [14, 14]
    assert len(store.outcomes(plan.id)) == len(store.transactions(plan.id)) == 2


def test_a_rehearsal_keeps_nothing() -> None:
    """With Commit.NEVER the outcomes are told, and nothing is kept even if all are fine."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    before = _everything(store, plan)
    outcomes = _apply(plan, store, commit=Commit.NEVER)
    assert _names(outcomes) == [("a1", Outcome.APPLIED), ("a2", Outcome.APPLIED)]
    assert _everything(store, plan) == before


@pytest.mark.parametrize("commit", Commit)
def test_an_account_that_cannot_exist_rejects_the_transaction(commit: Commit) -> None:
    """Nothing of a transaction is kept in which an account would become impossible, and no id is in the message."""
    store = MemoryStore(_accounts(1, 3) + _accounts(2, kind=AccountKind.CREDIT, balance=10**15 - 1))
    plan = _plan(store)
    before = _everything(store, plan)
    with pytest.raises(ChangeRejectedError, match=r"control number 2: account\.balance") as caught:
        _apply(plan, store, commit=commit)
    assert isinstance(caught.value, StoreError)
    assert "a2" not in str(caught.value)
    assert _everything(store, plan) == before


class _InterruptedStore(MemoryStore):
    """Somebody presses Ctrl-C while the last part of a transaction is written."""

    interrupts = True

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> list[AccountOutcome]:
        recorded = super().record(plan, outcomes)
        if self.interrupts:
            self.interrupts = False
            raise KeyboardInterrupt
        return recorded


@pytest.mark.parametrize("spec", [_FEE, UpdateSpec(charge=Charge(usd("1")))], ids=["a reference", "no reference"])
def test_an_interrupted_transaction_is_not_kept(spec: UpdateSpec) -> None:
    """Ctrl-C in the middle leaves nothing: no account, entry, reference or outcome, and applying again is complete."""
    store = _InterruptedStore(_accounts(1, 2))
    plan = _plan(store, spec)
    before = _everything(store, plan)
    with pytest.raises(KeyboardInterrupt):
        _apply(plan, store)
    assert _everything(store, plan) == before
    _apply(plan, store)
    assert [found.balance for found in store.find(_EVERYBODY)] == [14, 14]
    assert len(store.transactions(plan.id)) == len(store.outcomes(plan.id)) == 2


def test_an_interrupted_transaction_forgets_nothing_older() -> None:
    """Ctrl-C takes back its own transaction, and no outcome, entry or reference of those before it."""
    store = _InterruptedStore(_accounts(1, 2))
    plan = _plan(store)
    store.interrupts = False
    _apply(plan, store, plan.targets[:1])
    before = _everything(store, plan)
    store.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        _apply(plan, store)
    assert _everything(store, plan) == before


def test_applying_moves_nothing_between_batches() -> None:
    """An account that was applied is still found in its batch, once."""
    store = MemoryStore(_accounts(1, 2))
    apply_plan(_plan(store), store, now=NOW)
    assert _ids(store, _BATCH) == ["a1", "a2"]


def test_threads_add_without_losing_accounts() -> None:
    """Several threads may add at the same time, and of those that add the same account one succeeds."""
    store = MemoryStore()
    barrier = threading.Barrier(4)

    def add(first: int) -> int:
        barrier.wait(timeout=60)
        added = 0
        for number in [*range(first, first + 50), *range(1000, 1050)]:
            new = _accounts(number)
            try:
                store.add(new)
            except InvalidValueError:
                continue
            added += 1
        return added

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(add, (1, 101, 201, 301)))
    assert sum(added) == len(store.find(_EVERYBODY)) == len(store.find(_BATCH)) == 4 * 50 + 50
