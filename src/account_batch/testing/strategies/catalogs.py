"""The strategy of catalogs, and those of the entries of one."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.testing.strategies.amounts import amounts
from account_batch.testing.strategies.arguments import field_strategies
from account_batch.testing.strategies.names import (
    ACCOUNT_ROLES,
    ADDONS,
    BATCHES,
    CUSTOMERS,
    DISTRIBUTORS,
    LANGUAGES,
    MONTHS,
    PRODUCTS,
    ROLES,
    SITES,
    ZONES,
)

__all__ = ["BATCH", "CUSTOMER", "DISTRIBUTOR", "PRODUCT", "SITE", "SUBSCRIPTION", "catalogs"]

_CURRENCY = st.sampled_from(["USD"] * 7 + ["EUR"])
_ZONE = st.sampled_from(ZONES)
_FRACTION = st.sampled_from([Decimal(text) for text in ("0", "0.15", "0.5", "0.33333", "0.9999999999", "1")])
_COMMISSION = st.none() | _FRACTION
_CREDIT_LIMIT = st.none() | amounts(0, 100)
_OWED = amounts(-1, 100)
_ROLE = st.sampled_from([None, None, None, *ACCOUNT_ROLES])

SUBSCRIPTION = st.builds(
    Subscription,
    in_advance=st.sampled_from([True, True, False]),
    prepaid_months=st.sets(st.sampled_from(MONTHS)).map(sorted),
    fee=st.none() | amounts(0, 100),
)
_SUBSCRIPTION = st.none() | SUBSCRIPTION
CUSTOMER = st.builds(Customer, id=st.sampled_from(CUSTOMERS), billing_time_zone=_ZONE)
BATCH = st.builds(Batch, id=st.sampled_from(BATCHES), customer=st.sampled_from(CUSTOMERS), sale_commission=_COMMISSION)
_MAIN = st.builds(
    Product,
    id=st.sampled_from(PRODUCTS),
    currency=_CURRENCY,
    account_role=_ROLE,
    allowed_addons=st.frozensets(st.sampled_from(ADDONS)),
    subscription=_SUBSCRIPTION,
)
_ADDON = st.builds(
    Product, id=st.sampled_from(ADDONS), currency=_CURRENCY, is_addon=st.just(True), subscription=_SUBSCRIPTION
)
PRODUCT = _MAIN | _ADDON
SITE = st.builds(Site, id=st.sampled_from(SITES), customer=st.sampled_from(CUSTOMERS))
DISTRIBUTOR = st.builds(
    Distributor,
    id=st.sampled_from(DISTRIBUTORS),
    currency=_CURRENCY,
    commission=_FRACTION,
    credit_limit=_CREDIT_LIMIT,
    balance=_OWED,
)


def _some(names: Sequence[str], *, least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True, min_size=least)


_CUSTOMERS, _PRODUCTS = (_some(names, least=1) for names in (CUSTOMERS, PRODUCTS))
_ADDONS, _SITES, _DISTRIBUTORS = (_some(names) for names in (ADDONS, SITES, DISTRIBUTORS))
_ROLES, _LANGUAGES = (st.frozensets(st.sampled_from(names)) for names in (ROLES, LANGUAGES))


def catalogs(**fields: object) -> st.SearchStrategy[Catalog]:
    """Catalogs that are consistent: batches and sites are of their customers, and allowed add-ons are in them.

    Unless its fields say otherwise, a catalog has a customer, a batch of it and a main product, which is what it
    shrinks to. Customers may share the name of a batch.

    Args:
        fields: For each field of Catalog a strategy, or a plain value; what is not given goes with what is.

    Raises:
        InvalidArgument: A name is no field of Catalog, or a plain value none for its field.
    """
    return _catalogs(field_strategies(Catalog, fields, {}))


@st.composite
def _catalogs(draw: st.DrawFn, given: Mapping[str, st.SearchStrategy[Any]]) -> Catalog:
    def drawn(name: str, otherwise: Callable[[], Any]) -> Any:
        return draw(given[name]) if name in given else otherwise()

    customers = list(drawn("customers", lambda: _drawn_customers(draw)))
    owners = [customer.id for customer in customers]
    return Catalog(
        customers=customers,
        batches=drawn("batches", lambda: _drawn_batches(draw, owners)),
        products=drawn("products", lambda: _drawn_products(draw)),
        sites=drawn("sites", lambda: _drawn_sites(draw, owners)),
        distributors=drawn("distributors", lambda: _drawn_distributors(draw)),
        roles=drawn("roles", lambda: draw(_ROLES)),
        ivr_languages=drawn("ivr_languages", lambda: draw(_LANGUAGES)),
    )


def _drawn_customers(draw: st.DrawFn) -> list[Customer]:
    return [Customer(id=name, billing_time_zone=draw(_ZONE)) for name in draw(_CUSTOMERS)]


def _drawn_batches(draw: st.DrawFn, owners: Sequence[str]) -> list[Batch]:
    if not owners:
        return []
    pairs = st.tuples(st.sampled_from(BATCHES), st.sampled_from(owners))
    return [
        Batch(id=name, customer=owner, sale_commission=draw(_COMMISSION))
        for name, owner in draw(st.lists(pairs, unique=True, min_size=1, max_size=4))
    ]


def _drawn_products(draw: st.DrawFn) -> list[Product]:
    names = draw(_ADDONS)
    allowed = st.frozensets(st.sampled_from(names)) if names else st.just(frozenset[str]())
    addons = [
        Product(id=name, currency=draw(_CURRENCY), is_addon=True, subscription=draw(_SUBSCRIPTION)) for name in names
    ]
    mains = [
        Product(
            id=name,
            currency=draw(_CURRENCY),
            account_role=draw(_ROLE),
            allowed_addons=draw(allowed),
            subscription=draw(_SUBSCRIPTION),
        )
        for name in draw(_PRODUCTS)
    ]
    return mains + addons


def _drawn_sites(draw: st.DrawFn, owners: Sequence[str]) -> list[Site]:
    return [Site(id=name, customer=draw(st.sampled_from(owners))) for name in draw(_SITES)] if owners else []


def _drawn_distributors(draw: st.DrawFn) -> list[Distributor]:
    return [
        Distributor(
            id=name,
            currency=draw(_CURRENCY),
            commission=draw(_FRACTION),
            credit_limit=draw(_CREDIT_LIMIT),
            balance=draw(_OWED),
        )
        for name in draw(_DISTRIBUTORS)
    ]
