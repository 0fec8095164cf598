"""The telco population and catalog that lie beside the checkout, and the requests that tests make of them."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from account_batch import (
    Account,
    AccountFilter,
    ActivateOn,
    AssignDistributor,
    Catalog,
    ExpireOn,
    Money,
    StatusChange,
    StatusFilter,
    UpdateSpec,
)
from account_batch.codec.accounts import read_accounts
from account_batch.codec.catalog import parse_catalog

__all__ = [
    "ACTIVATE",
    "AMOUNTS",
    "BATCHES",
    "CHARGES",
    "CORRECT",
    "FOLDER",
    "MOVE",
    "NOW",
    "PROLONG",
    "REQUESTS",
    "TERMINATE",
    "accounts",
    "catalog",
    "needs_telco",
]

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "telco"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
AMOUNTS = ("0", "19.85", "60.00", "1.00001")
BATCHES = ("Month-to-month", "One year", "Two year")
CHARGES = (None, True, False)

needs_telco = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"needs the telco data, which is not at {FOLDER}")

_Request = tuple[AccountFilter, UpdateSpec]

PROLONG: _Request = AccountFilter(batch="Month-to-month"), UpdateSpec(expiration=ExpireOn("2027-06-30"))
CORRECT: Mapping[str, _Request] = {
    amount: (AccountFilter(batch="Two year"), UpdateSpec(opening_balance=Money(amount, "USD"))) for amount in AMOUNTS
}
ACTIVATE: Mapping[bool | None, _Request] = {
    charge: (
        AccountFilter(batch="Two year"),
        UpdateSpec(activation=ActivateOn("2026-12-01"), distributor=AssignDistributor("kiosk", charge=charge)),
    )
    for charge in CHARGES
}
MOVE: _Request = AccountFilter(batch="One year", product="fiber"), UpdateSpec(product="phone-only")
TERMINATE: Mapping[tuple[str, StatusFilter], _Request] = {
    (batch, status): (
        AccountFilter(batch=batch, control_numbers="1-50", status=status),
        UpdateSpec(status=StatusChange.TERMINATED),
    )
    for batch, status in product(BATCHES, (StatusFilter.ALL_EXCEPT_CLOSED, StatusFilter.ANY))
}
REQUESTS: Mapping[str, _Request] = {
    "prolong": PROLONG,
    **{f"correct to {amount}": request for amount, request in CORRECT.items()},
    **{f"activate, charge {charge}": request for charge, request in ACTIVATE.items()},
    "move": MOVE,
    **{f"terminate {batch}, {status.value}": request for (batch, status), request in TERMINATE.items()},
}


@functools.cache
def accounts() -> list[Account]:
    """All accounts, in the order of the file."""
    with (FOLDER / "accounts.csv").open(newline="", encoding="utf-8-sig") as lines:
        return list(read_accounts(lines))


@functools.cache
def catalog() -> Catalog:
    """What they point at."""
    return parse_catalog((FOLDER / "catalog.toml").read_text(encoding="utf-8"))
