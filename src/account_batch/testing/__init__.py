"""For tests: strategies of every public value, and check_store, which holds a store to its contract (extra testing)."""

from account_batch.testing.conformance import check_store
from account_batch.testing.scenario import Scenario
from account_batch.testing.strategies import (
    InvalidSettings,
    accounts,
    amounts,
    calendar_dates,
    catalogs,
    control_number_texts,
    filters,
    instants,
    invalid_settings,
    money,
    rival_writes,
    scenarios,
    specs,
)

__all__ = [
    "InvalidSettings",
    "Scenario",
    "accounts",
    "amounts",
    "calendar_dates",
    "catalogs",
    "check_store",
    "control_number_texts",
    "filters",
    "instants",
    "invalid_settings",
    "money",
    "rival_writes",
    "scenarios",
    "specs",
]
