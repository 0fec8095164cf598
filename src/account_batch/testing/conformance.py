"""check_store: holds a store to the whole contract that planning and applying rest on."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from hypothesis import settings

from account_batch.account import Account
from account_batch.testing.doors import Doors, Store
from account_batch.testing.machine import run_machine
from account_batch.testing.scripts import SCRIPTS
from account_batch.testing.trial import BrokenError

__all__ = ["check_store"]

_MOST_TRIED = 20_000
_LEAST_TRIED = 400


def check_store(
    make_store: Callable[[Sequence[Account]], Store],
    *,
    read: Callable[[Store], Iterable[Account]] | None = None,
    write: Callable[[Store, Account], object] | None = None,
    ledger: Callable[..., Iterable[Any]] | None = None,
    reopen: Callable[[Store], Store] | None = None,
) -> None:
    """Hold a store to the contract: call it from a test of yours.

    Scripted scenarios come first, then a state machine that mixes everything at random, as often as a quarter of the
    examples that your Hypothesis profile asks for. What the store can do beyond the two required roles is used and
    held to the same contract.

    Args:
        make_store: Makes a store of some accounts, and of no others. It is called many times, and a new store may take
            the place of the one before.
        read: All accounts that the store holds, however it likes to find them; by default store.find.
        write: Writes an account as another program would, in place of the one with its id; by default store.put.
        ledger: The ledger entries of the store or, if it takes a plan's id besides, those of the plan, with the fields
            of LedgerEntry; by default store.transactions.
        reopen: The store again, as a new process finds it; by default the same object goes on.

    Raises:
        AssertionError: The message begins with the clause that is broken, and ends with the steps that show it.
    """
    doors = Doors(make=make_store, read=read, write=write, ledger=ledger, reopen=reopen)
    for script in SCRIPTS:
        try:
            script(doors)
        except BrokenError as error:
            raise _smallest(script, doors, error) from None
    run_machine(doors, max(1, settings().max_examples // 4))


def _smallest(script: Callable[[Doors], None], doors: Doors, error: BrokenError) -> BrokenError:
    """The same clause broken on as few accounts as some tries bring about; fewer tries where there are many."""
    tried, size = 0, len(error.names)
    while size > 1 and tried < _MOST_TRIED:
        size = (size + 1) // 2
        for some in [error.names[at : at + size] for at in range(0, len(error.names), size)]:
            tried += max(len(error.names), _LEAST_TRIED)
            try:
                script(attrs.evolve(doors, without=doors.without | set(some)))
            except BrokenError as smaller:
                if smaller.clause == error.clause:
                    doors, error = attrs.evolve(doors, without=doors.without | set(some)), smaller
    return error
