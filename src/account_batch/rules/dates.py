"""Dates of the account: activation (rule 3), expiration (rule 4) and availability period (rule 5)."""

from collections.abc import Iterator
from datetime import date
from typing import assert_never

from account_batch.account import AccountState
from account_batch.calendar import first_instant, shift_days
from account_batch.decision import EffectKind, NoteCode, RefusalCode
from account_batch.questions import Equals, IsSet, OnOrBefore, Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import CLEAR, KEEP, ActivateNow, ActivateOn, Clear, ExpireOn, Marker

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    spec = request.spec
    if spec.activation is KEEP and spec.expiration is KEEP and spec.availability_days is KEEP:
        return
    yield Value("blocked")
    yield IsSet("activation_date")
    if request.due:
        yield OnOrBefore("activation_date", request.latest)
    openings = set(request.todays)
    if isinstance(spec.activation, ActivateOn):
        openings.add(spec.activation.day)
    for day in sorted(openings):
        if spec.activation is not KEEP:
            yield Equals("activation_date", day)
        yield OnOrBefore("activation_date", day)
        yield OnOrBefore("expiration_date", day)
    for today in request.todays:
        yield OnOrBefore("availability_end", today)
    yield from _questions_about_expiry(request)


def _questions_about_expiry(request: Request) -> Iterator[Question]:
    spec = request.spec
    if spec.expiration is not KEEP:
        yield IsSet("expiration_date")
    if isinstance(spec.expiration, ExpireOn):
        yield Equals("expiration_date", spec.expiration.day)
        if eve := shift_days(spec.expiration.day, -1):
            yield OnOrBefore("activation_date", eve)
    if spec.availability_days is not KEEP:
        yield Value("availability_days")
    if isinstance(spec.availability_days, int):
        for today in request.todays:
            if start := shift_days(today, -spec.availability_days):
                yield OnOrBefore("availability_start", start)


def decide(draft: Draft) -> None:
    """Decide the section."""
    spec = draft.spec
    if draft.state is AccountState.CLOSED:
        return
    if draft.request.due:
        _open_if_due(draft)
    elif spec.activation is not KEEP:
        _activate(draft, spec.activation)
    if spec.expiration is not KEEP:
        day = spec.expiration.day if isinstance(spec.expiration, ExpireOn) else None
        draft.assign_many_valued("expiration_date", day)
    if spec.availability_days is not KEEP:
        draft.assign("availability_days", None if spec.availability_days is CLEAR else spec.availability_days)
    if draft.state is AccountState.INACTIVE and not draft.request.due:
        _check_order(draft)
    _follow_expiry(draft)


def _activate(draft: Draft, activation: ActivateNow | ActivateOn | Clear) -> None:
    if draft.state is AccountState.OPEN:
        draft.note(NoteCode.ALREADY_ACTIVE)
        return
    match activation:
        case ActivateNow():
            if today := draft.today("activation"):
                draft.assign_many_valued("activation_date", today)
                _open(draft)
        case ActivateOn(day=day):
            _activate_on(draft, day)
        case Marker.CLEAR:
            draft.assign_many_valued("activation_date", None)
            if draft.changes("activation_date"):
                draft.affect(EffectKind.ACTIVATION_CANCELLED)
        case _:
            assert_never(activation)


def _activate_on(draft: Draft, day: date) -> None:
    today = draft.today("activation")
    if today is None:
        return
    if day < today:
        detail = f"{day} is before today, {today}, in the customer's billing zone"
        draft.refuse(RefusalCode.ACTIVATION_IN_PAST, "activation", detail)
        return
    draft.assign_many_valued("activation_date", day)
    if day == today:
        _open(draft)
    elif draft.changes("activation_date"):
        customer = draft.catalog.customer(str(draft.before("customer")))
        assert customer is not None  # It has a date of today.
        draft.scheduled_at = first_instant(day, customer.billing_time_zone)
        draft.affect(EffectKind.ACTIVATION_SCHEDULED, at=draft.scheduled_at)


def _open_if_due(draft: Draft) -> None:
    # An account that is due nowhere on Earth needs no customer to be passed over.
    if draft.state is AccountState.INACTIVE and draft.on_or_before("activation_date", draft.request.latest):
        today = draft.today("activation")
        if today is not None and draft.on_or_before("activation_date", today):
            _open(draft)


def _open(draft: Draft) -> None:
    draft.assign("state", AccountState.OPEN)
    draft.opened = True
    draft.affect(EffectKind.ACTIVATED)


def _check_order(draft: Draft) -> None:
    """Refuse an inactive account whose resulting expiration is not after its resulting activation (rule 4)."""
    expiration = draft.spec.expiration
    if isinstance(expiration, ExpireOn):
        if not draft.is_set("activation_date"):
            return
        eve = shift_days(expiration.day, -1)
        if eve is None or not draft.on_or_before("activation_date", eve):
            detail = f"{expiration.day} is not after the activation date"
            draft.refuse(RefusalCode.EXPIRES_BEFORE_ACTIVATION, "expiration", detail)
    elif expiration is KEEP:
        activation = draft.decided_day("activation_date")
        if activation is not None and draft.on_or_before("expiration_date", activation):
            detail = f"{activation} is not before the expiration date"
            draft.refuse(RefusalCode.EXPIRES_BEFORE_ACTIVATION, "activation", detail)


def _follow_expiry(draft: Draft) -> None:
    """Say what follows for an account whose effective expiry moves, or that is activated (rules 3 to 5)."""
    activated = draft.opened or draft.scheduled_at is not None
    moved = draft.changes("expiration_date") or draft.changes("availability_days")
    if not activated and not moved:
        return
    today = draft.today("expiration" if draft.changes("expiration_date") else "availability_days")
    if today is None:
        return
    facts = draft.facts
    expired_by_date = draft.on_or_before("expiration_date", today)
    expired_by_availability = _availability_over(draft, today)
    expired = expired_by_date or expired_by_availability
    if moved:
        was_expired = facts.holds(OnOrBefore("expiration_date", today)) or facts.holds(
            OnOrBefore("availability_end", today)
        )
        if expired and not was_expired:
            draft.affect(EffectKind.EXPIRES_AT_ONCE)
        if was_expired and not expired:
            draft.affect(EffectKind.REVIVED)
        prolonged = (draft.changes("expiration_date") and not expired_by_date) or (
            draft.changes("availability_days") and not expired_by_availability
        )
        if was_expired and expired and prolonged:
            draft.note(NoteCode.STILL_EXPIRED)
        activated = activated or (was_expired and not expired)
    if activated:
        if expired:
            draft.note(NoteCode.STILL_EXPIRED)
        if draft.after("blocked"):
            draft.note(NoteCode.STILL_BLOCKED)


def _availability_over(draft: Draft, today: date) -> bool:
    """Whether the availability period, as it is decided so far, ended on or before today."""
    if not draft.changes("availability_days"):
        return draft.facts.holds(OnOrBefore("availability_end", today))
    days = draft.after("availability_days")
    start = shift_days(today, -days) if isinstance(days, int) else None
    return start is not None and draft.facts.holds(OnOrBefore("availability_start", start))
