"""UpdateSpec: what to set on every account that is meant."""

import enum
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final, Literal, TypeAlias

import attrs

from account_batch.account import UnifiedMessaging, as_texts, check_text, is_positive_int
from account_batch.calendar import is_zone, parse_date
from account_batch.errors import EmptySpecError, InvalidValueError, SpecError
from account_batch.money import Money

__all__ = [
    "CLEAR",
    "KEEP",
    "ActivateNow",
    "ActivateOn",
    "AssignAddons",
    "AssignDistributor",
    "Charge",
    "Clear",
    "ExpireOn",
    "Keep",
    "Marker",
    "Refund",
    "RemoveAddons",
    "ReplaceAddons",
    "StatusChange",
    "UpdateSpec",
]


class Marker(enum.Enum):
    """The two things to say about an attribute other than a value."""

    KEEP = "keep"
    CLEAR = "clear"

    def __repr__(self) -> str:
        return self.name


KEEP: Final = Marker.KEEP
"""Leave the attribute as it is."""
CLEAR: Final = Marker.CLEAR
"""Make the attribute unset: never, none, the default."""

Keep = Literal[Marker.KEEP]
Clear = Literal[Marker.CLEAR]


class StatusChange(enum.Enum):
    """What becomes of the status of an account."""

    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    TERMINATED = "terminated"


@attrs.frozen
class ActivateNow:
    """Open inactive accounts right away; the activation date is today in the customer's billing zone."""


# The types that attrs hands to validators and converters: mypy infers the type of a field from them, so both are open.
_Attribute: TypeAlias = "attrs.Attribute[Any]"
_Value = Any


def _day(value: date | str, place: str) -> date:
    try:
        return parse_date(value, place)
    except InvalidValueError as error:
        raise SpecError(str(error)) from None


def _activation_day(value: date | str) -> date:
    return _day(value, "spec.activation")


def _expiration_day(value: date | str) -> date:
    return _day(value, "spec.expiration")


@attrs.frozen
class ActivateOn:
    """Open inactive accounts when this date begins in the customer's billing zone; today means now.

    >>> ActivateOn("2026-12-01")
    ActivateOn(day=datetime.date(2026, 12, 1))
    """

    day: date = attrs.field(converter=_activation_day)

    @day.validator
    def _check_day(self, _: object, value: date) -> None:
        if not date.min < value < date.max:
            raise SpecError(f"spec.activation: {value} begins outside the calendar in some zone")


@attrs.frozen
class ExpireOn:
    """Make this the first day on which the account is unusable, from its first instant in the billing zone.

    >>> ExpireOn("2027-12-01")
    ExpireOn(day=datetime.date(2027, 12, 1))
    """

    day: date = attrs.field(converter=_expiration_day)


_LIMIT = 10**15


def _check_amount(instance: object, _: object, value: _Value) -> None:
    place = f"spec.{type(instance).__name__.lower()}.amount"
    if not isinstance(value, Money):
        raise SpecError(f'{place}: {value!r} is no Money; pass Money("1.00", "USD")')
    if not 0 < value.amount < _LIMIT:
        raise SpecError(f"{place}: {value} is not above 0 and below 10^15")


def _check_comment(instance: object, attribute: _Attribute, value: _Value) -> None:
    if value != "":
        check_text(value, f"spec.{type(instance).__name__.lower()}.{attribute.name}", SpecError)


def _check_reference(instance: object, _: object, value: _Value) -> None:
    if value is not None:
        check_text(value, f"spec.{type(instance).__name__.lower()}.reference", SpecError)


def _check_overdraft(instance: object, _: object, value: _Value) -> None:
    if not isinstance(value, bool):
        raise SpecError(f"spec.{type(instance).__name__.lower()}.allow_overdraft: {value!r} is neither True nor False")


@attrs.frozen
class _Taking:
    """Money taken from what an account can use, once per account and campaign (DESIGN.md rule 8)."""

    amount: Money = attrs.field(validator=_check_amount)
    comment: str = attrs.field(default="", kw_only=True, validator=_check_comment)
    internal_comment: str = attrs.field(default="", kw_only=True, validator=_check_comment)
    reference: str | None = attrs.field(default=None, kw_only=True, validator=_check_reference)
    allow_overdraft: bool = attrs.field(default=False, kw_only=True, validator=_check_overdraft)


@attrs.frozen
class Charge(_Taking):
    """Charge each account for a service it used; a debit account has less funds, a credit account owes more.

    >>> Charge(Money("1.00", "USD"), comment="SIM fee", reference="sim-fee-2026").amount
    Money('1.00', 'USD')

    Args:
        amount: Positive, in the account's currency.
        comment: Shown to the user.
        internal_comment: Kept in the ledger, not shown.
        reference: An account that already has a transaction with it is refused.
        allow_overdraft: Whether a debit account may be left with negative funds.
    """


@attrs.frozen
class Refund(_Taking):
    """Give back a payment that each account made earlier; same signs and arguments as Charge.

    >>> Refund(Money("1.00", "USD"), comment="double payment").amount
    Money('1.00', 'USD')
    """


def _addon_ids(value: Iterable[str]) -> frozenset[str]:
    return as_texts(value, "spec.addons", SpecError)


def _check_addons(_: object, __: object, value: frozenset[str]) -> None:
    if not value:
        raise SpecError("spec.addons: no add-on named; to remove all of them, replace them by none")


@attrs.frozen
class AssignAddons:
    """Add add-ons to those that the account has."""

    addons: frozenset[str] = attrs.field(converter=_addon_ids, validator=_check_addons)


@attrs.frozen
class ReplaceAddons:
    """Make these the add-ons of the account; none removes all."""

    addons: frozenset[str] = attrs.field(converter=_addon_ids)


@attrs.frozen
class RemoveAddons:
    """Take add-ons away from those that the account has."""

    addons: frozenset[str] = attrs.field(converter=_addon_ids, validator=_check_addons)


def _check_distributor(_: object, __: object, value: _Value) -> None:
    check_text(value, "spec.distributor", SpecError)


@attrs.frozen
class AssignDistributor:
    """Hand accounts to a distributor (DESIGN.md rule 15).

    Args:
        id: The distributor.
        charge: Whether it pays for accounts that are open already; None refuses those where that is unclear.
    """

    id: str = attrs.field(validator=_check_distributor)
    charge: bool | None = attrs.field(default=None, kw_only=True)

    @charge.validator
    def _check_charge(self, _: object, value: _Value) -> None:
        if value is not None and not isinstance(value, bool):
            raise SpecError(f"spec.distributor.charge: {value!r} is neither True nor False")


def _one_of(*kinds: type, clear: bool = False) -> Callable[[object, _Attribute, _Value], None]:
    """Accept KEEP, CLEAR where it makes sense, and values of the given types."""

    def check(_: object, attribute: _Attribute, value: _Value) -> None:
        if value is KEEP or (clear and value is CLEAR) or isinstance(value, kinds):
            return
        names = [kind.__name__ for kind in kinds] + (["CLEAR"] if clear else [])
        raise SpecError(f"spec.{attribute.name}: {value!r} is none of {', '.join(names)} and KEEP")

    return check


def _text(*, clear: bool) -> Callable[[object, _Attribute, _Value], None]:
    accept = _one_of(str, clear=clear)

    def check(instance: object, attribute: _Attribute, value: _Value) -> None:
        accept(instance, attribute, value)
        if isinstance(value, str):
            check_text(value, f"spec.{attribute.name}", SpecError)

    return check


def _count(_: object, attribute: _Attribute, value: _Value) -> None:
    if value is not KEEP and value is not CLEAR and not is_positive_int(value):
        raise SpecError(f"spec.{attribute.name}: {value!r} is no whole number >= 1, CLEAR or KEEP")


def _assign_distributor(
    value: "AssignDistributor | str | Keep | Clear",
) -> "AssignDistributor | Keep | Clear":
    return AssignDistributor(value) if isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class UpdateSpec:
    """What to set on every account that is meant; each attribute is KEEP (default), a value or, where it fits, CLEAR.

    >>> UpdateSpec(expiration=ExpireOn("2027-12-01"), ivr_language="en").site
    KEEP

    Args:
        availability_days: Whole days >= 1 from the latest of first usage and last recharge.
        opening_balance: At least 0; for debit accounts never used.
        charging_period: Months of a multi-month prepaid plan.
        time_zone: IANA name; display only.
        distributor: AssignDistributor, or its id.

    Raises:
        EmptySpecError: Every attribute is KEEP.
        SpecError: A value is of the wrong type or range, or the spec terminates and sets something else.
    """

    activation: ActivateNow | ActivateOn | Keep | Clear = attrs.field(
        default=KEEP, validator=_one_of(ActivateNow, ActivateOn, clear=True)
    )
    expiration: ExpireOn | Keep | Clear = attrs.field(default=KEEP, validator=_one_of(ExpireOn, clear=True))
    availability_days: int | Keep | Clear = attrs.field(default=KEEP, validator=_count)
    status: StatusChange | Keep = attrs.field(default=KEEP, validator=_one_of(StatusChange))
    opening_balance: Money | Keep = attrs.field(default=KEEP, validator=_one_of(Money))
    charge: Charge | Keep = attrs.field(default=KEEP, validator=_one_of(Charge))
    refund: Refund | Keep = attrs.field(default=KEEP, validator=_one_of(Refund))
    product: str | Keep = attrs.field(default=KEEP, validator=_text(clear=False))
    addons: AssignAddons | ReplaceAddons | RemoveAddons | Keep = attrs.field(
        default=KEEP, validator=_one_of(AssignAddons, ReplaceAddons, RemoveAddons)
    )
    charging_period: int | Keep | Clear = attrs.field(default=KEEP, validator=_count)
    associated_number: str | Keep | Clear = attrs.field(default=KEEP, validator=_text(clear=True))
    unified_messaging: UnifiedMessaging | Keep = attrs.field(default=KEEP, validator=_one_of(UnifiedMessaging))
    ivr_language: str | Keep | Clear = attrs.field(default=KEEP, validator=_text(clear=True))
    time_zone: str | Keep | Clear = attrs.field(default=KEEP, validator=_text(clear=True))
    role: str | Keep = attrs.field(default=KEEP, validator=_text(clear=False))
    site: str | Keep | Clear = attrs.field(default=KEEP, validator=_text(clear=True))
    distributor: AssignDistributor | Keep | Clear = attrs.field(
        default=KEEP, converter=_assign_distributor, validator=_one_of(AssignDistributor, clear=True)
    )

    def __attrs_post_init__(self) -> None:
        """Refuse combinations that make no sense on any account."""
        names = self.settings()
        if not names:
            raise EmptySpecError("spec: sets nothing; set at least one attribute")
        if self.status is StatusChange.TERMINATED and len(names) > 1:
            others = ", ".join(name for name in names if name != "status")
            raise SpecError(f"spec.status: terminates, and so sets nothing else; take out {others}")
        if self.opening_balance is not KEEP and not 0 <= self.opening_balance.amount < _LIMIT:
            raise SpecError(f"spec.opening_balance: {self.opening_balance} is not from 0 to below 10^15")
        if isinstance(self.time_zone, str) and not is_zone(self.time_zone):
            raise SpecError(f'spec.time_zone: "{self.time_zone}" is no IANA zone; write it like Europe/Kyiv')
        takings = [taking for taking in (self.charge, self.refund) if taking is not KEEP]
        references = [taking.reference for taking in takings if taking.reference is not None]
        if len(set(references)) < len(references):
            raise SpecError(f'spec.refund.reference: "{references[0]}" is the charge\'s; give each its own')

    def settings(self) -> tuple[str, ...]:
        """The names of the attributes that are not KEEP, in the order of the class."""
        return tuple(field.name for field in attrs.fields(UpdateSpec) if getattr(self, field.name) is not KEEP)
