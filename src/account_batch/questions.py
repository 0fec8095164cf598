"""Questions: what a rule may ask about an account, and Facts, the answers it got.

The vocabulary is closed and small because every storage engine translates it. It never asks for an id, a control
number, a balance or a date itself, so that a million accounts share a few hundred sets of answers.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import TypeAlias

import attrs

from account_batch.account import (
    Account,
    AccountKind,
    AccountState,
    UnifiedMessaging,
    availability_end,
    availability_start,
)
from account_batch.errors import InvalidValueError
from account_batch.money import add, subtract

__all__ = [
    "AddonsOutside",
    "Answer",
    "Equals",
    "Facts",
    "FundsCover",
    "HasAddon",
    "HasTransaction",
    "IsSet",
    "OnOrBefore",
    "Question",
    "Value",
    "answer",
]

Answer: TypeAlias = (
    bool | int | str | Decimal | date | frozenset[str] | AccountKind | AccountState | UnifiedMessaging | None
)

_LOW_CARDINALITY = (
    "batch customer kind account_role state blocked currency opening_balance availability_days product "
    "charging_period unified_messaging ivr_language time_zone role site distributor"
).split()

_DAYS = {
    "activation_date": ("activation_date",),
    "expiration_date": ("expiration_date",),
    "availability_start": ("first_used_on", "last_recharged_on"),
    "availability_end": ("first_used_on", "last_recharged_on", "availability_days"),
}


@attrs.frozen
class Value:
    """What is the value of a field that takes few values?"""

    field: str = attrs.field()

    @field.validator
    def _check_field(self, _: object, value: str) -> None:
        if value not in _LOW_CARDINALITY:
            raise InvalidValueError(f"question: {value} has too many values to be a fact; ask yes or no about it")

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return self.field

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return (self.field,)

    def answer(self, value: Answer) -> Answer:
        """The answer, from the values of those fields."""
        return value


@attrs.frozen
class IsSet:
    """Does the field have a value?"""

    field: str

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return self.field

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return (self.field,)

    def answer(self, value: Answer) -> bool:
        """The answer, from the values of those fields."""
        return value is not None


@attrs.frozen
class Equals:
    """Does the field have this very value? An unset field has none."""

    field: str
    value: Answer

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return self.field

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return (self.field,)

    def answer(self, value: Answer) -> bool:
        """The answer, from the values of those fields."""
        return value == self.value


@attrs.frozen
class OnOrBefore:
    """Is a date on or before a day? An unset date is not.

    Args:
        moment: activation_date, expiration_date, availability_start or availability_end.
        day: In the customer's billing calendar.
    """

    moment: str = attrs.field(validator=attrs.validators.in_(_DAYS))
    day: date

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return self.moment

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return _DAYS[self.moment]

    def answer(self, first: date | None, recharged: date | None = None, days: int | None = None) -> bool:
        """The answer, from the values of those fields."""
        moment = first
        if self.moment.startswith("availability"):
            moment = availability_start(first, recharged)
        if self.moment == "availability_end":
            moment = availability_end(moment, days)
        return moment is not None and moment <= self.day


@attrs.frozen
class FundsCover:
    """Would the balance, once the opening balance was corrected, be at least this amount?

    Args:
        amount: In the account's currency.
        opening: The corrected opening balance, or None where it stays as it is.
    """

    amount: Decimal
    opening: Decimal | None

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return "balance"

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return ("balance", "opening_balance")

    def answer(self, balance: Decimal, opening_balance: Decimal) -> bool:
        """The answer, from the values of those fields."""
        return balance >= self.least(opening_balance)

    def least(self, opening_balance: Decimal) -> Decimal:
        """The least balance that is enough."""
        return self.amount if self.opening is None else subtract(add(self.amount, opening_balance), self.opening)


@attrs.frozen
class HasAddon:
    """Does it have this add-on?"""

    addon: str

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return "addons"

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return ("addons",)

    def answer(self, addons: frozenset[str]) -> bool:
        """The answer, from the values of those fields."""
        return self.addon in addons


@attrs.frozen
class AddonsOutside:
    """Which add-ons does it have that are not among these? Usually none."""

    allowed: frozenset[str]

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return "addons"

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields of Account that the answer needs."""
        return ("addons",)

    def answer(self, addons: frozenset[str]) -> frozenset[str]:
        """The answer, from the values of those fields."""
        return addons - self.allowed


@attrs.frozen
class HasTransaction:
    """Does the ledger have a transaction of the account with this reference?"""

    reference: str

    @property
    def about(self) -> str:
        """What a person would say that it is about."""
        return "reference"


Question: TypeAlias = Value | IsSet | Equals | OnOrBefore | FundsCover | HasAddon | AddonsOutside | HasTransaction


def answer(question: Question, account: Account, has_transaction: Callable[[str, str], bool]) -> Answer:
    """The answer for one account.

    Args:
        question: What to find out.
        account: The snapshot that is asked about.
        has_transaction: Says for an account id and a reference whether the ledger has such a transaction.
    """
    if isinstance(question, HasTransaction):
        return has_transaction(account.id, question.reference)
    return question.answer(*(getattr(account, field) for field in question.reads))


class Facts:
    """The answers about an account, found out when a rule first asks, and remembered in the order of asking."""

    __slots__ = ("_answer", "_known")

    def __init__(self, answer: Callable[[Question], Answer]) -> None:
        self._answer = answer
        self._known: dict[Question, Answer] = {}

    def __getitem__(self, question: Question) -> Answer:
        try:
            return self._known[question]
        except KeyError:
            found = self._known[question] = self._answer(question)
            return found

    def holds(self, question: Question) -> bool:
        """The answer to a yes or no question."""
        return self[question] is True

    def read(self) -> Iterator[tuple[Question, Answer]]:
        """Yield what was asked so far, with the answers: all that a decision can depend on."""
        yield from self._known.items()
