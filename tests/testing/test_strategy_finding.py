"""What the public strategies can find, and how small and readable it is by then."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, find, settings
from hypothesis import strategies as st

from account_batch import (
    Account,
    AccountChange,
    AccountFilter,
    AccountKind,
    AccountState,
    ApplyPolicy,
    Batch,
    Catalog,
    ControlNumbers,
    Customer,
    Distributor,
    Effect,
    EffectKind,
    FieldChange,
    Money,
    Outcome,
    Plan,
    Product,
    Registration,
    Report,
    Site,
    StatusChange,
    StatusFilter,
    TextMatch,
    Transaction,
    TransactionKind,
    UpdateSpec,
)
from account_batch.errors import EmptySpecError
from account_batch.filters import TextMode
from account_batch.testing import (
    InvalidSettings,
    Scenario,
    accounts,
    amounts,
    calendar_dates,
    catalogs,
    control_number_texts,
    filters,
    instants,
    invalid_settings,
    money,
    rival_writes,
    scenarios,
    specs,
)
from account_batch.testing.strategies.invalid import BUILT, PLANNED

found_alike = settings(
    max_examples=3000, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
PLAIN = Account(id="0", customer="acme", kind=AccountKind.DEBIT, currency="USD", product="gold")
SMALL = Catalog(
    customers=[Customer(id="acme", billing_time_zone="UTC")],
    batches=[Batch(id="SUMMER-2026", customer="acme")],
    products=[Product(id="gold", currency="USD")],
)
RICH = attrs.evolve(
    SMALL,
    products=[*SMALL.products, Product(id="fax", currency="USD", is_addon=True)],
    sites=[Site(id="hq", customer="acme")],
    distributors=[Distributor(id="north", currency="USD", commission=0)],
    roles=["boss"],
    ivr_languages=["en"],
)


def anything(_: object) -> bool:
    """What every value is."""
    return True


def smallest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], object] = anything) -> Any:
    """The simplest value with the condition that Hypothesis finds."""
    return find(strategy, lambda value: bool(condition(value)), settings=found_alike)


SMALLEST: Mapping[str, tuple[st.SearchStrategy[object], object]] = {
    "amounts": (amounts(), Decimal(0)),
    "amounts from": (amounts("2.5"), Decimal(5)),
    "money": (money(), Money("0.00", "USD")),
    "calendar_dates": (calendar_dates(), date(2000, 1, 1)),
    "calendar_dates from": (calendar_dates(date(2026, 7, 1)), date(2026, 7, 1)),
    "instants": (instants(), datetime(2000, 1, 1, tzinfo=UTC)),
    "control_number_texts": (control_number_texts(), "1"),
    "invalid control_number_texts": (control_number_texts(valid=False), ""),
    "catalogs": (catalogs(), SMALL),
    "accounts": (accounts(), PLAIN),
    "accounts of a catalog": (accounts(RICH), PLAIN),
    "filters": (filters(), AccountFilter()),
    "filters for updates": (filters(for_update=True), AccountFilter(batch="SUMMER-2026")),
    "specs": (specs(RICH, settings=["site", "status"]), UpdateSpec(status=StatusChange.BLOCKED)),
    "invalid_settings": (invalid_settings(), InvalidSettings(settings={}, error=EmptySpecError, about="sets nothing")),
    "rival_writes": (rival_writes([PLAIN]), []),
    "scenarios": (
        scenarios(SMALL),
        Scenario(
            catalog=SMALL,
            accounts=(attrs.evolve(PLAIN, batch="SUMMER-2026"),),
            where=AccountFilter(batch="SUMMER-2026"),
            spec=UpdateSpec(status=StatusChange.BLOCKED),
            now=datetime(2000, 1, 1, 12, tzinfo=UTC),
        ),
    ),
}


@pytest.mark.parametrize("name", SMALLEST)
def test_everything_shrinks_to_something_plain(name: str) -> None:
    """The documented minimal case of each strategy."""
    strategy, value = SMALLEST[name]
    assert smallest(strategy) == value


def test_what_is_found_differs_from_the_plain_where_it_must() -> None:
    """A failure that needs one odd field shows an account with one odd field."""
    assert smallest(accounts(), lambda one: one.blocked) == attrs.evolve(PLAIN, blocked=True)
    assert smallest(accounts(), lambda one: one.balance < 0) == attrs.evolve(PLAIN, balance="-1")
    assert smallest(rival_writes([PLAIN]), len) == [attrs.evolve(PLAIN, balance=1)]
    assert smallest(amounts(), lambda amount: amount % 1) == Decimal("0.01")
    assert smallest(calendar_dates(date(2026, 1, 1), date(2026, 3, 1)), lambda day: day.month > 1) == date(2026, 2, 1)


@pytest.mark.parametrize("about", [*BUILT, *PLANNED])
def test_every_kind_of_invalid_settings_is_found(about: str) -> None:
    """A catalog that has everything lets every kind be drawn."""
    assert smallest(invalid_settings(RICH), lambda invalid: invalid.about == about).about == about


@pytest.mark.parametrize("about", BUILT)
def test_what_is_wrong_without_a_catalog_is_found_without_one(about: str) -> None:
    """And nothing else is, as the errors of the others tell."""
    assert smallest(invalid_settings(), lambda invalid: invalid.about == about).about == about


def having(field: str, value: object) -> Callable[[Any], bool]:
    """Whether a field has a value."""
    return lambda one: getattr(one, field) == value


def without(field: str, *values: object) -> Callable[[Any], bool]:
    """Whether a field has another value."""
    return lambda one: getattr(one, field) not in values


def holding(item: str) -> Callable[[str], bool]:
    """Whether an item is in a text of control numbers."""
    return lambda text: item in [one.strip(" ") for one in text.split(",")]


def some(condition: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether it holds for one of several."""
    return lambda several: any(map(condition, several))


def reporting(outcome: Outcome) -> Callable[[Report], object]:
    """Whether a report has accounts with an outcome."""
    return lambda report: report.counts[outcome]


# Only a storage that breaks lets accounts fail.
STATED = [outcome for outcome in Outcome if outcome is not Outcome.FAILED]

KINDS: Mapping[str, tuple[st.SearchStrategy[Any], Callable[[Any], object]]] = {
    **{f"{kind}": (accounts(), having("kind", kind)) for kind in AccountKind},
    **{f"{state}": (accounts(), having("state", state)) for state in AccountState},
    **{f"{status}": (filters(), having("status", status)) for status in StatusFilter},
    **{f"{registration}": (filters(), having("registration", registration)) for registration in Registration},
    **{f"{mode}": (st.from_type(TextMatch), having("mode", mode)) for mode in TextMode},
    "a match of some ids": (filters(), without("account_id", None)),
    "custom fields": (filters(), lambda where: where.custom_fields),
    **{
        f"filter by {name}": (filters(for_update=True), without(name, None))
        for name in ("control_numbers", "customer", "product", "blocked", "used")
    },
    **{currency: (money(), having("currency", currency)) for currency in ("USD", "EUR", "JPY", "KWD", "CLF")},
    "skipped in Apia": (calendar_dates(), lambda day: day == date(2011, 12, 30)),
    "without midnight in Beirut": (calendar_dates(), lambda day: day == date(2027, 3, 28)),
    "beside": (calendar_dates(zones=["Europe/Kyiv"]), lambda day: day == date(2026, 3, 30)),
    "not at midnight": (instants(), lambda at: at.time() > time(0, 0)),
    "a range": (control_number_texts(), lambda text: "-" in text),
    "zeros and spaces": (control_number_texts(), lambda text: " 0" in text and ", " in text),
    "high numbers": (control_number_texts(), lambda text: ControlNumbers(text).ranges[-1][1] > 10**6),
    "a long text": (control_number_texts(valid=False), lambda text: text.count(",") > 3),
    **{
        f"invalid {item!r}": (control_number_texts(valid=False), holding(item))
        for item in ("0", "8-3", "-1", "2147483648", "\u0661", "x")
    },
    "one batch of two customers": (
        catalogs(),
        lambda catalog: len({entry.id for entry in catalog.batches}) < len(catalog.batches),
    ),
    "allowed add-ons": (catalogs(), lambda catalog: any(product.allowed_addons for product in catalog.products)),
    "all settings": (specs(RICH, max_settings=17), lambda spec: len(spec.settings()) > 8),
    "termination": (specs(RICH), lambda spec: spec.status is StatusChange.TERMINATED),
    "charge with reference": (specs(RICH, settings=["charge"]), lambda spec: spec.charge.reference),
    "accounts outside the batch": (
        scenarios(SMALL),
        lambda scenario: any(account.batch != scenario.where.batch for account in scenario.accounts),
    ),
    "strangers": (
        scenarios(SMALL),
        lambda scenario: any(scenario.catalog.customer(account.customer) is None for account in scenario.accounts),
    ),
    "a match of ids": (scenarios(SMALL), lambda scenario: scenario.where.account_id is not None),
    "a plan that changes something": (st.from_type(Plan), lambda plan: plan.changes),
    **{f"report of {outcome}": (st.from_type(Report), reporting(outcome)) for outcome in STATED},
    "a report of a run that was stopped": (st.from_type(Report), without("stopped", None)),
    "an account changed with its ledger": (st.from_type(AccountChange), without("transactions", ())),
    "an account changed with effects": (st.from_type(AccountChange), without("effects", ())),
    "a field changed to unset": (st.from_type(FieldChange), having("after", None)),
    **{f"{kind}": (st.from_type(Transaction), having("kind", kind)) for kind in TransactionKind},
    **{f"{kind}": (st.from_type(Effect), having("kind", kind)) for kind in EffectKind},
    "a policy of all or nothing": (st.from_type(ApplyPolicy), having("all_or_nothing", True)),
    "two writes to one account": (rival_writes([PLAIN]), lambda writes: len(writes) > 1),
    **{
        f"write of {field.name}": (rival_writes([PLAIN]), some(without(field.name, getattr(PLAIN, field.name))))
        for field in attrs.fields(Account)
        if field.name != "id"
    },
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_value_is_found(name: str) -> None:
    """Nothing that may matter is left out."""
    strategy, condition = KINDS[name]
    quick = settings(found_alike, phases=[phase for phase in found_alike.phases if phase.name == "generate"])
    assert condition(find(strategy, lambda value: bool(condition(value)), settings=quick))
