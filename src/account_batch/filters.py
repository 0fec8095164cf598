"""AccountFilter: which accounts are meant, and the one definition of matching."""

import enum
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeAlias, assert_never

import attrs

from account_batch.account import Account, AccountState, Details, as_details, as_items, check_text
from account_batch.errors import BatchRequiredError, FilterError
from account_batch.frozen import FrozenMapping

__all__ = ["AccountFilter", "ControlNumbers", "Registration", "StatusFilter", "TextMatch", "TextMode"]

_HIGHEST = 2**31 - 1
_ITEM = re.compile(r"([0-9]+)(?: *- *([0-9]+))?")


class StatusFilter(enum.Enum):
    """Which states are meant."""

    ALL_EXCEPT_CLOSED = "all_except_closed"
    ANY = "any"
    OPEN = "open"
    INACTIVE = "inactive"
    CLOSED = "closed"


class Registration(enum.Enum):
    """Whether the account has to be registered on the network right now."""

    ANY = "any"
    REGISTERED = "registered"
    UNREGISTERED = "unregistered"


class TextMode(enum.Enum):
    """Where in a text the searched one has to stand."""

    STARTS_WITH = "starts_with"
    EXACTLY = "exactly"
    CONTAINS = "contains"
    ENDS_WITH = "ends_with"


@attrs.frozen
class TextMatch:
    """A literal, case-sensitive comparison of texts: % and _ mean themselves.

    >>> TextMatch.contains("77").matches("4477001")
    True

    Raises:
        FilterError: The text is blank, which would match everything.
    """

    mode: TextMode = attrs.field()
    text: str = attrs.field()

    @mode.validator
    def _check_mode(self, _: object, value: object) -> None:
        if not isinstance(value, TextMode):
            raise FilterError(f"filter.account_id: {value!r} is no TextMode")

    @text.validator
    def _check_text(self, _: object, value: object) -> None:
        check_text(value, "filter.account_id", FilterError)

    @classmethod
    def starts_with(cls, text: str) -> Self:
        """Match what begins with the text."""
        return cls(TextMode.STARTS_WITH, text)

    @classmethod
    def exactly(cls, text: str) -> Self:
        """Match the text alone."""
        return cls(TextMode.EXACTLY, text)

    @classmethod
    def contains(cls, text: str) -> Self:
        """Match what has the text anywhere."""
        return cls(TextMode.CONTAINS, text)

    @classmethod
    def ends_with(cls, text: str) -> Self:
        """Match what ends with the text."""
        return cls(TextMode.ENDS_WITH, text)

    def matches(self, value: str) -> bool:
        """Whether the value is meant."""
        match self.mode:
            case TextMode.STARTS_WITH:
                return value.startswith(self.text)
            case TextMode.EXACTLY:
                return value == self.text
            case TextMode.CONTAINS:
                return self.text in value
            case TextMode.ENDS_WITH:
                return value.endswith(self.text)
            case _:
                assert_never(self.mode)


def _range(item: str, text: str) -> tuple[int, int]:
    def refuse(why: str) -> FilterError:
        return FilterError(f'filter.control_numbers: "{text}": {why}; write numbers and ranges like 1,3,8-12')

    matched = _ITEM.fullmatch(item)
    if not matched or not item.isascii():
        raise refuse(f'"{item}" is neither a number nor a range' if item else "empty item")
    # Longer texts than this are above the limit anyway, or Python's own limit for converting digits.
    digits = [part.lstrip("0") or "0" for part in matched.groups() if part is not None]
    if any(len(part) > 10 or int(part) > _HIGHEST for part in digits):
        raise refuse(f"control numbers go up to {_HIGHEST}")
    first, last = int(digits[0]), int(digits[-1])
    if first < 1:
        raise refuse("control numbers start at 1")
    if last < first:
        raise refuse(f"the range {first}-{last} runs backwards")
    return first, last


def _pair(item: int | tuple[int, int]) -> tuple[int, int]:
    pair = item if isinstance(item, tuple) and len(item) == 2 else (item, item)
    if not all(type(number) is int for number in pair) or not 1 <= pair[0] <= pair[1] <= _HIGHEST:
        raise FilterError(f"filter.control_numbers: {item!r} is no control number; they go from 1 to {_HIGHEST}")
    return pair


def _ranges(value: "str | int | Iterable[int | tuple[int, int]] | ControlNumbers") -> tuple[tuple[int, int], ...]:
    if isinstance(value, ControlNumbers):
        return value.ranges
    if isinstance(value, str):
        pairs = [_range(item.strip(" "), value) for item in value.split(",")]
    else:
        items = [value] if isinstance(value, int) else as_items(value, "filter.control_numbers", FilterError)
        pairs = [_pair(item) for item in items]
    if not pairs:
        raise FilterError("filter.control_numbers: none given; leave it out to mean the whole batch")
    merged: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


@attrs.frozen
class ControlNumbers:
    """Numbers of accounts in their batch, from text such as "1,3,8-12" or from whole numbers.

    >>> str(ControlNumbers("8-12, 003,1,2"))
    '1-3,8-12'

    Args:
        ranges: The text, or numbers and (first, last) pairs; kept as sorted, disjoint pairs, never expanded.

    Raises:
        FilterError: Empty items, reversed ranges, zero, signs, non-ASCII digits, numbers above 2^31 - 1.
    """

    ranges: tuple[tuple[int, int], ...] = attrs.field(converter=_ranges)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        index = bisect_right(self.ranges, (number, _HIGHEST)) - 1
        return index >= 0 and number <= self.ranges[index][1]

    def __str__(self) -> str:
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ranges)

    def without(self, numbers: Iterable[int]) -> Self | None:
        """What is left after taking numbers away, or None; costs the numbers given, not the numbers meant.

        Args:
            numbers: Ascending, each once; they are not kept.
        """
        left: list[tuple[int, int]] = []
        taken = iter(numbers)
        number = next(taken, None)
        for first, last in self.ranges:
            start = first
            while number is not None and number <= last:
                if number >= start:
                    if number > start:
                        left.append((start, number - 1))
                    start = number + 1
                number = next(taken, None)
            if start <= last:
                left.append((start, last))
        return type(self)(left) if left else None


def _match(value: TextMatch | str | None) -> TextMatch | None:
    return TextMatch.starts_with(value) if isinstance(value, str) else value


def _control_numbers(value: ControlNumbers | str | int | Iterable[int] | None) -> ControlNumbers | None:
    return value if value is None or isinstance(value, ControlNumbers) else ControlNumbers(value)


# The types that attrs hands to validators and converters: mypy infers the type of a field from them, so both are open.
_Attribute: TypeAlias = "attrs.Attribute[Any]"
_Value = Any


def _contact(value: Mapping[str, str]) -> Details:
    return as_details(value, "filter.contact", FilterError)


def _custom_fields(value: Mapping[str, str]) -> Details:
    return as_details(value, "filter.custom_fields", FilterError)


def _text(_: object, attribute: _Attribute, value: _Value) -> None:
    if value is not None:
        error = BatchRequiredError if attribute.name == "batch" else FilterError
        check_text(value, f"filter.{attribute.name}", error)


def _of(kind: type, *, optional: bool = False) -> Callable[[object, _Attribute, _Value], None]:
    def check(_: object, attribute: _Attribute, value: _Value) -> None:
        if not isinstance(value, kind) and not (optional and value is None):
            raise FilterError(f"filter.{attribute.name}: {value!r} is no {kind.__name__}")

    return check


@attrs.frozen(kw_only=True)
class AccountFilter:
    """Which accounts are meant: those for which every criterion that is set holds.

    >>> AccountFilter(batch="SUMMER-2026", control_numbers="1,3,8-12").status
    <StatusFilter.ALL_EXCEPT_CLOSED: 'all_except_closed'>

    Args:
        batch: The name of one batch; updating requires it.
        control_numbers: ControlNumbers, or what it is built from.
        account_id: TextMatch; plain text means "starts with".
        blocked: True or False to look at it, None not to.
        used: Likewise, for accounts with a first usage.
        contact: Exact match of each named contact field.
        custom_fields: Exact match likewise; for searching only.

    Raises:
        FilterError: A criterion is blank or of the wrong type; the message names it.
    """

    batch: str | None = attrs.field(default=None, validator=_text)
    control_numbers: ControlNumbers | None = attrs.field(default=None, converter=_control_numbers)
    account_id: TextMatch | None = attrs.field(default=None, converter=_match, validator=_of(TextMatch, optional=True))
    status: StatusFilter = attrs.field(default=StatusFilter.ALL_EXCEPT_CLOSED, validator=_of(StatusFilter))
    registration: Registration = attrs.field(default=Registration.ANY, validator=_of(Registration))
    blocked: bool | None = attrs.field(default=None, validator=_of(bool, optional=True))
    used: bool | None = attrs.field(default=None, validator=_of(bool, optional=True))
    customer: str | None = attrs.field(default=None, validator=_text)
    product: str | None = attrs.field(default=None, validator=_text)
    contact: Mapping[str, str] = attrs.field(default=FrozenMapping(), converter=_contact)
    custom_fields: Mapping[str, str] = attrs.field(default=FrozenMapping(), converter=_custom_fields)

    def matches(self, account: Account) -> bool:
        """Whether the account is meant: the one definition, which every store is held to."""
        return all(criterion(account) for criterion in self.criteria())

    def criteria(self) -> Iterator[Callable[[Account], bool]]:
        """Yield one test per criterion that is set; an account is meant if it passes them all."""
        if (batch := self.batch) is not None:
            yield lambda account: account.batch == batch
        if (numbers := self.control_numbers) is not None:
            yield lambda account: account.control_number in numbers
        if (account_id := self.account_id) is not None:
            yield lambda account: account_id.matches(account.id)
        yield from self._flags()
        if (customer := self.customer) is not None:
            yield lambda account: account.customer == customer
        if (product := self.product) is not None:
            yield lambda account: account.product == product
        if contact := self.contact:
            yield lambda account: contact.items() <= account.contact.items()
        if custom_fields := self.custom_fields:
            yield lambda account: custom_fields.items() <= account.custom_fields.items()

    def _flags(self) -> Iterator[Callable[[Account], bool]]:
        match self.status:
            case StatusFilter.ANY:
                pass
            case StatusFilter.ALL_EXCEPT_CLOSED:
                yield lambda account: account.state is not AccountState.CLOSED
            case StatusFilter.OPEN | StatusFilter.INACTIVE | StatusFilter.CLOSED as status:
                state = AccountState(status.value)
                yield lambda account: account.state is state
            case _:
                assert_never(self.status)
        if self.registration is not Registration.ANY:
            registered = self.registration is Registration.REGISTERED
            yield lambda account: account.registered is registered
        if (blocked := self.blocked) is not None:
            yield lambda account: account.blocked is blocked
        if (used := self.used) is not None:
            yield lambda account: (account.first_used_on is not None) is used
