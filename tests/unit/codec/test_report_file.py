import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Product
from account_batch.codec.report import dump_report, write_report
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.filters import AccountFilter
from account_batch.money import Money
from account_batch.plan import Plan
from account_batch.planner import plan_update
from account_batch.report import Report
from account_batch.spec import ActivateNow, AssignAddons, Charge, ExpireOn, StatusChange, UpdateSpec
from account_batch.stores.memory import MemoryStore

_NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
_CATALOG = Catalog(
    customers=[Customer(id="acme", billing_time_zone="America/New_York")],
    batches=[Batch(id="SUMMER-2026", customer="acme")],
    products=[
        Product(id="gold", currency="USD", allowed_addons=["fax", "voicemail"]),
        Product(id="fax", currency="USD", is_addon=True),
        Product(id="voicemail", currency="USD", is_addon=True),
    ],
)
_OPEN = Account(
    id="=4477",
    batch="SUMMER-2026",
    control_number=1,
    customer="acme",
    kind=AccountKind.DEBIT,
    currency="USD",
    product="gold",
    balance="1.00",
    addons={"voicemail"},
    expiration_date="2026-12-31",
)
_ACCOUNTS = [
    _OPEN,
    attrs.evolve(_OPEN, id="2", control_number=2, balance="0.50", state=AccountState.INACTIVE, expiration_date=None),
    attrs.evolve(_OPEN, id="3", control_number=3, balance="9", state=AccountState.INACTIVE, addons=()),
    attrs.evolve(_OPEN, id="4", control_number=None, balance="9"),
    attrs.evolve(_OPEN, id="5", control_number=5, kind=AccountKind.CREDIT, balance="999999999999999", addons=()),
    attrs.evolve(_OPEN, id="6", control_number=6, state=AccountState.CLOSED, kind=AccountKind.VOUCHER),
]
_SPEC = UpdateSpec(
    activation=ActivateNow(),
    expiration=ExpireOn("2027-12-01"),
    status=StatusChange.UNBLOCKED,
    charge=Charge(Money("1.00", "USD")),
    addons=AssignAddons({"fax"}),
    unified_messaging=UnifiedMessaging.NO,
)

_ON = ApplyPolicy()


def _run(policy: ApplyPolicy = _ON, spec: UpdateSpec = _SPEC) -> tuple[Plan, Report]:
    """An account of every outcome: account 4 changes between plan and apply, account 5 becomes an impossible one."""
    store = MemoryStore(_ACCOUNTS)
    where = AccountFilter(batch="SUMMER-2026", status=AccountFilter(batch="x").status)
    plan = plan_update(store, where, spec, catalog=_CATALOG, now=_NOW)
    store.put(attrs.evolve(_ACCOUNTS[3], customer="else"))
    return plan, apply_plan(plan, store, now=_NOW, policy=policy)


def _rows(plan: Plan, report: Report) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    write_report(plan, report, file)
    return list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))


def _document(plan: Plan, report: Report) -> Any:
    return json.loads(dump_report(plan, report))


def test_a_report_has_a_row_for_every_account() -> None:
    """Every account of the plan has one row, in the order of the plan, with id, control number and outcome."""
    rows = _rows(*_run())
    assert [(row["account_id"], row["control_number"], row["outcome"]) for row in rows] == [
        ("'=4477", "1", "applied"),
        ("2", "2", "refused"),
        ("3", "3", "applied"),
        ("5", "5", "failed"),
        ("4", "", "stale"),
    ]


def test_a_report_has_old_and_new_values() -> None:
    """An applied account has a column with the old and one with the new value of each field that the plan changes."""
    first, _, third, *_ = _rows(*_run())
    fields = "addons balance expiration_date unified_messaging activation_date state".split()
    assert {name: (first[f"{name}.old"], first[f"{name}.new"]) for name in fields} == {
        "addons": ("voicemail", "fax|voicemail"),
        "balance": ("1", "0"),
        "expiration_date": ("2026-12-31", "2027-12-01"),
        "unified_messaging": ("by_product", "no"),
        "activation_date": ("", ""),
        "state": ("", ""),
    }
    assert {name: (third[f"{name}.old"], third[f"{name}.new"]) for name in ("addons", "activation_date", "state")} == {
        "addons": ("", "fax"),
        "activation_date": ("", "2026-11-23"),
        "state": ("inactive", "open"),
    }


def test_only_fields_that_change_have_columns() -> None:
    """A field that no account of the plan changes is not in the report."""
    names = _rows(*_run())[0].keys()
    assert [name for name in names if name.endswith(".old")] == [
        "activation_date.old",
        "addons.old",
        "balance.old",
        "expiration_date.old",
        "state.old",
        "unified_messaging.old",
    ]


def test_what_was_not_applied_has_no_values() -> None:
    """Old and new values of an account that was not changed are empty."""
    rows = [row for row in _rows(*_run()) if row["outcome"] != "applied"]
    assert len(rows) == 3
    assert {value for row in rows for name, value in row.items() if name.endswith((".old", ".new"))} == {""}


def test_a_report_says_why() -> None:
    """A refusal has its codes; what went wrong at apply has none, and both say why in words."""
    rows = {row["account_id"]: row for row in _rows(*_run())}
    assert (rows["2"]["codes"], rows["2"]["reasons"]) == (
        "INSUFFICIENT_FUNDS",
        "charge: 1.00 USD is more than the funds left",
    )
    assert (rows["4"]["codes"], rows["4"]["reasons"].split(":")[0]) == ("", "customer")
    assert (rows["5"]["codes"], rows["5"]["reasons"].split(":")[0]) == ("", "store")
    assert (rows["'=4477"]["codes"], rows["'=4477"]["reasons"]) == ("", "")


def test_all_codes_of_an_account_are_listed() -> None:
    """An account that is refused for several reasons has all of their codes in one cell."""
    spec = UpdateSpec(
        charge=Charge(Money("99.00", "USD")), addons=AssignAddons({"fax"}), opening_balance=Money("0.01", "EUR")
    )
    row = _rows(*_run(spec=spec))[1]
    assert row["codes"] == "CURRENCY_MISMATCH|INSUFFICIENT_FUNDS"
    assert [part.split(":")[0] for part in row["reasons"].split("; ")] == ["opening_balance", "charge"]


def test_what_was_not_attempted_is_said() -> None:
    """Where the run stopped, the rest is listed as not attempted."""
    rows = _rows(*_run(ApplyPolicy(all_or_nothing=True)))
    assert [row["outcome"] for row in rows] == ["not_attempted", "refused", "not_attempted", "failed", "stale"]


def test_unchanged_accounts_are_listed() -> None:
    """An account that had it all already is in the report, as unchanged."""
    rows = _rows(*_run(spec=UpdateSpec(status=StatusChange.UNBLOCKED)))
    assert {row["outcome"] for row in rows} == {"unchanged"}
    assert list(rows[0]) == ["account_id", "control_number", "outcome", "codes", "reasons"]


def test_no_cell_of_a_report_is_a_formula() -> None:
    """No text of a report starts what a spreadsheet would calculate; numbers are numbers."""
    cells = [(name, text) for row in _rows(*_run()) for name, text in row.items()]
    assert [cell for cell in cells if cell[1].startswith(("=", "+", "-", "@")) and "balance" not in cell[0]] == []


def test_a_report_is_written_to_a_file(tmp_path: Path) -> None:
    """A file that is opened as the docstring says has one line per account and a header."""
    path = tmp_path / "report.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        write_report(*_run(), file)
    with path.open(newline="", encoding="utf-8") as lines:
        assert len(list(csv.reader(lines))) == 6


def test_a_report_as_json_counts_every_outcome() -> None:
    """The object names the plan and counts every outcome, also those that did not occur."""
    plan, report = _run()
    document = _document(plan, report)
    assert (document["plan_id"], document["stopped"]) == (plan.id, None)
    assert document["counts"] == {
        "applied": 2,
        "unchanged": 0,
        "refused": 1,
        "stale": 1,
        "failed": 1,
        "not_attempted": 0,
    }


def test_a_report_as_json_says_why_it_stopped() -> None:
    """The object says why a run ended early."""
    assert "all or nothing" in _document(*_run(ApplyPolicy(all_or_nothing=True)))["stopped"]


def test_a_report_as_json_has_every_account() -> None:
    """Each account has its whole id, outcome and reasons, with the names of the refusal codes."""
    accounts = _document(*_run())["accounts"]
    assert [(account["account_id"], account["control_number"], account["outcome"]) for account in accounts] == [
        ("=4477", 1, "applied"),
        ("2", 2, "refused"),
        ("3", 3, "applied"),
        ("5", 5, "failed"),
        ("4", None, "stale"),
    ]
    assert accounts[1]["reasons"] == [
        {"code": "INSUFFICIENT_FUNDS", "field": "charge", "detail": "1.00 USD is more than the funds left"}
    ]
    assert (accounts[4]["reasons"][0]["code"], accounts[4]["reasons"][0]["field"]) == (None, "customer")


def test_a_report_as_json_has_values_with_their_types() -> None:
    """Old and new values of applied accounts say of what type they are; the others have none."""
    accounts = _document(*_run())["accounts"]
    assert accounts[0]["fields"] == {
        "expiration_date": {"old": {"date": "2026-12-31"}, "new": {"date": "2027-12-01"}},
        "addons": {"old": {"set": ["voicemail"]}, "new": {"set": ["fax", "voicemail"]}},
        "unified_messaging": {"old": {"UnifiedMessaging": "by_product"}, "new": {"UnifiedMessaging": "no"}},
        "balance": {"old": {"decimal": "1"}, "new": {"decimal": "0"}},
    }
    assert accounts[2]["fields"]["state"] == {"old": {"AccountState": "inactive"}, "new": {"AccountState": "open"}}
    assert ["fields" in account for account in accounts] == [True, False, True, False, False]


def test_a_report_of_another_plan_is_refused() -> None:
    """A report that has not as many accounts as the plan cannot be written."""
    plan, report = _run()
    with pytest.raises(ValueError, match="zip"):
        dump_report(plan, attrs.evolve(report, outcomes=report.outcomes[:1]))
