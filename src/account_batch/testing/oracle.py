"""Oracle: what a store has to hold, in plain dicts; a second opinion that shares no code with the library.

An account is a dict of its fields, with enums by their value; a filter and what is set are dicts of plain values too.
Only the settings below are known, and rules beyond them (other currencies, zones, products) are left to the tests of
the planner: here the storage is judged.

    blocked (True or False), terminated (True), activation (True: now), expiration (a date), addons (how, names),
    opening_balance, charge (amount, reference), refund (amount, None), all in USD, distributor (not charged), and the
    fields of ASSIGNED; None clears
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

__all__ = [
    "ASSIGNED",
    "COMMISSION",
    "Entry",
    "Row",
    "Settings",
    "Where",
    "after",
    "decide",
    "is_stale",
    "means",
    "reference_of",
]

Row: TypeAlias = dict[str, Any]
Where: TypeAlias = Mapping[str, Any]
Settings: TypeAlias = Mapping[str, Any]
Entry: TypeAlias = tuple[str, Decimal, str, str, str, str | None, str | None]
"""What is booked: kind, amount, currency, comment, internal comment, reference, distributor."""

COMMISSION = Decimal("0.15")
ASSIGNED = (
    *("blocked", "ivr_language", "associated_number", "availability_days", "charging_period", "unified_messaging"),
    *("time_zone", "role", "site", "product", "distributor"),
)
"""What is set as it is said."""
_FIELDS = {
    "expiration": "expiration_date",
    "activation": "state",
    "terminated": "state",
    "charge": "balance",
    "refund": "balance",
}
_ALWAYS_READ = ("batch", "customer", "state")


def means(where: Where, row: Row) -> bool:
    """Whether a filter means an account."""
    for name, wanted in where.items():
        match name:
            case "batch" | "customer" | "product" | "blocked":
                holds = row[name] == wanted
            case "control_numbers":
                holds = row["control_number"] is not None and row["control_number"] in wanted
            case "account_id":
                way, text = wanted
                ways = {
                    "starts_with": row["id"][: len(text)] == text,
                    "ends_with": row["id"][-len(text) :] == text,
                    "contains": text in row["id"],
                    "exactly": row["id"] == text,
                }
                holds = ways[way]
            case "status":
                holds = wanted == "any" or row["state"] == wanted
            case "registered":
                holds = row["registered"] is wanted
            case "used":
                holds = (row["first_used_on"] is not None) is wanted
            case _:
                holds = all(row[name].get(key) == value for key, value in wanted.items())
        if not holds:
            return False
    return "status" in where or row["state"] != "closed"


def decide(
    row: Row, settings: Settings, today: date, *, charged: bool
) -> tuple[str, dict[str, Any], tuple[Entry, ...]]:
    """What is planned for an account: its outcome, the new values, and what is booked.

    Args:
        row: The account.
        settings: What to set.
        today: In the customer's zone.
        charged: Whether it has a transaction with the reference of the charge.
    """
    opens = "activation" in settings and row["state"] == "inactive"
    new = {name: value for name, value in settings.items() if name in ASSIGNED}
    if opens:
        new |= {"state": "open", "activation_date": today}
    if "terminated" in settings:
        new["state"] = "closed"
    if "expiration" in settings:
        new["expiration_date"] = settings["expiration"]
    if "addons" in settings:
        how, names = settings["addons"]
        has = row["addons"]
        new["addons"] = {"assign": has | names, "replace": names, "remove": has - names}[how]
    money, booked = _move(row, settings, opens=opens)
    new = {name: value for name, value in (new | money).items() if value != row[name]}
    if row["state"] == "closed" or not _may_move(row, settings, charged=charged):
        return "refused", {}, ()
    return ("applied", new, booked) if new or booked else ("unchanged", {}, ())


def _move(row: Row, settings: Settings, *, opens: bool) -> tuple[dict[str, Decimal], tuple[Entry, ...]]:
    """The new amounts, and what is booked."""
    booked: list[Entry] = []
    opening = settings.get("opening_balance", row["opening_balance"])
    correction = opening - row["opening_balance"]
    balance = row["balance"] + correction
    for kind in ("charge", "refund"):
        if kind in settings:
            amount, reference = settings[kind]
            balance += amount if row["kind"] == "credit" else -amount
            booked.append((kind, amount, "USD", "fee", "ticket", reference, None))
    sold = opening if opens else correction if row["state"] == "open" else Decimal(0)
    if row["distributor"] is not None and sold:
        booked.append(("distributor_charge", sold * (1 - COMMISSION), "USD", "", "", None, row["distributor"]))
    return {"opening_balance": opening, "balance": balance}, tuple(booked)


def _may_move(row: Row, settings: Settings, *, charged: bool) -> bool:
    """Whether the money may move so."""
    correction = settings.get("opening_balance", row["opening_balance"]) - row["opening_balance"]
    if correction and (row["kind"] != "debit" or row["first_used_on"] is not None):
        return False
    if settings.keys() & {"charge", "refund"} and (row["kind"] == "voucher" or charged):
        return False
    return _covered(row, settings)


def after(row: Row, then: Row, new: Mapping[str, Any]) -> Row:
    """The account as a plan leaves it; the balance moves by as much as it was to move, whatever it is by now."""
    written = {**row, **new}
    if "balance" in new:
        written["balance"] = row["balance"] + new["balance"] - then["balance"]
    return written


def is_stale(
    then: Row, now: Row, new: Mapping[str, Any], where: Where, settings: Settings, *, charged: bool
) -> bool | None:
    """Whether an account that was to be changed has changed in what its decision rests on; None is not judged here.

    Args:
        then: The account when it was planned.
        now: The account as it is.
        new: The values that it was to get.
        where: The filter.
        settings: What to set.
        charged: Whether it got a transaction with the reference of the charge since.
    """
    differs = {name for name in then if then[name] != now[name]}
    if differs & set(_ALWAYS_READ) or charged:
        return True
    if "terminated" in settings:
        return not means(where, now)
    looked_at = {_FIELDS.get(setting, setting) for setting in settings} - {"balance", "addons"}
    if differs & (looked_at | (new.keys() & {"addons"})):
        return True
    if "balance" in differs and _covered(then, settings) != _covered(now, settings):
        return True
    if "first_used_on" in differs and "opening_balance" in new:
        return True
    unclear = {"addons"} if "addons" in settings else set()
    if settings.keys() & {"activation", "expiration", "opening_balance"}:
        unclear |= {"first_used_on", "blocked", "expiration_date", "opening_balance"}
    return None if differs & unclear else False


def reference_of(settings: Settings) -> str | None:
    """The reference of the charge, if there is one."""
    _, reference = settings.get("charge", (None, None))
    return reference if reference is None else str(reference)


def _covered(row: Row, settings: Settings) -> bool:
    """Whether the funds cover what is taken; what is owed covers everything."""
    taken = sum((settings[kind][0] for kind in ("charge", "refund") if kind in settings), Decimal(0))
    taken += row["opening_balance"] - settings.get("opening_balance", row["opening_balance"])
    return row["kind"] != "debit" or bool(row["balance"] >= taken)
