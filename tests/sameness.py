"""What plans and stores say, in a form that is equal for two stores iff they say the same."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import TypeAlias

import attrs

from account_batch import Account, AccountFilter, MemoryStore, Plan, Report, StatusFilter
from account_batch.stores.sql import SqlStore

__all__ = ["EVERYBODY", "MakeSqlStore", "MakeStore", "Store", "accounts_of", "ledger_of", "said_by", "saved", "told_by"]

Store: TypeAlias = MemoryStore | SqlStore
MakeStore: TypeAlias = Callable[[Iterable[Account]], Store]
MakeSqlStore: TypeAlias = Callable[[Iterable[Account]], SqlStore]
EVERYBODY = AccountFilter(status=StatusFilter.ANY)


def said_by(plan: Plan) -> Mapping[str, object]:
    """All that a plan says, but for its id, its digest and the store that it was made on."""
    said = {
        name: getattr(plan, name)
        for name in (
            *("where", "spec", "planned_at", "valid_until", "actor", "reason"),
            *("warnings", "totals", "absent", "zone_data", "terminates"),
        )
    }
    lists = {name: list(getattr(plan, name)) for name in ("changes", "refused", "unchanged")}
    groups = Counter({(group.facts, group.decision): group.count for group in plan.groups})
    return said | lists | {"groups": groups}


def saved(plan: Plan) -> Plan:
    """A plan of MemoryStore as it is after a file; those of databases always come from one.

    Reasons of stale accounts quote the questions of the plan, and there 1.00 is 1 after a file.
    """
    return Plan.from_json(plan.to_json())


def accounts_of(store: Store) -> Mapping[str, Account]:
    """All accounts of a store, by id."""
    return {account.id: account for account in sorted(store.find(EVERYBODY), key=attrgetter("id"))}


def ledger_of(store: Store, plan: Plan) -> Counter[object]:
    """The ledger entries of a plan, whatever its id and whatever their order."""
    return Counter(attrs.evolve(entry, plan_id="") for entry in store.transactions(plan.id))


def told_by(report: Report) -> Mapping[str, object]:
    """All that a report tells, but for the id of the plan."""
    return {"counts": dict(report.counts), "outcomes": list(report.outcomes), "stopped": report.stopped}
