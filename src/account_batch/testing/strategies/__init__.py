"""Strategies of everything that the library works on; all of them are names of account_batch.testing."""

from account_batch.testing.strategies.accounts import accounts, rival_writes
from account_batch.testing.strategies.amounts import amounts, money
from account_batch.testing.strategies.catalogs import catalogs
from account_batch.testing.strategies.dates import calendar_dates, instants
from account_batch.testing.strategies.filters import control_number_texts, filters
from account_batch.testing.strategies.invalid import InvalidSettings, invalid_settings
from account_batch.testing.strategies.scenarios import scenarios
from account_batch.testing.strategies.specs import specs

__all__ = [
    "InvalidSettings",
    "accounts",
    "amounts",
    "calendar_dates",
    "catalogs",
    "control_number_texts",
    "filters",
    "instants",
    "invalid_settings",
    "money",
    "rival_writes",
    "scenarios",
    "specs",
]
