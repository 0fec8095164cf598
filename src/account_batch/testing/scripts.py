"""Scripts: scenarios that each show some clauses of the contract, on few accounts."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from account_batch.errors import InvalidValueError, StoreError
from account_batch.testing.doors import Doors
from account_batch.testing.oracle import Row, Settings, Where
from account_batch.testing.plain import row
from account_batch.testing.trial import Trial

__all__ = ["CHARGE", "SCRIPTS"]

_B: Where = {"batch": "B"}
CHARGE: Settings = {"charge": (Decimal("1.25"), "fee-1"), "ivr_language": "en"}
_EVERYTHING: Settings = {
    "blocked": True,
    "expiration": date(2027, 3, 28),
    "ivr_language": "en",
    "associated_number": "1800 ' \" % _ \\ ;--",
    "addons": ("assign", frozenset({"fax"})),
    "charge": (Decimal("0.00001"), "fee-1"),
}
_ODD = (
    *("44%", "44_", "441", "4410", "ab", "AB", "Ab ", "ab ", " ab", "a'b", 'a"b', "a\\b", "a;--", "a\tb"),
    *(
        "na\u00efve",
        "nai\u0308ve",
        "straße",
        "STRASSE",
        "👩‍👧",
        "\u200f\u05e9\u05dc\u05d5\u05dd\u200e",
        "NULL",
        "x" * 64,
    ),
)


_CLEAR: Settings = dict.fromkeys(
    [
        *("expiration", "ivr_language", "associated_number", "availability_days", "charging_period"),
        *("time_zone", "site", "distributor"),
    ]
)
_EACH: Sequence[Settings] = (
    *({name: value} for name, value in _EVERYTHING.items()),
    {"addons": ("replace", frozenset({"sms"}))},
    {"addons": ("replace", frozenset[str]())},
    {"addons": ("remove", frozenset({"sms"}))},
    {"blocked": False},
    {"activation": True},
    {"opening_balance": Decimal(7)},
    {"activation": True, "opening_balance": Decimal("12345.6788")},
    {"charge": (Decimal("1.00001"), None), "refund": (Decimal("0.5"), None)},
    {"expiration": date(2026, 12, 31)},
    {"expiration": date(2027, 7, 15)},
    {"expiration": date(9999, 12, 31)},
    {"availability_days": 30},
    {"charging_period": 12},
    {"unified_messaging": "yes"},
    {"time_zone": "Europe/Kyiv"},
    {"role": "default"},
    {"site": "lab"},
    {"product": "silver"},
    {"distributor": "south"},
    _CLEAR,
    _EVERYTHING,
)
_STALE_FOR: Sequence[Settings] = (
    {"ivr_language": "en"},
    {"associated_number": "1800"},
    {"addons": ("replace", frozenset({"fax"}))},
    {"charge": (Decimal("1.25"), "fee-1")},
    {"opening_balance": Decimal(2)},
    {"expiration": date(2027, 3, 28)},
    {"blocked": False, "charge": (Decimal(1), None)},
)
_OTHERS_WRITE: Sequence[dict[str, Any]] = (
    {"balance": Decimal(9)},
    {"balance": Decimal("0.5")},
    {"registered": True},
    {"contact": {"email": "x"}},
    {"custom_fields": {"a": "b"}},
    {"role": "boss"},
    {"blocked": True},
    {"ivr_language": "uk"},
    {"associated_number": "7"},
    {"addons": frozenset({"sms"})},
    {"expiration_date": date(2027, 1, 2)},
    {"first_used_on": date(2026, 11, 22)},
    {"state": "closed"},
    {"batch": "C"},
    {"customer": "Acme"},
)
_POLICIES: Sequence[dict[str, Any]] = ({"all_or_nothing": True}, {"canary": 2, "chunk_size": 1}, {"canary": 3})
_CHUNKS: Sequence[dict[str, Any]] = ({}, {"chunk_size": 2}, {"all_or_nothing": True})
_EDGES = (Decimal(10) ** 15, Decimal(9) * 10**13)
_MANY = 2_050


def _population() -> list[Row]:
    """Accounts of every kind and state, every field set somewhere, with odd ids and days on which clocks change."""
    days = [date(2026, 10, 25), date(2027, 3, 28), date(2026, 7, 15), date(2011, 12, 30), date(1969, 7, 20)]
    large = Decimal("123456789012.34567")
    rows = [
        row(
            name,
            control_number={5: None, 10: 9, 22: 2**31 - 1}.get(number, number),
            kind=("debit", "debit", "credit", "voucher")[number % 4],
            account_role=(None, "phone line")[number % 2],
            state=("open", "inactive", "open", "closed", "open")[number % 5],
            blocked=number % 3 == 0,
            registered=number % 2 == 0,
            opening_balance=(Decimal(5), Decimal(10), large, Decimal("0.0002"))[number % 4],
            balance=large if number == 17 else Decimal(number) * 9 / 8,
            activation_date=days[3] if number % 5 != 1 else None,
            expiration_date=(None, days[1], date(2027, 8, 1))[number % 3],
            availability_days=(None, 9000)[number % 2],
            first_used_on=(None, days[0], None)[number % 3],
            last_recharged_on=(None, days[2], days[4])[number % 3],
            product="Gold" if number == 7 else "gold",
            addons=frozenset([(), ("fax",), ("sms",), ("fax", "sms")][number % 4]),
            charging_period=(None, 6)[number % 2],
            associated_number=(None, "1800", " 1800 ")[number % 3],
            unified_messaging=("by_product", "yes", "no")[number % 3],
            ivr_language=(None, "en", "de")[number % 3],
            time_zone=(None, "Asia/Kathmandu")[number % 2],
            role=(None, "boss")[number % 2],
            site=(None, "hq")[number % 2],
            distributor=(None, "north")[number % 2],
            contact=({}, {"email": "a@b"}, {"email": " a@b"})[number % 3],
            custom_fields=({"n": "11"}, {"colour": "Red", "n": "1"})[number % 2],
        )
        for number, name in enumerate(_ODD, 1)
    ]
    others = [row("b-1", batch="b", control_number=1), row("c-1", batch="B ", control_number=2), row("d-1", batch=None)]
    others += [row("e-1", customer="Acme", control_number=1), row("f-1", customer="acme ", product="gold ")]
    return [*rows, *others, row("g-1", batch="C", currency="EUR", balance=Decimal("-0.00001"))]


def _numbered(count: int, **fields: Any) -> list[Row]:
    return [row(f"a{number}", control_number=number, balance=Decimal(10), **fields) for number in range(1, count + 1)]


def _searches() -> Iterator[Where]:
    yield {}
    yield {"status": "any"}
    for name, values in {
        "status": ("open", "inactive", "closed"),
        "batch": ("B", "b", "B ", "%", "nothing"),
        "customer": ("acme", "Acme", "acme "),
        "product": ("gold", "Gold", "gold "),
        "blocked": (True, False),
        "registered": (True, False),
        "used": (True, False),
        "contact": ({"email": "a@b"}, {"email": " a@b"}, {"email": "A@B"}, {"phone": "1"}),
        "custom_fields": ({"n": "1"}, {"colour": "red"}, {"colour": "Red", "n": "1"}),
        "control_numbers": (frozenset({1}), frozenset({2, 3, 4, 9}), frozenset({9, 10}), frozenset({2**31 - 1})),
    }.items():
        for value in values:
            yield {name: value, "status": "any"} if name != "status" else {name: value}
    for way in ("starts_with", "exactly", "contains", "ends_with"):
        for text in (
            "44",
            "%",
            "_",
            "a",
            "A",
            "ab",
            "b ",
            "'",
            '"',
            "\\",
            ";--",
            "\u00ef",
            "ß",
            "👧",
            "NULL",
            "x" * 64,
        ):
            yield {"account_id": (way, text), "status": "any"}
    yield {"batch": "B", "control_numbers": frozenset(range(2, 12)), "used": False, "blocked": False}


def _check_reading(doors: Doors) -> None:
    """Every criterion; and a store of nobody."""
    trial = Trial(doors, _population())
    for where in _searches():
        trial.find(where)
    Trial(doors, []).find({"status": "any"})


def _check_setting(settings: Settings, doors: Doors) -> None:
    """A setting, or many together, over accounts of every kind, in one chunk or in many, and again."""
    trial = Trial(doors, _population())
    number = trial.plan({"batch": "B", "status": "any", "customer": "acme"}, settings)
    trial.apply(number, chunk_size=3 if "charge" in settings else 10_000)
    trial.apply(number)
    trial.attempt_again(number)
    for where in ({"blocked": True}, {"status": "open"}, {"product": "silver"}, {"batch": "B", "used": False}):
        trial.find(where)


def _check_many(doors: Doors) -> None:
    """More accounts than fit in one statement, chunk or page of most storages."""
    for policy in ({"chunk_size": 700}, {"all_or_nothing": True}):
        trial = Trial(doors, _numbered(_MANY))
        trial.apply(trial.plan(_B, {"charge": (Decimal("0.01"), None)}), **policy)


def _check_staleness(settings: Settings, doors: Doors) -> None:
    """What others write makes exactly those stale whose facts it changes, also in the field that would be written."""
    blocked = "blocked" in settings
    rows = _numbered(len(_OTHERS_WRITE) + 2, opening_balance=Decimal(5), blocked=blocked)
    trial = Trial(doors, rows)
    number = trial.plan(_B, settings)
    for place, fields in enumerate(_OTHERS_WRITE, 1):
        trial.write(f"a{place}", **({"blocked": not blocked} if "blocked" in fields else fields))
    trial.apply(number, chunk_size=4)
    trial.apply(number)


def _check_frozen(doors: Doors) -> None:
    """The filter never adds a target, and only termination looks at it again."""
    where = {"batch": "B", "registered": True}
    for settings in ({"ivr_language": "en"}, {"terminated": True}):
        trial = Trial(doors, [*_numbered(3, registered=True), row("n", control_number=9)])
        number = trial.plan(where, settings)
        trial.write("n", registered=True)
        trial.write("a2", registered=False)
        trial.apply(number)
        trial.apply(number)


def _check_closed(doors: Doors) -> None:
    """A closed account stays as it is, whatever is planned, and whenever it was closed."""
    trial = Trial(doors, [*_numbered(3), row("z", control_number=4, state="closed")])
    first = trial.plan({"batch": "B", "status": "any"}, CHARGE)
    trial.apply(trial.plan({"batch": "B", "control_numbers": frozenset({2})}, {"terminated": True}))
    trial.apply(first)
    trial.apply(trial.plan({"batch": "B", "status": "any"}, {"terminated": True}))


def _check_two_plans(doors: Doors) -> None:
    """Plans over the same accounts are told apart, and a reference is charged once."""
    trial = Trial(doors, _numbered(6))
    first = trial.plan(_B, CHARGE)
    second = trial.plan({"batch": "B", "control_numbers": frozenset({1, 2, 3})}, CHARGE)
    third = trial.plan(_B, {"charge": (Decimal(1), None)})
    trial.apply(third, chunk_size=2, stop_after_chunks=1)
    trial.apply(second, stop_after_chunks=0)
    trial.apply(second, chunk_size=2)
    trial.apply(first, chunk_size=4)
    trial.apply(third)
    trial.apply(second)
    trial.apply(trial.plan(_B, CHARGE))


def _check_resuming(doors: Doors) -> None:
    """After a stop, a crash and an opening, what was done stays done, even if others undid it."""
    for chunks in (1, 2):
        trial = Trial(doors, _numbered(7))
        number = trial.plan(_B, CHARGE)
        trial.apply(number, chunk_size=2, stop_after_chunks=chunks)
        trial.crash(number, after_chunks=1, chunk_size=2)
        trial.write("a1", ivr_language=None, balance=Decimal(10))
        trial.write("a6", balance=Decimal("5.5"))
        trial.reopen()
        trial.apply(number, chunk_size=2)
        trial.reopen()
        trial.apply(number)
        trial.plan(_B, CHARGE)


def _check_references(doors: Doors) -> None:
    """A reference is charged once, whoever comes first; others that look like it are others; none is no reference."""
    trial = Trial(doors, _numbered(4))
    first, second = (trial.plan(_B, {"charge": (Decimal(1), "fee-1")}) for _ in range(2))
    trial.apply(first)
    trial.apply(second)
    trial.apply(trial.plan({**_B, "control_numbers": frozenset({1, 2})}, {"charge": (Decimal(1), "fee-2")}))
    for reference in ("Fee-2", "fee-2", "fee-2 ", None, None):
        trial.apply(trial.plan(_B, {"charge": (Decimal(1), reference)}))


def _check_together(doors: Doors) -> None:
    """Other workers and other writers come in between two chunks."""
    trial = Trial(doors, _numbered(7))
    number = trial.plan(_B, CHARGE)
    trial.apply(number, chunk_size=2, meanwhile=lambda: trial.apply(number, chunk_size=1))
    trial = Trial(doors, _numbered(7))
    number = trial.plan(_B, CHARGE)

    def write() -> None:
        trial.write("a6", ivr_language="uk")
        trial.write("a7", balance=Decimal("5.5"))

    trial.apply(number, chunk_size=2, meanwhile=write)


def _check_policy(stale: str | None, policy: dict[str, Any], doors: Doors) -> None:
    """All or nothing is nothing with one stale account; a canary that is not applied stops the rest."""
    trial = Trial(doors, _numbered(6))
    number = trial.plan(_B, CHARGE)
    if stale is not None:
        trial.write(stale, ivr_language="uk")
    trial.apply(number, **policy)
    trial.reopen()
    trial.apply(number, **policy)


def _check_rejections(edge: Decimal, policy: dict[str, Any], doors: Doors) -> None:
    """An account that becomes one that the storage cannot hold fails alone, and leaves nothing behind.

    Args:
        edge: What a balance stays below; a storage that ends before that is not tried.
        policy: How to apply.
        doors: To the store.
    """
    full = row("full", kind="credit", control_number=3, balance=edge - Decimal("0.5"))
    try:
        trial = Trial(doors, [*(one for one in _numbered(6) if one["id"] != "a3"), full])
    except (InvalidValueError, StoreError):
        return
    number = trial.plan(_B, CHARGE)
    trial.write("a5", ivr_language="uk")
    trial.apply(number, **policy)
    trial.reopen()
    trial.apply(number, **policy)


def _check_identity(doors: Doors) -> None:
    """Two stores are told apart, and one is the same each time it is asked."""
    first = Trial(doors, _numbered(1))
    first.reopen()
    identity = first.store.identity
    second = Trial(doors, _numbered(1))
    if second.store.identity == identity:
        second.fail("identity", "two stores that were made one after the other have the same identity")


SCRIPTS: Sequence[Callable[[Doors], None]] = (
    _check_reading,
    _check_identity,
    *(partial(_check_setting, settings) for settings in _EACH),
    _check_two_plans,
    _check_references,
    _check_together,
    _check_frozen,
    _check_closed,
    *(partial(_check_staleness, settings) for settings in _STALE_FOR),
    *(partial(_check_policy, stale, policy) for stale in (None, "a2", "a5") for policy in _POLICIES),
    *(partial(_check_rejections, edge, policy) for edge in _EDGES for policy in _CHUNKS),
    _check_resuming,
    _check_many,
)
