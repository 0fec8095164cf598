import itertools
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from account_batch.account import Account, AccountState
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch, TextMode
from strategies import CUSTOMERS, PRODUCTS, accounts, control_numbers, details, filters, text_matches

_HIGHEST = 2**31 - 1
_numbers = st.integers(1, 40) | st.integers(_HIGHEST - 5, _HIGHEST)
_pairs = st.lists(st.tuples(_numbers, st.integers(0, 6)), min_size=1, max_size=8).map(
    lambda pairs: [(first, min(first + more, _HIGHEST)) for first, more in pairs]
)


def _expanded(pairs: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in pairs for number in range(first, last + 1)}


@st.composite
def _texts(draw: st.DrawFn, pairs: list[tuple[int, int]]) -> str:
    """One of the many ways to write the pairs."""
    space, zeros = st.sampled_from(["", "", " ", "   "]), st.sampled_from(["", "", "0", "000"])

    def number(value: int) -> str:
        return f"{draw(space)}{draw(zeros)}{value}{draw(space)}"

    items = [
        number(first) if first == last and draw(st.booleans()) else f"{number(first)}-{number(last)}"
        for first, last in draw(st.permutations(pairs))
    ]
    return ",".join(items)


@given(_pairs)
def test_text_of_control_numbers_is_read_back(pairs: list[tuple[int, int]]) -> None:
    """What str() writes is read as the same value, and written the same again."""
    numbers = ControlNumbers(_expanded(pairs))
    again = ControlNumbers(str(numbers))
    assert (again, str(again)) == (numbers, str(numbers))


@given(st.data(), _pairs)
def test_all_ways_to_write_control_numbers_are_one_value(data: st.DataObject, pairs: list[tuple[int, int]]) -> None:
    """Order, spaces, leading zeros and overlaps do not matter: the value depends on nothing but the set of numbers."""
    text = data.draw(_texts(pairs))
    written, listed = ControlNumbers(text), ControlNumbers(_expanded(pairs))
    assert (written, hash(written)) == (listed, hash(listed))


@given(_pairs)
def test_normal_form_is_sorted_and_apart(pairs: list[tuple[int, int]]) -> None:
    """The ranges are in order, and between two of them at least one number is missing."""
    ranges = ControlNumbers(_expanded(pairs)).ranges
    assert all(first <= last for first, last in ranges)
    assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(ranges))


@given(_pairs, _pairs)
def test_control_numbers_are_equal_as_sets_are(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    """Two values are equal exactly if they mean the same numbers."""
    equal = ControlNumbers(_expanded(left)) == ControlNumbers(_expanded(right))
    assert equal is (_expanded(left) == _expanded(right))


@given(st.data(), _pairs)
def test_membership_is_that_of_the_expanded_set(data: st.DataObject, pairs: list[tuple[int, int]]) -> None:
    """A number is in exactly if it is in the set of all numbers written out."""
    numbers, expanded = ControlNumbers(data.draw(_texts(pairs))), _expanded(pairs)
    near = {number + away for number in expanded for away in (-1, 0, 1)} | {0, -1, _HIGHEST + 1}
    assert {number for number in near if number in numbers} == expanded


@given(_pairs, st.lists(st.integers(-2, 48) | st.integers(_HIGHEST - 5, _HIGHEST + 2), max_size=60))
def test_without_is_set_difference(pairs: list[tuple[int, int]], taken: list[int]) -> None:
    """Taking numbers away leaves the set difference, and None where that is empty."""
    left = _expanded(pairs) - set(taken)
    assert ControlNumbers(_expanded(pairs)).without(sorted(set(taken))) == (ControlNumbers(left) if left else None)


def _meant(where: AccountFilter, account: Account) -> bool:
    """Section 4 of the design, written out naively."""
    return (
        where.batch in {None, account.batch}
        and (where.control_numbers is None or account.control_number in _listed(where.control_numbers))
        and (where.account_id is None or _text_meant(where.account_id, account.id))
        and account.state.name in _STATES[where.status]
        and (where.registration is Registration.ANY or (where.registration.name == "REGISTERED") == account.registered)
        and where.blocked in {None, account.blocked}
        and where.used in {None, account.first_used_on is not None}
        and where.customer in {None, account.customer}
        and where.product in {None, account.product}
        and all(account.contact.get(name) == text for name, text in where.contact.items())
        and all(account.custom_fields.get(name) == text for name, text in where.custom_fields.items())
    )


_STATES = {
    StatusFilter.ALL_EXCEPT_CLOSED: {"INACTIVE", "OPEN"},
    StatusFilter.ANY: {"INACTIVE", "OPEN", "CLOSED"},
    StatusFilter.OPEN: {"OPEN"},
    StatusFilter.INACTIVE: {"INACTIVE"},
    StatusFilter.CLOSED: {"CLOSED"},
}


def _listed(numbers: ControlNumbers) -> set[int]:
    """The numbers that the text of control numbers lists."""
    items = [item.split("-") for item in str(numbers).split(",")]
    return {number for item in items for number in range(int(item[0]), int(item[-1]) + 1)}


def _text_meant(match: TextMatch, text: str) -> bool:
    """Literal and case-sensitive, found by looking at every position."""
    found = [at for at in range(len(text)) if text[at : at + len(match.text)] == match.text]
    at_end = len(text) - len(match.text)
    return {
        TextMode.STARTS_WITH: 0 in found,
        TextMode.EXACTLY: 0 in found and at_end == 0,
        TextMode.CONTAINS: bool(found),
        TextMode.ENDS_WITH: at_end in found,
    }[match.mode]


@given(filters(), st.lists(accounts(), min_size=1, max_size=8))
def test_matching_is_what_the_design_says(where: AccountFilter, population: list[Account]) -> None:
    """The filter selects exactly the accounts that a naive reading of the design selects."""
    assert [where.matches(account) for account in population] == [_meant(where, account) for account in population]


@given(text_matches(), st.lists(accounts(), min_size=1, max_size=8))
def test_text_is_matched_as_the_design_says(match: TextMatch, population: list[Account]) -> None:
    """A text match selects exactly the ids that looking at every position selects."""
    ids = [account.id for account in population]
    assert [match.matches(text) for text in ids] == [_text_meant(match, text) for text in ids]


@given(accounts())
def test_an_empty_filter_means_all_but_the_closed(account: Account) -> None:
    """Without a criterion everything is meant that is not terminated."""
    assert AccountFilter().matches(account) is (account.state is not AccountState.CLOSED)


@st.composite
def _one_more_criterion(draw: st.DrawFn, where: AccountFilter) -> dict[str, Any]:
    """A criterion that the filter does not have yet; for details, one more of them."""
    more: dict[str, st.SearchStrategy[Any]] = {
        "batch": st.sampled_from(["SUMMER-2026", "LOST"]),
        "control_numbers": control_numbers(),
        "account_id": text_matches(),
        "blocked": st.booleans(),
        "used": st.booleans(),
        "customer": st.sampled_from(CUSTOMERS),
        "product": st.sampled_from(PRODUCTS),
    }
    free = {name: values for name, values in more.items() if getattr(where, name) is None}
    if where.status is StatusFilter.ANY:
        free["status"] = st.sampled_from(StatusFilter)
    if where.status is StatusFilter.ALL_EXCEPT_CLOSED:
        free["status"] = st.sampled_from([StatusFilter.OPEN, StatusFilter.INACTIVE])
    if where.registration is Registration.ANY:
        free["registration"] = st.sampled_from(Registration)
    name = draw(st.sampled_from([*sorted(free), "contact", "custom_fields"]))
    return {name: draw(free[name]) if name in free else draw(details()) | dict(getattr(where, name))}


@given(st.data(), filters(), st.lists(accounts(), max_size=8))
def test_one_more_criterion_never_adds_an_account(
    data: st.DataObject, where: AccountFilter, population: list[Account]
) -> None:
    """A narrower filter selects a subset, and exactly those that the criterion alone selects as well."""
    criterion = data.draw(_one_more_criterion(where))
    narrower = attrs.evolve(where, **criterion)
    alone = AccountFilter(**{"status": StatusFilter.ANY} | criterion)
    meant = [account for account in population if where.matches(account)]
    assert [account for account in population if narrower.matches(account)] == list(filter(alone.matches, meant))


@given(filters(), filters())
def test_filters_are_equal_exactly_if_their_criteria_are(left: AccountFilter, right: AccountFilter) -> None:
    """Equality is that of the criteria, and equal filters hash alike."""
    same = all(getattr(left, field.name) == getattr(right, field.name) for field in attrs.fields(AccountFilter))
    assert (left == right) is same
    assert not same or hash(left) == hash(right)


@given(filters())
def test_a_rebuilt_filter_is_the_same_value(where: AccountFilter) -> None:
    """A filter built again from its own criteria is equal and hashes alike."""
    again = AccountFilter(**attrs.asdict(where, recurse=False))
    assert (again, hash(again)) == (where, hash(where))


@given(accounts())
def test_a_rebuilt_account_is_the_same_value(account: Account) -> None:
    """An account built again from its own fields is equal and hashes alike."""
    again = Account(**attrs.asdict(account, recurse=False))
    assert (again, hash(again)) == (account, hash(account))
