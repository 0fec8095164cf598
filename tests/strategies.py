"""Hypothesis strategies over one small world: readable values that collide often.

Everything here draws from the same few customers, batches, products, dates and so on, so that filters meet accounts,
settings meet what is set already, and now and then something points at what the catalog does not know.
"""

import functools
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from hypothesis import strategies as st

from account_batch import testing
from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch
from account_batch.money import Money

__all__ = [
    "ACCOUNT_ROLES",
    "ADDONS",
    "AVAILABILITY_DAYS",
    "BATCHES",
    "CURRENCIES",
    "CUSTOMERS",
    "DISTRIBUTORS",
    "LANGUAGES",
    "MONTHS",
    "NOW",
    "PRODUCTS",
    "ROLES",
    "SITES",
    "TODAY",
    "account_ids",
    "accounts",
    "catalog",
    "control_numbers",
    "days",
    "details",
    "filters",
    "money",
    "text_matches",
]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""In Auckland it is the 24th already."""
TODAY = date(2026, 11, 23)

# The last of each is unknown to the catalog.
CUSTOMERS = ("acme", "dnipro", "kiwi", "ghost")
BATCHES = ("SUMMER-2026", "WINTER-2026", "summer-2026", "LOST")
PRODUCTS = ("gold", "silver", "euro", "retired")
ADDONS = ("call-waiting", "voicemail", "fax", "retired-addon")
SITES = ("hq", "lab", "lviv", "nowhere")
DISTRIBUTORS = ("north", "south", "nobody")
ROLES = ("default", "boss", "old-role")
LANGUAGES = ("en", "uk", "la")
ACCOUNT_ROLES = ("phone line", "calling card")
CURRENCIES = ("USD", "EUR", "JPY")
MONTHS = (3, 6, 12)
AVAILABILITY_DAYS = (1, 7, 30, 90)

# Most accounts and filters meet in one batch.
_BATCHES = ["SUMMER-2026"] * 8 + list(BATCHES)
_T = TypeVar("_T")
_U = TypeVar("_U")


@functools.cache
def catalog() -> Catalog:
    """The catalog of the world: no strategy, there is one."""
    return Catalog(
        customers=[
            Customer(id="acme", billing_time_zone="America/New_York"),
            Customer(id="dnipro", billing_time_zone="Europe/Kyiv"),
            Customer(id="kiwi", billing_time_zone="Pacific/Auckland"),
        ],
        batches=[
            Batch(id="SUMMER-2026", customer="acme"),
            Batch(id="WINTER-2026", customer="acme", sale_commission="0"),
            Batch(id="SUMMER-2026", customer="dnipro", sale_commission="0.05"),
            Batch(id="summer-2026", customer="kiwi", sale_commission="0.33333"),
        ],
        products=[
            Product(
                id="gold",
                currency="USD",
                allowed_addons=["call-waiting", "voicemail"],
                subscription=Subscription(in_advance=True, prepaid_months=[3, 6], fee="9.99"),
            ),
            Product(id="silver", currency="USD", account_role="phone line", allowed_addons=["call-waiting"]),
            Product(
                id="euro",
                currency="EUR",
                allowed_addons=["call-waiting"],
                subscription=Subscription(in_advance=False, prepaid_months=[12], fee="5"),
            ),
            Product(
                id="call-waiting",
                currency="USD",
                is_addon=True,
                subscription=Subscription(in_advance=True, prepaid_months=[6, 12]),
            ),
            Product(id="voicemail", currency="USD", is_addon=True),
            Product(id="fax", currency="EUR", is_addon=True),
        ],
        sites=[
            Site(id="hq", customer="acme"),
            Site(id="lab", customer="acme"),
            Site(id="lviv", customer="dnipro"),
        ],
        distributors=[
            Distributor(id="north", currency="USD", commission="0.15", credit_limit=100, balance="40"),
            Distributor(id="south", currency="EUR", commission="0.125"),
        ],
        roles=["default", "boss"],
        ivr_languages=["en", "uk"],
    )


def days() -> st.SearchStrategy[date]:
    """Dates around today, close enough that order and equality matter."""
    return st.sampled_from([-365, -90, -30, -7, -2, -1, 0, 1, 2, 7, 30, 90, 365]).map(
        lambda away: TODAY + timedelta(days=away)
    )


def money(min_value: str = "0.01", currency: str | None = None) -> st.SearchStrategy[Money]:
    """Positive money unless said otherwise, in one of the currencies of the world or the one given."""
    return testing.money(min_value, 1000, currency=st.sampled_from(CURRENCIES) if currency is None else currency)


def details() -> st.SearchStrategy[dict[str, str]]:
    """Few names with few texts, often none."""
    return st.dictionaries(st.sampled_from(["email", "colour"]), st.sampled_from(["red", "Red", "x%"]), max_size=2)


def account_ids() -> st.SearchStrategy[str]:
    """Ids with common beginnings and ends, some with what other languages take for wildcards."""
    return st.builds(
        lambda start, number, end: f"{start}{number}{end}",
        st.sampled_from(["4477", "4917", "44_", "ab", "AB"]),
        st.integers(0, 12),
        st.sampled_from(["", "", "%", "x"]),
    )


def control_numbers(up_to: int = 12) -> st.SearchStrategy[ControlNumbers]:
    """A few numbers from 1."""
    return st.sets(st.integers(1, up_to), min_size=1).map(ControlNumbers)


def text_matches() -> st.SearchStrategy[TextMatch]:
    """Parts of the ids above, at every end."""
    make = st.sampled_from([TextMatch.starts_with, TextMatch.exactly, TextMatch.contains, TextMatch.ends_with])
    text = st.sampled_from(["44", "7", "1", "_", "%", "ab", "AB", "44771", "x"]) | account_ids()
    return st.builds(lambda way, part: way(part), make, text)


def accounts() -> st.SearchStrategy[Account]:
    """Accounts of every kind and state; fields that may be unset often are."""
    return st.builds(
        Account,
        id=account_ids(),
        batch=st.sampled_from([*_BATCHES, None]),
        control_number=st.none() | st.integers(1, 12),
        customer=st.sampled_from(CUSTOMERS),
        kind=st.sampled_from(AccountKind),
        account_role=st.none() | st.sampled_from(ACCOUNT_ROLES),
        state=st.sampled_from(AccountState),
        blocked=st.booleans(),
        registered=st.booleans(),
        currency=st.sampled_from(["USD", *CURRENCIES]),
        opening_balance=testing.amounts(0, 1000),
        balance=testing.amounts(-20, 1000),
        activation_date=st.none() | days(),
        expiration_date=st.none() | days(),
        availability_days=st.none() | st.sampled_from(AVAILABILITY_DAYS),
        first_used_on=st.none() | days(),
        last_recharged_on=st.none() | days(),
        product=st.sampled_from(PRODUCTS),
        addons=st.frozensets(st.sampled_from(ADDONS), max_size=3),
        charging_period=st.none() | st.sampled_from(MONTHS),
        associated_number=st.none() | st.just("18005551234"),
        unified_messaging=st.sampled_from(UnifiedMessaging),
        ivr_language=st.none() | st.sampled_from(LANGUAGES),
        time_zone=st.none() | st.sampled_from(["America/New_York", "Asia/Kathmandu"]),
        role=st.none() | st.sampled_from(ROLES),
        site=st.none() | st.sampled_from(SITES),
        distributor=st.none() | st.sampled_from(DISTRIBUTORS),
        contact=details(),
        custom_fields=details(),
    )


def _seldom(values: st.SearchStrategy[_T], otherwise: _U) -> st.SearchStrategy[_T | _U]:
    """One time in five one of the values."""
    return st.integers(0, 4).flatmap(lambda turn: values if turn == 4 else st.just(otherwise))


def filters(*, for_update: bool = False) -> st.SearchStrategy[AccountFilter]:
    """Filters with few criteria, so that they select something.

    Args:
        for_update: Whether the filter always has a batch and never a custom field.
    """
    return st.builds(
        AccountFilter,
        batch=st.sampled_from(_BATCHES if for_update else [None, *_BATCHES]),
        control_numbers=_seldom(control_numbers(), None),
        account_id=_seldom(text_matches(), None),
        status=_seldom(st.sampled_from(StatusFilter), StatusFilter.ALL_EXCEPT_CLOSED),
        registration=_seldom(st.sampled_from(Registration), Registration.ANY),
        blocked=_seldom(st.booleans(), None),
        used=_seldom(st.booleans(), None),
        customer=_seldom(st.sampled_from(CUSTOMERS), None),
        product=_seldom(st.sampled_from(PRODUCTS), None),
        contact=_seldom(details(), {}),
        custom_fields=st.just({}) if for_update else _seldom(details(), {}),
    )
