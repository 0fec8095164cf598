"""The main job on a real population: import, plan, apply, status and export, as in memory on every database."""

import functools
import io
from collections.abc import Mapping

from account_batch import ApplyPolicy, MemoryStore, Outcome, Plan, Report, apply_plan, plan_update
from account_batch.codec.accounts import write_accounts
from sameness import MakeSqlStore, Store, accounts_of, ledger_of, said_by, told_by
from telco import ACTIVATE, CORRECT, MOVE, NOW, PROLONG, REQUESTS, TERMINATE, accounts, catalog, needs_telco

pytestmark = needs_telco

_CAMPAIGNS = [PROLONG, CORRECT["60.00"], ACTIVATE[True], MOVE, *TERMINATE.values()]
_POLICY = ApplyPolicy(chunk_size=500, canary=10, over_credit_limit=True)


@functools.cache
def _expected() -> Mapping[str, Mapping[str, object]]:
    store = MemoryStore(accounts())
    return {
        name: said_by(plan_update(store, where, spec, catalog=catalog(), now=NOW))
        for name, (where, spec) in REQUESTS.items()
    }


def test_every_request_gives_the_plan_of_memory(make_sql_store: MakeSqlStore) -> None:
    """All accounts are imported as they are, and each request gives the plan of MemoryStore, change by change."""
    store = make_sql_store(accounts())
    for name, (where, spec) in REQUESTS.items():
        plan = plan_update(store, where, spec, catalog=catalog(), now=NOW)
        said, expected = said_by(plan), _expected()[name]
        for part in expected:
            assert said[part] == expected[part], (name, part)
    assert len(list(store.plans())) == len(REQUESTS)
    assert accounts_of(store) == {account.id: account for account in accounts()}


def _run(store: Store) -> list[tuple[Plan, Report]]:
    """Campaign after campaign, each applied in full."""
    done = []
    for where, spec in _CAMPAIGNS:
        plan = plan_update(store, where, spec, catalog=catalog(), now=NOW)
        terminate = len(plan.changes) if plan.terminates else None
        report = apply_plan(plan, store, now=NOW, policy=_POLICY, terminate=terminate)
        done.append((plan, report))
    return done


def _exported(store: Store) -> str:
    file = io.StringIO(newline="")
    write_accounts(accounts_of(store).values(), file)
    return file.getvalue()


def test_the_campaigns_end_as_in_memory(make_sql_store: MakeSqlStore) -> None:
    """Applied one after the other, campaigns leave the reports, ledgers, journal and export of MemoryStore."""
    store, reference = make_sql_store(accounts()), MemoryStore(accounts())
    for (plan, report), (expected, wanted) in zip(_run(store), _run(reference), strict=True):
        assert told_by(report) == told_by(wanted)
        assert ledger_of(store, plan) == ledger_of(reference, expected)
        status = dict.fromkeys(Outcome, 0) | dict(store.status(plan.id))
        assert status == wanted.counts
        assert list(store.load(plan.id).changes) == list(expected.changes)
    assert _exported(store) == _exported(reference)
