"""Rules 3 to 6: activation, expiration, availability period, and the first instant of a local day."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from account_batch import (
    CLEAR,
    Account,
    AccountState,
    ActivateNow,
    ActivateOn,
    Effect,
    EffectKind,
    ExpireOn,
    FieldChange,
    NoteCode,
    RefusalCode,
    StatusChange,
)
from world import NOW, TODAY, account, after, changed, codes, due, effect_kinds, planned, refused, unchanged

_INACTIVE = AccountState.INACTIVE


def _inactive(**fields: Any) -> Account:
    return account(state=_INACTIVE, **fields)


# Activation (rule 3).


def test_activating_immediately_opens_an_inactive_account() -> None:
    """The state becomes open, the activation date is today, and a person sees it."""
    change = changed(_inactive(), activation=ActivateNow())
    assert change.fields == (
        FieldChange(field="activation_date", before=None, after=TODAY),
        FieldChange(field="state", before=_INACTIVE, after=AccountState.OPEN),
    )
    assert (change.effects, change.notes) == ((Effect(kind=EffectKind.ACTIVATED),), ())


@pytest.mark.parametrize(
    ("customer", "now", "today"),
    [
        pytest.param("acme", "2026-11-23T12:00", date(2026, 11, 23), id="New York"),
        pytest.param("kiwi", "2026-11-23T12:00", date(2026, 11, 24), id="Auckland is a day ahead"),
        pytest.param("acme", "2026-11-24T04:59:59", date(2026, 11, 23), id="a second before midnight"),
        pytest.param("acme", "2026-11-24T05:00", date(2026, 11, 24), id="midnight"),
        pytest.param("acme", "2026-07-01T03:59:59", date(2026, 6, 30), id="before midnight in summer"),
        pytest.param("acme", "2026-07-01T04:00", date(2026, 7, 1), id="midnight in summer"),
        pytest.param("havana", "2026-11-01T03:59:59", date(2026, 10, 31), id="before the first of two midnights"),
        pytest.param("havana", "2026-11-01T04:30", date(2026, 11, 1), id="between two midnights"),
        pytest.param("samoa", "2011-12-30T09:59:59", date(2011, 12, 29), id="before the skipped day"),
        pytest.param("samoa", "2011-12-30T10:00", date(2011, 12, 31), id="after the skipped day"),
    ],
)
def test_today_is_the_date_in_the_customers_billing_zone(customer: str, now: str, today: date) -> None:
    """The activation date is what the customer's calendar shows, wherever the administrator is."""
    instant = datetime.fromisoformat(now).replace(tzinfo=UTC)
    change = changed(_inactive(customer=customer), now=instant, activation=ActivateNow())
    assert after(change)["activation_date"] == today


def test_the_self_care_time_zone_does_not_matter() -> None:
    """The account's own zone is for display only."""
    change = changed(_inactive(time_zone="Pacific/Auckland"), activation=ActivateNow(), time_zone="Pacific/Kiritimati")
    assert after(change)["activation_date"] == TODAY


def test_activating_on_today_means_now() -> None:
    """The date that the customer's calendar shows opens the account right away."""
    change = changed(_inactive(), activation=ActivateOn(TODAY))
    assert after(change) == {"activation_date": TODAY, "state": AccountState.OPEN}
    assert effect_kinds(change) == [EffectKind.ACTIVATED]


def test_activating_today_keeps_a_date_of_today() -> None:
    """An account that was scheduled for today is opened, and its date is no change."""
    for activation in (ActivateNow(), ActivateOn(TODAY)):
        change = changed(_inactive(activation_date=TODAY), activation=activation)
        assert after(change) == {"state": AccountState.OPEN}


def test_activating_immediately_overrides_a_scheduled_date() -> None:
    """What was scheduled for later is opened now, and its date becomes today."""
    change = changed(_inactive(activation_date="2026-12-01"), activation=ActivateNow())
    assert after(change)["activation_date"] == TODAY


@pytest.mark.parametrize(
    ("customer", "now", "day", "instant"),
    [
        pytest.param("acme", NOW, "2026-12-01", "2026-12-01T05:00", id="New York"),
        pytest.param("acme", NOW, "2026-11-24", "2026-11-24T05:00", id="tomorrow"),
        pytest.param("acme", NOW, "2027-07-01", "2027-07-01T04:00", id="New York in summer"),
        pytest.param("kiwi", NOW, "2026-12-01", "2026-11-30T11:00", id="Auckland"),
        pytest.param("beirut", NOW, "2027-03-28", "2027-03-27T22:00", id="a day without midnight"),
        pytest.param(
            "havana", datetime(2026, 10, 1, tzinfo=UTC), "2026-11-01", "2026-11-01T04:00", id="a day with two midnights"
        ),
        pytest.param(
            "samoa", datetime(2011, 12, 29, tzinfo=UTC), "2011-12-30", "2011-12-30T10:00", id="a day that never happens"
        ),
    ],
)
def test_activating_on_a_later_day_schedules(customer: str, now: datetime, day: str, instant: str) -> None:
    """The state stays inactive, and the effect carries the first instant at which the customer's calendar shows it."""
    change = changed(_inactive(customer=customer), now=now, activation=ActivateOn(day))
    assert after(change) == {"activation_date": date.fromisoformat(day)}
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert change.effects == (Effect(kind=EffectKind.ACTIVATION_SCHEDULED, at=at),)


def test_a_scheduled_date_can_be_moved() -> None:
    """Another later day replaces the one that was scheduled."""
    change = changed(_inactive(activation_date="2026-12-01"), activation=ActivateOn("2026-12-24"))
    assert change.fields == (FieldChange(field="activation_date", before=date(2026, 12, 1), after=date(2026, 12, 24)),)
    assert effect_kinds(change) == [EffectKind.ACTIVATION_SCHEDULED]


def test_the_scheduled_date_that_it_has_is_unchanged() -> None:
    """Scheduling again for the same day changes nothing, and says nothing of a blocked account."""
    same = unchanged(_inactive(activation_date="2026-12-01", blocked=True), activation=ActivateOn("2026-12-01"))
    assert same.notes == ()


@pytest.mark.parametrize(
    ("customer", "day", "expected"),
    [
        ("acme", "2026-11-22", {RefusalCode.ACTIVATION_IN_PAST}),
        ("acme", "2026-11-23", set()),
        ("kiwi", "2026-11-23", {RefusalCode.ACTIVATION_IN_PAST}),
        ("kiwi", "2026-11-24", set()),
        ("acme", "1999-12-31", {RefusalCode.ACTIVATION_IN_PAST}),
    ],
)
def test_activating_on_an_earlier_day_is_refused(customer: str, day: str, expected: set[RefusalCode]) -> None:
    """What is past at the customer cannot be an activation date any more."""
    assert codes(_inactive(customer=customer), activation=ActivateOn(day)) == expected


def test_a_scheduled_activation_can_be_cancelled() -> None:
    """CLEAR takes the date away, and a person sees it."""
    change = changed(_inactive(activation_date="2026-12-01", blocked=True), activation=CLEAR)
    assert change.fields == (FieldChange(field="activation_date", before=date(2026, 12, 1), after=None),)
    assert (change.effects, change.notes) == ((Effect(kind=EffectKind.ACTIVATION_CANCELLED),), ())


def test_cancelling_what_is_not_scheduled_is_unchanged() -> None:
    """An inactive account without a date has none to take away."""
    assert unchanged(_inactive(), activation=CLEAR).notes == ()


_ACTIVATIONS = pytest.mark.parametrize(
    "activation",
    [ActivateNow(), ActivateOn("2026-11-01"), ActivateOn(TODAY), ActivateOn("2026-12-01"), CLEAR],
    ids=["now", "past", "today", "later", "clear"],
)


@_ACTIVATIONS
def test_every_activation_of_an_open_account_is_a_noted_no_op(activation: Any) -> None:
    """An open account keeps its activation date, and the note says why."""
    for kept in (None, "2026-01-01"):
        same = unchanged(account(activation_date=kept, blocked=True), activation=activation)
        assert same.notes == (NoteCode.ALREADY_ACTIVE,)


@_ACTIVATIONS
def test_the_note_of_an_open_account_stays_with_its_changes(activation: Any) -> None:
    """What else is set on the open account is done, and the note remains."""
    change = changed(account(), activation=activation, expiration=ExpireOn("2027-12-01"))
    assert (after(change), change.notes) == ({"expiration_date": date(2027, 12, 1)}, (NoteCode.ALREADY_ACTIVE,))


@pytest.mark.parametrize(
    "activation", [ActivateNow(), ActivateOn(TODAY), ActivateOn("2026-12-01")], ids=["now", "today", "later"]
)
@pytest.mark.parametrize(
    ("fields", "settings", "notes"),
    [
        pytest.param({}, {}, [], id="nothing in the way"),
        pytest.param({"blocked": True}, {}, [NoteCode.STILL_BLOCKED], id="blocked"),
        pytest.param({"blocked": True}, {"status": StatusChange.UNBLOCKED}, [], id="unblocked by the way"),
        pytest.param({}, {"status": StatusChange.BLOCKED}, [NoteCode.STILL_BLOCKED], id="blocked by the way"),
        pytest.param(
            {"last_recharged_on": "2026-11-13", "availability_days": 10}, {}, [NoteCode.STILL_EXPIRED], id="expired"
        ),
        pytest.param({"last_recharged_on": "2026-11-13", "availability_days": 11}, {}, [], id="the last day"),
        pytest.param(
            {"last_recharged_on": "2026-11-13", "availability_days": 10},
            {"availability_days": 11},
            [],
            id="prolonged by the way",
        ),
        pytest.param(
            {"last_recharged_on": "2026-11-13", "availability_days": 10},
            {"expiration": ExpireOn("2027-12-01")},
            [NoteCode.STILL_EXPIRED],
            id="prolonged in vain",
        ),
        pytest.param(
            {"last_recharged_on": "2026-11-13", "availability_days": 10, "blocked": True},
            {},
            [NoteCode.STILL_EXPIRED, NoteCode.STILL_BLOCKED],
            id="expired and blocked",
        ),
    ],
)
def test_activating_what_stays_unusable_is_allowed_and_noted(
    activation: Any, fields: dict[str, Any], settings: dict[str, Any], notes: list[NoteCode]
) -> None:
    """What stays blocked, or expired by its availability period, is activated all the same, with a note."""
    change = changed(_inactive(**fields), activation=activation, **settings)
    assert list(change.notes) == notes
    assert {EffectKind.ACTIVATED, EffectKind.ACTIVATION_SCHEDULED} & set(effect_kinds(change))


# Expiration (rule 4).


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
@pytest.mark.parametrize("before", [None, "2026-12-24"])
def test_an_expiration_date_is_set(state: AccountState, before: str | None) -> None:
    """A later date is just set, and nothing follows."""
    change = changed(account(state=state, expiration_date=before), expiration=ExpireOn("2027-12-01"))
    assert after(change) == {"expiration_date": date(2027, 12, 1)}
    assert (change.effects, change.notes) == ((), ())


def test_an_expiration_date_can_be_cleared() -> None:
    """CLEAR means never."""
    assert after(changed(account(expiration_date="2027-12-01"), expiration=CLEAR)) == {"expiration_date": None}


@pytest.mark.parametrize(
    ("before", "expiration"),
    [(None, CLEAR), ("2027-12-01", ExpireOn("2027-12-01")), ("2026-11-01", ExpireOn("2026-11-01"))],
    ids=["never", "later", "past"],
)
def test_the_expiration_that_it_has_is_unchanged(before: str | None, expiration: Any) -> None:
    """The same date, or none again, changes nothing, also of an account that its availability period keeps expired."""
    for fields in ({}, {"first_used_on": "2026-01-01", "availability_days": 1}):
        assert unchanged(account(expiration_date=before, **fields), expiration=expiration).notes == ()


@pytest.mark.parametrize(
    ("customer", "day", "at_once"),
    [
        pytest.param("acme", "2026-11-22", True, id="yesterday"),
        pytest.param("acme", "2026-11-23", True, id="today"),
        pytest.param("acme", "2026-11-24", False, id="tomorrow"),
        pytest.param("kiwi", "2026-11-24", True, id="today in Auckland"),
        pytest.param("kiwi", "2026-11-25", False, id="tomorrow in Auckland"),
    ],
)
def test_a_date_not_in_the_future_expires_at_once(customer: str, day: str, *, at_once: bool) -> None:
    """It is allowed, and shown as an effect and as a warning of the plan."""
    for before in (None, "2026-12-24"):
        plan = planned(account(customer=customer, expiration_date=before), expiration=ExpireOn(day))
        assert effect_kinds(plan.changes[0]) == ([EffectKind.EXPIRES_AT_ONCE] if at_once else [])
        assert any("expire at once" in warning for warning in plan.warnings) is at_once


@pytest.mark.parametrize(
    "fields",
    [{"expiration_date": "2026-11-01"}, {"first_used_on": "2026-11-01", "availability_days": 7}],
    ids=["by date", "by availability period"],
)
def test_what_expired_already_does_not_expire_at_once(fields: dict[str, Any]) -> None:
    """A past date on an account that is expired anyway has no effect to see, and is nothing that was hoped for."""
    change = changed(account(**fields), expiration=ExpireOn("2026-11-20"))
    assert (after(change), change.effects, change.notes) == ({"expiration_date": date(2026, 11, 20)}, (), ())


@pytest.mark.parametrize(
    ("kept_activation", "kept_expiration", "settings", "accepted"),
    [
        pytest.param(None, None, {"activation": "2026-12-01", "expiration": "2026-12-02"}, True, id="both new"),
        pytest.param(None, None, {"activation": "2026-12-01", "expiration": "2026-12-01"}, False, id="same day"),
        pytest.param(None, None, {"activation": "2026-12-01", "expiration": "2026-11-30"}, False, id="reversed"),
        pytest.param(None, None, {"activation": "now", "expiration": "2026-11-24"}, True, id="now, until tomorrow"),
        pytest.param(None, None, {"activation": "now", "expiration": "2026-11-23"}, False, id="now, until today"),
        pytest.param(None, None, {"activation": "2026-11-23", "expiration": "2026-11-23"}, False, id="today, today"),
        pytest.param("2026-12-01", None, {"expiration": "2026-12-02"}, True, id="kept activation"),
        pytest.param("2026-12-01", None, {"expiration": "2026-12-01"}, False, id="expires on the kept activation"),
        pytest.param("2026-12-01", None, {"expiration": "0001-01-01"}, False, id="expires on the first day of all"),
        pytest.param(None, "2026-12-02", {"activation": "2026-12-01"}, True, id="kept expiration"),
        pytest.param(None, "2026-12-01", {"activation": "2026-12-01"}, False, id="activates on the kept expiration"),
        pytest.param(None, "2026-11-24", {"activation": "now"}, True, id="now, kept until tomorrow"),
        pytest.param(None, "2026-11-23", {"activation": "now"}, False, id="now, kept until today"),
        pytest.param(None, "2026-11-01", {"activation": "now"}, False, id="now, expired long ago"),
        pytest.param(None, None, {"expiration": "2026-11-01"}, True, id="never to be activated"),
        pytest.param("2026-12-01", None, {"activation": "clear", "expiration": "2026-11-30"}, True, id="cancelled"),
        pytest.param(None, "2026-12-01", {"activation": "2026-12-24", "expiration": "clear"}, True, id="cleared"),
        pytest.param("2026-12-24", "2026-12-01", {"activation": "2026-11-30"}, True, id="repaired by activation"),
        pytest.param("2026-12-24", "2026-12-01", {"expiration": "2026-12-25"}, True, id="repaired by expiration"),
        pytest.param("2026-12-24", "2026-12-01", {"expiration": "2026-12-01"}, False, id="confirmed expiration"),
        pytest.param("2026-12-24", "2026-12-01", {"activation": "2026-12-24"}, False, id="confirmed activation"),
        pytest.param("2026-12-24", "2026-12-01", {"activation": "clear"}, True, id="cancelled, kept expiration"),
    ],
)
def test_an_inactive_account_expires_after_its_activation(
    kept_activation: str | None, kept_expiration: str | None, settings: dict[str, str], *, accepted: bool
) -> None:
    """The resulting pair, of new or kept dates, must be in order whenever either is set."""
    make: dict[str, Any] = {"now": lambda _: ActivateNow(), "clear": lambda _: CLEAR}
    usual = {"activation": ActivateOn, "expiration": ExpireOn}
    spec = {name: make.get(text, usual[name])(text) for name, text in settings.items()}
    target = _inactive(activation_date=kept_activation, expiration_date=kept_expiration)
    assert codes(target, **spec) == (set() if accepted else {RefusalCode.EXPIRES_BEFORE_ACTIVATION})


def test_dates_out_of_order_that_are_not_set_are_no_concern() -> None:
    """Other settings go through on an inactive account whose dates were wrong before."""
    wrong = _inactive(activation_date="2026-12-24", expiration_date="2026-12-01")
    assert codes(wrong, availability_days=90, status=StatusChange.BLOCKED) == set()


def test_an_open_account_may_expire_before_its_activation() -> None:
    """The order of the dates is a matter of inactive accounts only."""
    assert codes(account(activation_date=TODAY), expiration=ExpireOn("2026-11-01")) == set()


def test_a_refused_activation_leaves_the_kept_date_to_the_expiration() -> None:
    """All refusals are collected: the expiration is judged with the activation date that remains."""
    both = {RefusalCode.ACTIVATION_IN_PAST, RefusalCode.EXPIRES_BEFORE_ACTIVATION}
    spec: dict[str, Any] = {"activation": ActivateOn("2026-11-01"), "expiration": ExpireOn("2026-12-01")}
    assert codes(_inactive(activation_date="2026-12-24"), **spec) == both
    assert codes(_inactive(activation_date="2026-11-24"), **spec) == {RefusalCode.ACTIVATION_IN_PAST}
    assert codes(_inactive(), **spec) == {RefusalCode.ACTIVATION_IN_PAST}


@pytest.mark.parametrize(
    ("fields", "settings", "effects", "notes"),
    [
        pytest.param(
            {"expiration_date": "2026-11-23"},
            {"expiration": ExpireOn("2026-11-24")},
            [EffectKind.REVIVED],
            [],
            id="by a new date",
        ),
        pytest.param({"expiration_date": "2026-11-23"}, {"expiration": CLEAR}, [EffectKind.REVIVED], [], id="for ever"),
        pytest.param({"expiration_date": "2026-11-24"}, {"expiration": CLEAR}, [], [], id="not expired before"),
        pytest.param(
            {"expiration_date": "2026-11-24", "customer": "kiwi"},
            {"expiration": CLEAR},
            [EffectKind.REVIVED],
            [],
            id="expired in Auckland",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "blocked": True},
            {"expiration": ExpireOn("2027-12-01")},
            [EffectKind.REVIVED],
            [NoteCode.STILL_BLOCKED],
            id="blocked ones stay blocked",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "blocked": True},
            {"expiration": ExpireOn("2027-12-01"), "status": StatusChange.UNBLOCKED},
            [EffectKind.REVIVED],
            [],
            id="unblocked by the way",
        ),
        pytest.param(
            {"expiration_date": "2026-12-24", "blocked": True},
            {"expiration": ExpireOn("2027-12-01")},
            [],
            [],
            id="prolonged while blocked",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "first_used_on": "2026-11-01", "availability_days": 7},
            {"expiration": ExpireOn("2027-12-01")},
            [],
            [NoteCode.STILL_EXPIRED],
            id="kept expired by the availability period",
        ),
        pytest.param(
            {"expiration_date": "2026-12-01", "first_used_on": "2026-11-01", "availability_days": 7},
            {"expiration": CLEAR},
            [],
            [NoteCode.STILL_EXPIRED],
            id="expired by the availability period only",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "first_used_on": "2026-11-01", "availability_days": 7},
            {"availability_days": 90},
            [],
            [NoteCode.STILL_EXPIRED],
            id="kept expired by the date",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "first_used_on": "2026-11-01", "availability_days": 7},
            {"availability_days": 8},
            [],
            [],
            id="neither is prolonged",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "first_used_on": "2026-11-01", "availability_days": 7},
            {"availability_days": 90, "expiration": ExpireOn("2027-12-01")},
            [EffectKind.REVIVED],
            [],
            id="both are prolonged",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "first_used_on": "2026-11-01"},
            {"availability_days": 7, "expiration": ExpireOn("2027-12-01")},
            [],
            [NoteCode.STILL_EXPIRED],
            id="one prolongs, the other ends",
        ),
        pytest.param(
            {"expiration_date": "2026-11-01", "first_used_on": "2026-11-01", "availability_days": 7},
            {"availability_days": CLEAR},
            [],
            [NoteCode.STILL_EXPIRED],
            id="period cleared, date stays",
        ),
    ],
)
def test_an_expired_account_is_revived_when_its_effective_expiry_moves_ahead(
    fields: dict[str, Any], settings: dict[str, Any], effects: list[EffectKind], notes: list[NoteCode]
) -> None:
    """It is an effect, whichever setting did it; what keeps the account unusable is noted."""
    change = changed(account(**fields), **settings)
    assert (effect_kinds(change), list(change.notes)) == (effects, notes)


def test_an_inactive_account_is_revived_and_activated_at_once() -> None:
    """Both effects are shown where one spec prolongs and activates."""
    change = changed(
        _inactive(expiration_date="2026-11-01"), activation=ActivateNow(), expiration=ExpireOn("2027-12-01")
    )
    assert effect_kinds(change) == [EffectKind.ACTIVATED, EffectKind.REVIVED]


# Availability period (rule 5).


@pytest.mark.parametrize(("before", "days"), [(None, 90), (30, 90), (90, CLEAR)])
def test_an_availability_period_is_set_and_cleared(before: int | None, days: Any) -> None:
    """A period that is not running yet has no effect."""
    change = changed(account(availability_days=before), availability_days=days)
    assert after(change) == {"availability_days": None if days is CLEAR else days}
    assert (change.effects, change.notes) == ((), ())


@pytest.mark.parametrize(("before", "days"), [(None, CLEAR), (90, 90)])
def test_the_availability_period_that_it_has_is_unchanged(before: int | None, days: Any) -> None:
    """The same period changes nothing, also where it is over."""
    same = unchanged(account(availability_days=before, first_used_on="2020-01-01"), availability_days=days)
    assert same.notes == ()


_STARTS = pytest.mark.parametrize(
    ("used", "recharged", "ends"),
    [
        pytest.param(None, None, False, id="not running"),
        pytest.param("2026-11-13", None, True, id="used, until today"),
        pytest.param("2026-11-14", None, False, id="used, until tomorrow"),
        pytest.param(None, "2026-11-13", True, id="recharged, until today"),
        pytest.param(None, "2026-11-14", False, id="recharged, until tomorrow"),
        pytest.param("2026-11-01", "2026-11-14", False, id="recharged after first usage"),
        pytest.param("2026-11-14", "2026-11-01", False, id="first used after the recharge"),
        pytest.param("2026-11-13", "2026-11-01", True, id="both long enough ago"),
    ],
)


@_STARTS
def test_a_period_that_is_over_expires_at_once(used: str | None, recharged: str | None, *, ends: bool) -> None:
    """Ten days from the latest of first usage and last recharge may be over: an effect, as with a date."""
    change = changed(account(first_used_on=used, last_recharged_on=recharged), availability_days=10)
    assert effect_kinds(change) == ([EffectKind.EXPIRES_AT_ONCE] if ends else [])


@_STARTS
@pytest.mark.parametrize("days", [1000, CLEAR])
def test_a_period_that_moves_ahead_revives(used: str | None, recharged: str | None, *, ends: bool, days: Any) -> None:
    """An account whose ten days are over is revived by more days, or by none at all."""
    target = account(first_used_on=used, last_recharged_on=recharged, availability_days=10)
    assert effect_kinds(changed(target, availability_days=days)) == ([EffectKind.REVIVED] if ends else [])


def test_the_effective_expiry_is_the_earlier_one() -> None:
    """A period that ends after the expiration date changes nothing about an expired account."""
    expired = account(expiration_date="2026-11-01", first_used_on="2026-11-01")
    assert changed(expired, availability_days=7).effects == ()


def test_a_shorter_period_of_an_expired_account_has_no_effect() -> None:
    """What is expired already does not expire at once, and was not meant to be prolonged."""
    change = changed(account(first_used_on="2026-11-01", availability_days=7), availability_days=3)
    assert (change.effects, change.notes) == ((), ())


def test_a_period_beyond_the_calendar_never_ends() -> None:
    """Days that no calendar can count are as good as never."""
    change = changed(account(first_used_on="2026-11-01", availability_days=7), availability_days=2**31 - 1)
    assert effect_kinds(change) == [EffectKind.REVIVED]


# What the catalog does not know.


@pytest.mark.parametrize(
    ("fields", "settings", "needed"),
    [
        pytest.param({}, {"activation": ActivateNow()}, {"activation"}, id="activate now"),
        pytest.param({}, {"activation": ActivateOn("2026-12-01")}, {"activation"}, id="schedule"),
        pytest.param({"activation_date": "2026-12-01"}, {"activation": CLEAR}, set(), id="cancel"),
        pytest.param({"state": AccountState.OPEN}, {"activation": ActivateNow()}, set(), id="open already"),
        pytest.param({}, {"expiration": ExpireOn("2027-12-01")}, {"expiration"}, id="expire"),
        pytest.param({"expiration_date": "2027-12-01"}, {"expiration": CLEAR}, {"expiration"}, id="never expire"),
        pytest.param({}, {"expiration": CLEAR}, set(), id="never expires anyway"),
        pytest.param(
            {"first_used_on": "2026-11-01"}, {"availability_days": 90}, {"availability_days"}, id="availability"
        ),
        pytest.param({"availability_days": 90}, {"availability_days": 90}, set(), id="same availability"),
        pytest.param({}, {"status": StatusChange.BLOCKED, "ivr_language": "en"}, set(), id="no dates"),
    ],
)
def test_a_customer_must_be_known_where_today_matters(
    fields: dict[str, Any], settings: dict[str, Any], needed: set[str]
) -> None:
    """Without the billing zone there is no today: refused where a rule needs it, and only there."""
    plan = planned(account(**{"state": _INACTIVE, "customer": "ghost"} | fields), **settings)
    found = {reason.field for item in plan.refused for reason in item.reasons}
    assert (found, {code for item in plan.refused for code in item.codes}) == (
        needed,
        {RefusalCode.CUSTOMER_UNKNOWN} if needed else set(),
    )


def test_a_refusal_about_dates_says_what_collides() -> None:
    """Field, value and what it collides with are there for the person who reads it."""
    past = refused(_inactive(), activation=ActivateOn("2026-11-01")).reasons[0]
    assert (past.field, past.detail) == (
        "activation",
        "2026-11-01 is before today, 2026-11-23, in the customer's billing zone",
    )
    early = refused(_inactive(activation_date="2026-12-01"), expiration=ExpireOn("2026-11-30")).reasons[0]
    assert (early.field, early.detail) == ("expiration", "2026-11-30 is not after the activation date")
    late = refused(_inactive(expiration_date="2026-12-01"), activation=ActivateOn("2026-12-01")).reasons[0]
    assert (late.field, late.detail) == ("activation", "2026-12-01 is not before the expiration date")
    unknown = refused(_inactive(customer="ghost"), activation=ActivateNow()).reasons[0]
    assert (unknown.field, unknown.detail) == ("activation", 'needs the billing zone of customer "ghost"')


# Due activations (section 6).


@pytest.mark.parametrize(
    ("customer", "day", "is_due"),
    [
        ("acme", "2026-11-01", True),
        ("acme", "2026-11-23", True),
        ("acme", "2026-11-24", False),
        ("kiwi", "2026-11-24", True),
        ("kiwi", "2026-11-25", False),
        ("acme", None, False),
        ("ghost", None, False),
    ],
)
def test_accounts_open_when_their_day_has_come(customer: str, day: str | None, *, is_due: bool) -> None:
    """An inactive account is due from the first instant of its activation date at the customer; others are left out."""
    plan = due(_inactive(customer=customer, activation_date=day))
    assert [after(change) for change in plan.changes] == ([{"state": AccountState.OPEN}] if is_due else [])
    assert (len(plan.refused), len(plan.unchanged)) == (0, 0)


def test_what_is_due_keeps_its_activation_date() -> None:
    """The date that was confirmed stays, also where the scheduler comes late, and the activation is an effect."""
    plan = due(_inactive(activation_date="2026-11-01"))
    assert plan.changes[0].effects == (Effect(kind=EffectKind.ACTIVATED),)
    assert [field.field for field in plan.changes[0].fields] == ["state"]


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.CLOSED])
def test_only_inactive_accounts_are_due(state: AccountState) -> None:
    """Neither an open nor a closed account is in the plan, whatever its activation date."""
    assert len(due(account(state=state, activation_date="2026-11-01")).targets) == 0


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        ({"blocked": True}, [NoteCode.STILL_BLOCKED]),
        ({"last_recharged_on": "2026-11-01", "availability_days": 7}, [NoteCode.STILL_EXPIRED]),
        ({"expiration_date": "2026-11-20"}, [NoteCode.STILL_EXPIRED]),
    ],
    ids=["blocked", "availability over", "past its expiration date"],
)
def test_what_is_due_and_stays_unusable_is_noted(fields: dict[str, Any], notes: list[NoteCode]) -> None:
    """A due account is opened even if nobody can use it, and the note says so."""
    plan = due(_inactive(activation_date="2026-11-01", **fields))
    assert list(plan.changes[0].notes) == notes


@pytest.mark.parametrize(("day", "is_due"), [("2026-11-01", True), ("2026-11-24", True), ("2026-11-25", False)])
def test_what_may_be_due_for_an_unknown_customer_is_refused(day: str, *, is_due: bool) -> None:
    """Without the billing zone nobody knows whether the day has come, unless it has come nowhere on Earth."""
    plan = due(_inactive(customer="ghost", activation_date=day))
    reasons = [(reason.code, reason.field) for item in plan.refused for reason in item.reasons]
    assert reasons == ([(RefusalCode.CUSTOMER_UNKNOWN, "activation")] if is_due else [])
    assert len(plan.targets) == len(plan.refused)
