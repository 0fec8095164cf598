import json
import re
from collections.abc import Mapping
from typing import Any

import attrs
import jsonschema
import pytest

from account_batch.account import Details, UnifiedMessaging
from account_batch.codec.request import (
    dump_request,
    parse_request,
    read_filter,
    read_spec,
    request_schema,
    write_filter,
    write_spec,
)
from account_batch.errors import (
    AccountBatchError,
    BatchRequiredError,
    EmptySpecError,
    FilterError,
    FormatError,
    SpecError,
)
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch
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

_DESIGN = """
[filter]
batch = "SUMMER-2026"
control_numbers = "1,3,8-12"
status = "open"                      # account_id = { starts_with = "44" }, registration, blocked, used, customer

[update]
activation = "now"                   # or "2026-12-01", or "clear"
expiration = "2027-12-01"            # or "clear"
availability_days = 90               # or "clear"
status = "unblocked"
opening_balance = "15.00 USD"
charge = { amount = "1.00 USD", comment = "SIM fee", reference = "sim-fee-2026" }
product = "gold"
addons = { assign = ["call-waiting"] }   # or replace, remove
charging_period = 6
unified_messaging = "by_product"
distributor = "acme"                 # or { id = "acme", charge = false }, or "clear"
site = "clear"                       # ... every attribute of UpdateSpec under its own name
"""
_WHERE = AccountFilter(batch="SUMMER-2026")
_CLEARABLE = (
    "activation expiration availability_days charging_period associated_number ivr_language time_zone site distributor"
).split()


def _parse(
    update: Mapping[str, object] | None = None, where: Mapping[str, object] | None = None
) -> tuple[AccountFilter, UpdateSpec]:
    """The request of a JSON document with these parts."""
    document = {"filter": {} if where is None else where, "update": {"product": "gold"} if update is None else update}
    return parse_request(json.dumps(document), toml=False)


def _spec(**settings: object) -> UpdateSpec:
    values: Any = settings
    return UpdateSpec(**values)


def test_the_request_of_the_design_is_read() -> None:
    """The TOML of the design means what it says there."""
    where, spec = parse_request(_DESIGN, toml=True)
    assert where == AccountFilter(batch="SUMMER-2026", control_numbers="1,3,8-12", status=StatusFilter.OPEN)
    assert spec == UpdateSpec(
        activation=ActivateNow(),
        expiration=ExpireOn("2027-12-01"),
        availability_days=90,
        status=StatusChange.UNBLOCKED,
        opening_balance=Money("15.00", "USD"),
        charge=Charge(Money("1.00", "USD"), comment="SIM fee", reference="sim-fee-2026"),
        product="gold",
        addons=AssignAddons({"call-waiting"}),
        charging_period=6,
        unified_messaging=UnifiedMessaging.BY_PRODUCT,
        distributor=AssignDistributor("acme"),
        site=CLEAR,
    )


@pytest.mark.parametrize("toml", [True, False])
def test_a_byte_order_mark_is_no_part_of_a_request(*, toml: bool) -> None:
    """What Windows editors put before the text changes nothing."""
    text = _DESIGN if toml else dump_request(*parse_request(_DESIGN, toml=True))
    assert parse_request(f"\N{BYTE ORDER MARK}{text}", toml=toml) == parse_request(text, toml=toml)


def test_line_ends_of_windows_are_line_ends() -> None:
    """A request with CRLF is the same request."""
    assert parse_request(_DESIGN.replace("\n", "\r\n"), toml=True) == parse_request(_DESIGN, toml=True)


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("activation", "now", ActivateNow()),
        ("activation", "2026-12-01", ActivateOn("2026-12-01")),
        ("expiration", "2027-12-01", ExpireOn("2027-12-01")),
        ("availability_days", 1, 1),
        ("availability_days", 2**31 - 1, 2**31 - 1),
        ("status", "blocked", StatusChange.BLOCKED),
        ("status", "terminated", StatusChange.TERMINATED),
        ("opening_balance", "0 USD", Money(0, "USD")),
        ("opening_balance", "15 USD", Money("15.00", "USD")),
        ("opening_balance", "0.00001 USD", Money("0.00001", "USD")),
        ("charge", {"amount": "1 USD"}, Charge(Money(1, "USD"))),
        (
            "refund",
            {
                "amount": "1 USD",
                "comment": "c",
                "internal_comment": "i",
                "reference": "r",
                "allow_overdraft": True,
            },
            Refund(Money(1, "USD"), comment="c", internal_comment="i", reference="r", allow_overdraft=True),
        ),
        ("product", "gold", "gold"),
        ("addons", {"assign": ["b", "a"]}, AssignAddons({"a", "b"})),
        ("addons", {"replace": []}, ReplaceAddons(())),
        ("addons", {"replace": ["a"]}, ReplaceAddons({"a"})),
        ("addons", {"remove": ["a"]}, RemoveAddons({"a"})),
        ("charging_period", 6, 6),
        ("associated_number", "18005551234", "18005551234"),
        ("unified_messaging", "yes", UnifiedMessaging.YES),
        ("unified_messaging", "no", UnifiedMessaging.NO),
        ("ivr_language", "en", "en"),
        ("time_zone", "America/New_York", "America/New_York"),
        ("role", "default", "default"),
        ("site", "hq", "hq"),
        ("distributor", "acme", AssignDistributor("acme")),
        ("distributor", {"id": "acme"}, AssignDistributor("acme")),
        ("distributor", {"id": "acme", "charge": False}, AssignDistributor("acme", charge=False)),
        ("distributor", {"id": "acme", "charge": True}, AssignDistributor("acme", charge=True)),
        ("distributor", {"id": "clear"}, AssignDistributor("clear")),
        *((name, "clear", CLEAR) for name in _CLEARABLE),
        ("product", "clear", "clear"),
        ("role", "clear", "clear"),
    ],
)
def test_a_setting_is_read_under_its_own_name(name: str, written: object, value: object) -> None:
    """Every attribute of a spec has one way to be written, and nothing else is set by it."""
    _, spec = _parse({name: written})
    assert (spec, type(getattr(spec, name))) == (_spec(**{name: value}), type(value))


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("batch", "SUMMER-2026", "SUMMER-2026"),
        ("control_numbers", " 01 , 3, 8 - 12", ControlNumbers("1,3,8-12")),
        ("account_id", "44", TextMatch.starts_with("44")),
        ("account_id", {"starts_with": "44"}, TextMatch.starts_with("44")),
        ("account_id", {"exactly": "44"}, TextMatch.exactly("44")),
        ("account_id", {"contains": "%_"}, TextMatch.contains("%_")),
        ("account_id", {"ends_with": "44"}, TextMatch.ends_with("44")),
        ("status", "any", StatusFilter.ANY),
        ("status", "all_except_closed", StatusFilter.ALL_EXCEPT_CLOSED),
        ("registration", "registered", Registration.REGISTERED),
        ("registration", "any", Registration.ANY),
        ("blocked", True, True),
        ("blocked", False, False),
        ("used", False, False),
        ("customer", "acme", "acme"),
        ("product", "gold", "gold"),
        ("contact", {"email": "a@b", "city": "Kyiv"}, Details({"city": "Kyiv", "email": "a@b"})),
        ("contact", {}, Details()),
        ("custom_fields", {"colour": "red"}, Details({"colour": "red"})),
    ],
)
def test_a_criterion_is_read_under_its_own_name(name: str, written: object, value: object) -> None:
    """Every criterion of a filter has one way to be written, and nothing else is narrowed by it."""
    where, _ = _parse(where={name: written})
    given: Any = {name: value}
    assert (where, type(getattr(where, name))) == (AccountFilter(**given), type(value))


def test_a_filter_without_criteria_is_read() -> None:
    """A filter may mean everything: it is the planner that refuses it for updates."""
    assert _parse(where={})[0] == AccountFilter()


@pytest.mark.parametrize("name", ["activation", "expiration"])
def test_toml_may_write_a_date_as_a_date(name: str) -> None:
    """A date without quotes is the same date."""
    bare = parse_request(f"[filter]\n[update]\n{name} = 2026-12-01", toml=True)
    assert bare == parse_request(f'[filter]\n[update]\n{name} = "2026-12-01"', toml=True)


_Case = tuple[dict[str, Any], type[AccountBatchError], str]
_WRONG_SETTINGS: list[_Case] = [
    ({}, EmptySpecError, "update: sets nothing"),
    ({"prodct": "gold"}, FormatError, 'update: unknown key "prodct"; did you mean "product"?'),
    ({"Product": "gold"}, FormatError, 'update: unknown key "Product"; did you mean "product"?'),
    ({"balance": "1 USD"}, FormatError, 'update: unknown key "balance"; '),
    ({"": "gold"}, FormatError, 'update: unknown key ""; known are: activation, addons, '),
    ({"activation": True}, FormatError, "update.activation: True is no date; write it like 2026-12-01"),
    ({"activation": 20261201}, FormatError, "update.activation: 20261201 is no date; write it like 2026-12-01"),
    ({"activation": None}, FormatError, "update.activation: None is no date"),
    ({"activation": "tomorrow"}, SpecError, 'update.activation: "tomorrow" is no date; write it like 2026-12-01'),
    ({"activation": "Now"}, SpecError, 'update.activation: "Now" is no date'),
    ({"activation": "2026"}, SpecError, 'update.activation: "2026" is no date'),
    ({"activation": "01.12.2026"}, SpecError, 'update.activation: "01.12.2026" is no date'),
    ({"activation": "2026-12-01T00:00:00Z"}, SpecError, "update.activation: "),
    ({"activation": "2026-02-30"}, SpecError, 'update.activation: "2026-02-30" is no day of the calendar'),
    ({"activation": "0001-01-01"}, SpecError, "update.activation: 0001-01-01 begins outside the calendar"),
    ({"expiration": "now"}, SpecError, 'update.expiration: "now" is no date'),
    ({"expiration": "12:30"}, SpecError, 'update.expiration: "12:30" is no date'),
    ({"expiration": ["2026-12-01"]}, FormatError, "update.expiration: ['2026-12-01'] is no date"),
    ({"availability_days": True}, FormatError, "update.availability_days: True is not a whole number"),
    ({"availability_days": 1.9}, FormatError, "update.availability_days: Decimal('1.9') is not a whole number"),
    ({"availability_days": 1.0}, FormatError, "update.availability_days: Decimal('1.0') is not a whole number"),
    ({"availability_days": "90"}, FormatError, "update.availability_days: '90' is not a whole number"),
    ({"availability_days": 0}, SpecError, "update.availability_days: 0 is no whole number >= 1"),
    ({"availability_days": -1}, SpecError, "update.availability_days: -1 is no whole number >= 1"),
    ({"availability_days": 2**31}, SpecError, "update.availability_days: 2147483648 is no whole number >= 1"),
    ({"charging_period": "6 months"}, FormatError, "update.charging_period: '6 months' is not a whole number"),
    ({"charging_period": None}, FormatError, "update.charging_period: None is not a whole number"),
    ({"status": "BLOCKED"}, FormatError, "update.status: 'BLOCKED' is none of blocked, unblocked, terminated"),
    ({"status": "closed"}, FormatError, "update.status: 'closed' is none of blocked, unblocked, terminated"),
    ({"status": "clear"}, FormatError, "update.status: 'clear' is none of blocked, unblocked, terminated"),
    ({"status": True}, FormatError, "update.status: True is none of"),
    ({"status": ["blocked"]}, FormatError, "update.status: ['blocked'] is none of"),
    ({"status": "terminated", "role": "a"}, SpecError, "update.status: terminates, and so sets nothing else"),
    ({"opening_balance": 15}, FormatError, 'update.opening_balance: 15 is no text; money is exact, and written like "'),
    ({"opening_balance": 15.0}, FormatError, "update.opening_balance: 15.0 is no text"),
    (
        {"opening_balance": "15.00"},
        FormatError,
        "update.opening_balance: '15.00' is no money; write it like \"15.00 USD\"",
    ),
    ({"opening_balance": "15.00USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "15.00  USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": " 15.00 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "15.00 USD "}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "USD 15.00"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "15.00 usd"}, FormatError, "update.opening_balance: currency: 'usd' is no ISO 4217 currency"),
    ({"opening_balance": "15.00 XXX"}, FormatError, "update.opening_balance: currency: 'XXX' is no ISO 4217 currency"),
    ({"opening_balance": "15,00 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "1e2 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "1_000 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": ".5 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "5. USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "$5 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "NaN USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "\uff15 USD"}, FormatError, "update.opening_balance: "),
    ({"opening_balance": "1.000001 USD"}, FormatError, "update.opening_balance: amount: 1.000001 has more than 5 dec"),
    ({"opening_balance": "1000000000000000 USD"}, SpecError, "update.opening_balance: 1000000000000000.00 USD is not"),
    ({"opening_balance": "-0.01 USD"}, SpecError, "update.opening_balance: -0.01 USD is not "),
    ({"opening_balance": "clear"}, FormatError, "update.opening_balance: 'clear' is no money"),
    ({"charge": {}}, FormatError, 'update.charge: the key "amount" is missing'),
    ({"charge": "1 USD"}, FormatError, "update.charge: '1 USD' is no table of keys and values"),
    ({"charge": {"amount": "0 USD"}}, SpecError, "update.charge.amount: 0.00 USD is not "),
    ({"charge": {"amount": "-1 USD"}}, SpecError, "update.charge.amount: -1.00 USD is not "),
    ({"charge": {"amount": 1}}, FormatError, "update.charge.amount: 1 is no text"),
    ({"charge": {"amount": "1 US"}}, FormatError, "update.charge.amount: currency: 'US' is no ISO 4217 currency"),
    (
        {"charge": {"amount": "1 USD", "coment": "x"}},
        FormatError,
        'update.charge: unknown key "coment"; did you mean "',
    ),
    ({"charge": {"amount": "1 USD", "comment": 5}}, FormatError, "update.charge.comment: 5 is not text"),
    ({"charge": {"amount": "1 USD", "comment": " "}}, SpecError, "update.charge.comment: blank"),
    ({"charge": {"amount": "1 USD", "reference": ""}}, SpecError, "update.charge.reference: blank"),
    ({"charge": {"amount": "1 USD", "reference": None}}, FormatError, "update.charge.reference: None is not text"),
    (
        {"charge": {"amount": "1 USD", "allow_overdraft": "false"}},
        FormatError,
        "update.charge.allow_overdraft: 'false' is not true or false",
    ),
    ({"refund": {"amount": "1 USD", "allow_overdraft": 0}}, FormatError, "update.refund.allow_overdraft: 0 is not tru"),
    ({"refund": {"amount": "1 USD", "internal_comment": "\0"}}, SpecError, "update.refund.internal_comment: "),
    (
        {"charge": {"amount": "1 USD", "reference": "r"}, "refund": {"amount": "1 USD", "reference": "r"}},
        SpecError,
        'update.refund.reference: "r" is the charge\'s; give each its own',
    ),
    ({"product": ""}, SpecError, "update.product: blank"),
    ({"product": 5}, FormatError, "update.product: 5 is not text"),
    ({"product": None}, FormatError, "update.product: None is not text"),
    ({"product": "a\0b"}, SpecError, "update.product: "),
    ({"product": "\ud800"}, SpecError, "update.product: "),
    ({"addons": ["a"]}, FormatError, "update.addons: ['a'] is no table of keys and values"),
    ({"addons": {}}, FormatError, "update.addons: needs exactly one of assign, replace, remove"),
    ({"addons": {"assign": ["a"], "remove": ["b"]}}, FormatError, "update.addons: needs exactly one of assign, replac"),
    ({"addons": {"asign": ["a"]}}, FormatError, 'update.addons: unknown key "asign"; did you mean "assign"?'),
    ({"addons": {"assign": "abc"}}, FormatError, "update.addons.assign: 'abc' is no list of add-ons"),
    ({"addons": {"assign": {"a": 1}}}, FormatError, "update.addons.assign: {'a': 1} is no list of add-ons"),
    ({"addons": {"assign": []}}, SpecError, "update.addons: no add-on named"),
    ({"addons": {"remove": []}}, SpecError, "update.addons: no add-on named"),
    ({"addons": {"replace": ["a", 1]}}, FormatError, "update.addons.replace[1]: 1 is not text"),
    ({"addons": {"replace": ["a", " "]}}, SpecError, "update.addons: blank"),
    ({"associated_number": 18005551234}, FormatError, "update.associated_number: 18005551234 is not text"),
    ({"unified_messaging": False}, FormatError, "update.unified_messaging: False is none of by_product, yes, no"),
    ({"unified_messaging": "maybe"}, FormatError, "update.unified_messaging: 'maybe' is none of by_product, yes, no"),
    ({"ivr_language": True}, FormatError, "update.ivr_language: True is not text"),
    ({"time_zone": "Mars/Olympus"}, SpecError, 'update.time_zone: "Mars/Olympus" is no IANA zone; write it like Europ'),
    ({"time_zone": "+02:00"}, SpecError, 'update.time_zone: "+02:00" is no IANA zone'),
    ({"role": []}, FormatError, "update.role: [] is not text"),
    ({"site": ""}, SpecError, "update.site: blank"),
    ({"site": "Clear", "distributor": 5}, FormatError, "update.distributor: 5 is no table of keys and values"),
    ({"distributor": True}, FormatError, "update.distributor: True is no table of keys and values"),
    ({"distributor": {}}, FormatError, 'update.distributor: the key "id" is missing'),
    ({"distributor": {"id": "acme", "charge": "false"}}, FormatError, "update.distributor.charge: 'false' is not true"),
    ({"distributor": {"id": "acme", "charge": None}}, FormatError, "update.distributor.charge: None is not true or fa"),
    (
        {"distributor": {"id": "acme", "chrage": True}},
        FormatError,
        'update.distributor: unknown key "chrage"; did you ',
    ),
    ({"distributor": {"id": ""}}, SpecError, "update.distributor: blank"),
]


@pytest.mark.parametrize(("update", "error", "message"), _WRONG_SETTINGS, ids=lambda value: ascii(value)[:50])
def test_a_wrong_setting_is_refused_with_its_place(
    update: dict[str, Any], error: type[AccountBatchError], message: str
) -> None:
    """What cannot be set is an error of its kind that begins with the path of keys and says what would be right."""
    with pytest.raises(error) as caught:
        _parse(update)
    assert type(caught.value) is error
    assert str(caught.value).startswith(message)


_WRONG_CRITERIA: list[_Case] = [
    ({"bach": "x"}, FormatError, 'filter: unknown key "bach"; did you mean "batch"?'),
    ({"batches": ["a", "b"]}, FormatError, 'filter: unknown key "batches"; did you mean "batch"?'),
    ({"id": "44"}, FormatError, 'filter: unknown key "id"; '),
    ({"batch": ""}, BatchRequiredError, "filter.batch: blank"),
    ({"batch": " \t"}, BatchRequiredError, "filter.batch: blank"),
    ({"batch": ["a"]}, FormatError, "filter.batch: ['a'] is not text"),
    ({"batch": None}, FormatError, "filter.batch: None is not text"),
    ({"batch": 2026}, FormatError, "filter.batch: 2026 is not text"),
    ({"batch": True}, FormatError, "filter.batch: True is not text"),
    ({"control_numbers": ""}, FilterError, 'filter.control_numbers: "": empty item; write numbers and ranges like 1,3'),
    ({"control_numbers": "1,,2"}, FilterError, 'filter.control_numbers: "1,,2": empty item'),
    ({"control_numbers": "1,2,"}, FilterError, 'filter.control_numbers: "1,2,": empty item'),
    ({"control_numbers": "8-3"}, FilterError, 'filter.control_numbers: "8-3": the range 8-3 runs backwards'),
    ({"control_numbers": "0"}, FilterError, 'filter.control_numbers: "0": control numbers start at 1'),
    ({"control_numbers": "0-3"}, FilterError, 'filter.control_numbers: "0-3": control numbers start at 1'),
    ({"control_numbers": "-5"}, FilterError, 'filter.control_numbers: "-5": "-5" is neither a number nor a range'),
    ({"control_numbers": "+5"}, FilterError, 'filter.control_numbers: "+5": '),
    ({"control_numbers": "5-"}, FilterError, 'filter.control_numbers: "5-": '),
    ({"control_numbers": "1-2-3"}, FilterError, 'filter.control_numbers: "1-2-3": '),
    ({"control_numbers": "1;2"}, FilterError, 'filter.control_numbers: "1;2": '),
    ({"control_numbers": "\u0661"}, FilterError, "filter.control_numbers: "),
    ({"control_numbers": "\uff11"}, FilterError, "filter.control_numbers: "),
    ({"control_numbers": "1\u20133"}, FilterError, "filter.control_numbers: "),
    ({"control_numbers": "1\n"}, FilterError, "filter.control_numbers: "),
    ({"control_numbers": "2147483648"}, FilterError, 'filter.control_numbers: "2147483648": control numbers go up to '),
    ({"control_numbers": "all"}, FilterError, 'filter.control_numbers: "all": "all" is neither a number nor a range'),
    ({"control_numbers": 5}, FormatError, "filter.control_numbers: 5 is not text"),
    ({"control_numbers": [1, 2]}, FormatError, "filter.control_numbers: [1, 2] is not text"),
    ({"control_numbers": True}, FormatError, "filter.control_numbers: True is not text"),
    ({"account_id": ""}, FilterError, "filter.account_id: blank"),
    ({"account_id": 44}, FormatError, "filter.account_id: 44 is no table of keys and values"),
    ({"account_id": {}}, FormatError, "filter.account_id: needs exactly one of starts_with, exactly, contains, ends_w"),
    ({"account_id": {"exactly": "a", "contains": "b"}}, FormatError, "filter.account_id: needs exactly one of"),
    ({"account_id": {"start_with": "a"}}, FormatError, 'filter.account_id: unknown key "start_with"; did you mean "st'),
    ({"account_id": {"exactly": 44}}, FormatError, "filter.account_id.exactly: 44 is not text"),
    ({"account_id": {"exactly": " "}}, FilterError, "filter.account_id: blank"),
    ({"status": "opn"}, FormatError, "filter.status: 'opn' is none of all_except_closed, any, open, inactive, closed"),
    ({"status": "Open"}, FormatError, "filter.status: 'Open' is none of"),
    ({"status": None}, FormatError, "filter.status: None is none of"),
    ({"registration": True}, FormatError, "filter.registration: True is none of any, registered, unregistered"),
    ({"registration": "yes"}, FormatError, "filter.registration: 'yes' is none of any, registered, unregistered"),
    ({"blocked": "false"}, FormatError, "filter.blocked: 'false' is not true or false"),
    ({"blocked": 0}, FormatError, "filter.blocked: 0 is not true or false"),
    ({"blocked": None}, FormatError, "filter.blocked: None is not true or false"),
    ({"used": "no"}, FormatError, "filter.used: 'no' is not true or false"),
    ({"used": 1.0}, FormatError, "filter.used: Decimal('1.0') is not true or false"),
    ({"customer": "\t"}, FilterError, "filter.customer: blank"),
    ({"customer": 1}, FormatError, "filter.customer: 1 is not text"),
    ({"product": ""}, FilterError, "filter.product: blank"),
    ({"product": {}}, FormatError, "filter.product: {} is not text"),
    ({"contact": "a@b"}, FormatError, "filter.contact: 'a@b' is no table of names and texts"),
    ({"contact": []}, FormatError, "filter.contact: [] is no table of names and texts"),
    ({"contact": {"email": 5}}, FormatError, "filter.contact.email: 5 is not text"),
    ({"contact": {"email": ""}}, FilterError, "filter.contact.email: blank"),
    ({"contact": {"": "x"}}, FilterError, "filter.contact: blank"),
    ({"custom_fields": {"colour": None}}, FormatError, "filter.custom_fields.colour: None is not text"),
    ({"custom_fields": {"colour": "\0"}}, FilterError, "filter.custom_fields.colour: "),
]


@pytest.mark.parametrize(("where", "error", "message"), _WRONG_CRITERIA, ids=lambda value: ascii(value)[:50])
def test_a_wrong_criterion_is_refused_with_its_place(
    where: dict[str, Any], error: type[AccountBatchError], message: str
) -> None:
    """A criterion that makes no sense never degrades to all: it is an error that begins with its path of keys."""
    with pytest.raises(error) as caught:
        _parse(where=where)
    assert type(caught.value) is error
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[]", "request: [] is no table of keys and values"),
        ("null", "request: None is no table of keys and values"),
        ('"filter"', "request: 'filter' is no table of keys and values"),
        ("{}", 'request: the key "filter" is missing'),
        ('{"filter": {}}', 'request: the key "update" is missing'),
        ('{"update": {"product": "gold"}}', 'request: the key "filter" is missing'),
        ('{"filter": {}, "updates": {}}', 'request: unknown key "updates"; did you mean "update"?'),
        ('{"filter": {}, "update": {}, "catalog": {}}', 'request: unknown key "catalog"; known are: filter, update'),
        ('{"filter": [], "update": {"product": "gold"}}', "filter: [] is no table of keys and values"),
        ('{"filter": null, "update": {"product": "gold"}}', "filter: None is no table of keys and values"),
        ('{"filter": {}, "update": "gold"}', "update: 'gold' is no table of keys and values"),
        ('{"filter": {"batch": "a", "batch": "b"}, "update": {}}', 'the key "batch" stands twice'),
        ('{"filter": {}, "filter": {}, "update": {}}', 'the key "filter" stands twice'),
        ('{"filter": {"batch": NaN}, "update": {}}', "NaN is no number"),
        ('{"filter": {}, "update": {"availability_days": Infinity}}', "Infinity is no number"),
        (
            '{"filter": {}, "update": {"availability_days": 1e99}}',
            "update.availability_days: Decimal('1E+99') is not a",
        ),
        ('{"filter": {}, "update": {"opening_balance": 1e99}}', "update.opening_balance: 1E+99 is no text"),
        ("", "no JSON: Expecting value: line 1 column 1"),
        ("[filter]\nbatch = 'x'", "no JSON: "),
        ('{"filter": {},}', "no JSON: "),
    ],
)
def test_a_wrong_json_document_is_refused(document: str, message: str) -> None:
    """A JSON text that is no request is an error that says what is missing, unknown, double or unreadable."""
    with pytest.raises(FormatError) as caught:
        parse_request(document, toml=False)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", 'request: the key "filter" is missing'),
        ("[filter]\nbatch = 'a'", 'request: the key "update" is missing'),
        ("[filter]\n[update]", "update: sets nothing"),
        ("[filters]\n[update]\nproduct='x'", 'request: unknown key "filters"; did you mean "filter"?'),
        ("batch = 'a'\n[filter]\n[update]", 'request: unknown key "batch"; known are: filter, update'),
        ("filter = 'a'\n[update]\nproduct='x'", "filter: 'a' is no table of keys and values"),
        ("[[filter]]\n[update]\nproduct='x'", "filter: [{}] is no table of keys and values"),
        ("[filter]\nbatch = 'a'\nbatch = 'b'\n[update]", "no TOML: Cannot overwrite a value (at line 3, column 12)"),
        ("[filter]\n[filter]\n[update]", "no TOML: Cannot declare ('filter',) twice (at line 2, column"),
        ("[filter]\nbatch = SUMMER\n", "no TOML: Invalid value (at line 2, column 9)"),
        ("[filter]\nbatch: 'a'", "no TOML: "),
        ("[filter", "no TOML: "),
        ('{"filter": {}}', "no TOML: "),
        ("[filter]\n[update]\navailability_days = nan", "update.availability_days: Decimal('NaN') is not a whole num"),
        ("[filter]\n[update]\navailability_days = inf", "update.availability_days: Decimal('Infinity') is not a whol"),
        ("[filter]\n[update]\navailability_days = 1.9", "update.availability_days: Decimal('1.9') is not a whole num"),
        ("[filter]\n[update]\navailability_days = true", "update.availability_days: True is not a whole number"),
        ("[filter]\n[update]\nopening_balance = 15.00", "update.opening_balance: 15.00 is no text"),
        ("[filter]\n[update]\nactivation = 2026-12-01T00:00:00", "update.activation: "),
        ("[filter]\n[update]\nactivation = 2026-12-01T00:00:00Z", "update.activation: "),
        ("[filter]\n[update]\nexpiration = 12:30:00", "update.expiration: "),
        ("[filter]\n[update]\nproduct = 2026-12-01", "update.product: datetime.date(2026, 12, 1) is not text"),
        ("[filter]\nblocked = 'false'\n[update]", "filter.blocked: 'false' is not true or false"),
        ("[filter]\ncontrol_numbers = 7\n[update]", "filter.control_numbers: 7 is not text"),
    ],
)
def test_a_wrong_toml_document_is_refused(document: str, message: str) -> None:
    """A TOML text that is no request is an error that says what is missing, unknown, double or unreadable."""
    with pytest.raises(AccountBatchError) as caught:
        parse_request(document, toml=True)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("toml", [True, False])
@pytest.mark.parametrize("exponent", ["99999999999999999999", "-99999999999999999999"])
def test_a_number_that_no_decimal_holds_is_refused(exponent: str, *, toml: bool) -> None:
    """A number with an exponent beyond all bounds is a FormatError and nothing else."""
    number = f"1e{exponent}"
    text = f"[filter]\n[update]\nproduct = {number}" if toml else f'{{"filter": {number}}}'
    with pytest.raises(FormatError):
        parse_request(text, toml=toml)


@pytest.mark.parametrize("name", ["associated_number", "ivr_language", "site"])
def test_a_value_that_is_the_word_clear_cannot_be_written(name: str) -> None:
    """A value that would be read as CLEAR is an error when a request is written, and not another request."""
    with pytest.raises(FormatError, match=re.escape("'clear' cannot be written: \"clear\" means to clear it")):
        dump_request(_WHERE, _spec(**{name: "clear"}))


@pytest.mark.parametrize("name", ["product", "role"])
def test_clear_is_a_name_where_nothing_can_be_cleared(name: str) -> None:
    """A product or role that is called clear is one."""
    spec = _spec(**{name: "clear"})
    assert parse_request(dump_request(_WHERE, spec), toml=False) == (_WHERE, spec)


def test_a_distributor_may_be_called_clear() -> None:
    """A distributor is written so that no name is mistaken for the word clear."""
    spec = UpdateSpec(distributor="clear")
    assert parse_request(dump_request(_WHERE, spec), toml=False) == (_WHERE, spec)


def test_a_request_is_written_for_people() -> None:
    """The JSON of a request is indented and keeps its letters."""
    text = dump_request(AccountFilter(batch="ЛІТО-2026"), UpdateSpec(product="gold"))
    assert '\n  "filter": {\n    "batch": "ЛІТО-2026",\n' in text


def test_only_what_is_set_is_written() -> None:
    """A request names the settings that are not KEEP, and the criteria that are set."""
    document = json.loads(dump_request(_WHERE, UpdateSpec(site=CLEAR)))
    assert document["update"] == {"site": "clear"}
    assert set(document["filter"]) == {"batch", "status", "registration"}


_SPECS = [
    UpdateSpec(activation=ActivateNow(), site=CLEAR, distributor=CLEAR, product="clear"),
    UpdateSpec(activation=CLEAR, expiration=CLEAR, availability_days=CLEAR, charging_period=CLEAR),
    UpdateSpec(associated_number="clear", ivr_language="keep", site="clear", distributor="clear"),
    UpdateSpec(associated_number=CLEAR, ivr_language=CLEAR, time_zone=CLEAR),
    UpdateSpec(charge=Charge(Money("1.10", "USD")), refund=Refund(Money(1, "JPY"), reference="r")),
    UpdateSpec(addons=ReplaceAddons(()), availability_days=1, charging_period=1),
    UpdateSpec(addons=RemoveAddons({"b", "a"}), distributor=AssignDistributor("a", charge=False)),
    UpdateSpec(status=StatusChange.TERMINATED),
    UpdateSpec(opening_balance=Money("0.00001", "USD"), unified_messaging=UnifiedMessaging.NO, role="keep"),
    UpdateSpec(activation=ActivateOn("2026-12-01"), expiration=ExpireOn("2027-12-01"), time_zone="Europe/Kyiv"),
]


@pytest.mark.parametrize("spec", _SPECS, ids=lambda spec: ",".join(spec.settings()))
def test_the_spec_of_a_plan_round_trips(spec: UpdateSpec) -> None:
    """Every setting comes back from the document of a plan, also a value that is called clear or keep."""
    document = json.loads(json.dumps(write_spec(spec)))
    read = read_spec(document)
    types = {name: type(value) for name, value in attrs.asdict(spec, recurse=False).items()}
    assert (read, {name: type(value) for name, value in attrs.asdict(read, recurse=False).items()}) == (spec, types)


def test_the_spec_of_a_plan_is_written_in_full() -> None:
    """A plan says of every attribute that it is kept, so that a new default does not change its meaning."""
    document = write_spec(UpdateSpec(product="gold"))
    names = [field.name for field in attrs.fields(UpdateSpec)]
    assert document == dict.fromkeys(names, "keep") | {"product": {"set": "gold"}}


_FULL = write_spec(UpdateSpec(product="gold"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prodct": "keep"}, 'spec: unknown key "prodct"; did you mean "product"?'),
        ({"product": "gold"}, "spec.product: 'gold' is no table of keys and values"),
        ({"product": {"set": 5}}, "spec.product.set: 5 is not text"),
        ({"product": {}}, 'spec.product: the key "set" is missing'),
        ({"product": {"set": "gold", "x": 1}}, 'spec.product: unknown key "x"'),
        ({"product": "clear"}, "spec.product: CLEAR is none of"),
        ({"product": "keep"}, "spec: sets nothing"),
        ({"status": {"set": "closed"}}, "spec.status.set: 'closed' is none of"),
        ({"availability_days": {"set": "clear"}}, "spec.availability_days.set: 'clear' is not a whole number"),
        ({"expiration": {"set": "clear"}}, 'spec.expiration: "clear" is no date'),
        ({"role": None}, "spec.role: None is no table"),
        ({"role": True}, "spec.role: True is no table"),
    ],
)
def test_a_wrong_spec_of_a_plan_is_refused(change: dict[str, object], message: str) -> None:
    """The spec of a plan has one form, and anything else is an error that names the place."""
    with pytest.raises((FormatError, SpecError)) as caught:
        read_spec(_FULL | change)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(UpdateSpec)])
def test_the_spec_of_a_plan_says_something_of_every_attribute(name: str) -> None:
    """An attribute that is missing in a plan is an error: no default is put in its place."""
    with pytest.raises(FormatError, match=f'spec: the key "{name}" is missing'):
        read_spec({key: value for key, value in _FULL.items() if key != name})


@pytest.mark.parametrize(
    "where",
    [
        AccountFilter(),
        _WHERE,
        AccountFilter(batch="B", control_numbers="1,3,8-12", account_id=TextMatch.contains("%"), blocked=False),
        AccountFilter(account_id=TextMatch.exactly("44"), status=StatusFilter.ANY, used=True, customer="acme"),
        AccountFilter(registration=Registration.UNREGISTERED, product="gold", contact={"a": "b"}),
        AccountFilter(custom_fields={"a.b": "c"}, contact={"x": "y", "a": "b"}),
    ],
    ids=lambda where: ",".join(write_filter(where)),
)
def test_the_filter_of_a_plan_round_trips(where: AccountFilter) -> None:
    """Every criterion comes back from the document of a plan."""
    assert read_filter(json.loads(json.dumps(write_filter(where)))) == where


def test_the_filter_of_a_plan_is_written_in_full() -> None:
    """Criteria with a default that means something are written even if they have it."""
    assert write_filter(AccountFilter()) == {"status": "all_except_closed", "registration": "any"}


_SCHEMA = request_schema()


def test_the_schema_is_a_json_schema() -> None:
    """The schema of a request says which draft it follows, and follows it."""
    assert _SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)
    assert json.loads(json.dumps(_SCHEMA)) == _SCHEMA


def test_the_schema_accepts_the_request_of_the_design() -> None:
    """The example of the design is valid."""
    document = json.loads(dump_request(*parse_request(_DESIGN, toml=True)))
    jsonschema.Draft202012Validator(_SCHEMA).validate(document)


# JSON Schema knows no currencies, does not count digits, and takes 1.0 for a whole number.
_BEYOND_SCHEMA = ("no ISO 4217", "opening_balance: amount", "Decimal('1.0') is not a whole number")
_STRUCTURAL = [
    (part, case)
    for part, cases in (("update", _WRONG_SETTINGS), ("filter", _WRONG_CRITERIA))
    for case in cases
    if case[1] in {FormatError, EmptySpecError} and not any(words in case[2] for words in _BEYOND_SCHEMA)
]


@pytest.mark.parametrize(("part", "case"), _STRUCTURAL, ids=lambda value: ascii(value)[:60])
def test_the_schema_refuses_what_has_another_form(part: str, case: _Case) -> None:
    """Unknown keys, wrong types and wrong words are refused by the schema, as the codec does."""
    document = {"filter": {}, "update": {"product": "gold"}} | {part: case[0]}
    assert not jsonschema.Draft202012Validator(_SCHEMA).is_valid(document)


def test_the_schema_names_every_key() -> None:
    """An editor that knows the schema offers every criterion and every setting."""
    properties = _SCHEMA["properties"]
    assert set(properties["filter"]["properties"]) == {field.name for field in attrs.fields(AccountFilter)}
    assert set(properties["update"]["properties"]) == {field.name for field in attrs.fields(UpdateSpec)}
