import pickle
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.errors import InvalidValueError

_FULL: dict[type, dict[str, Any]] = {
    Customer: {"id": "acme", "billing_time_zone": "Europe/Kyiv"},
    Batch: {"id": "SUMMER-2026", "customer": "acme", "sale_commission": Decimal("0.15")},
    Subscription: {"in_advance": True, "prepaid_months": (3, 6), "fee": Decimal("1.5")},
    Product: {
        "id": "gold",
        "currency": "USD",
        "account_role": "phone line",
        "is_addon": False,
        "allowed_addons": frozenset({"voicemail"}),
        "subscription": Subscription(in_advance=True),
    },
    Site: {"id": "hq", "customer": "acme"},
    Distributor: {
        "id": "north",
        "currency": "USD",
        "commission": Decimal("0.1"),
        "credit_limit": Decimal(100),
        "balance": Decimal(-5),
    },
}
_entry = pytest.mark.parametrize("kind", _FULL, ids=lambda kind: kind.__name__)

_ENTRIES: dict[str, Any] = {
    "customers": [Customer(id="acme", billing_time_zone="Europe/Kyiv"), Customer(id="kiwi", billing_time_zone="UTC")],
    "batches": [Batch(id="SUMMER-2026", customer="acme"), Batch(id="SUMMER-2026", customer="kiwi")],
    "products": [Product(id="gold", currency="USD"), Product(id="voicemail", currency="USD", is_addon=True)],
    "sites": [Site(id="hq", customer="acme"), Site(id="lab", customer="acme")],
    "distributors": [Distributor(id=name, currency="USD", commission=0) for name in ("north", "south")],
    "roles": ["default", "boss"],
    "ivr_languages": ["en", "uk"],
}
_CATALOG = Catalog(**_ENTRIES)


@_entry
def test_entries_keep_what_they_are_given(kind: type) -> None:
    """Every field of an entry reads back as it was written."""
    assert attrs.asdict(kind(**_FULL[kind]), recurse=False) == _FULL[kind]


@_entry
def test_entries_are_values(kind: type) -> None:
    """Equal entries are equal, hash alike, can be evolved, and survive pickling."""
    entry = kind(**_FULL[kind])
    copies = {entry, attrs.evolve(entry), pickle.loads(pickle.dumps(entry))}  # noqa: S301  # The bytes are our own.
    assert len(copies) == 1


@pytest.mark.parametrize(
    ("entry", "defaults"),
    [
        (Batch(id="b", customer="c"), {"sale_commission": None}),
        (Subscription(in_advance=False), {"prepaid_months": (), "fee": None}),
        (
            Product(id="p", currency="USD"),
            {"account_role": None, "is_addon": False, "allowed_addons": frozenset(), "subscription": None},
        ),
        (Distributor(id="d", currency="USD", commission=0), {"credit_limit": None, "balance": 0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_entries_have_the_defaults_of_the_design(entry: object, defaults: dict[str, Any]) -> None:
    """What is left out is unknown, unlimited, any or none."""
    assert {name: getattr(entry, name) for name in defaults} == defaults


@pytest.mark.parametrize("kind", [*_FULL, Catalog], ids=lambda kind: kind.__name__)
def test_fields_are_given_by_name(kind: type) -> None:
    """No field is taken for another because of its position."""
    with pytest.raises(TypeError, match="positional"):
        kind(*_FULL.get(kind, _ENTRIES).values())


_NO_TEXTS = ("", " ", "a\0", "\ud800", 5, None)
_NO_FRACTIONS = ("-0.1", "1.1", 15, 0.15, True, "15%", "", Decimal("NaN"), "0.12345678901")
_NO_AMOUNTS = (1.5, True, "x", "0.123456", Decimal("Infinity"), 10**15)
_NO_FLAGS = (0, 1, None, "yes")
_BAD: dict[tuple[type, str], tuple[Any, ...]] = {
    (Customer, "id"): _NO_TEXTS,
    (Customer, "billing_time_zone"): (*_NO_TEXTS, "Kyiv", "europe/kyiv", "localtime", "+02:00"),
    (Batch, "id"): _NO_TEXTS,
    (Batch, "customer"): _NO_TEXTS,
    (Batch, "sale_commission"): _NO_FRACTIONS,
    (Subscription, "in_advance"): _NO_FLAGS,
    (Subscription, "prepaid_months"): ([0], [-1], [True], [1.0], ["6"], "6", b"6", [2**31], 6, None),
    (Subscription, "fee"): (*_NO_AMOUNTS, "-0.01"),
    (Product, "id"): _NO_TEXTS,
    (Product, "currency"): ("", "usd", "XYZ", None, 840),
    (Product, "account_role"): _NO_TEXTS[:-1],
    (Product, "is_addon"): _NO_FLAGS,
    (Product, "allowed_addons"): ("voicemail", b"ab", [""], ["a\0"], [None], 5, None),
    (Product, "subscription"): (5, True, {"in_advance": True}),
    (Site, "id"): _NO_TEXTS,
    (Site, "customer"): _NO_TEXTS,
    (Distributor, "id"): _NO_TEXTS,
    (Distributor, "currency"): ("", "usd", None),
    (Distributor, "commission"): (*_NO_FRACTIONS, None),
    (Distributor, "credit_limit"): _NO_AMOUNTS,
    (Distributor, "balance"): (*_NO_AMOUNTS, None),
}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [(kind, field, value) for (kind, field), values in _BAD.items() for value in values],
    ids=lambda value: value.__name__ if isinstance(value, type) else ascii(value),
)
def test_a_bad_value_is_refused_under_the_name_of_its_field(kind: type, field: str, value: Any) -> None:
    """No field takes a value that makes no sense, and the message names entry and field."""
    with pytest.raises(InvalidValueError, match=rf"^{kind.__name__.lower()}\.{field}: ") as caught:
        kind(**_FULL[kind] | {field: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("fraction", ["0", "1", "0.15", 0, 1, Decimal("0.1234567891")], ids=repr)
def test_commissions_are_fractions(fraction: Decimal | int | str) -> None:
    """A commission is anything from nothing to everything, both included."""
    assert Distributor(id="d", currency="USD", commission=fraction).commission == Decimal(fraction)
    assert Batch(id="b", customer="c", sale_commission=fraction).sale_commission == Decimal(fraction)


def test_a_fee_may_be_zero() -> None:
    """A subscription may cost nothing."""
    assert Subscription(in_advance=True, fee=0).fee == 0


def test_prepaid_months_are_in_normal_form() -> None:
    """The months of the plans may come as any iterable, and are sorted and unique."""
    assert Subscription(in_advance=True, prepaid_months=iter([12, 3, 12])).prepaid_months == (3, 12)


@pytest.mark.parametrize(
    ("subscription", "offered"),
    [
        (None, ()),
        (Subscription(in_advance=True), ()),
        (Subscription(in_advance=True, prepaid_months=[6, 3]), (3, 6)),
        (Subscription(in_advance=False, prepaid_months=[3, 6]), ()),
    ],
)
def test_only_in_advance_subscriptions_offer_charging_periods(
    subscription: Subscription | None, offered: tuple[int, ...]
) -> None:
    """A product offers the periods that its in-advance subscription lists (rule 11)."""
    assert Product(id="p", currency="USD", subscription=subscription).offered_months == offered


def test_entries_are_found_by_id() -> None:
    """Each kind of entry is found under its own id."""
    found = (
        _CATALOG.customer("kiwi"),
        _CATALOG.batch("kiwi", "SUMMER-2026"),
        _CATALOG.product("voicemail"),
        _CATALOG.site("lab"),
        _CATALOG.distributor("south"),
    )
    assert found == (
        Customer(id="kiwi", billing_time_zone="UTC"),
        Batch(id="SUMMER-2026", customer="kiwi"),
        Product(id="voicemail", currency="USD", is_addon=True),
        Site(id="lab", customer="acme"),
        Distributor(id="south", currency="USD", commission=0),
    )


@pytest.mark.parametrize(
    "look_up",
    [
        lambda catalog: catalog.customer("ghost"),
        lambda catalog: catalog.batch("acme", "WINTER"),
        lambda catalog: catalog.batch("ghost", "SUMMER-2026"),
        lambda catalog: catalog.product("Gold"),
        lambda catalog: catalog.site("acme"),
        lambda catalog: catalog.distributor(""),
    ],
)
@pytest.mark.parametrize("catalog", [_CATALOG, Catalog()], ids=["known", "empty"])
def test_what_is_not_there_is_none(look_up: Callable[[Catalog], object], catalog: Catalog) -> None:
    """Looking up what the catalog does not know is no error."""
    assert look_up(catalog) is None


def test_catalogs_are_values() -> None:
    """Order of entries does not matter, and neither do copies, also after entries were looked up."""
    _CATALOG.customer("acme")
    fields = {field.name: getattr(_CATALOG, field.name) for field in attrs.fields(Catalog)}
    turned = Catalog(**{name: sorted(values, key=repr, reverse=True) for name, values in fields.items()})
    copies = {_CATALOG, turned, attrs.evolve(_CATALOG)}
    copies.add(pickle.loads(pickle.dumps(_CATALOG)))  # noqa: S301  # The bytes are our own.
    assert len(copies) == 1


def test_an_evolved_catalog_looks_up_anew() -> None:
    """A changed copy does not answer from what the original has looked up."""
    _CATALOG.customer("acme")
    assert attrs.evolve(_CATALOG, customers=[]).customer("acme") is None


@pytest.mark.parametrize("field", ["customers", "batches", "products", "sites", "distributors"])
def test_an_id_stands_once_in_a_catalog(field: str) -> None:
    """Two entries of one id (batches: of one id and customer) are refused, naming them."""
    entries = getattr(_CATALOG, field)
    with pytest.raises(InvalidValueError, match=re.escape(f'catalog.{field}: "{entries[0].id}" stands there twice')):
        Catalog(**{field: [*entries, attrs.evolve(entries[0])]})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, ["acme"]) for field in ("customers", "batches", "products", "sites", "distributors")),
        *((field, 5) for field in ("customers", "batches", "products", "sites", "distributors")),
        ("batches", _CATALOG.sites),
        ("sites", _CATALOG.batches),
        ("roles", "default"),
        ("roles", [""]),
        ("roles", ["a\0"]),
        ("roles", 5),
        ("ivr_languages", "en"),
        ("ivr_languages", [None]),
        ("ivr_languages", None),
    ],
    ids=ascii,
)
def test_what_is_no_entry_is_refused(field: str, value: Any) -> None:
    """A catalog holds entries of the right kind and lists of names, and the message names the list."""
    with pytest.raises(InvalidValueError, match=rf"^catalog\.{field}: ") as caught:
        Catalog(**{field: value})
    assert isinstance(caught.value, ValueError)
