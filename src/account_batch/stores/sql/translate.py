"""Filters and questions as SQL over the fields of a mapping: the same meaning as filters.py and questions.py."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import assert_never

from sqlalchemy import ColumnElement, Integer, and_, case, func, literal, literal_column, not_, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from account_batch.account import AccountState
from account_batch.filters import AccountFilter, Registration, StatusFilter, TextMatch, TextMode
from account_batch.questions import (
    AddonsOutside,
    Equals,
    FundsCover,
    HasAddon,
    HasTransaction,
    IsSet,
    OnOrBefore,
    Question,
    Value,
)
from account_batch.stores.sql.types import Amount, Day, Text
from account_batch.stores.sql.view import View, says

__all__ = ["conditions", "holds"]

_FEW = 8
_EVERY_STATE = tuple(state.value for state in AccountState)


def conditions(where: AccountFilter, view: View) -> Iterator[ColumnElement[bool]]:
    """Yield one condition per criterion that is set; none is ever NULL where it decides.

    Raises:
        StoreError: The tables lack a field that a criterion looks at.
    """
    for name in ("batch", "customer", "product"):
        if (text := getattr(where, name)) is not None:
            yield from view.equals(name, text)
    if where.control_numbers is not None:
        yield _in_ranges(view.field("control_number"), where.control_numbers.ranges)
    if where.account_id is not None:
        yield _matches(where.account_id, view.read("id"))
    if where.status is not StatusFilter.ANY:
        yield _or_unreadable("state", view, view.read("state").in_(_states(where.status)), every=_EVERY_STATE)
    yield from _flags(where, view)
    for group in ("contact", "custom_fields"):
        for name, value in getattr(where, group).items():
            yield view.detail_is(group, name, value)


def _flags(where: AccountFilter, view: View) -> Iterator[ColumnElement[bool]]:
    if where.registration is not Registration.ANY:
        registered = says(view.field("registered"), where.registration is Registration.REGISTERED)
        yield _or_unreadable("registered", view, registered)
    if where.blocked is not None:
        yield _or_unreadable("blocked", view, says(view.field("blocked"), where.blocked))
    if where.used is not None:
        view.field("first_used_on")
        used = view.is_set("first_used_on")
        yield used if where.used else not_(used)


def _states(status: StatusFilter) -> list[str]:
    if status is StatusFilter.ALL_EXCEPT_CLOSED:
        return [state for state in _EVERY_STATE if state != AccountState.CLOSED.value]
    return [status.value]


def _or_unreadable(
    field: str, view: View, meant: ColumnElement[bool], every: Sequence[str] = ()
) -> ColumnElement[bool]:
    """Meant, or with a code that the mapping does not know: that is met, and refused when it is read."""
    mapped = view.mapping.fields.get(field)
    if mapped is None or mapped.coded is None:
        return meant
    return or_(meant, mapped.read.is_(None), *([mapped.read.not_in(every)] if every else []))


def _in_ranges(number: ColumnElement[int], ranges: Sequence[tuple[int, int]]) -> ColumnElement[bool]:
    """In any of the ranges: by halves, and as text, since there may be more of them than statements take parameters."""
    if len(ranges) <= _FEW:
        return or_(*(number.between(literal_column(str(first)), literal_column(str(last))) for first, last in ranges))
    half = len(ranges) // 2
    low, high = _in_ranges(number, ranges[:half]), _in_ranges(number, ranges[half:])
    return case((number < literal_column(str(ranges[half][0])), low), else_=high)


def _matches(wanted: TextMatch, value: ColumnElement[str]) -> ColumnElement[bool]:
    """Literal and case-sensitive: LIKE is neither."""
    text, length = literal(wanted.text, Text()), len(wanted.text)
    match wanted.mode:
        case TextMode.STARTS_WITH:
            return func.substr(value, 1, length, type_=Text()) == text
        case TextMode.EXACTLY:
            return value == text
        case TextMode.CONTAINS:
            return _Position(value, text) > 0
        case TextMode.ENDS_WITH:
            return _Ending(value, literal(length)) == text
        case _:
            assert_never(wanted.mode)


class _Position(FunctionElement[int]):
    """Where in a text another one begins, from 1; 0 is nowhere."""

    inherit_cache = True
    type = Integer()


@compiles(_Position)
def _write_position(element: _Position, compiler: SQLCompiler, **options: object) -> str:
    name = "strpos" if compiler.dialect.name == "postgresql" else "instr"
    return f"{name}({compiler.process(element.clauses, **options)})"


class _Ending(FunctionElement[str]):
    """So many of the last characters of a text."""

    inherit_cache = True
    type = Text()


@compiles(_Ending)
def _write_ending(element: _Ending, compiler: SQLCompiler, **options: object) -> str:
    value, length = (compiler.process(clause, **options) for clause in element.clauses)
    return f"substr({value}, -{length})" if compiler.dialect.name == "sqlite" else f"right({value}, {length})"


class _DaysUntil(FunctionElement[int]):
    """The whole days from a date to a fixed day."""

    inherit_cache = True
    type = Integer()


@compiles(_DaysUntil)
def _write_days_until(element: _DaysUntil, compiler: SQLCompiler, **options: object) -> str:
    start, day = (compiler.process(clause, **options) for clause in element.clauses)
    match compiler.dialect.name:
        case "sqlite":
            return f"CAST(julianday({day}) - julianday({start}) AS INTEGER)"
        case "postgresql":
            return f"({day} - {start})"
        case _:
            return f"DATEDIFF({day}, {start})"


def holds(question: Question, view: View) -> ColumnElement[bool]:  # noqa: C901  # One case for each question.
    """Whether the answer to a yes or no question is yes; NULL is no."""
    match question:
        case IsSet(field=field):
            return view.is_set(field)
        case Equals(field="addons", value=frozenset() as addons):
            return view.addons_are(addons)
        case Equals(field=field, value=value):
            return view.read(field) == value
        case OnOrBefore(moment="availability_start", day=day):
            return _all_set(day, view, None)
        case OnOrBefore(moment="availability_end", day=day):
            return _all_set(day, view, view.read("availability_days"))
        case OnOrBefore(moment=field, day=day):
            return view.on_or_before(field, day)
        case FundsCover(amount=amount, opening=None):
            return view.read("balance") >= amount
        case FundsCover(opening=Decimal()):
            least = question.least(Decimal(0))
            return view.read("balance") >= view.read("opening_balance") + literal(least, Amount())
        case HasAddon(addon=addon):
            return view.has_addon(addon)
        case HasTransaction(reference=reference):
            return view.has_transaction(reference)
        case Value() | AddonsOutside() | FundsCover():
            raise TypeError(question)
        case _:
            assert_never(question)


def _all_set(day: date, view: View, days: ColumnElement[int] | None) -> ColumnElement[bool]:
    """Whether the latest of first usage and last recharge is set and on or before a day, or so many days before it."""
    fixed = literal(day, Day())
    moments = ("first_used_on", "last_recharged_on")
    early = [
        or_(
            not_(view.is_set(moment)),
            view.on_or_before(moment, day) if days is None else _DaysUntil(view.read(moment), fixed) >= days,
        )
        for moment in moments
    ]
    return and_(or_(*map(view.is_set, moments)), *early, *([] if days is None else [days.is_not(None)]))
