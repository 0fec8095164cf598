import pickle
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import attrs
import pendulum
import pytest

from account_batch.account import (
    Account,
    AccountKind,
    AccountState,
    Details,
    Entitlements,
    UnifiedMessaging,
    as_details,
    availability_end,
    availability_start,
    check_text,
    is_positive_int,
)
from account_batch.errors import FilterError, InvalidValueError

_REQUIRED: dict[str, Any] = {
    "id": "4477001",
    "customer": "acme",
    "kind": AccountKind.DEBIT,
    "currency": "USD",
    "product": "gold",
}
_FULL: dict[str, Any] = _REQUIRED | {
    "batch": "SUMMER-2026",
    "control_number": 7,
    "account_role": "phone line",
    "state": AccountState.INACTIVE,
    "blocked": True,
    "registered": True,
    "opening_balance": Decimal("15.00"),
    "balance": Decimal("-0.12345"),
    "activation_date": date(2026, 12, 1),
    "expiration_date": date(2027, 12, 1),
    "availability_days": 90,
    "first_used_on": date(2026, 11, 1),
    "last_recharged_on": date(2026, 11, 2),
    "addons": frozenset({"call-waiting", "voicemail"}),
    "charging_period": 6,
    "associated_number": "18005551234",
    "unified_messaging": UnifiedMessaging.NO,
    "ivr_language": "en",
    "time_zone": "America/New_York",
    "role": "default",
    "site": "hq",
    "distributor": "north",
    "contact": Details({"email": "ann@example.org"}),
    "custom_fields": Details({"colour": "red"}),
}
_REQUIRED_TEXTS = ("id", "customer", "product")
_OPTIONAL_TEXTS = (
    "batch",
    "account_role",
    "associated_number",
    "ivr_language",
    "time_zone",
    "role",
    "site",
    "distributor",
)
_DATES = ("activation_date", "expiration_date", "first_used_on", "last_recharged_on")
_COUNTS = ("control_number", "availability_days", "charging_period")
_AMOUNTS = ("opening_balance", "balance")
_NO_TEXTS: tuple[Any, ...] = ("", " ", "\t\n", "\0", "a\0b", "\ud800", "a\udfff", 5, True, b"x", ["x"])


def test_an_account_needs_five_fields() -> None:
    """Everything but id, customer, kind, currency and product has the obvious default."""
    account = Account(**_REQUIRED)
    assert attrs.asdict(account, recurse=False) == _REQUIRED | {
        "batch": None,
        "control_number": None,
        "account_role": None,
        "state": AccountState.OPEN,
        "blocked": False,
        "registered": False,
        "opening_balance": Decimal(0),
        "balance": Decimal(0),
        "activation_date": None,
        "expiration_date": None,
        "availability_days": None,
        "first_used_on": None,
        "last_recharged_on": None,
        "addons": frozenset(),
        "charging_period": None,
        "associated_number": None,
        "unified_messaging": UnifiedMessaging.BY_PRODUCT,
        "ivr_language": None,
        "time_zone": None,
        "role": None,
        "site": None,
        "distributor": None,
        "contact": {},
        "custom_fields": {},
    }


@pytest.mark.parametrize("field", _REQUIRED)
def test_a_required_field_cannot_be_left_out(field: str) -> None:
    """An account without one of its five fields does not exist."""
    with pytest.raises(TypeError, match=field):
        Account(**{name: value for name, value in _REQUIRED.items() if name != field})


@pytest.mark.parametrize("kind", [Account, Entitlements])
def test_fields_are_given_by_name(kind: type) -> None:
    """No field is taken for another because of its position."""
    with pytest.raises(TypeError, match="positional"):
        kind(*_FULL.values())


def test_an_account_keeps_what_it_is_given() -> None:
    """Every field reads back as it was written."""
    assert attrs.asdict(Account(**_FULL), recurse=False) == _FULL


def _bad_fields() -> Iterator[tuple[str, Any]]:
    for field in (*_REQUIRED_TEXTS, *_OPTIONAL_TEXTS):
        yield from ((field, value) for value in _NO_TEXTS)
    yield from ((field, None) for field in _REQUIRED_TEXTS)
    for field in _COUNTS:
        yield from ((field, value) for value in (0, -1, 2**31, True, 1.0, "1", Decimal(1)))
    for field in ("blocked", "registered"):
        yield from ((field, value) for value in (0, 1, None, "yes"))
    for field in _AMOUNTS:
        yield from ((field, value) for value in (1.5, True, None, "", "1e3", "0.123456", Decimal("NaN"), 10**15))
    for field in _DATES:
        bad = ("", "2026-1-1", "2026-02-30", "now", datetime(2026, 12, 1, tzinfo=UTC), 20261201, False)
        yield from ((field, value) for value in bad)
    yield from (("kind", value) for value in ("debit", None, AccountState.OPEN))
    yield from (("state", value) for value in ("open", None, AccountKind.DEBIT))
    yield from (("unified_messaging", value) for value in ("yes", True, None))
    yield from (("currency", value) for value in ("", "usd", "XYZ", None, 840))
    yield from (("addons", value) for value in ("call-waiting", b"ab", [""], ["a\0"], [5], [None], 5, None))
    for field in ("contact", "custom_fields"):
        texts = [{"email": value} for value in _NO_TEXTS]
        names = [{"": "x"}, {"a\0": "x"}, {5: "x"}]
        yield from ((field, value) for value in (*texts, *names, None, 5, "email", [("email", "x")]))
        yield field, Details({"email": "a\0b"})


@pytest.mark.parametrize(("field", "value"), list(_bad_fields()), ids=ascii)
def test_a_bad_value_is_refused_under_the_name_of_its_field(field: str, value: Any) -> None:
    """No field takes a value that no account can have: blank text, NUL, a bool for a number, an impossible date."""
    with pytest.raises(InvalidValueError, match=rf"^account\.{field}\b") as caught:
        Account(**_REQUIRED | {field: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("field", ["contact", "custom_fields"])
def test_a_bad_detail_is_named(field: str) -> None:
    """The message about one of many details says which."""
    with pytest.raises(InvalidValueError, match=re.escape(f"account.{field}.email: blank")):
        Account(**_REQUIRED | {field: {"name": "Ann", "email": ""}})


@pytest.mark.parametrize("field", _DATES)
@pytest.mark.parametrize("value", ["2026-12-01", pendulum.Date(2026, 12, 1)], ids=repr)
def test_dates_may_be_text(field: str, value: date | str) -> None:
    """ISO text and other date classes become standard dates."""
    day = getattr(Account(**_REQUIRED | {field: value}), field)
    assert (type(day), day) == (date, date(2026, 12, 1))


@pytest.mark.parametrize("field", _AMOUNTS)
@pytest.mark.parametrize("value", ["15.50", Decimal("15.50")], ids=repr)
def test_amounts_are_exact(field: str, value: Decimal | str) -> None:
    """Amounts may be text, and are decimals."""
    assert getattr(Account(**_REQUIRED | {field: value}), field) == Decimal("15.5")


def test_collections_may_be_any_iterable() -> None:
    """Add-ons and details come as lists, sets, generators or dicts, and equal ones make equal accounts."""
    lists = Account(**_REQUIRED | {"addons": ["b", "a", "b"], "contact": {"x": "1", "a": "2"}})
    others = Account(**_REQUIRED | {"addons": (name for name in "ab"), "contact": Details({"a": "2", "x": "1"})})
    assert (lists, hash(lists)) == (others, hash(others))


@pytest.mark.parametrize("given", [_REQUIRED, _FULL], ids=["required", "full"])
def test_accounts_are_values(given: dict[str, Any]) -> None:
    """Equal accounts are equal, hash alike, and stay so across a process boundary."""
    account = Account(**given)
    copies = {account, Account(**given), pickle.loads(pickle.dumps(account))}  # noqa: S301  # The bytes are our own.
    assert len(copies) == 1


def test_an_account_can_be_evolved() -> None:
    """A changed copy differs in what was changed, and the original stays."""
    account = Account(**_FULL)
    blocked = attrs.evolve(account, blocked=False, contact={"email": "bob@example.org"})
    assert attrs.asdict(blocked, recurse=False) == _FULL | {"blocked": False, "contact": {"email": "bob@example.org"}}
    assert account == Account(**_FULL)


def test_an_account_cannot_be_changed() -> None:
    """An account is a snapshot."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Account(**_REQUIRED).blocked = True  # type: ignore[misc]  # The assignment is what is tested.


@pytest.mark.parametrize(("first_used_on", "used"), [(None, False), (date(2026, 11, 1), True)])
def test_an_account_is_used_once_it_has_a_first_usage(first_used_on: date | None, used: bool) -> None:  # noqa: FBT001
    """Used means that there is a first usage date."""
    assert Account(**_REQUIRED | {"first_used_on": first_used_on}).used is used


@pytest.mark.parametrize(
    ("used", "recharged", "start"),
    [
        (None, None, None),
        ("2026-11-01", None, "2026-11-01"),
        (None, "2026-11-02", "2026-11-02"),
        ("2026-11-01", "2026-11-02", "2026-11-02"),
        ("2026-11-03", "2026-11-02", "2026-11-03"),
    ],
)
def test_the_availability_period_counts_from_the_latest(
    used: str | None, recharged: str | None, start: str | None
) -> None:
    """It counts from the latest of first usage and last recharge that is set; with none it is not running (rule 5)."""
    days = [None if text is None else date.fromisoformat(text) for text in (used, recharged, start)]
    assert availability_start(days[0], days[1]) == days[2]


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (date(2026, 11, 1), 1, date(2026, 11, 2)),
        (date(2026, 11, 1), 90, date(2027, 1, 30)),
        (None, 90, None),
        (date(2026, 11, 1), None, None),
        (date.max, 1, None),
    ],
)
def test_the_availability_period_ends_after_its_days(start: date | None, days: int | None, end: date | None) -> None:
    """The period ends so many days later; none that is not running or outlasts the calendar ends."""
    assert availability_end(start, days) == end


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({}, None),
        ({"expiration_date": "2026-12-01"}, "2026-12-01"),
        ({"availability_days": 10}, None),
        ({"first_used_on": "2026-11-01"}, None),
        ({"first_used_on": "2026-11-01", "availability_days": 10}, "2026-11-11"),
        ({"last_recharged_on": "2026-11-01", "availability_days": 10}, "2026-11-11"),
        ({"first_used_on": "2026-11-01", "availability_days": 10, "expiration_date": "2026-11-10"}, "2026-11-10"),
        ({"first_used_on": "2026-11-01", "availability_days": 10, "expiration_date": "2026-11-12"}, "2026-11-11"),
        ({"availability_days": 10, "expiration_date": "2026-11-12"}, "2026-11-12"),
        ({"first_used_on": "9999-12-31", "availability_days": 10}, None),
    ],
)
def test_the_effective_expiration_is_the_earlier_end(given: dict[str, Any], ends: str | None) -> None:
    """An account ends on its expiration date or with its availability period, whichever comes first (rule 5)."""
    assert Account(**_REQUIRED | given).effective_expiration == (None if ends is None else date.fromisoformat(ends))


_OPEN, _SELF_CARE_ONLY, _NONE = (
    Entitlements(services=services, self_care=self_care, maintenance_charged=services, subscription_charged=self_care)
    for services, self_care in ((True, True), (False, True), (False, False))
)


@pytest.mark.parametrize(
    ("given", "entitlements"),
    [
        ({}, _OPEN),
        ({"blocked": True}, _SELF_CARE_ONLY),
        ({"expiration_date": "2026-11-24"}, _OPEN),
        ({"expiration_date": "2026-11-24", "blocked": True}, _SELF_CARE_ONLY),
        ({"expiration_date": "2026-11-23"}, _NONE),
        ({"expiration_date": "2026-11-23", "blocked": True}, _NONE),
        ({"first_used_on": "2026-11-20", "availability_days": 3}, _NONE),
        ({"first_used_on": "2026-11-20", "availability_days": 4}, _OPEN),
        ({"state": AccountState.INACTIVE}, _NONE),
        ({"state": AccountState.CLOSED}, _NONE),
        ({"state": AccountState.CLOSED, "blocked": True}, _NONE),
    ],
    ids=str,
)
def test_entitlements_follow_state_blocking_and_expiry(given: dict[str, Any], entitlements: Entitlements) -> None:
    """Blocked loses services and maintenance charges; closed, inactive and expired lose everything (rule 2)."""
    assert Account(**_REQUIRED | given).entitlements(date(2026, 11, 23)) == entitlements


@pytest.mark.parametrize(
    ("value", "positive"),
    [(1, True), (2**31 - 1, True), (0, False), (-1, False), (2**31, False), (True, False), (1.0, False), ("1", False)],
)
def test_counts_are_whole_numbers_from_one(value: object, positive: bool) -> None:  # noqa: FBT001
    """A count is a whole number from 1 to 2^31 - 1, and no bool."""
    assert is_positive_int(value) is positive


@pytest.mark.parametrize("text", ["x", " x ", "100%", "Київ", "\U0001f4de", "a\nb"], ids=ascii)
def test_text_is_kept_as_it_is(text: str) -> None:
    """Text with anything visible in it is accepted and not changed."""
    assert check_text(text, "x") == text


@pytest.mark.parametrize("text", _NO_TEXTS, ids=ascii)
def test_text_that_no_storage_keeps_is_refused(text: object) -> None:
    """Blank text, NUL, lone surrogates and other types are refused with the caller's error, naming the place."""
    with pytest.raises(FilterError, match=r"^filter\.x: "):
        check_text(text, "filter.x", FilterError)


def test_details_are_a_mapping() -> None:
    """Details read like a dict, in the order of their names."""
    details = as_details({"name": "Ann", "email": "ann@example.org"}, "x")
    assert details == {"email": "ann@example.org", "name": "Ann"}
    assert (list(details), len(details), details["name"]) == (["email", "name"], 2, "Ann")
    assert repr(details) == "{'email': 'ann@example.org', 'name': 'Ann'}"


def test_a_missing_detail_is_a_key_error() -> None:
    """Asking for a detail that is not there behaves as with a dict."""
    with pytest.raises(KeyError, match="phone"):
        Details({"email": "x"})["phone"]


def test_details_are_values() -> None:
    """Equal details, in whatever order they were given, are equal, hash alike and survive pickling."""
    details = Details({"b": "1", "a": "2"})
    copies = {details, Details([("a", "2"), ("b", "1")])}
    copies.add(pickle.loads(pickle.dumps(details)))  # noqa: S301  # The bytes are our own.
    assert len(copies) == 1


def test_details_cannot_be_changed() -> None:
    """Details are immutable, so that whatever holds them can be a key."""
    details = Details({"a": "1"})
    with pytest.raises(AttributeError, match="immutable"):
        details.name = "2"


def test_details_are_taken_as_they_are() -> None:
    """Details that were checked once are not copied again."""
    details = Details({"a": "1"})
    assert as_details(details, "x") is details
