"""Snapshots: freezes the targets of a plan in memory, for the storages that only find accounts."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import compress
from operator import attrgetter, eq

from account_batch.account import Account, AccountKind
from account_batch.decision import FieldValue
from account_batch.errors import StoreError
from account_batch.filters import AccountFilter
from account_batch.money import add
from account_batch.plan import Group, HeldTargets, Plan, Target, plan_digest
from account_batch.planner.memo import Decisions
from account_batch.questions import Answer, Question
from account_batch.spec import UpdateSpec
from account_batch.store import Holdings, SupportsRead

__all__ = ["Snapshots"]

_LAST = 2**31


class Snapshots:
    """The accounts that were found, in the order of the plan; a Freezer.

    Args:
        store: Where they are.
        decisions: Decides about all of them at once.
    """

    def __init__(self, store: SupportsRead, decisions: Decisions) -> None:
        self._store = store
        self._decisions = decisions
        self._accounts: list[Account] = []
        self._numbers: tuple[int, ...] = ()

    @classmethod
    @contextmanager
    def freezing(cls, store: SupportsRead, decisions: Decisions) -> Iterator["Snapshots"]:
        """There is no transaction to open."""
        yield cls(store, decisions)

    def freeze(
        self,
        where: AccountFilter,
        questions: Sequence[Question],  # noqa: ARG002  # The decisions know what they ask.
        decide: Callable[[Callable[[Question], Answer]], int | None],  # noqa: ARG002  # See above.
        *,
        only: Question | None,  # noqa: ARG002  # Looking is as fast as leaving out.
    ) -> Mapping[int, int]:
        """Freeze the accounts that the filter means."""
        accounts = _in_order(self._store.find(where))
        charged = {reference: self._store.charged(reference) for reference in self._decisions.references}
        numbers = self._decisions.decide_all(accounts, charged)
        if None in numbers:
            accounts = list(compress(accounts, (number is not None for number in numbers)))
        self._accounts = accounts
        self._numbers = tuple(number for number in numbers if number is not None)
        return Counter(self._numbers)

    def targets(self, groups: Sequence[Group]) -> HeldTargets:
        """Made from the snapshots when they are looked at."""
        accounts, numbers = self._accounts, self._numbers
        fields = [group.decision.fields for group in groups]

        def make(place: int) -> Target:
            account, number = accounts[place], numbers[place]
            before = tuple(getattr(account, field) for field in fields[number])
            return Target(account.id, account.control_number, number, before)

        return HeldTargets(numbers, make)

    def digest(self, where: AccountFilter, spec: UpdateSpec | None, groups: Sequence[Group]) -> str:
        """The digest over the decisions and each target."""
        accounts, numbers = self._accounts, self._numbers
        fetch = [_fetch([name for name in group.decision.fields if name != "balance"]) for group in groups]
        return plan_digest(
            where,
            spec,
            groups,
            zip(map(attrgetter("id"), accounts), map(attrgetter("control_number"), accounts), numbers, strict=True),
            (fetch[number](account) for account, number in zip(accounts, numbers, strict=True)),
        )

    def control_numbers(self, where: AccountFilter | None) -> Iterable[int]:
        """The control numbers of the accounts that a filter means or, without one, of the targets."""
        accounts = self._accounts if where is None else self._store.find(where)
        return sorted({account.control_number for account in accounts if account.control_number is not None})

    def holdings(self, groups: Collection[int]) -> Iterable[Holdings]:
        """What the targets of some groups hold."""
        held: dict[tuple[AccountKind, str], tuple[Decimal, int]] = {}
        for account in compress(self._accounts, (number in groups for number in self._numbers)):
            key = account.kind, account.currency
            balance, registered = held.get(key, (Decimal(0), 0))
            held[key] = add(balance, max(account.balance, Decimal(0))), registered + account.registered
        for (kind, currency), (balance, registered) in held.items():
            yield Holdings(kind=kind, currency=currency, balance=balance, registered=registered)

    def keep(self, plan: Plan) -> None:
        """Do nothing: the plan holds its targets."""


def _in_order(found: Iterable[Account]) -> list[Account]:
    """The accounts in control-number order, then id; those without a control number last."""
    accounts = sorted(found, key=attrgetter("id"))
    if any(map(eq, map(attrgetter("id"), accounts), map(attrgetter("id"), accounts[1:]))):
        raise StoreError("the store finds an account twice; nothing was planned")
    accounts.sort(key=lambda account: account.control_number or _LAST)
    return accounts


def _fetch(fields: Sequence[str]) -> Callable[[Account], tuple[FieldValue, ...]]:
    """What fetches the values of some fields, as a tuple also of none or one."""
    if len(fields) > 1:
        return attrgetter(*fields)
    return lambda account: tuple(getattr(account, field) for field in fields)
