"""Machine: plans, writes of others, runs, crashes and searches, mixed at random on a few accounts."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from account_batch.testing.doors import Doors
from account_batch.testing.oracle import Settings, Where
from account_batch.testing.plain import row
from account_batch.testing.scripts import CHARGE
from account_batch.testing.trial import Trial

__all__ = ["run_machine"]

_NAMES = [f"a{number}" for number in range(1, 6)]
_WHERES: Sequence[Where] = (
    {"batch": "B"},
    {"batch": "B"},
    {"batch": "B"},
    {"batch": "B", "status": "any"},
    {"batch": "B", "control_numbers": frozenset({1, 2, 5})},
    {"batch": "B", "blocked": False},
    {"batch": "B", "used": False, "registered": False},
    {"batch": "B", "account_id": ("contains", "a")},
    {"batch": "C", "customer": "acme"},
)
_SETTINGS: Sequence[Settings] = (
    {"ivr_language": "en"},
    CHARGE,
    CHARGE,
    CHARGE,
    {"charge": (Decimal(2), None)},
    {"charge": (Decimal(2), "fee-1")},
    {"blocked": True, "associated_number": "7"},
    {"addons": ("assign", frozenset({"fax"}))},
    {"addons": ("replace", frozenset({"sms"}))},
    {"activation": True},
    {"opening_balance": Decimal(10)},
    {"expiration": date(2027, 3, 28)},
    {"terminated": True},
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "balance": st.sampled_from([Decimal(1), Decimal(4), Decimal("10.00001")]),
    "ivr_language": st.sampled_from([None, "en", "uk"]),
    "blocked": st.booleans(),
    "registered": st.booleans(),
    "batch": st.sampled_from(["B", "C"]),
    "addons": st.sampled_from([frozenset[str](), frozenset({"sms"})]),
    "associated_number": st.sampled_from([None, "7"]),
    "first_used_on": st.sampled_from([None, date(2026, 11, 1)]),
    "state": st.sampled_from(["open", "closed"]),
}
_WRITES = st.sampled_from(["ivr_language", "ivr_language", *sorted(_FIELDS)]).flatmap(
    lambda name: st.tuples(st.just(name), _FIELDS[name])
)
_POLICIES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"chunk_size": 1}, {"chunk_size": 2}, {"all_or_nothing": True}, {"canary": 2, "chunk_size": 2}]
)
_ROWS: Sequence[dict[str, Any]] = (
    {"balance": Decimal(10)},
    {"balance": Decimal(10), "kind": "credit", "ivr_language": "en"},
    {"balance": Decimal(10), "state": "inactive", "opening_balance": Decimal(5), "distributor": "north"},
    {"balance": Decimal(1), "opening_balance": Decimal(10), "addons": frozenset({"fax"})},
    {"balance": Decimal(10), "kind": "voucher", "blocked": True, "associated_number": "7"},
    {"balance": Decimal(10), "state": "closed"},
)


def run_machine(doors: Doors, examples: int) -> None:
    """Mix all steps at random, and say the shortest mix that goes wrong."""

    class Store(RuleBasedStateMachine):
        """The steps, for Hypothesis to mix."""

        def __init__(self) -> None:
            super().__init__()
            self.plans: list[int] = []

        @initialize(rows=st.lists(st.sampled_from(_ROWS), min_size=1, max_size=len(_NAMES)))
        def make(self, rows: list[dict[str, Any]]) -> None:
            named = zip(_NAMES, rows, strict=False)
            self.names = _NAMES[: len(rows)]
            self.trial = Trial(doors, [row(name, control_number=int(name[1:]), **one) for name, one in named])

        @rule(where=st.sampled_from(_WHERES), settings_=st.sampled_from(_SETTINGS))
        def plan(self, where: Where, settings_: Settings) -> None:
            self.plans.append(self.trial.plan(where, settings_))

        @rule(place=st.integers(0, len(_NAMES) - 1), write=_WRITES)
        def write(self, place: int, write: tuple[str, Any]) -> None:
            self.trial.write(self.names[place % len(self.names)], **dict([write]))

        @precondition(lambda self: self.plans)
        @rule(number=st.integers(0, 3), policy=_POLICIES, stop=st.sampled_from([None, None, 1]))
        def apply(self, number: int, policy: dict[str, Any], stop: int | None) -> None:
            self.trial.apply(self.plans[number % len(self.plans)], stop_after_chunks=stop, **policy)

        @precondition(lambda self: self.plans)
        @rule(number=st.integers(0, 3), chunks=st.integers(1, 2))
        def crash(self, number: int, chunks: int) -> None:
            self.trial.crash(self.plans[number % len(self.plans)], after_chunks=chunks, chunk_size=2)

        @rule()
        def reopen(self) -> None:
            self.trial.reopen()

        @rule(where=st.sampled_from(_WHERES))
        def find(self, where: Where) -> None:
            self.trial.find(where)

    run_state_machine_as_test(
        Store,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
