"""Deciding once per distinct facts: the memo between a million accounts and the rules.

The values of the fields that take few values are facts as they are. The others (dates, add-ons, numbers) are looked
up first by what the questions about them tell apart. Both happen in loops that run in C, and only what was not seen
before comes back to Python.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeAlias

from account_batch.account import Account
from account_batch.decision import Decision
from account_batch.questions import Answer, Facts, FundsCover, HasTransaction, Question, Value
from account_batch.rules import Request, decide, questions

__all__ = ["Decisions"]

_Asked: TypeAlias = tuple[tuple[Question, Answer], ...]
_Key: TypeAlias = tuple[Any, ...]

# Known raw values and keys are forgotten beyond so many: they only save time, and may be as many as the accounts.
_MOST_KNOWN = 200_000


class _Known(dict[Any, Any]):
    """What was found out about a key, found out when it is first looked up."""

    def __init__(self, find_out: Callable[[Any], object]) -> None:
        super().__init__()
        self._find_out = find_out

    def __missing__(self, key: object) -> object:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        found = self[key] = self._find_out(key)
        return found


class _Classes:
    """Numbers the sets of answers that some fields of an account give to the questions about them.

    Attributes:
        answers: The sets of answers, by number.
        questions: What is asked, in the order of the answers.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = questions
        self.answers: list[tuple[Answer, ...]] = []
        self._numbers: dict[tuple[Answer, ...], int] = {}
        reads = [question.reads for question in questions if not isinstance(question, HasTransaction)]
        self._fields = sorted({field for fields in reads for field in fields})
        self._places = [tuple(self._fields.index(field) for field in fields) for fields in reads]
        self._known = _Known(self._number)

    def numbers(self, accounts: Iterable[Account]) -> Iterable[int]:
        """The number of each account's set of answers."""
        return map(self._known.__getitem__, map(attrgetter(*self._fields), accounts))

    def _number(self, raw: Any) -> int:
        values = (raw,) if len(self._fields) == 1 else raw
        answers = tuple(
            question.answer(*(values[place] for place in places))  # type: ignore[union-attr]  # None asks the ledger.
            for question, places in zip(self.questions, self._places, strict=True)
        )
        if answers not in self._numbers:
            self._numbers[answers] = len(self.answers)
            self.answers.append(answers)
        return self._numbers[answers]


class _BalanceUnknownError(Exception):
    """The rules asked about the balance, which is no part of a key."""


class _ByBalance:
    """The decisions for the same key, by which of the amounts in question the balance covers."""

    __slots__ = ("_decide", "_least", "_numbers")

    def __init__(self, least: Collection[Decimal], decide: Callable[[Decimal], int]) -> None:
        self._least = sorted(set(least))
        self._decide = decide
        self._numbers: dict[int, int] = {}

    def number(self, balance: Decimal) -> int:
        """The number of the decision for an account with this balance."""
        covered = bisect_right(self._least, balance)
        number = self._numbers.get(covered)
        if number is None:
            number = self._numbers[covered] = self._decide(balance)
        return number


class Decisions:
    """Every decision made for one request, numbered in the order in which accounts first needed it.

    Attributes:
        made: What was asked and answered, and what was decided, by number.
        references: The references of transactions that the rules may ask about.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._numbers: dict[_Asked, int] = {}
        self.made: list[tuple[_Asked, Decision]] = []
        asked = list(questions(request))
        self.references = tuple(question.reference for question in asked if isinstance(question, HasTransaction))
        self._funds = [question for question in asked if isinstance(question, FundsCover)]
        self._plain = [question.field for question in asked if isinstance(question, Value)]
        # Questions that share their first field share a class, so that no date is looked up twice.
        by_field: dict[str, list[Question]] = {}
        for question in asked:
            if not isinstance(question, Value | HasTransaction | FundsCover):
                by_field.setdefault(question.reads[0], []).append(question)
        self._classes = [_Classes(about) for about in by_field.values()]
        self._place = {
            question: (number, place)
            for number, classes in enumerate(self._classes)
            for place, question in enumerate(classes.questions)
        }
        self._known = _Known(self._decide)

    def decide_all(self, accounts: Sequence[Account], charged: Mapping[str, Collection[str]]) -> "array[int]":
        """The number of the decision about each account.

        Args:
            accounts: In the order that numbers the decisions.
            charged: For each of the references, the ids of the accounts that have a transaction with it.
        """
        keys: Iterable[_Key] = zip(
            self._references(accounts, charged),
            map(attrgetter(*self._plain), accounts),
            *(classes.numbers(accounts) for classes in self._classes),
            strict=False,  # The first may repeat for ever.
        )
        found: Iterable[Any] = map(self._known.__getitem__, keys)
        if self._funds:
            found = (
                number if type(number) is int else number.number(account.balance)
                for number, account in zip(found, accounts, strict=True)
            )
        return array("I", found)

    def _references(
        self, accounts: Sequence[Account], charged: Mapping[str, Collection[str]]
    ) -> Iterable[frozenset[str]]:
        """Which of the references each account has transactions with."""
        none: frozenset[str] = frozenset()
        if not any(charged.values()):
            return repeat(none)
        by_account: dict[str, frozenset[str]] = {}
        for reference, ids in charged.items():
            for account_id in ids:
                by_account[account_id] = by_account.get(account_id, none) | {reference}
        return (by_account.get(account.id, none) for account in accounts)

    def _decide(self, key: _Key) -> int | _ByBalance:
        """The number of the decision for a key or, where it depends on it, the decisions by balance."""
        references, plain, *numbers = key
        values = dict(zip(self._plain, plain, strict=True))

        def decide_with(balance: Decimal | None) -> int:
            def answer(question: Question) -> Answer:
                match question:
                    case Value(field=field):
                        value: Answer = values[field]
                        return value
                    case HasTransaction(reference=reference):
                        return reference in references
                    case FundsCover():
                        if balance is None:
                            raise _BalanceUnknownError
                        return question.answer(balance, values.get("opening_balance", Decimal(0)))
                    case _:
                        number, place = self._place[question]
                        known: Answer = self._classes[number].answers[numbers[number]][place]
                        return known

            return self._number(answer)

        try:
            return decide_with(None)
        except _BalanceUnknownError:
            opening = values.get("opening_balance", Decimal(0))
            return _ByBalance([question.least(opening) for question in self._funds], decide_with)

    def _number(self, answer: Callable[[Question], Answer]) -> int:
        """The number of the decision that rests on what the rules read of these answers."""
        facts = Facts(answer)
        decision = decide(facts, self._request)
        asked = tuple(facts.read())
        if asked not in self._numbers:
            self._numbers[asked] = len(self.made)
            self.made.append((asked, decision))
        return self._numbers[asked]
