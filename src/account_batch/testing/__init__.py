"""For tests: strategies of every public value, check_store for adapters, check_laws for planners (extra testing)."""

from account_batch.testing.conformance import check_store
from account_batch.testing.laws import check_laws
from account_batch.testing.scenario import Scenario

__all__ = ["Scenario", "check_laws", "check_store"]
