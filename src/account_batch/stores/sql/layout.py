"""Layout: how all answers about an account are packed into a few whole numbers, the words.

A yes or no question is a bit. A value, or a set of add-ons, is a digit: the number of the value in a list that is
learnt from the accounts; 0 is a value that is not in the list. So an engine computes, groups and compares answers as
numbers.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import attrs
from sqlalchemy import BigInteger, ColumnElement, Row, case, literal

from account_batch.codec.strict import strict_converter, structure
from account_batch.errors import StoreError
from account_batch.questions import AddonsOutside, Answer, Question, Value
from account_batch.stores.sql.raw import Raw, from_raw
from account_batch.stores.sql.schema import WORDS
from account_batch.stores.sql.translate import holds
from account_batch.stores.sql.view import View, says

__all__ = ["Layout", "Words", "digit_questions", "raw_value"]

_BITS = 60
_LEAST_WIDTH = 3
# SQLite takes 32,766 parameters and every value of a digit needs two or three.
_MOST_VALUES = 8_000

Words: TypeAlias = tuple[int, ...]


@attrs.frozen
class _Place:
    """Where the answer to a question stands.

    Args:
        values: The values that the digits 1, 2, ... stand for; empty for a bit.
    """

    question: Question
    word: int
    shift: int
    width: int
    values: tuple[Answer, ...] = ()

    @property
    def mask(self) -> int:
        """The bits of its word that it takes."""
        return ((1 << self.width) - 1) << self.shift


def digit_questions(questions: Iterable[Question]) -> list[Value | AddonsOutside]:
    """The questions that are answered by a digit."""
    return [question for question in questions if isinstance(question, Value | AddonsOutside)]


@attrs.frozen
class Layout:
    """Where every answer stands."""

    places: tuple[_Place, ...]

    @classmethod
    def of(cls, questions: Sequence[Question], known: Mapping[Question, Sequence[Raw]]) -> "Layout":
        """A layout with the known values, and room to learn about as many again.

        Raises:
            StoreError: There are more questions, or values, than fit.
        """
        places: list[_Place] = []
        word = shift = 0
        for question in questions:
            values = tuple(known.get(question, ()))
            if len(values) > _MOST_VALUES:
                raise StoreError(
                    f"the accounts have more than {_MOST_VALUES} values of {question.about}, which is too many "
                    "to decide by in a database; narrow the filter"
                )
            width = max(_LEAST_WIDTH, (2 * len(values) + 1).bit_length()) if question in known else 1
            if shift + width > _BITS:
                word, shift = word + 1, 0
            places.append(_Place(question, word, shift, width, values))
            shift += width
        if word >= WORDS:
            raise StoreError(f"{len(questions)} questions are more than the journal has room for; set less at once")
        return cls(tuple(places))

    @property
    def words(self) -> int:
        """How many words there are."""
        return self.places[-1].word + 1

    def learn(self, known: Mapping[Question, Sequence[Raw]]) -> "Layout | None":
        """The same layout with more values, or None where they have no room."""
        places = tuple(
            attrs.evolve(place, values=tuple(known[place.question])) if place.question in known else place
            for place in self.places
        )
        roomy = all(len(place.values) < 2**place.width for place in places)
        return Layout(places) if roomy else None

    def expressions(self, view: View, masks: Words | None = None) -> list[ColumnElement[int]]:
        """The words of an account.

        Args:
            view: What the account's fields are in SQL.
            masks: Leave out what these do not look at; such words are the number 0.
        """
        words: list[ColumnElement[int]] = [literal(0, BigInteger()) for _ in range(self.words)]
        empty = set(range(self.words))
        for place in self.places:
            if masks is not None and not masks[place.word] & place.mask:
                continue
            part = _expression(place, view)
            words[place.word] = part if place.word in empty else words[place.word] + part
            empty.discard(place.word)
        return words

    def unknown(self, words: Row[Any] | Words) -> list[_Place]:
        """The places at which the words have a value that is not in the list."""
        return [place for place in self._digits if not words[place.word] & place.mask]

    @cached_property
    def _digits(self) -> list[_Place]:
        return [place for place in self.places if isinstance(place.question, Value | AddonsOutside)]

    def answers(self, words: Words) -> Callable[[Question], Answer]:
        """What the words say; asking what the layout leaves out is a KeyError."""

        def answer(question: Question) -> Answer:
            place = self._by_question[question]
            number = (words[place.word] & place.mask) >> place.shift
            return from_raw(question.about, place.values[number - 1]) if place.values else bool(number)

        return answer

    def masks(self, questions: Iterable[Question]) -> Words:
        """What the answers to some questions take of each word."""
        masks = [0] * self.words
        for question in questions:
            place = self._by_question[question]
            masks[place.word] |= place.mask
        return tuple(masks)

    @cached_property
    def _by_question(self) -> dict[Question, _Place]:
        return {place.question: place for place in self.places}

    def dump(self) -> str:
        """The layout as JSON."""
        document = strict_converter().unstructure(list(self.places))
        return json.dumps(document, ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> "Layout":
        """The layout that dump wrote."""
        return cls(tuple(structure(json.loads(text), list[_Place], "layout")))


def _expression(place: _Place, view: View) -> ColumnElement[int]:
    """What an answer adds to its word."""

    def number(digit: int) -> ColumnElement[int]:
        return literal(digit << place.shift, BigInteger())

    nothing = literal(0, BigInteger())
    if not isinstance(place.question, Value | AddonsOutside):
        return case((holds(place.question, view), number(1)), else_=nothing)
    value = raw_value(place.question, view)
    numbered: dict[Raw, int] = {known: number for number, known in enumerate(place.values, 1)}
    null = numbered.pop(None, None)
    known: list[Raw] = list(numbered)
    known.sort()  # Those of one question compare.
    found = _search(value, known, lambda raw: number(numbered[raw]), nothing)
    return found if null is None else case((value.is_(None), number(null)), else_=found)


def _search(
    value: ColumnElement[Any],
    known: Sequence[Raw],
    number: Callable[[Raw], ColumnElement[int]],
    nothing: ColumnElement[int],
) -> ColumnElement[int]:
    """The number of the value, by halves where there are many: the order of Python is that of the exact collations."""
    if len(known) <= 8:
        return case(*((_is(value, raw), number(raw)) for raw in known), else_=nothing) if known else nothing
    half = len(known) // 2
    low, high = (_search(value, part, number, nothing) for part in (known[:half], known[half:]))
    return case((value < known[half], low), else_=high)


def _is(value: ColumnElement[Any], raw: Raw) -> ColumnElement[bool]:
    return says(value, raw) if isinstance(raw, bool) else value == raw


def raw_value(question: Value | AddonsOutside, view: View) -> ColumnElement[Any]:
    """The value that a digit stands for."""
    if isinstance(question, Value):
        return view.read(question.field)
    return view.addons(aside=question.allowed)
