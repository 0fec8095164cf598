"""What a plan comes to: counts and money, exactly, from the decisions and how many accounts each is about."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Generic, TypeVar

from account_batch.account import AccountKind
from account_batch.catalog import Catalog
from account_batch.decision import Assign, EffectKind, Outcome, RefusalCode, TransactionKind
from account_batch.frozen import FrozenMapping
from account_batch.money import Money, add, subtract, times
from account_batch.plan import DistributorTotal, Group, Totals
from account_batch.questions import Value
from account_batch.store import Holdings

__all__ = ["total_up"]


_Key = TypeVar("_Key")


class _Sums(Generic[_Key]):
    """Exact sums by key."""

    def __init__(self) -> None:
        self._sums: dict[_Key, Decimal] = {}

    def plus(self, key: _Key, amount: Decimal, count: int = 1) -> None:
        self._sums[key] = add(self[key], times(amount, count))

    def __getitem__(self, key: _Key) -> Decimal:
        return self._sums.get(key, Decimal(0))

    def money(self, currency: Callable[[_Key], str]) -> Mapping[_Key, Money]:
        """The sums as money, given the currency of a key."""
        return FrozenMapping({key: Money(amount, currency(key)) for key, amount in self._sums.items()})


def total_up(groups: Sequence[Group], catalog: Catalog, terminated: Iterable[Holdings]) -> Totals:
    """Add up.

    Args:
        groups: All groups of the plan.
        catalog: Knows what distributors owe already.
        terminated: What the accounts hold that the plan terminates.
    """
    refusals: Counter[RefusalCode] = Counter()
    effects: Counter[EffectKind] = Counter()
    counts = dict.fromkeys((Outcome.APPLIED, Outcome.UNCHANGED, Outcome.REFUSED), 0)
    money: _Sums[tuple[str, TransactionKind]] = _Sums()
    opening: _Sums[str] = _Sums()
    for group in groups:
        counts[group.decision.planned] += group.count
        codes = {reason.code for reason in group.decision.refusals if reason.code is not None}
        refusals.update(dict.fromkeys(codes, group.count))
        for effect in group.decision.effects:
            effects[effect.kind] += group.count
        for transaction in group.decision.transactions:
            amount = transaction.amount
            money.plus((amount.currency, transaction.kind), amount.amount, group.count)
        for assignment in group.decision.assignments:
            if isinstance(assignment, Assign) and assignment.field == "opening_balance":
                currency, difference = _opening_difference(group, assignment)
                opening.plus(currency, difference, group.count)
    funds: _Sums[str] = _Sums()
    debts: _Sums[str] = _Sums()
    registered = 0
    for held in terminated:
        registered += held.registered
        if held.balance and held.kind is not AccountKind.VOUCHER:
            (funds if held.kind is AccountKind.DEBIT else debts).plus(held.currency, held.balance)
    return Totals(
        counts=FrozenMapping(counts),
        refusals=FrozenMapping(dict(sorted(refusals.items(), key=lambda item: (-item[1], item[0].value)))),
        effects=FrozenMapping({kind: effects[kind] for kind in EffectKind if effects[kind]}),
        money=money.money(lambda key: key[0]),
        distributors=_distributors(groups, catalog),
        opening_difference=opening.money(str),
        stranded_funds=funds.money(str),
        stranded_debts=debts.money(str),
        registered=registered,
    )


def _opening_difference(group: Group, assignment: Assign) -> tuple[str, Decimal]:
    facts = dict(group.facts)
    before, after = facts[Value("opening_balance")], assignment.value
    assert isinstance(before, Decimal)  # The rule reads it.
    assert isinstance(after, Decimal)
    return str(facts[Value("currency")]), subtract(after, before)


def _distributors(groups: Sequence[Group], catalog: Catalog) -> Mapping[str, DistributorTotal]:
    booked: _Sums[str] = _Sums()
    scheduled: _Sums[str] = _Sums()
    names: dict[str, None] = {}
    for group in groups:
        for effect in group.decision.effects:
            if effect.distributor is not None and effect.amount is not None:
                sums = booked if effect.kind is EffectKind.DISTRIBUTOR_CHARGED else scheduled
                sums.plus(effect.distributor, effect.amount.amount, group.count)
                names[effect.distributor] = None
    totals = {}
    for name in sorted(names):
        distributor = catalog.distributor(name)
        assert distributor is not None  # The rule looked it up.
        owed = add(distributor.balance, booked[name], scheduled[name])
        totals[name] = DistributorTotal(
            booked=Money(booked[name], distributor.currency),
            scheduled=Money(scheduled[name], distributor.currency),
            over_limit=distributor.credit_limit is not None and owed > distributor.credit_limit,
        )
    return FrozenMapping(totals)
