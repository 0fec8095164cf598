import pickle
import re
from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState
from account_batch.errors import BatchRequiredError, CustomFieldFilterError, FilterError
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch, TextMode

_ACCOUNT = Account(
    id="44_77%01A",
    batch="SUMMER-2026",
    control_number=7,
    customer="acme",
    kind=AccountKind.DEBIT,
    currency="USD",
    product="gold",
    contact={"email": "ann@example.org", "name": "Ann"},
    custom_fields={"colour": "red", "size": "L"},
)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("1,3,8-12", "1,3,8-12"),
        ("8-12,3,1", "1,3,8-12"),
        (" 1 , 3 ,8 - 12 ", "1,3,8-12"),
        ("001,0003,08-0012", "1,3,8-12"),
        ("1,2,3", "1-3"),
        ("1-3,4-6", "1-6"),
        ("1-3,5-6", "1-3,5-6"),
        ("1-10,3-4", "1-10"),
        ("3-4,1-10,10-12", "1-12"),
        ("5,5,5-5", "5"),
        ("2147483647", "2147483647"),
        ("1-2147483647", "1-2147483647"),
        ("0" * 5000 + "7", "7"),
        (7, "7"),
        ([3, 1, 2, 2], "1-3"),
        ({2147483647, 1}, "1,2147483647"),
        (range(8, 13), "8-12"),
        ((n for n in (1, 3)), "1,3"),
        (ControlNumbers("1-3"), "1-3"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_control_numbers_have_a_normal_form(given: Any, normal: str) -> None:
    """However the same numbers are written, they are the same value and have one text."""
    numbers = ControlNumbers(given)
    assert (str(numbers), numbers, hash(numbers)) == (normal, ControlNumbers(normal), hash(ControlNumbers(normal)))


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        ",",
        "1,,2",
        "1,2,",
        ",1",
        "8-3",
        "0",
        "00",
        "0-3",
        "-5",
        "5-",
        "-",
        "1--3",
        "1-2-3",
        "+1",
        "1-+3",
        "1-99999999999",
        "2147483648",
        "9" * 5000,
        "1 2",
        "1;2",
        "1.0",
        "1e3",
        "0x1",
        "1_0",
        "\uff11",
        "\u0661",
        "\u00b2",
        "1\u20133",
        "1\n",
        "\t1",
        "1\u00a0",
        "1\0",
        "all",
        "*",
        0,
        -5,
        2**31,
        True,
        [],
        [0],
        [2**31],
        [True],
        [1.0],
        ["1"],
        [None],
        b"8-3",
        1.5,
        {1: 2},
        object,
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_other_control_numbers_are_refused(given: Any) -> None:
    """Empty items, reversed ranges, zero, signs, foreign digits and other types never mean some or all accounts."""
    with pytest.raises(FilterError, match=r"^filter\.control_numbers: ") as caught:
        AccountFilter(batch="SUMMER-2026", control_numbers=given)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("given", [None, 1.5, b"8-3", {1: 2}, object], ids=ascii)
def test_control_numbers_alone_refuse_other_types(given: Any) -> None:
    """The value refuses by itself what the criterion refuses."""
    with pytest.raises(FilterError, match=r"^filter\.control_numbers: "):
        ControlNumbers(given)


def test_the_message_shows_the_item_and_the_text_it_stands_in() -> None:
    """Whoever mistyped one of many numbers is told which, where, and what would be right."""
    with pytest.raises(FilterError, match=re.escape('"1,x,3": "x" is neither a number nor a range; write')):
        ControlNumbers("1,x,3")
    with pytest.raises(FilterError, match="the range 8-3 runs backwards"):
        ControlNumbers("1,8-3")


@pytest.mark.parametrize(
    ("number", "inside"),
    [
        (1, True),
        (2, False),
        (3, True),
        (7, False),
        (8, True),
        (10, True),
        (12, True),
        (13, False),
        (0, False),
        (-1, False),
    ],
)
def test_membership_is_in_the_ranges(number: int, inside: bool) -> None:  # noqa: FBT001
    """A number is meant if it is listed or lies in a range, ends included."""
    assert (number in ControlNumbers("1,3,8-12")) is inside


@pytest.mark.parametrize("other", [None, "8", 8.0])
def test_only_whole_numbers_are_members(other: object) -> None:
    """An account without a control number has none of them."""
    assert other not in ControlNumbers("1,3,8-12")


@pytest.mark.parametrize(
    ("numbers", "taken", "left"),
    [
        ("1-10", [], "1-10"),
        ("1-10", [1, 10], "2-9"),
        ("1-10", [5, 5], "1-4,6-10"),
        ("1-10", [5, 6, 20, 0, -3], "1-4,7-10"),
        ("1-3,8-12", [2, 5, 9, 12], "1,3,8,10-11"),
        ("1-3,8-12", [1, 2, 3], "8-12"),
        ("1,3", [3, 1], None),
        ("1-2147483647", [2147483647], "1-2147483646"),
    ],
)
def test_numbers_can_be_taken_away(numbers: str, taken: list[int], left: str | None) -> None:
    """What is left is again in normal form, and nothing left is None."""
    assert ControlNumbers(numbers).without(sorted(set(taken))) == (None if left is None else ControlNumbers(left))


@pytest.mark.parametrize(
    ("match", "value", "meant"),
    [
        (TextMatch.starts_with("44"), "4477", True),
        (TextMatch.starts_with("77"), "4477", False),
        (TextMatch.exactly("4477"), "4477", True),
        (TextMatch.exactly("447"), "4477", False),
        (TextMatch.contains("47"), "4477", True),
        (TextMatch.contains("74"), "4477", False),
        (TextMatch.ends_with("77"), "4477", True),
        (TextMatch.ends_with("44"), "4477", False),
        (TextMatch.contains("%"), "4477", False),
        (TextMatch.contains("%"), "44%77", True),
        (TextMatch.exactly("4_77"), "4477", False),
        (TextMatch.starts_with("4.7"), "4477", False),
        (TextMatch.starts_with("\\"), "4477", False),
        (TextMatch.starts_with("ab"), "AB1", False),
        (TextMatch.exactly("a"), "a ", False),
    ],
    ids=str,
)
def test_text_matches_literally(match: TextMatch, value: str, meant: bool) -> None:  # noqa: FBT001
    """The four ways to match are literal and case-sensitive: % and _ mean themselves."""
    assert match.matches(value) is meant


@pytest.mark.parametrize("text", ["", " ", "a\0", "\ud800", 5, None], ids=ascii)
@pytest.mark.parametrize("mode", TextMode)
def test_blank_text_matches_nothing_by_accident(mode: TextMode, text: Any) -> None:
    """A text that would match everything, or nothing any storage holds, is refused."""
    with pytest.raises(FilterError, match=r"^filter\.account_id: ") as caught:
        TextMatch(mode, text)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("mode", ["contains", None, StatusFilter.ANY], ids=str)
def test_unknown_ways_to_match_are_refused(mode: Any) -> None:
    """The way to match is one of the four, and the message names the criterion."""
    with pytest.raises(FilterError, match=r"^filter\.account_id: "):
        TextMatch(mode, "44")


_CRITERIA: list[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]] = [
    ({"batch": "SUMMER-2026"}, [{}], [{"batch": "summer-2026"}, {"batch": None}]),
    ({"control_numbers": "1,5-7"}, [{}, {"control_number": 1}], [{"control_number": 2}, {"control_number": None}]),
    ({"account_id": "44_"}, [{}], [{"id": "44177"}, {"id": "x44_"}]),
    ({"account_id": TextMatch.ends_with("%01A")}, [{}], [{"id": "44_77%01a"}]),
    ({"status": StatusFilter.ANY}, [{"state": state} for state in AccountState], []),
    (
        {"status": StatusFilter.ALL_EXCEPT_CLOSED},
        [{"state": AccountState.OPEN}, {"state": AccountState.INACTIVE}, {"blocked": True}],
        [{"state": AccountState.CLOSED}],
    ),
    ({}, [{"state": AccountState.INACTIVE}], [{"state": AccountState.CLOSED}]),
    *(
        (
            {"status": StatusFilter[state.name]},
            [{"state": state}],
            [{"state": other} for other in AccountState if other is not state],
        )
        for state in AccountState
    ),
    ({"registration": Registration.ANY}, [{"registered": True}, {"registered": False}], []),
    ({"registration": Registration.REGISTERED}, [{"registered": True}], [{"registered": False}]),
    ({"registration": Registration.UNREGISTERED}, [{"registered": False}], [{"registered": True}]),
    ({"blocked": True}, [{"blocked": True}], [{"blocked": False}]),
    ({"blocked": False}, [{"blocked": False}], [{"blocked": True}]),
    ({"used": True}, [{"first_used_on": "2026-11-01"}], [{"first_used_on": None}]),
    ({"used": False}, [{"first_used_on": None}], [{"first_used_on": "2026-11-01"}]),
    ({"customer": "acme"}, [{}], [{"customer": "Acme"}]),
    ({"product": "gold"}, [{}], [{"product": "silver"}]),
    (
        {"contact": {"email": "ann@example.org"}},
        [{}],
        [{"contact": {"email": "bob@example.org"}}, {"contact": {"name": "ann@example.org"}}, {"contact": {}}],
    ),
    ({"contact": {"email": "ann@example.org", "name": "Ann"}}, [{}], [{"contact": {"name": "Ann"}}]),
    (
        {"custom_fields": {"colour": "red"}},
        [{}, {"custom_fields": {"colour": "red"}}],
        [{"custom_fields": {"colour": "Red"}}, {"custom_fields": {}}],
    ),
    (
        {"batch": "SUMMER-2026", "blocked": False, "customer": "acme"},
        [{}],
        [{"batch": "WINTER"}, {"blocked": True}, {"customer": "kiwi"}],
    ),
]


@pytest.mark.parametrize(
    ("criteria", "changes", "meant"),
    [(criteria, change, True) for criteria, yes, _ in _CRITERIA for change in yes]
    + [(criteria, change, False) for criteria, _, no in _CRITERIA for change in no],
    ids=str,
)
def test_each_criterion_selects(criteria: dict[str, Any], changes: dict[str, Any], meant: bool) -> None:  # noqa: FBT001
    """An account is meant if every criterion that is set holds for it."""
    assert AccountFilter(**criteria).matches(attrs.evolve(_ACCOUNT, **changes)) is meant


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field in ("customer", "product") for value in ("", " ", "a\0", "\ud800", 5, True)),
        *(("account_id", value) for value in ("", " ", "a\0", 5, ["44"])),
        *(("status", value) for value in ("open", None, AccountState.OPEN)),
        *(("registration", value) for value in ("any", None, True)),
        *((field, value) for field in ("blocked", "used") for value in ("yes", 0, 1, StatusFilter.ANY)),
        *(
            (field, value)
            for field in ("contact", "custom_fields")
            for value in (None, 5, "email", [("a", "b")], {"a": ""}, {"a": None}, {"a": 5}, {"": "x"}, {"a": "x\0"})
        ),
    ],
    ids=ascii,
)
def test_a_bad_criterion_is_named(field: str, value: Any) -> None:
    """A criterion that is blank or of another type is refused by name, and never degrades to all."""
    with pytest.raises(FilterError, match=rf"^filter\.{field}\b") as caught:
        AccountFilter(**{"batch": "SUMMER-2026", field: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("batch", ["", "  ", "a\0", "\ud800", 5, ["SUMMER-2026"]], ids=ascii)
def test_a_bad_batch_has_its_own_error(batch: Any) -> None:
    """A batch that is blank or no text is a missing batch, not all batches."""
    with pytest.raises(BatchRequiredError, match=r"^filter\.batch: "):
        AccountFilter(batch=batch)


def test_unknown_criteria_are_refused() -> None:
    """A misspelt criterion is an error that names it."""
    with pytest.raises(TypeError, match="bach"):
        AccountFilter(bach="SUMMER-2026")  # type: ignore[call-arg]  # The typo is what is tested.


def test_criteria_are_given_by_name() -> None:
    """No criterion is taken for another because of its position."""
    make: Any = AccountFilter
    with pytest.raises(TypeError, match="positional"):
        make("SUMMER-2026")


def test_a_filter_without_a_batch_can_search() -> None:
    """Searching is possible without a batch and by custom field; only updating is not."""
    where = AccountFilter(custom_fields={"colour": "red"})
    assert (where.batch, where.matches(_ACCOUNT)) == (None, True)
    assert issubclass(CustomFieldFilterError, FilterError)


_VALUES: list[Any] = [
    ControlNumbers("1,3,8-12"),
    TextMatch.contains("77"),
    AccountFilter(),
    AccountFilter(
        batch="SUMMER-2026",
        control_numbers="1,3,8-12",
        account_id="44",
        status=StatusFilter.OPEN,
        registration=Registration.REGISTERED,
        blocked=False,
        used=True,
        customer="acme",
        product="gold",
        contact={"email": "ann@example.org"},
        custom_fields={"colour": "red"},
    ),
]


@pytest.mark.parametrize("value", _VALUES, ids=["numbers", "text", "empty filter", "full filter"])
def test_values_survive_pickling(value: Any) -> None:
    """A value that crosses a process boundary is equal and hashes alike."""
    copy = pickle.loads(pickle.dumps(value))  # noqa: S301  # The bytes are our own.
    assert len({value, copy}) == 1


@pytest.mark.parametrize("value", _VALUES, ids=["numbers", "text", "empty filter", "full filter"])
def test_values_can_be_evolved(value: Any) -> None:
    """A copy without a change is the same value."""
    assert attrs.evolve(value) == value


def test_a_filter_can_be_evolved() -> None:
    """A changed copy has the changed criterion and keeps the others."""
    where = attrs.evolve(_VALUES[-1], control_numbers="5", contact={})
    assert where == AccountFilter(
        batch="SUMMER-2026",
        control_numbers=[5],
        account_id=TextMatch.starts_with("44"),
        status=StatusFilter.OPEN,
        registration=Registration.REGISTERED,
        blocked=False,
        used=True,
        customer="acme",
        product="gold",
        custom_fields={"colour": "red"},
    )


def test_a_filter_cannot_be_changed() -> None:
    """A filter is a value, not a variable."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        AccountFilter().batch = "X"  # type: ignore[misc]  # The assignment is what is tested.
