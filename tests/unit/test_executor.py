import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState
from account_batch.catalog import Catalog
from account_batch.decision import Outcome, RefusalCode
from account_batch.errors import (
    ChangeRejectedError,
    GuardError,
    InvalidValueError,
    PlanError,
    PlanExpiredError,
    StoreError,
)
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.filters import AccountFilter, StatusFilter
from account_batch.plan import Plan, Target
from account_batch.planner import plan_due, plan_update
from account_batch.report import AccountOutcome, Report
from account_batch.spec import (
    ActivateNow,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    StatusChange,
    UpdateSpec,
)
from account_batch.store import Commit
from account_batch.stores.memory import MemoryStore
from world import CATALOG, NOW, account, usd

_BATCH = AccountFilter(batch="SUMMER-2026")
_EVERYBODY = AccountFilter(status=StatusFilter.ANY)
_FEE = UpdateSpec(charge=Charge(usd("1"), comment="fee"))
_TERMINATE = UpdateSpec(status=StatusChange.TERMINATED)
_ONE_BY_ONE = ApplyPolicy(chunk_size=1)
_TOGETHER = ApplyPolicy(all_or_nothing=True)
_RICHEST = 10**15 - 1
"""A credit account that owes so much cannot owe more."""


def _accounts(*numbers: int, **fields: Any) -> list[Account]:
    return [account(**{"id": f"a{number}", "control_number": number} | fields) for number in numbers]


def _impossible(*numbers: int) -> list[Account]:
    """Accounts on which a charge makes a balance that no account can have."""
    return _accounts(*numbers, kind=AccountKind.CREDIT, balance=_RICHEST)


class _WatchedStore(MemoryStore):
    """Lists the transactions that it was asked for: control numbers, and whether to keep them."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        super().__init__(accounts)
        self.applied: list[tuple[list[int | None], Commit]] = []

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> list[AccountOutcome]:
        self.applied.append(([target.control_number for target in targets], commit))
        return super().apply(plan, targets, now=now, commit=commit)


class _UnreliableStore(MemoryStore):
    """Breaks before or after one of its transactions, or rejects it although it could be done."""

    def __init__(self, accounts: Iterable[Account], *, breaks_at: int, how: str) -> None:
        super().__init__(accounts)
        self._turns = itertools.count(1)
        self._breaks_at = breaks_at
        self._how = how

    def apply(self, plan: Plan, targets: Sequence[Target], *, now: datetime, commit: Commit) -> list[AccountOutcome]:
        breaks = next(self._turns) == self._breaks_at
        if breaks and self._how == "rejected":
            raise ChangeRejectedError("a deadlock")
        if breaks and self._how == "not reached":
            raise StoreError("no connection")
        outcomes = super().apply(plan, targets, now=now, commit=commit)
        if breaks:
            raise StoreError("the connection broke before the reply")
        return outcomes


class _ReopenedStore(MemoryStore):
    """The same storage as another store, opened again when its accounts had changed."""

    def __init__(self, before: MemoryStore, accounts: Iterable[Account]) -> None:
        super().__init__(accounts)
        self._before = before.identity

    @property
    def identity(self) -> str:
        return self._before


def _plan(store: MemoryStore, spec: UpdateSpec = _FEE, *, catalog: Catalog = CATALOG, **arguments: Any) -> Plan:
    where = attrs.evolve(_BATCH, status=StatusFilter.ANY)
    return plan_update(store, where, spec, catalog=catalog, now=NOW, **arguments)


def _spoil(store: MemoryStore, *numbers: int) -> None:
    """Somebody else takes the funds of accounts that a plan charges."""
    for found in store.find(_EVERYBODY):
        if found.control_number in numbers:
            store.put(attrs.evolve(found, balance=0))


def _outcomes(report: Report) -> dict[int | None, Outcome]:
    return {outcome.control_number: outcome.outcome for outcome in report.outcomes}


def _names(report: Report) -> str:
    """The first letter of each outcome, in the order of the plan."""
    return "".join(outcome.outcome.name[0] for outcome in report.outcomes)


def _balances(store: MemoryStore) -> list[Decimal | int]:
    return [found.balance for found in store.find(_EVERYBODY)]


def _stop_after(chunks: int) -> Callable[[], bool]:
    """A caller who says stop when so many chunks are done."""
    turns = itertools.count()
    return lambda: next(turns) >= chunks


# What comes of accounts.


def test_every_account_comes_to_one_of_six_outcomes() -> None:
    """Applied, unchanged, refused, stale, failed and not attempted are told apart, with their reasons."""
    store = MemoryStore(
        [
            *_accounts(1),
            *_accounts(2, opening_balance=25),
            *_accounts(3, kind=AccountKind.CREDIT),
            *_accounts(4),
            *_accounts(5, opening_balance=0, balance=_RICHEST),
            *_accounts(6),
        ]
    )
    plan = _plan(store, UpdateSpec(opening_balance=usd("25")))
    store.put(*_accounts(4, opening_balance=7))
    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=1, stop_after=2))
    assert _outcomes(report) == {
        1: Outcome.APPLIED,
        2: Outcome.UNCHANGED,
        3: Outcome.REFUSED,
        4: Outcome.STALE,
        5: Outcome.FAILED,
        6: Outcome.NOT_ATTEMPTED,
    }
    assert report.counts == dict.fromkeys(Outcome, 1)
    reasons = {outcome.control_number: outcome.reasons for outcome in report.outcomes}
    assert [bool(reasons[number]) for number in range(1, 7)] == [False, False, True, True, True, False]
    assert [(reason.code, reason.field) for reason in reasons[3]] == [(RefusalCode.NOT_DEBIT, "opening_balance")]
    assert [reason.field for reason in reasons[4]] == ["opening_balance"]
    assert [(reason.code, reason.field) for reason in reasons[5]] == [(None, "store")]
    assert "account.balance" in reasons[5][0].detail
    assert not report.all_applied


def test_a_report_says_what_plan_and_all_of_it() -> None:
    """The outcomes are in the order of the plan, with ids and numbers, and every outcome is counted, also zero."""
    store = MemoryStore(_accounts(2, 3, 1))
    plan = _plan(store)
    report = apply_plan(plan, store, now=NOW)
    assert report.plan_id == plan.id
    assert [(outcome.account_id, outcome.control_number) for outcome in report.outcomes] == [
        ("a1", 1),
        ("a2", 2),
        ("a3", 3),
    ]
    assert report.counts == dict.fromkeys(Outcome, 0) | {Outcome.APPLIED: 3}
    assert report.stopped is None


@pytest.mark.parametrize(
    ("accounts", "all_applied"),
    [
        (_accounts(1, 2), True),
        ([], True),
        (_accounts(1) + _accounts(2, state=AccountState.CLOSED), False),
        (_accounts(1) + _impossible(2), False),
    ],
    ids=["all applied", "nothing to do", "one refused", "one failed"],
)
def test_a_report_knows_whether_all_went_well(accounts: list[Account], *, all_applied: bool) -> None:
    """All is applied if no account was refused, stale, failed or not attempted."""
    store = MemoryStore(accounts)
    assert apply_plan(_plan(store), store, now=NOW).all_applied is all_applied


def test_unchanged_accounts_went_well() -> None:
    """An account that had it all already does not spoil the report."""
    store = MemoryStore(_accounts(1) + _accounts(2, ivr_language="en"))
    assert apply_plan(_plan(store, UpdateSpec(ivr_language="en")), store, now=NOW).all_applied


def test_reports_are_hashable() -> None:
    """Values are frozen and hashable."""
    store = MemoryStore(_accounts(1))
    report = apply_plan(_plan(store), store, now=NOW)
    assert hash(report) == hash(report)


def test_applying_sets_the_fields_and_books_the_money() -> None:
    """Afterwards the accounts are as the changes of the plan say, and the ledger holds their transactions."""
    store = MemoryStore(_accounts(1, 2, state=AccountState.INACTIVE))
    spec = UpdateSpec(
        activation=ActivateNow(),
        expiration=ExpireOn("2027-12-01"),
        addons=AssignAddons({"voicemail"}),
        charge=Charge(usd("1"), comment="fee"),
        refund=Refund(usd("2")),
        distributor=AssignDistributor("north"),
    )
    plan = _plan(store, spec)
    apply_plan(plan, store, now=NOW)
    for found, change in zip(store.find(_EVERYBODY), plan.changes, strict=True):
        assert {field.field: getattr(found, field.field) for field in change.fields} == {
            field.field: field.after for field in change.fields
        }
        entries = [entry for entry in store.transactions(plan.id) if entry.account_id == found.id]
        assert [(entry.kind, entry.amount, entry.comment) for entry in entries] == [
            (transaction.kind, transaction.amount, transaction.comment) for transaction in change.transactions
        ]
        assert len(entries) == 3


def test_refused_and_unchanged_accounts_are_not_touched() -> None:
    """Only the changing accounts reach the storage."""
    store = _WatchedStore(
        _accounts(1) + _accounts(2, ivr_language="en") + _accounts(3, state=AccountState.CLOSED) + _accounts(4)
    )
    apply_plan(_plan(store, UpdateSpec(ivr_language="en")), store, now=NOW)
    assert store.applied == [([1, 4], Commit.ALWAYS)]


def test_only_frozen_targets_are_changed() -> None:
    """An account that came to the batch after planning is left alone, however well the filter would mean it."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    store.add(_accounts(2))
    report = apply_plan(plan, store, now=NOW)
    assert (_names(report), _balances(store)) == ("A", [14, 15])


def test_balances_move_from_where_they_are() -> None:
    """A call between planning and applying is not undone: the balance moves by the charge."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    store.put(*_accounts(1, balance="7.77"))
    apply_plan(plan, store, now=NOW)
    assert _balances(store) == [Decimal("6.77")]


def test_a_stale_account_is_left_alone_and_the_others_proceed() -> None:
    """What changed since planning is recorded as stale with the reason, and not written."""
    store = MemoryStore(_accounts(1, 2, 3))
    plan = _plan(store)
    _spoil(store, 2)
    report = apply_plan(plan, store, now=NOW)
    assert (_names(report), _balances(store)) == ("ASA", [14, 0, 14])
    assert len(report.outcomes[1].reasons) == 1


def test_an_account_that_is_gone_is_stale() -> None:
    """Where an account is gone by the time of applying, the report says so, and nothing is booked."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    later = _ReopenedStore(store, _accounts(2))
    report = apply_plan(plan, later, now=NOW)
    assert _names(report) == "SA"
    assert [reason.detail for reason in report.outcomes[0].reasons] == ["the account is gone"]
    assert [entry.account_id for entry in later.transactions(plan.id)] == ["a2"]


def test_a_terminated_account_was_meant_until_the_end() -> None:
    """An account that the filter no longer means at apply is not terminated."""
    store = MemoryStore(_accounts(1, 2))
    where = attrs.evolve(_BATCH, used=False)
    plan = plan_update(store, where, _TERMINATE, catalog=CATALOG, now=NOW)
    store.put(*_accounts(2, first_used_on="2026-11-23"))
    report = apply_plan(plan, store, now=NOW, terminate=2)
    assert _names(report) == "AS"
    assert [found.state for found in store.find(_EVERYBODY)] == [AccountState.CLOSED, AccountState.OPEN]


def test_plans_of_due_activations_are_applied_like_any_other() -> None:
    """Due accounts are opened, and what their distributor owes is booked."""
    store = MemoryStore(_accounts(1, 2, state=AccountState.INACTIVE, activation_date="2026-11-23", distributor="north"))
    plan = plan_due(store, catalog=CATALOG, now=NOW)
    store.put(*_accounts(2, state=AccountState.INACTIVE, activation_date="2026-12-24", distributor="north"))
    report = apply_plan(plan, store, now=NOW)
    assert _names(report) == "AS"
    assert [found.state.name for found in store.find(_EVERYBODY)] == ["OPEN", "INACTIVE"]
    assert [entry.amount for entry in store.transactions(plan.id)] == [usd("12.75")]


# Accounts that the storage rejects.


@pytest.mark.parametrize("bad", [(1,), (8,), (4, 5), (1, 3, 8), tuple(range(1, 9))], ids=str)
def test_a_failing_account_fails_alone(bad: tuple[int, ...]) -> None:
    """A charge that pushes a balance out of range fails that account; all others of its chunk are applied."""
    good = [number for number in range(1, 9) if number not in bad]
    store = MemoryStore(_accounts(*good) + _impossible(*bad))
    plan = _plan(store)
    report = apply_plan(plan, store, now=NOW)
    assert _outcomes(report) == {number: Outcome.FAILED if number in bad else Outcome.APPLIED for number in range(1, 9)}
    assert {entry.account_id for entry in store.transactions(plan.id)} == {f"a{number}" for number in good}
    assert {found.balance for found in store.find(_EVERYBODY)} <= {14, _RICHEST}


def test_a_failing_account_is_isolated_by_bisection() -> None:
    """The chunk is halved until the culprit is alone, and no account is tried one by one without need."""
    store = _WatchedStore(_accounts(*range(1, 8)) + _impossible(8))
    apply_plan(_plan(store), store, now=NOW)
    assert [numbers for numbers, _ in store.applied] == [
        list(range(1, 9)),
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [5, 6],
        [7, 8],
        [7],
        [8],
    ]


def test_a_failed_account_is_recorded_and_says_why() -> None:
    """The journal knows the failure, and the reason names the storage, the account by number and what was wrong."""
    store = MemoryStore(_impossible(1))
    plan = _plan(store)
    report = apply_plan(plan, store, now=NOW)
    recorded = store.outcomes(plan.id)["a1"]
    assert recorded == report.outcomes[0]
    (reason,) = recorded.reasons
    assert (reason.field, reason.code) == ("store", None)
    assert reason.detail.startswith("control number 1: account.balance")


def test_a_failed_account_is_not_tried_again() -> None:
    """A failure is final for the plan: once the account is fine again, it takes another plan."""
    store = MemoryStore(_impossible(1))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW)
    store.put(*_accounts(1, kind=AccountKind.CREDIT, balance=0))
    report = apply_plan(plan, store, now=NOW)
    assert (_names(report), _balances(store)) == ("F", [0])


# Once, whatever happens.


def test_a_plan_is_applied_once() -> None:
    """Applying again touches nothing, and returns the recorded outcomes of the first time."""
    store = _WatchedStore(_accounts(1, 2) + _impossible(3) + _accounts(4, state=AccountState.CLOSED))
    plan = _plan(store)
    _spoil(store, 2)
    first = apply_plan(plan, store, now=NOW)
    asked = list(store.applied)
    _spoil(store, 1)
    again = apply_plan(plan, store, now=NOW + timedelta(hours=1))
    assert _names(first) == "ASFR"
    assert again == first
    assert store.applied == asked
    assert len(store.transactions(plan.id)) == 1


def test_planning_again_is_another_plan() -> None:
    """Whoever plans anew charges anew: single use is a matter of the plan, not of the campaign."""
    store = MemoryStore(_accounts(1))
    apply_plan(_plan(store), store, now=NOW)
    apply_plan(_plan(store), store, now=NOW)
    assert _balances(store) == [13]


def test_a_plan_loaded_from_json_applies_the_same() -> None:
    """What was saved and loaded does to the accounts what the plan in memory does."""
    population = (
        _accounts(1, 2, state=AccountState.INACTIVE, addons={"voicemail"}, expiration_date="2027-01-01")
        + _accounts(3, opening_balance=7, balance="6.99999")
        + _accounts(4, kind=AccountKind.VOUCHER)
        + _accounts(5, currency="EUR")
    )
    spec = UpdateSpec(
        activation=ActivateNow(),
        expiration=ExpireOn("2027-12-01"),
        opening_balance=usd("8"),
        charge=Charge(usd("1.5"), reference="fee", comment="SIM fee", internal_comment="ticket"),
        addons=AssignAddons({"call-waiting"}),
        distributor=AssignDistributor("north"),
    )
    ends = []
    for through in (lambda plan: plan, lambda plan: Plan.from_json(plan.to_json())):
        store = MemoryStore(population)
        plan = through(_plan(store, spec))
        store.put(attrs.evolve(population[1], expiration_date="2027-01-02"))
        report = apply_plan(plan, store, now=NOW)
        entries = [attrs.evolve(entry, plan_id="") for entry in store.transactions(plan.id)]
        ends.append((store.find(_EVERYBODY), entries, report.outcomes))
    assert ends[0] == ends[1]
    assert "".join(outcome.outcome.name[0] for outcome in ends[0][2]) == "ASARR"


def test_a_loaded_plan_is_the_plan_that_it_was() -> None:
    """A plan that was applied does not apply once more after having been loaded."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    text = plan.to_json()
    first = apply_plan(plan, store, now=NOW)
    assert apply_plan(Plan.from_json(text), store, now=NOW) == first
    assert _balances(store) == [14, 14]


@pytest.mark.parametrize("how", ["not reached", "no reply"])
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_crash_is_continued(turn: int, how: str) -> None:
    """Whether the transaction or only its reply got lost, applying again changes each account exactly once in all."""
    store = _UnreliableStore(_accounts(1, 2, 3), breaks_at=turn, how=how)
    plan = _plan(store)
    with pytest.raises(StoreError):
        apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE)
    done = turn - 1 + (how == "no reply")
    assert len(store.transactions(plan.id)) == len(store.outcomes(plan.id)) == done
    report = apply_plan(plan, store, now=NOW)
    assert (_names(report), _balances(store)) == ("AAA", [14, 14, 14])
    assert len(store.transactions(plan.id)) == 3


@pytest.mark.parametrize("how", ["not reached", "no reply"])
def test_a_crash_of_all_or_nothing_is_continued(how: str) -> None:
    """Everything in one transaction is there or not; applying again finds out which."""
    store = _UnreliableStore(_accounts(1, 2), breaks_at=1, how=how)
    plan = _plan(store)
    with pytest.raises(StoreError):
        apply_plan(plan, store, now=NOW, policy=_TOGETHER)
    assert _names(apply_plan(plan, store, now=NOW, policy=_TOGETHER)) == "AA"
    assert _balances(store) == [14, 14]


def test_two_workers_apply_a_plan_once() -> None:
    """Two threads that apply the same plan at once charge each account once, and both report it all."""
    store = MemoryStore(_accounts(*range(1, 201)) + _impossible(201))
    plan = _plan(store)
    _spoil(store, 100)
    barrier = threading.Barrier(2)

    def work(size: int) -> Report:
        barrier.wait(timeout=60)
        return apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=size))

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(work, (3, 7)))
    assert reports[0].outcomes == reports[1].outcomes
    assert reports[0].counts[Outcome.APPLIED] == 199
    assert sorted(entry.account_id for entry in store.transactions(plan.id)) == sorted(
        f"a{number}" for number in range(1, 201) if number != 100
    )
    assert set(_balances(store)) == {14, 0, _RICHEST}


class _RacingStore(MemoryStore):
    """Another worker applies the whole plan just before the first failures are recorded."""

    rival: Callable[[], object] | None = None

    def record(self, plan: Plan, outcomes: Sequence[AccountOutcome]) -> list[AccountOutcome]:
        failed = any(outcome.outcome is Outcome.FAILED for outcome in outcomes)
        if self.rival is not None and failed:
            rival, self.rival = self.rival, None
            rival()
        return super().record(plan, outcomes)


@pytest.mark.parametrize("policy", [_TOGETHER, ApplyPolicy()], ids=["all or nothing", "continue"])
def test_a_worker_reports_what_is_recorded(policy: ApplyPolicy) -> None:
    """If another worker applied an account that this one found failing, the report says what the journal says."""
    store = _RacingStore(_impossible(1) + _accounts(2))
    plan = _plan(store)

    def overtake() -> None:
        store.put(*_accounts(1, kind=AccountKind.CREDIT, balance=0))
        apply_plan(plan, store, now=NOW)

    store.rival = overtake
    report = apply_plan(plan, store, now=NOW, policy=policy)
    assert {outcome.account_id: outcome for outcome in report.outcomes} == store.outcomes(plan.id)


# Cancellation and progress.


def test_the_caller_may_stop_between_chunks() -> None:
    """should_stop is asked before every chunk; what was done stays done, the rest is not attempted."""
    store = MemoryStore(_accounts(*range(1, 6)))
    plan = _plan(store)
    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=2), should_stop=_stop_after(1))
    assert (_names(report), report.stopped) == ("AANNN", "the caller said stop")
    assert _balances(store) == [14, 14, 15, 15, 15]
    assert not report.all_applied


def test_a_caller_who_stops_at_once_changes_nothing() -> None:
    """should_stop is asked before the first chunk too, also when everything goes in one transaction."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    for policy in (ApplyPolicy(), _TOGETHER):
        assert _names(apply_plan(plan, store, now=NOW, policy=policy, should_stop=lambda: True)) == "NN"
    assert store.outcomes(plan.id) == {}


def test_what_was_stopped_is_continued() -> None:
    """Applying again attempts what was not attempted, and nothing else."""
    store = _WatchedStore(_accounts(*range(1, 6)))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=2), should_stop=_stop_after(1))
    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=2))
    assert [numbers for numbers, _ in store.applied] == [[1, 2], [3, 4], [5]]
    assert (_names(report), report.stopped) == ("AAAAA", None)


def test_a_caller_who_stops_after_the_last_chunk_stops_nothing() -> None:
    """When everything was attempted there is nothing left to stop, and nobody asks."""
    store = MemoryStore(_accounts(1, 2))
    report = apply_plan(_plan(store), store, now=NOW, policy=_ONE_BY_ONE, should_stop=_stop_after(2))
    assert (_names(report), report.stopped) == ("AA", None)


def test_progress_is_told_after_every_chunk() -> None:
    """on_progress hears how many of the changing accounts are done: refused and unchanged ones are not counted."""
    store = MemoryStore(_accounts(*range(1, 6)) + _accounts(6, state=AccountState.CLOSED))
    told: list[tuple[int, int]] = []
    apply_plan(
        _plan(store),
        store,
        now=NOW,
        policy=ApplyPolicy(chunk_size=2),
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_progress_goes_on_where_it_was() -> None:
    """A continued run counts what was done before; one with nothing left has no progress."""
    store = MemoryStore(_accounts(1, 2, 3))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE, should_stop=_stop_after(1))
    told: list[tuple[int, int]] = []
    for _ in range(2):
        apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE, on_progress=lambda *progress: told.append(progress))
    assert told == [(2, 3), (3, 3)]


def test_progress_that_breaks_leaves_a_plan_that_can_be_continued() -> None:
    """An error of the caller's own progress ends the run after a chunk that is kept."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)

    def broken(_done: int, _total: int) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # The test's own.
        apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE, on_progress=broken)
    assert _balances(store) == [14, 15]
    assert _names(apply_plan(plan, store, now=NOW)) == "AA"


# Policy.


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chunk_size", 0),
        ("chunk_size", -1),
        ("chunk_size", True),
        ("chunk_size", 2.0),
        ("chunk_size", None),
        ("stop_after", 0),
        ("stop_after", True),
        ("stop_after", "1"),
        ("stop_after_percent", -0.1),
        ("stop_after_percent", 100.1),
        ("stop_after_percent", float("nan")),
        ("stop_after_percent", True),
        ("stop_after_percent", "5"),
        ("canary", -1),
        ("canary", True),
        ("canary", None),
        ("all_or_nothing", 1),
        ("all_or_nothing", None),
        ("over_credit_limit", "no"),
    ],
)
def test_a_policy_that_makes_no_sense_cannot_be_made(field: str, value: object) -> None:
    """A policy refuses wrong types and ranges, and names the field."""
    settings: dict[str, Any] = {field: value}
    with pytest.raises(InvalidValueError, match=rf"policy\.{field}: "):
        ApplyPolicy(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"chunk_size": 1, "stop_after": 1, "canary": 0},
        {"stop_after_percent": 0},
        {"stop_after_percent": 100.0, "all_or_nothing": True, "over_credit_limit": True},
    ],
    ids=str,
)
def test_a_policy_that_makes_sense_is_a_value(settings: dict[str, Any]) -> None:
    """Equal policies are equal values."""
    assert ApplyPolicy(**settings) == ApplyPolicy(**settings)
    assert hash(ApplyPolicy(**settings)) == hash(ApplyPolicy(**settings))


def test_by_default_only_the_storage_stops() -> None:
    """Without a policy, any number of stale and failed accounts is gone through to the end."""
    store = MemoryStore(_accounts(*range(1, 10)) + _impossible(10))
    plan = _plan(store)
    _spoil(store, *range(1, 9))
    report = apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE)
    assert (_names(report), report.stopped) == ("SSSSSSSSAF", None)
    assert ApplyPolicy() == ApplyPolicy(
        all_or_nothing=False,
        chunk_size=10_000,
        stop_after=None,
        stop_after_percent=None,
        canary=0,
        over_credit_limit=False,
    )


@pytest.mark.parametrize(
    ("size", "chunks"), [(1, [[1], [2], [3]]), (2, [[1, 2], [3]]), (3, [[1, 2, 3]]), (4, [[1, 2, 3]])]
)
def test_each_chunk_is_one_transaction(size: int, chunks: list[list[int]]) -> None:
    """A transaction changes at most chunk_size accounts."""
    store = _WatchedStore(_accounts(1, 2, 3))
    apply_plan(_plan(store), store, now=NOW, policy=ApplyPolicy(chunk_size=size))
    assert store.applied == [(chunk, Commit.ALWAYS) for chunk in chunks]


@pytest.mark.parametrize(
    ("stop_after", "names"),
    [(1, "ASNNNN"), (2, "ASAFNN"), (3, "ASAFSN"), (4, "ASAFSA")],
)
def test_stop_after_counts_stale_and_failed_accounts(stop_after: int, names: str) -> None:
    """Once so many accounts are stale or failed, the rest is not attempted."""
    store = MemoryStore(_accounts(1, 2, 3, 5, 6) + _impossible(4))
    plan = _plan(store)
    _spoil(store, 2, 5)
    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=1, stop_after=stop_after))
    assert _names(report) == names
    assert bool(report.stopped) is ("N" in names)
    assert report.stopped is None or f"stop_after: {stop_after} accounts" in report.stopped


@pytest.mark.parametrize(
    ("percent", "names"),
    [(0, "AAASNNNN"), (25, "AAASNNNN"), (25.2, "AAASASNN"), (40, "AAASASAS"), (100, "AAASASAS")],
)
def test_stop_after_percent_is_of_the_attempted(percent: float, names: str) -> None:
    """The share of stale and failed accounts is that of the accounts that were attempted by then."""
    store = MemoryStore(_accounts(*range(1, 9)))
    plan = _plan(store)
    _spoil(store, 4, 6, 8)
    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=2, stop_after_percent=percent))
    assert _names(report) == names
    assert bool(report.stopped) is ("N" in names)


def test_a_percentage_of_nothing_bad_does_not_stop() -> None:
    """Zero percent means not a single one, and not that nothing may begin."""
    store = MemoryStore(_accounts(1, 2, 3))
    policy = ApplyPolicy(chunk_size=1, stop_after_percent=0)
    assert _names(apply_plan(_plan(store), store, now=NOW, policy=policy)) == "AAA"


def test_refusals_of_the_plan_stop_nothing() -> None:
    """Accounts that were refused at planning count for no threshold."""
    store = MemoryStore(_accounts(1, 2, 3, state=AccountState.CLOSED) + _accounts(4, 5))
    policy = ApplyPolicy(chunk_size=1, stop_after=1, stop_after_percent=0, canary=1, all_or_nothing=True)
    report = apply_plan(_plan(store), store, now=NOW, policy=policy)
    assert (_names(report), report.stopped) == ("RRRAA", None)


@pytest.mark.parametrize(
    "policy",
    [
        ApplyPolicy(chunk_size=1, stop_after=1),
        ApplyPolicy(chunk_size=1, stop_after_percent=50),
        ApplyPolicy(chunk_size=1, canary=2),
        _TOGETHER,
    ],
    ids=["stop_after", "stop_after_percent", "canary", "all_or_nothing"],
)
def test_a_policy_looks_at_all_runs(policy: ApplyPolicy) -> None:
    """Retrying with the same policy does not walk through a threshold; a policy that allows more continues."""
    store = MemoryStore(_accounts(1, 2, 3))
    plan = _plan(store)
    _spoil(store, 1)
    first = apply_plan(plan, store, now=NOW, policy=policy)
    again = apply_plan(plan, store, now=NOW, policy=policy)
    assert _names(first) == _names(again) == "SNN"
    assert again.stopped == first.stopped is not None
    assert _names(apply_plan(plan, store, now=NOW)) == "SAA"


def test_the_canary_is_tried_first() -> None:
    """The first changing accounts are a transaction of their own, before the rest."""
    store = _WatchedStore(_accounts(1, state=AccountState.CLOSED) + _accounts(2, 3, 4, 5, 6))
    report = apply_plan(_plan(store), store, now=NOW, policy=ApplyPolicy(canary=2, chunk_size=10))
    assert [numbers for numbers, _ in store.applied] == [[2, 3], [4, 5, 6]]
    assert (_names(report), report.stopped) == ("RAAAAA", None)


def test_a_canary_that_is_not_applied_stops() -> None:
    """One stale or failed account among the first is enough to leave all others alone."""
    for bad in (_accounts(2, balance=0), _impossible(2)):
        store = MemoryStore(_accounts(1, 3, 4) + (_accounts(2) if bad[0].balance == 0 else bad))
        plan = _plan(store)
        store.put(*bad)
        report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(canary=2))
        assert _names(report)[2:] == "NN"
        assert report.stopped == "canary: 1 of the first 2 accounts are stale or failed"


def test_after_the_canary_nothing_stops_any_more() -> None:
    """A stale account that is not among the first does not concern the canary."""
    store = MemoryStore(_accounts(1, 2, 3, 4))
    plan = _plan(store)
    _spoil(store, 3)
    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(canary=2, chunk_size=1))
    assert (_names(report), report.stopped) == ("AASA", None)


def test_a_great_canary_goes_in_chunks() -> None:
    """A canary of more accounts than a chunk takes several transactions, and more than all is all."""
    store = _WatchedStore(_accounts(1, 2, 3, 4, 5))
    apply_plan(_plan(store), store, now=NOW, policy=ApplyPolicy(canary=3, chunk_size=2))
    assert [numbers for numbers, _ in store.applied] == [[1, 2], [3], [4, 5]]
    store = _WatchedStore(_accounts(1, 2))
    assert _names(apply_plan(_plan(store), store, now=NOW, policy=ApplyPolicy(canary=100))) == "AA"
    assert [numbers for numbers, _ in store.applied] == [[1, 2]]


def test_a_canary_is_continued() -> None:
    """A run that was stopped within the canary finishes the canary first, by itself."""
    store = _WatchedStore(_accounts(1, 2, 3, 4, 5))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW, policy=ApplyPolicy(canary=3, chunk_size=1), should_stop=_stop_after(1))
    apply_plan(plan, store, now=NOW, policy=ApplyPolicy(canary=3))
    assert [numbers for numbers, _ in store.applied] == [[1], [2, 3], [4, 5]]


# All or nothing.


def test_all_or_nothing_is_one_transaction() -> None:
    """Whatever the chunk size and the canary, everything goes together, and is applied if all is well."""
    store = _WatchedStore(_accounts(1, 2, 3))
    told: list[tuple[int, int]] = []
    report = apply_plan(
        _plan(store),
        store,
        now=NOW,
        policy=ApplyPolicy(all_or_nothing=True, chunk_size=1, canary=1),
        on_progress=lambda *progress: told.append(progress),
    )
    assert store.applied == [([1, 2, 3], Commit.IF_ALL_APPLIED)]
    assert (_names(report), report.stopped, told) == ("AAA", None, [(3, 3)])


@pytest.mark.parametrize(
    ("spoiled", "impossible", "names"),
    [
        ((2,), (), "NSNN"),
        ((1, 4), (), "SNNS"),
        ((), (3,), "NNFN"),
        ((), (1, 2), "FFNN"),
        ((2,), (3,), "NSFN"),
        ((1, 2), (3, 4), "SSFF"),
    ],
    ids=str,
)
def test_all_or_nothing_keeps_nothing_and_names_the_culprits(
    spoiled: tuple[int, ...], impossible: tuple[int, ...], names: str
) -> None:
    """Any stale or failing account rolls everything back: the culprits are recorded, the rest is not attempted."""
    store = MemoryStore(_accounts(*{1, 2, 3, 4}.difference(impossible)) + _impossible(*impossible))
    plan = _plan(store)
    _spoil(store, *spoiled)
    before = store.find(_EVERYBODY)
    report = apply_plan(plan, store, now=NOW, policy=_TOGETHER)
    assert _names(report) == names
    culprits = 4 - names.count("N")
    assert report.stopped == (f"all or nothing: {culprits} accounts are stale or failed" if culprits < 4 else None)
    assert (store.find(_EVERYBODY), store.transactions(plan.id)) == (before, [])
    assert set(store.outcomes(plan.id)) == {f"a{number}" for number in (*spoiled, *impossible)}
    assert all(outcome.reasons for outcome in store.outcomes(plan.id).values())


def test_whoever_looked_at_the_culprits_may_continue() -> None:
    """A later run that does not want all or nothing applies the rest, and leaves the culprits as they were recorded."""
    store = MemoryStore(_accounts(1, 3, 4) + _impossible(2))
    plan = _plan(store)
    _spoil(store, 3)
    apply_plan(plan, store, now=NOW, policy=_TOGETHER)
    store.put(*_accounts(3))
    report = apply_plan(plan, store, now=NOW)
    assert (_names(report), report.stopped) == ("AFSA", None)
    assert len(store.transactions(plan.id)) == 2


def test_all_or_nothing_takes_what_is_left() -> None:
    """After a run that was stopped, the rest goes in one transaction."""
    store = _WatchedStore(_accounts(1, 2, 3))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE, should_stop=_stop_after(1))
    report = apply_plan(plan, store, now=NOW, policy=_TOGETHER)
    assert store.applied == [([1], Commit.ALWAYS), ([2, 3], Commit.IF_ALL_APPLIED)]
    assert _names(report) == "AAA"


def test_a_rejection_that_nobody_caused_may_be_tried_again() -> None:
    """If the storage rejects the transaction, but no account of it, nothing is recorded and the caller is told."""
    store = _UnreliableStore(_accounts(1, 2), breaks_at=1, how="rejected")
    plan = _plan(store)
    with pytest.raises(ChangeRejectedError, match="a deadlock"):
        apply_plan(plan, store, now=NOW, policy=_TOGETHER)
    assert (store.outcomes(plan.id), _balances(store)) == ({}, [15, 15])
    assert _names(apply_plan(plan, store, now=NOW, policy=_TOGETHER)) == "AA"


def test_a_rejection_that_nobody_caused_fails_nobody() -> None:
    """A chunk that is rejected once, and whose halves are fine, is applied."""
    store = _UnreliableStore(_accounts(1, 2, 3), breaks_at=1, how="rejected")
    assert _names(apply_plan(_plan(store), store, now=NOW)) == "AAA"


# Guards.


def test_a_plan_is_applied_to_the_store_that_it_was_made_on() -> None:
    """On another store it is a PlanError that names both, also if the accounts look the same."""
    store, other = MemoryStore(_accounts(1)), MemoryStore(_accounts(1))
    plan = _plan(store)
    for again in (plan, Plan.from_json(plan.to_json())):
        with pytest.raises(PlanError, match=f"{store.identity}, and cannot be applied to {other.identity}"):
            apply_plan(again, other, now=NOW)
    assert other.find(_EVERYBODY) == _accounts(1)


def test_a_finished_plan_is_still_that_of_its_store() -> None:
    """Also where nothing is left to do, another store is a mistake."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW)
    with pytest.raises(PlanError):
        apply_plan(plan, MemoryStore(_accounts(1)), now=NOW)


@pytest.mark.parametrize("wrong", [{"plan": "the plan"}, {"policy": None}, {"policy": {"canary": 5}}], ids=str)
def test_wrong_types_are_refused_before_anything_is_done(wrong: dict[str, Any]) -> None:
    """What is no plan or no policy is an error of ours, and not a crash halfway."""
    store = MemoryStore(_accounts(1))
    given: dict[str, Any] = {"plan": _plan(store), "store": store, "now": NOW}
    with pytest.raises((PlanError, InvalidValueError), match=r"is no Plan|is no ApplyPolicy"):
        apply_plan(**given | wrong)
    assert _balances(store) == [15]


def test_now_needs_a_zone() -> None:
    """Without a zone nobody knows whether the plan is still valid."""
    store = MemoryStore(_accounts(1))
    with pytest.raises(InvalidValueError, match=r"now: .* has no time zone"):
        apply_plan(_plan(store), store, now=datetime(2026, 11, 23, 12))  # noqa: DTZ001
    assert _balances(store) == [15]


def test_from_valid_until_on_one_has_to_plan_again() -> None:
    """At the very instant, in whatever zone now is given, nothing is applied any more."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    end = NOW + timedelta(hours=24)
    for now in (end, end.astimezone(timezone(timedelta(hours=13))), end + timedelta(days=9)):
        with pytest.raises(PlanExpiredError, match=r"was valid until 2026-11-24 12:00 UTC: plan again"):
            apply_plan(plan, store, now=now)
    assert (_balances(store), store.outcomes(plan.id)) == ([15], {})


def test_until_valid_until_a_plan_can_be_applied() -> None:
    """A microsecond before the instant all is well."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    assert _names(apply_plan(plan, store, now=NOW + timedelta(hours=24, microseconds=-1))) == "A"


def test_a_plan_without_end_can_be_applied_for_ever() -> None:
    """Where valid_until is None, no instant is too late."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store, UpdateSpec(ivr_language="en"))
    assert _names(apply_plan(plan, store, now=NOW + timedelta(days=36500))) == "A"


def test_what_is_half_done_cannot_be_finished_too_late() -> None:
    """A stopped run is continued before valid_until, or not at all."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store)
    apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE, should_stop=_stop_after(1))
    with pytest.raises(PlanExpiredError):
        apply_plan(plan, store, now=NOW + timedelta(days=2))
    assert _balances(store) == [14, 15]


@pytest.mark.parametrize("spec", [_FEE, _TERMINATE], ids=["a charge", "a termination"])
def test_where_nothing_is_left_no_guard_asks(spec: UpdateSpec) -> None:
    """The outcomes of a plan that was applied can be looked at for ever, and without saying numbers back."""
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(store, spec)
    first = apply_plan(plan, store, now=NOW, terminate=2 if spec is _TERMINATE else None)
    assert apply_plan(plan, store, now=NOW + timedelta(days=400)) == first


def test_a_plan_that_changes_nothing_is_never_too_late() -> None:
    """Where no account changes, there is nothing to guard."""
    store = MemoryStore(_accounts(1, state=AccountState.CLOSED))
    plan = _plan(store, _TERMINATE)
    assert plan.valid_until is not None
    assert _names(apply_plan(plan, store, now=NOW + timedelta(days=400))) == "R"


@pytest.mark.parametrize("terminate", [None, 0, 1, 3, 4, -2])
def test_a_termination_needs_its_number_said_back(terminate: int | None) -> None:
    """Any number but that of the accounts that end is a GuardError that says the right one, and nothing is touched."""
    store = MemoryStore(_accounts(1, 2) + _accounts(3, state=AccountState.CLOSED))
    plan = _plan(store, _TERMINATE)
    said = "the number was not said back" if terminate is None else f"{terminate} was said back"
    with pytest.raises(GuardError, match=f"terminate: the plan terminates 2 accounts, and {said}"):
        apply_plan(plan, store, now=NOW, terminate=terminate)
    assert store.outcomes(plan.id) == {}


def test_a_termination_whose_number_is_said_back_is_final() -> None:
    """Refused accounts are not counted, and the others are closed."""
    store = MemoryStore(_accounts(1, 2) + _accounts(3, state=AccountState.CLOSED))
    plan = _plan(store, _TERMINATE)
    assert _names(apply_plan(plan, store, now=NOW, terminate=2)) == "AAR"
    assert {found.state for found in store.find(_EVERYBODY)} == {AccountState.CLOSED}


def test_yes_is_no_number() -> None:
    """True is equal to 1 for Python, but whoever passes it has not said the number back."""
    store = MemoryStore(_accounts(1))
    with pytest.raises(GuardError):
        apply_plan(_plan(store, _TERMINATE), store, now=NOW, terminate=True)


def test_a_continued_termination_needs_the_same_number() -> None:
    """What is said back is the number of the plan, however many of them are done already."""
    store = MemoryStore(_accounts(1, 2, 3))
    plan = _plan(store, _TERMINATE)
    apply_plan(plan, store, now=NOW, policy=_ONE_BY_ONE, terminate=3, should_stop=_stop_after(1))
    with pytest.raises(GuardError):
        apply_plan(plan, store, now=NOW, terminate=2)
    assert _names(apply_plan(plan, store, now=NOW, terminate=3)) == "AAA"


def test_a_plan_that_terminates_nobody_is_not_taken_for_one_that_does() -> None:
    """Saying a number back to a plan without terminations is a mistake; zero is the truth."""
    store = MemoryStore(_accounts(1))
    plan = _plan(store)
    with pytest.raises(GuardError, match="terminates 0 accounts, and 1 was said back"):
        apply_plan(plan, store, now=NOW, terminate=1)
    assert _names(apply_plan(plan, store, now=NOW, terminate=0)) == "A"


def test_a_distributor_over_its_limit_stops_unless_the_policy_allows_it() -> None:
    """Beyond the credit limit nothing is applied, until the policy says that it may be."""
    limited = [attrs.evolve(each, credit_limit=Decimal(20)) for each in CATALOG.distributors if each.currency == "USD"]
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(
        store,
        UpdateSpec(distributor=AssignDistributor("north")),
        catalog=attrs.evolve(CATALOG, distributors=limited),
    )
    with pytest.raises(GuardError, match="over_credit_limit: north would owe more"):
        apply_plan(plan, store, now=NOW)
    assert store.outcomes(plan.id) == {}
    assert _names(apply_plan(plan, store, now=NOW, policy=ApplyPolicy(over_credit_limit=True))) == "AA"


def test_a_distributor_within_its_limit_stops_nothing() -> None:
    """Up to the limit no policy is needed."""
    limited = [attrs.evolve(each, credit_limit=Decimal("25.5")) for each in CATALOG.distributors if each.id == "north"]
    store = MemoryStore(_accounts(1, 2))
    plan = _plan(
        store,
        UpdateSpec(distributor=AssignDistributor("north")),
        catalog=attrs.evolve(CATALOG, distributors=limited),
    )
    assert _names(apply_plan(plan, store, now=NOW)) == "AA"
