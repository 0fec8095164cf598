"""The planner: finds the accounts, has the rules decide once per distinct facts, and freezes what they decided."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

import attrs

from account_batch.account import check_text
from account_batch.calendar import as_instant, first_instant, shift_days, zone_data
from account_batch.catalog import Catalog
from account_batch.decision import EffectKind, Outcome
from account_batch.errors import FilterError, GuardError, InvalidValueError, SpecError, StoreError
from account_batch.filters import AccountFilter, ControlNumbers, StatusFilter
from account_batch.plan import Group, Plan, Totals
from account_batch.planner.memo import Decisions
from account_batch.planner.references import check_batch, check_filter, check_spec
from account_batch.planner.snapshots import Snapshots
from account_batch.planner.totals import total_up
from account_batch.questions import OnOrBefore, Value
from account_batch.rules import Request
from account_batch.spec import KEEP, ActivateNow, StatusChange, UpdateSpec
from account_batch.store import Freezer, SupportsRead, SupportsSets

__all__ = ["plan_due", "plan_update"]

_DAY = timedelta(hours=24)
_LONGEST = timedelta(days=366)


def plan_update(
    store: SupportsRead,
    where: AccountFilter,
    spec: UpdateSpec,
    *,
    catalog: Catalog,
    now: datetime,
    actor: str = "",
    reason: str = "",
    expected: int | None = None,
    at_most: int | None = None,
    stop_on_refusal: bool = False,
    max_age: timedelta = _DAY,
) -> Plan:
    """Plan what setting a spec on the accounts of one batch does to each of them; nothing is touched.

    Deterministic, and independent of the order in which the store finds the accounts. Costs one pass over them.

    Args:
        store: Where the accounts are.
        where: Which accounts; exactly one batch, and no custom fields.
        spec: What to set.
        catalog: What filter, spec and accounts point at.
        now: Aware; decides what "today" is in each customer's billing zone.
        actor: Who asks, for the journal.
        reason: Why, for the journal.
        expected: The number of accounts that the filter must select.
        at_most: The number of accounts that the filter must not exceed.
        stop_on_refusal: Whether any refused account stops the plan.
        max_age: How long a plan that moves money or terminates may be applied.

    Raises:
        FilterError: The filter does not mean exactly one batch, or looks at custom fields.
        SpecError: spec is no UpdateSpec.
        UnknownReferenceError: Filter or spec point at something that the catalog does not have.
        InvalidValueError: now has no time zone, or another argument is of the wrong type.
        GuardError: expected, at_most or stop_on_refusal said stop.
        StoreError: The storage cannot answer.
    """
    if not isinstance(spec, UpdateSpec):
        raise SpecError(f"spec: {spec!r} is no UpdateSpec")
    for name, limit in (("expected", expected), ("at_most", at_most)):
        if limit is not None and type(limit) is not int:
            raise InvalidValueError(f"{name}: {limit!r} is no whole number")
    if not isinstance(max_age, timedelta) or not timedelta(0) < max_age <= _LONGEST:
        raise InvalidValueError(f"max_age: {max_age!r} is no timedelta above 0 and up to {_LONGEST.days} days")
    _check_arguments(where, catalog, actor, reason)
    check_filter(where, catalog)
    check_batch(where, catalog)
    check_spec(spec, catalog)
    request = Request(spec=spec, catalog=catalog, now=as_instant(now, "now"))
    with _drafting(store, where, request) as draft:
        _check_guards(draft, expected=expected, at_most=at_most, stop_on_refusal=stop_on_refusal)
        return draft.plan(actor=actor, reason=reason, max_age=max_age)


def plan_due(
    store: SupportsRead,
    *,
    catalog: Catalog,
    now: datetime,
    actor: str = "",
    reason: str = "",
    where: AccountFilter | None = None,
) -> Plan:
    """Plan the opening of inactive accounts whose activation date has come in their customer's zone.

    It carries out what was confirmed before, and so needs no batch; accounts that are not due are not in the plan.

    Args:
        store: Where the accounts are.
        catalog: What the accounts point at.
        now: Aware; decides what "today" is in each customer's billing zone.
        actor: Who asks, for the journal.
        reason: Why, for the journal.
        where: Which accounts to look at; all, if None.

    Raises:
        FilterError: The filter looks at custom fields, at other states than inactive, or at a batch of two customers.
        UnknownReferenceError: The filter points at something that the catalog does not have.
        InvalidValueError: now has no time zone.
        StoreError: The storage cannot answer.
    """
    where = AccountFilter() if where is None else where
    _check_arguments(where, catalog, actor, reason)
    check_filter(where, catalog)
    if where.batch is not None:
        check_batch(where, catalog)
    if where.status in {StatusFilter.OPEN, StatusFilter.CLOSED}:
        raise FilterError(f"filter.status: {where.status.value}: only inactive accounts are due; leave it out")
    where = attrs.evolve(where, status=StatusFilter.INACTIVE)
    spec = UpdateSpec(activation=ActivateNow())
    request = Request(spec=spec, catalog=catalog, now=as_instant(now, "now"), due=True)
    with _drafting(store, where, request) as draft:
        return draft.plan(actor=actor, reason=reason, max_age=_DAY)


@contextmanager
def _drafting(store: SupportsRead, where: AccountFilter, request: Request) -> Iterator["_Draft"]:
    """The draft of a plan; a store that works on sets holds its targets."""
    decisions = Decisions(request)
    plan_id, identity = str(uuid.uuid4()), store.identity
    freezing: AbstractContextManager[Freezer]
    freezing = store.freezing(plan_id) if isinstance(store, SupportsSets) else Snapshots.freezing(store, decisions)
    with freezing as frozen:
        yield _Draft(frozen, decisions, plan_id=plan_id, store=identity, where=where, request=request)


class _Draft:
    """The accounts that were frozen, with what was decided about them."""

    def __init__(
        self, frozen: Freezer, decisions: Decisions, *, plan_id: str, store: str, where: AccountFilter, request: Request
    ) -> None:
        self._plan_id = plan_id
        self._store = store
        self._frozen = frozen
        self._where = where
        self._request = request
        only = OnOrBefore("activation_date", request.latest) if request.due else None
        counts = frozen.freeze(where, decisions.questions, decisions.decide, only=only)
        self.groups = tuple(
            Group(facts=asked, decision=decision, count=counts[number])
            for number, (asked, decision) in enumerate(decisions.made)
        )
        self.selected = sum(counts.values())
        self._batches, self._customers = (
            {dict(group.facts)[Value(field)] for group in self.groups} for field in ("batch", "customer")
        )
        if where.batch is not None and not self._batches <= {where.batch}:
            raise StoreError(f'the store finds accounts outside the batch "{where.batch}"; nothing was planned')

    def plan(self, *, actor: str, reason: str, max_age: timedelta) -> Plan:
        """Freeze it."""
        request, where, spec = self._request, self._where, None if self._request.due else self._request.spec
        terminates = spec is not None and spec.status is StatusChange.TERMINATED
        changing = {n for n, group in enumerate(self.groups) if group.decision.planned is Outcome.APPLIED}
        totals = total_up(self.groups, request.catalog, self._frozen.holdings(changing) if terminates else ())
        absent, passed_over = self._not_selected()
        plan = Plan(
            id=self._plan_id,
            digest=self._frozen.digest(where, spec, self.groups),
            where=where,
            spec=spec,
            planned_at=request.now,
            valid_until=self._valid_until(max_age, terminates=terminates),
            actor=actor,
            reason=reason,
            warnings=tuple(self._warnings(totals, absent, passed_over)),
            totals=totals,
            groups=self.groups,
            targets=self._frozen.targets(self.groups),
            absent=absent,
            store=self._store,
            zone_data=zone_data(),
        )
        self._frozen.keep(plan)
        return plan

    def _valid_until(self, max_age: timedelta, *, terminates: bool) -> datetime | None:
        """The instant from which what was decided may no longer hold (DESIGN.md section 6)."""
        request = self._request
        spec, now = request.spec, request.now
        limits = []
        dated = any(setting is not KEEP for setting in (spec.activation, spec.expiration, spec.availability_days))
        if dated and not request.due:
            for customer in self._customers:
                known = request.catalog.customer(str(customer))
                tomorrow = shift_days(request.today[known.id], 1) if known else None
                if known and tomorrow:
                    limits.append(first_instant(tomorrow, known.billing_time_zone))
        if request.due or terminates or any(map(_moves_money, self.groups)):
            limits.append(now + max_age)
        return min(limits, default=None)

    def _not_selected(self) -> tuple[ControlNumbers | None, ControlNumbers | None]:
        """The control numbers that were asked for: those not in the batch, and those that other criteria pass over."""
        asked = self._where.control_numbers
        missing = None if asked is None else asked.without(self._frozen.control_numbers(None))
        if missing is None:
            return None, None
        where = AccountFilter(
            batch=self._where.batch, customer=self._where.customer, control_numbers=asked, status=StatusFilter.ANY
        )
        there = [number for number in self._frozen.control_numbers(where) if number in missing]
        return missing.without(there), ControlNumbers(there) if there else None

    def _warnings(
        self, totals: Totals, absent: ControlNumbers | None, passed_over: ControlNumbers | None
    ) -> Iterator[str]:
        if not self.selected:
            yield "no account is selected"
        if absent is not None:
            yield f"control numbers that are not in the batch: {absent}"
        if passed_over is not None:
            yield f"control numbers that the other criteria do not select: {passed_over}"
        if expiring := totals.effects.get(EffectKind.EXPIRES_AT_ONCE):
            yield f"accounts that expire at once: {expiring}"
        for name, total in totals.distributors.items():
            if total.over_limit:
                yield f'distributor "{name}" would owe more than its credit limit allows'
        batch = self._where.batch
        catalog = self._request.catalog
        for customer in sorted(map(str, self._customers)):
            if batch is not None and not catalog.batch(customer, batch):
                yield f'the batch has accounts of customer "{customer}", who has no such batch in the catalog'


def _check_arguments(where: AccountFilter, catalog: Catalog, actor: str, reason: str) -> None:
    if not isinstance(where, AccountFilter):
        raise FilterError(f"filter: {where!r} is no AccountFilter")
    if not isinstance(catalog, Catalog):
        raise InvalidValueError(f"catalog: {catalog!r} is no Catalog")
    for name, text in (("actor", actor), ("reason", reason)):
        if text != "":
            check_text(text, name)


def _check_guards(draft: _Draft, *, expected: int | None, at_most: int | None, stop_on_refusal: bool) -> None:
    selected = draft.selected
    if expected is not None and selected != expected:
        raise GuardError(f"expected: {expected} accounts were expected, the filter selects {selected}")
    if at_most is not None and selected > at_most:
        raise GuardError(f"at_most: {at_most} accounts were allowed, the filter selects {selected}")
    refused = sum(group.count for group in draft.groups if group.decision.planned is Outcome.REFUSED)
    if stop_on_refusal and refused:
        codes = {reason.code.name for group in draft.groups for reason in group.decision.refusals if reason.code}
        raise GuardError(f"stop_on_refusal: {refused} of {selected} accounts are refused: {', '.join(sorted(codes))}")


def _moves_money(group: Group) -> bool:
    decision = group.decision
    return bool(decision.transactions) or bool(decision.shift)
