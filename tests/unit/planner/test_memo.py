import functools
import itertools
from collections import Counter
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_batch.account import Account, AccountKind, AccountState
from account_batch.decision import Decision, Outcome, RefusalCode
from account_batch.money import Money
from account_batch.planner import memo
from account_batch.planner.memo import Decisions
from account_batch.questions import (
    Answer,
    Equals,
    Facts,
    FundsCover,
    HasTransaction,
    OnOrBefore,
    Question,
    Value,
    answer,
)
from account_batch.rules import Request, decide
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
from strategies import accounts, catalog
from strategies import money as amounts_of_money
from world import CATALOG, NOW, TODAY, account, usd

_Made = list[tuple[tuple[tuple[Question, Answer], ...], Decision]]

_SPECS = [
    UpdateSpec(status=StatusChange.BLOCKED),
    UpdateSpec(activation=ActivateNow(), availability_days=30),
    UpdateSpec(activation=ActivateOn("2026-11-24"), expiration=ExpireOn("2026-11-30"), distributor="north"),
    UpdateSpec(expiration=CLEAR, associated_number="18005551234"),
    UpdateSpec(product="gold", addons=AssignAddons({"call-waiting"}), charging_period=6),
    UpdateSpec(product="silver", addons=RemoveAddons({"voicemail"})),
    UpdateSpec(addons=ReplaceAddons({"call-waiting", "voicemail"}), site="hq"),
    UpdateSpec(opening_balance=usd("5"), distributor=AssignDistributor("north", charge=True)),
    UpdateSpec(charge=Charge(usd("4.99"), reference="fee"), refund=Refund(usd("1"), reference="back")),
    UpdateSpec(opening_balance=usd("1"), charge=Charge(usd("5")), refund=Refund(usd("5"), allow_overdraft=True)),
    UpdateSpec(status=StatusChange.TERMINATED),
]


def _request(**settings: Any) -> Request:
    return Request(spec=UpdateSpec(**settings), catalog=CATALOG, now=NOW)


def _decided(
    request: Request, *targets: Account, charged: dict[str, frozenset[str]] | None = None
) -> tuple[list[int], _Made]:
    decisions = Decisions(request)
    numbers = decisions.decide_all(targets, charged or {})
    return [number for number in numbers if number is not None], decisions.made


def _planned(request: Request, *targets: Account, charged: dict[str, frozenset[str]] | None = None) -> list[Outcome]:
    numbers, made = _decided(request, *targets, charged=charged)
    return [made[number][1].planned for number in numbers]


@given(
    st.lists(accounts(), max_size=6),
    st.sampled_from(_SPECS),
    st.dictionaries(st.sampled_from(["fee", "back"]), st.frozensets(st.integers(0, 5))),
)
def test_the_memo_decides_as_the_rules_do_for_each_account_alone(
    population: list[Account], spec: UpdateSpec, charged_places: dict[str, frozenset[int]]
) -> None:
    """Remembering saves time and changes nothing: facts and decision of each account are those of deciding it alone."""
    request = Request(spec=spec, catalog=catalog(), now=NOW)
    charged = {
        reference: frozenset(population[place].id for place in places if place < len(population))
        for reference, places in charged_places.items()
    }
    numbers, made = _decided(request, *population, charged=charged)

    def has_transaction(account_id: str, reference: str) -> bool:
        return account_id in charged.get(reference, ())

    for target, number in zip(population, numbers, strict=True):
        facts = Facts(functools.partial(answer, account=target, has_transaction=has_transaction))
        decision = decide(facts, request)
        assert made[number] == (tuple(facts.read()), decision)


@given(st.lists(accounts(), max_size=8), st.sampled_from(_SPECS))
def test_numbers_follow_the_accounts(population: list[Account], spec: UpdateSpec) -> None:
    """Decisions are numbered without gaps, in the order in which accounts first need them, each set of facts once."""
    numbers, made = _decided(Request(spec=spec, catalog=catalog(), now=NOW), *population)
    assert list(dict.fromkeys(numbers)) == list(range(len(made)))
    assert len({facts for facts, _ in made}) == len(made)


def test_accounts_that_differ_in_what_nobody_asks_share_a_decision() -> None:
    """Ids, control numbers, balances, dates and all else that the rules do not read make no decisions of their own."""
    unread: list[dict[str, Any]] = [
        {"id": "1"},
        {"control_number": 2},
        {"balance": 7},
        {"kind": AccountKind.CREDIT},
        {"expiration_date": "2027-01-01"},
        {"product": "silver"},
        {"addons": {"voicemail"}},
        {"contact": {"email": "ann@example.org"}},
        {"blocked": True},
    ]
    numbers, made = _decided(_request(ivr_language="en"), *(account(**fields) for fields in unread))
    assert (set(numbers), len(made)) == ({0}, 1)


def test_facts_are_what_was_read_and_no_more() -> None:
    """A closed account is refused before the setting is looked at; batch, customer and state are always read."""
    closed, open_ = account(state=AccountState.CLOSED), account()
    _, made = _decided(_request(status=StatusChange.BLOCKED), closed, open_)
    read = [[question for question, _ in facts] for facts, _ in made]
    identity = [Value("batch"), Value("customer"), Value("state")]
    assert read == [identity, [*identity, Value("blocked")]]


def test_many_dates_make_few_decisions() -> None:
    """Dates count only for what the questions about them tell apart."""
    dates = [f"2027-01-{day:02}" for day in range(1, 32)]
    targets = [account(expiration_date=day) for day in dates]
    numbers, made = _decided(_request(expiration=ExpireOn("2027-01-05")), *targets)
    assert Counter(numbers) == {0: 30, 1: 1}
    assert [decision.planned for _, decision in made] == [Outcome.APPLIED, Outcome.UNCHANGED]


def test_each_date_is_looked_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten days of activation and ten of expiration are twenty days to look up, not a hundred pairs of them."""
    looked_up: Counter[Question] = Counter()
    look_up = OnOrBefore.answer

    def counted(question: OnOrBefore, *values: Any) -> bool:
        looked_up[question] += 1
        return look_up(question, *values)

    monkeypatch.setattr(OnOrBefore, "answer", counted)
    days = [f"2027-01-{day:02}" for day in range(1, 11)]
    targets = [account(activation_date=start, expiration_date=end) for start, end in itertools.product(days, days)]
    _decided(_request(expiration=ExpireOn("2027-01-05")), *targets)
    assert looked_up[OnOrBefore("expiration_date", TODAY)] == 10
    assert looked_up[OnOrBefore("activation_date", TODAY)] == 10


def test_opening_balances_that_no_rule_reads_are_not_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """An activation without a distributor is decided once, however many opening balances the batch has."""
    ran: list[Facts] = []

    def counted(facts: Facts, request: Request) -> Decision:
        ran.append(facts)
        return decide(facts, request)

    monkeypatch.setattr(memo, "decide", counted)
    targets = [account(state=AccountState.INACTIVE, opening_balance=opening) for opening in range(50)]
    numbers, made = _decided(_request(activation=ActivateNow()), *targets)
    assert (set(numbers), len(made), len(ran)) == ({0}, 1, 1)


def test_questions_about_the_same_field_are_told_apart() -> None:
    """Each account gets the answers about its own dates, whichever fields a question needs."""
    targets = [
        account(first_used_on=used, last_recharged_on=recharged, availability_days=30)
        for used, recharged in itertools.product([None, "2026-01-01", "2026-11-20"], repeat=2)
    ]
    numbers, made = _decided(_request(availability_days=3650), *targets)
    revived = [bool(made[number][1].effects) for number in numbers]
    assert revived == [False, True, False, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("balance", "planned"),
    [
        ("4.99999", Outcome.REFUSED),
        ("5", Outcome.APPLIED),
        ("5.00000", Outcome.APPLIED),
        ("1000", Outcome.APPLIED),
        ("-5", Outcome.REFUSED),
    ],
)
def test_balances_count_for_what_they_cover(balance: str, planned: Outcome) -> None:
    """A balance that is just enough is enough, to the fifth decimal."""
    assert _planned(_request(charge=Charge(usd("5"))), account(balance=balance)) == [planned]


def test_many_balances_make_few_decisions() -> None:
    """Balances make no more decisions than there are amounts in question, however they come in."""
    request = _request(charge=Charge(usd("5")), refund=Refund(usd("3")))
    balances = [8, 0, 5, 7, 3, 100, 1, 8]
    numbers, made = _decided(request, *(account(balance=balance) for balance in balances))
    assert len(made) == 4
    fields = [frozenset(reason.field for reason in made[number][1].refusals) for number in numbers]
    assert fields == [
        frozenset(),
        {"charge", "refund"},
        {"refund"},
        {"refund"},
        {"charge"},
        frozenset(),
        {"charge", "refund"},
        frozenset(),
    ]


def test_balances_count_together_with_the_opening_balance_they_come_with() -> None:
    """What a corrected opening balance leaves is judged for each old opening balance by itself."""
    request = _request(opening_balance=usd("5"), charge=Charge(usd("5")))
    targets = [
        account(opening_balance=opening, balance=balance) for opening, balance in [(15, 15), (15, 14), (5, 5), (0, 0)]
    ]
    numbers, made = _decided(request, *targets)
    assert [made[number][1].planned.name for number in numbers] == ["APPLIED", "REFUSED", "APPLIED", "APPLIED"]


def test_accounts_whose_balance_nobody_asks_for_are_not_told_apart_by_it() -> None:
    """On a credit account, and where overdraft is allowed, no amount is in question and none is read."""
    credit = [account(kind=AccountKind.CREDIT, balance=balance) for balance in (-1, 0, 1000)]
    _, made = _decided(_request(charge=Charge(usd("5"))), *credit)
    _, overdraft = _decided(_request(charge=Charge(usd("5"), allow_overdraft=True)), account(balance=0), account())
    for decided in (made, overdraft):
        ((facts, _),) = decided
        assert not [question for question, _ in facts if isinstance(question, FundsCover)]


def test_references_are_those_that_the_rules_may_ask_about() -> None:
    """The ledger is looked at for the references of the spec, and for none where it has none."""
    spec = {"charge": Charge(usd("1"), reference="fee"), "refund": Refund(usd("1"), reference="back")}
    assert Decisions(_request(**spec)).references == ("fee", "back")
    assert Decisions(_request(charge=Charge(usd("1")))).references == ()


def test_each_account_has_its_own_transactions() -> None:
    """An account is charged already exactly for the references that its own id has."""
    request = _request(
        charge=Charge(usd("1"), reference="fee", allow_overdraft=True),
        refund=Refund(usd("1"), reference="back", allow_overdraft=True),
    )
    targets = [account(id=name) for name in "abcd"]
    charged = {"fee": frozenset("ac"), "back": frozenset("bcz")}
    numbers, made = _decided(request, *targets, charged=charged)
    refused = [[reason.field for reason in made[number][1].refusals] for number in numbers]
    assert refused == [["charge"], ["refund"], ["charge", "refund"], []]
    assert {reason.code for _, decision in made for reason in decision.refusals} == {RefusalCode.ALREADY_CHARGED}
    assert [dict(made[number][0])[HasTransaction("fee")] for number in numbers] == [True, False, True, False]


def test_a_ledger_without_the_reference_refuses_nobody() -> None:
    """Where nobody has a transaction with the reference, everybody is charged."""
    request = _request(charge=Charge(usd("1"), reference="fee"))
    assert _planned(request, account(), account(id="2"), charged={"fee": frozenset()}) == [Outcome.APPLIED] * 2


def test_no_accounts_need_no_decision() -> None:
    """An empty population decides nothing."""
    assert _decided(_request(charge=Charge(usd("1")), expiration=CLEAR)) == ([], [])


def test_equal_amounts_of_different_form_are_one_fact() -> None:
    """15, 15.0 and 15.00000 are the same opening balance."""
    targets = [account(opening_balance=Decimal(text)) for text in ("15", "15.0", "15.00000")]
    numbers, made = _decided(_request(opening_balance=usd("15")), *targets)
    assert (numbers, made[0][1].planned) == ([0, 0, 0], Outcome.UNCHANGED)


def test_flags_are_not_taken_for_numbers() -> None:
    """True and 1 are equal for Python; a fact keeps the type that it has on the account."""
    targets = [account(blocked=True, availability_days=1), account(blocked=False, availability_days=2)]
    _, made = _decided(_request(availability_days=1, status=StatusChange.BLOCKED), *targets)
    for facts, _ in made:
        answers = dict(facts)
        assert (type(answers[Value("blocked")]), type(answers[Value("availability_days")])) == (bool, int)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_forgetting_what_was_seen_changes_no_decision(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many values the memo starts over; numbers and decisions stay what they are without a limit."""
    request = _request(
        expiration=ExpireOn("2027-01-05"), associated_number="3", charge=Charge(usd("5")), status=StatusChange.BLOCKED
    )
    targets = [
        account(expiration_date=day, associated_number=number, balance=balance, blocked=blocked)
        for day in ("2027-01-04", "2027-01-05", "2027-01-06", "2027-01-04")
        for number in ("3", "4", "5")
        for balance in (4, 5)
        for blocked in (True, False)
    ]
    unlimited = _decided(request, *targets)
    monkeypatch.setattr(memo, "_MOST_KNOWN", limit)
    assert _decided(request, *targets) == unlimited


@given(st.lists(accounts(), min_size=1, max_size=5), amounts_of_money(currency="USD"))
def test_a_covered_charge_is_covered_by_every_greater_balance(population: list[Account], price: Money) -> None:
    """Accounts that differ in nothing but the balance split at the amount, and nowhere else."""
    request = Request(spec=UpdateSpec(charge=Charge(price)), catalog=catalog(), now=NOW)
    for target in population:
        enough = attrs.evolve(target, balance=price.amount)
        less = attrs.evolve(target, balance=price.amount - Decimal("0.00001"))
        more = attrs.evolve(target, balance=price.amount + 1)
        numbers, _ = _decided(request, less, enough, more)
        judged = target.kind is AccountKind.DEBIT and target.currency == price.currency
        assert numbers == ([0, 1, 1] if judged else [0, 0, 0])


def test_an_unset_number_has_no_value() -> None:
    """An unset associated number is not equal to any number that is set."""
    request = _request(associated_number="18005551234")
    targets = [account(associated_number=number) for number in (None, "18005551234", "18005550000")]
    numbers, made = _decided(request, *targets)
    assert [dict(made[number][0])[Equals("associated_number", "18005551234")] for number in numbers] == [
        False,
        True,
        False,
    ]
