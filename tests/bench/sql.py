"""Side by side, in one run: SqlStore against statements by hand, SQLAlchemy's ORM and Django; memory; growth.

Run it with the databases: python tests/bench/sql.py --accounts 1000000 sqlite:// postgresql+psycopg://host/database ...
It makes databases of its own beside those and drops them.
"""

# ruff: noqa: E402  # Run as a script, it has to find the folder of tests first.
import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter, process_time

import attrs
from sqlalchemy import URL, make_url, text

sys.path[:0] = [str(Path(__file__).parents[1])]

from account_batch import Account, AccountFilter, Outcome, UpdateSpec, apply_plan, plan_update
from account_batch.plan import Plan
from account_batch.stores.sql import SqlStore
from bench.campaign import CATALOG, CHARGE, NOW, SETTINGS, count_questions, stream_accounts
from bench.places import at_once, copied, empty, settle
from bench.rivals import by_django, by_hand, by_orm, contents, has_django

__all__ = ["compare", "fill", "run"]

Row = tuple[str, str, str]
_TARGETS = {"sqlite": 4, "postgresql": 3, "mysql": 4, "mariadb": 4}
_ROUNDS = 3


@attrs.frozen
class Times:
    """The seconds of planning and applying, and what was planned."""

    planning: float
    applying: float
    plan: Plan

    @property
    def total(self) -> float:
        """Both together."""
        return self.planning + self.applying


def fill(url: URL, accounts: Iterable[Account]) -> float:
    """Make the tables, add accounts, and return how many of them a second were added."""
    made = 0
    making = 0.0

    def timed(rest: Iterator[Account]) -> Iterator[Account]:
        nonlocal made, making
        while True:
            start = perf_counter()
            account = next(rest, None)
            making += perf_counter() - start
            if account is None:
                return
            made += 1
            yield account

    with closing(_store(url)) as store:
        store.create()
        start = perf_counter()
        store.add(timed(iter(accounts)))
        taken = perf_counter() - start - making
    settle(url)
    return made / taken


def run(url: URL, spec: UpdateSpec, batch: str = "B") -> Times:
    """Plan and apply, as anybody would."""
    with closing(_store(url)) as store:
        start = perf_counter()
        plan = plan_update(store, AccountFilter(batch=batch), spec, catalog=CATALOG, now=NOW)
        planned = perf_counter()
        report = apply_plan(plan, store, now=NOW)
        done = perf_counter()
        assert report.counts[Outcome.APPLIED] == len(plan.changes)
    return Times(planned - start, done - planned, plan)


def compare(server: URL, count: int, rounds: int = _ROUNDS) -> Iterator[Row]:
    """Yield rows of what was measured, the figure and the target."""
    tenth, hundredth = count // 10, count // 100
    yield f"{count:,} accounts on {server.get_backend_name()}", "", ""
    with ExitStack() as stack:
        templates = {size: stack.enter_context(empty(server)) for size in (hundredth, tenth, count)}
        rates = [fill(template, stream_accounts(size)) for size, template in templates.items()]
        yield "  accounts a second, added to an empty database", f"{rates[-1]:,.0f}", ""
        yield from _against_hand(server, templates[count], "settings", SETTINGS, rounds)
        yield from _against_hand(server, templates[count], "settings and a charge", CHARGE, rounds)
        yield from _growth(server, templates, rounds)
        yield from _against_orms(server, templates[tenth], tenth, rounds)
        yield from _memory(server, templates, (tenth, count))
        yield from _second_batch(server, templates[tenth], tenth, rounds)


def _race(server: URL, runners: Sequence[tuple[URL, Callable[[URL], float]]], rounds: int) -> list[float]:
    """The shortest time of each, on copies of its template: noise only ever adds. Each goes first as often."""
    found: list[list[float]] = [[] for _ in runners]
    for number in range(rounds):
        order = list(zip(found, runners, strict=True))
        for times, (template, work) in order if number % 2 == 0 else reversed(order):
            with copied(server, template) as url:
                times.append(work(url))
    return [min(times) for times in found]


def _settings(url: URL) -> float:
    return run(url, SETTINGS).total


def _against_hand(server: URL, template: URL, name: str, spec: UpdateSpec, rounds: int) -> list[Row]:
    """The library against statements by hand."""
    runs: list[Times] = []
    left: set[str] = set()
    cpu: dict[str, list[float]] = {"hand": [], "ours": []}
    tuples = 0

    def hand(url: URL) -> float:
        start = process_time()
        taken = by_hand(url, spec)
        cpu["hand"].append(process_time() - start)
        left.add(contents(url))
        return taken

    def ours(url: URL) -> float:
        nonlocal tuples
        start = process_time()
        runs.append(run(url, spec))
        cpu["ours"].append(process_time() - start)
        left.add(contents(url))
        with at_once(url) as connection:
            tuples = connection.execute(text("SELECT count(*) FROM account_batch_decision")).scalar_one()
        return runs[-1].total

    bare, _ = _race(server, [(template, hand), (template, ours)], rounds)
    assert len(left) == 1, "by hand, other rows were changed, or to other values"
    best = min(runs, key=lambda times: times.total)
    plan = best.plan
    what = f"{count_questions(spec)} questions, {tuples} fact tuples, {len(plan.groups)} decisions"
    # The target is for what two statements do; a charge needs a third.
    target = f"at most {_TARGETS[server.get_backend_name()]}" if spec == SETTINGS else ""
    rows = [
        (f"  {name}: {what}, {len(plan.changes):,} changed", "", ""),
        ("    by hand, seconds", f"{bare:.2f}", ""),
        ("    planning, seconds", f"{best.planning:.2f}", ""),
        ("    applying, seconds", f"{best.applying:.2f}", ""),
        ("    planning, x by hand", f"{best.planning / bare:.2f}", ""),
        ("    applying, x by hand", f"{best.applying / bare:.2f}", ""),
        ("    both, x by hand", f"{best.total / bare:.2f}", target),
    ]
    if server.get_backend_name() == "sqlite":  # Which works in this very process.
        rows.append(("    both, x by hand, processor time", f"{min(cpu['ours']) / min(cpu['hand']):.2f}", ""))
    return rows


def _growth(server: URL, templates: dict[int, URL], rounds: int) -> list[Row]:
    times = _race(server, [(template, _settings) for template in templates.values()], rounds)
    return [
        (f"  microseconds per account, settings, {size:,} accounts", f"{taken / size * 1e6:.1f}", "the same for all")
        for size, taken in zip(templates, times, strict=True)
    ]


def _against_orms(server: URL, template: URL, count: int, rounds: int) -> list[Row]:
    ours, orm = _race(server, [(template, _settings), (template, by_orm)], min(rounds, 2))
    django = "not installed"
    if has_django():
        (taken,) = _race(server, [(template, by_django)], 1)
        django = f"{taken / ours:.1f}"
    return [
        (f"  {count:,} accounts: x faster than SQLAlchemy's ORM", f"{orm / ours:.1f}", "at least 10"),
        (f"  {count:,} accounts: x faster than Django's bulk_update", django, "at least 40"),
    ]


def _memory(server: URL, templates: dict[int, URL], sizes: tuple[int, int]) -> list[Row]:
    few, many = (_peak(server, templates[size]) for size in sizes)
    return [
        (f"  MiB at most, planning and applying, {sizes[0]:,} accounts", f"{few:.0f}", "at most 150"),
        (f"  MiB at most, planning and applying, {sizes[1]:,} accounts", f"{many:.0f}", "at most 150"),
        ("    x as much", f"{many / few:.2f}", "at most 1.1"),
    ]


def _peak(server: URL, template: URL) -> float:
    """The most memory, in MiB, that a process held which only plans and applies."""
    with copied(server, template) as url:
        command = [sys.executable, __file__, "--peak", url.render_as_string(hide_password=False)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _second_batch(server: URL, alone: URL, count: int, rounds: int) -> list[Row]:
    second: list[float] = []

    def both(url: URL) -> float:
        first = run(url, SETTINGS).total
        second.append(run(url, SETTINGS, batch="C").total)
        return first

    with empty(server) as beside:
        fill(beside, (account for batch in "BC" for account in stream_accounts(count, batch=batch)))
        single, first = _race(server, [(alone, _settings), (beside, both)], rounds)
    return [
        (f"  {count:,} accounts beside a batch of as many, x alone", f"{first / single:.2f}", "1"),
        ("    then that other batch, x alone", f"{min(second) / single:.2f}", "1"),
    ]


def _store(url: URL) -> SqlStore:
    return SqlStore(url.render_as_string(hide_password=False))


def _report_peak(url: URL) -> None:
    run(url, SETTINGS)
    # A process inherits the ru_maxrss of the one that started it; this is its own.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    assert found, status
    print(int(found[1]) / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--peak", action="store_true", help="plan and apply there, and print the most memory held")
    parser.add_argument("urls", nargs="+", type=make_url, metavar="URL")
    given = parser.parse_args()
    for url in given.urls:
        if given.peak:
            _report_peak(url)
            continue
        for name, figure, target in compare(url, given.accounts, given.rounds):
            print(f"| {name:<95} | {figure:>8} | {target} |", flush=True)


if __name__ == "__main__":
    main()
