"""The laws for users: this planner keeps them, and one that breaks a law is caught by its name."""

import attrs
import pytest
from hypothesis import given

from account_batch import AccountFilter, Charge, MemoryStore, Money, Plan, UpdateSpec, errors
from account_batch.testing import Scenario, check_laws, scenarios
from account_batch.testing.laws import LAWS, Planner
from account_batch.testing.scenario import plan_scenario
from world import CATALOG, NOW, account

_SCENARIO = Scenario(
    catalog=CATALOG,
    accounts=(
        account(id="a1", control_number=1, balance=10),
        account(id="a2", control_number=2, balance=10, contact={"email": "vip"}),
        account(id="a3", control_number=3, balance=0),
    ),
    where=AccountFilter(batch="SUMMER-2026"),
    spec=UpdateSpec(charge=Charge(Money(1, "USD")), ivr_language="en"),
    now=NOW,
)


@given(scenarios())
def test_this_planner_keeps_them(scenario: Scenario) -> None:
    """For any scenario."""
    check_laws(scenario)


def _on_some(store: MemoryStore, scenario: Scenario, count: int | None) -> Plan:
    """The plan of the first so many accounts, or all but so many of the last."""
    made = plan_scenario(MemoryStore(store.find(scenario.where)[:count]), scenario)
    return attrs.evolve(made, store=store.identity)


def _with_language(store: MemoryStore, scenario: Scenario, language: str) -> Plan:
    return plan_scenario(store, attrs.evolve(scenario, spec=attrs.evolve(scenario.spec, ivr_language=language)))


def _plans_elsewhere(_store: MemoryStore, scenario: Scenario) -> Plan:
    return plan_scenario(MemoryStore(scenario.accounts), scenario)


def _leaves_the_last_out(store: MemoryStore, scenario: Scenario) -> Plan:
    return _on_some(store, scenario, -1)


def _takes_whom_it_finds_first(store: MemoryStore, scenario: Scenario) -> Plan:
    return _on_some(store, scenario, 1)


def _looks_at_the_neighbours(store: MemoryStore, scenario: Scenario) -> Plan:
    return _with_language(store, scenario, "en" if len(store.find(scenario.where)) > 1 else "uk")


def _looks_at_contacts(store: MemoryStore, scenario: Scenario) -> Plan:
    known = any("x" in one.contact for one in store.find(scenario.where))
    return _with_language(store, scenario, "en" if known else "uk")


def _counts_others(store: MemoryStore, scenario: Scenario) -> Plan:
    return attrs.evolve(plan_scenario(store, scenario), totals=_on_some(store, scenario, 1).totals)


def _forges_the_digest(store: MemoryStore, scenario: Scenario) -> Plan:
    return attrs.evolve(plan_scenario(store, scenario), digest="0" * 64)


def _writes_already(store: MemoryStore, scenario: Scenario) -> Plan:
    made = plan_scenario(store, scenario)
    store.put(attrs.evolve(store.find(scenario.where)[0], time_zone="Asia/Kathmandu"))
    return made


def _never_has_enough(store: MemoryStore, scenario: Scenario) -> Plan:
    known = {one.ivr_language for one in store.find(scenario.where)}
    return _with_language(store, scenario, "uk" if "en" in known else "en")


@pytest.mark.parametrize(
    ("plan", "law"),
    [
        (_plans_elsewhere, "plans are made on the store that is given"),
        (_leaves_the_last_out, "every target is planned once"),
        (_takes_whom_it_finds_first, "the order of accounts does not matter"),
        (_looks_at_the_neighbours, "accounts do not matter to each other"),
        (_looks_at_contacts, "what is not read does not matter"),
        (_counts_others, "totals add up"),
        (_forges_the_digest, "plans survive being written"),
        (_writes_already, "applying does what was planned"),
        (_never_has_enough, "planning again finds nothing to set"),
    ],
)
def test_a_planner_that_breaks_a_law_is_caught(plan: Planner, law: str) -> None:
    """By that law, and by its name where all are checked."""
    (broken,) = [one for one in LAWS if one.__name__ == law.replace(" ", "_")]
    broken(_SCENARIO, plan_scenario)
    with pytest.raises((AssertionError, errors.DigestMismatchError)):
        broken(_SCENARIO, plan)


def test_the_name_of_the_law_comes_first() -> None:
    """So that a report tells at once what does not hold."""
    with pytest.raises(AssertionError, match=r"^every target is planned once: planned are \['a1', 'a2'\], and meant"):
        check_laws(_SCENARIO, plan=_leaves_the_last_out)


def test_a_planner_that_raises_is_told_with_the_law() -> None:
    """What it raises is left as it is."""

    def broken(_store: MemoryStore, _scenario: Scenario) -> Plan:
        raise KeyError("gold")

    with pytest.raises(KeyError) as caught:
        check_laws(_SCENARIO, plan=broken)
    assert caught.value.__notes__ == ["while checking that plans are made on the store that is given"]
