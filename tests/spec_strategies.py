"""Hypothesis strategies of what to set, on what, by which catalog and when: the world of strategies.py, on any day.

The days are those on which calendars do odd things, and the day of the rest of the world. Everything is drawn close
together, so that dates collide with today, settings with what is set already, and funds with what is taken.
"""

import functools
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import strategies as st

from account_batch import AccountFilter, MemoryStore, apply_plan, plan_update
from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.filters import ControlNumbers
from account_batch.money import Money
from account_batch.spec import (
    CLEAR,
    ActivateNow,
    ActivateOn,
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
from sameness import Store
from strategies import ACCOUNT_ROLES, AVAILABILITY_DAYS, MONTHS, TODAY, accounts

__all__ = [
    "BATCH",
    "REFERENCES",
    "Case",
    "cases",
    "catalogs",
    "instants",
    "specs",
    "stock",
    "stocked",
    "targets",
    "todays",
]

BATCH = "SUMMER-2026"
REFERENCES = ("fee-2026", "back-2026")
"""What a charge and a refund may be called; a refund never has the name of a charge."""

_ZONES = (
    "America/New_York",
    "Europe/Kyiv",
    "Pacific/Auckland",
    "Pacific/Apia",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
)
_ADDONS = ("call-waiting", "voicemail", "fax")
_AMOUNTS = ("0", "0.00001", "0.5", "1.00", "4.99999", "5.00", "10.00", "15.00", "15.00003", "20.00")
_AWAY = (-90, -30, -8, -7, -2, -1, 0, 0, 1, 1, 2, 7, 30, 365)
_DATES = ("activation_date", "expiration_date", "first_used_on", "last_recharged_on")


@functools.cache
def todays() -> st.SearchStrategy[date]:
    """The day of the world, a day without midnight (Beirut), with two (Havana), and one that was skipped (Apia)."""
    return st.sampled_from([TODAY, TODAY, date(2027, 3, 28), date(2026, 11, 1), date(2011, 12, 30)])


@functools.cache
def instants(today: date = TODAY) -> st.SearchStrategy[datetime]:
    """Instants of a day and of the two beside it, often where it begins somewhere."""
    noon = datetime.combine(today, time(12), UTC)
    exact = st.integers(-36, 36).map(lambda hours: noon + timedelta(hours=hours))
    beside = st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=15), timedelta(microseconds=-1)])
    return st.builds(datetime.__add__, exact, beside)


# Strategies are made once, here or behind a cache: making them costs more than drawing from them.
_CLEAR = st.just(CLEAR)
_ONE_TO_THREE = st.integers(1, 3)
_ONE_IN_THREE = st.sampled_from([False] * 2 + [True])
_ONE_IN_TWENTY = st.sampled_from([False] * 19 + [True])
_NONNEGATIVE = st.sampled_from(_AMOUNTS) | st.decimals(min_value=0, max_value=40, places=5)
_POSITIVE = st.sampled_from(_AMOUNTS[1:]) | st.decimals(min_value="0.00001", max_value=40, places=5)
_CURRENCY = st.sampled_from(["USD"] * 9 + ["EUR"])


def _takings(kind: type[Charge | Refund], reference: str) -> st.SearchStrategy[Charge | Refund]:
    return st.builds(
        kind,
        st.builds(Money, _POSITIVE, _CURRENCY),
        comment=st.sampled_from(["", "SIM fee"]),
        internal_comment=st.sampled_from(["", "ticket 7"]),
        reference=st.sampled_from([None, reference]),
        allow_overdraft=st.booleans(),
    )


def _addons(least: int) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(_ADDONS), min_size=least, max_size=2)


@functools.cache
def _settings(today: date) -> Mapping[str, st.SearchStrategy[Any]]:
    days = st.sampled_from([today + timedelta(days=away) for away in _AWAY])
    distributors = st.sampled_from(["north", "north", "south"])
    return {
        "activation": st.one_of(
            st.just(ActivateNow()), st.builds(ActivateOn, days), st.builds(ActivateOn, days), _CLEAR
        ),
        "expiration": st.one_of(st.builds(ExpireOn, days), st.builds(ExpireOn, days), _CLEAR),
        "availability_days": st.sampled_from([*AVAILABILITY_DAYS, CLEAR]),
        "status": st.sampled_from([StatusChange.BLOCKED, StatusChange.UNBLOCKED]),
        "opening_balance": st.builds(Money, _NONNEGATIVE, _CURRENCY),
        "charge": _takings(Charge, REFERENCES[0]),
        "refund": _takings(Refund, REFERENCES[1]),
        "product": st.sampled_from(["gold", "gold", "silver", "silver", "euro"]),
        "addons": st.one_of(
            st.builds(AssignAddons, _addons(1)),
            st.builds(ReplaceAddons, _addons(0)),
            st.builds(RemoveAddons, _addons(1)),
        ),
        "charging_period": st.sampled_from([*MONTHS, CLEAR]),
        "associated_number": st.sampled_from(["18005551234", "18005559999", CLEAR]),
        "unified_messaging": st.sampled_from(UnifiedMessaging),
        "ivr_language": st.sampled_from(["en", "uk", CLEAR]),
        "time_zone": st.sampled_from(["America/New_York", "Asia/Kathmandu", CLEAR]),
        "role": st.sampled_from(["default", "boss"]),
        "site": st.sampled_from(["hq", "hq", "lviv", CLEAR]),
        "distributor": st.one_of(
            st.builds(AssignDistributor, distributors, charge=st.sampled_from([None, True, False])),
            st.builds(AssignDistributor, distributors),
            _CLEAR,
        ),
    }


_NAMES = sorted(_settings(TODAY))
# The settings with the most to go wrong come up more often than the plain ones.
_INVOLVED = ["activation", "expiration", "availability_days", "opening_balance", "charge", "product", "distributor"]
_TERMINATE = UpdateSpec(status=StatusChange.TERMINATED)


@functools.cache
def specs(*, today: date = TODAY, most: int = 6) -> st.SearchStrategy[UpdateSpec]:
    """Specs of one to so many settings that the catalog knows all of; now and then one that terminates."""
    settings = _settings(today)
    names = st.sets(st.sampled_from(_INVOLVED * 2 + _NAMES), min_size=1, max_size=most)

    @st.composite
    def drawn(draw: st.DrawFn) -> UpdateSpec:
        if draw(_ONE_IN_TWENTY):
            return _TERMINATE
        chosen: dict[str, Any] = {name: draw(settings[name]) for name in sorted(draw(names))}
        return UpdateSpec(**chosen)

    return drawn()


_FRACTIONS = st.sampled_from([Decimal(text) for text in ("0", "0.15", "0.33333", "0.5", "0.9999999999", "1")])
_SUBSCRIPTIONS = st.none() | st.builds(
    Subscription,
    in_advance=st.sampled_from([True, True, False]),
    prepaid_months=st.sets(st.sampled_from(MONTHS)).map(sorted),
    fee=st.sampled_from([None, Decimal(0), Decimal("9.99")]),
)
_ROLES = st.sampled_from([None, None, None, *ACCOUNT_ROLES])
_ALLOWED = st.frozensets(st.sampled_from(_ADDONS), min_size=1)
_OWNERS = st.sampled_from([["acme"], ["acme"], ["acme", "dnipro"], ["acme", "dnipro", "kiwi"]])
_ZONE = st.sampled_from(_ZONES)
_SALE_COMMISSIONS = st.none() | _FRACTIONS


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Catalogs with everything that specs name, and with all that the rules look at drawn."""
    products = [
        Product(
            id=name,
            currency="EUR" if name == "euro" else "USD",
            account_role=draw(_ROLES),
            allowed_addons=draw(_ALLOWED),
            subscription=draw(_SUBSCRIPTIONS),
        )
        for name in ("gold", "silver", "euro")
    ]
    addons = [
        Product(id=name, currency=draw(_CURRENCY), is_addon=True, subscription=draw(_SUBSCRIPTIONS)) for name in _ADDONS
    ]
    return Catalog(
        customers=[Customer(id=name, billing_time_zone=draw(_ZONE)) for name in ("acme", "dnipro", "kiwi")],
        batches=[Batch(id=BATCH, customer=name, sale_commission=draw(_SALE_COMMISSIONS)) for name in draw(_OWNERS)],
        products=products + addons,
        sites=[Site(id="hq", customer="acme"), Site(id="lviv", customer="dnipro")],
        distributors=[
            Distributor(id="north", currency="USD", commission=draw(_FRACTIONS)),
            Distributor(id="south", currency=draw(_CURRENCY), commission=draw(_FRACTIONS)),
        ],
        roles=["default", "boss"],
        ivr_languages=["en", "uk"],
    )


# What most accounts of the batch are like, so that not all of them are refused.
_USUAL: Mapping[str, st.SearchStrategy[Any]] = {
    "customer": st.sampled_from(["acme", "acme", "acme", "dnipro", "kiwi"]),
    "kind": st.sampled_from([AccountKind.DEBIT, AccountKind.DEBIT, AccountKind.CREDIT]),
    "state": st.sampled_from([AccountState.INACTIVE, AccountState.OPEN]),
    "currency": st.just("USD"),
    "opening_balance": _NONNEGATIVE,
    "balance": _NONNEGATIVE,
    "first_used_on": st.none(),
    "product": st.sampled_from(["gold", "silver"]),
    "addons": st.sampled_from([frozenset(), frozenset({"call-waiting"})]),
    "site": st.sampled_from([None, "hq"]),
    "distributor": st.sampled_from([None, "north"]),
}
_WILD = accounts()
_OTHER_STATE = {
    AccountState.INACTIVE: AccountState.OPEN,
    AccountState.OPEN: AccountState.INACTIVE,
    AccountState.CLOSED: AccountState.INACTIVE,
}
_UNUSUAL = (
    "",
    "",
    "",
    "kind state",
    "customer site",
    "currency",
    "product addons",
    "distributor first_used_on",
    " ".join(_USUAL),
)
_HOW_USUAL = st.sampled_from([sorted(set(_USUAL) - set(names.split())) for names in _UNUSUAL])


@st.composite
def targets(draw: st.DrawFn, today: date = TODAY) -> list[Account]:
    """Accounts of one batch, most as usual, some partly so, some as wild as accounts may be, each with its twins.

    A twin is in another state or was never used: accounts that rules tell apart cost less than drawing more of them.
    """
    found = []
    for number in range(1, 10 * draw(_ONE_TO_THREE), 10):
        wild = draw(_WILD)
        changed: dict[str, Any] = {name: draw(_USUAL[name]) for name in draw(_HOW_USUAL)}
        for name in _DATES:
            value = changed.get(name, getattr(wild, name))
            changed[name] = value and value + (today - TODAY)
        account = attrs.evolve(wild, batch=BATCH, **changed)
        twins = {
            account,
            attrs.evolve(account, state=_OTHER_STATE[account.state]),
            attrs.evolve(account, first_used_on=None),
            attrs.evolve(account, state=_OTHER_STATE[account.state], first_used_on=None, distributor=None),
        }
        found += [
            attrs.evolve(twin, id=f"447700{place}", control_number=place)
            for place, twin in enumerate(sorted(twins, key=repr), number)
        ]
    return found


@attrs.frozen(kw_only=True)
class Case:
    """Everything that planning needs; stocked makes the store of it.

    Args:
        specs: To be set on the same accounts, one or the other.
        charged: The ids of the accounts that each of the references has reached already.
        customer: The customer in the filter, needed where the batch has several.
    """

    accounts: tuple[Account, ...]
    specs: tuple[UpdateSpec, ...]
    catalog: Catalog
    now: datetime
    charged: Mapping[str, frozenset[str]]
    customer: str | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Accounts, what to set on them, by which catalog and when, all of one day."""
    today = draw(todays())
    found = draw(targets(today))
    catalog = draw(catalogs())
    owners = [batch.customer for batch in catalog.batches]
    return Case(
        accounts=tuple(found),
        specs=tuple(draw(specs(today=today)) for _ in range(draw(_ONE_TO_THREE))),
        catalog=catalog,
        now=draw(instants(today)),
        charged={
            reference: frozenset(account.id for account in found if draw(_ONE_IN_THREE)) for reference in REFERENCES
        },
        customer="acme" if len(owners) > 1 else None,
    )


def stocked(case: Case) -> MemoryStore:
    """A store of the accounts as they are, with a ledger of earlier campaigns."""
    store = MemoryStore(case.accounts)
    stock(store, case)
    return store


def stock(store: Store, case: Case) -> None:
    """Give the accounts of a store a ledger of earlier campaigns; not all of them can be reached by these."""
    for reference, ids in case.charged.items():
        for currency in {account.currency for account in case.accounts if account.id in ids}:
            numbers = ControlNumbers(account.control_number or 0 for account in case.accounts if account.id in ids)
            where = AccountFilter(batch=BATCH, control_numbers=numbers, customer=case.customer)
            spec = UpdateSpec(charge=Charge(Money(1, currency), reference=reference, allow_overdraft=True))
            apply_plan(plan_update(store, where, spec, catalog=case.catalog, now=case.now), store, now=case.now)
    charged = {account_id for ids in case.charged.values() for account_id in ids}
    for account in case.accounts:
        if account.id in charged:
            store.put(account)
