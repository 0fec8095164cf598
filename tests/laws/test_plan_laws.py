import itertools
import operator
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from account_batch.account import Account, AccountKind, AccountState
from account_batch.decision import EffectKind, Outcome, RefusalCode, TransactionKind
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.filters import AccountFilter, Registration, StatusFilter
from account_batch.money import Money
from account_batch.plan import AccountChange, Plan, Target
from account_batch.planner import plan_due, plan_update
from account_batch.questions import answer
from account_batch.report import Report
from account_batch.spec import Charge, Refund, UpdateSpec
from account_batch.stores.memory import MemoryStore
from spec_strategies import BATCH, REFERENCES, specs, targets
from strategies import NOW, accounts, catalog, control_numbers

# One batch of that name, so that a filter need not name the customer; accounts of the others stray into it.
_CATALOG = attrs.evolve(
    catalog(), batches=[batch for batch in catalog().batches if (batch.id, batch.customer) != (BATCH, "dnipro")]
)
_EVERYBODY = AccountFilter(status=StatusFilter.ANY)
_BATCH = AccountFilter(batch=BATCH)


def _wheres() -> st.SearchStrategy[AccountFilter]:
    """Filters for one batch that mostly select something."""

    def narrow(criterion: dict[str, Any]) -> AccountFilter:
        return attrs.evolve(_BATCH, **criterion)

    criteria = {
        "control_numbers": control_numbers(),
        "status": st.sampled_from(StatusFilter),
        "registration": st.sampled_from(Registration),
        "blocked": st.booleans(),
        "used": st.booleans(),
        "customer": st.just("acme"),
        "product": st.sampled_from(["gold", "silver"]),
    }
    one = st.one_of(*(st.fixed_dictionaries({name: values}) for name, values in criteria.items()))
    return st.just(_BATCH) | st.just(attrs.evolve(_BATCH, status=StatusFilter.ANY)) | one.map(narrow)


def _specs() -> st.SearchStrategy[UpdateSpec]:
    """Few settings at once, so that not every account is refused for one of them."""
    return specs(most=4)


def _populations() -> st.SearchStrategy[list[Account]]:
    """Accounts that mostly can be changed, and beside them a wild one, perhaps of another batch."""
    return st.builds(operator.add, targets(), st.lists(accounts(), max_size=1))


def _plan(store: MemoryStore, where: AccountFilter, spec: UpdateSpec) -> Plan:
    return plan_update(store, where, spec, catalog=_CATALOG, now=NOW)


_NO_LIMIT = ApplyPolicy(over_credit_limit=True)


def _apply(
    plan: Plan, store: MemoryStore, *, policy: ApplyPolicy = _NO_LIMIT, should_stop: Callable[[], bool] | None = None
) -> Report:
    terminate = len(plan.changes) if plan.terminates else None
    return apply_plan(plan, store, now=NOW, policy=policy, terminate=terminate, should_stop=should_stop)


def _by_id(store: MemoryStore) -> dict[str, Account]:
    return {found.id: found for found in store.find(_EVERYBODY)}


def _all(plan: Plan) -> tuple[Sequence[object], ...]:
    return tuple(plan.changes), tuple(plan.refused), tuple(plan.unchanged)


# Planning.


@given(st.data(), _populations(), _wheres(), _specs())
def test_planning_does_not_depend_on_the_order_of_accounts(
    data: st.DataObject, population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """However the store finds the accounts, and however often it is asked, the plan says the same."""
    shuffled = data.draw(st.permutations(population))
    first, second = (_plan(MemoryStore(order), where, spec) for order in (population, shuffled))
    assert (first.digest, _all(first)) == (second.digest, _all(second))
    for name in ("groups", "totals", "warnings", "valid_until", "absent"):
        assert getattr(first, name) == getattr(second, name)


@given(_populations(), _wheres(), _specs())
def test_every_selected_account_is_planned_once(
    population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """Changes, refused and unchanged are disjoint, and together exactly the accounts that the filter means."""
    plan = _plan(MemoryStore(population), where, spec)
    planned = [item.account_id for items in (plan.changes, plan.refused, plan.unchanged) for item in items]
    assert sorted(planned) == sorted(target.id for target in population if where.matches(target))
    assert sum(plan.totals.counts.values()) == sum(group.count for group in plan.groups) == len(planned)
    counts = [plan.totals.counts[outcome] for outcome in (Outcome.APPLIED, Outcome.REFUSED, Outcome.UNCHANGED)]
    assert counts == [len(plan.changes), len(plan.refused), len(plan.unchanged)]


@given(_populations(), _wheres(), _specs())
def test_a_change_changes(population: list[Account], where: AccountFilter, spec: UpdateSpec) -> None:
    """A field has another value after than before; before is what the account has; no field stands there twice."""
    by_id = {target.id: target for target in population}
    for change in _plan(MemoryStore(population), where, spec).changes:
        names = [field.field for field in change.fields]
        assert len(set(names)) == len(names)
        assert names or change.transactions
        for field in change.fields:
            assert field.before == getattr(by_id[change.account_id], field.field)
            assert field.before != field.after


@given(_populations(), _wheres(), _specs())
def test_planning_touches_nothing(population: list[Account], where: AccountFilter, spec: UpdateSpec) -> None:
    """After planning the store is what it was."""
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    assert store.find(_EVERYBODY) == population
    assert (store.transactions(plan.id), store.outcomes(plan.id)) == ([], {})


@given(_populations(), st.sampled_from([_BATCH, AccountFilter(), AccountFilter(customer="kiwi")]))
def test_due_is_who_is_inactive_and_whose_day_has_come(population: list[Account], where: AccountFilter) -> None:
    """The plan holds exactly the inactive accounts whose activation date is not after the date at their customer.

    Accounts of unknown customers, whose date nobody knows, are refused once the day has come anywhere on Earth.
    """
    plan = plan_due(MemoryStore(population), catalog=_CATALOG, now=NOW, where=where)
    today = {
        customer.id: NOW.astimezone(zoneinfo.ZoneInfo(customer.billing_time_zone)).date()
        for customer in _CATALOG.customers
    }
    scheduled = [
        target
        for target in population
        if where.matches(target) and target.state is AccountState.INACTIVE and target.activation_date is not None
    ]
    anywhere = NOW.astimezone(zoneinfo.ZoneInfo("Pacific/Kiritimati")).date()
    unknown = {
        target.id
        for target in scheduled
        if target.customer not in today and target.activation_date is not None and target.activation_date <= anywhere
    }
    due = {
        target.id
        for target in scheduled
        if target.customer in today
        and target.activation_date is not None
        and target.activation_date <= today[target.customer]
    }
    assert {target.account_id for target in plan.targets} == due | unknown
    assert unknown <= {refused.account_id for refused in plan.refused}
    assert len(plan.unchanged) == 0


# Saving.


def _typed(value: object) -> object:
    """A value with the types of all that it is made of."""
    kind: Any = type(value)
    if attrs.has(kind):
        return kind, {field.name: _typed(getattr(value, field.name)) for field in attrs.fields(kind)}
    if isinstance(value, Mapping):
        return Mapping, sorted(((repr(key), _typed(part)) for key, part in value.items()), key=repr)
    if isinstance(value, frozenset):
        return frozenset, sorted(map(_typed, value), key=repr)
    if isinstance(value, tuple):
        return tuple, [_typed(part) for part in value]
    return kind, value


@given(_populations(), _wheres(), _specs())
def test_a_plan_is_read_back_as_it_was_written(
    population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """JSON keeps every account, group and total of a plan, with the very types, and writes them the same again."""
    plan = _plan(MemoryStore(population), where, spec)
    again = Plan.from_json(plan.to_json())
    for name in ("changes", "refused", "unchanged", "targets"):
        assert _typed(tuple(getattr(again, name))) == _typed(tuple(getattr(plan, name)))
    rest = {field.name for field in attrs.fields(Plan)} - {"targets"}
    for name in rest:
        assert _typed(getattr(again, name)) == _typed(getattr(plan, name)), name
    assert again.to_json() == plan.to_json()


# Applying.


@given(_populations(), _wheres(), _specs())
def test_outcomes_are_those_foreseen_and_add_up(
    population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """If nobody interferes every account comes to what was planned, and the counts are those of the outcomes."""
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    report = _apply(plan, store)
    assert report.counts == dict.fromkeys(Outcome, 0) | Counter(outcome.outcome for outcome in report.outcomes)
    assert report.counts == dict.fromkeys(Outcome, 0) | dict(plan.totals.counts)
    assert [outcome.account_id for outcome in report.outcomes] == [target.account_id for target in plan.targets]
    assert report.all_applied is (not plan.refused)


@given(_populations(), _wheres(), _specs())
def test_only_changes_are_written(population: list[Account], where: AccountFilter, spec: UpdateSpec) -> None:
    """Each changed account is afterwards what its change says, and every other one is what it was."""
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    _apply(plan, store)
    changes = {change.account_id: change for change in plan.changes}
    assert list(_by_id(store).values()) == [
        attrs.evolve(target, **_values_after(changes[target.id])) if target.id in changes else target
        for target in population
    ]


def _values_after(change: AccountChange) -> dict[str, Any]:
    return {field.field: field.after for field in change.fields}


@given(_populations(), _wheres(), _specs())
def test_planning_again_finds_nothing_to_do(population: list[Account], where: AccountFilter, spec: UpdateSpec) -> None:
    """What was applied is unchanged for the same filter and spec.

    Money is the exception: with a reference it is refused the second time, without one it moves again, as the
    documentation of a charge says. So is a termination, which is final.
    """
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    _apply(plan, store)
    again = _plan(store, where, spec)
    applied = {change.account_id for change in plan.changes}
    takings = [taking for taking in (spec.charge, spec.refund) if isinstance(taking, Charge | Refund)]
    unchanged = {item.account_id for item in again.unchanged}
    refused = {item.account_id: item.codes for item in again.refused}
    for target in again.targets:
        if target.account_id not in applied:
            continue
        if plan.terminates:
            assert refused[target.account_id] == {RefusalCode.ACCOUNT_TERMINATED}
        elif any(taking.reference for taking in takings):
            assert RefusalCode.ALREADY_CHARGED in refused[target.account_id]
        elif not takings:
            assert target.account_id in unchanged


@given(_populations(), _wheres(), _specs())
def test_who_was_refused_or_unchanged_is_so_again(
    population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """Applying changes nothing about the accounts that it does not change, and so neither about their decisions."""
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    _apply(plan, store)
    again = _plan(store, where, spec)
    refused = {item.account_id: item for item in again.refused}
    unchanged = {item.account_id: item for item in again.unchanged}
    assert all(refused[item.account_id] == item for item in plan.refused)
    assert all(unchanged[item.account_id] == item for item in plan.unchanged)


@given(_populations(), _wheres(), _specs())
def test_balances_and_ledger_add_up(population: list[Account], where: AccountFilter, spec: UpdateSpec) -> None:
    """Each balance moves by exactly its opening-balance difference and its entries, and the totals are their sums."""
    before = {target.id: target for target in population}
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    _apply(plan, store)
    entries = store.transactions(plan.id)
    moved: defaultdict[str, Decimal] = defaultdict(Decimal)
    totals: defaultdict[tuple[str, TransactionKind], Decimal] = defaultdict(Decimal)
    booked: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        totals[entry.amount.currency, entry.kind] += entry.amount.amount
        if entry.distributor is not None:
            booked[entry.distributor] += entry.amount.amount
        else:
            # Funds go down on a debit account, debts go up on a credit account.
            sign = -1 if before[entry.account_id].kind is AccountKind.DEBIT else 1
            moved[entry.account_id] += sign * entry.amount.amount
    opening: defaultdict[str, Decimal] = defaultdict(Decimal)
    for found in _by_id(store).values():
        difference = found.opening_balance - before[found.id].opening_balance
        assert found.balance == before[found.id].balance + difference + moved[found.id]
        if difference:
            opening[found.currency] += difference
    assert plan.totals.money == {key: Money(amount, key[0]) for key, amount in totals.items()}
    for currency, gained in plan.totals.opening_difference.items():
        assert gained == Money(opening[currency], currency)
    assert set(opening) <= set(plan.totals.opening_difference)
    for name, total in plan.totals.distributors.items():
        assert total.booked.amount == booked[name]
    assert set(booked) <= set(plan.totals.distributors)


@given(_populations(), _wheres(), _specs())
def test_every_charge_of_a_distributor_is_shown(
    population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """The effects of an account show each charge that is booked, and the totals what is scheduled besides."""
    plan = _plan(MemoryStore(population), where, spec)
    scheduled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for change in plan.changes:
        booked = [
            (transaction.distributor, transaction.amount)
            for transaction in change.transactions
            if transaction.kind is TransactionKind.DISTRIBUTOR_CHARGE
        ]
        shown = [
            (effect.distributor, effect.amount)
            for effect in change.effects
            if effect.kind is EffectKind.DISTRIBUTOR_CHARGED
        ]
        assert booked == shown
        for effect in change.effects:
            if effect.kind is EffectKind.DISTRIBUTOR_CHARGE_SCHEDULED and effect.distributor and effect.amount:
                scheduled[effect.distributor] += effect.amount.amount
    assert {name: total.scheduled.amount for name, total in plan.totals.distributors.items()} == {
        name: scheduled[name] for name in plan.totals.distributors
    }
    assert set(scheduled) <= set(plan.totals.distributors)


# Somebody else.

_FIELDS = st.lists(
    st.sampled_from(sorted(field.name for field in attrs.fields(Account) if field.name != "id")),
    min_size=1,
    max_size=6,
    unique=True,
)


@st.composite
def _rivals(draw: st.DrawFn, population: Sequence[Account]) -> list[Account]:
    """The accounts after somebody else gave some of them a few fields of another account."""
    others = [draw(accounts()), draw(st.sampled_from(population))]
    after = []
    for target in population:
        other = draw(st.sampled_from([target, *others]))
        names = draw(_FIELDS)
        after.append(attrs.evolve(target, **{name: getattr(other, name) for name in names}))
    return after


def _interfere(store: MemoryStore, after: Iterable[Account], *, charging: bool) -> None:
    """Write what somebody else changed, and charge as many as can be charged with a reference."""
    for target in after:
        store.put(target)
    if charging:
        fee = Charge(Money("0.01", "USD"), reference=REFERENCES[0], allow_overdraft=True)
        rival = plan_update(store, _BATCH, UpdateSpec(charge=fee), catalog=_CATALOG, now=NOW)
        apply_plan(rival, store, now=NOW)


def _has_transaction(store: MemoryStore) -> Callable[[str, str], bool]:
    charged = {reference: frozenset(store.charged(reference)) for reference in REFERENCES}
    return lambda account_id, reference: account_id in charged[reference]


def _is_stale(plan: Plan, target: Target, before: Account, now: Account, store: MemoryStore) -> bool:
    """Section 2 of the design, written out: what the rules read, what would be overwritten, and what always counts."""
    group = plan.groups[target.group]
    has_transaction = _has_transaction(store)
    always = ("batch", "customer", "state")
    return (
        any(getattr(now, field) != getattr(before, field) for field in always)
        or any(answer(question, now, has_transaction) != known for question, known in group.facts)
        or any(getattr(now, field) != getattr(before, field) for field in group.decision.fields if field != "balance")
        or (plan.terminates and not plan.where.matches(now))
    )


@given(st.data(), _populations(), _wheres(), _specs())
def test_an_account_is_stale_exactly_if_what_was_read_has_changed(
    data: st.DataObject, population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """Stale accounts are left as they are; all others get the plan's fields on top of what somebody else changed."""
    before = {target.id: target for target in population}
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    _interfere(store, data.draw(_rivals(population)), charging=data.draw(st.booleans()))
    store.add([attrs.evolve(newcomer, id="newcomer") for newcomer in population[:1]])
    meanwhile = _by_id(store)
    changes = {change.account_id: change for change in plan.changes}
    expected = dict(meanwhile)
    outcomes = {}
    for target in plan.targets:
        name = target.account_id
        if name not in changes:
            outcomes[name] = plan.groups[target.group].decision.planned
        elif _is_stale(plan, target, before[name], meanwhile[name], store):
            outcomes[name] = Outcome.STALE
        else:
            outcomes[name] = Outcome.APPLIED
            values = _values_after(changes[name])
            if "balance" in values:
                values["balance"] += meanwhile[name].balance - before[name].balance
            expected[name] = attrs.evolve(meanwhile[name], **values)
    report = _apply(plan, store)
    assert {outcome.account_id: outcome.outcome for outcome in report.outcomes} == outcomes
    assert _by_id(store) == expected
    charged = {name for name, outcome in outcomes.items() if outcome is Outcome.APPLIED and changes[name].transactions}
    assert {entry.account_id for entry in store.transactions(plan.id)} == charged


@given(st.data(), _populations(), _wheres(), _specs())
def test_what_is_not_stale_would_be_decided_the_same_again(
    data: st.DataObject, population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """An account that is applied after somebody else's changes gets what planning it afresh would give it."""
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    _interfere(store, data.draw(_rivals(population)), charging=data.draw(st.booleans()))
    afresh = _plan(store, attrs.evolve(_BATCH, status=StatusFilter.ANY), spec)
    decided = {target.account_id: afresh.groups[target.group].decision for target in afresh.targets}
    report = _apply(plan, store)
    for target, outcome in zip(plan.targets, report.outcomes, strict=True):
        if outcome.outcome is Outcome.APPLIED:
            assert decided[target.account_id] == plan.groups[target.group].decision


# Once.


def _written(store: MemoryStore, plan: Plan) -> tuple[dict[str, Account], list[object]]:
    """What a plan left: the accounts, and its ledger entries without the id of the plan."""
    return _by_id(store), [attrs.evolve(entry, plan_id="") for entry in store.transactions(plan.id)]


@given(_populations(), _wheres(), _specs())
def test_applying_twice_is_applying_once(population: list[Account], where: AccountFilter, spec: UpdateSpec) -> None:
    """The second time nothing changes, and the report is the same."""
    store = MemoryStore(population)
    plan = _plan(store, where, spec)
    first = _apply(plan, store)
    written = _written(store, plan)
    assert _apply(plan, store) == first
    assert _written(store, plan) == written


def _stop_after(chunks: int) -> Callable[[], bool]:
    turns = itertools.count()
    return lambda: next(turns) >= chunks


@given(
    st.data(),
    _populations(),
    _wheres(),
    _specs(),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.booleans(), st.booleans()), max_size=4),
)
def test_a_run_that_was_stopped_and_continued_is_one_run(
    data: st.DataObject,
    population: list[Account],
    where: AccountFilter,
    spec: UpdateSpec,
    runs: list[tuple[int, int, bool, bool]],
) -> None:
    """However often it is stopped, and saved, and continued, each account changes exactly once, as in one go."""
    straight, stopped = MemoryStore(population), MemoryStore(population)
    plans = [_plan(store, where, spec) for store in (straight, stopped)]
    rivals = data.draw(_rivals(population))
    for store in (straight, stopped):
        _interfere(store, rivals, charging=False)
    whole = _apply(plans[0], straight)
    plan = plans[1]
    for chunks, size, saved, together in runs:
        again = Plan.from_json(plan.to_json()) if saved else plan
        policy = ApplyPolicy(
            chunk_size=size,
            over_credit_limit=True,
            all_or_nothing=together and not whole.counts[Outcome.STALE],
        )
        report = _apply(again, stopped, policy=policy, should_stop=_stop_after(chunks))
        assert sum(report.counts.values()) == len(plan.targets)
    last = _apply(plan, stopped)
    assert last.outcomes == whole.outcomes
    assert _written(stopped, plan) == _written(straight, plans[0])


@given(st.data(), _populations(), _wheres(), _specs())
def test_all_or_nothing_applies_all_or_nothing(
    data: st.DataObject, population: list[Account], where: AccountFilter, spec: UpdateSpec
) -> None:
    """Either every changing account is applied, or the store is as it was and exactly the stale ones are recorded."""
    store, twin = MemoryStore(population), MemoryStore(population)
    plan, other = (_plan(each, where, spec) for each in (store, twin))
    rivals = data.draw(_rivals(population))
    for each in (store, twin):
        _interfere(each, rivals, charging=False)
    before = _by_id(store)
    whole = _apply(other, twin)
    report = _apply(plan, store, policy=ApplyPolicy(all_or_nothing=True, over_credit_limit=True))
    stale = {outcome.account_id for outcome in whole.outcomes if outcome.outcome is Outcome.STALE}
    if not stale:
        assert report.outcomes == whole.outcomes
        assert _written(store, plan) == _written(twin, other)
    else:
        assert (_by_id(store), store.transactions(plan.id)) == (before, [])
        assert set(store.outcomes(plan.id)) == stale
        assert report.counts[Outcome.APPLIED] == 0
