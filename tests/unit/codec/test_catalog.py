import re
from decimal import Decimal

import pytest

from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.codec.catalog import parse_catalog, parse_toml
from account_batch.errors import FormatError

_TEXT = """
roles = ["default", "boss"]
ivr_languages = ["en", "uk"]

[[customer]]
id = "acme"
billing_time_zone = "America/New_York"

[[batch]]
id = "SUMMER-2026"
customer = "acme"
sale_commission = "0.2"

[[batch]]
id = "WINTER-2026"
customer = "acme"

[[product]]
id = "gold"
currency = "USD"
account_role = "phone line"
allowed_addons = ["call-waiting"]
subscription = { in_advance = true, prepaid_months = [6, 1], fee = "4.50" }

[[product]]
id = "call-waiting"
currency = "USD"
is_addon = true

[[site]]
id = "hq"
customer = "acme"

[[distributor]]
id = "kiosk"
currency = "USD"
commission = "0.15"
credit_limit = 5000
balance = "-1.5"
"""
_CATALOG = Catalog(
    customers=[Customer(id="acme", billing_time_zone="America/New_York")],
    batches=[
        Batch(id="SUMMER-2026", customer="acme", sale_commission=Decimal("0.2")),
        Batch(id="WINTER-2026", customer="acme"),
    ],
    products=[
        Product(
            id="gold",
            currency="USD",
            account_role="phone line",
            allowed_addons=["call-waiting"],
            subscription=Subscription(in_advance=True, prepaid_months=[1, 6], fee=Decimal("4.50")),
        ),
        Product(id="call-waiting", currency="USD", is_addon=True),
    ],
    sites=[Site(id="hq", customer="acme")],
    distributors=[
        Distributor(id="kiosk", currency="USD", commission="0.15", credit_limit=5000, balance=Decimal("-1.5"))
    ],
    roles=["boss", "default"],
    ivr_languages=["uk", "en"],
)


def test_every_table_is_read() -> None:
    """A catalog file holds the tables, lists and fields of the design."""
    assert parse_catalog(_TEXT) == _CATALOG


def test_a_catalog_may_be_empty() -> None:
    """What is not in the file is not known."""
    assert parse_catalog("") == Catalog()


@pytest.mark.parametrize("text", [f"\N{BYTE ORDER MARK}{_TEXT}", _TEXT.replace("\n", "\r\n")])
def test_marks_and_line_ends_of_windows_change_nothing(text: str) -> None:
    """A byte-order mark and CRLF are read over."""
    assert parse_catalog(text) == _CATALOG


@pytest.mark.parametrize("number", ['"0.1"', "0.1", '"0.10"', "1e-1"])
def test_fractions_are_exact(number: str) -> None:
    """A commission is the same Decimal with and without quotes, and never a float."""
    catalog = parse_catalog(f'[[distributor]]\nid = "kiosk"\ncurrency = "USD"\ncommission = {number}')
    commission = catalog.distributors[0].commission
    assert (type(commission), commission) == (Decimal, Decimal("0.1"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[customers]]\nid = "acme"', 'catalog: unknown table "customers"; did you mean "customer"?'),
        ('role = ["default"]', 'catalog: unknown table "role"; did you mean "roles"?'),
        ("[prices]", 'catalog: unknown table "prices"; known are: batch, customer, distributor, ivr_languages, '),
        ('[[site]]\nid = "hq"', "'customer' is missing @ catalog.site[0].customer"),
        (
            '[[site]]\nid = "hq"\ncustomer = "a"\ncity = "Kyiv"',
            'unknown key "city"; known are: customer, id @ catalog.si',
        ),
        ('[[site]]\nid = "hq"\ncustmer = "a"', 'unknown key "custmer"; did you mean "customer"? @ catalog.site[0]'),
        ('[[site]]\nid = 5\ncustomer = "a"', "5 is not text @ catalog.site[0].id"),
        ('[[site]]\nid = true\ncustomer = "a"', "True is not text @ catalog.site[0].id"),
        ('[[site]]\nid = 2026-12-01\ncustomer = "a"', "is not text @ catalog.site[0].id"),
        ('[[site]]\nid = " "\ncustomer = "a"', "site.id: blank; write the text that is meant @ catalog.site[0]"),
        ('[[site]]\nid = "a\\u0000"\ncustomer = "a"', "site.id: 'a\\x00' holds a NUL"),
        ('[site]\nid = "hq"\ncustomer = "a"', "is not a list @ catalog.site"),
        ('site = "hq"', "'hq' is not a list @ catalog.site"),
        ('roles = "default"', "'default' is not a list @ catalog.roles"),
        ('roles = ["default", 1]', "1 is not text @ catalog.roles[1]"),
        ("roles = [true]", "True is not text @ catalog.roles[0]"),
        ('roles = [""]', "catalog.roles: blank; write the text that is meant"),
        ("ivr_languages = { en = 1 }", "is not a list @ catalog.ivr_languages"),
        (
            '[[customer]]\nid = "a"\nbilling_time_zone = "Mars/Olympus"',
            'customer.billing_time_zone: "Mars/Olympus" is no IANA zone; write it like Europe/Kyiv',
        ),
        ('[[customer]]\nid = "a"\nbilling_time_zone = 2', "2 is not text @ catalog.customer[0].billing_time_zone"),
        (
            '[[batch]]\nid = "B"\ncustomer = "a"\nsale_commission = 15',
            "batch.sale_commission: 15 is no fraction from 0 to 1; 15 percent is",
        ),
        (
            '[[batch]]\nid = "B"\ncustomer = "a"\nsale_commission = true',
            'True is no exact amount; write it like "15.00" @ catalog.batch[0].sale_commission',
        ),
        (
            '[[batch]]\nid = "B"\ncustomer = "a"\nsale_commission = "15 %"',
            '"15 %" is no amount; write it like 15.00 @ catalog.batch[0].sale_commission',
        ),
        (
            '[[distributor]]\nid = "d"\ncurrency = "USD"\ncommission = nan',
            "@ catalog.distributor[0].commission",
        ),
        (
            '[[distributor]]\nid = "d"\ncurrency = "USD"\ncommission = 0.1\ncredit_limit = inf',
            "@ catalog.distributor[0].credit_limit",
        ),
        (
            '[[distributor]]\nid = "d"\ncurrency = "USD"\ncommission = 0.1\nbalance = 1e99',
            "@ catalog.distributor[0].balance",
        ),
        (
            '[[distributor]]\nid = "d"\ncurrency = "USD"\ncommission = 0.1\nbalance = 1.000001',
            "distributor.balance: 1.000001 has more than 5 decimals @ catalog.distributor[0]",
        ),
        ('[[distributor]]\nid = "d"\ncurrency = "usd"\ncommission = 0', "'usd' is no ISO 4217 currency; write it like"),
        ('[[product]]\nid = "p"\ncurrency = "USD"\nis_addon = "false"', "'false' is not true or false @ catalog.prod"),
        ('[[product]]\nid = "p"\ncurrency = "USD"\nis_addon = 0', "0 is not true or false @ catalog.product[0].is_ad"),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nallowed_addons = "abc"',
            "'abc' is not a list @ catalog.product[0].",
        ),
        ('[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = {}', "'in_advance' is missing @ catalog.product[0]"),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = "yes" }',
            "'yes' is not true or false @ catalog.product[0].subscription.in_advance",
        ),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = true, prepaid_months = [1.5] }',
            "Decimal('1.5') is not a whole number @ catalog.product[0].subscription.prepaid_months[0]",
        ),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = true, prepaid_months = [6, true] }',
            "True is not a whole number @ catalog.product[0].subscription.prepaid_months[1]",
        ),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = true, prepaid_months = [0] }',
            "subscription.prepaid_months: 0 is no whole number of months >= 1 @ catalog.product[0].subscription",
        ),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = true, fee = "-1" }',
            "subscription.fee: -1 is negative @ catalog.product[0].subscription",
        ),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = true, fee = "1 USD" }',
            '"1 USD" is no amount; write it like 15.00 @ catalog.product[0].subscription.fee',
        ),
        (
            '[[product]]\nid = "p"\ncurrency = "USD"\nsubscription = { in_advance = true, prepaid_month = [6] }',
            'unknown key "prepaid_month"; did you mean "prepaid_months"? @ catalog.product[0].subscription',
        ),
        (
            '[[site]]\nid = "a"\ncustomer = "x"\n[[site]]\nid = "a"\ncustomer = "y"',
            'catalog.sites: "a" stands there twice',
        ),
        (
            '[[batch]]\nid = "a"\ncustomer = "x"\n[[batch]]\nid = "a"\ncustomer = "x"',
            'catalog.batches: "a" stands there twice',
        ),
    ],
)
def test_a_wrong_catalog_is_refused_with_its_place(text: str, message: str) -> None:
    """What is unknown, missing, double or of the wrong type is an error that says where it stands and what is right."""
    with pytest.raises(FormatError, match=re.escape(message)):
        parse_catalog(text)


@pytest.mark.parametrize("entry", ['"acme"', "1", "true", "[]", "2026-12-01"])
def test_an_entry_that_is_no_table_is_said_to_be_none(entry: str) -> None:
    """A plain value in the place of a table is refused in words that are not Python's."""
    with pytest.raises(FormatError, match=r"no object of keys and values @ catalog\.customer\[0\]"):
        parse_catalog(f"customer = [{entry}]")


def test_two_customers_may_have_a_batch_of_the_same_name() -> None:
    """Names of batches are unique per customer."""
    catalog = parse_catalog('[[batch]]\nid = "a"\ncustomer = "x"\n[[batch]]\nid = "a"\ncustomer = "y"')
    assert [(batch.id, batch.customer) for batch in catalog.batches] == [("a", "x"), ("a", "y")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('id = "a"\nid = "b"', "no TOML: Cannot overwrite a value (at "),
        ('[site]\nid = "a"\n[site]\nid = "b"', "no TOML: Cannot declare ('site',) twice (at line 3, column"),
        ("[[site]]\nid = 'a'\nid = 'a'\nx = 1", "no TOML: Cannot overwrite a value (at line 3, column"),
        ("id = ", "no TOML: "),
        ("id = yes", "no TOML: Invalid value (at line 1, column 6)"),
        ("id = 'a\nb'", "no TOML: "),
        ("{}", "no TOML: "),
        ("id = 0441234567", "no TOML: "),
        ("id = 2026-02-30", "no TOML: "),
        ("id = 'a\0'", "no TOML: "),
    ],
)
def test_what_is_no_toml_is_refused_with_its_place(text: str, message: str) -> None:
    """The message of a syntax error, or of a key that stands twice, names line and column."""
    with pytest.raises(FormatError) as caught:
        parse_toml(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "value",
    ["[" * 100_000, "9" * 5_000, "1e99999999999999999999", "-1e-99999999999999999999"],
    ids=["deep", "long", "huge-exponent", "tiny-exponent"],
)
def test_toml_that_is_too_much_is_refused(value: str) -> None:
    """A text that is nested too deeply, or a number that Python cannot hold, is a FormatError and nothing else."""
    with pytest.raises(FormatError, match=r"^no TOML: "):
        parse_toml(f"a = {value}")


def test_numbers_of_toml_are_exact() -> None:
    """A number with a point is a Decimal with all its digits."""
    document = parse_toml("a = 1.10\nb = 7\nc = true\nd = '1.10'")
    assert {key: (type(value), str(value)) for key, value in document.items()} == {
        "a": (Decimal, "1.10"),
        "b": (int, "7"),
        "c": (bool, "True"),
        "d": (str, "1.10"),
    }
