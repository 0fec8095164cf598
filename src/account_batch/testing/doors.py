"""Doors: how a store is made, and looked into behind its back."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from account_batch.account import Account
from account_batch.filters import AccountFilter, StatusFilter

__all__ = ["Doors", "MissingDoorError", "Store"]

Store: TypeAlias = Any
"""What the author of the store says it is."""


class MissingDoorError(TypeError):
    """A call of check_store that leaves out what the store itself cannot do."""


@attrs.frozen(kw_only=True)
class Doors:
    """How a store is made, and looked into behind its back; what is None goes through its own methods.

    Args:
        without: The ids of accounts to leave out of every scenario, for finding the smallest.
    """

    make: Callable[[Sequence[Account]], Store]
    read: Callable[[Store], Iterable[Account]] | None = None
    write: Callable[[Store, Account], object] | None = None
    ledger: Callable[..., Iterable[Any]] | None = None
    reopen: Callable[[Store], Store] | None = None
    without: frozenset[str] = frozenset()

    def accounts(self, store: Store) -> Iterable[Account]:
        """All accounts."""
        found: Iterable[Account] = (
            store.find(AccountFilter(status=StatusFilter.ANY)) if self.read is None else self.read(store)
        )
        return found

    def put(self, store: Store, account: Account) -> None:
        """Write an account as another program would."""
        if self.write is None:
            _needs(store, "put", "write")
            store.put(account)
        else:
            self.write(store, account)

    def entries(self, store: Store, plan_id: str) -> list[Any]:
        """The ledger entries of a plan; the door may give those of all plans."""
        if self.ledger is None:
            _needs(store, "transactions", "ledger")
            return list(store.transactions(plan_id))
        takes_plan = len(inspect.signature(self.ledger).parameters) > 1
        found = self.ledger(store, plan_id) if takes_plan else self.ledger(store)
        return [entry for entry in found if entry.plan_id == plan_id]

    def again(self, store: Store) -> Store:
        """The store as a new process finds it."""
        return store if self.reopen is None else self.reopen(store)


def _needs(store: Store, method: str, door: str) -> None:
    if not hasattr(store, method):
        raise MissingDoorError(f"check_store: the store has no {method}(); pass {door}=, a function that does it")
