import itertools
import uuid
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site
from account_batch.decision import EffectKind, NoteCode, Outcome, RefusalCode, TransactionKind
from account_batch.errors import (
    BatchRequiredError,
    CustomFieldFilterError,
    FilterError,
    GuardError,
    InvalidValueError,
    SpecError,
    StoreError,
    UnknownReferenceError,
)
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch
from account_batch.money import Money
from account_batch.plan import DistributorTotal, Plan
from account_batch.planner import plan_due, plan_update
from account_batch.questions import Value
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

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""Morning in New York, afternoon in Kyiv; in Auckland it is the 24th already."""

_CATALOG = Catalog(
    customers=[
        Customer(id="acme", billing_time_zone="America/New_York"),
        Customer(id="dnipro", billing_time_zone="Europe/Kyiv"),
        Customer(id="kiwi", billing_time_zone="Pacific/Auckland"),
    ],
    batches=[
        Batch(id="SUMMER-2026", customer="acme"),
        Batch(id="SHARED", customer="acme"),
        Batch(id="SHARED", customer="kiwi"),
    ],
    products=[
        Product(id="gold", currency="USD", allowed_addons=["voicemail"]),
        Product(id="silver", currency="USD", allowed_addons=["voicemail"]),
        Product(id="voicemail", currency="USD", is_addon=True),
    ],
    sites=[Site(id="hq", customer="acme")],
    distributors=[
        Distributor(id="north", currency="USD", commission="0.15", credit_limit=100, balance=15),
        Distributor(id="south", currency="USD", commission="0"),
    ],
    roles=["default"],
    ivr_languages=["en", "uk"],
)
_BATCH = AccountFilter(batch="SUMMER-2026")
_BLOCK = UpdateSpec(status=StatusChange.BLOCKED)
_ENGLISH = UpdateSpec(ivr_language="en")
_TERMINATE = UpdateSpec(status=StatusChange.TERMINATED)
_OPENING = UpdateSpec(opening_balance=Money(15, "USD"))


def _account(number: int | None = 1, **fields: Any) -> Account:
    defaults: dict[str, Any] = {
        "id": f"4477{0 if number is None else number:03}",
        "batch": "SUMMER-2026",
        "control_number": number,
        "customer": "acme",
        "kind": AccountKind.DEBIT,
        "currency": "USD",
        "product": "gold",
    }
    return Account(**defaults | fields)


class _ReadingStore:
    """The least that planning needs, and a count of how often it is asked."""

    identity = "reading:1"

    def __init__(self, *accounts: Account, charged: dict[str, list[str]] | None = None) -> None:
        self._accounts = accounts
        self._charged = charged or {}
        self.found: list[AccountFilter] = []
        self.references: list[str] = []

    def find(self, where: AccountFilter) -> Iterable[Account]:
        self.found.append(where)
        return filter(where.matches, self._accounts)

    def charged(self, reference: str) -> Collection[str]:
        self.references.append(reference)
        return self._charged.get(reference, ())


class _CarelessStore(_ReadingStore):
    """A store that does not look at the filter."""

    def find(self, where: AccountFilter) -> Iterable[Account]:
        self.found.append(where)
        return iter(self._accounts)


def _plan(*accounts: Account, where: AccountFilter = _BATCH, spec: UpdateSpec = _BLOCK, **arguments: Any) -> Plan:
    given: dict[str, Any] = {"catalog": _CATALOG, "now": _NOW}
    return plan_update(_ReadingStore(*accounts), where, spec, **given | arguments)


def _due(*accounts: Account, **arguments: Any) -> Plan:
    given: dict[str, Any] = {"catalog": _CATALOG, "now": _NOW}
    return plan_due(_ReadingStore(*accounts), **given | arguments)


def _scheduled(number: int = 1, day: str = "2026-11-23", **fields: Any) -> Account:
    return _account(number, **{"state": AccountState.INACTIVE, "activation_date": day} | fields)


def _numbers(plan: Plan) -> list[int | None]:
    return [target.control_number for target in plan.targets]


# Refusals of the whole request.


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        (AccountFilter(), BatchRequiredError, "filter.batch: missing; updates need exactly one batch"),
        (AccountFilter(customer="acme", control_numbers="1"), BatchRequiredError, "exactly one batch"),
        (
            AccountFilter(batch="SUMMER-2026", custom_fields={"colour": "red"}),
            CustomFieldFilterError,
            "filter.custom_fields: colour",
        ),
        (AccountFilter(batch="SUMER-2026"), UnknownReferenceError, '"SUMER-2026"; did you mean "SUMMER-2026"?'),
        (AccountFilter(batch="summer-2026"), UnknownReferenceError, 'filter.batch: the catalog does not know "summer'),
        (AccountFilter(batch="SHARED"), FilterError, "a batch of acme, kiwi; say which in filter.customer"),
        (
            AccountFilter(batch="SHARED", customer="dnipro"),
            UnknownReferenceError,
            '"SHARED" is a batch of acme, kiwi, not of "dnipro"',
        ),
        (
            AccountFilter(batch="SUMMER-2026", customer="acne"),
            UnknownReferenceError,
            'filter.customer: the catalog does not know "acne"; did you mean "acme"?',
        ),
        (
            AccountFilter(batch="SUMMER-2026", product="gould"),
            UnknownReferenceError,
            'filter.product: the catalog does not know "gould"; did you mean "gold"?',
        ),
        (
            AccountFilter(batch="SUMMER-2026", product="voicemail"),
            UnknownReferenceError,
            'filter.product: "voicemail" is an add-on, not a main product',
        ),
    ],
)
def test_a_filter_that_cannot_be_planned_is_refused_before_the_storage_is_touched(
    where: AccountFilter, error: type[Exception], message: str
) -> None:
    """An update needs exactly one known batch, no custom fields and known references, or nothing is even read."""
    store = _ReadingStore(_account())
    with pytest.raises(FilterError if error is FilterError else error) as caught:
        plan_update(store, where, _BLOCK, catalog=_CATALOG, now=_NOW)
    assert type(caught.value) is error
    assert message in str(caught.value)
    assert str(caught.value).startswith("filter.")
    assert (store.found, store.references) == ([], [])


def test_an_unknown_batch_of_an_empty_catalog_says_that_none_are_known() -> None:
    """Where the catalog has nothing to suggest, the message says so."""
    with pytest.raises(UnknownReferenceError, match="none are known"):
        _plan(_account(), catalog=Catalog())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"product": "gould"}, 'spec.product: the catalog does not know "gould"; did you mean "gold"?'),
        ({"product": "voicemial"}, 'spec.product: the catalog does not know "voicemial"; known are: gold, silver'),
        ({"product": "voicemail"}, 'spec.product: "voicemail" is an add-on, not a main product'),
        ({"addons": AssignAddons({"gold"})}, 'spec.addons: "gold" is a main product, not an add-on'),
        ({"addons": ReplaceAddons({"voicemail", "gold"})}, 'spec.addons: "gold" is a main product, not an add-on'),
        ({"addons": RemoveAddons({"gold"})}, 'spec.addons: "gold" is a main product, not an add-on'),
        ({"addons": AssignAddons({"voicemial"})}, '"voicemial"; did you mean "voicemail"?'),
        ({"ivr_language": "eng"}, 'spec.ivr_language: the catalog does not know "eng"; did you mean "en"?'),
        ({"role": "defualt"}, 'spec.role: the catalog does not know "defualt"; did you mean "default"?'),
        ({"site": "lab"}, 'spec.site: the catalog does not know "lab"; known are: hq'),
        ({"distributor": "nord"}, 'spec.distributor: the catalog does not know "nord"; did you mean "north"?'),
    ],
)
def test_a_spec_with_unknown_references_is_refused_before_the_storage_is_touched(
    setting: dict[str, Any], message: str
) -> None:
    """What is wrong for every account is an error that names it, before anything is read."""
    store = _ReadingStore(_account())
    with pytest.raises(UnknownReferenceError) as caught:
        plan_update(store, _BATCH, UpdateSpec(**setting), catalog=_CATALOG, now=_NOW)
    assert message in str(caught.value)
    assert (store.found, store.references) == ([], [])


def test_settings_that_clear_are_not_looked_up() -> None:
    """CLEAR points at nothing, and so cannot be unknown."""
    spec = UpdateSpec(ivr_language=CLEAR, site=CLEAR, distributor=CLEAR, addons=ReplaceAddons(()))
    assert len(_plan(_account(site="hq"), spec=spec).changes) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"now": datetime(2026, 11, 23, 12)}, InvalidValueError, "now: .* has no time zone"),  # noqa: DTZ001
        ({"now": date(2026, 11, 23)}, InvalidValueError, "now: .* is no datetime"),
        ({"now": datetime(9999, 12, 31, 12, tzinfo=UTC)}, InvalidValueError, "now: "),
        ({"max_age": timedelta(0)}, InvalidValueError, "max_age"),
        ({"max_age": timedelta(seconds=-1)}, InvalidValueError, "max_age"),
        ({"max_age": 24}, InvalidValueError, "max_age"),
        ({"where": "SUMMER-2026"}, FilterError, "filter: 'SUMMER-2026' is no AccountFilter"),
        ({"spec": {"status": "blocked"}}, SpecError, "spec: .* is no UpdateSpec"),
        ({"catalog": None}, InvalidValueError, "catalog: None is no Catalog"),
        ({"at_most": "5"}, InvalidValueError, "at_most"),
        ({"expected": "1"}, InvalidValueError, "expected"),
        ({"expected": True}, InvalidValueError, "expected"),
        ({"actor": "ann\0"}, InvalidValueError, "actor"),
        ({"actor": "\ud800"}, InvalidValueError, "actor"),
        ({"reason": "why\0"}, InvalidValueError, "reason"),
        ({"reason": "\udfff"}, InvalidValueError, "reason"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_argument_that_makes_no_sense_is_refused_before_the_storage_is_touched(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """An instant without a zone, a wrong type or a text that no storage keeps is refused before anything is read."""
    store = _ReadingStore(_account())
    given: dict[str, Any] = {"where": _BATCH, "spec": _BLOCK, "catalog": _CATALOG, "now": _NOW}
    with pytest.raises(error, match=message):
        plan_update(store, **given | arguments)
    assert store.found == []


def test_a_plan_may_be_a_year_old_and_no_older() -> None:
    """A max_age beyond a year, which may lie beyond the calendar, is refused as any other value that makes no sense."""
    year = timedelta(days=366)
    assert _plan(_account(), spec=_TERMINATE, max_age=year).valid_until == _NOW + year
    for longer in (year + timedelta(microseconds=1), timedelta.max):
        with pytest.raises(InvalidValueError, match="max_age"):
            _plan(_account(), spec=_TERMINATE, max_age=longer)


# Which accounts.


def test_a_batch_name_shared_by_two_customers_is_clear_once_the_customer_is_given() -> None:
    """With its customer, a batch is one batch whatever other customers call theirs."""
    mine, other = _account(1, batch="SHARED"), _account(2, batch="SHARED", customer="kiwi")
    plan = _plan(mine, other, where=AccountFilter(batch="SHARED", customer="kiwi"))
    assert [change.account_id for change in plan.changes] == [other.id]


def test_every_criterion_narrows_within_the_batch() -> None:
    """The targets are exactly the accounts of the batch that the filter means."""
    accounts = [
        _account(1),
        _account(2, batch="OTHER"),
        _account(3, batch=None),
        _account(4, state=AccountState.CLOSED),
        _account(5, registered=True),
        _account(6, id="99"),
        _account(20),
    ]
    where = attrs.evolve(
        _BATCH,
        account_id=TextMatch.starts_with("44"),
        registration=Registration.UNREGISTERED,
        control_numbers="1-10",
        product="gold",
    )
    assert _numbers(_plan(*accounts, where=where)) == [1]


def test_targets_are_in_control_number_order_then_id_then_those_without_number() -> None:
    """However the store finds them, the accounts stand in one order: by number, then id, numberless ones last by id."""
    accounts = [
        _account(None, id="1"),
        _account(None, id="0"),
        _account(2**31 - 1, id="9"),
        _account(10, id="5"),
        _account(2, id="b"),
        _account(2, id="a"),
        _account(1, id="z"),
    ]
    orders = {
        tuple(change.account_id for change in _plan(*order).changes) for order in itertools.permutations(accounts)
    }
    assert orders == {("z", "a", "b", "5", "9", "0", "1")}


def test_control_numbers_that_are_not_there_are_listed() -> None:
    """Numbers that were asked for and that the batch does not have are in the plan, and warned about."""
    other = _account(4, batch="OTHER")
    where = attrs.evolve(_BATCH, control_numbers="1-5,9")
    plan = _plan(_account(1), _account(3), other, where=where)
    assert plan.absent == ControlNumbers("2,4-5,9")
    assert plan.warnings == ("control numbers that are not in the batch: 2,4-5,9",)


def test_control_numbers_that_other_criteria_pass_over_are_not_absent() -> None:
    """A number that is in the batch, but that another criterion does not select, is warned about as just that."""
    where = attrs.evolve(_BATCH, control_numbers="1-4", registration=Registration.UNREGISTERED)
    plan = _plan(_account(1), _account(2, registered=True), _account(3, state=AccountState.CLOSED), where=where)
    assert plan.absent == ControlNumbers("4")
    assert plan.warnings == (
        "control numbers that are not in the batch: 4",
        "control numbers that the other criteria do not select: 2-3",
    )


def test_numbers_that_are_missing_are_looked_for_among_those_asked_for() -> None:
    """The second look, for numbers that other criteria pass over, is at the numbers asked for and not at the batch."""
    store = _ReadingStore(_account(1), *map(_account, range(5, 9)))
    where = attrs.evolve(_BATCH, control_numbers="1-2", customer="acme", used=False)
    plan_update(store, where, _BLOCK, catalog=_CATALOG, now=_NOW)
    among = AccountFilter(batch="SUMMER-2026", customer="acme", control_numbers="1-2", status=StatusFilter.ANY)
    assert store.found == [where, among]


def test_only_passed_over_numbers_leave_none_absent() -> None:
    """Where all numbers are in the batch, none is absent, selected or not."""
    where = attrs.evolve(_BATCH, control_numbers="1-2")
    plan = _plan(_account(1), _account(2, state=AccountState.CLOSED), where=where)
    assert (plan.absent, plan.warnings) == (None, ("control numbers that the other criteria do not select: 2",))


def test_a_control_number_of_another_customer_is_absent() -> None:
    """With a customer in the filter the batch is that customer's: numbers of others under that name are not in it."""
    where = AccountFilter(batch="SHARED", customer="acme", control_numbers="1-2")
    plan = _plan(_account(1, batch="SHARED"), _account(2, batch="SHARED", customer="kiwi"), where=where)
    assert plan.absent == ControlNumbers("2")


def test_numbers_that_are_all_there_are_no_news() -> None:
    """Where every number asked for is selected nothing is absent, nothing warned about and the store asked once."""
    store = _ReadingStore(_account(1), _account(1, id="twin"), _account(2))
    where = attrs.evolve(_BATCH, control_numbers="1-2")
    plan = plan_update(store, where, _BLOCK, catalog=_CATALOG, now=_NOW)
    assert (plan.absent, plan.warnings, store.found) == (None, (), [where])


def test_without_numbers_none_are_absent() -> None:
    """A filter that names no control numbers misses none."""
    assert _plan(_account(7)).absent is None


@pytest.mark.parametrize("foreign", [{"batch": "OTHER"}, {"batch": None}])
def test_a_store_that_finds_accounts_of_another_batch_is_not_trusted(foreign: dict[str, Any]) -> None:
    """Accounts from outside the batch stop the plan, whatever the store means by it."""
    store = _CarelessStore(_account(1), _account(2, **foreign))
    with pytest.raises(StoreError, match='outside the batch "SUMMER-2026"'):
        plan_update(store, _BATCH, _BLOCK, catalog=_CATALOG, now=_NOW)


def test_a_store_that_finds_an_account_twice_is_not_trusted() -> None:
    """The same id twice stops the plan: it would be charged twice."""
    store = _CarelessStore(_account(1), _account(3), _account(2, id=_account(1).id))
    with pytest.raises(StoreError, match=r"^the store finds an account twice; nothing was planned$"):
        plan_update(store, _BATCH, _BLOCK, catalog=_CATALOG, now=_NOW)


# Guards.


def test_the_expected_number_of_targets_is_held_against_all_that_are_selected() -> None:
    """Changed, unchanged and refused accounts all count as targets."""
    accounts = [_account(1), _account(2, ivr_language="en"), _account(3, state=AccountState.CLOSED)]
    where = attrs.evolve(_BATCH, status=StatusFilter.ANY)
    plan = _plan(*accounts, where=where, spec=_ENGLISH, expected=3, at_most=3)
    assert [len(items) for items in (plan.changes, plan.unchanged, plan.refused)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        ({"expected": 1}, "expected: 1 accounts were expected, the filter selects 2"),
        ({"expected": 3}, "expected: 3 accounts were expected, the filter selects 2"),
        ({"expected": 0}, "expected: 0 accounts were expected, the filter selects 2"),
        ({"at_most": 1}, "at_most: 1 accounts were allowed, the filter selects 2"),
        ({"at_most": 0}, "at_most: 0 accounts were allowed, the filter selects 2"),
    ],
)
def test_another_number_of_targets_than_guarded_stops_the_plan(guard: dict[str, Any], message: str) -> None:
    """More or less than expected, or more than allowed, is a GuardError with both numbers."""
    with pytest.raises(GuardError, match=message):
        _plan(_account(1), _account(2), **guard)


@pytest.mark.parametrize("guard", [{"expected": 2}, {"at_most": 2}, {"at_most": 3}])
def test_guards_that_hold_let_the_plan_pass(guard: dict[str, Any]) -> None:
    """The expected number, and any number up to the allowed one, are fine."""
    assert len(_plan(_account(1), _account(2), **guard).changes) == 2


def test_stop_on_refusal_names_the_codes() -> None:
    """If the caller asks for it, one refused account stops the plan, and the message says how many and why."""
    accounts = [
        _account(1),
        _account(2, kind=AccountKind.VOUCHER),
        _account(3, kind=AccountKind.CREDIT),
        _account(4, first_used_on="2026-01-01"),
    ]
    with pytest.raises(GuardError, match=r"3 of 4 accounts are refused: ALREADY_USED, NOT_DEBIT$"):
        _plan(*accounts, spec=_OPENING, stop_on_refusal=True)


def test_stop_on_refusal_without_refusals_changes_nothing() -> None:
    """A plan without refusals passes the guard."""
    assert len(_plan(_account(1), stop_on_refusal=True).changes) == 1


def test_refused_accounts_do_not_keep_the_others_from_being_planned() -> None:
    """Unless the caller asks otherwise, the others proceed."""
    plan = _plan(_account(1), _account(2, kind=AccountKind.CREDIT), spec=_OPENING)
    assert ([c.control_number for c in plan.changes], [r.control_number for r in plan.refused]) == ([1], [2])


# What the plan says of itself.


def test_a_plan_knows_who_when_why_and_where() -> None:
    """Actor, reason, filter, spec, store, time zone data and the instant in UTC are part of the plan."""
    now = datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2)))
    plan = _plan(_account(), now=now, actor="ann", reason="autumn campaign")
    assert (plan.actor, plan.reason, plan.where, plan.spec) == ("ann", "autumn campaign", _BATCH, _BLOCK)
    assert (plan.planned_at, plan.planned_at.tzinfo) == (_NOW, UTC)
    assert plan.store == "reading:1"
    assert plan.zone_data


def test_every_plan_has_an_id_of_its_own() -> None:
    """Planning twice gives two plans, which are applied separately."""
    first, second = _plan(_account()), _plan(_account())
    assert uuid.UUID(first.id) != uuid.UUID(second.id)


def test_planning_leaves_the_accounts_of_a_plan_frozen() -> None:
    """The targets hold the id, number and old values of the fields that will be written, and their group."""
    plan = _plan(_account(1, blocked=False, ivr_language="uk"), spec=_ENGLISH)
    (target,) = plan.targets
    assert (target.account_id, target.control_number, target.group, target.before) == ("4477001", 1, 0, ("uk",))


def test_targets_can_be_sliced() -> None:
    """Part of the targets is a tuple of them, in order, from both ends."""
    plan = _plan(*map(_account, (3, 1, 2)))
    assert [target.control_number for target in plan.targets[1:]] == [2, 3]
    assert plan.targets[::-1] == tuple(reversed(plan.targets))
    assert plan.targets[-1] == tuple(plan.targets)[2]


def test_accounts_with_the_same_facts_share_a_group() -> None:
    """The groups hold one decision for all accounts with the same facts, with their count."""
    plan = _plan(
        *(_account(number, ivr_language=("en" if number == 3 else "uk")) for number in range(1, 6)), spec=_ENGLISH
    )
    assert [(group.count, group.decision.planned) for group in plan.groups] == [
        (4, Outcome.APPLIED),
        (1, Outcome.UNCHANGED),
    ]
    assert [target.group for target in plan.targets] == [0, 0, 1, 0, 0]


def test_nothing_selected_is_a_plan_with_a_warning() -> None:
    """A batch without a selected account gives an empty plan that says so."""
    plan = _plan()
    assert (len(plan.targets), plan.groups, plan.warnings) == (0, (), ("no account is selected",))


# References.


def test_an_account_that_has_the_reference_already_is_refused() -> None:
    """The store is asked once per reference, and the accounts that were charged with it are refused."""
    store = _ReadingStore(_account(1), _account(2), _account(3), charged={"fee": ["4477002"], "back": ["4477003"]})
    money = Money(1, "USD")
    spec = UpdateSpec(
        charge=Charge(money, reference="fee", allow_overdraft=True),
        refund=Refund(money, reference="back", allow_overdraft=True),
    )
    plan = plan_update(store, _BATCH, spec, catalog=_CATALOG, now=_NOW)
    assert sorted(store.references) == ["back", "fee"]
    assert [c.control_number for c in plan.changes] == [1]
    assert [(r.control_number, [reason.field for reason in r.reasons]) for r in plan.refused] == [
        (2, ["charge"]),
        (3, ["refund"]),
    ]
    assert {code for r in plan.refused for code in r.codes} == {RefusalCode.ALREADY_CHARGED}


def test_without_references_the_ledger_is_not_asked() -> None:
    """A charge without a reference can be repeated, so nobody needs to know who has it."""
    store = _ReadingStore(_account())
    spec = UpdateSpec(charge=Charge(Money(1, "USD"), allow_overdraft=True))
    plan_update(store, _BATCH, spec, catalog=_CATALOG, now=_NOW)
    assert store.references == []


# valid_until.

_TOMORROW_IN_NEW_YORK = datetime(2026, 11, 24, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "setting",
    [
        {"activation": ActivateNow()},
        {"activation": ActivateOn("2026-12-01")},
        {"activation": CLEAR},
        {"expiration": ExpireOn("2027-12-01")},
        {"expiration": CLEAR},
        {"availability_days": 30},
        {"availability_days": CLEAR},
    ],
    ids=str,
)
def test_a_plan_that_sets_a_date_ends_when_tomorrow_begins(setting: dict[str, Any]) -> None:
    """Whatever is decided with today in it holds until the first instant of tomorrow in the billing zone."""
    assert _plan(_account(), spec=UpdateSpec(**setting)).valid_until == _TOMORROW_IN_NEW_YORK


@pytest.mark.parametrize(
    "setting",
    [
        {"status": StatusChange.BLOCKED},
        {"product": "silver"},
        {"addons": AssignAddons({"voicemail"})},
        {"charging_period": CLEAR},
        {"associated_number": "18005551234"},
        {"time_zone": "Asia/Kathmandu"},
        {"site": "hq"},
        {"distributor": AssignDistributor("north")},
    ],
    ids=str,
)
def test_a_plan_without_dates_and_money_does_not_end(setting: dict[str, Any]) -> None:
    """Nothing but dates, money and terminations limits a plan."""
    assert _plan(_account(), spec=UpdateSpec(**setting)).valid_until is None


@pytest.mark.parametrize(
    "setting",
    [
        {"charge": Charge(Money(1, "USD"))},
        {"refund": Refund(Money(1, "USD"))},
        {"opening_balance": Money(15, "USD")},
        {"distributor": AssignDistributor("north")},
        {"status": StatusChange.TERMINATED},
    ],
    ids=str,
)
def test_a_plan_that_moves_money_or_terminates_ends_after_a_day_or_as_said(setting: dict[str, Any]) -> None:
    """Money on any account, ledger or not, and terminations are applied within 24 hours, or the age that is given."""
    accounts = (_account(1, opening_balance=10, balance=10), _account(2, kind=AccountKind.VOUCHER))
    spec = UpdateSpec(**setting)
    assert _plan(*accounts, spec=spec).valid_until == _NOW + timedelta(hours=24)
    hour = timedelta(hours=1)
    assert _plan(*accounts, spec=spec, max_age=hour).valid_until == _NOW + hour


@pytest.mark.parametrize(
    ("max_age", "valid_until"),
    [
        (timedelta(hours=24), _TOMORROW_IN_NEW_YORK),
        (timedelta(hours=17), _TOMORROW_IN_NEW_YORK),
        (timedelta(hours=16, minutes=59), _NOW + timedelta(hours=16, minutes=59)),
    ],
)
def test_dates_and_money_together_end_with_the_earlier(max_age: timedelta, valid_until: datetime) -> None:
    """A plan with both limits ends at the one that comes first."""
    spec = UpdateSpec(expiration=ExpireOn("2027-12-01"), charge=Charge(Money(1, "USD"), allow_overdraft=True))
    assert _plan(_account(), spec=spec, max_age=max_age).valid_until == valid_until


@pytest.mark.parametrize(
    ("zone", "now", "valid_until"),
    [
        ("America/New_York", "2026-11-01T03:59:59", "2026-11-01T04:00"),
        ("America/New_York", "2026-11-01T04:00:00", "2026-11-02T05:00"),
        ("America/New_York", "2026-03-08T12:00:00", "2026-03-09T04:00"),
        ("Europe/Kyiv", "2026-03-28T22:00:00", "2026-03-29T21:00"),
        ("America/Santiago", "2026-09-05T12:00:00", "2026-09-06T04:00"),
        ("America/Havana", "2026-10-31T12:00:00", "2026-11-01T04:00"),
        ("Pacific/Apia", "2011-12-30T09:59:59", "2011-12-30T10:00"),
        ("Pacific/Kiritimati", "2026-11-23T12:00:00", "2026-11-24T10:00"),
    ],
    ids=[
        "the last second before a day of 25 hours",
        "a day of 25 hours",
        "a day of 23 hours",
        "a day of 23 hours in Europe",
        "a tomorrow without midnight",
        "a tomorrow with two midnights",
        "a tomorrow that never happened",
        "the farthest east",
    ],
)
def test_tomorrow_begins_when_the_customers_calendar_shows_it_first(zone: str, now: str, valid_until: str) -> None:
    """Clock changes move the end of a plan with the first instant of the local day."""
    catalog = Catalog(
        customers=[Customer(id="acme", billing_time_zone=zone)], batches=[Batch(id="SUMMER-2026", customer="acme")]
    )
    spec = UpdateSpec(expiration=CLEAR)
    plan = _plan(_account(), spec=spec, catalog=catalog, now=datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert plan.valid_until == datetime.fromisoformat(valid_until).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("customers", "valid_until"),
    [
        (["acme"], _TOMORROW_IN_NEW_YORK),
        (["kiwi"], datetime(2026, 11, 24, 11, tzinfo=UTC)),
        (["acme", "kiwi"], _TOMORROW_IN_NEW_YORK),
        (["acme", "dnipro", "kiwi"], datetime(2026, 11, 23, 22, tzinfo=UTC)),
        (["ghost", "acme"], _TOMORROW_IN_NEW_YORK),
        (["ghost"], None),
        ([], None),
    ],
    ids=str,
)
def test_the_customer_of_the_targets_where_tomorrow_comes_first_counts(
    customers: list[str], valid_until: datetime | None
) -> None:
    """Of several customers the first tomorrow counts; those without targets or without a known zone do not."""
    accounts = [_account(number, customer=customer) for number, customer in enumerate(customers, 1)]
    assert _plan(*accounts, spec=UpdateSpec(availability_days=CLEAR)).valid_until == valid_until


# Warnings and totals.


def test_accounts_that_expire_at_once_are_warned_about() -> None:
    """The plan says how many accounts an expiration date that is not in the future ends at once."""
    accounts = (_account(1), _account(2), _account(3, expiration_date="2026-11-01"))
    plan = _plan(*accounts, spec=UpdateSpec(expiration=ExpireOn("2026-11-23")))
    assert plan.warnings == ("accounts that expire at once: 2",)
    assert plan.totals.effects == {EffectKind.EXPIRES_AT_ONCE: 2}


def test_accounts_of_another_customer_with_the_same_batch_name_are_warned_about() -> None:
    """Accounts of customers who have no such batch are planned, and warned about, each customer once."""
    accounts = [
        _account(1),
        _account(2, customer="kiwi"),
        _account(3, customer="kiwi", ivr_language="en"),
        _account(4, customer="dnipro"),
        _account(5, customer="ghost"),
    ]
    plan = _plan(*accounts, spec=_ENGLISH)
    assert len(plan.changes) == 4
    assert plan.warnings == (
        'the batch has accounts of customer "dnipro", who has no such batch in the catalog',
        'the batch has accounts of customer "ghost", who has no such batch in the catalog',
        'the batch has accounts of customer "kiwi", who has no such batch in the catalog',
    )


@pytest.mark.parametrize(
    ("opening", "over"), [("100", False), ("100.01", True)], ids=["just the limit", "beyond the limit"]
)
def test_a_distributor_over_its_credit_limit_is_warned_about(opening: str, *, over: bool) -> None:
    """What it owes already plus the plan's charges may reach the credit limit, but not pass it."""
    spec = UpdateSpec(distributor=AssignDistributor("north"))
    plan = _plan(_account(1, opening_balance=opening), spec=spec)
    assert plan.totals.distributors["north"].over_limit is over
    assert plan.warnings == (('distributor "north" would owe more than its credit limit allows',) if over else ())


def test_scheduled_charges_count_against_the_credit_limit() -> None:
    """Charges that come due with a scheduled activation are held against the limit together with the booked ones."""
    accounts = [
        _account(1, opening_balance=60),
        _account(2, opening_balance=60, state=AccountState.INACTIVE, activation_date="2026-12-01"),
    ]
    plan = _plan(*accounts, spec=UpdateSpec(distributor=AssignDistributor("north")))
    fifty_one = Money(51, "USD")
    total = DistributorTotal(booked=fifty_one, scheduled=fifty_one, over_limit=True)
    assert plan.totals.distributors == {"north": total}
    assert len(plan.warnings) == 1


def test_a_distributor_without_a_limit_is_never_over_it() -> None:
    """No credit limit is unlimited."""
    plan = _plan(_account(opening_balance=10**14), spec=UpdateSpec(distributor=AssignDistributor("south")))
    assert plan.totals.distributors["south"].over_limit is False


def test_counts_are_by_planned_outcome_and_add_up() -> None:
    """Applied, unchanged and refused are always there, also where they are none."""
    accounts = [_account(1), _account(2), _account(3, ivr_language="en"), _account(4, state=AccountState.CLOSED)]
    where = attrs.evolve(_BATCH, status=StatusFilter.ANY)
    counts = {Outcome.APPLIED: 2, Outcome.UNCHANGED: 1, Outcome.REFUSED: 1}
    assert _plan(*accounts, where=where, spec=_ENGLISH).totals.counts == counts
    assert _plan().totals.counts == dict.fromkeys(counts, 0)


def test_refusals_are_counted_by_code_the_most_frequent_first() -> None:
    """An account that is refused for two reasons counts for both, an account with the same code twice counts once."""
    accounts = [
        _account(1, currency="EUR"),
        _account(2, kind=AccountKind.CREDIT),
        _account(3, kind=AccountKind.CREDIT, first_used_on="2026-01-01"),
        _account(4, kind=AccountKind.CREDIT),
    ]
    spec = UpdateSpec(opening_balance=Money(15, "USD"), charge=Charge(Money(1, "USD")))
    assert list(_plan(*accounts, spec=spec).totals.refusals.items()) == [
        (RefusalCode.NOT_DEBIT, 3),
        (RefusalCode.ALREADY_USED, 1),
        (RefusalCode.CURRENCY_MISMATCH, 1),
    ]


def test_money_is_totalled_by_currency_and_kind() -> None:
    """The totals of charges and refunds are what the ledger will hold; refused accounts add nothing."""
    accounts = [
        _account(1, balance=10),
        _account(2, balance=100, kind=AccountKind.CREDIT),
        _account(3, balance="1.5"),
        _account(4, kind=AccountKind.VOUCHER, balance=10),
    ]
    spec = UpdateSpec(charge=Charge(Money("1.00001", "USD")), refund=Refund(Money("0.50", "USD")))
    assert _plan(*accounts, spec=spec).totals.money == {
        ("USD", TransactionKind.CHARGE): Money("2.00002", "USD"),
        ("USD", TransactionKind.REFUND): Money(1, "USD"),
    }


def test_distributor_charges_are_totalled_as_money_and_by_distributor() -> None:
    """A booked charge is a transaction and the distributor's; a scheduled one is only the distributor's."""
    accounts = [_account(number, opening_balance=10) for number in (1, 2)]
    accounts.append(_account(3, opening_balance=10, state=AccountState.INACTIVE))
    spec = UpdateSpec(distributor=AssignDistributor("north"), activation=ActivateOn("2026-12-01"))
    totals = _plan(*accounts, spec=spec).totals
    assert totals.money == {("USD", TransactionKind.DISTRIBUTOR_CHARGE): Money(17, "USD")}
    assert totals.distributors == {
        "north": DistributorTotal(booked=Money(17, "USD"), scheduled=Money("8.50", "USD"), over_limit=False)
    }


def test_opening_balances_are_totalled_by_what_they_gain() -> None:
    """The difference of all corrected opening balances is shown per currency, up and down together."""
    accounts = [
        _account(1, opening_balance=10, balance=10),
        _account(2, opening_balance=10, balance=10),
        _account(3, opening_balance=20, balance=20),
        _account(4, opening_balance=15, balance=3),
        _account(5, opening_balance=1, first_used_on="2026-01-01"),
    ]
    totals = _plan(*accounts, spec=_OPENING).totals
    assert (totals.opening_difference, totals.money) == ({"USD": Money(5, "USD")}, {})


def test_terminations_show_the_money_that_they_strand_and_who_is_registered() -> None:
    """Positive funds of debit and positive debts of credit accounts are summed by currency; vouchers are neither."""
    accounts = [
        _account(1, balance="5.25", registered=True),
        _account(2, balance="4.75", registered=True),
        _account(3, balance=-100),
        _account(4, balance=7, currency="EUR"),
        _account(5, balance=40, kind=AccountKind.CREDIT),
        _account(6, balance=-3, kind=AccountKind.CREDIT),
        _account(7, balance=1000, kind=AccountKind.VOUCHER),
        _account(8, balance=1000, registered=True, state=AccountState.CLOSED),
        _account(9, balance="0.00001", currency="JPY"),
        _account(10, balance=0, currency="GBP"),
    ]
    totals = _plan(*accounts, where=attrs.evolve(_BATCH, status=StatusFilter.ANY), spec=_TERMINATE).totals
    assert totals.stranded_funds == {
        "USD": Money(10, "USD"),
        "EUR": Money(7, "EUR"),
        "JPY": Money("0.00001", "JPY"),
    }
    assert totals.stranded_debts == {"USD": Money(40, "USD")}
    assert totals.registered == 2
    assert totals.effects == {EffectKind.TERMINATED: 9}


def test_other_plans_strand_nothing() -> None:
    """Only terminations strand money or cut off who is registered."""
    totals = _plan(_account(1, balance=5, registered=True)).totals
    assert (totals.stranded_funds, totals.stranded_debts, totals.registered) == ({}, {}, 0)


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        (_TERMINATE, {"balance": 6 * 10**14}),
        (UpdateSpec(charge=Charge(Money(6 * 10**14, "USD"))), {"kind": AccountKind.CREDIT}),
        (UpdateSpec(opening_balance=Money(6 * 10**14, "USD")), {}),
        (UpdateSpec(distributor=AssignDistributor("south")), {"opening_balance": 6 * 10**14}),
    ],
    ids=["stranded funds", "charges", "opening balances", "a distributor"],
)
def test_totals_may_be_greater_than_any_single_amount(spec: UpdateSpec, fields: dict[str, Any]) -> None:
    """Two accounts with amounts that are possible are planned, also where their sum passes the limit of one amount."""
    assert len(_plan(_account(1, **fields), _account(2, **fields), spec=spec).changes) == 2


def test_totals_count_effects_in_their_order() -> None:
    """Each effect is counted over all who have it, whatever else is decided, and effects of nobody are left out."""
    accounts = [
        _account(number, state=AccountState.INACTIVE, expiration_date="2026-11-01", blocked=number == 3)
        for number in (1, 2, 3)
    ]
    spec = UpdateSpec(activation=ActivateNow(), expiration=CLEAR)
    plan = _plan(*accounts, spec=spec)
    assert [group.count for group in plan.groups] == [2, 1]
    assert list(plan.totals.effects.items()) == [(EffectKind.ACTIVATED, 3), (EffectKind.REVIVED, 3)]


# Digest.


def test_the_digest_is_the_same_for_the_same_decisions() -> None:
    """Neither the time, the actor, the order of finding nor the store come into the digest."""
    accounts = [_account(1), _account(2, ivr_language="en"), _account(3, kind=AccountKind.CREDIT)]
    later = _NOW + timedelta(hours=1)
    first = _plan(*accounts, spec=_ENGLISH)
    second = _plan(*reversed(accounts), spec=_ENGLISH, now=later, actor="bob", reason="again", max_age=timedelta(1))
    other_store = _CarelessStore(*accounts)
    other_store.identity = "reading:2"
    third = plan_update(other_store, _BATCH, _ENGLISH, catalog=_CATALOG, now=_NOW)
    assert len(first.digest) == 64
    assert first.digest == second.digest == third.digest


def test_what_was_not_read_does_not_come_into_the_digest() -> None:
    """An account whose unread fields differ has the same decision, and the plan the same digest."""
    digests = {
        _plan(_account(1, balance=balance, product=product), spec=_ENGLISH).digest
        for balance, product in ((0, "gold"), (5, "silver"))
    }
    assert len(digests) == 1


def test_balances_do_not_come_into_the_digest() -> None:
    """A charge moves the balance from wherever it is: whoever has enough has the same decision, and the same digest."""
    spec = UpdateSpec(charge=Charge(Money(1, "USD")))
    assert len({_plan(_account(balance=balance), spec=spec).digest for balance in (1, 2, 1000)}) == 1


def test_an_amount_written_otherwise_is_the_same_digest() -> None:
    """15 and 15.00 are the same money, in the spec and on the account."""
    digests = {
        _plan(_account(1, opening_balance=Decimal(before)), spec=UpdateSpec(opening_balance=Money(after, "USD"))).digest
        for before, after in (("10", "15"), ("10.00", "15.000"))
    }
    assert len(digests) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"accounts": (_account(1), _account(2))},
        {"accounts": (_account(1), _account(2), _account(3), _account(4))},
        {"accounts": (_account(1), _account(2), _account(3, id="4477999"))},
        {"accounts": (_account(1), _account(2, ivr_language="uk"), _account(3))},
        {"accounts": (_account(1), _account(2), _account(3, ivr_language="uk"))},
        {"accounts": (_account(1), _account(2), _account(3, state=AccountState.CLOSED))},
        {"accounts": (_account(1), _account(2), _account(3, customer="kiwi"))},
        {"where": attrs.evolve(_BATCH, control_numbers="1-3")},
        {"where": attrs.evolve(_BATCH, used=False)},
        {"where": attrs.evolve(_BATCH, customer="acme")},
        {"spec": UpdateSpec(ivr_language="uk")},
        {"spec": UpdateSpec(ivr_language="en", status=StatusChange.UNBLOCKED)},
    ],
    ids=[
        "one account less",
        "one account more",
        "another id",
        "another fact of one in between",
        "another fact of the last",
        "a refusal",
        "another customer",
        "numbers that select the same",
        "a criterion that selects the same",
        "a customer who has them all",
        "another value",
        "one more setting",
    ],
)
def test_the_digest_differs_with_filter_spec_decisions_and_targets(other: dict[str, Any]) -> None:
    """Any other filter, setting, decision or target is another digest."""

    def digest(*, accounts: tuple[Account, ...], where: AccountFilter, spec: UpdateSpec) -> str:
        return plan_update(_CarelessStore(*accounts), where, spec, catalog=_CATALOG, now=_NOW).digest

    these: dict[str, Any] = {"accounts": (_account(1), _account(2), _account(3)), "where": _BATCH, "spec": _ENGLISH}
    assert digest(**these) != digest(**these | other)


def test_the_digest_differs_with_the_old_values_that_were_frozen() -> None:
    """What will be overwritten is frozen with the target, shown to the person, and so part of the digest."""
    spec = UpdateSpec(associated_number="333")
    first, second = (_plan(_account(associated_number=number), spec=spec) for number in ("111", "222"))
    assert first.changes[0].fields != second.changes[0].fields
    assert first.digest != second.digest


# plan_due.


@pytest.mark.parametrize(
    ("customer", "day", "due"),
    [
        ("acme", "2026-11-22", True),
        ("acme", "2026-11-23", True),
        ("acme", "2026-11-24", False),
        ("kiwi", "2026-11-24", True),
        ("kiwi", "2026-11-25", False),
        ("dnipro", "2026-11-23", True),
        ("dnipro", "2026-11-24", False),
        ("acme", "2020-01-01", True),
    ],
)
def test_an_activation_is_due_once_its_date_has_come_in_the_customers_zone(
    customer: str, day: str, *, due: bool
) -> None:
    """An inactive account is opened from the first instant of its activation date on, also if that was long ago."""
    plan = _due(_scheduled(1, day, customer=customer))
    assert [change.control_number for change in plan.changes] == ([1] if due else [])
    assert len(plan.targets) == len(plan.changes)


@pytest.mark.parametrize(
    ("now", "due"), [("2026-11-02T04:59:59", False), ("2026-11-02T05:00", True)], ids=["a second early", "just then"]
)
def test_an_activation_is_due_from_the_first_instant_on(now: str, *, due: bool) -> None:
    """After the clock change of 1 November, the 2nd begins in New York at five in the morning UTC."""
    plan = _due(_scheduled(1, "2026-11-02"), now=datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert bool(plan.changes) is due


def test_opening_what_is_due_changes_the_state_and_nothing_else() -> None:
    """The activation date stays what was confirmed, the account becomes open."""
    (change,) = _due(_scheduled(1, "2026-11-20")).changes
    (field,) = change.fields
    assert (field.field, field.before, field.after) == ("state", AccountState.INACTIVE, AccountState.OPEN)
    assert [effect.kind for effect in change.effects] == [EffectKind.ACTIVATED]


@pytest.mark.parametrize(
    "account",
    [
        _account(state=AccountState.INACTIVE),
        _account(activation_date="2026-11-20"),
        _account(state=AccountState.CLOSED, activation_date="2026-11-20"),
        _scheduled(day="2027-01-01"),
        _scheduled(day="2027-01-01", customer="ghost"),
    ],
    ids=["not scheduled", "open", "closed", "later", "later, of nobody known"],
)
def test_what_is_not_due_is_not_in_the_plan(account: Account) -> None:
    """Accounts without a date, open and closed ones and those that come later are not even listed as unchanged."""
    plan = _due(account, _scheduled(2))
    assert (_numbers(plan), plan.totals.counts[Outcome.UNCHANGED], len(plan.unchanged)) == ([2], 0, 0)
    assert sum(group.count for group in plan.groups) == 1
    assert [target.group for target in plan.targets] == [0]


def test_groups_of_due_accounts_are_numbered_without_gaps() -> None:
    """Each target of a plan of due activations points at its own decision, in plan order."""
    accounts = [
        _scheduled(1, "2027-01-01"),
        _scheduled(2, customer="kiwi"),
        _scheduled(3),
        _scheduled(4, customer="kiwi"),
    ]
    plan = _due(*accounts)
    assert [target.group for target in plan.targets] == [0, 1, 0]
    facts = [dict(plan.groups[target.group].facts)[Value("customer")] for target in plan.targets]
    assert facts == ["kiwi", "acme", "kiwi"]
    assert [group.count for group in plan.groups] == [2, 1]


def test_a_plan_of_due_activations_needs_no_batch() -> None:
    """Accounts of all batches, and of none, are opened together, in control-number order."""
    accounts = [_scheduled(2, batch=None), _scheduled(1, batch="SHARED"), _scheduled(3, batch="unknown")]
    plan = _due(*accounts)
    assert _numbers(plan) == [1, 2, 3]
    assert plan.warnings == ()


def test_a_plan_of_due_activations_has_no_spec_and_lasts_a_day() -> None:
    """It carries out what was confirmed before: spec None, within 24 hours, dates or not."""
    plan = _due(_scheduled(), actor="cron", reason="nightly")
    assert (plan.spec, plan.terminates, plan.valid_until) == (None, False, _NOW + timedelta(hours=24))
    assert (plan.actor, plan.reason, plan.where) == ("cron", "nightly", AccountFilter(status=StatusFilter.INACTIVE))


def test_an_empty_plan_of_due_activations_lasts_a_day_too() -> None:
    """A night on which nothing is due gives an empty plan."""
    plan = _due()
    assert (len(plan.targets), plan.valid_until) == (0, _NOW + timedelta(hours=24))


@pytest.mark.parametrize("status", [StatusFilter.ANY, StatusFilter.ALL_EXCEPT_CLOSED, StatusFilter.INACTIVE])
def test_due_activations_are_looked_for_within_a_filter(status: StatusFilter) -> None:
    """A filter narrows what is looked at; its status means the inactive ones anyway."""
    accounts = [_scheduled(1), _scheduled(2), _scheduled(3, customer="dnipro"), _account(4)]
    where = AccountFilter(customer="acme", control_numbers="2-4", status=status)
    plan = _due(*accounts, where=where)
    assert (_numbers(plan), plan.where) == ([2], attrs.evolve(where, status=StatusFilter.INACTIVE))


def test_numbers_of_a_due_plan_that_are_not_there_are_listed() -> None:
    """Numbers that were asked for are absent if nobody has them, and passed over if they are not due."""
    where = AccountFilter(control_numbers="1-3", batch="SUMMER-2026")
    plan = _due(_scheduled(1), _scheduled(2, "2027-01-01"), where=where)
    assert (plan.absent, plan.warnings[1:]) == (
        ControlNumbers("3"),
        ("control numbers that the other criteria do not select: 2",),
    )


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        (AccountFilter(custom_fields={"colour": "red"}), CustomFieldFilterError, "colour"),
        (AccountFilter(status=StatusFilter.OPEN), FilterError, r"filter\.status: open"),
        (AccountFilter(status=StatusFilter.CLOSED), FilterError, r"filter\.status: closed"),
        (AccountFilter(customer="acne"), UnknownReferenceError, 'did you mean "acme"'),
        (AccountFilter(product="gould"), UnknownReferenceError, 'did you mean "gold"'),
        (AccountFilter(product="voicemail"), UnknownReferenceError, "is an add-on"),
        (AccountFilter(batch="SUMER-2026"), UnknownReferenceError, 'did you mean "SUMMER-2026"'),
        (AccountFilter(batch="SHARED"), FilterError, "a batch of acme, kiwi"),
        ("SUMMER-2026", FilterError, "is no AccountFilter"),
    ],
    ids=lambda value: ascii(value)[-30:],
)
def test_a_due_filter_that_makes_no_sense_is_refused_before_the_storage_is_touched(
    where: Any, error: type[Exception], message: str
) -> None:
    """A typo must not become an empty plan, neither must a state that is never due."""
    store = _ReadingStore(_scheduled())
    with pytest.raises(error, match=message):
        plan_due(store, where=where, catalog=_CATALOG, now=_NOW)
    assert store.found == []


def test_due_activations_need_a_zone_of_now() -> None:
    """Without a zone nobody knows which day it is."""
    with pytest.raises(InvalidValueError, match=r"now: .* has no time zone"):
        _due(_scheduled(), now=datetime(2026, 11, 23, 12))  # noqa: DTZ001


def test_opening_what_is_due_books_what_the_distributor_owes() -> None:
    """The charge that was scheduled is booked, and counts as such in the totals."""
    plan = _due(_scheduled(1, distributor="north", opening_balance=10))
    (change,) = plan.changes
    charge = Money("8.50", "USD")
    assert [(entry.kind, entry.amount, entry.distributor) for entry in change.transactions] == [
        (TransactionKind.DISTRIBUTOR_CHARGE, charge, "north")
    ]
    assert plan.totals.distributors["north"].booked == charge


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"customer": "ghost"}, RefusalCode.CUSTOMER_UNKNOWN),
        ({"distributor": "nobody", "opening_balance": 1}, RefusalCode.DISTRIBUTOR_UNKNOWN),
    ],
)
def test_due_accounts_that_cannot_be_opened_are_refused_in_the_plan(fields: dict[str, Any], code: RefusalCode) -> None:
    """What the catalog does not know is a refusal that somebody sees, and the others are opened."""
    plan = _due(_scheduled(1, **fields), _scheduled(2))
    assert [(item.control_number, item.codes) for item in plan.refused] == [(1, frozenset({code}))]
    assert [change.control_number for change in plan.changes] == [2]


def test_due_accounts_that_stay_blocked_are_noted() -> None:
    """A blocked account is opened when it is due, and noted."""
    (change,) = _due(_scheduled(blocked=True)).changes
    assert change.notes == (NoteCode.STILL_BLOCKED,)


def test_the_digest_of_a_due_plan_is_that_of_what_is_due() -> None:
    """Accounts that are not due do not come into it, and those that are do."""
    one, two, later = _scheduled(1), _scheduled(2), _scheduled(3, "2027-01-01")
    assert _due(one, two).digest == _due(later, two, one).digest
    assert _due(one, two).digest != _due(one).digest
