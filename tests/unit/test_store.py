from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState
from account_batch.decision import TransactionKind
from account_batch.errors import InvalidValueError
from account_batch.filters import AccountFilter, Registration, StatusFilter, TextMatch
from account_batch.plan import Plan
from account_batch.planner import plan_update
from account_batch.spec import (
    CLEAR,
    ActivateNow,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    ReplaceAddons,
    StatusChange,
    UpdateSpec,
)
from account_batch.store import LedgerEntry, account_after, ledger_entries, why_stale
from account_batch.stores.memory import MemoryStore
from world import CATALOG, NOW, account, usd

_BATCH = AccountFilter(batch="SUMMER-2026")


def _plan(target: Account, where: AccountFilter = _BATCH, **settings: Any) -> Plan:
    return plan_update(MemoryStore([target]), where, UpdateSpec(**settings), catalog=CATALOG, now=NOW)


def _no_transactions(_account_id: str, _reference: str) -> bool:
    return False


def _stale_fields(plan: Plan, now: Account | None) -> list[str]:
    """The fields of the reasons why the only target of a plan is stale."""
    (target,) = plan.targets
    return [reason.field for reason in why_stale(plan, target, now, _no_transactions)]


_USUAL: dict[str, Any] = {
    "state": AccountState.INACTIVE,
    "activation_date": "2026-12-01",
    "expiration_date": "2027-06-01",
    "last_recharged_on": "2026-11-01",
    "availability_days": 90,
    "associated_number": "111",
    "addons": {"voicemail"},
    "site": "hq",
}
"""An account that has something to change in every field."""


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"ivr_language": "en"}, {"product": "silver"}),
        ({"ivr_language": "en"}, {"balance": -3}),
        ({"ivr_language": "en"}, {"control_number": 9}),
        ({"ivr_language": "en"}, {"blocked": True, "registered": True}),
        ({"ivr_language": "en"}, {"expiration_date": "2026-01-01", "first_used_on": "2026-11-22"}),
        ({"ivr_language": "en"}, {"contact": {"email": "ann@example.org"}, "custom_fields": {"a": "b"}}),
        ({"expiration": ExpireOn("2027-12-01")}, {"activation_date": "2026-12-24"}),
        ({"expiration": ExpireOn("2027-12-01")}, {"last_recharged_on": "2026-11-20"}),
        ({"expiration": ExpireOn("2027-12-01")}, {"availability_days": 60}),
        ({"availability_days": 30}, {"last_recharged_on": "2026-11-20"}),
        ({"availability_days": 30}, {"first_used_on": "2026-11-22", "last_recharged_on": "2026-01-01"}),
        ({"addons": AssignAddons({"call-waiting"})}, {"product": "gold", "balance": 0}),
        ({"charge": Charge(usd("5"))}, {"balance": 5}),
        ({"charge": Charge(usd("5"))}, {"balance": 1000}),
        ({"charge": Charge(usd("5"), allow_overdraft=True)}, {"balance": 0}),
        ({"opening_balance": usd("10")}, {"balance": 5}),
        ({"status": StatusChange.BLOCKED}, {"expiration_date": None}),
    ],
    ids=str,
)
def test_what_the_rules_did_not_read_may_change(settings: dict[str, Any], changed: dict[str, Any]) -> None:
    """An account is not stale for a field that nobody asked about, or whose change gives the same answers."""
    before = account(**_USUAL)
    assert _stale_fields(_plan(before, **settings), attrs.evolve(before, **changed)) == []


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"ivr_language": "en"}, {"batch": "ZERO"}),
        ({"ivr_language": "en"}, {"batch": None}),
        ({"ivr_language": "en"}, {"customer": "kiwi"}),
        ({"ivr_language": "en"}, {"state": AccountState.OPEN}),
        ({"ivr_language": "en"}, {"state": AccountState.CLOSED}),
        ({"ivr_language": "en"}, {"ivr_language": "en"}),
        ({"ivr_language": "en"}, {"ivr_language": "uk"}),
        ({"status": StatusChange.BLOCKED}, {"blocked": True}),
        ({"expiration": ExpireOn("2027-12-01")}, {"expiration_date": "2027-12-01"}),
        ({"charge": Charge(usd("5"))}, {"kind": AccountKind.CREDIT}),
        ({"opening_balance": usd("10")}, {"first_used_on": "2026-11-22"}),
        ({"addons": AssignAddons({"call-waiting"})}, {"product": "phone"}),
    ],
    ids=str,
)
def test_a_field_that_the_rules_read_makes_stale(settings: dict[str, Any], changed: dict[str, Any]) -> None:
    """A change of a field that is a fact, or of batch, customer or state, is a reason that names the field."""
    before = account(**_USUAL)
    assert _stale_fields(_plan(before, **settings), attrs.evolve(before, **changed)) == list(changed)


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"expiration": ExpireOn("2026-12-24")}, {"activation_date": "2026-12-24"}),
        ({"activation": ActivateNow()}, {"expiration_date": "2026-11-01"}),
        ({"availability_days": 30}, {"last_recharged_on": "2026-01-01"}),
        ({"charge": Charge(usd("5"))}, {"balance": "4.99"}),
        ({"opening_balance": usd("10")}, {"balance": "4.99"}),
        ({"product": "silver"}, {"addons": {"premium"}}),
    ],
    ids=str,
)
def test_another_answer_to_a_question_makes_stale(settings: dict[str, Any], changed: dict[str, Any]) -> None:
    """A date that passed, funds that went or an add-on that came are facts as well."""
    before = account(**_USUAL)
    assert _stale_fields(_plan(before, **settings), attrs.evolve(before, **changed))


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"activation": ActivateNow()}, {"expiration_date": "2026-11-01"}),
        ({"charge": Charge(usd("5"))}, {"balance": "4.99"}),
        ({"product": "silver"}, {"addons": {"premium"}}),
    ],
    ids=["a date", "the balance", "add-ons"],
)
def test_the_reason_of_a_stale_account_names_the_field_that_changed(
    settings: dict[str, Any], changed: dict[str, Any]
) -> None:
    """People read reasons: they name the field of the account, whatever kind of question noticed the change."""
    before = account(**_USUAL)
    assert set(_stale_fields(_plan(before, **settings), attrs.evolve(before, **changed))) == set(changed)


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"expiration": ExpireOn("2027-12-01")}, {"expiration_date": "2027-06-02"}),
        ({"expiration": CLEAR}, {"expiration_date": "2027-06-02"}),
        ({"associated_number": "333"}, {"associated_number": "222"}),
        ({"associated_number": "333"}, {"associated_number": None}),
        ({"addons": AssignAddons({"call-waiting"})}, {"addons": ["voicemail", "premium"]}),
        ({"addons": ReplaceAddons({"call-waiting"})}, {"addons": ["voicemail", "premium"]}),
        ({"activation": CLEAR}, {"activation_date": "2026-12-02"}),
    ],
    ids=str,
)
def test_an_old_value_that_would_be_overwritten_makes_stale(settings: dict[str, Any], changed: dict[str, Any]) -> None:
    """Somebody else's newer value is not overwritten, although the rules would decide the same about it."""
    before = account(**_USUAL)
    assert _stale_fields(_plan(before, **settings), attrs.evolve(before, **changed)) == list(changed)


def test_the_balance_is_overwritten_by_nobody() -> None:
    """The balance moves by an amount, and so its old value is not compared."""
    before = account(kind=AccountKind.CREDIT, balance=0)
    plan = _plan(before, charge=Charge(usd("5")))
    assert plan.changes[0].fields[0].field == "balance"
    assert _stale_fields(plan, attrs.evolve(before, balance=100)) == []


def test_a_value_that_changed_and_changed_back_is_fresh() -> None:
    """Only what the account is now counts."""
    before = account(**_USUAL)
    plan = _plan(before, expiration=ExpireOn("2027-12-01"))
    again = attrs.evolve(attrs.evolve(before, expiration_date="2030-01-01"), expiration_date="2027-06-01")
    assert _stale_fields(plan, again) == []


def test_an_account_that_is_gone_is_stale() -> None:
    """Without an account there is nothing to change, and the reason says so."""
    plan = _plan(account(), ivr_language="en")
    (reason,) = why_stale(plan, plan.targets[0], None, _no_transactions)
    assert (reason.code, reason.field, reason.detail) == (None, "id", "the account is gone")


def test_every_changed_field_is_named_once() -> None:
    """All that changed is collected, a field that is both fact and old value once."""
    before = account(ivr_language="uk", role="boss")
    plan = _plan(before, ivr_language="en", role="default")
    assert _stale_fields(plan, attrs.evolve(before, ivr_language="la", role="old", batch="ZERO")) == [
        "ivr_language",
        "role",
        "batch",
    ]


_WHERE = AccountFilter(
    batch="SUMMER-2026",
    control_numbers="1-3",
    account_id=TextMatch.starts_with("4477"),
    status=StatusFilter.OPEN,
    registration=Registration.UNREGISTERED,
    blocked=False,
    used=False,
    customer="acme",
    product="gold",
    contact={"email": "ann@example.org"},
)


@pytest.mark.parametrize(
    "changed",
    [
        {"control_number": 4},
        {"control_number": None},
        {"registered": True},
        {"blocked": True},
        {"first_used_on": "2026-11-23"},
        {"product": "silver"},
        {"contact": {"email": "bob@example.org"}},
    ],
    ids=str,
)
def test_a_termination_rechecks_every_criterion_of_its_filter(changed: dict[str, Any]) -> None:
    """What the filter no longer means is not terminated, whichever criterion it is."""
    before = account(contact={"email": "ann@example.org"})
    now = attrs.evolve(before, **changed)
    assert _stale_fields(_plan(before, _WHERE, status=StatusChange.TERMINATED), now) == ["filter"]
    assert "filter" not in _stale_fields(_plan(before, _WHERE, status=StatusChange.BLOCKED), now)


def test_a_termination_of_what_the_filter_still_means_is_fresh() -> None:
    """Other changes do not save an account from being terminated."""
    before = account(contact={"email": "ann@example.org"})
    now = attrs.evolve(before, balance=0, ivr_language="en", contact={"email": "ann@example.org", "name": "Ann"})
    assert _stale_fields(_plan(before, _WHERE, status=StatusChange.TERMINATED), now) == []


def test_a_reference_charged_meanwhile_makes_stale() -> None:
    """A campaign that reached the account between plan and apply does not reach it twice."""
    target = account(balance=100)
    store = MemoryStore([target])
    spec = UpdateSpec(charge=Charge(usd("1"), reference="fee"), refund=Refund(usd("1"), reference="back"))
    plan = plan_update(store, _BATCH, spec, catalog=CATALOG, now=NOW)
    asked: list[tuple[str, str]] = []

    def has_transaction(account_id: str, reference: str) -> bool:
        asked.append((account_id, reference))
        return reference == "back"

    reasons = why_stale(plan, plan.targets[0], target, has_transaction)
    assert len(reasons) == 1
    assert "back" in reasons[0].detail
    assert asked == [("4477001", "fee"), ("4477001", "back")]


def test_a_plan_without_references_does_not_ask_the_ledger() -> None:
    """Where no fact is about transactions, none is looked up."""
    target = account()
    plan = _plan(target, charge=Charge(usd("1")))

    def has_transaction(_account_id: str, _reference: str) -> bool:
        raise AssertionError

    assert why_stale(plan, plan.targets[0], target, has_transaction) == ()


def test_a_loaded_plan_finds_the_same_stale() -> None:
    """Facts and old values that went through JSON are compared like those that did not."""
    before = account(**_USUAL)
    plan = _plan(
        before,
        activation=ActivateNow(),
        expiration=ExpireOn("2027-12-01"),
        opening_balance=usd("10"),
        addons=AssignAddons({"call-waiting"}),
        associated_number="333",
        site=CLEAR,
    )
    again = Plan.from_json(plan.to_json())
    assert _stale_fields(again, before) == []
    changed = attrs.evolve(before, expiration_date="2027-06-02", opening_balance=11, addons=(), site=None)
    assert _stale_fields(again, changed) == _stale_fields(plan, changed) != []


# What is written.


def test_the_account_afterwards_keeps_what_others_changed() -> None:
    """The plan's fields are set on the account as it is now, and the balance moves from where it is now."""
    before = account(**_USUAL, balance=20)
    plan = _plan(before, expiration=CLEAR, addons=AssignAddons({"call-waiting"}), charge=Charge(usd("5")))
    now = attrs.evolve(before, balance=12, product="silver", contact={"email": "ann@example.org"})
    assert account_after(plan, plan.targets[0], now) == attrs.evolve(
        now, expiration_date=None, addons={"voicemail", "call-waiting"}, balance=7
    )


def test_an_account_that_cannot_exist_is_an_error() -> None:
    """A balance beyond what an account can have is refused by the account itself."""
    target = account(kind=AccountKind.CREDIT, balance=10**15 - 1)
    plan = _plan(target, charge=Charge(usd("1")))
    with pytest.raises(InvalidValueError, match=r"account\.balance"):
        account_after(plan, plan.targets[0], target)


def test_ledger_entries_are_the_transactions_of_the_decision() -> None:
    """Each transaction leaves one entry with the account, the plan and all that the spec says about it."""
    target = account(balance=100, opening_balance=10)
    plan = _plan(
        target,
        charge=Charge(usd("1"), comment="fee", internal_comment="ticket 7", reference="sim-fee"),
        refund=Refund(usd("2")),
        distributor=AssignDistributor("north"),
    )
    assert ledger_entries(plan, plan.targets[0]) == (
        LedgerEntry(
            account_id="4477001",
            plan_id=plan.id,
            kind=TransactionKind.CHARGE,
            amount=usd("1"),
            comment="fee",
            reference="sim-fee",
            distributor=None,
            internal_comment="ticket 7",
        ),
        LedgerEntry(
            account_id="4477001",
            plan_id=plan.id,
            kind=TransactionKind.REFUND,
            amount=usd("2"),
            comment="",
            reference=None,
            distributor=None,
            internal_comment="",
        ),
        LedgerEntry(
            account_id="4477001",
            plan_id=plan.id,
            kind=TransactionKind.DISTRIBUTOR_CHARGE,
            amount=usd("8.5"),
            comment="",
            reference=None,
            distributor="north",
            internal_comment="",
        ),
    )


def test_a_change_without_money_leaves_no_entry() -> None:
    """Setting a field, or an opening balance, does not reach the ledger."""
    plan = _plan(account(), ivr_language="en", opening_balance=usd("10"))
    assert ledger_entries(plan, plan.targets[0]) == ()
