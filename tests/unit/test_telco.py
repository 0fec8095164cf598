"""A real population: the numbers are computed here from the CSV in plain Python, and compared with the library's."""

import csv
import functools
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from account_batch import (
    AccountFilter,
    EffectKind,
    MemoryStore,
    Money,
    NoteCode,
    Outcome,
    Plan,
    RefusalCode,
    StatusFilter,
    TransactionKind,
    UpdateSpec,
    plan_update,
)
from account_batch.cli import main
from account_batch.codec.accounts import read_accounts, write_accounts
from telco import (
    ACTIVATE,
    AMOUNTS,
    BATCHES,
    CHARGES,
    CORRECT,
    FOLDER,
    MOVE,
    NOW,
    PROLONG,
    TERMINATE,
    accounts,
    catalog,
    needs_telco,
)

_TODAY = "2026-11-23"  # In New York, in Los Angeles and in Kyiv.

pytestmark = needs_telco


@functools.cache
def _rows() -> list[dict[str, str]]:
    with (FOLDER / "accounts.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _alive(batch: str) -> list[dict[str, str]]:
    """The rows of a batch that are not closed."""
    return [row for row in _rows() if row["batch"] == batch and row["state"] != "closed"]


def _plan(where: AccountFilter, spec: UpdateSpec) -> Plan:
    return plan_update(MemoryStore(accounts()), where, spec, catalog=catalog(), now=NOW)


def _counts(plan: Plan) -> tuple[int, int, int]:
    """How many accounts change, stay as they are, and are refused."""
    totals = plan.totals.counts
    return totals[Outcome.APPLIED], totals[Outcome.UNCHANGED], totals[Outcome.REFUSED]


def _number(row: dict[str, str]) -> int:
    return int(row["control_number"])


def test_the_population_is_read() -> None:
    """All accounts are there, with the values of their rows."""
    assert len(accounts()) == len(_rows()) == 7043
    for account, row in zip(accounts(), _rows(), strict=True):
        assert (account.id, account.batch, account.control_number) == (row["id"], row["batch"], _number(row))
        assert (account.balance, account.opening_balance) == (Decimal(row["balance"]), Decimal(row["opening_balance"]))
        assert (account.kind.value, account.state.value) == (row["kind"], row["state"])
        assert (account.blocked, account.registered) == (row["blocked"] == "yes", row["registered"] == "yes")
        assert "|".join(sorted(account.addons)) == row["addons"]
        dates = (account.activation_date, account.expiration_date, account.first_used_on)
        written = (row["activation_date"], row["expiration_date"], row["first_used_on"])
        assert dates == tuple(date.fromisoformat(day) if day else None for day in written)


def test_the_population_round_trips() -> None:
    """All accounts that were written are read back as they were, and written again as the same text."""
    file = io.StringIO(newline="")
    write_accounts(accounts(), file)
    again = list(read_accounts(io.StringIO(file.getvalue(), newline="")))
    assert again == accounts()
    second = io.StringIO(newline="")
    write_accounts(again, second)
    assert second.getvalue() == file.getvalue()


def test_a_written_population_has_the_cells_of_the_original() -> None:
    """Every cell of the original is in what is written, in the column of the same name."""
    file = io.StringIO(newline="")
    write_accounts(accounts(), file)
    written = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    for row, again in zip(_rows(), written, strict=True):
        assert row.items() - again.items() <= {("contact.city", "")}


@functools.cache
def _prolong() -> Plan:
    return _plan(*PROLONG)


def test_prolonging_revives_the_expired() -> None:
    """Every account that is not closed gets the new date; those whose date had come are revived."""
    plan, rows = _prolong(), _alive("Month-to-month")
    revived = [row for row in rows if row["expiration_date"] and row["expiration_date"] <= _TODAY]
    assert revived
    assert _counts(plan) == (len(rows), 0, 0)
    assert plan.totals.effects == {EffectKind.REVIVED: len(revived)}
    found = [change.control_number for change in plan.changes if change.effects]
    assert found == sorted(map(_number, revived))


def test_revived_accounts_that_are_blocked_stay_blocked() -> None:
    """A revived account that is blocked is noted, and no other is."""
    rows = [row for row in _alive("Month-to-month") if "" < row["expiration_date"] <= _TODAY]
    noted = [change.control_number for change in _prolong().changes if change.notes]
    assert noted == sorted(_number(row) for row in rows if row["blocked"] == "yes")
    assert {note for change in _prolong().changes for note in change.notes} <= {NoteCode.STILL_BLOCKED}


def test_prolonging_shows_old_and_new_dates() -> None:
    """Each change goes from the date of the row to the new one, and touches nothing else."""
    before = {_number(row): row["expiration_date"] for row in _alive("Month-to-month")}
    for change in _prolong().changes:
        [field] = change.fields
        assert change.control_number is not None
        old = before[change.control_number]
        assert (field.field, field.before, field.after) == (
            "expiration_date",
            date.fromisoformat(old) if old else None,
            date(2027, 6, 30),
        )


@functools.cache
def _correct(amount: str) -> Plan:
    return _plan(*CORRECT[amount])


def _opening_refusals(row: dict[str, str], amount: Decimal) -> set[RefusalCode]:
    """Why the opening balance of a row cannot become this amount."""
    before = Decimal(row["opening_balance"])
    if before == amount:
        return set()
    codes = set()
    if row["kind"] != "debit":
        codes.add(RefusalCode.NOT_DEBIT)
    elif Decimal(row["balance"]) + amount - before < 0:
        codes.add(RefusalCode.INSUFFICIENT_FUNDS)
    if row["first_used_on"]:
        codes.add(RefusalCode.ALREADY_USED)
    return codes


_amounts = pytest.mark.parametrize("amount", AMOUNTS)


@_amounts
def test_opening_balances_are_corrected_where_they_may(amount: str) -> None:
    """Used accounts, credit accounts and those without the funds are refused with every reason that holds."""
    plan = _correct(amount)
    expected = {_number(row): _opening_refusals(row, Decimal(amount)) for row in _alive("Two year")}
    refused = {number: codes for number, codes in expected.items() if codes}
    unchanged = [_number(row) for row in _alive("Two year") if Decimal(row["opening_balance"]) == Decimal(amount)]
    assert {item.control_number: item.codes for item in plan.refused} == refused
    assert [item.control_number for item in plan.unchanged] == sorted(unchanged)
    assert _counts(plan) == (len(expected) - len(refused) - len(unchanged), len(unchanged), len(refused))
    assert plan.totals.refusals == Counter(code for codes in refused.values() for code in codes)


@_amounts
def test_a_corrected_opening_balance_moves_the_balance(amount: str) -> None:
    """The balances move by the differences, and nothing is booked."""
    plan = _correct(amount)
    wanted = Decimal(amount)
    rows = {_number(row): row for row in _alive("Two year") if not _opening_refusals(row, wanted)}
    difference = Decimal(0)
    for change in plan.changes:
        assert change.control_number is not None
        row = rows[change.control_number]
        shift = wanted - Decimal(row["opening_balance"])
        difference += shift
        assert {field.field: (field.before, field.after) for field in change.fields} == {
            "opening_balance": (Decimal(row["opening_balance"]), wanted),
            "balance": (Decimal(row["balance"]), Decimal(row["balance"]) + shift),
        }
        assert change.transactions == ()
    assert plan.changes
    assert plan.totals.opening_difference == {"USD": Money(difference, "USD")}
    assert plan.totals.money == {}


_said = pytest.mark.parametrize("charge", CHARGES)


@functools.cache
def _activate(*, charge: bool | None) -> Plan:
    return _plan(*ACTIVATE[charge])


def _owed(row: dict[str, str]) -> Decimal:
    """What the kiosk, with a commission of 15 percent, owes for a row; the batch has no commission of its own."""
    return (Decimal(row["opening_balance"]) * Decimal("0.85")).quantize(Decimal("0.00001"), rounding=ROUND_HALF_UP)


def _charged(row: dict[str, str], *, charge: bool | None) -> Decimal:
    """What the kiosk is charged at once when a row is handed to it."""
    return _owed(row) if row["state"] == "open" and charge is True else Decimal(0)


def _unclear(row: dict[str, str], *, charge: bool | None) -> bool:
    """Whether it has to be said if the kiosk pays for a row: it is open, was used, and an amount would arise."""
    return row["state"] == "open" and charge is None and bool(row["first_used_on"]) and _owed(row) > 0


@_said
def test_open_accounts_need_to_know_who_pays(*, charge: bool | None) -> None:
    """Used accounts for which an amount would arise are refused until it is said whether the distributor pays."""
    plan, rows = _activate(charge=charge), _alive("Two year")
    unclear = [_number(row) for row in rows if _unclear(row, charge=charge)]
    assert [item.control_number for item in plan.refused] == sorted(unclear)
    assert _counts(plan) == (len(rows) - len(unclear), 0, len(unclear))
    assert plan.totals.refusals == ({RefusalCode.DISTRIBUTOR_CHARGE_UNCLEAR: len(unclear)} if unclear else {})
    assert bool(unclear) is (charge is None)


@_said
def test_charges_are_those_of_the_commission(*, charge: bool | None) -> None:
    """Each account is charged for by its own opening balance, and the totals are the sums."""
    plan = _activate(charge=charge)
    rows = {_number(row): row for row in _alive("Two year") if not _unclear(row, charge=charge)}
    expected = {number: amount for number, row in rows.items() if (amount := _charged(row, charge=charge))}
    booked = {
        change.control_number: transaction.amount.amount
        for change in plan.changes
        for transaction in change.transactions
    }
    assert booked == expected
    later = sum((_owed(row) for row in rows.values() if row["state"] == "inactive"), Decimal(0))
    total = sum(expected.values(), Decimal(0))
    distributor = plan.totals.distributors["kiosk"]
    assert (distributor.booked, distributor.scheduled) == (Money(total, "USD"), Money(later, "USD"))
    assert later > 0
    assert plan.totals.money == (
        {("USD", TransactionKind.DISTRIBUTOR_CHARGE): Money(total, "USD")} if charge is True else {}
    )


@_said
def test_the_kiosk_has_a_credit_limit(*, charge: bool | None) -> None:
    """What is booked and scheduled is held against the limit of 5000, which the whole batch is beyond."""
    plan = _activate(charge=charge)
    rows = [row for row in _alive("Two year") if not _unclear(row, charge=charge)]
    total = sum(
        (_owed(row) if row["state"] == "inactive" else _charged(row, charge=charge) for row in rows), Decimal(0)
    )
    assert plan.totals.distributors["kiosk"].over_limit is (total > 5000) is (charge is True)
    assert any("credit limit" in warning for warning in plan.warnings) is (charge is True)


@_said
def test_activation_on_a_day_schedules_the_inactive(*, charge: bool | None) -> None:
    """Inactive accounts are scheduled for the first instant of the day in Kyiv; open ones are noted."""
    plan = _activate(charge=charge)
    rows = [row for row in _alive("Two year") if not _unclear(row, charge=charge)]
    inactive = sorted(_number(row) for row in rows if row["state"] == "inactive")
    scheduled = {
        change.control_number: effect.at
        for change in plan.changes
        for effect in change.effects
        if effect.kind is EffectKind.ACTIVATION_SCHEDULED
    }
    assert scheduled == dict.fromkeys(inactive, datetime(2026, 11, 30, 22, tzinfo=UTC))
    paid_later = [row for row in rows if row["state"] == "inactive" and _owed(row)]
    booked = [row for row in rows if _charged(row, charge=charge)]
    effects = {
        EffectKind.ACTIVATION_SCHEDULED: len(inactive),
        EffectKind.DISTRIBUTOR_CHARGE_SCHEDULED: len(paid_later),
        EffectKind.DISTRIBUTOR_CHARGED: len(booked),
    }
    assert plan.totals.effects == {kind: count for kind, count in effects.items() if count}
    opened = sorted(_number(row) for row in rows if row["state"] == "open")
    noted = [change.control_number for change in plan.changes if NoteCode.ALREADY_ACTIVE in change.notes]
    assert noted == opened


@_said
def test_a_dated_plan_ends_with_the_day_in_kyiv(*, charge: bool | None) -> None:
    """The plan is valid until the first instant of tomorrow for the customer of its accounts."""
    assert _activate(charge=charge).valid_until == datetime(2026, 11, 23, 22, tzinfo=UTC)


@functools.cache
def _move() -> Plan:
    return _plan(*MOVE)


def test_moving_to_a_product_without_addons_needs_none() -> None:
    """Accounts on fiber move to phone-only unless they keep add-ons, which that product does not allow."""
    rows = [row for row in _alive("One year") if row["product"] == "fiber"]
    kept = {_number(row): row["addons"].split("|") for row in rows if row["addons"]}
    plan = _move()
    assert _counts(plan) == (len(rows) - len(kept), 0, len(kept))
    assert len(rows) > len(kept) > 0
    assert plan.totals.refusals == {RefusalCode.ADDON_NOT_ALLOWED: len(kept)}
    assert plan.totals.effects == {EffectKind.SUBSCRIPTION_STARTS: len(rows) - len(kept)}
    assert [change.control_number for change in plan.changes] == sorted(
        _number(row) for row in rows if not row["addons"]
    )


def test_a_refused_move_names_the_addons() -> None:
    """The refusal of each account names exactly the add-ons that it keeps."""
    rows = {_number(row): row for row in _alive("One year")}
    for item in _move().refused:
        assert item.control_number is not None
        row = rows[item.control_number]
        [reason] = item.reasons
        assert reason.detail.rpartition(": ")[2].split(", ") == row["addons"].split("|")


_each_batch = pytest.mark.parametrize("batch", BATCHES)


def _terminate(batch: str) -> Plan:
    return _plan(*TERMINATE[batch, StatusFilter.ALL_EXCEPT_CLOSED])


def _first_fifty(batch: str) -> Iterator[dict[str, str]]:
    return (row for row in _rows() if row["batch"] == batch and _number(row) <= 50)


@_each_batch
def test_a_termination_shows_what_it_strands(batch: str) -> None:
    """Funds left on debit accounts and debts of credit accounts are summed, and the registered ones counted."""
    plan = _terminate(batch)
    ends = [row for row in _first_fifty(batch) if row["state"] != "closed"]
    left: dict[str, Decimal] = {"debit": Decimal(0), "credit": Decimal(0)}
    for row in ends:
        left[row["kind"]] += max(Decimal(row["balance"]), Decimal(0))
    assert _counts(plan) == (len(ends), 0, 0)
    assert plan.totals.effects == {EffectKind.TERMINATED: len(ends)}
    assert plan.totals.stranded_funds == {"USD": Money(left["debit"], "USD")}
    assert plan.totals.stranded_debts == {"USD": Money(left["credit"], "USD")}
    assert plan.totals.registered == sum(row["registered"] == "yes" for row in ends)


@_each_batch
def test_a_termination_passes_over_the_closed(batch: str) -> None:
    """Closed accounts are not selected, and the plan names their control numbers."""
    plan = _terminate(batch)
    closed = sorted(_number(row) for row in _first_fifty(batch) if row["state"] == "closed")
    assert closed
    assert plan.absent is None
    [warning] = plan.warnings
    assert warning.startswith("control numbers that the other criteria do not select: ")
    named = [item.split("-") for item in warning.rpartition(": ")[2].split(",")]
    assert [number for item in named for number in range(int(item[0]), int(item[-1]) + 1)] == closed


@_each_batch
def test_the_closed_are_refused_where_they_are_selected(batch: str) -> None:
    """A filter for any state selects closed accounts as well, and terminated is final."""
    plan = _plan(*TERMINATE[batch, StatusFilter.ANY])
    closed = sum(row["state"] == "closed" for row in _first_fifty(batch))
    assert _counts(plan) == (50 - closed, 0, closed)
    assert plan.totals.refusals == {RefusalCode.ACCOUNT_TERMINATED: closed}


@pytest.mark.parametrize("charge", ["", ", charge = true", ", charge = false"])
def test_the_command_line_counts_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str], charge: str) -> None:
    """A preview of the files prints the numbers of the plan."""
    request = tmp_path / "request.toml"
    request.write_text(
        f'[filter]\nbatch = "Two year"\n[update]\nactivation = "2026-12-01"\ndistributor = {{ id = "kiosk"{charge} }}\n'
    )
    files = ["--accounts", str(FOLDER / "accounts.csv"), "--catalog", str(FOLDER / "catalog.toml")]
    assert main(["preview", str(request), *files, "--now", "2026-11-23T10:00:00Z", "--json"]) == 0
    document: Any = json.loads(capsys.readouterr().out)
    plan = _activate(charge={"": None, ", charge = true": True, ", charge = false": False}[charge])
    assert tuple(document["counts"].values()) == _counts(plan)
    assert document["effects"] == {kind.name: count for kind, count in plan.totals.effects.items()}
    assert document["refusals"] == {code.name: count for code, count in plan.totals.refusals.items()}
    assert document["digest"] == plan.digest
