"""Scenario: everything that planning needs, consistent with itself."""

from datetime import datetime

import attrs

from account_batch.account import Account
from account_batch.catalog import Catalog
from account_batch.filters import AccountFilter
from account_batch.plan import Plan
from account_batch.planner import plan_update
from account_batch.spec import UpdateSpec
from account_batch.stores.memory import MemoryStore

__all__ = ["Scenario", "plan_scenario"]


@attrs.frozen(kw_only=True)
class Scenario:
    """Accounts, which of them are meant, what to set, by which catalog and when.

    Args:
        catalog: Knows everything that the filter and the spec name.
        accounts: With different ids; some of them may have a customer or product that the catalog does not know.
        where: Fit for an update.
        spec: Valid for the catalog.
        now: Aware.
    """

    catalog: Catalog
    accounts: tuple[Account, ...]
    where: AccountFilter
    spec: UpdateSpec
    now: datetime


def plan_scenario(store: MemoryStore, scenario: Scenario) -> Plan:
    """What plan_update says."""
    return plan_update(store, scenario.where, scenario.spec, catalog=scenario.catalog, now=scenario.now)
