"""The comparison itself runs in every test run, on few accounts; the figures that do not depend on time must hold."""

from pytest_benchmark.fixture import BenchmarkFixture

from account_batch import MemoryStore
from bench.compare import RUNNING, bytes_per_account, compare, make_accounts, plan


def test_a_plan_takes_at_most_200_bytes_per_account() -> None:
    """The plan beyond the accounts, finished and at its most."""
    held, most = bytes_per_account(MemoryStore(make_accounts(50_000)), RUNNING)
    assert held <= 200
    assert most <= 200


def test_the_comparison_measures_every_target() -> None:
    """Every row with a target has a figure."""
    rows = compare(2_000)
    assert all(float(figure) > 0 for _, figure, _ in rows)


def test_planning(benchmark: BenchmarkFixture) -> None:
    """Planning a few thousand accounts, for pytest-benchmark's own comparisons between runs."""
    store = MemoryStore(make_accounts(2_000))
    made = benchmark(lambda: plan(store, RUNNING))
    assert len(made.targets) == 2_000
