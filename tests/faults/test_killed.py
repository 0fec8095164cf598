"""A process that plans or applies may be killed at any moment: whoever continues finds nothing lost, nothing twice."""

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from account_batch import ApplyPolicy, Outcome, apply_plan
from account_batch.stores.sql import SqlStore
from faults import workers
from faults.crowd import BATCH, campaign, check_accounts, check_campaigns, check_ledger, crowd
from faults.workers import PATIENCE, start
from world import NOW

_KILLS = int(os.environ.get("ACCOUNT_BATCH_FAULTS", "20"))
_SIZE = 2000
_POLICY = ApplyPolicy(chunk_size=100)


class _Killer:
    """Lets processes work until a random moment.

    Args:
        url: Of the database that they work on.
        chance: Where moments come from.
    """

    def __init__(self, url: str, chance: random.Random) -> None:
        self._url = url
        self._chance = chance
        self.kills = 0
        self._seconds: dict[str, float] = {}

    def plan(self, turn: int) -> str:
        """Plan a campaign, again until nobody is killed while planning; the id of that plan."""
        plan_id: str = self._at_last("plan", workers.plan, BATCH, campaign(turn))
        return plan_id

    def apply(self, plan_id: str) -> None:
        """Apply a plan, and continue until nobody is killed while applying."""
        self._at_last("apply", workers.apply, plan_id, _POLICY)

    def _at_last(self, what: str, job: Callable[..., object], *arguments: object) -> Any:
        """What comes of a job that is killed again and again, later and later.

        The first one of each sort is not killed: it shows how long they take.
        """
        for longer in itertools.count(2):
            longest = self._seconds.get(what)
            with start(job, self._url, *arguments) as worker:
                began = time.perf_counter()
                worker.go()
                result = worker.result_within(self._chance.uniform(0, longest * longer / 2) if longest else PATIENCE)
            if result is not None:
                self._seconds.setdefault(what, time.perf_counter() - began)
                return result
            self.kills += 1
        raise AssertionError


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    """A store of a crowd."""
    with closing(SqlStore(database_url)) as made:
        made.create()
        made.add(crowd(_SIZE))
        yield made


def test_whoever_is_killed_loses_nothing_and_repeats_nothing(store: SqlStore, database_url: str) -> None:
    """Killed at random moments and continued, every campaign changes and charges every account exactly once."""
    seed = int(os.environ.get("ACCOUNT_BATCH_FAULTS_SEED", random.getrandbits(32)))
    print(f"ACCOUNT_BATCH_FAULTS_SEED={seed}")  # noqa: T201  # Shown where the test fails.
    killer = _Killer(database_url, random.Random(seed))  # noqa: S311  # No secret.
    applied: list[str] = []
    while killer.kills < _KILLS:
        turn = len(applied) + 1
        plan_id = killer.plan(turn)
        killer.apply(plan_id)
        applied.append(plan_id)
        plan = store.load(plan_id)
        report = apply_plan(plan, store, now=NOW)
        assert {outcome: count for outcome, count in report.counts.items() if count} == {Outcome.APPLIED: _SIZE}
        assert len({item.account_id for item in report.outcomes}) == len(report.outcomes) == _SIZE
        check_accounts(store, turn, _SIZE)
        check_ledger(store, plan_id, turn, _SIZE)
    check_campaigns(store, applied, _SIZE)
    _check_what_was_left(store, applied)


def _check_what_was_left(store: SqlStore, applied: list[str]) -> None:
    """A plan whose maker was killed before anybody heard of it is whole, and nothing of it was applied."""
    for plan_id in {one.id for one in store.plans()} - set(applied):
        plan = store.load(plan_id)
        assert len(list(plan.changes)) + len(list(plan.unchanged)) + len(list(plan.refused)) == _SIZE
        assert store.status(plan_id)[Outcome.NOT_ATTEMPTED] == len(plan.changes)
        store.discard(plan_id)
    assert {one.id for one in store.plans()} == set(applied)
