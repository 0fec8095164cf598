import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

from account_batch.account import AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Product
from account_batch.codec.strict import parse_instant, parse_json, strict_converter, structure
from account_batch.decision import AlterAddons, Assign, Assignment, ShiftBalance
from account_batch.errors import FormatError
from account_batch.money import Money
from account_batch.questions import (
    AddonsOutside,
    Answer,
    Equals,
    FundsCover,
    HasAddon,
    HasTransaction,
    IsSet,
    OnOrBefore,
    Question,
    Value,
)


def _name(value: object) -> str:
    """A name for a test that is the same in every process: sets have no order."""
    return re.sub(r"frozenset\(\{(.*?)\}\)", lambda found: "".join(sorted(found[1])), ascii(value))[:70]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", Decimal("1.10")),
        ("1e2", Decimal("1e2")),
        ("0.1", Decimal("0.1")),
        ("123456789.12345678901234567890", Decimal("123456789.12345678901234567890")),
        ("7", 7),
        ("-0", 0),
        ("12345678901234567890", 12345678901234567890),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
    ],
)
def test_numbers_of_json_are_exact(text: str, value: object) -> None:
    """A number with a point is a Decimal with all its digits, one without is an int, and nothing becomes a float."""
    read = parse_json(text)
    assert (type(read), str(read)) == (type(value), str(value))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("document", ["@", "[1, @]", '{"a": {"b": @}}'])
def test_json_has_no_numbers_that_are_none(constant: str, document: str) -> None:
    """NaN and the infinities are refused wherever they stand, and named."""
    with pytest.raises(FormatError, match=f"^{constant} "):
        parse_json(document.replace("@", constant))


@pytest.mark.parametrize(
    "document", ['{"a": 1, "a": 1}', '{"b": 1, "a": 1, "a": 2}', '[{"x": {"a": 1, "c": 2, "a": 3}}]']
)
def test_a_key_of_json_stands_once(document: str) -> None:
    """A key that stands twice in one object is an error that names the key, whether or not the values agree."""
    with pytest.raises(FormatError, match='"a" stands twice'):
        parse_json(document)


def test_the_same_key_may_stand_in_two_objects() -> None:
    """Keys are looked at object by object."""
    assert parse_json('{"a": {"a": 1}, "b": {"a": 2}}') == {"a": {"a": 1}, "b": {"a": 2}}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1 column 1"),
        ('{"a": 1}}', "line 1 column 9"),
        ('{\n  "a": 1,\n  "b" 2\n}', "line 3 column 7"),
        ("{'a': 1}", "line 1 column 2"),
        ('{"a": 1,}', "line 1 column"),
        ('{"a": 01}', "line 1 column"),
        ('"a\nb"', "line 1 column"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(text: str, place: str) -> None:
    """The message of a syntax error names line and column."""
    with pytest.raises(FormatError, match=f"^no JSON: .*{place}"):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "9" * 5_000, "-" + "9" * 5_000, "1e99999999999999999999", "1e-99999999999999999999"],
    ids=["deep", "long", "long-negative", "huge-exponent", "tiny-exponent"],
)
def test_json_that_is_too_much_is_refused(text: str) -> None:
    """Text that is nested too deeply, or a number that Python cannot hold, is a FormatError and nothing else."""
    with pytest.raises(FormatError):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00+00:00",
        "2026-11-23T12:00:00+02:00",
        "2026-11-23 05:00:00-05:00",
        "2026-11-23T15:45:00.000+05:45",
    ],
)
def test_an_instant_is_kept_in_utc(text: str) -> None:
    """However its offset is written, an instant is the same value, in UTC."""
    instant = parse_instant(text)
    assert (instant, instant.tzinfo, type(instant)) == (datetime(2026, 11, 23, 10, tzinfo=UTC), UTC, datetime)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "no instant"),
        ("now", "no instant"),
        ("12:30", "no instant"),
        ("2026", "no instant"),
        ("2026-02-30T10:00:00Z", "no instant"),
        ("2026-11-23T25:00:00Z", "no instant"),
        ("2026-11-23T10:00:00 Europe/Kyiv", "no instant"),
        ("2026-11-23", "offset"),
        ("2026-11-23T10:00:00", "offset"),
        (None, "not text"),
        (1_700_000_000, "not text"),
        (True, "not text"),
        (datetime(2026, 11, 23, tzinfo=UTC), "not text"),
    ],
)
def test_what_is_no_instant_is_refused(value: object, why: str) -> None:
    """Anything but ISO text with an offset is an error that shows the value and says what is wrong with it."""
    with pytest.raises(FormatError, match=f"{re.escape(repr(value))}.*{why}"):
        parse_instant(value)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_instant_outside_the_calendar_of_utc_is_refused(text: str) -> None:
    """An instant before the year 1 or after 9999 in UTC is a FormatError and nothing else."""
    with pytest.raises(FormatError):
        parse_instant(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, 1),
        (str, None),
        (str, True),
        (str, ["a"]),
        (str, date(2026, 12, 1)),
        (int, True),
        (int, False),
        (int, "1"),
        (int, Decimal("1.9")),
        (int, Decimal("1.0")),
        (int, 1.0),
        (int, None),
        (bool, "false"),
        (bool, "true"),
        (bool, "no"),
        (bool, 0),
        (bool, 1),
        (bool, None),
        (Decimal, True),
        (Decimal, 1.5),
        (Decimal, float("nan")),
        (Decimal, Decimal("NaN")),
        (Decimal, Decimal("Infinity")),
        (Decimal, Decimal("1e99")),
        (Decimal, "1e99"),
        (Decimal, "NaN"),
        (Decimal, "1,50"),
        (Decimal, ""),
        (Decimal, None),
        (Decimal, "0.12345678901"),
        (tuple[str, ...], "abc"),
        (tuple[str, ...], ("a", "b")),
        (tuple[str, ...], {"a": "b"}),
        (tuple[str, ...], ["a", 1]),
        (tuple[int, ...], [1, True]),
        (frozenset[str], "abc"),
        (frozenset[str], ["a", None]),
        (frozenset[str], {"a"}),
        (date, "now"),
        (date, "2026"),
        (date, "12:30"),
        (date, "2026-12-1"),
        (date, "2026-02-30"),
        (date, "20261201"),
        (date, 20261201),
        (date, datetime(2026, 12, 1, tzinfo=UTC)),
        (date, None),
        (datetime, "2026-12-01T00:00:00"),
        (datetime, 0),
        (Money, "15.00"),
        (Money, "15.00 usd"),
        (Money, "15.00USD"),
        (Money, "15.00  USD"),
        (Money, "USD 15.00"),
        (Money, "15.00 XXX"),
        (Money, 15),
        (Money, Decimal("15.00")),
        (Money, None),
        (AccountKind, "DEBIT"),
        (AccountKind, 1),
    ],
    ids=_name,
)
def test_nothing_is_taken_for_something_else(kind: Any, value: object) -> None:
    """A value of another type, or one that only looks alike, is refused with the place where it stands."""
    with pytest.raises(FormatError, match=re.escape("@ here")):
        structure(value, kind, "here")


@pytest.mark.parametrize(
    ("kind", "document", "value"),
    [
        (str, "a", "a"),
        (int, 7, 7),
        (bool, False, False),
        (Decimal, "1.10", Decimal("1.10")),
        (Decimal, 5000, Decimal(5000)),
        (Decimal, Decimal("0.15"), Decimal("0.15")),
        (tuple[str, ...], ["b", "a"], ("b", "a")),
        (tuple[str, ...], [], ()),
        (frozenset[str], ["b", "a"], frozenset({"a", "b"})),
        (date, "2026-12-01", date(2026, 12, 1)),
        (datetime, "2026-12-01T01:00:00+01:00", datetime(2026, 12, 1, tzinfo=UTC)),
        (Money, "15 USD", Money("15.00", "USD")),
        (AccountKind, "debit", AccountKind.DEBIT),
    ],
    ids=_name,
)
def test_what_is_meant_is_read_as_its_type(kind: Any, document: object, value: object) -> None:
    """A document of the right form becomes the value, of exactly its type."""
    read = structure(document, kind, "here")
    assert (type(read), read) == (type(value), value)


_ANSWERS: list[Answer] = [
    None,
    True,
    False,
    0,
    1,
    -7,
    "",
    "1",
    "true",
    "2026-12-01",
    "1.5",
    Decimal("1.10"),
    Decimal(0),
    Decimal(-15),
    date(2026, 12, 1),
    frozenset(),
    frozenset({"b", "a"}),
    *AccountKind,
    *AccountState,
    *UnifiedMessaging,
]


@pytest.mark.parametrize("value", _ANSWERS, ids=_name)
def test_a_value_of_a_field_round_trips_with_its_type(value: Answer) -> None:
    """What a field may hold comes back through JSON equal and of exactly its type, whatever else it equals."""
    kind: Any = Answer
    document = parse_json(json.dumps(strict_converter().get_unstructure_hook(kind)(value)))
    read = structure(document, kind, "here")
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    "document",
    [
        Decimal("1.5"),
        [],
        ["a"],
        {},
        {"decimal": "1", "date": "2026-12-01"},
        {"decimal": Decimal("1.5")},
        {"decimal": 1},
        {"decimal": "NaN"},
        {"decimal": "1e99"},
        {"decimal": None},
        {"date": "2026"},
        {"date": 1},
        {"date": "2026-12-01", "x": 1},
        {"set": "abc"},
        {"set": ["a", 1]},
        {"set": [], "x": 1},
        {"tuple": []},
        {"AccountKind": "DEBIT"},
        {"AccountKind": []},
        {"AccountKind": "debit", "x": 1},
        {"StatusFilter": "any"},
    ],
    ids=ascii,
)
def test_what_is_no_value_of_a_field_is_refused(document: object) -> None:
    """A field value that nothing writes is an error that names the place."""
    kind: Any = Answer
    with pytest.raises(FormatError, match=re.escape("@ here")):
        structure(document, kind, "here")


_QUESTIONS: list[Question] = [
    Value("kind"),
    IsSet("first_used_on"),
    Equals("activation_date", date(2026, 12, 1)),
    Equals("associated_number", "18005551234"),
    Equals("addons", frozenset({"b", "a"})),
    OnOrBefore("availability_end", date(2026, 12, 1)),
    FundsCover(Decimal("5.00001"), None),
    FundsCover(Decimal(5), Decimal("0.5")),
    HasAddon("call-waiting"),
    AddonsOutside(frozenset({"b", "a"})),
    AddonsOutside(frozenset()),
    HasTransaction("sim-fee"),
]
_ASSIGNMENTS: list[Assignment] = [
    *(Assign("role", value) for value in _ANSWERS),
    AlterAddons(frozenset({"a"}), frozenset()),
    AlterAddons(frozenset(), frozenset({"b", "c"})),
    ShiftBalance(Decimal("-5.00001")),
]


def _types(value: Question | Assignment) -> list[type]:
    """The type of a value and of its parts."""
    return [type(value), *(type(getattr(value, field.name)) for field in attrs.fields(type(value)))]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Question, question) for question in _QUESTIONS] + [(Assignment, assignment) for assignment in _ASSIGNMENTS],
    ids=_name,
)
def test_questions_and_assignments_round_trip_with_their_types(kind: Any, value: Question | Assignment) -> None:
    """Every question and every assignment comes back through JSON equal, and so do the types of its parts."""
    document = parse_json(json.dumps(strict_converter().unstructure(value, unstructure_as=kind)))
    read = structure(document, kind, "here")
    assert (read, _types(read)) == (value, _types(value))


@pytest.mark.parametrize(
    ("kind", "document", "place"),
    [
        (Question, {"ask": "Value", "field": "balance"}, "balance has too many values"),
        (Question, {"ask": "OnOrBefore", "moment": "birthday", "day": "2026-12-01"}, "birthday"),
        (Question, {"ask": "Value", "field": "kind", "x": 1}, 'unknown key "x"; known are: field @ here'),
        (Question, {"field": "kind"}, "'ask' is missing @ here"),
        (Question, {"ask": "Value"}, "'field' is missing @ here.field"),
        (Assignment, {"do": "ShiftBalance", "amount": True}, "@ here.amount"),
        (Assignment, {"do": "AlterAddons", "added": "ab", "removed": []}, "'ab' is not a list @ here.added"),
    ],
)
def test_wrong_questions_and_assignments_are_refused(kind: Any, document: object, place: str) -> None:
    """A question or assignment of another form is an error that says where and what."""
    with pytest.raises(FormatError, match=re.escape(place)):
        structure(document, kind, "here")


@pytest.mark.parametrize(("kind", "tag"), [(Question, "ask"), (Assignment, "do")])
def test_an_unknown_tag_is_called_unknown(kind: Any, tag: str) -> None:
    """A tag that names nothing is not reported as a missing key."""
    with pytest.raises(FormatError) as caught:
        structure({tag: "Nonsense", "field": "kind"}, kind, "here")
    assert "Nonsense" in str(caught.value)
    assert "missing" not in str(caught.value)


_GOLD = {"id": "gold", "currency": "USD"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"id": "gold"}, "'currency' is missing @ here[1].currency"),
        (_GOLD | {"curency": "USD"}, 'unknown key "curency"; did you mean "currency"? @ here[1]'),
        (_GOLD | {"zzz": 1}, 'unknown key "zzz"; known are: account_role, allowed_addons, currency, id, '),
        (_GOLD | {"allowed_addons": ["a", 1]}, "1 is not text @ here[1].allowed_addons[1]"),
        (_GOLD | {"subscription": {"in_advance": "false"}}, "'false' is not true or false @ here[1].subscription."),
        (_GOLD | {"subscription": None, "is_addon": 1}, "1 is not true or false @ here[1].is_addon"),
        (_GOLD | {"currency": "XXX"}, "product.currency: 'XXX' is no ISO 4217 currency; write it like USD @ here[1]"),
        (None, "this is no object of keys and values @ here[1]"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(document: object, message: str) -> None:
    """The message says what is wrong and names the path of keys and positions that leads there."""
    with pytest.raises(FormatError, match=re.escape(message)):
        structure([_GOLD, document], tuple[Product, ...], "here")


@pytest.mark.parametrize("document", ["gold", 7, True, ["id", "gold"], Decimal("1.5")])
def test_what_is_no_object_is_said_to_be_none(document: object) -> None:
    """Where keys and values should stand, anything else is refused in words that are not Python's."""
    with pytest.raises(FormatError, match=r"no object of keys and values @ here"):
        structure(document, Product, "here")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """One error names all places."""
    with pytest.raises(FormatError) as caught:
        structure([{"id": 5, "currency": "USD"}, {"id": "gold", "curency": 1}], tuple[Product, ...], "here")
    message = str(caught.value)
    assert [part for part in ("@ here[0].id", "@ here[1].currency", '"curency"') if part not in message] == []


def test_instants_are_written_with_their_offset() -> None:
    """An instant of a document says its offset from UTC."""
    instant = datetime(2026, 12, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert strict_converter().unstructure(instant) == "2026-12-01T02:00:00+02:00"
