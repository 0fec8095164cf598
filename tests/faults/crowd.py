"""Many like accounts, of which it is plain to see whether each was changed and charged exactly once."""

from collections import Counter
from decimal import Decimal

from account_batch import Account, AccountFilter, AssignAddons, Charge, Outcome, RemoveAddons, UpdateSpec
from account_batch.report import Report
from account_batch.stores.sql import SqlStore
from sameness import EVERYBODY
from world import account, usd

__all__ = ["BATCH", "FEE", "FUNDS", "campaign", "check_accounts", "check_campaigns", "check_ledger", "crowd", "numbers"]

BATCH = AccountFilter(batch="SUMMER-2026")
FUNDS = Decimal(1000)
FEE = Decimal("0.01")


def crowd(size: int) -> list[Account]:
    """So many accounts with a thousand dollars each."""
    return [
        account(id=f"c{number:05}", control_number=number, balance=FUNDS, addons={"premium"} if number % 3 == 0 else ())
        for number in range(1, size + 1)
    ]


def campaign(turn: int, reference: str | None = None) -> UpdateSpec:
    """The turn-th campaign, from 1: it takes a cent and leaves its number, and every other one gives an add-on."""
    return UpdateSpec(
        charge=Charge(usd(str(FEE)), comment=f"turn {turn}", reference=reference),
        associated_number=str(turn),
        addons=AssignAddons({"voicemail"}) if turn % 2 else RemoveAddons({"voicemail"}),
    )


def check_accounts(store: SqlStore, turns: int, size: int) -> None:
    """Every account is as so many campaigns leave it, each applied exactly once."""
    found = list(store.find(EVERYBODY))
    assert len(found) == size
    added = {"voicemail"} if turns % 2 else set()
    for one in found:
        assert one.balance == FUNDS - turns * FEE
        assert one.associated_number == str(turns)
        assert one.addons == added | ({"premium"} if (one.control_number or 0) % 3 == 0 else set())


def check_ledger(store: SqlStore, plan_id: str, turn: int, size: int) -> None:
    """A campaign charged every account once."""
    entries = list(store.transactions(plan_id))
    assert Counter(entry.account_id for entry in entries) == {one.id: 1 for one in crowd(size)}
    assert sum(entry.amount.amount for entry in entries) == size * FEE
    assert {entry.comment for entry in entries} == {f"turn {turn}"}


def check_campaigns(store: SqlStore, plan_ids: list[str], size: int) -> None:
    """Every account was changed and charged by every campaign exactly once, and by nothing else."""
    check_accounts(store, len(plan_ids), size)
    for turn, plan_id in enumerate(plan_ids, 1):
        check_ledger(store, plan_id, turn, size)


def numbers(report: Report, outcome: Outcome) -> set[int | None]:
    """The control numbers of the accounts that came to an outcome."""
    return {item.control_number for item in report.outcomes if item.outcome is outcome}
