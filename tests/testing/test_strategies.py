"""What the public strategies draw: only what is valid, what it is narrowed to, and enough of what goes wrong."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from account_batch import (
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    Batch,
    Catalog,
    ControlNumbers,
    Customer,
    Distributor,
    MemoryStore,
    Money,
    Plan,
    Product,
    Site,
    UpdateSpec,
    plan_update,
)
from account_batch.errors import FilterError, UnknownReferenceError
from account_batch.planner.references import check_batch, check_filter, check_spec
from account_batch.testing import (
    InvalidSettings,
    Scenario,
    accounts,
    amounts,
    catalogs,
    control_number_texts,
    filters,
    invalid_settings,
    money,
    rival_writes,
    scenarios,
    specs,
)
from account_batch.testing.strategies.invalid import PLANNED

ACME = Customer(id="acme", billing_time_zone="UTC")
GOLD = Product(id="gold", currency="USD")
SMALL = Catalog(customers=[ACME], batches=[Batch(id="B", customer="acme")], products=[GOLD])
CARD = Account(id="1", customer="acme", kind=AccountKind.DEBIT, currency="USD", product="gold")
RICH = attrs.evolve(
    SMALL,
    products=[GOLD, Product(id="Gold", currency="USD"), Product(id="fax", currency="USD", is_addon=True)],
    sites=[Site(id="nobody", customer="acme")],
    distributors=[Distributor(id="nobody", currency="USD", commission=0)],
    roles=["Gold"],
    ivr_languages=["en"],
)

# Rates are of drawn examples: the same ones each time, and so the same rates.
counted = settings(
    max_examples=300, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow], deadline=None
)


def planned(scenario: Scenario) -> Plan:
    """What planning makes of a scenario."""
    store = MemoryStore(scenario.accounts)
    return plan_update(store, scenario.where, scenario.spec, catalog=scenario.catalog, now=scenario.now)


@given(amounts("-1.5", 2))
def test_amounts_lie_between_the_bounds(amount: Decimal) -> None:
    """Both bounds narrow."""
    assert Decimal("-1.5") <= amount <= 2


@given(st.integers(0, 5).flatmap(lambda places: st.tuples(st.just(places), amounts(places=places))))
def test_amounts_have_no_more_than_the_places_and_are_what_accounts_hold(drawn: tuple[int, Decimal]) -> None:
    """An account accepts them, and they need no more decimals."""
    places, amount = drawn
    assert amount == round(amount, places)
    assert attrs.evolve(CARD, balance=amount).balance == amount


@given(money("0.01", 5, currency="EUR"))
def test_money_is_narrowed_like_them(value: Money) -> None:
    """Bounds and currency narrow."""
    assert Decimal("0.01") <= value.amount <= 5
    assert value.currency == "EUR"


@given(money(currency=st.sampled_from(["JPY", "KWD"])))
def test_money_takes_a_strategy_of_currencies(value: Money) -> None:
    """A strategy narrows like a code."""
    assert value.currency in {"JPY", "KWD"}


@given(control_number_texts())
def test_control_number_texts_are_accepted(text: str) -> None:
    """Every valid text is the text of control numbers."""
    assert ControlNumbers(text)


@given(control_number_texts(max_number=12))
def test_control_number_texts_stay_below_the_highest_number(text: str) -> None:
    """max_number narrows."""
    assert ControlNumbers(text).ranges[-1][1] <= 12


@given(control_number_texts(valid=False))
def test_control_number_texts_are_refused_otherwise(text: str) -> None:
    """Every other text is refused, by the error that filters raise."""
    with pytest.raises(FilterError):
        ControlNumbers(text)


@given(catalogs())
def test_catalogs_are_consistent(catalog: Catalog) -> None:
    """What an entry points at is there, and there is enough to plan an update."""
    assert all(catalog.customer(batch.customer) for batch in catalog.batches)
    assert all(catalog.customer(site.customer) for site in catalog.sites)
    for product in catalog.products:
        assert all(getattr(catalog.product(name), "is_addon", False) for name in product.allowed_addons)
    assert catalog.batches
    assert any(not product.is_addon for product in catalog.products)


@given(catalogs(customers=[ACME], products=st.just([GOLD]), sites=()))
def test_catalogs_have_the_fields_that_are_given(catalog: Catalog) -> None:
    """Plain values and strategies narrow, and the rest goes with them."""
    assert catalog.customers == (ACME,)
    assert catalog.products == (GOLD,)
    assert catalog.sites == ()
    assert {entry.customer for entry in catalog.batches} == {"acme"}


@given(catalogs(customers=[]))
def test_catalogs_without_customers_have_nothing_of_theirs(catalog: Catalog) -> None:
    """There is nobody to own a batch or a site."""
    assert not catalog.batches
    assert not catalog.sites


@given(accounts(state=AccountState.OPEN, balance=amounts(5, 7), contact={"email": "red"}, addons=["fax"]))
def test_accounts_have_the_fields_that_are_given(account: Account) -> None:
    """Plain values and strategies narrow, and collections may be what constructors take."""
    assert account.state is AccountState.OPEN
    assert 5 <= account.balance <= 7
    assert account.contact == {"email": "red"}
    assert account.addons == {"fax"}


@given(st.data(), catalogs())
def test_accounts_point_at_what_the_catalog_has(data: st.DataObject, catalog: Catalog) -> None:
    """Batch and site are of the customer, add-ons, currency and role those of the product."""
    account = data.draw(accounts(catalog))
    product = catalog.product(account.product)
    assert product is not None
    assert account.addons <= product.allowed_addons
    assert account.currency == product.currency
    assert product.account_role in {None, account.account_role}
    assert catalog.customer(account.customer)
    assert account.batch is None or catalog.batch(account.customer, account.batch)
    sites = {site.id for site in catalog.sites if site.customer == account.customer}
    assert account.site is None or account.site in sites
    assert account.distributor is None or catalog.distributor(account.distributor)
    assert {account.role, account.ivr_language} <= {None, *catalog.roles, *catalog.ivr_languages}


@given(accounts(SMALL, customer="ghost", product=st.just("retired")))
def test_accounts_may_point_elsewhere_if_told_so(account: Account) -> None:
    """What is given wins over the catalog."""
    assert (account.customer, account.product, account.batch) == ("ghost", "retired", None)


@given(filters(for_update=True))
def test_filters_for_updates_have_a_batch_and_no_custom_fields(where: AccountFilter) -> None:
    """An update needs exactly that."""
    assert where.batch is not None
    assert not where.custom_fields


@given(st.data(), catalogs())
def test_filters_for_updates_are_fit_for_the_catalog(data: st.DataObject, catalog: Catalog) -> None:
    """The planner has no objection, even where customers share the name of a batch."""
    where = data.draw(filters(catalog, for_update=True))
    check_filter(where, catalog)
    check_batch(where, catalog)


@given(st.data(), catalogs())
def test_filters_name_what_the_catalog_has(data: st.DataObject, catalog: Catalog) -> None:
    """Also for searching."""
    where = data.draw(filters(catalog))
    assert where.customer is None or catalog.customer(where.customer)
    assert where.product is None or catalog.product(where.product)
    assert where.batch in {None, *(entry.id for entry in catalog.batches)}


@given(filters(Catalog()))
def test_filters_of_an_empty_catalog_name_nothing(where: AccountFilter) -> None:
    """There is no batch, customer or product to name."""
    assert where.batch is where.customer is where.product is None


@given(st.data(), catalogs() | st.just(Catalog()))
def test_specs_name_only_what_the_catalog_has(data: st.DataObject, catalog: Catalog) -> None:
    """The planner has no objection, also to those of a catalog with nothing in it."""
    check_spec(data.draw(specs(catalog, max_settings=17)), catalog)


@given(specs(SMALL, settings=["product", "charge", "status"], max_settings=2, days=st.nothing()))
def test_specs_set_what_they_may(spec: UpdateSpec) -> None:
    """Settings and their number narrow."""
    assert set(spec.settings()) <= {"product", "charge", "status"}
    assert len(spec.settings()) <= 2


@given(specs(SMALL, settings=["activation", "expiration"], days=st.just(date(2026, 12, 1))))
def test_specs_have_the_dates_that_they_may(spec: UpdateSpec) -> None:
    """The strategy of days narrows."""
    days = {getattr(getattr(spec, name), "day", date(2026, 12, 1)) for name in spec.settings()}
    assert days == {date(2026, 12, 1)}


def refuses(invalid: InvalidSettings, catalog: Catalog) -> type[Exception]:
    """The class of the error that building or planning ends with."""
    try:
        spec = invalid.spec()
    except Exception as error:  # noqa: BLE001  # Which one is the question.
        return type(error)
    with pytest.raises(UnknownReferenceError) as caught:
        plan_update(
            MemoryStore([]),
            AccountFilter(batch="B", customer="acme"),
            spec,
            catalog=attrs.evolve(catalog, customers=[ACME], batches=[Batch(id="B", customer="acme")]),
            now=datetime(2026, 11, 23, tzinfo=UTC),
        )
    return caught.type


@given(invalid_settings())
def test_invalid_settings_are_refused_when_built(invalid: InvalidSettings) -> None:
    """Without a catalog, the spec cannot even be built, and the error is exactly that one."""
    with pytest.raises(invalid.error) as caught:
        invalid.spec()
    assert caught.type is invalid.error is not UnknownReferenceError


@given(st.data(), catalogs())
def test_invalid_settings_are_refused_with_exactly_their_error(data: st.DataObject, catalog: Catalog) -> None:
    """With a catalog, what can be built is refused when it is planned."""
    invalid = data.draw(invalid_settings(catalog))
    assert refuses(invalid, catalog) is invalid.error


@pytest.mark.parametrize("about", PLANNED)
@settings(max_examples=30)
@given(data=st.data())
def test_invalid_settings_of_every_kind_are_refused_when_planned(about: str, data: st.DataObject) -> None:
    """Also where the catalog knows some of the names that are nobody's elsewhere."""
    invalid = InvalidSettings(settings=data.draw(PLANNED[about](RICH)), error=UnknownReferenceError, about=about)
    assert refuses(invalid, RICH) is UnknownReferenceError


@given(scenarios())
def test_scenarios_can_be_planned(scenario: Scenario) -> None:
    """No exception, whatever is drawn; and a store takes the accounts, whose ids differ."""
    plan = planned(scenario)
    assert any(account.batch == scenario.where.batch for account in scenario.accounts)
    assert len(plan.changes) + len(plan.refused) + len(plan.unchanged) > 0


@given(st.data(), catalogs())
def test_scenarios_are_about_the_catalog_that_is_given(data: st.DataObject, catalog: Catalog) -> None:
    """The catalog, the settings and the number of accounts narrow."""
    scenario = data.draw(scenarios(catalog, settings=["charge", "ivr_language"], max_accounts=2))
    assert scenario.catalog == catalog
    assert set(scenario.spec.settings()) <= {"charge", "ivr_language"}
    assert len(scenario.accounts) <= 2
    planned(scenario)


@pytest.mark.parametrize("setting", [field.name for field in attrs.fields(UpdateSpec)])
@settings(max_examples=20)
@given(data=st.data())
def test_scenarios_can_be_of_any_setting(setting: str, data: st.DataObject) -> None:
    """The catalog that is drawn has something for it, which the planner takes."""
    scenario = data.draw(scenarios(settings=[setting]))
    assert scenario.spec.settings() == (setting,)
    planned(scenario)


def test_scenarios_usually_change_something() -> None:
    """More than every second plan changes an account, and some refuse one."""
    seen = Counter[str]()

    @counted
    @given(scenarios())
    def count(scenario: Scenario) -> None:
        plan = planned(scenario)
        seen.update(name for name in ("changes", "refused", "unchanged") if getattr(plan, name))

    count()
    assert seen["changes"] > 150
    assert seen["refused"] > 50
    assert seen["unchanged"] > 30


@given(st.data(), st.lists(accounts(), min_size=1, max_size=3, unique_by=lambda account: account.id))
def test_rival_writes_change_some_of_the_accounts(data: st.DataObject, found: list[Account]) -> None:
    """Each write is of one of them, and different; their number narrows."""
    writes = data.draw(rival_writes(found, max_size=2))
    before = {account.id: account for account in found}
    assert len(writes) <= 2
    assert all(before[account.id] != account for account in writes)


def test_a_batch_that_is_named_is_that_of_its_owners() -> None:
    """Accounts of a batch of the catalog are of a customer who has it."""
    catalog = Catalog(
        customers=[Customer(id=name, billing_time_zone="UTC") for name in ("one", "two", "three")],
        batches=[Batch(id="B", customer="two"), Batch(id="B", customer="three"), Batch(id="C", customer="one")],
        products=[Product(id="gold", currency="USD")],
    )
    with pytest.raises(NoSuchExample):
        find(accounts(catalog, batch="B"), lambda account: account.customer == "one")
    assert find(accounts(catalog, batch="B"), lambda account: account.customer == "three").batch == "B"
