"""Decision: what becomes of all accounts with the same facts, as data that others execute, count and render."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias, assert_never

import attrs

from account_batch.money import Money, add
from account_batch.questions import Answer

__all__ = [
    "CHANGEABLE",
    "AlterAddons",
    "Assign",
    "Assignment",
    "Decision",
    "Effect",
    "EffectKind",
    "FieldValue",
    "NoteCode",
    "Outcome",
    "Reason",
    "RefusalCode",
    "ShiftBalance",
    "Transaction",
    "TransactionKind",
    "value_after",
]

FieldValue: TypeAlias = Answer
"""A value of a field of Account that an update can change."""


CHANGEABLE = frozenset(
    {
        "state",
        "blocked",
        "opening_balance",
        "activation_date",
        "expiration_date",
        "availability_days",
        "product",
        "addons",
        "charging_period",
        "associated_number",
        "unified_messaging",
        "ivr_language",
        "time_zone",
        "role",
        "site",
        "distributor",
    }
)
"""The fields of Account that an update can set; the balance moves."""


class Outcome(enum.Enum):
    """What came of an account; a plan foresees the first three. Disjoint, and they add up."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    STALE = "stale"
    """A fact that its decision rests on has changed since planning."""
    FAILED = "failed"
    """The storage could not write it."""
    NOT_ATTEMPTED = "not_attempted"


class TransactionKind(enum.Enum):
    """Who pays, and why."""

    CHARGE = "charge"
    REFUND = "refund"
    DISTRIBUTOR_CHARGE = "distributor_charge"


class EffectKind(enum.Enum):
    """Something that follows from the settings and that a person must see."""

    ACTIVATED = "activated"
    ACTIVATION_SCHEDULED = "activation_scheduled"
    ACTIVATION_CANCELLED = "activation_cancelled"
    EXPIRES_AT_ONCE = "expires_at_once"
    REVIVED = "revived"
    TERMINATED = "terminated"
    SUBSCRIPTION_STARTS = "subscription_starts"
    DISTRIBUTOR_CHARGED = "distributor_charged"
    DISTRIBUTOR_CHARGE_SCHEDULED = "distributor_charge_scheduled"


class NoteCode(enum.Enum):
    """Why a setting did not do what it usually does."""

    ALREADY_ACTIVE = "already_active"
    STILL_EXPIRED = "still_expired"
    STILL_BLOCKED = "still_blocked"


class RefusalCode(enum.Enum):
    """Why an account is left wholly untouched."""

    ACCOUNT_TERMINATED = "account_terminated"
    ALREADY_USED = "already_used"
    NOT_DEBIT = "not_debit"
    NOT_CHARGEABLE = "not_chargeable"
    ALREADY_CHARGED = "already_charged"
    CURRENCY_MISMATCH = "currency_mismatch"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ACTIVATION_IN_PAST = "activation_in_past"
    EXPIRES_BEFORE_ACTIVATION = "expires_before_activation"
    ACCOUNT_ROLE_MISMATCH = "account_role_mismatch"
    ADDON_NOT_ALLOWED = "addon_not_allowed"
    CHARGING_PERIOD_NOT_OFFERED = "charging_period_not_offered"
    SITE_OF_ANOTHER_CUSTOMER = "site_of_another_customer"
    DISTRIBUTOR_CHARGE_UNCLEAR = "distributor_charge_unclear"
    CUSTOMER_UNKNOWN = "customer_unknown"
    PRODUCT_UNKNOWN = "product_unknown"
    DISTRIBUTOR_UNKNOWN = "distributor_unknown"


@attrs.frozen(kw_only=True)
class Reason:
    """Why an account was not changed.

    Args:
        code: The refusal; None for what went wrong at apply.
        field: The setting or field that it is about.
        detail: The value, and what it collides with.
    """

    code: RefusalCode | None = None
    field: str
    detail: str


@attrs.frozen(kw_only=True)
class Transaction:
    """Money that leaves a ledger entry; a negative amount gives back to a distributor.

    Args:
        amount: In the currency of the account and its distributor.
        distributor: Who is charged; None for the account itself.
        internal_comment: Kept in the ledger, not shown to the user.
    """

    kind: TransactionKind
    amount: Money
    comment: str = ""
    reference: str | None = None
    distributor: str | None = None
    internal_comment: str = ""


@attrs.frozen(kw_only=True)
class Effect:
    """Something that follows and that a person must see.

    Args:
        at: When it takes place, in UTC, if it does so later.
        amount: The money that it is about, where known.
    """

    kind: EffectKind
    at: datetime | None = None
    amount: Money | None = None
    distributor: str | None = None
    product: str | None = None


@attrs.frozen
class Assign:
    """The field gets this value."""

    field: str = attrs.field(validator=attrs.validators.in_(CHANGEABLE))
    value: FieldValue


@attrs.frozen
class AlterAddons:
    """The add-ons lose some and gain some."""

    added: frozenset[str]
    removed: frozenset[str]

    @property
    def field(self) -> str:
        """The field that it is about."""
        return "addons"


@attrs.frozen
class ShiftBalance:
    """The balance moves by this amount, in the account's currency, whatever it is by then."""

    amount: Decimal

    @property
    def field(self) -> str:
        """The field that it is about."""
        return "balance"


Assignment: TypeAlias = Assign | AlterAddons | ShiftBalance


def value_after(assignment: Assignment, before: FieldValue) -> FieldValue:
    """The value of the field once the assignment was carried out on an account that has the value before."""
    match assignment:
        case Assign(value=value):
            return value
        case AlterAddons(added=added, removed=removed):
            assert isinstance(before, frozenset)  # The type of every field's value is Account's.
            return (before - removed) | added
        case ShiftBalance(amount=amount):
            assert isinstance(before, Decimal)  # The type of every field's value is Account's.
            return add(before, amount)
        case _:
            assert_never(assignment)


@attrs.frozen(kw_only=True)
class Decision:
    """What becomes of every account that has the same facts; equal for all of them.

    Either it refuses, and then it holds nothing but the refusals, or it changes something, or it leaves the account
    unchanged and holds nothing but notes.
    """

    assignments: tuple[Assignment, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    effects: tuple[Effect, ...] = ()
    notes: tuple[NoteCode, ...] = ()
    refusals: tuple[Reason, ...] = ()

    @property
    def planned(self) -> Outcome:
        """The outcome that the plan foresees: applied, unchanged or refused."""
        if self.refusals:
            return Outcome.REFUSED
        return Outcome.APPLIED if self.assignments or self.transactions else Outcome.UNCHANGED

    @property
    def shift(self) -> Decimal:
        """By how much the balance moves."""
        return next((step.amount for step in self.assignments if isinstance(step, ShiftBalance)), Decimal(0))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it writes."""
        return tuple(assignment.field for assignment in self.assignments)
