"""What st.from_type draws for each public value; found through the hypothesis entry point."""

import functools
from collections.abc import Mapping
from datetime import date
from typing import Any, TypeAlias, TypeVar

import attrs
from hypothesis import strategies as st

from account_batch.account import Account, Entitlements
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.decision import CHANGEABLE, Effect, EffectKind, NoteCode, Transaction, TransactionKind
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.filters import AccountFilter, ControlNumbers, TextMatch
from account_batch.money import Money
from account_batch.plan import AccountChange, FieldChange, Plan
from account_batch.report import Report
from account_batch.spec import (
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    UpdateSpec,
)
from account_batch.stores.memory import MemoryStore
from account_batch.testing.scenario import plan_scenario
from account_batch.testing.strategies.accounts import ACCOUNT_IDS, CONTROL_NUMBERS, FIELD_VALUES, accounts, rival_writes
from account_batch.testing.strategies.amounts import money
from account_batch.testing.strategies.catalogs import (
    BATCH,
    CUSTOMER,
    DISTRIBUTOR,
    PRODUCT,
    SITE,
    SUBSCRIPTION,
    catalogs,
)
from account_batch.testing.strategies.dates import calendar_dates, instants
from account_batch.testing.strategies.filters import TEXT_MATCHES, control_number_texts, filters
from account_batch.testing.strategies.names import ADDONS, CURRENCIES, DISTRIBUTORS, PRODUCTS
from account_batch.testing.strategies.scenarios import scenarios
from account_batch.testing.strategies.specs import specs, takings

__all__ = ["strategy_of"]

_Strategy: TypeAlias = st.SearchStrategy[Any]
_Value = TypeVar("_Value")

_DAYS = calendar_dates(date(2000, 1, 1), date(2037, 12, 31))
_ONE_ADDON, _ANY_ADDONS = (st.frozensets(st.sampled_from(ADDONS), min_size=least) for least in (1, 0))
_MONEY, _POSITIVE, _NOT_ZERO = money(), money("0.00001", 1000), money("0.00001") | money(max_value="-0.00001")
_DISTRIBUTOR = st.sampled_from(DISTRIBUTORS)
_NUMBER = st.none() | CONTROL_NUMBERS
_COUNT = st.integers(1, 3)
_ONE_IN_FOUR = st.sampled_from([False, False, False, True])
_IDS = st.uuids().map(str)


def strategy_of(kind: type[_Value]) -> st.SearchStrategy[_Value]:
    """The strategy of a public class, made when it is first asked for."""
    return _strategies()[kind]


@functools.cache
def _strategies() -> Mapping[type, _Strategy]:
    return {
        Money: _MONEY,
        AccountFilter: filters(),
        TextMatch: TEXT_MATCHES,
        ControlNumbers: control_number_texts().map(ControlNumbers),
        Account: accounts(),
        Catalog: catalogs(),
        Customer: CUSTOMER,
        Batch: BATCH,
        Product: PRODUCT,
        Subscription: SUBSCRIPTION,
        Site: SITE,
        Distributor: DISTRIBUTOR,
        Entitlements: st.builds(lambda account, day: account.entitlements(day), accounts(), _DAYS),
        UpdateSpec: catalogs().flatmap(specs),
        ActivateNow: st.just(ActivateNow()),
        ActivateOn: st.builds(ActivateOn, _DAYS),
        ExpireOn: st.builds(ExpireOn, _DAYS),
        Charge: takings(Charge, CURRENCIES, "fee-2026"),
        Refund: takings(Refund, CURRENCIES, "back-2026"),
        AssignAddons: st.builds(AssignAddons, _ONE_ADDON),
        ReplaceAddons: st.builds(ReplaceAddons, _ANY_ADDONS),
        RemoveAddons: st.builds(RemoveAddons, _ONE_ADDON),
        AssignDistributor: st.builds(AssignDistributor, _DISTRIBUTOR, charge=st.sampled_from([None, True, False])),
        ApplyPolicy: _policies(),
        FieldChange: _field_changes(),
        Transaction: _transactions(),
        Effect: _effects(),
        AccountChange: _account_changes(),
        Plan: _plans(),
        Report: _reports(),
    }


def _policies() -> _Strategy:
    return st.builds(
        ApplyPolicy,
        all_or_nothing=st.booleans(),
        chunk_size=st.sampled_from([10_000, 1, 2, 3]),
        stop_after=st.none() | _COUNT,
        stop_after_percent=st.sampled_from([None, 0, 1, 12.5, 100]),
        canary=st.integers(0, 3),
        over_credit_limit=st.booleans(),
    )


@st.composite
def _field_changes(draw: st.DrawFn) -> FieldChange:
    return _field_change(draw, draw(_FIELDS))


_FIELDS = st.sampled_from(sorted(CHANGEABLE | {"balance"}))
_SOME_FIELDS = st.lists(_FIELDS, unique=True, min_size=1, max_size=3)


def _field_change(draw: st.DrawFn, name: str) -> FieldChange:
    values = FIELD_VALUES[name]
    before = draw(st.sampled_from(values))
    return FieldChange(
        field=name, before=before, after=draw(st.sampled_from([value for value in values if value != before]))
    )


def _transactions() -> _Strategy:
    texts: dict[str, _Strategy] = {
        "comment": st.sampled_from(["", "SIM fee"]),
        "reference": st.sampled_from([None, "fee-2026"]),
        "internal_comment": st.sampled_from(["", "ticket 7"]),
    }
    own = st.sampled_from([TransactionKind.CHARGE, TransactionKind.REFUND])
    return st.builds(Transaction, kind=own, amount=_POSITIVE, **texts) | st.builds(
        Transaction, kind=st.just(TransactionKind.DISTRIBUTOR_CHARGE), amount=_NOT_ZERO, distributor=_DISTRIBUTOR
    )


def _effects() -> _Strategy:
    kinds = EffectKind
    scheduled, charged = {"at": instants()}, {"amount": _NOT_ZERO, "distributor": _DISTRIBUTOR}
    product = {"product": st.sampled_from([*PRODUCTS, *ADDONS]), "amount": st.none() | _POSITIVE}
    details: Mapping[EffectKind, Mapping[str, _Strategy]] = {
        kinds.ACTIVATION_SCHEDULED: scheduled,
        kinds.SUBSCRIPTION_STARTS: product,
        kinds.DISTRIBUTOR_CHARGED: charged,
        kinds.DISTRIBUTOR_CHARGE_SCHEDULED: {**charged, **scheduled},
    }
    return st.one_of([st.builds(Effect, kind=st.just(kind), **details.get(kind, {})) for kind in kinds])


@st.composite
def _account_changes(draw: st.DrawFn) -> AccountChange:
    return AccountChange(
        account_id=draw(ACCOUNT_IDS),
        control_number=draw(_NUMBER),
        fields=tuple(_field_change(draw, name) for name in draw(_SOME_FIELDS)),
        transactions=tuple(draw(st.lists(strategy_of(Transaction), max_size=2))),
        effects=tuple(draw(st.lists(strategy_of(Effect), max_size=2))),
        notes=tuple(draw(st.lists(st.sampled_from(NoteCode), unique=True, max_size=2))),
    )


@st.composite
def _plans(draw: st.DrawFn) -> Plan:
    scenario = draw(scenarios())
    plan = plan_scenario(MemoryStore(scenario.accounts), scenario)
    # Ids that nobody drew would differ each time that a failure is looked at again.
    return attrs.evolve(plan, id=draw(_IDS), store=f"memory:{draw(_IDS)}")


@st.composite
def _reports(draw: st.DrawFn) -> Report:
    scenario = draw(scenarios())
    store = MemoryStore(scenario.accounts)
    plan = plan_scenario(store, scenario)
    for account in draw(rival_writes(scenario.accounts, max_size=2)):
        store.put(account)
    stops = draw(_ONE_IN_FOUR)
    report = apply_plan(
        plan,
        store,
        now=scenario.now,
        policy=attrs.evolve(draw(strategy_of(ApplyPolicy)), over_credit_limit=True),
        terminate=len(plan.changes) if plan.terminates else None,
        should_stop=lambda: stops,
    )
    return attrs.evolve(report, plan_id=draw(_IDS))
