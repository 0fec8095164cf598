"""Plain values of the oracle as values of the library, back again, and in words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any

import attrs

from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch
from account_batch.money import Money
from account_batch.spec import (
    CLEAR,
    ActivateNow,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    UpdateSpec,
)
from account_batch.testing.oracle import COMMISSION, Entry, Row, Settings, Where

__all__ = [
    "CATALOG",
    "LATER",
    "NOW",
    "TODAY",
    "account_of",
    "differences",
    "differing",
    "entry_of",
    "filter_of",
    "plain_value",
    "row",
    "row_of",
    "said",
    "shown",
    "spec_of",
    "stopping",
]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 13, tzinfo=UTC)
TODAY = date(2026, 11, 23)
_SUBSCRIPTION = Subscription(in_advance=True, prepaid_months=[6, 12])
CATALOG = Catalog(
    customers=[Customer(id="acme", billing_time_zone="UTC"), Customer(id="Acme", billing_time_zone="UTC")],
    batches=[Batch(id=name, customer="acme") for name in ("B", "b", "B ", "C")],
    products=[
        *(
            Product(id=name, currency="USD", allowed_addons=["fax", "sms"], subscription=_SUBSCRIPTION)
            for name in ("gold", "Gold", "silver")
        ),
        Product(id="fax", currency="USD", is_addon=True),
        Product(id="sms", currency="USD", is_addon=True),
    ],
    distributors=[Distributor(id=name, currency="USD", commission=COMMISSION) for name in ("north", "south")],
    sites=[Site(id="hq", customer="acme"), Site(id="lab", customer="acme")],
    roles=["boss", "default"],
    ivr_languages=["de", "en", "uk"],
)
_ADDONS = {"assign": AssignAddons, "replace": ReplaceAddons, "remove": RemoveAddons}
_FEW = 8


def row(name: str, **fields: Any) -> Row:
    """An account of the batch B that is open and debit, unless said otherwise."""
    plain = Account(id=name, batch="B", customer="acme", kind=AccountKind.DEBIT, currency="USD", product="gold")
    return row_of(plain) | fields


def account_of(one: Row) -> Account:
    """The account that a row is."""
    enums: dict[str, type[Enum]] = {"kind": AccountKind, "state": AccountState, "unified_messaging": UnifiedMessaging}
    values: dict[str, Any] = {name: enums[name](value) if name in enums else value for name, value in one.items()}
    return Account(**values)


def row_of(account: Account) -> Row:
    """The row that an account is."""
    return {field.name: plain_value(getattr(account, field.name)) for field in attrs.fields(Account)}


def plain_value(value: Any) -> Any:
    """A value of a field, with enums by their value."""
    if isinstance(value, Enum):
        return value.value
    return dict(value) if isinstance(value, Mapping) else value


def filter_of(where: Where) -> AccountFilter:
    """The filter that some criteria are."""
    criteria: dict[str, Any] = dict(where)
    if "control_numbers" in where:
        criteria["control_numbers"] = ControlNumbers(where["control_numbers"])
    if "account_id" in where:
        way, text = where["account_id"]
        criteria["account_id"] = getattr(TextMatch, way)(text)
    if "status" in where:
        criteria["status"] = StatusFilter(where["status"])
    if "registered" in where:
        registered = criteria.pop("registered")
        criteria["registration"] = Registration.REGISTERED if registered else Registration.UNREGISTERED
    return AccountFilter(**criteria)


def spec_of(settings: Settings) -> UpdateSpec:
    """The spec that some settings are."""
    spec = dict(_setting(name, value) for name, value in settings.items())
    return UpdateSpec(**spec)


def _setting(name: str, value: Any) -> tuple[str, Any]:
    """The attribute of UpdateSpec that a setting is."""
    match name:
        case "blocked":
            return "status", StatusChange.BLOCKED if value else StatusChange.UNBLOCKED
        case "terminated":
            return "status", StatusChange.TERMINATED
        case "activation":
            return name, ActivateNow()
        case "addons":
            return name, _ADDONS[value[0]](value[1])
        case "opening_balance":
            return name, Money(value, "USD")
        case "charge":
            return name, Charge(_usd(value), comment="fee", internal_comment="ticket", reference=value[1])
        case "refund":
            return name, Refund(_usd(value), comment="fee", internal_comment="ticket")
    if value is None:
        return name, CLEAR
    kinds: dict[str, Callable[[Any], Any]] = {
        "expiration": ExpireOn,
        "unified_messaging": UnifiedMessaging,
        "distributor": partial(AssignDistributor, charge=False),
    }
    return name, kinds[name](value) if name in kinds else value


def _usd(taken: tuple[Decimal, str | None]) -> Money:
    return Money(taken[0], "USD")


def entry_of(entry: Any) -> Entry:
    """What a ledger entry says."""
    amount = entry.amount
    texts = (entry.comment, entry.internal_comment, entry.reference, entry.distributor)
    return (entry.kind.value, amount.amount, amount.currency, *texts)


def said(values: Mapping[str, Any]) -> str:
    """Settings or criteria in words."""
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(repr, sorted(value))) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_value, value)) + ")"
    return str(value) if isinstance(value, Decimal | date) else repr(value)


def _shown_one(one: Row) -> str:
    plain = row("x")
    differs = {name: value for name, value in one.items() if name != "id" and value != plain[name]}
    return f"{one['id']!r} ({said(differs)})"


def shown(rows: Sequence[Row]) -> str:
    """Accounts in words."""
    if len(rows) <= _FEW:
        return "; ".join(map(_shown_one, rows)) or "of nobody"
    return f"{_shown_one(rows[0])}, {_shown_one(rows[1])} and so on to {_shown_one(rows[-1])}, {len(rows)} in all"


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """How what was found differs from what should be, in words."""
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    name = names[0]
    return f"{name!r} is {found.get(name, 'not in the plan')}, instead of {expected.get(name, 'not in the plan')}" + (
        f", and {len(names) - 1} more" if len(names) > 1 else ""
    )


def differing(found: Row, row: Row) -> str:
    """Which fields of an account are not as they should be, in words."""
    wrong = [field for field in row if found[field] != row[field]]
    return ", ".join(f"{field} is {found[field]!r} instead of {row[field]!r}" for field in wrong)


def stopping(chunks: int | None) -> str:
    """When a run is told to stop, in words."""
    return "" if chunks is None else f"; should_stop says so after {chunks} chunks"
