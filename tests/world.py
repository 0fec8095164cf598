"""A small world for the tests of the rules, and what plans say about one account of it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from account_batch import (
    Account,
    AccountChange,
    AccountFilter,
    AccountKind,
    ActivateNow,
    ApplyPolicy,
    Batch,
    Catalog,
    Charge,
    Customer,
    Distributor,
    Effect,
    EffectKind,
    MemoryStore,
    Money,
    Plan,
    Product,
    RefusalCode,
    Site,
    StatusFilter,
    Subscription,
    Transaction,
    TransactionKind,
    UpdateSpec,
    apply_plan,
    plan_due,
    plan_update,
)
from account_batch.plan import RefusedAccount, UnchangedAccount

__all__ = [
    "CATALOG",
    "NOW",
    "TODAY",
    "account",
    "activates",
    "after",
    "changed",
    "charged_before",
    "codes",
    "distributor_charge",
    "due",
    "effect_kinds",
    "planned",
    "refused",
    "unchanged",
    "usd",
]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""In Auckland it is the 24th already."""
TODAY = date(2026, 11, 23)
"""The date of NOW in New York, where the customer of most accounts is billed."""

CATALOG = Catalog(
    customers=[
        Customer(id="acme", billing_time_zone="America/New_York"),
        Customer(id="kiwi", billing_time_zone="Pacific/Auckland"),
        Customer(id="samoa", billing_time_zone="Pacific/Apia"),
        Customer(id="havana", billing_time_zone="America/Havana"),
        Customer(id="beirut", billing_time_zone="Asia/Beirut"),
    ],
    batches=[
        Batch(id="SUMMER-2026", customer="acme"),
        Batch(id="ZERO", customer="acme", sale_commission=Decimal(0)),
        Batch(id="TENTH", customer="acme", sale_commission=Decimal("0.10")),
    ],
    products=[
        Product(
            id="gold",
            currency="USD",
            allowed_addons=["call-waiting", "voicemail", "premium", "arrears"],
            subscription=Subscription(in_advance=True, prepaid_months=[3, 6], fee=Decimal("9.99")),
        ),
        Product(id="silver", currency="USD", allowed_addons=["call-waiting", "voicemail"]),
        Product(id="phone", currency="USD", account_role="phone line"),
        Product(
            id="monthly",
            currency="USD",
            allowed_addons=["call-waiting"],
            subscription=Subscription(in_advance=False, prepaid_months=[12], fee=Decimal(5)),
        ),
        Product(id="euro", currency="EUR"),
        Product(
            id="call-waiting",
            currency="USD",
            is_addon=True,
            subscription=Subscription(in_advance=True, prepaid_months=[6, 12]),
        ),
        Product(id="voicemail", currency="USD", is_addon=True),
        Product(
            id="premium",
            currency="USD",
            is_addon=True,
            subscription=Subscription(in_advance=True, fee=Decimal("2.50")),
        ),
        Product(
            id="arrears",
            currency="USD",
            is_addon=True,
            subscription=Subscription(in_advance=False, prepaid_months=[12]),
        ),
        Product(id="fax", currency="USD", is_addon=True),
    ],
    sites=[Site(id="hq", customer="acme"), Site(id="port", customer="kiwi")],
    distributors=[
        Distributor(id="north", currency="USD", commission=Decimal("0.15")),
        Distributor(id="half", currency="USD", commission=Decimal("0.5")),
        Distributor(id="free", currency="USD", commission=Decimal(1)),
        Distributor(id="euro", currency="EUR", commission=Decimal("0.125")),
    ],
    roles=["default", "boss"],
    ivr_languages=["en", "uk"],
)

_Item = TypeVar("_Item")


def usd(amount: str) -> Money:
    """An amount in the currency of most accounts."""
    return Money(amount, "USD")


def account(**fields: Any) -> Account:
    """An open debit account that was never used and has all of its 15.00 USD, unless said otherwise."""
    usual: dict[str, Any] = {
        "id": "4477001",
        "batch": "SUMMER-2026",
        "control_number": 1,
        "customer": "acme",
        "kind": AccountKind.DEBIT,
        "currency": "USD",
        "opening_balance": Decimal(15),
        "balance": Decimal(15),
        "product": "gold",
    }
    return Account(**usual | fields)


def planned(
    target: Account,
    *,
    catalog: Catalog = CATALOG,
    now: datetime = NOW,
    store: MemoryStore | None = None,
    **settings: Any,
) -> Plan:
    """The plan that sets some attributes on one account.

    Args:
        target: It is the only account, unless a store is given.
        catalog: What there is.
        now: Aware.
        store: Has the account, and perhaps a ledger.
        settings: Attributes of UpdateSpec.
    """
    store = MemoryStore([target]) if store is None else store
    where = AccountFilter(batch=target.batch, status=StatusFilter.ANY)
    return plan_update(store, where, UpdateSpec(**settings), catalog=catalog, now=now)


def _only(items: Sequence[_Item]) -> _Item:
    (item,) = items
    return item


def changed(target: Account, **planning: Any) -> AccountChange:
    """What setting some attributes changes; the arguments are those of planned."""
    return _only(planned(target, **planning).changes)


def unchanged(target: Account, **planning: Any) -> UnchangedAccount:
    """The account that has all the attributes already; the arguments are those of planned."""
    return _only(planned(target, **planning).unchanged)


def refused(target: Account, **planning: Any) -> RefusedAccount:
    """The account that does not get the attributes; the arguments are those of planned."""
    return _only(planned(target, **planning).refused)


def codes(target: Account, **planning: Any) -> frozenset[RefusalCode]:
    """Why the account does not get the attributes, empty if it does; the arguments are those of planned."""
    plan = planned(target, **planning)
    return plan.refused[0].codes if plan.refused else frozenset()


def due(target: Account, *, catalog: Catalog = CATALOG, now: datetime = NOW) -> Plan:
    """The plan that opens the account, if that is due."""
    return plan_due(MemoryStore([target]), catalog=catalog, now=now)


def after(change: AccountChange) -> dict[str, object]:
    """The new value of each field that changes."""
    return {field.field: field.after for field in change.fields}


def effect_kinds(change: AccountChange) -> list[EffectKind]:
    """What follows, in the order in which it is shown."""
    return [effect.kind for effect in change.effects]


def charged_before(target: Account, reference: str) -> MemoryStore:
    """A store in which the account was charged with this reference already, and has what it has."""
    store = MemoryStore([target])
    plan = planned(target, store=store, charge=Charge(usd("1"), reference=reference, allow_overdraft=True))
    apply_plan(plan, store, now=NOW, policy=ApplyPolicy())
    store.put(target)
    return store


def distributor_charge(amount: str, distributor: str, currency: str = "USD") -> tuple[Transaction, Effect]:
    """The ledger entry, and the effect, of what a distributor is charged."""
    money = Money(amount, currency)
    return (
        Transaction(kind=TransactionKind.DISTRIBUTOR_CHARGE, amount=money, distributor=distributor),
        Effect(kind=EffectKind.DISTRIBUTOR_CHARGED, amount=money, distributor=distributor),
    )


def activates(target: Account, **planning: Any) -> AccountChange:
    """What activating the account immediately changes; the other arguments are those of planned."""
    return changed(target, activation=ActivateNow(), **planning)
