"""Rules 7 and 8: the opening balance, charges and refunds."""

from decimal import Decimal
from typing import Any

import pytest

from account_batch import (
    AccountKind,
    AccountState,
    Charge,
    FieldChange,
    Money,
    Refund,
    RefusalCode,
    Transaction,
    TransactionKind,
)
from world import account, after, changed, charged_before, codes, planned, refused, unchanged, usd

_EURO = Money("1", "EUR")


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
@pytest.mark.parametrize(
    ("balance", "opening", "expected"),
    [
        pytest.param("15", "20", "20", id="up"),
        pytest.param("15", "10", "10", id="down"),
        pytest.param("15", "0", "0", id="to nothing"),
        pytest.param("10", "5", "0", id="to no funds left"),
        pytest.param("14", "20.00001", "19.00001", id="by the difference, not to the value"),
        pytest.param("-1", "16", "0", id="up from negative funds"),
    ],
)
def test_the_balance_moves_by_the_difference(state: AccountState, balance: str, opening: str, expected: str) -> None:
    """A corrected opening balance moves the funds as if it had always been so, without a ledger entry."""
    change = changed(account(state=state, balance=balance), opening_balance=usd(opening))
    assert change.fields == (
        FieldChange(field="opening_balance", before=Decimal(15), after=Decimal(opening)),
        FieldChange(field="balance", before=Decimal(balance), after=Decimal(expected)),
    )
    assert (change.transactions, change.effects) == ((), ())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, set(), id="debit and never used"),
        pytest.param({"first_used_on": "2026-11-01"}, {RefusalCode.ALREADY_USED}, id="used"),
        pytest.param({"last_recharged_on": "2026-11-01"}, set(), id="recharged and never used"),
        pytest.param({"kind": AccountKind.CREDIT}, {RefusalCode.NOT_DEBIT}, id="credit"),
        pytest.param({"kind": AccountKind.VOUCHER}, {RefusalCode.NOT_DEBIT}, id="voucher"),
        pytest.param({"kind": AccountKind.CREDIT, "balance": -15}, {RefusalCode.NOT_DEBIT}, id="credit has no funds"),
        pytest.param(
            {"kind": AccountKind.CREDIT, "first_used_on": "2026-11-01"},
            {RefusalCode.NOT_DEBIT, RefusalCode.ALREADY_USED},
            id="used credit",
        ),
        pytest.param({"balance": "4.99999"}, {RefusalCode.INSUFFICIENT_FUNDS}, id="a little too few funds"),
        pytest.param({"balance": "5"}, set(), id="just enough funds"),
        pytest.param(
            {"balance": "4", "first_used_on": "2026-11-01"},
            {RefusalCode.INSUFFICIENT_FUNDS, RefusalCode.ALREADY_USED},
            id="used, and too few funds",
        ),
        pytest.param({"opening_balance": 5, "balance": -6}, {RefusalCode.INSUFFICIENT_FUNDS}, id="up, still negative"),
    ],
)
def test_only_unused_debit_accounts_get_another_opening_balance(
    fields: dict[str, Any], expected: set[RefusalCode]
) -> None:
    """It is judged per account: never used, debit, and no negative funds are left."""
    assert codes(account(**fields), opening_balance=usd("10")) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kind": AccountKind.CREDIT},
        {"kind": AccountKind.VOUCHER},
        {"first_used_on": "2026-11-01"},
        {"balance": "-3"},
    ],
    ids=str,
)
def test_the_opening_balance_that_it_has_is_unchanged_on_any_account(fields: dict[str, Any]) -> None:
    """Setting the value that is there already asks for nothing, whatever the account is."""
    assert unchanged(account(**fields), opening_balance=usd("15")).notes == ()


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, set()),
        ({"first_used_on": "2026-11-01"}, {RefusalCode.ALREADY_USED}),
        ({"kind": AccountKind.CREDIT}, {RefusalCode.NOT_DEBIT}),
    ],
    ids=["unused", "used", "credit"],
)
def test_an_opening_balance_in_another_currency_is_refused(fields: dict[str, Any], more: set[RefusalCode]) -> None:
    """The currency is the account's, also for the same number; what else is wrong is named too."""
    assert codes(account(**fields), opening_balance=Money("15", "EUR")) == {RefusalCode.CURRENCY_MISMATCH} | more


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(AccountKind.DEBIT, "10.00"), (AccountKind.CREDIT, "20.00")],
    ids=["debit", "credit"],
)
@pytest.mark.parametrize(
    ("setting", "taking", "booked"),
    [("charge", Charge, TransactionKind.CHARGE), ("refund", Refund, TransactionKind.REFUND)],
    ids=["charge", "refund"],
)
def test_charges_and_refunds_follow_the_sign_table(
    kind: AccountKind, expected: str, setting: str, taking: type[Charge | Refund], booked: TransactionKind
) -> None:
    """Both leave a debit account with less funds and a credit account owing more, and one ledger entry."""
    taken = taking(usd("5"), comment="SIM fee", internal_comment="ticket 7", reference="sim-2026")
    change = changed(account(kind=kind), **{setting: taken})
    assert change.fields == (FieldChange(field="balance", before=Decimal(15), after=Decimal(expected)),)
    assert change.transactions == (
        Transaction(
            kind=booked,
            amount=usd("5.00"),
            comment="SIM fee",
            internal_comment="ticket 7",
            reference="sim-2026",
        ),
    )


def test_charge_and_refund_write_one_entry_each_and_one_net_change() -> None:
    """Two takings are two ledger entries, and together one change of the balance."""
    change = changed(account(), charge=Charge(usd("4")), refund=Refund(usd("3")))
    assert [(entry.kind, entry.amount) for entry in change.transactions] == [
        (TransactionKind.CHARGE, usd("4")),
        (TransactionKind.REFUND, usd("3")),
    ]
    assert after(change) == {"balance": 8}


def test_money_that_cancels_out_is_booked_without_a_change_of_balance() -> None:
    """A correction and a charge of the same amount leave the balance, and the ledger entry all the same."""
    change = changed(account(), opening_balance=usd("20"), charge=Charge(usd("5")))
    assert after(change) == {"opening_balance": 20}
    assert [entry.amount for entry in change.transactions] == [usd("5")]


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
@pytest.mark.parametrize("used", [None, "2026-11-01"], ids=["unused", "used"])
def test_any_account_that_is_not_closed_is_charged(state: AccountState, used: str | None) -> None:
    """Neither first usage nor activation has to do with charges."""
    assert after(changed(account(state=state, first_used_on=used), charge=Charge(usd("1")))) == {"balance": 14}


@pytest.mark.parametrize(
    ("settings", "enough"),
    [
        pytest.param({"charge": Charge(usd("15"))}, True, id="charge all"),
        pytest.param({"charge": Charge(usd("15.00001"))}, False, id="charge more than all"),
        pytest.param({"refund": Refund(usd("15"))}, True, id="refund all"),
        pytest.param({"refund": Refund(usd("15.00001"))}, False, id="refund more than all"),
        pytest.param({"charge": Charge(usd("10")), "refund": Refund(usd("5"))}, True, id="all in two"),
        pytest.param({"charge": Charge(usd("10")), "refund": Refund(usd("5.01"))}, False, id="too much in two"),
        pytest.param({"charge": Charge(usd("16"), allow_overdraft=True)}, True, id="overdraft allowed"),
        pytest.param({"refund": Refund(usd("16"), allow_overdraft=True)}, True, id="refund, overdraft allowed"),
        pytest.param(
            {"charge": Charge(usd("14"), allow_overdraft=True), "refund": Refund(usd("2"))},
            False,
            id="the overdraft of one is not the other's",
        ),
        pytest.param(
            {"charge": Charge(usd("16"), allow_overdraft=True), "refund": Refund(usd("0.01"))},
            False,
            id="refund from an overdraft",
        ),
        pytest.param(
            {"charge": Charge(usd("10")), "refund": Refund(usd("9"), allow_overdraft=True)},
            True,
            id="overdraft by the refund alone",
        ),
        pytest.param({"opening_balance": usd("20"), "charge": Charge(usd("20"))}, True, id="funds of the correction"),
        pytest.param({"opening_balance": usd("20"), "charge": Charge(usd("20.01"))}, False, id="more than corrected"),
        pytest.param({"opening_balance": usd("10"), "charge": Charge(usd("10.01"))}, False, id="corrected down"),
        pytest.param(
            {"opening_balance": usd("20"), "charge": Charge(usd("12")), "refund": Refund(usd("8"))},
            True,
            id="correction, charge, refund",
        ),
        pytest.param(
            {"opening_balance": usd("20"), "charge": Charge(usd("12")), "refund": Refund(usd("8.00001"))},
            False,
            id="correction, charge, refund too much",
        ),
    ],
)
def test_a_debit_account_cannot_be_taken_more_than_it_has(settings: dict[str, Any], *, enough: bool) -> None:
    """The funds are tested after what comes before: the corrected opening balance, then the charge, then the refund."""
    assert codes(account(), **settings) == (set() if enough else {RefusalCode.INSUFFICIENT_FUNDS})


def test_all_money_settings_come_to_one_net_change() -> None:
    """Correction, charge and refund are one change of the balance; only the takings are ledger entries."""
    change = changed(
        account(balance="14"), opening_balance=usd("20"), charge=Charge(usd("12")), refund=Refund(usd("7"))
    )
    assert after(change) == {"opening_balance": 20, "balance": 0}
    assert len(change.transactions) == 2


def test_a_credit_account_may_owe_any_amount() -> None:
    """There are no funds to exceed where the balance is what is owed."""
    change = changed(account(kind=AccountKind.CREDIT, balance=0), charge=Charge(usd("1000")), refund=Refund(usd("1")))
    assert after(change) == {"balance": 1001}


@pytest.mark.parametrize(
    "setting", [{"charge": Charge(usd("1"))}, {"refund": Refund(usd("1"))}], ids=["charge", "refund"]
)
def test_vouchers_are_not_chargeable(setting: dict[str, Any]) -> None:
    """A voucher is refused, whatever funds it has."""
    for balance in (0, 15):
        assert codes(account(kind=AccountKind.VOUCHER, balance=balance), **setting) == {RefusalCode.NOT_CHARGEABLE}


@pytest.mark.parametrize("setting", [{"charge": Charge(_EURO)}, {"refund": Refund(_EURO)}], ids=["charge", "refund"])
@pytest.mark.parametrize("kind", [AccountKind.DEBIT, AccountKind.CREDIT])
def test_takings_are_in_the_accounts_currency(setting: dict[str, Any], kind: AccountKind) -> None:
    """Another currency is refused, and funds cannot be compared with it."""
    assert codes(account(kind=kind, balance=0), **setting) == {RefusalCode.CURRENCY_MISMATCH}


@pytest.mark.parametrize(
    "settings",
    [
        {"charge": Charge(usd("1"), reference="sim-2026")},
        {"refund": Refund(usd("1"), reference="sim-2026")},
        {"charge": Charge(usd("1"), reference="other"), "refund": Refund(usd("1"), reference="sim-2026")},
    ],
    ids=["charge", "refund", "refund beside a charge"],
)
def test_the_same_campaign_does_not_run_twice(settings: dict[str, Any]) -> None:
    """An account that has a transaction with the reference already is refused."""
    target = account()
    store = charged_before(target, "sim-2026")
    assert codes(target, store=store, **settings) == {RefusalCode.ALREADY_CHARGED}


@pytest.mark.parametrize("reference", [None, "SIM-2026", "sim-2027"])
def test_another_campaign_runs(reference: str | None) -> None:
    """Only the very same reference counts, and none at all never does."""
    target = account()
    store = charged_before(target, "sim-2026")
    assert codes(target, store=store, charge=Charge(usd("1"), reference=reference)) == set()


def test_the_reference_of_another_account_does_not_count() -> None:
    """A campaign that reached one account of the batch still runs on the others."""
    store = charged_before(account(), "sim-2026")
    other = account(id="4477002", control_number=2)
    store.add([other])
    plan = planned(other, store=store, charge=Charge(usd("1"), reference="sim-2026"))
    assert [change.account_id for change in plan.changes] == ["4477002"]
    assert [item.account_id for item in plan.refused] == ["4477001"]


def test_all_refusals_of_a_charge_are_collected() -> None:
    """Reference and funds are wrong together."""
    target = account(balance=0)
    store = charged_before(target, "sim-2026")
    wrong = codes(target, store=store, charge=Charge(usd("1"), reference="sim-2026"))
    assert wrong == {RefusalCode.ALREADY_CHARGED, RefusalCode.INSUFFICIENT_FUNDS}


def test_a_refused_charge_leaves_the_funds_to_the_refund() -> None:
    """The refund is tested as if the refused charge were not there, and is not refused for it."""
    wrong = refused(account(), charge=Charge(usd("16")), refund=Refund(usd("15")))
    assert [(reason.code, reason.field) for reason in wrong.reasons] == [(RefusalCode.INSUFFICIENT_FUNDS, "charge")]


def test_a_charge_refused_for_its_reference_leaves_the_funds_to_the_refund() -> None:
    """A charge that ran before is not taken again, and so not missing when the refund is tested."""
    target = account()
    store = charged_before(target, "sim-2026")
    wrong = codes(target, store=store, charge=Charge(usd("10"), reference="sim-2026"), refund=Refund(usd("10")))
    assert wrong == {RefusalCode.ALREADY_CHARGED}


def test_a_correction_refused_for_its_funds_leaves_the_old_ones_to_the_charge() -> None:
    """What the account has covers the charge, and only the correction is refused."""
    wrong = refused(account(balance="4"), opening_balance=usd("10"), charge=Charge(usd("4")))
    assert [(reason.code, reason.field) for reason in wrong.reasons] == [
        (RefusalCode.INSUFFICIENT_FUNDS, "opening_balance")
    ]


def test_a_refused_correction_leaves_the_old_funds_to_the_charge() -> None:
    """The charge is tested against the funds that the account has, not those of the refused correction."""
    used = account(first_used_on="2026-11-01")
    assert codes(used, opening_balance=usd("5"), charge=Charge(usd("15"))) == {RefusalCode.ALREADY_USED}
    assert codes(used, opening_balance=usd("20"), charge=Charge(usd("16"))) == {
        RefusalCode.ALREADY_USED,
        RefusalCode.INSUFFICIENT_FUNDS,
    }


def test_a_refusal_says_what_collides() -> None:
    """Field, value and what it collides with are there for the person who reads it."""
    wrong = refused(
        account(currency="JPY"), opening_balance=usd("10"), charge=Charge(Money(16, "JPY")), refund=Refund(_EURO)
    )
    assert [(reason.field, reason.detail) for reason in wrong.reasons] == [
        ("opening_balance", "10.00 USD on an account in JPY"),
        ("charge", "16 JPY is more than the funds left"),
        ("refund", "1.00 EUR on an account in JPY"),
    ]
