"""Draft: the account as far as the rules have decided, and Request, what they decide by."""

import functools
from datetime import date, datetime, timedelta
from decimal import Decimal

import attrs

from account_batch.account import AccountState
from account_batch.calendar import local_date
from account_batch.catalog import Catalog
from account_batch.decision import (
    AlterAddons,
    Assign,
    Assignment,
    Decision,
    Effect,
    EffectKind,
    FieldValue,
    NoteCode,
    Reason,
    RefusalCode,
    ShiftBalance,
    Transaction,
)
from account_batch.money import Money, add
from account_batch.questions import Equals, Facts, HasAddon, IsSet, OnOrBefore, Value
from account_batch.spec import UpdateSpec

__all__ = ["Draft", "Request"]


@attrs.frozen(kw_only=True)
class Request:
    """What the rules decide by, besides the facts.

    Args:
        now: Aware, in UTC.
        due: Whether only scheduled activations that have come due are carried out.
    """

    spec: UpdateSpec
    catalog: Catalog
    now: datetime
    due: bool = False

    @functools.cached_property
    def today(self) -> dict[str, date]:
        """The date that the calendar of each known customer shows now."""
        zones = {customer.billing_time_zone for customer in self.catalog.customers}
        dates = {zone: local_date(self.now, zone) for zone in zones}
        return {customer.id: dates[customer.billing_time_zone] for customer in self.catalog.customers}

    @property
    def latest(self) -> date:
        """The latest date that any calendar on Earth shows now."""
        return (self.now + timedelta(hours=14)).date()

    @property
    def todays(self) -> tuple[date, ...]:
        """The local dates, at most three, that are current in the catalog's zones."""
        return tuple(sorted(set(self.today.values())))


class Draft:
    """The account as the rules so far leave it; later rules see what earlier ones set.

    A refused setting leaves the old value, and the later rules still speak, so that all refusals are collected.

    Attributes:
        opened: Whether the account becomes open.
        scheduled_at: When it will become open, if this update schedules that.
    """

    def __init__(self, request: Request, facts: Facts) -> None:
        self.request = request
        self.facts = facts
        self.opened = False
        self.scheduled_at: datetime | None = None
        self._values: dict[str, FieldValue] = {}
        self._assignments: dict[str, Assignment] = {}
        self._shift = Decimal(0)
        self._transactions: list[Transaction] = []
        self._effects: list[Effect] = []
        self._notes: list[NoteCode] = []
        self._refusals: list[Reason] = []

    @property
    def spec(self) -> UpdateSpec:
        """What to set."""
        return self.request.spec

    @property
    def catalog(self) -> Catalog:
        """What there is."""
        return self.request.catalog

    @property
    def state(self) -> AccountState:
        """The state before the update."""
        state = self.before("state")
        assert isinstance(state, AccountState)  # The type of every field's value is Account's.
        return state

    def before(self, field: str) -> FieldValue:
        """The value of a field of few values before the update."""
        return self.facts[Value(field)]

    def after(self, field: str) -> FieldValue:
        """The value of a field of few values as it is decided so far."""
        return self._values[field] if field in self._values else self.before(field)

    def changes(self, field: str) -> bool:
        """Whether the field gets another value than it has."""
        return field in self._assignments

    def is_set(self, field: str) -> bool:
        """Whether the field has a value, as it is decided so far."""
        return self._values[field] is not None if field in self._values else self.facts.holds(IsSet(field))

    def on_or_before(self, field: str, day: date) -> bool:
        """Whether a date is on or before a day, as it is decided so far; an unset date is not."""
        if field in self._values:
            value = self._values[field]
            return isinstance(value, date) and value <= day
        return self.facts.holds(OnOrBefore(field, day))

    def decided_day(self, field: str) -> date | None:
        """The date that the update sets, whether or not the field has it already; None where it sets none."""
        value = self._values.get(field)
        return value if isinstance(value, date) else None

    def has_addon(self, addon: str) -> bool:
        """Whether the account has the add-on, as it is decided so far."""
        match self._assignments.get("addons"):
            case AlterAddons(added=added, removed=removed) if addon in added | removed:
                return addon in added
            case Assign(value=frozenset() as addons):
                return addon in addons
            case _:
                return self.facts.holds(HasAddon(addon))

    def today(self, field: str) -> date | None:
        """The date at the customer now, or None after refusing, because the catalog does not know the customer."""
        customer = self.before("customer")
        today = self.request.today.get(str(customer))
        if today is None:
            self.refuse(RefusalCode.CUSTOMER_UNKNOWN, field, f'needs the billing zone of customer "{customer}"')
        return today

    def assign(self, field: str, value: FieldValue) -> None:
        """Set a field of few values; a value that it already has changes nothing."""
        self._values[field] = value
        if value != self.before(field):
            self._assignments[field] = Assign(field, value)

    def assign_many_valued(self, field: str, value: date | str | None) -> None:
        """Set a field that takes too many values to be a fact; a value that it already has changes nothing."""
        same = not self.facts.holds(IsSet(field)) if value is None else self.facts.holds(Equals(field, value))
        self._values[field] = value
        if not same:
            self._assignments[field] = Assign(field, value)

    def replace_addons(self, addons: frozenset[str]) -> None:
        """Set the add-ons, which are others than the account has."""
        self._assignments["addons"] = Assign("addons", addons)

    def alter_addons(self, *, added: frozenset[str], removed: frozenset[str]) -> None:
        """Give add-ons that the account does not have, take away those that it has."""
        if added or removed:
            self._assignments["addons"] = AlterAddons(added, removed)

    def shift_balance(self, amount: Decimal) -> None:
        """Move the balance."""
        self._shift = add(self._shift, amount)

    def book(self, transaction: Transaction) -> None:
        """Leave a ledger entry."""
        self._transactions.append(transaction)

    def affect(
        self,
        kind: EffectKind,
        *,
        at: datetime | None = None,
        amount: Money | None = None,
        distributor: str | None = None,
        product: str | None = None,
    ) -> None:
        """Say what follows."""
        self._effects.append(Effect(kind=kind, at=at, amount=amount, distributor=distributor, product=product))

    def note(self, code: NoteCode) -> None:
        """Say, once, why a setting does not do what it usually does."""
        if code not in self._notes:
            self._notes.append(code)

    def refuse(self, code: RefusalCode, field: str, detail: str) -> None:
        """Refuse a setting, and with it the account."""
        self._refusals.append(Reason(code=code, field=field, detail=detail))

    def decision(self) -> Decision:
        """What the rules decided."""
        if self._refusals:
            return Decision(refusals=tuple(self._refusals))
        assignments = list(self._assignments.values())
        if self._shift:
            assignments.append(ShiftBalance(self._shift))
        return Decision(
            assignments=tuple(assignments),
            transactions=tuple(self._transactions),
            effects=tuple(self._effects),
            notes=tuple(self._notes),
        )
