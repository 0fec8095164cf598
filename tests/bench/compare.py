"""Side by side, in one run: planning against a bare loop and against rules without the memo; memory; import time.

Run it with a number of accounts: python tests/bench/compare.py 1000000
"""

import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from time import perf_counter

from account_batch import (
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    ActivateOn,
    AssignAddons,
    Batch,
    Catalog,
    Charge,
    Customer,
    Distributor,
    ExpireOn,
    MemoryStore,
    Money,
    Product,
    Site,
    StatusChange,
    Subscription,
    UpdateSpec,
    plan_update,
)
from account_batch.plan import Plan
from account_batch.questions import Facts, HasTransaction, answer
from account_batch.rules import Request, decide, questions

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TODAY = date(2026, 11, 23)
CATALOG = Catalog(
    customers=[Customer(id="c", billing_time_zone="Europe/Kyiv"), Customer(id="d", billing_time_zone="Asia/Tokyo")],
    batches=[Batch(id="B", customer="c")],
    products=[
        Product(
            id="gold",
            currency="USD",
            allowed_addons=["a", "b"],
            subscription=Subscription(in_advance=True, prepaid_months=[6]),
        ),
        Product(id="silver", currency="USD", allowed_addons=["a", "b"]),
        Product(id="a", currency="USD", is_addon=True),
        Product(id="b", currency="USD", is_addon=True),
    ],
    sites=[Site(id="s", customer="c")],
    distributors=[Distributor(id="kiosk", currency="USD", commission="0.15")],
    roles=["default", "limited"],
    ivr_languages=["en", "es"],
)
RUNNING = UpdateSpec(
    expiration=ExpireOn("2027-12-01"),
    availability_days=120,
    status=StatusChange.UNBLOCKED,
    charge=Charge(Money("1.00", "USD"), reference="fee-2026"),
    product="gold",
    addons=AssignAddons(["a"]),
    ivr_language="en",
    role="default",
)
FRESH = UpdateSpec(
    activation=ActivateOn("2026-12-01"),
    expiration=ExpireOn("2027-12-01"),
    opening_balance=Money("15.00", "USD"),
    charge=Charge(Money("1.00", "USD")),
    product="gold",
    site="s",
    time_zone="Asia/Tokyo",
    distributor="kiosk",
)
WHERE = AccountFilter(batch="B")


def make_accounts(count: int) -> list[Account]:
    """Accounts of one batch with three raw dates each, the same for the same count."""
    draw = random.Random(count)
    return [make_account(draw, number) for number in range(1, count + 1)]


def make_account(draw: random.Random, number: int) -> Account:
    """An account as it might be."""
    is_open = draw.random() < 0.8
    used = TODAY - timedelta(days=draw.randrange(60)) if is_open and draw.random() < 0.5 else None
    return Account(
        id=f"44{number:010}",
        batch="B",
        control_number=number,
        customer="c",
        kind=AccountKind.CREDIT if draw.random() < 0.1 else AccountKind.DEBIT,
        state=AccountState.OPEN if is_open else AccountState.INACTIVE,
        blocked=draw.random() < 0.05,
        currency="USD",
        opening_balance=Decimal(draw.choice((5, 10, 20))),
        balance=Decimal(draw.randrange(3000)) / 100,
        activation_date=TODAY - timedelta(days=draw.randrange(30)) if is_open else None,
        expiration_date=draw.choice((None, TODAY + timedelta(days=30 * draw.randrange(-3, 12)))),
        first_used_on=used,
        availability_days=draw.choice((None, 90)),
        product=draw.choice(("gold", "silver")),
        addons=frozenset(draw.choice(("", "a", "ab"))),
        ivr_language=draw.choice((None, "en")),
        role="default",
    )


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The shortest of a few runs: noise only ever adds."""
    best = float("inf")
    for _ in range(times):
        start = perf_counter()
        work()
        best = min(best, perf_counter() - start)
    return best


def bare_loop(accounts: Iterable[Account], spec: UpdateSpec) -> Callable[[], object]:
    """Fetch the attributes behind the facts, the balance aside, look the tuple up, append."""
    asked = questions(Request(spec=spec, catalog=CATALOG, now=NOW))
    reads = (question.reads for question in asked if not isinstance(question, HasTransaction))
    fetch = attrgetter(*sorted({field for fields in reads for field in fields} - {"balance"}))

    def loop() -> object:
        known: dict[object, int] = {}
        found = []
        for account in accounts:
            key = fetch(account)
            number = known.get(key)
            if number is None:
                number = known[key] = len(known)
            found.append(number)
        return found

    return loop


def plan(store: MemoryStore, spec: UpdateSpec) -> Plan:
    """What is measured."""
    return plan_update(store, WHERE, spec, catalog=CATALOG, now=NOW)


def without_memo(accounts: Iterable[Account], spec: UpdateSpec) -> None:
    """The same rules, run per account."""
    request = Request(spec=spec, catalog=CATALOG, now=NOW)
    for account in accounts:
        decide(Facts(lambda question, account=account: answer(question, account, lambda *_: False)), request)  # type: ignore[misc]  # mypy cannot infer a lambda with a default.


def bytes_per_account(store: MemoryStore, spec: UpdateSpec) -> tuple[float, float]:
    """What the finished plan holds, and the most that planning held, per account beyond the accounts."""
    tracemalloc.start()
    made = plan(store, spec)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(made.targets), most / len(made.targets)


def import_ratio() -> float:
    """The time of importing the library by that of importing its dependencies, the interpreter's start aside."""
    # Byte code is kept, as it is for everybody who installs the library.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def start(code: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True, env=environment), times=9)

    nothing = start("pass")
    return (start("import account_batch") - nothing) / (start("import attrs, cattrs, pendulum") - nothing)


def compare(count: int) -> list[tuple[str, str, str]]:
    """Rows of what was measured, the figure and the target."""
    accounts = make_accounts(count)
    store = MemoryStore(accounts)
    rows = []
    for name, spec in (("a running batch", RUNNING), ("a fresh batch", FRESH)):
        bare, planned = seconds(bare_loop(accounts, spec)), seconds(lambda spec=spec: plan(store, spec))  # type: ignore[misc]  # mypy cannot infer a lambda with a default.
        sample: Sequence[Account] = accounts[: min(count, 20_000)]
        slow = seconds(lambda sample=sample, spec=spec: without_memo(sample, spec), 1) * count / len(sample)  # type: ignore[misc]  # See above.
        groups = len(plan(store, spec).groups)
        held, most = bytes_per_account(store, spec)
        rows += [
            (f"{count:,} accounts, {name}: planning, seconds ({groups} decisions)", f"{planned:.2f}", ""),
            ("  x the bare loop", f"{planned / bare:.2f}", "at most 3"),
            ("  x faster than the rules per account", f"{slow / planned:.0f}", "at least 10"),
            ("  microseconds per account", f"{planned / count * 1e6:.2f}", "the same for every count"),
            ("  bytes per account, finished plan", f"{held:.0f}", "at most 200"),
            ("  bytes per account, most while planning", f"{most:.0f}", "at most 200"),
        ]
    return rows


def main() -> None:
    """Measure and print."""
    rows = [row for count in map(int, sys.argv[1:]) for row in compare(count)]
    rows.append(("import account_batch, x importing attrs, cattrs and pendulum", f"{import_ratio():.2f}", "at most 2"))
    for name, figure, target in rows:
        print(f"| {name:<75} | {figure:>7} | {target} |")


if __name__ == "__main__":
    main()
