from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from account_batch.account import Account, AccountState
from account_batch.errors import InvalidValueError
from account_batch.questions import (
    AddonsOutside,
    Equals,
    Facts,
    FundsCover,
    HasAddon,
    HasTransaction,
    IsSet,
    OnOrBefore,
    Question,
    Value,
    answer,
)
from world import account

_DAY = date(2026, 11, 23)


def _never(account_id: str, reference: str) -> bool:
    raise AssertionError(f"nobody asked the ledger about {account_id}, {reference}")


@pytest.mark.parametrize(
    ("question", "fields", "expected"),
    [
        (Value("state"), {"state": AccountState.INACTIVE}, AccountState.INACTIVE),
        (Value("opening_balance"), {"opening_balance": "15.00"}, Decimal(15)),
        (Value("batch"), {"batch": None}, None),
        (Value("blocked"), {}, False),
        (IsSet("first_used_on"), {}, False),
        (IsSet("first_used_on"), {"first_used_on": _DAY}, True),
        (Equals("expiration_date", _DAY), {}, False),
        (Equals("expiration_date", _DAY), {"expiration_date": _DAY}, True),
        (Equals("expiration_date", _DAY), {"expiration_date": "2026-11-24"}, False),
        (Equals("addons", frozenset({"fax"})), {"addons": ["fax"]}, True),
        (Equals("addons", frozenset({"fax"})), {"addons": ["fax", "premium"]}, False),
        (OnOrBefore("expiration_date", _DAY), {}, False),
        (OnOrBefore("expiration_date", _DAY), {"expiration_date": "2026-11-22"}, True),
        (OnOrBefore("expiration_date", _DAY), {"expiration_date": "2026-11-23"}, True),
        (OnOrBefore("expiration_date", _DAY), {"expiration_date": "2026-11-24"}, False),
        (OnOrBefore("activation_date", _DAY), {"activation_date": "2026-11-23"}, True),
        (OnOrBefore("availability_start", _DAY), {}, False),
        (OnOrBefore("availability_start", _DAY), {"first_used_on": "2026-11-23"}, True),
        (OnOrBefore("availability_start", _DAY), {"last_recharged_on": "2026-11-23"}, True),
        (
            OnOrBefore("availability_start", _DAY),
            {"first_used_on": "2026-11-23", "last_recharged_on": "2026-11-24"},
            False,
        ),
        (OnOrBefore("availability_end", _DAY), {"first_used_on": "2026-11-13"}, False),
        (OnOrBefore("availability_end", _DAY), {"availability_days": 10}, False),
        (OnOrBefore("availability_end", _DAY), {"first_used_on": "2026-11-13", "availability_days": 10}, True),
        (OnOrBefore("availability_end", _DAY), {"first_used_on": "2026-11-13", "availability_days": 11}, False),
        (OnOrBefore("availability_end", _DAY), {"first_used_on": "2026-11-13", "availability_days": 2**31 - 1}, False),
        (FundsCover(Decimal(15), None), {"balance": 15}, True),
        (FundsCover(Decimal(15), None), {"balance": "14.99999"}, False),
        (FundsCover(Decimal(15), Decimal(20)), {"balance": 10, "opening_balance": 15}, True),
        (FundsCover(Decimal(15), Decimal(20)), {"balance": "9.99999", "opening_balance": 15}, False),
        (FundsCover(Decimal(0), Decimal(5)), {"balance": 10, "opening_balance": 15}, True),
        (FundsCover(Decimal(0), Decimal(5)), {"balance": "9.99999", "opening_balance": 15}, False),
        (HasAddon("fax"), {"addons": ["fax"]}, True),
        (HasAddon("fax"), {"addons": ["premium"]}, False),
        (AddonsOutside(frozenset({"fax"})), {"addons": ["fax"]}, frozenset()),
        (AddonsOutside(frozenset({"fax"})), {"addons": ["fax", "premium"]}, frozenset({"premium"})),
    ],
    ids=str,
)
def test_an_account_answers_a_question(question: Question, fields: dict[str, Any], expected: object) -> None:
    """Every question has one answer for an account, from the fields that it names."""
    assert answer(question, account(**fields), _never) == expected


@pytest.mark.parametrize(
    "question",
    [
        Value("state"),
        IsSet("role"),
        Equals("site", "hq"),
        OnOrBefore("activation_date", _DAY),
        OnOrBefore("expiration_date", _DAY),
        OnOrBefore("availability_start", _DAY),
        OnOrBefore("availability_end", _DAY),
        FundsCover(Decimal(1), None),
        HasAddon("fax"),
        AddonsOutside(frozenset()),
    ],
    ids=str,
)
def test_a_question_reads_fields_of_an_account(question: Any) -> None:
    """What a question reads are fields of Account: every engine looks them up by these names."""
    known = set(Account.__annotations__)
    assert question.reads
    assert set(question.reads) <= known


@pytest.mark.parametrize(
    ("question", "about"),
    [
        (Value("state"), "state"),
        (IsSet("role"), "role"),
        (Equals("site", "hq"), "site"),
        (OnOrBefore("availability_end", _DAY), "availability_end"),
        (FundsCover(Decimal(1), None), "balance"),
        (HasAddon("fax"), "addons"),
        (AddonsOutside(frozenset()), "addons"),
        (HasTransaction("sim-2026"), "reference"),
    ],
    ids=str,
)
def test_a_question_says_what_it_is_about(question: Question, about: str) -> None:
    """The word is for the person who reads why an account is stale."""
    assert question.about == about


@pytest.mark.parametrize(
    "field", ["id", "control_number", "balance", "activation_date", "expiration_date", "first_used_on", "addons", "x"]
)
def test_values_that_are_many_are_never_asked_for(field: str) -> None:
    """The vocabulary has no question for the raw id, control number, balance or a raw date."""
    with pytest.raises(InvalidValueError, match=field):
        Value(field)


@pytest.mark.parametrize("moment", ["first_used_on", "balance", "today"])
def test_only_dates_that_matter_are_compared(moment: str) -> None:
    """The dates of the vocabulary are activation, expiration, and both ends of the availability period."""
    with pytest.raises(ValueError, match="moment"):
        OnOrBefore(moment, _DAY)


def test_the_ledger_answers_about_transactions() -> None:
    """Whether a reference was used is asked of the ledger, for that account."""
    ledger = {("4477001", "sim-2026")}

    def has_transaction(account_id: str, reference: str) -> bool:
        return (account_id, reference) in ledger

    asked = HasTransaction("sim-2026")
    assert answer(asked, account(), has_transaction) is True
    assert answer(asked, account(id="4477002"), has_transaction) is False
    assert answer(HasTransaction("other"), account(), has_transaction) is False


def test_questions_are_compared_by_what_they_ask() -> None:
    """Questions that ask the same are one fact, so that facts can be looked up."""
    same = [FundsCover(Decimal("5.0"), None), FundsCover(Decimal(5), None)]
    others: list[Question] = [FundsCover(Decimal(5), Decimal(0)), Value("role"), IsSet("role"), Equals("role", None)]
    assert len({*same, *others}) == 1 + len(others)


def test_facts_ask_once_and_remember_in_order() -> None:
    """What was read is all that a decision can depend on, so it is asked when first needed and kept as it was."""
    replies: Iterator[bool] = iter([True, False])
    asked: list[Question] = []

    def reply(question: Question) -> bool:
        asked.append(question)
        return next(replies)

    facts = Facts(reply)
    first, second = IsSet("role"), Value("blocked")
    assert list(facts.read()) == []
    assert (facts[first], facts[second], facts[first]) == (True, False, True)
    assert asked == [first, second]
    assert list(facts.read()) == [(first, True), (second, False)]


@pytest.mark.parametrize(
    ("reply", "expected"), [(True, True), (False, False), (None, False), ("yes", False), (1, False)]
)
def test_only_true_holds(reply: Any, *, expected: bool) -> None:
    """A yes or no question holds if the answer is yes, and for no other value."""
    assert Facts(lambda _: reply).holds(IsSet("role")) is expected
