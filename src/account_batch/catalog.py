"""Catalog: the reference data that filters, specs and accounts point at."""

import functools
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import attrs

from account_batch.account import (
    as_items,
    as_texts,
    is_positive_int,
    validate_currency,
    validate_flag,
    validate_optional_text,
    validate_text,
)
from account_batch.calendar import is_zone
from account_batch.errors import InvalidValueError
from account_batch.money import as_amount

__all__ = ["Batch", "Catalog", "Customer", "Distributor", "Product", "Site", "Subscription"]


# The types that attrs hands to validators: mypy infers the type of a field from them, so both are open.
_Value = Any


def _fraction(value: Decimal | int | str, place: str) -> Decimal:
    fraction = as_amount(value, place, places=10)
    if not 0 <= fraction <= 1:
        raise InvalidValueError(f'{place}: {fraction} is no fraction from 0 to 1; 15 percent is "0.15"')
    return fraction


def _commission(value: Decimal | int | str) -> Decimal:
    return _fraction(value, "distributor.commission")


def _sale_commission(value: Decimal | int | str | None) -> Decimal | None:
    return None if value is None else _fraction(value, "batch.sale_commission")


def _fee(value: Decimal | int | str | None) -> Decimal | None:
    fee = None if value is None else as_amount(value, "subscription.fee")
    if fee is not None and fee < 0:
        raise InvalidValueError(f"subscription.fee: {fee} is negative")
    return fee


def _credit_limit(value: Decimal | int | str | None) -> Decimal | None:
    return None if value is None else as_amount(value, "distributor.credit_limit")


def _owed(value: Decimal | int | str) -> Decimal:
    return as_amount(value, "distributor.balance")


def _allowed_addons(value: Iterable[str]) -> frozenset[str]:
    return as_texts(value, "product.allowed_addons")


def _prepaid_months(value: Iterable[int]) -> tuple[int, ...]:
    months = as_items(value, "subscription.prepaid_months")
    for month in months:
        if not is_positive_int(month):
            raise InvalidValueError(f"subscription.prepaid_months: {month!r} is no whole number of months >= 1")
    return tuple(sorted(set(months)))


@attrs.frozen(kw_only=True)
class Customer:
    """An owner of accounts; every date of them takes effect in its billing time zone (IANA name)."""

    id: str = attrs.field(validator=validate_text)
    billing_time_zone: str = attrs.field(validator=validate_text)

    @billing_time_zone.validator
    def _check_zone(self, _: object, value: str) -> None:
        if not is_zone(value):
            raise InvalidValueError(
                f'customer.billing_time_zone: "{value}" is no IANA zone; write it like Europe/Kyiv (customer {self.id})'
            )


@attrs.frozen(kw_only=True)
class Batch:
    """A named group of accounts of one customer; names are unique per customer.

    Args:
        sale_commission: Fraction of the opening balance; comes before the distributor's, and 0 is a value.
    """

    id: str = attrs.field(validator=validate_text)
    customer: str = attrs.field(validator=validate_text)
    sale_commission: Decimal | None = attrs.field(default=None, converter=_sale_commission)


@attrs.frozen(kw_only=True)
class Subscription:
    """The recurring cost of a product.

    Args:
        in_advance: Whether it is charged before the service.
        prepaid_months: The multi-month prepaid plans that are offered.
        fee: In the product's currency, where known.
    """

    in_advance: bool = attrs.field(validator=validate_flag)
    prepaid_months: tuple[int, ...] = attrs.field(default=(), converter=_prepaid_months)
    fee: Decimal | None = attrs.field(default=None, converter=_fee)


def _optional_subscription(_: object, __: object, value: _Value) -> None:
    if value is not None and not isinstance(value, Subscription):
        raise InvalidValueError(f"product.subscription: {value!r} is no Subscription")


@attrs.frozen(kw_only=True)
class Product:
    """A main product, or an add-on to main products.

    Args:
        account_role: The role an account needs for it; None is any.
        allowed_addons: The add-ons that go with this main product.
    """

    id: str = attrs.field(validator=validate_text)
    currency: str = attrs.field(validator=validate_currency)
    account_role: str | None = attrs.field(default=None, validator=validate_optional_text)
    is_addon: bool = attrs.field(default=False, validator=validate_flag)
    allowed_addons: frozenset[str] = attrs.field(default=frozenset(), converter=_allowed_addons)
    subscription: Subscription | None = attrs.field(default=None, validator=_optional_subscription)

    @property
    def offered_months(self) -> tuple[int, ...]:
        """The charging periods that it offers: the prepaid plans of an in-advance subscription (rule 11)."""
        if self.subscription is None or not self.subscription.in_advance:
            return ()
        return self.subscription.prepaid_months


@attrs.frozen(kw_only=True)
class Site:
    """A group of accounts of one customer that are managed as a single entity."""

    id: str = attrs.field(validator=validate_text)
    customer: str = attrs.field(validator=validate_text)


@attrs.frozen(kw_only=True)
class Distributor:
    """Who sells accounts, and owes for them what its commission leaves.

    Args:
        commission: Fraction of the opening balance.
        credit_limit: The most it may owe; None is unlimited.
        balance: What it owes already.
    """

    id: str = attrs.field(validator=validate_text)
    currency: str = attrs.field(validator=validate_currency)
    commission: Decimal = attrs.field(converter=_commission)
    credit_limit: Decimal | None = attrs.field(default=None, converter=_credit_limit)
    balance: Decimal = attrs.field(default=Decimal(0), converter=_owed)


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_HasId)


def _sorted(values: Iterable[_Entry], kind: type[_Entry]) -> tuple[_Entry, ...]:
    """The entries in normal form, each once."""
    place = f"catalog.{_PLACES[kind]}"
    entries = as_items(values, place)
    keys: set[tuple[str, str]] = set()
    for entry in entries:
        if not isinstance(entry, kind):
            raise InvalidValueError(f"{place}: {entry!r} is no {kind.__name__}")
        key = (entry.id, entry.customer if isinstance(entry, Batch) else "")
        if key in keys:
            raise InvalidValueError(f'{place}: "{entry.id}" stands there twice')
        keys.add(key)
    return tuple(sorted(entries, key=lambda entry: (entry.id, getattr(entry, "customer", ""))))


_PLACES: dict[type, str] = {
    Customer: "customers",
    Batch: "batches",
    Product: "products",
    Site: "sites",
    Distributor: "distributors",
}


# mypy knows the type of a constructor argument from a named converter only.
def _customers(values: Iterable[Customer]) -> tuple[Customer, ...]:
    return _sorted(values, Customer)


def _batches(values: Iterable[Batch]) -> tuple[Batch, ...]:
    return _sorted(values, Batch)


def _products(values: Iterable[Product]) -> tuple[Product, ...]:
    return _sorted(values, Product)


def _sites(values: Iterable[Site]) -> tuple[Site, ...]:
    return _sorted(values, Site)


def _distributors(values: Iterable[Distributor]) -> tuple[Distributor, ...]:
    return _sorted(values, Distributor)


def _roles(value: Iterable[str]) -> frozenset[str]:
    return as_texts(value, "catalog.roles")


def _languages(value: Iterable[str]) -> frozenset[str]:
    return as_texts(value, "catalog.ivr_languages")


@attrs.frozen(kw_only=True)
class Catalog:
    """What a filter, a spec or an account may point at.

    >>> Catalog(customers=[Customer(id="acme", billing_time_zone="Europe/Kyiv")]).customer("acme").billing_time_zone
    'Europe/Kyiv'

    Raises:
        InvalidValueError: Two entries have the same id (batches: the same id and customer).
    """

    customers: tuple[Customer, ...] = attrs.field(default=(), converter=_customers)
    batches: tuple[Batch, ...] = attrs.field(default=(), converter=_batches)
    products: tuple[Product, ...] = attrs.field(default=(), converter=_products)
    sites: tuple[Site, ...] = attrs.field(default=(), converter=_sites)
    distributors: tuple[Distributor, ...] = attrs.field(default=(), converter=_distributors)
    roles: frozenset[str] = attrs.field(default=frozenset(), converter=_roles)
    ivr_languages: frozenset[str] = attrs.field(default=frozenset(), converter=_languages)

    def customer(self, name: str) -> Customer | None:
        """The customer of this id, if known."""
        return self._customers.get(name)

    def batch(self, customer: str, name: str) -> Batch | None:
        """The batch of this customer and name, if known."""
        return self._batches.get((customer, name))

    def product(self, name: str) -> Product | None:
        """The product or add-on of this id, if known."""
        return self._products.get(name)

    def site(self, name: str) -> Site | None:
        """The site of this id, if known."""
        return self._sites.get(name)

    def distributor(self, name: str) -> Distributor | None:
        """The distributor of this id, if known."""
        return self._distributors.get(name)

    @functools.cached_property
    def _customers(self) -> dict[str, Customer]:
        return {entry.id: entry for entry in self.customers}

    @functools.cached_property
    def _batches(self) -> dict[tuple[str, str], Batch]:
        return {(entry.customer, entry.id): entry for entry in self.batches}

    @functools.cached_property
    def _products(self) -> dict[str, Product]:
        return {entry.id: entry for entry in self.products}

    @functools.cached_property
    def _sites(self) -> dict[str, Site]:
        return {entry.id: entry for entry in self.sites}

    @functools.cached_property
    def _distributors(self) -> dict[str, Distributor]:
        return {entry.id: entry for entry in self.distributors}
