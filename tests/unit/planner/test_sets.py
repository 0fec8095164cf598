"""What the planner gives a storage that works on whole sets, which freezes the targets of a plan itself."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from account_batch.account import Account, AccountState
from account_batch.filters import AccountFilter
from account_batch.plan import Group, HeldTargets, Plan, Target
from account_batch.planner import plan_due, plan_update
from account_batch.questions import Answer, Question, answer
from account_batch.spec import Charge, UpdateSpec
from account_batch.store import Holdings, SupportsSets, Work
from account_batch.stores.memory import MemoryStore
from world import CATALOG, NOW, account, usd

_BATCH = AccountFilter(batch="SUMMER-2026")
_CHARGE = UpdateSpec(charge=Charge(usd("5")))


class _Freezer:
    """Freezes account by account, and knows no more than it is given; with a note of what that was."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._frozen: list[tuple[Account, int]] = []
        self.looked_at: list[str] = []
        self.kept: list[Plan] = []

    def freeze(
        self,
        where: AccountFilter,
        questions: Sequence[Question],
        decide: Callable[[Callable[[Question], Answer]], int | None],
        *,
        only: Question | None,
    ) -> Mapping[int, int]:
        counts: dict[int, int] = {}
        for target in sorted(self._store.find(where), key=lambda found: found.id):
            answers = {question: answer(question, target, self._has_transaction) for question in questions}
            if only is not None and answer(only, target, self._has_transaction) is not True:
                continue
            self.looked_at.append(target.id)
            number = decide(answers.__getitem__)
            if number is not None:
                self._frozen.append((target, number))
                counts[number] = counts.get(number, 0) + 1
        return counts

    def _has_transaction(self, account_id: str, reference: str) -> bool:
        return account_id in self._store.charged(reference)

    def targets(self, groups: Sequence[Group]) -> HeldTargets:
        def make(place: int) -> Target:
            target, number = self._frozen[place]
            before = tuple(getattr(target, field) for field in groups[number].decision.fields)
            return Target(target.id, target.control_number, number, before)

        return HeldTargets([number for _, number in self._frozen], make)

    def digest(self, where: AccountFilter, spec: UpdateSpec | None, groups: Sequence[Group]) -> str:
        return f"{where} {spec} {len(groups)}"

    def control_numbers(self, where: AccountFilter | None) -> Iterable[int]:
        accounts = [target for target, _ in self._frozen] if where is None else self._store.find(where)
        return sorted({found.control_number for found in accounts if found.control_number is not None})

    def holdings(self, groups: Collection[int]) -> Iterable[Holdings]:
        raise AssertionError(f"no plan of these tests terminates, but {groups} was asked about")

    def keep(self, plan: Plan) -> None:
        self.kept.append(plan)


class _SetsStore(MemoryStore):
    """Accounts in memory with a freezer of their own."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        super().__init__(accounts)
        self.freezer = _Freezer(self)

    @contextmanager
    def freezing(self, plan_id: str) -> Iterator[_Freezer]:
        assert plan_id
        yield self.freezer

    def work(self, plan: Plan, canary: int) -> Work[object]:
        raise AssertionError(f"nobody applies {plan.id} here, after {canary} or at all")


_ACCOUNTS = [
    account(id="1", balance=4),
    account(id="2", state=AccountState.INACTIVE),
    account(id="3", state=AccountState.INACTIVE, activation_date="2026-11-23"),
    account(id="4", state=AccountState.INACTIVE, activation_date="2026-11-24"),
    account(id="5", state=AccountState.INACTIVE, activation_date="2026-11-24", customer="kiwi"),
    account(id="6", state=AccountState.INACTIVE, activation_date="2026-11-25"),
]
"""Number 1 cannot pay; 3 and 5 are due, 4 would be in Auckland, and 6 is due nowhere on Earth."""


def _update(store: MemoryStore) -> Plan:
    return plan_update(store, _BATCH, _CHARGE, catalog=CATALOG, now=NOW)


def _due(store: MemoryStore) -> Plan:
    return plan_due(store, catalog=CATALOG, now=NOW)


@pytest.mark.parametrize("plan", [_update, _due])
def test_a_storage_of_sets_needs_no_more_than_it_is_given(plan: Callable[[MemoryStore], Plan]) -> None:
    """Filter, questions and what decides are enough for the groups and targets that every other storage has."""
    store = _SetsStore(_ACCOUNTS)
    assert isinstance(store, SupportsSets)
    of_sets, of_accounts = plan(store), plan(MemoryStore(_ACCOUNTS))
    assert of_sets.groups == of_accounts.groups
    assert tuple(of_sets.targets) == tuple(of_accounts.targets)
    assert of_sets.digest.startswith("AccountFilter(")


def test_all_that_the_filter_means_are_looked_at_for_an_update() -> None:
    """Whoever is selected is in the plan of an update, whatever its dates are."""
    store = _SetsStore(_ACCOUNTS)
    _update(store)
    assert store.freezer.looked_at == ["1", "2", "3", "4", "5", "6"]


def test_only_what_may_be_due_is_looked_at_for_due_activations() -> None:
    """Among millions that wait for their day, the storage leaves out those whose day has come nowhere on Earth."""
    store = _SetsStore(_ACCOUNTS)
    plan = _due(store)
    assert store.freezer.looked_at == ["3", "4", "5"]
    assert [target.account_id for target in plan.targets] == ["3", "5"]


def test_the_storage_keeps_the_plan_that_is_returned() -> None:
    """What a person confirms is what the storage holds the targets of."""
    store = _SetsStore(_ACCOUNTS)
    plan = _update(store)
    (kept,) = store.freezer.kept
    assert kept is plan
