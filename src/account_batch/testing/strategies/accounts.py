"""Strategies of accounts, and of what other programs write to them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging, as_items
from account_batch.catalog import Catalog
from account_batch.frozen import FrozenMapping
from account_batch.testing.strategies.amounts import amounts
from account_batch.testing.strategies.arguments import check_catalog, check_whole, field_strategies, named
from account_batch.testing.strategies.dates import calendar_dates
from account_batch.testing.strategies.names import (
    ACCOUNT_ROLES,
    ADDONS,
    BATCHES,
    CURRENCIES,
    CUSTOMERS,
    DISTRIBUTORS,
    LANGUAGES,
    MONTHS,
    NUMBERS,
    PRODUCTS,
    ROLES,
    SITES,
    TEXTS,
    TIME_ZONES,
)

__all__ = ["ACCOUNT_IDS", "CONTROL_NUMBERS", "DETAILS", "FIELD_VALUES", "accounts", "rival_writes"]

ACCOUNT_IDS = st.text("01479abAB%_", min_size=1, max_size=6)
"""Ids with common beginnings and ends, some with what other languages take for wildcards."""
CONTROL_NUMBERS = st.integers(1, 12)
DETAILS = st.dictionaries(st.sampled_from(["email", "colour"]), st.sampled_from(TEXTS), max_size=2)
"""Few names with few texts, often none."""

_PLAIN: Mapping[str, object] = {
    "id": "0",
    "customer": CUSTOMERS[0],
    "kind": AccountKind.DEBIT,
    "currency": "USD",
    "product": PRODUCTS[0],
}
_DAY = st.none() | calendar_dates(date(2026, 1, 1), date(2027, 12, 31))
_STATE = st.sampled_from([AccountState.OPEN, AccountState.INACTIVE, AccountState.CLOSED])
_NUMBER = st.none() | CONTROL_NUMBERS
_MONTHS = st.none() | st.sampled_from(MONTHS)


def _optional(names: Sequence[str]) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *names])


# What does not depend on a catalog.
_OWN: Mapping[str, st.SearchStrategy[Any]] = {
    "id": ACCOUNT_IDS,
    "control_number": _NUMBER,
    "kind": st.sampled_from([AccountKind.DEBIT, AccountKind.DEBIT, AccountKind.CREDIT, AccountKind.VOUCHER]),
    "state": _STATE,
    "blocked": st.booleans(),
    "registered": st.booleans(),
    "opening_balance": amounts(0, 1000),
    "balance": amounts(-20, 1000),
    "activation_date": _DAY,
    "expiration_date": _DAY,
    "availability_days": st.none() | st.sampled_from([1, 7, 30, 90]),
    "first_used_on": _DAY,
    "last_recharged_on": _DAY,
    "charging_period": _MONTHS,
    "associated_number": _optional(NUMBERS),
    "unified_messaging": st.sampled_from(UnifiedMessaging),
    "time_zone": _optional(TIME_ZONES),
    "contact": DETAILS,
    "custom_fields": DETAILS,
}
# What does, where there is none.
_POINTING: Mapping[str, st.SearchStrategy[Any]] = {
    "batch": _optional(BATCHES),
    "customer": st.sampled_from(CUSTOMERS),
    "account_role": _optional(ACCOUNT_ROLES),
    "currency": st.sampled_from(["USD", "USD", *CURRENCIES]),
    "product": st.sampled_from(PRODUCTS),
    "addons": st.frozensets(st.sampled_from(ADDONS)),
    "ivr_language": _optional(LANGUAGES),
    "role": _optional(ROLES),
    "site": _optional(SITES),
    "distributor": _optional(DISTRIBUTORS),
}


def accounts(catalog: Catalog | None = None, **fields: object) -> st.SearchStrategy[Account]:
    """Accounts of every kind and state; fields that may be unset often are.

    They shrink to an open debit account of which only the required fields are set.

    Args:
        catalog: What the accounts point at: batch and site are of the account's customer, currency, role and add-ons
            those of its product. Without it, they point at a few names.
        fields: For each field of Account a strategy, or a plain value.

    Raises:
        InvalidArgument: A name is no field of Account, a plain value none for its field, or the catalog has no
            customer or main product and none is given.
    """
    check_catalog(catalog, optional=True)
    given = field_strategies(Account, fields, _PLAIN)
    if catalog is None:
        return st.builds(Account, **{**_OWN, **_POINTING, **given})
    batch = fields.get("batch")
    owners = [entry.customer for entry in catalog.batches if entry.id == batch]
    if owners and "customer" not in given:
        given = {**given, "customer": st.sampled_from(owners)}
    products = [product for product in catalog.products if not product.is_addon]
    for name, there in (("customer", catalog.customers), ("product", products)):
        if not there and name not in given:
            raise InvalidArgument(f"catalog: has no {name}; add one, or pass {name}=")
    return _accounts_of(catalog, given)


@st.composite
def _accounts_of(draw: st.DrawFn, catalog: Catalog, given: Mapping[str, st.SearchStrategy[Any]]) -> Account:
    def drawn(name: str, values: Iterable[object]) -> Any:
        return draw(given[name] if name in given else st.sampled_from(list(values)))

    customer = drawn("customer", (entry.id for entry in catalog.customers))
    product = drawn("product", (entry.id for entry in catalog.products if not entry.is_addon))
    known = catalog.product(product)
    roles = ACCOUNT_ROLES if known is None or known.account_role is None else ()
    allowed = [] if known is None else sorted(name for name in known.allowed_addons if catalog.product(name))
    pointing = {
        "customer": customer,
        "product": product,
        "batch": drawn("batch", [None, *(entry.id for entry in catalog.batches if entry.customer == customer)]),
        "site": drawn("site", [None, *(entry.id for entry in catalog.sites if entry.customer == customer)]),
        "account_role": drawn("account_role", [known and known.account_role, *roles]),
        "currency": drawn("currency", ["USD" if known is None else known.currency]),
        "addons": draw(given.get("addons", st.frozensets(st.sampled_from(allowed)) if allowed else _NO_ADDONS)),
        "ivr_language": drawn("ivr_language", [None, *sorted(catalog.ivr_languages)]),
        "role": drawn("role", [None, *sorted(catalog.roles)]),
        "distributor": drawn("distributor", [None, *(entry.id for entry in catalog.distributors)]),
    }
    return Account(**pointing, **{name: draw(given.get(name, values)) for name, values in _OWN.items()})


_NO_ADDONS = st.just(frozenset[str]())

_DAYS = (None, date(2026, 1, 1), date(2026, 11, 23), date(2027, 3, 28))
_DETAILS = tuple(FrozenMapping(items) for items in ({}, {"email": "red"}, {"email": "Red"}, {"colour": "red"}))
FIELD_VALUES: Mapping[str, tuple[Any, ...]] = {
    "balance": tuple(map(Decimal, ("0", "1", "5", "15.00", "-1", "4.99999"))),
    "batch": (None, *BATCHES),
    "control_number": (None, 1, 2, 3),
    "customer": CUSTOMERS,
    "kind": tuple(AccountKind),
    "account_role": (None, *ACCOUNT_ROLES),
    "state": tuple(AccountState),
    "blocked": (False, True),
    "registered": (False, True),
    "currency": CURRENCIES,
    "opening_balance": tuple(map(Decimal, ("0", "5", "15.00"))),
    "activation_date": _DAYS,
    "expiration_date": _DAYS,
    "availability_days": (None, 1, 30),
    "first_used_on": _DAYS,
    "last_recharged_on": _DAYS,
    "product": PRODUCTS,
    "addons": tuple(frozenset(addons) for addons in ((), ADDONS[:1], ADDONS[1:], ADDONS)),
    "charging_period": (None, *MONTHS),
    "associated_number": (None, *NUMBERS),
    "unified_messaging": tuple(UnifiedMessaging),
    "ivr_language": (None, *LANGUAGES),
    "time_zone": (None, *TIME_ZONES),
    "role": (None, *ROLES),
    "site": (None, *SITES),
    "distributor": (None, *DISTRIBUTORS),
    "contact": _DETAILS,
    "custom_fields": _DETAILS,
}
"""A few values of every field of Account but its id."""
_SOME_FIELDS = st.lists(st.sampled_from(list(FIELD_VALUES)), unique=True, min_size=1, max_size=3)


def rival_writes(accounts: Iterable[Account], *, max_size: int = 5) -> st.SearchStrategy[list[Account]]:
    """What other programs write while a plan waits: some of the accounts, each with one to three fields changed.

    The id stays; each write differs from the account as it is given, and the later of two to one account is not made
    on top of the earlier. They shrink to none.

    Args:
        accounts: Those of the store.
        max_size: The most writes.

    Raises:
        InvalidArgument: accounts holds none, or something else, or max_size is no whole number of at least 0.
    """
    found = named("accounts", lambda: as_items(accounts, "accounts"))
    if not found or not all(isinstance(account, Account) for account in found):
        raise InvalidArgument(f"accounts={accounts!r} are no accounts; pass at least one")
    check_whole("max_size", max_size, 0, 2**31 - 1)
    return st.lists(_writes(tuple(found)), max_size=max_size)


@st.composite
def _writes(draw: st.DrawFn, accounts: Sequence[Account]) -> Account:
    account = draw(st.sampled_from(accounts))
    changes: dict[str, Any] = {}
    for name in draw(_SOME_FIELDS):
        there = [getattr(other, name) for other in accounts]
        before = getattr(account, name)
        others = [value for value in dict.fromkeys([*FIELD_VALUES[name], *there]) if value != before]
        changes[name] = draw(st.sampled_from(others))
    return attrs.evolve(account, **changes)
