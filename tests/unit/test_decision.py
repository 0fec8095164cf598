from decimal import Decimal
from typing import Any

import pytest

from account_batch.account import AccountState
from account_batch.decision import (
    AlterAddons,
    Assign,
    Assignment,
    Decision,
    Effect,
    EffectKind,
    FieldValue,
    NoteCode,
    Outcome,
    Reason,
    RefusalCode,
    ShiftBalance,
    Transaction,
    TransactionKind,
    value_after,
)
from account_batch.money import Money

_CHARGE = Transaction(kind=TransactionKind.CHARGE, amount=Money("1", "USD"))
_REASON = Reason(code=RefusalCode.ALREADY_USED, field="opening_balance", detail="the account was used")


@pytest.mark.parametrize(
    ("assignment", "before", "expected"),
    [
        pytest.param(Assign("blocked", True), False, True, id="a flag"),
        pytest.param(Assign("expiration_date", None), "2027-12-01", None, id="no date any more"),
        pytest.param(Assign("addons", frozenset("b")), frozenset("a"), frozenset("b"), id="all add-ons"),
        pytest.param(AlterAddons(frozenset("b"), frozenset()), frozenset("a"), frozenset("ab"), id="an add-on more"),
        pytest.param(AlterAddons(frozenset(), frozenset("b")), frozenset("ab"), frozenset("a"), id="an add-on less"),
        pytest.param(AlterAddons(frozenset("a"), frozenset("b")), frozenset("bc"), frozenset("ac"), id="one for one"),
        pytest.param(ShiftBalance(Decimal("-2.5")), Decimal(15), Decimal("12.5"), id="less money"),
        pytest.param(ShiftBalance(Decimal("0.00001")), Decimal(-1), Decimal("-0.99999"), id="more money"),
    ],
)
def test_an_assignment_says_what_comes_after(assignment: Assignment, before: FieldValue, expected: FieldValue) -> None:
    """The new value follows from the assignment and the old one."""
    assert value_after(assignment, before) == expected


@pytest.mark.parametrize(
    "field", ["id", "batch", "control_number", "customer", "kind", "currency", "first_used_on", "x"]
)
def test_no_decision_writes_what_a_spec_cannot_set(field: str) -> None:
    """Whose account it is, what it is and what its user did are not for an update to change."""
    with pytest.raises(ValueError, match="field"):
        Assign(field, "anything")


def test_the_balance_is_never_assigned() -> None:
    """The balance moves relatively, and so is never set to a value that was true at planning."""
    with pytest.raises(ValueError, match="field"):
        Assign("balance", Decimal(1))


def test_shifts_are_exact() -> None:
    """No digit is lost, whatever the decimal context of the calling program is."""
    before = Decimal("999999999999999.99999")
    assert value_after(ShiftBalance(Decimal("-0.00001")), before) == Decimal("999999999999999.99998")


@pytest.mark.parametrize(
    ("parts", "planned"),
    [
        ({}, Outcome.UNCHANGED),
        ({"notes": (NoteCode.ALREADY_ACTIVE,)}, Outcome.UNCHANGED),
        ({"assignments": (Assign("blocked", True),)}, Outcome.APPLIED),
        ({"transactions": (_CHARGE,)}, Outcome.APPLIED),
        ({"assignments": (Assign("state", AccountState.CLOSED),), "notes": (NoteCode.STILL_BLOCKED,)}, Outcome.APPLIED),
        ({"refusals": (_REASON,)}, Outcome.REFUSED),
    ],
    ids=["nothing", "a note", "an assignment", "a transaction", "all sorts", "a refusal"],
)
def test_a_decision_foresees_an_outcome(parts: dict[str, Any], planned: Outcome) -> None:
    """What refuses is refused, what writes or books is applied, and what only notes leaves unchanged."""
    assert Decision(**parts).planned is planned


def test_the_fields_of_a_decision_are_those_it_writes() -> None:
    """They are listed in the order of the assignments, the balance and the add-ons among them."""
    decision = Decision(
        assignments=(
            Assign("blocked", True),
            AlterAddons(frozenset({"fax"}), frozenset()),
            ShiftBalance(Decimal(1)),
        )
    )
    assert decision.fields == ("blocked", "addons", "balance")


def test_decisions_are_compared_by_what_they_say() -> None:
    """Equal decisions are one group of a plan, however the amounts were written."""
    one, other = (
        Decision(assignments=(ShiftBalance(Decimal(text)),), effects=(Effect(kind=EffectKind.ACTIVATED),))
        for text in ("5", "5.00")
    )
    assert (one, hash(one)) == (other, hash(other))
