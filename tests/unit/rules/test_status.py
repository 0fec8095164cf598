"""Rules 1 and 2: terminated is final; blocking, unblocking, terminating."""

from typing import Any

import pytest

from account_batch import (
    CLEAR,
    AccountKind,
    AccountState,
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    Effect,
    EffectKind,
    ExpireOn,
    FieldChange,
    Money,
    Refund,
    RefusalCode,
    StatusChange,
    UnifiedMessaging,
)
from world import account, after, changed, codes, effect_kinds, refused, unchanged, usd

_TERMINATED = frozenset({RefusalCode.ACCOUNT_TERMINATED})


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({name: value}, id=f"{name}={value!r}")
        for name, value in [
            ("status", StatusChange.BLOCKED),
            ("status", StatusChange.UNBLOCKED),
            ("status", StatusChange.TERMINATED),
            ("opening_balance", usd("20")),
            ("opening_balance", usd("15")),
            ("charge", Charge(usd("1"))),
            ("refund", Refund(usd("1"))),
            ("activation", ActivateNow()),
            ("activation", CLEAR),
            ("expiration", ExpireOn("2027-12-01")),
            ("availability_days", 90),
            ("product", "silver"),
            ("addons", AssignAddons({"voicemail"})),
            ("charging_period", 6),
            ("associated_number", "18005551234"),
            ("unified_messaging", UnifiedMessaging.BY_PRODUCT),
            ("ivr_language", "en"),
            ("time_zone", "Europe/Kyiv"),
            ("role", "boss"),
            ("site", "hq"),
            ("distributor", "north"),
        ]
    ],
)
def test_a_closed_account_is_refused_whatever_is_set(settings: dict[str, Any]) -> None:
    """Terminated is final: no setting touches a closed account, not even one that it has already."""
    assert codes(account(state=AccountState.CLOSED), **settings) == _TERMINATED


def test_the_refusal_of_a_closed_account_says_that_it_is_final() -> None:
    """Field and reason are there for the person who reads it."""
    (reason,) = refused(account(state=AccountState.CLOSED), role="boss").reasons
    assert (reason.field, reason.detail) == ("state", "closed, which is final")


def test_a_closed_account_collects_the_other_refusals_too() -> None:
    """Termination is named first, and the other rules still speak (decision 0001)."""
    wrong = refused(account(state=AccountState.CLOSED), charge=Charge(Money(1, "EUR")), site="port", product="phone")
    assert [reason.code for reason in wrong.reasons] == [
        RefusalCode.ACCOUNT_TERMINATED,
        RefusalCode.CURRENCY_MISMATCH,
        RefusalCode.ACCOUNT_ROLE_MISMATCH,
        RefusalCode.SITE_OF_ANOTHER_CUSTOMER,
    ]


def test_dates_and_distributor_charges_mean_nothing_for_a_closed_account() -> None:
    """What would be refused about dates or a distributor's charge is not, of an account closed for ever."""
    closed = account(
        state=AccountState.CLOSED,
        customer="ghost",
        distributor="half",
        first_used_on="2026-11-01",
        activation_date="2026-12-01",
    )
    wrong = codes(
        closed,
        activation=ActivateOn("2026-11-01"),
        expiration=ExpireOn("2026-10-01"),
        availability_days=1,
        distributor="north",
    )
    assert wrong == _TERMINATED


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
@pytest.mark.parametrize("kind", AccountKind)
def test_terminating_closes_an_account(state: AccountState, kind: AccountKind) -> None:
    """Every account that is not closed yet can be terminated; nothing else changes, and a person sees it."""
    change = changed(
        account(state=state, kind=kind, blocked=True, activation_date="2026-12-01", distributor="north"),
        status=StatusChange.TERMINATED,
    )
    assert change.fields == (FieldChange(field="state", before=state, after=AccountState.CLOSED),)
    assert change.effects == (Effect(kind=EffectKind.TERMINATED),)
    assert (change.transactions, change.notes) == ((), ())


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
@pytest.mark.parametrize(
    ("status", "before"),
    [(StatusChange.BLOCKED, False), (StatusChange.UNBLOCKED, True)],
    ids=["block", "unblock"],
)
def test_blocking_and_unblocking_write_only_the_flag(
    state: AccountState, status: StatusChange, *, before: bool
) -> None:
    """Blocked is a separate flag; the state and everything else stays."""
    change = changed(account(state=state, blocked=before, expiration_date="2026-01-01"), status=status)
    assert change.fields == (FieldChange(field="blocked", before=before, after=not before),)
    assert (change.transactions, change.effects, change.notes) == ((), (), ())


@pytest.mark.parametrize(
    ("status", "before"),
    [(StatusChange.BLOCKED, True), (StatusChange.UNBLOCKED, False)],
    ids=["block", "unblock"],
)
def test_a_status_that_the_account_has_is_unchanged(status: StatusChange, *, before: bool) -> None:
    """Blocking the blocked and unblocking the unblocked changes nothing."""
    assert unchanged(account(blocked=before), status=status).notes == ()


def test_unblocking_does_not_revive() -> None:
    """Blocking and expiry are independent: an expired account that is unblocked is still expired."""
    assert (
        effect_kinds(changed(account(blocked=True, expiration_date="2026-11-01"), status=StatusChange.UNBLOCKED)) == []
    )


def test_blocking_goes_with_other_settings() -> None:
    """A blocked account gets the other settings of the spec as well."""
    change = changed(account(), status=StatusChange.BLOCKED, ivr_language="uk", charge=Charge(usd("1")))
    assert after(change) == {"blocked": True, "ivr_language": "uk", "balance": 14}


def test_a_refused_setting_keeps_the_account_from_being_blocked() -> None:
    """One refusal leaves the account wholly untouched, also what no rule objects to."""
    assert codes(account(), status=StatusChange.BLOCKED, distributor=AssignDistributor("euro")) == {
        RefusalCode.CURRENCY_MISMATCH
    }
