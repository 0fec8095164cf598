"""Several at once: processes that apply, and somebody else who writes to the same accounts meanwhile."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from typing import Any

import attrs
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.event import listen, remove
from sqlalchemy.exc import OperationalError

from account_batch import AccountFilter, ApplyPolicy, Outcome, ReplaceAddons, UpdateSpec, apply_plan, plan_update
from account_batch.errors import StoreError
from account_batch.store import Commit
from account_batch.stores.sql import SqlStore
from databases import engine
from faults import workers
from faults.crowd import BATCH, FEE, FUNDS, campaign, check_campaigns, crowd, numbers
from faults.workers import start
from sameness import EVERYBODY
from world import CATALOG, NOW, account

_SIZE = 1000
_TAKE_ADDONS = """
    DELETE FROM account_addons
    WHERE account IN (SELECT a.key FROM accounts AS a WHERE a.control_number IN (153, 555, 1000))
"""
_WAIT_A_MOMENT = {"sqlite": "PRAGMA busy_timeout = 1", "mariadb": "SET innodb_lock_wait_timeout = 1"}


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    """A store of a crowd."""
    with closing(SqlStore(database_url)) as made:
        made.create()
        made.add(crowd(_SIZE))
        yield made


def _plan_id(store: SqlStore, where: AccountFilter = BATCH, reference: str | None = None) -> str:
    return plan_update(store, where, campaign(1, reference), catalog=CATALOG, now=NOW).id


def _at_once(url: str, *jobs: tuple[str, ApplyPolicy]) -> list[Any]:
    """What several processes come to that begin to apply plans at the same moment."""
    with ExitStack() as stack:
        running = [stack.enter_context(start(workers.apply, url, *job)) for job in jobs]
        for worker in running:
            worker.go()
        return [worker.result() for worker in running]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ApplyPolicy(chunk_size=37), ApplyPolicy(chunk_size=50)),
        (ApplyPolicy(chunk_size=50), ApplyPolicy(chunk_size=50, canary=20)),
        (ApplyPolicy(all_or_nothing=True), ApplyPolicy(all_or_nothing=True)),
        (ApplyPolicy(all_or_nothing=True), ApplyPolicy(chunk_size=100)),
    ],
    ids=["chunks", "canary", "together", "mixed"],
)
def test_two_workers_apply_a_plan_once(
    store: SqlStore, database_url: str, first: ApplyPolicy, second: ApplyPolicy
) -> None:
    """Two processes that apply the same plan change and charge every account once, and both report it all."""
    plan_id = _plan_id(store)
    for counts in _at_once(database_url, (plan_id, first), (plan_id, second)):
        assert {outcome: count for outcome, count in counts.items() if count} == {Outcome.APPLIED: _SIZE}
    check_campaigns(store, [plan_id], _SIZE)


def test_two_plans_with_one_reference_move_money_once(store: SqlStore, database_url: str) -> None:
    """Where two plans that charge with the same reference overlap, each account is applied by one, stale in the other.

    The second one goes through its accounts the other way round as far as their control numbers say.
    """
    wheres = [attrs.evolve(BATCH, control_numbers=numbers) for numbers in ("1-700", "301-1000")]
    plan_ids = [_plan_id(store, where, "fee") for where in wheres]
    counts = _at_once(database_url, *((plan_id, ApplyPolicy(chunk_size=20)) for plan_id in plan_ids))
    assert sum(one[Outcome.APPLIED] for one in counts) == _SIZE
    assert sum(one[Outcome.STALE] for one in counts) == 400
    entries = Counter(entry.account_id for plan_id in plan_ids for entry in store.transactions(plan_id))
    assert entries == {one.id: 1 for one in crowd(_SIZE)}
    assert {one.balance for one in store.find(EVERYBODY)} == {FUNDS - FEE}
    assert len(set(store.charged("fee"))) == _SIZE


def test_plans_over_the_same_accounts_both_take_effect(store: SqlStore, database_url: str) -> None:
    """Two plans that charge without a reference charge every account twice in all, whoever comes first."""
    spec = attrs.evolve(campaign(1), associated_number="2", addons=campaign(2).addons)
    first, second = (
        plan_update(store, BATCH, attrs.evolve(campaign(1), **only), catalog=CATALOG, now=NOW).id
        for only in ({"associated_number": "7"}, {"associated_number": "7", "addons": spec.addons})
    )
    counts = _at_once(database_url, (first, ApplyPolicy(chunk_size=30)), (second, ApplyPolicy(chunk_size=45)))
    applied = [one[Outcome.APPLIED] for one in counts]
    entries = [len(list(store.transactions(plan_id))) for plan_id in (first, second)]
    assert entries == applied
    assert sum(applied) + sum(one[Outcome.STALE] for one in counts) == 2 * _SIZE
    total = sum((one.balance for one in store.find(EVERYBODY)), Decimal(0))
    assert total == _SIZE * FUNDS - sum(applied) * FEE


def test_what_changes_between_chunks_is_stale(store: SqlStore, database_url: str) -> None:
    """A writer who changes a fact of accounts that are not done yet makes exactly those stale, and keeps his values."""
    plan = plan_update(store, BATCH, campaign(1), catalog=CATALOG, now=NOW)
    steps = iter(
        [
            "UPDATE accounts SET associated_number = 'theirs' WHERE control_number IN (50, 150, 550)",
            "UPDATE accounts SET state = 'closed' WHERE control_number IN (151, 250, 551)",
            "UPDATE accounts SET batch = 'TENTH' WHERE control_number IN (152, 552, 999)",
            _TAKE_ADDONS,
        ]
    )

    def interfere(_done: int, _total: int) -> None:
        if statement := next(steps, None):
            with engine(database_url) as other, other.begin() as connection:
                connection.execute(text(statement))

    report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=100), on_progress=interfere)
    # 1000 had no add-ons that could be taken away: the crowd has some where the number is divisible by three.
    assert numbers(report, Outcome.STALE) == {150, 550, 250, 551, 552, 999, 555}
    assert numbers(report, Outcome.APPLIED) == set(range(1, _SIZE + 1)) - numbers(report, Outcome.STALE)
    found = {one.control_number: one for one in store.find(EVERYBODY)}
    assert {found[number].associated_number for number in (50, 150, 550)} == {"theirs"}
    assert {found[number].state.value for number in (151, 250, 551)} == {"closed"}
    assert {found[number].batch for number in (152, 552, 999)} == {"TENTH"}
    assert found[555].addons == set()
    for number in (150, 550, 250, 551, 552, 999, 555):
        assert found[number].balance == FUNDS
    assert found[50].balance == FUNDS - FEE


def test_a_writer_is_never_overwritten(store: SqlStore, database_url: str) -> None:
    """A process that sets the very field that a plan sets, in any order, meanwhile, finds all its values in the end."""
    plan = plan_update(store, BATCH, campaign(1), catalog=CATALOG, now=NOW)
    theirs = random.sample(range(1, _SIZE + 1), 300)
    statement = "UPDATE accounts SET associated_number = 'theirs' WHERE control_number = :number"
    statements = [(statement, {"number": number}) for number in theirs]
    with start(workers.write, database_url, statements, once=True) as writer:
        writer.go()
        report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=10))
        assert writer.result() == 1
    stale, applied = numbers(report, Outcome.STALE), numbers(report, Outcome.APPLIED)
    assert (stale | applied, len(stale) + len(applied)) == (set(range(1, _SIZE + 1)), _SIZE)
    assert stale <= set(theirs)
    booked = {entry.account_id for entry in store.transactions(plan.id)}
    for one in store.find(EVERYBODY):
        assert one.associated_number == ("theirs" if one.control_number in theirs else "1")
        assert one.balance == (FUNDS if one.control_number in stale else FUNDS - FEE)
        assert (one.id in booked) is (one.control_number in applied)


def test_calls_and_other_fields_spoil_nothing_and_are_not_lost(store: SqlStore, database_url: str) -> None:
    """A process that moves balances and changes fields that the plan does not look at makes nobody stale.

    All that it moved is there in the end, and the journal tells the balances as they truly were.
    """
    plan = plan_update(store, BATCH, campaign(1), catalog=CATALOG, now=NOW)
    cent = 1000 if make_url(database_url).get_backend_name() == "sqlite" else FEE
    call = "UPDATE accounts SET balance = balance - :cent WHERE control_number BETWEEN :n AND :n + 49"
    statements: list[tuple[str, dict[str, object]]] = [
        (call, {"cent": cent, "n": number}) for number in range(1, _SIZE, 50)
    ]
    statements.append(("UPDATE accounts SET registered = NOT registered WHERE control_number < 500", {}))
    with start(workers.write, database_url, statements, once=False) as writer:
        writer.go()
        report = apply_plan(plan, store, now=NOW, policy=ApplyPolicy(chunk_size=30))
        writer.go()
        rounds = writer.result()
    assert report.counts[Outcome.APPLIED] == _SIZE
    found = {one.id: one for one in store.find(EVERYBODY)}
    assert {one.balance for one in found.values()} == {FUNDS - FEE - rounds * FEE}
    assert {one.registered for one in found.values() if (one.control_number or 0) < 500} == {bool(rounds % 2)}
    for item in report.outcomes:
        assert item.balance is not None
        before, after = item.balance.before, item.balance.after
        assert isinstance(before, Decimal)
        assert isinstance(after, Decimal)
        assert before - after == FEE
        assert FUNDS - rounds * FEE <= before <= FUNDS


def test_a_part_that_is_done_while_it_is_halved(server_url: str) -> None:
    """Between counting it and cutting it: nothing of it is left, and nothing is done twice."""
    with engine(server_url) as ours, closing(SqlStore(server_url)) as other:
        store = SqlStore(ours).create()
        store.add(crowd(5))
        plan = plan_update(store, BATCH, campaign(1), catalog=CATALOG, now=NOW)
        stops = iter([False, True])
        apply_plan(plan, store, now=NOW, policy=ApplyPolicy(canary=1), should_stop=lambda: next(stops))
        work = store.work(plan, 0)
        part = next(iter(work.parts(10)))
        assert part.count == 4
        applied: list[int] = []

        def interfere(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
            if not applied and "ORDER BY" in statement:
                canaries = ApplyPolicy(canary=5)
                applied.append(apply_plan(plan, other, now=NOW, policy=canaries).counts[Outcome.APPLIED])

        listen(ours, "before_cursor_execute", interfere)
        assert work.halves(part) == (part,)
        assert applied == [5]
        (rest,) = work.halves(part)
        assert work.apply(rest, now=NOW, commit=Commit.ALWAYS) == ()
        check_campaigns(store, [plan.id], 5)


def test_accounts_that_never_keep_still_are_not_planned(server_url: str) -> None:
    """Where each time they are frozen they have a value that nobody saw before, planning gives up and says why."""
    turns = itertools.count()
    with engine(server_url) as ours, engine(server_url) as theirs:
        store = SqlStore(ours).create()
        store.add(crowd(3))

        def interfere(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO account_batch_target"):
                with theirs.begin() as connection:
                    connection.execute(text("UPDATE accounts SET product = :name"), {"name": f"p{next(turns)}"})

        listen(ours, "before_cursor_execute", interfere)
        with pytest.raises(StoreError, match="change faster than they can be planned; try again when it is quieter"):
            plan_update(store, BATCH, UpdateSpec(product="gold"), catalog=CATALOG, now=NOW)
        remove(ours, "before_cursor_execute", interfere)
        assert store.plans() == []
        assert len(plan_update(store, BATCH, UpdateSpec(product="gold"), catalog=CATALOG, now=NOW).changes) == 3


@pytest.mark.parametrize(
    ("statement", "then", "waits"),
    [
        ("DELETE FROM account_addons WHERE addon = 'voicemail'", set(), {"sqlite", "mariadb"}),
        (
            "INSERT INTO account_addons SELECT a.key, 'Voicemail' FROM accounts AS a",
            {"voicemail", "Voicemail"},
            {"sqlite"},
        ),
    ],
    ids=["taken", "given"],
)
def test_addons_written_between_comparing_and_writing_stay(
    store: SqlStore, database_url: str, statement: str, then: set[str], waits: set[str]
) -> None:
    """Who gives or takes add-ons without locking the account, at the worst moment, comes after the plan, or waits."""
    had = {'it\'s, "so"', "PREMIUM", "premium ", "ёж😀", "voicemail"}
    store.add([account(id=f"o{n}", control_number=2000 + n, batch="TENTH", addons=had) for n in range(2)])
    tenth = AccountFilter(batch="TENTH")
    plan = plan_update(store, tenth, UpdateSpec(addons=ReplaceAddons({"voicemail"})), catalog=CATALOG, now=NOW)
    refused: list[bool] = []

    def interfere(_connection: Any, _cursor: Any, ours: str, *_: object) -> None:
        if not refused and ours.startswith("DELETE"):
            with engine(database_url) as other, other.connect() as connection:
                if limit := _WAIT_A_MOMENT.get(other.dialect.name):
                    connection.execute(text(limit))
                try:
                    connection.execute(text(statement))
                    connection.commit()
                    refused.append(False)
                except OperationalError:
                    refused.append(True)

    with engine(database_url) as ours, closing(SqlStore(ours)) as interrupted:
        listen(ours, "before_cursor_execute", interfere)
        assert apply_plan(plan, interrupted, now=NOW).counts[Outcome.APPLIED] == 2
    late = ours.dialect.name in waits
    assert refused == [late]
    assert {one.addons for one in store.find(tenth)} == {frozenset({"voicemail"} if late else then)}
