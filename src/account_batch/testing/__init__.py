"""For tests: strategies of every public value, check_store for adapters, check_laws for planners (extra testing)."""

from account_batch.testing.conformance import check_store
from account_batch.testing.laws import check_laws
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
    "check_laws",
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
