"""Deciding once per distinct facts: the memo between a million accounts and the rules.

The values of the fields that take few values are facts as they are. The others (dates, add-ons, numbers) are looked
up first by what the questions about them tell apart. Both happen in loops that run in C, and only what was not seen
before comes back to Python.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeAlias

from account_batch.account import Account
from account_batch.decision import Decision, Outcome
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


class _AmountsUnknownError(Exception):
    """The rules asked about an amount of the account, which is no part of a key."""


class _ByAmounts:
    """The decisions for the same key, by opening balance and by which of the amounts in question the balance covers."""

    __slots__ = ("_by_opening", "_decide", "_funds")

    def __init__(self, funds: Sequence[FundsCover], decide: Callable[[Decimal, Decimal], int | None]) -> None:
        self._funds = funds
        self._decide = decide
        self._by_opening = _Known(self._find_out)

    def number(self, account: Account) -> int | None:
        """The number of the decision about this account."""
        least, numbers = self._by_opening[account.opening_balance]
        covered = bisect_right(least, account.balance)
        if covered not in numbers:
            numbers[covered] = self._decide(account.opening_balance, account.balance)
        number: int | None = numbers[covered]
        return number

    def _find_out(self, opening_balance: Decimal) -> tuple[list[Decimal], dict[int, int | None]]:
        return sorted({question.least(opening_balance) for question in self._funds}), {}


class Decisions:
    """Every decision made for one request, numbered in the order in which accounts first needed it.

    Attributes:
        made: What was asked and answered, and what was decided, by number.
        questions: All that the rules may ask.
        references: The references of transactions that the rules may ask about.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._numbers: dict[_Asked, int | None] = {}
        self.made: list[tuple[_Asked, Decision]] = []
        self.questions = asked = tuple(questions(request))
        self.references = tuple(question.reference for question in asked if isinstance(question, HasTransaction))
        self._funds = [question for question in asked if isinstance(question, FundsCover)]
        plain = [question.field for question in asked if isinstance(question, Value)]
        # An opening balance may be another one for every account, and is seldom asked for.
        self._amounts = bool(self._funds) or "opening_balance" in plain
        self._plain = [field for field in plain if field != "opening_balance"]
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

    def decide_all(self, accounts: Sequence[Account], charged: Mapping[str, Collection[str]]) -> list[int | None]:
        """The number of the decision about each account; see decide.

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
        if self._amounts:
            found = (
                number.number(account) if isinstance(number, _ByAmounts) else number
                for number, account in zip(found, accounts, strict=True)
            )
        return list(found)

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

    def _decide(self, key: _Key) -> int | _ByAmounts | None:
        """The number of the decision for a key or, where it depends on them, the decisions by the amounts."""
        references, plain, *numbers = key
        values = dict(zip(self._plain, plain, strict=True))

        def decide_with(opening_balance: Decimal | None, balance: Decimal | None) -> int | None:
            def answer(question: Question) -> Answer:
                match question:
                    case Value(field="opening_balance") | FundsCover() if opening_balance is None or balance is None:
                        raise _AmountsUnknownError
                    case Value(field="opening_balance"):
                        return opening_balance
                    case FundsCover():
                        assert opening_balance is not None  # The first case.
                        assert balance is not None
                        return question.answer(balance, opening_balance)
                    case Value(field=field):
                        value: Answer = values[field]
                        return value
                    case HasTransaction(reference=reference):
                        return reference in references
                    case _:
                        number, place = self._place[question]
                        known: Answer = self._classes[number].answers[numbers[number]][place]
                        return known

            return self.decide(answer)

        try:
            return decide_with(None, None)
        except _AmountsUnknownError:
            return _ByAmounts(self._funds, decide_with)

    def decide(self, answer: Callable[[Question], Answer]) -> int | None:
        """The number of the decision that rests on what the rules read of these answers.

        None where only due activations are asked for and none is: such accounts are not in the plan.
        """
        facts = Facts(answer)
        decision = decide(facts, self._request)
        asked = tuple(facts.read())
        if asked not in self._numbers:
            passed_over = self._request.due and decision.planned is Outcome.UNCHANGED
            self._numbers[asked] = None if passed_over else len(self.made)
            if not passed_over:
                self.made.append((asked, decision))
        return self._numbers[asked]
