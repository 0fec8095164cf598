"""check_store: sound stores pass, and each broken one is caught by the clause that it breaks."""

from collections.abc import Sequence

import attrs
import pytest

from account_batch import Account, AccountFilter, MemoryStore
from account_batch.testing import check_store
from account_batch.testing.doors import Doors
from account_batch.testing.machine import run_machine
from testing.broken import BROKEN, reopened

# What a machine with few accounts and chunks can meet, without a script that shows it.
_SEEN_BY_THE_MACHINE = (
    "AppliesTwiceOnResume",
    "CallsAChangedBalanceStale",
    "ForgetsReferences",
    "IgnoresStaleness",
    "KeepsTheJournalInATransactionOfItsOwn",
    "LosesTheEndOfAChunk",
    "MixesUpTwoPlans",
    "TouchesClosedAccounts",
    "WritesTheWholeAccountAsItWasPlanned",
)


def test_a_sound_store_passes() -> None:
    """With every door left to the store's own methods; tests/stores has those that work on sets."""
    check_store(MemoryStore)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_stores_are_caught(name: str) -> None:
    """The message begins with the clause, and ends with the steps on few accounts."""
    make, clause = BROKEN[name]
    with pytest.raises(AssertionError) as caught:
        check_store(make, reopen=reopened)
    said = str(caught.value)
    assert said.startswith(f"{clause}: ")
    _, steps = said.split("\n\nThe steps:\n")
    assert steps.startswith("  1. the accounts ")
    if name != "LosesEvery1000thChange":
        assert steps.splitlines()[0].count("; ") < 5


@pytest.mark.parametrize("name", _SEEN_BY_THE_MACHINE)
def test_the_machine_finds_what_no_script_shows(name: str) -> None:
    """It mixes steps at random, and shrinks what goes wrong to a few."""
    make, _ = BROKEN[name]
    with pytest.raises(AssertionError) as caught:
        run_machine(Doors(make=make, reopen=reopened), 2_000)
    assert str(caught.value).count("\n") < 15


def test_the_doors_are_used_where_they_are_given() -> None:
    """Reading, writing, the ledger of one plan or of all, and opening again go through what the author supplies."""
    used: set[str] = set()
    plans: set[str] = set()

    class Closed(MemoryStore):
        """Keeps its methods to itself."""

        put = transactions = None  # type: ignore[assignment]  # They are taken away.

    def make(accounts: Sequence[Account]) -> Closed:
        plans.clear()
        return Closed(accounts)

    def read(store: Closed) -> list[Account]:
        used.add("read")
        return list(store._accounts.values())  # noqa: SLF001  # A back door.

    def write(store: Closed, account: Account) -> None:
        used.add("write")
        MemoryStore.put(store, account)

    def reopen(store: Closed) -> Closed:
        used.add("reopen")
        return store

    def of_one(store: Closed, plan_id: str) -> list[object]:
        used.add("of one")
        return list(MemoryStore.transactions(store, plan_id))

    def of_all(store: Closed) -> list[object]:
        used.add("of all")
        return [entry for entries in store._ledger.values() for entry in entries]  # noqa: SLF001  # See above.

    for ledger in (of_one, of_all):
        check_store(make, read=read, write=write, ledger=ledger, reopen=reopen)
    assert used == {"read", "write", "reopen", "of one", "of all"}


def test_a_ledger_that_does_not_tell_is_caught() -> None:
    """The door may be what is broken."""
    with pytest.raises(AssertionError, match=r"^ledger: plan 0 booked \[\] beyond what it should, and lacks \["):
        check_store(MemoryStore, ledger=lambda _: [])


@pytest.mark.parametrize(("method", "door"), [("put", "write"), ("transactions", "ledger")])
def test_what_the_store_cannot_do_itself_has_to_be_supplied(method: str, door: str) -> None:
    """A call that lacks a door is no fault of the store."""
    without = type("Without", (_Bare,), {method: property(_absent)})
    with pytest.raises(TypeError, match=rf"^check_store: the store has no {method}\(\); pass {door}=, a function that"):
        check_store(without)


class _Bare(MemoryStore):
    """Some method of which is taken away."""


def _absent(_store: MemoryStore) -> None:
    raise AttributeError


def test_make_store_fails_by_itself() -> None:
    """What goes wrong there is not blamed on the store."""

    def make(_accounts: Sequence[Account]) -> MemoryStore:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        check_store(make)


def test_make_store_has_to_make_one() -> None:
    """None is no store."""
    with pytest.raises(TypeError, match=r"^check_store: make_store gave None, and no store$"):
        check_store(lambda _: None)


class _FindsTwice(MemoryStore):
    def find(self, where: AccountFilter) -> list[Account]:
        return super().find(where) * 2


class _FindsHalf(MemoryStore):
    def find(self, where: AccountFilter) -> list[Account]:
        return [attrs.evolve(account, contact={}) for account in super().find(where)]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (_FindsTwice, r"reading: find gives \["),
        (_FindsHalf, "reading: find gives '.*' with contact is {} instead of {'em"),
    ],
)
def test_a_door_shows_what_the_store_hides(kind: type[MemoryStore], said: str) -> None:
    """Reading by the back door, the store itself is held to what it finds."""
    with pytest.raises(AssertionError, match=f"^{said}"):
        check_store(kind, read=lambda store: store._accounts.values())  # noqa: SLF001  # The back door.


def test_a_door_that_does_not_write_is_named() -> None:
    """What another program wrote has to be seen."""
    with pytest.raises(AssertionError, match=r"^reading: 'a\d', which another program wrote \(write=\): "):
        check_store(MemoryStore, write=lambda _store, _account: None)
