"""Laws: what holds of any planner, for services that have a catalog or rules of their own around this one.

    @given(testing.scenarios())
    def test_laws(scenario):
        testing.check_laws(scenario, plan=my_plan)

Each law can be called by itself as well; it raises AssertionError where it does not hold.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from account_batch.decision import Outcome, TransactionKind
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.filters import AccountFilter, StatusFilter
from account_batch.plan import Plan
from account_batch.report import Report
from account_batch.spec import KEEP
from account_batch.stores.memory import MemoryStore
from account_batch.testing.scenario import Scenario, plan_scenario

__all__ = [
    "LAWS",
    "Planner",
    "accounts_do_not_matter_to_each_other",
    "applying_again_changes_nothing",
    "applying_does_what_was_planned",
    "check_laws",
    "every_target_is_planned_once",
    "planning_again_finds_nothing_to_set",
    "plans_are_made_on_the_store_that_is_given",
    "plans_survive_being_written",
    "the_order_of_accounts_does_not_matter",
    "totals_add_up",
    "what_is_not_read_does_not_matter",
]

Planner: TypeAlias = Callable[[MemoryStore, Scenario], Plan]
"""Plans a scenario on a store of its accounts."""

_EVERYBODY = AccountFilter(status=StatusFilter.ANY)
_WITHOUT_LIMIT = ApplyPolicy(over_credit_limit=True)


def check_laws(scenario: Scenario, *, plan: Planner = plan_scenario) -> None:
    """Hold a planner to all laws.

    Args:
        scenario: From testing.scenarios(), or with a catalog of your own.
        plan: Plans it; by default plan_update.

    Raises:
        AssertionError: A law does not hold; the message begins with its name.
    """
    for law in LAWS:
        try:
            law(scenario, plan)
        except AssertionError as error:
            raise AssertionError(f"{law.__name__.replace('_', ' ')}: {error}") from None
        except Exception as error:
            error.add_note(f"while checking that {law.__name__.replace('_', ' ')}")
            raise


def plans_are_made_on_the_store_that_is_given(scenario: Scenario, plan: Planner) -> None:
    """A plan applies only to the store that it was made on."""
    store = MemoryStore(scenario.accounts)
    made = plan(store, scenario)
    _hold(made.store == store.identity, f"the plan is of the store {made.store}, and not of {store.identity}")


def every_target_is_planned_once(scenario: Scenario, plan: Planner) -> None:
    """Exactly the accounts that the filter means are changed, refused or unchanged, each in one of the three."""
    made = plan(MemoryStore(scenario.accounts), scenario)
    planned = Counter(item.account_id for items in (made.changes, made.refused, made.unchanged) for item in items)
    meant = Counter(account.id for account in scenario.accounts if scenario.where.matches(account))
    _hold(planned == meant, f"planned are {sorted(planned.elements())}, and meant {sorted(meant)}")


def the_order_of_accounts_does_not_matter(scenario: Scenario, plan: Planner) -> None:
    """However the store finds the accounts, and however often it is asked, the plan is the same."""
    first = plan(MemoryStore(scenario.accounts), scenario)
    again = plan(MemoryStore(reversed(scenario.accounts)), scenario)
    _hold(_verdicts(first) == _verdicts(again), "the other way round the plan is another one")
    _hold(first.digest == again.digest, "the other way round the digest is another one")


def accounts_do_not_matter_to_each_other(scenario: Scenario, plan: Planner) -> None:
    """What is planned for an account is what would be planned for it alone."""
    together = _verdicts(plan(MemoryStore(scenario.accounts), scenario))
    for account in scenario.accounts:
        alone = _verdicts(plan(MemoryStore([account]), attrs.evolve(scenario, accounts=(account,))))
        _hold(
            alone.get(account.id) == together.get(account.id),
            f"{account.id} alone is {alone.get(account.id)}, and together {together.get(account.id)}",
        )


def what_is_not_read_does_not_matter(scenario: Scenario, plan: Planner) -> None:
    """Fields that no filter and no rule looks at change nothing."""
    untold = [group for group in ("contact", "custom_fields") if not getattr(scenario.where, group)]
    fields: dict[str, Any] = {group: {"x": "y"} for group in untold}
    changed = [attrs.evolve(account, **fields) for account in scenario.accounts]
    before = _verdicts(plan(MemoryStore(scenario.accounts), scenario))
    after = _verdicts(plan(MemoryStore(changed), attrs.evolve(scenario, accounts=tuple(changed))))
    _hold(before == after, f"{', '.join(untold)} make a difference")


def totals_add_up(scenario: Scenario, plan: Planner) -> None:
    """The counts of the totals are those of the items."""
    made = plan(MemoryStore(scenario.accounts), scenario)
    counts = {Outcome.APPLIED: made.changes, Outcome.REFUSED: made.refused, Outcome.UNCHANGED: made.unchanged}
    for outcome, items in counts.items():
        _hold(made.totals.counts[outcome] == len(items), f"{made.totals.counts[outcome]} are said to be {outcome}")
    refusals = Counter(code for item in made.refused for code in item.codes)
    _hold(_without_zeros(made.totals.refusals) == refusals, f"the refusals {refusals} are not those of the totals")
    moved: dict[tuple[str, TransactionKind], Decimal] = defaultdict(Decimal)
    for one in (one for change in made.changes for one in change.transactions):
        moved[one.amount.currency, one.kind] += one.amount.amount
    sums = {key: total.amount for key, total in made.totals.money.items()}
    _hold(_without_zeros(sums) == _without_zeros(moved), f"{dict(moved)} is moved, and the totals say {sums}")
    effects = Counter(effect.kind for change in made.changes for effect in change.effects)
    _hold(_without_zeros(made.totals.effects) == effects, f"the effects {effects} are not those of the totals")


def plans_survive_being_written(scenario: Scenario, plan: Planner) -> None:
    """A plan that was written and read again is the same."""
    made = plan(MemoryStore(scenario.accounts), scenario)
    again = Plan.from_json(made.to_json())
    _hold((again.digest, _verdicts(again)) == (made.digest, _verdicts(made)), "read again it is another plan")


def applying_does_what_was_planned(scenario: Scenario, plan: Planner) -> None:
    """Every account has its new values and entries, and nothing else has changed."""
    store = MemoryStore(scenario.accounts)
    made = plan(store, scenario)
    report = _apply(made, store)
    _hold(report.counts[Outcome.APPLIED] == len(made.changes), f"applied are {report.counts}")
    expected = {account.id: account for account in scenario.accounts}
    for change in made.changes:
        new: dict[str, Any] = {field.field: field.after for field in change.fields}
        expected[change.account_id] = attrs.evolve(expected[change.account_id], **new)
    found = {account.id: account for account in store.find(_EVERYBODY)}
    wrong = [name for name in expected if found.get(name) != expected[name]]
    _hold(found == expected, f"{wrong} are not what was planned")
    booked = Counter((entry.account_id, entry.amount) for entry in store.transactions(made.id))
    planned = Counter((change.account_id, one.amount) for change in made.changes for one in change.transactions)
    _hold(booked == planned, f"booked are {booked}, and planned {planned}")


def applying_again_changes_nothing(scenario: Scenario, plan: Planner) -> None:
    """A plan is applied once, whoever applies it again."""
    store = MemoryStore(scenario.accounts)
    made = plan(store, scenario)
    first, before = _apply(made, store), store.find(_EVERYBODY)
    again = _apply(made, store)
    _hold(store.find(_EVERYBODY) == before, "applied again it changes accounts")
    _hold(list(again.outcomes) == list(first.outcomes), "applied again it has other outcomes")


def planning_again_finds_nothing_to_set(scenario: Scenario, plan: Planner) -> None:
    """What was applied is there: the same request again moves money at most."""
    store = MemoryStore(scenario.accounts)
    _apply(plan(store, scenario), store)
    moves = scenario.spec.charge is not KEEP or scenario.spec.refund is not KEEP
    for change in plan(store, scenario).changes:
        names = {field.field for field in change.fields}
        _hold(moves and names <= {"balance"}, f"{change.account_id} is to change {sorted(names)} again")


LAWS: Sequence[Callable[[Scenario, Planner], None]] = (
    plans_are_made_on_the_store_that_is_given,
    every_target_is_planned_once,
    the_order_of_accounts_does_not_matter,
    accounts_do_not_matter_to_each_other,
    what_is_not_read_does_not_matter,
    totals_add_up,
    plans_survive_being_written,
    applying_does_what_was_planned,
    applying_again_changes_nothing,
    planning_again_finds_nothing_to_set,
)
"""All of them, in this order."""


def _apply(plan: Plan, store: MemoryStore) -> Report:
    terminate = len(plan.changes) if plan.terminates else None
    return apply_plan(plan, store, now=plan.planned_at, policy=_WITHOUT_LIMIT, terminate=terminate)


def _verdicts(plan: Plan) -> dict[str, object]:
    """What a plan says of each account."""
    return {item.account_id: item for items in (plan.changes, plan.refused, plan.unchanged) for item in items}


def _hold(holds: bool, what: str) -> None:  # noqa: FBT001  # It is what is asserted.
    if not holds:
        raise AssertionError(what)


def _without_zeros(counts: Mapping[Any, Any]) -> dict[Any, Any]:
    return {name: count for name, count in counts.items() if count}
