"""For tests: strategies of every public value, and check_store, which holds a store to its contract (extra testing)."""

from account_batch.testing.conformance import check_store

__all__ = ["check_store"]
