"""Account: an immutable snapshot of one account, and what follows from it on a date."""

import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from account_batch.calendar import parse_date, shift_days
from account_batch.errors import AccountBatchError, InvalidValueError
from account_batch.frozen import FrozenMapping
from account_batch.money import as_amount, check_currency

__all__ = [
    "Account",
    "AccountKind",
    "AccountState",
    "Details",
    "Entitlements",
    "UnifiedMessaging",
    "as_details",
    "as_items",
    "as_texts",
    "availability_end",
    "availability_start",
    "check_text",
    "is_positive_int",
    "mask",
    "validate_currency",
    "validate_flag",
    "validate_optional_text",
    "validate_text",
]


class AccountKind(enum.Enum):
    """What the balance of an account means."""

    DEBIT = "debit"
    """The balance is funds left."""
    CREDIT = "credit"
    """The balance is the amount owed."""
    VOUCHER = "voucher"
    """The balance is funds to top other accounts up with."""


class AccountState(enum.Enum):
    """How far an account is in its life; blocked is a separate flag, expired is derived."""

    INACTIVE = "inactive"
    OPEN = "open"
    CLOSED = "closed"
    """Terminated, finally."""


class UnifiedMessaging(enum.Enum):
    """Access to unified messaging: as the product says, or not."""

    BY_PRODUCT = "by_product"
    YES = "yes"
    NO = "no"


@attrs.frozen(kw_only=True)
class Entitlements:
    """What an account may do and is charged for on one date (DESIGN.md rule 2)."""

    services: bool
    self_care: bool
    maintenance_charged: bool
    subscription_charged: bool


_NOTHING = Entitlements(services=False, self_care=False, maintenance_charged=False, subscription_charged=False)


Details: TypeAlias = FrozenMapping[str, str]
"""Named texts beside the fixed fields, such as contact data."""

_NO_DETAILS: Details = FrozenMapping()


def check_text(value: object, name: str, error: type[AccountBatchError] = InvalidValueError) -> str:
    """A text that is not blank and that every storage can hold: no NUL, no lone surrogates.

    Raises:
        AccountBatchError: The given error, naming the place.
    """
    if not isinstance(value, str):
        raise error(f"{name}: {value!r} is no text")
    if not value.strip():
        raise error(f"{name}: blank; write the text that is meant")
    if "\0" in value or not _is_encodable(value):
        raise error(f"{name}: {value!r} holds a NUL or half a character, which no storage keeps")
    return value


def _is_encodable(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_items(value: object, name: str, error: type[AccountBatchError] = InvalidValueError) -> list[Any]:
    """The items of any collection that is no text and no mapping.

    Raises:
        AccountBatchError: The given error, naming the place.
    """
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise error(f"{name}: {value!r} is no collection; pass a list or set")
    return list(value)


def as_texts(value: object, name: str, error: type[AccountBatchError] = InvalidValueError) -> frozenset[str]:
    """The texts of any collection of texts.

    Raises:
        AccountBatchError: The given error, naming the place.
    """
    return frozenset(check_text(item, name, error) for item in as_items(value, name, error))


def as_details(value: object, name: str, error: type[AccountBatchError] = InvalidValueError) -> Details:
    """Named texts from any mapping of texts to texts.

    Raises:
        AccountBatchError: The given error, naming the place.
    """
    if not isinstance(value, Mapping):
        raise error(f"{name}: {value!r} is no mapping of names to texts")
    for key, text in value.items():
        check_text(text, f"{name}.{check_text(key, name, error)}", error)
    return value if isinstance(value, FrozenMapping) else FrozenMapping(sorted(value.items()))


def is_positive_int(value: object) -> bool:
    """Whether this is a whole number from 1 to 2^31 - 1, and not a bool."""
    return type(value) is int and 1 <= value < 2**31


def mask(account_id: str) -> str:
    """An id, which may be a PIN, as people see it: at most its last four characters, and never more than a third."""
    shown = min(4, len(account_id) // 3)
    return f"...{account_id[len(account_id) - shown :]}"


def availability_start(first_used_on: date | None, last_recharged_on: date | None) -> date | None:
    """The day from which the availability period counts: the latest of first usage and last recharge (rule 5)."""
    if first_used_on is None or last_recharged_on is None:
        return first_used_on or last_recharged_on
    return max(first_used_on, last_recharged_on)


def availability_end(start: date | None, days: int | None) -> date | None:
    """The first day after the availability period, or None where none is running or the calendar ends before it."""
    return None if start is None or days is None else shift_days(start, days)


# The types that attrs hands to validators and converters: mypy infers the type of a field from them, so both are open.
_Attribute: TypeAlias = "attrs.Attribute[Any]"
_Value = Any


def validate_text(instance: object, attribute: _Attribute, value: _Value) -> None:
    """Accept texts that are not blank; for attrs fields of this module and the catalog, like those below."""
    check_text(value, _place(instance, attribute))


def validate_optional_text(instance: object, attribute: _Attribute, value: _Value) -> None:
    """Accept None, and texts that are not blank."""
    if value is not None:
        check_text(value, _place(instance, attribute))


def validate_flag(instance: object, attribute: _Attribute, value: _Value) -> None:
    """Accept True and False."""
    if value is not True and value is not False:
        raise InvalidValueError(f"{_place(instance, attribute)}: {value!r} is neither True nor False")


def validate_currency(instance: object, attribute: _Attribute, value: _Value) -> None:
    """Accept ISO 4217 codes."""
    check_currency(value, _place(instance, attribute))


def _place(instance: object, attribute: _Attribute) -> str:
    return f"{type(instance).__name__.lower()}.{attribute.name}"


def _optional_count(_: object, attribute: _Attribute, value: _Value) -> None:
    if value is not None and not is_positive_int(value):
        raise InvalidValueError(f"account.{attribute.name}: {value!r} is no whole number from 1 to 2147483647")


def _member(kind: type[enum.Enum]) -> Callable[[object, _Attribute, _Value], None]:
    def check(_: object, attribute: _Attribute, value: _Value) -> None:
        if not isinstance(value, kind):
            raise InvalidValueError(f"account.{attribute.name}: {value!r} is no {kind.__name__}")

    return check


def _day(value: date | str | None, name: str) -> date | None:
    return value if value is None or type(value) is date else parse_date(value, f"account.{name}")


# mypy knows the type of a constructor argument from a named converter only, hence one for each field that has to be
# named in messages.
def _opening_balance(value: Decimal | int | str) -> Decimal:
    return as_amount(value, "account.opening_balance")


def _balance(value: Decimal | int | str) -> Decimal:
    return as_amount(value, "account.balance")


def _activation_date(value: date | str | None) -> date | None:
    return _day(value, "activation_date")


def _expiration_date(value: date | str | None) -> date | None:
    return _day(value, "expiration_date")


def _first_used_on(value: date | str | None) -> date | None:
    return _day(value, "first_used_on")


def _last_recharged_on(value: date | str | None) -> date | None:
    return _day(value, "last_recharged_on")


def _addons(value: Iterable[str]) -> frozenset[str]:
    return as_texts(value, "account.addons")


def _contact(value: Mapping[str, str]) -> Details:
    return as_details(value, "account.contact")


def _custom_fields(value: Mapping[str, str]) -> Details:
    return as_details(value, "account.custom_fields")


@attrs.frozen(kw_only=True, weakref_slot=False)
class Account:
    """One user of the service: a prepaid card, a phone line, a voucher; a snapshot that never changes.

    >>> Account(id="4477001", customer="acme", kind=AccountKind.DEBIT, currency="USD", product="gold").state
    <AccountState.OPEN: 'open'>

    Args:
        control_number: 1-based number in the batch, not necessarily unique.
        opening_balance: In the account's currency.
        balance: In the account's currency; what it means depends on kind.
        activation_date: Calendar date in the customer's billing zone, like every date here.
        expiration_date: The first day on which the account is unusable.
        availability_days: Whole days from the latest of first usage and last recharge.
        time_zone: Display only; never affects a date.
        site: None is the customer's default site.

    Raises:
        InvalidValueError: A field has a value that no account can have.
    """

    id: str = attrs.field(validator=validate_text)
    batch: str | None = attrs.field(default=None, validator=validate_optional_text)
    control_number: int | None = attrs.field(default=None, validator=_optional_count)
    customer: str = attrs.field(validator=validate_text)
    kind: AccountKind = attrs.field(validator=_member(AccountKind))
    account_role: str | None = attrs.field(default=None, validator=validate_optional_text)
    state: AccountState = attrs.field(default=AccountState.OPEN, validator=_member(AccountState))
    blocked: bool = attrs.field(default=False, validator=validate_flag)
    registered: bool = attrs.field(default=False, validator=validate_flag)
    currency: str = attrs.field(validator=validate_currency)
    opening_balance: Decimal = attrs.field(default=Decimal(0), converter=_opening_balance)
    balance: Decimal = attrs.field(default=Decimal(0), converter=_balance)
    activation_date: date | None = attrs.field(default=None, converter=_activation_date)
    expiration_date: date | None = attrs.field(default=None, converter=_expiration_date)
    availability_days: int | None = attrs.field(default=None, validator=_optional_count)
    first_used_on: date | None = attrs.field(default=None, converter=_first_used_on)
    last_recharged_on: date | None = attrs.field(default=None, converter=_last_recharged_on)
    product: str = attrs.field(validator=validate_text)
    addons: frozenset[str] = attrs.field(default=frozenset(), converter=_addons)
    charging_period: int | None = attrs.field(default=None, validator=_optional_count)
    associated_number: str | None = attrs.field(default=None, validator=validate_optional_text)
    unified_messaging: UnifiedMessaging = attrs.field(
        default=UnifiedMessaging.BY_PRODUCT, validator=_member(UnifiedMessaging)
    )
    ivr_language: str | None = attrs.field(default=None, validator=validate_optional_text)
    time_zone: str | None = attrs.field(default=None, validator=validate_optional_text)
    role: str | None = attrs.field(default=None, validator=validate_optional_text)
    site: str | None = attrs.field(default=None, validator=validate_optional_text)
    distributor: str | None = attrs.field(default=None, validator=validate_optional_text)
    contact: Mapping[str, str] = attrs.field(default=_NO_DETAILS, converter=_contact)
    custom_fields: Mapping[str, str] = attrs.field(default=_NO_DETAILS, converter=_custom_fields)

    @property
    def used(self) -> bool:
        """Whether the service was ever used."""
        return self.first_used_on is not None

    @property
    def effective_expiration(self) -> date | None:
        """The first day on which the account is unusable, by expiration date or availability period; None is never."""
        start = availability_start(self.first_used_on, self.last_recharged_on)
        ends = (self.expiration_date, availability_end(start, self.availability_days))
        return min((day for day in ends if day is not None), default=None)

    def entitlements(self, on: date) -> Entitlements:
        """What the account may do and is charged for on a date of its customer's calendar (rule 2).

        An account that is inactive, closed, or expired on that date has nothing.

        Raises:
            InvalidValueError: on is no calendar date.
        """
        on = parse_date(on, "on")
        expiration = self.effective_expiration
        if self.state is not AccountState.OPEN or (expiration is not None and expiration <= on):
            return _NOTHING
        return Entitlements(
            services=not self.blocked,
            self_care=True,
            maintenance_charged=not self.blocked,
            subscription_charged=True,
        )
