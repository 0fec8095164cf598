import csv
import io
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState, Details, UnifiedMessaging
from account_batch.codec.accounts import cell, read_accounts, write_accounts
from account_batch.errors import FormatError

_HEADER = "id,customer,kind,currency,product"
_ROW = "4477001,acme,debit,USD,gold"
_ACCOUNT = Account(id="4477001", customer="acme", kind=AccountKind.DEBIT, currency="USD", product="gold")
_FULL = Account(
    id="4477001",
    batch="SUMMER-2026",
    control_number=7,
    customer="acme",
    kind=AccountKind.VOUCHER,
    account_role="phone line",
    state=AccountState.INACTIVE,
    blocked=True,
    registered=True,
    currency="JPY",
    opening_balance="15.50",
    balance="-0.00001",
    activation_date="2026-12-01",
    expiration_date="2027-12-01",
    availability_days=90,
    first_used_on="2026-11-01",
    last_recharged_on="2026-11-02",
    product="gold",
    addons={"voicemail", "call-waiting"},
    charging_period=6,
    associated_number="18005551234",
    unified_messaging=UnifiedMessaging.NO,
    ivr_language="en",
    time_zone="America/New_York",
    role="default",
    site="hq",
    distributor="north",
    contact={"email": "ann@example.org", "city": "Kyiv"},
    custom_fields={"colour": "red", "a.b": "c"},
)


def _read(text: str) -> list[Account]:
    return list(read_accounts(io.StringIO(text, newline=""), "cards.csv"))


def _written(*accounts: Account) -> str:
    file = io.StringIO(newline="")
    write_accounts(accounts, file)
    return file.getvalue()


def _with(column: str, text: str) -> str:
    """A file of one account with one more column."""
    return f"{_HEADER},{column}\r\n{_ROW},{text}\r\n"


def test_every_field_is_read() -> None:
    """The header names fields of Account, and each cell becomes the value of its field."""
    text = (
        "id,batch,control_number,customer,kind,account_role,state,blocked,registered,currency,opening_balance,balance,"
        "activation_date,expiration_date,availability_days,first_used_on,last_recharged_on,product,addons,"
        "charging_period,associated_number,unified_messaging,ivr_language,time_zone,role,site,distributor,"
        "contact.city,contact.email,custom.colour,custom.a.b\n"
        "4477001,SUMMER-2026,7,acme,voucher,phone line,inactive,yes,yes,JPY,15.50,-0.00001,"
        "2026-12-01,2027-12-01,90,2026-11-01,2026-11-02,gold,call-waiting|voicemail,"
        "6,18005551234,no,en,America/New_York,default,hq,north,"
        "Kyiv,ann@example.org,red,c\n"
    )
    assert _read(text) == [_FULL]


@pytest.mark.parametrize("account", [_ACCOUNT, _FULL], ids=["least", "full"])
def test_an_account_round_trips_with_its_types(account: Account) -> None:
    """What is written is read back equal, and every field has exactly the type it had."""
    [read] = _read(_written(account))
    assert read == account
    assert {name: type(value) for name, value in attrs.asdict(read, recurse=False).items()} == {
        name: type(value) for name, value in attrs.asdict(account, recurse=False).items()
    }


def test_the_required_columns_are_enough() -> None:
    """Any subset of the fields that has the required ones makes accounts; the rest has its defaults."""
    assert _read(f"{_HEADER}\n{_ROW}\n") == [_ACCOUNT]


def test_columns_may_come_in_any_order() -> None:
    """The header says which column is which."""
    assert _read("product,currency,kind,customer,id\ngold,USD,debit,acme,4477001\n") == [_ACCOUNT]


def test_an_empty_cell_is_not_set() -> None:
    """An empty cell of a field that is not required means its default."""
    columns = [field.name for field in attrs.fields(Account) if field.name not in {"contact", "custom_fields"}]
    given = dict(zip(_HEADER.split(","), _ROW.split(","), strict=True))
    header = ",".join([*columns, "contact.email", "custom.colour"])
    row = ",".join([*(given.get(column, "") for column in columns), "", ""])
    assert _read(f"{header}\n{row}\n") == [_ACCOUNT]


@pytest.mark.parametrize(
    "text",
    [
        f"{_HEADER}\r\n{_ROW}\r\n",
        f"{_HEADER}\n{_ROW}",
        f"{_HEADER}\r{_ROW}\r",
        f"\N{BYTE ORDER MARK}{_HEADER}\n{_ROW}\n",
        f"{_HEADER}\n\n{_ROW}\n\r\n\n",
        "\n".join(",".join(f'"{value}"' for value in line.split(",")) for line in (_HEADER, _ROW)),
    ],
    ids=["crlf", "lf-no-end", "cr", "mark", "blank-lines", "quoted"],
)
def test_marks_quotes_and_line_ends_change_nothing(text: str) -> None:
    """A byte-order mark, CRLF, quotes, blank lines and a missing last line end are read over."""
    assert _read(text) == [_ACCOUNT]


def test_a_mark_before_a_quoted_header_changes_nothing() -> None:
    """A byte-order mark is read over also where the first column is quoted, as many exports write it."""
    assert _read(f'\N{BYTE ORDER MARK}"id","customer","kind","currency","product"\r\n{_ROW}\r\n') == [_ACCOUNT]


@pytest.mark.parametrize(
    "text", ["Ann\nLee", "Ann\r\nLee", "Ann\rLee", 'Ann "Lee"', "Lee, Ann", "\n", " Ann ", "\u2028"]
)
def test_quoted_cells_keep_what_they_hold(text: str) -> None:
    """Line ends, quotes, commas and spaces inside of a cell are part of the text."""
    account = attrs.evolve(_ACCOUNT, custom_fields={"name": f"x{text}y"})
    assert _read(_written(account)) == [account]


def test_a_file_on_disk_round_trips(tmp_path: Path) -> None:
    """Opened as the docstrings say, a file gives back what was written to it."""
    path = tmp_path / "accounts.csv"
    accounts = [_FULL, attrs.evolve(_ACCOUNT, id="\N{BYTE ORDER MARK}7", batch="ЛІТО\r\n2026")]
    with path.open("w", newline="", encoding="utf-8") as file:
        write_accounts(accounts, file)
    with path.open(newline="", encoding="utf-8-sig") as file:
        assert list(read_accounts(file)) == accounts


def test_a_header_alone_is_no_account() -> None:
    """A file without rows has no accounts, and is no error."""
    assert _read(f"{_HEADER}\n") == []


@pytest.mark.parametrize("text", ["", "\n", "\r\n", "\N{BYTE ORDER MARK}"])
def test_an_empty_file_is_refused(text: str) -> None:
    """A file without a header is an error that says what the first line holds."""
    with pytest.raises(FormatError, match=r"^cards\.csv"):
        _read(text)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,customer", "missing columns: kind, currency, product"),
        ("customer,kind,currency,product,batch", "missing columns: id"),
        (f"{_HEADER},idd", 'unknown column "idd"; did you mean "id"?'),
        (f"{_HEADER},Batch", 'unknown column "Batch"; did you mean "batch"?'),
        (f"{_HEADER}, batch", 'unknown column " batch"; did you mean "batch"?'),
        (f"{_HEADER},", 'unknown column ""; known are: account_role, '),
        (f"{_HEADER},email", 'unknown column "email"; '),
        (f"{_HEADER},contact", 'unknown column "contact"; '),
        (f"{_HEADER},contact.", 'unknown column "contact."; '),
        (f"{_HEADER},custom.", 'unknown column "custom."; '),
        (f"{_HEADER},custom_fields", 'unknown column "custom_fields"; '),
        (f"{_HEADER},custom_fields.colour", 'unknown column "custom_fields.colour"; '),
        (f"{_HEADER},contacts.email", 'unknown column "contacts.email"; '),
        (f"{_HEADER},batch.name", 'unknown column "batch.name"; '),
        (f"{_HEADER},.email", 'unknown column ".email"; '),
        (f"{_HEADER},id", 'the column "id" stands there twice'),
        (f"{_HEADER},batch,site,batch", 'the column "batch" stands there twice'),
        (f"{_HEADER},contact.email,contact.email", 'the column "contact.email" stands there twice'),
    ],
)
def test_a_wrong_header_is_refused(header: str, message: str) -> None:
    """Missing, unknown and double columns are errors that name line 1, the column and the nearest name."""
    with pytest.raises(FormatError) as caught:
        _read(f"{header}\n")
    assert str(caught.value).startswith(f"cards.csv, line 1: {message}")


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("control_number", "0", "account.control_number: 0 is no whole number from 1 to 2147483647"),
        ("control_number", "2147483648", "account.control_number: 2147483648 is no whole number from 1 to"),
        ("control_number", "1.0", '"1.0" is no whole number'),
        ("control_number", "+1", '"+1" is no whole number'),
        ("control_number", "-1", '"-1" is no whole number'),
        ("control_number", " 1", '" 1" is no whole number'),
        ("control_number", "1e3", '"1e3" is no whole number'),
        ("control_number", "\u0663", "is no whole number"),
        ("control_number", "\u00b2", "is no whole number"),
        ("control_number", "9" * 5000, "line 2"),
        ("availability_days", "ninety", '"ninety" is no whole number'),
        ("availability_days", "0", "account.availability_days: 0 is no whole number from 1"),
        ("charging_period", "6 months", '"6 months" is no whole number'),
        ("blocked", "true", '"true" is neither yes nor no'),
        ("blocked", "1", '"1" is neither yes nor no'),
        ("registered", "Yes", '"Yes" is neither yes nor no'),
        ("registered", "no ", '"no " is neither yes nor no'),
        ("state", "opne", '"opne" is none of inactive, open, closed'),
        ("state", "OPEN", '"OPEN" is none of inactive, open, closed'),
        ("unified_messaging", "maybe", '"maybe" is none of by_product, yes, no'),
        ("balance", "1e5", 'account.balance: "1e5" is no amount; write it like 15.00'),
        ("balance", "1.000001", "account.balance: 1.000001 has more than 5 decimals"),
        ("balance", "NaN", 'account.balance: "NaN" is no amount'),
        ("balance", "Infinity", 'account.balance: "Infinity" is no amount'),
        ("balance", "5 USD", 'account.balance: "5 USD" is no amount'),
        ("balance", "--5", 'account.balance: "--5" is no amount'),
        ("balance", "'5", 'account.balance: "\'5" is no amount'),
        ("balance", "\uff15", "is no amount"),
        ("balance", "1000000000000000", "account.balance: 1000000000000000 is out of range"),
        ("opening_balance", '"1,50"', 'account.opening_balance: "1,50" is no amount'),
        ("opening_balance", "$5", 'account.opening_balance: "$5" is no amount'),
        ("activation_date", "01.12.2026", 'account.activation_date: "01.12.2026" is no date; write it like 2026-12-01'),
        ("activation_date", "now", 'account.activation_date: "now" is no date'),
        ("expiration_date", "2026-02-30", 'account.expiration_date: "2026-02-30" is no day of the calendar'),
        ("expiration_date", "20261201", 'account.expiration_date: "20261201" is no date'),
        ("first_used_on", "2026-12-01T00:00:00Z", "account.first_used_on: "),
        ("last_recharged_on", "12:30", 'account.last_recharged_on: "12:30" is no date'),
        ("addons", "a||b", "account.addons: blank"),
        ("addons", "|", "account.addons: blank"),
        ("addons", "a| ", "account.addons: blank"),
        ("batch", " ", "account.batch: blank"),
        ("role", "a\0b", "account.role: 'a\\x00b' holds a NUL"),
        ("contact.email", "a\0b", "account.contact.email: 'a\\x00b' holds a NUL"),
        ("custom.colour", " ", "account.custom_fields.colour: blank"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_wrong_value_is_refused_with_its_line_and_column(column: str, text: str, message: str) -> None:
    """A cell that its field does not take is an error that names the line, the field and what would be right."""
    with pytest.raises(FormatError) as caught:
        _read(_with(column, text))
    assert str(caught.value).startswith("cards.csv, line 2")
    assert message in str(caught.value)
    assert column.removeprefix("contact.").removeprefix("custom.") in str(caught.value)


@pytest.mark.parametrize("column", _HEADER.split(","))
def test_a_required_value_is_there(column: str) -> None:
    """An empty cell of a required field is an error that names it."""
    values = dict(zip(_HEADER.split(","), _ROW.split(","), strict=True)) | {column: ""}
    with pytest.raises(FormatError, match=rf"^cards\.csv, line 2, {column}: empty, and required$"):
        _read(f"{_HEADER}\n{','.join(values.values())}\n")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("4477001,acme,debit,USD", "4 values where the header names 5 columns"),
        ("4477001,acme,debit,USD,gold,", "6 values where the header names 5 columns"),
        ("4477001,acme,debit,USD,gold,x,y", "7 values where the header names 5 columns"),
        ("4477001", "1 values where the header names 5 columns"),
        (" ", "1 values where the header names 5 columns"),
        ("4477001;acme;debit;USD;gold", "1 values where the header names 5 columns"),
        ("4477001,acme,DEBIT,USD,gold", ', kind: "DEBIT" is none of debit, credit, voucher'),
        ("4477001,acme,debit,usd,gold", "account.currency: 'usd' is no ISO 4217 currency; write it like USD"),
        ("4477001,acme,debit,XXX,gold", "account.currency: 'XXX' is no ISO 4217 currency"),
        (" ,acme,debit,USD,gold", "account.id: blank"),
        ('4477001,acme,"debit,USD,gold', "unexpected end of data"),
        ('4477001,acme,"deb"it,USD,gold', "',' expected after '\"'"),
        ('4477001,acme,deb"it,USD,gold', ', kind: "deb"it" is none of'),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(row: str, message: str) -> None:
    """A row that is short, long or broken is an error that names its line."""
    with pytest.raises(FormatError) as caught:
        _read(f"{_HEADER}\n1,acme,debit,USD,gold\n{row}\n")
    assert str(caught.value).startswith("cards.csv, line 3")
    assert message in str(caught.value)


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """After blank lines and quoted newlines the message still names the line of the file."""
    text = f'{_HEADER},batch\n\n1,acme,debit,USD,gold,"a\nb"\n\n2,acme,debit,USD,gold\n'
    with pytest.raises(FormatError, match=r"^cards\.csv, line 6: "):
        _read(text)


@pytest.mark.parametrize("again", ["4477001", '"4477001"'])
def test_an_id_comes_once(again: str) -> None:
    """An id that comes twice is an error that names both lines and, ids being PINs, not the id."""
    text = f"{_HEADER}\n{_ROW}\n1,acme,debit,USD,gold\n\n{again},acme,credit,USD,gold\n"
    with pytest.raises(FormatError, match=r"^cards\.csv, line 5: the id of line 2 again; ids are unique$") as caught:
        _read(text)
    assert "4477001" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1251", "latin-1"])
def test_what_is_not_utf_8_is_refused(tmp_path: Path, encoding: str) -> None:
    """A file in another encoding is an error that says so and names about where."""
    path = tmp_path / "accounts.csv"
    name = "Zoé" if encoding == "latin-1" else "Київ"
    path.write_text(f"{_HEADER},batch\n{_ROW},{name}\n", encoding=encoding)
    with path.open(newline="", encoding="utf-8") as file, pytest.raises(FormatError, match=r"line 0: no UTF-8 text"):
        list(read_accounts(file))


def test_accounts_before_the_trouble_are_read() -> None:
    """Accounts are yielded one by one, so that a long file needs no memory of its own."""
    accounts = read_accounts(io.StringIO(f"{_HEADER}\n{_ROW}\nx\n"))
    assert next(accounts) == _ACCOUNT
    with pytest.raises(FormatError, match=r"^accounts, line 3"):
        next(accounts)


_HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://example.org","x")',
    "+18005551234",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'",
    "''",
    "'=1",
    "''=1",
    "'abc",
    "'1",
]


@pytest.mark.parametrize("text", _HOSTILE, ids=ascii)
@pytest.mark.parametrize("field", ["id", "batch", "associated_number", "product", "role", "addons", "contact"])
def test_no_text_becomes_a_formula(field: str, text: str) -> None:
    """A text that a spreadsheet would calculate is written as text, and read back as it was."""
    values: dict[str, Any] = {"addons": {text}, "contact": {"name": text}}
    account = attrs.evolve(_ACCOUNT, **{field: values.get(field, text)})
    written = _written(account)
    [_, row] = csv.reader(io.StringIO(written, newline=""))
    assert [value for value in row if value.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert _read(written) == [account]


def test_no_name_becomes_a_formula() -> None:
    """A custom field is named behind its group, so that its column is no formula."""
    account = attrs.evolve(_ACCOUNT, custom_fields={"=1+1": "a", "-x": "b"})
    [header, _] = csv.reader(io.StringIO(_written(account), newline=""))
    assert header[-2:] == ["custom.-x", "custom.=1+1"]
    assert _read(_written(account)) == [account]


@pytest.mark.parametrize("text", ["'abc", "'", "'44"])
def test_an_apostrophe_of_ones_own_stays(text: str) -> None:
    """An apostrophe that guards nothing is part of the text that somebody wrote."""
    [account] = _read(_with("batch", text))
    assert account.batch == text


@pytest.mark.parametrize("text", ["'=1", "'+1", "'-1", "'@x", "''"])
def test_the_apostrophe_of_a_guarded_cell_is_taken_away(text: str) -> None:
    """What a spreadsheet shows as text is read as that text."""
    [account] = _read(_with("batch", text))
    assert account.batch == text[1:]


def test_numbers_are_written_as_they_are() -> None:
    """A negative balance is a number, for spreadsheets as well."""
    [header, row] = csv.reader(io.StringIO(_written(attrs.evolve(_ACCOUNT, balance="-5.50")), newline=""))
    assert dict(zip(header, row, strict=True))["balance"] == "-5.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (-7, "-7"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.00001"), "-0.00001"),
        (date(2026, 12, 1), "2026-12-01"),
        (AccountKind.DEBIT, "debit"),
        (frozenset(), ""),
        (frozenset({"b", "a"}), "a|b"),
        (frozenset({"=b", "c"}), "'=b|c"),
        ("-7", "'-7"),
        ("yes", "yes"),
    ],
)
def test_a_cell_is_the_text_of_a_value(value: object, text: str) -> None:
    """Every type of a field has one text, without exponents and never a formula."""
    assert cell(value) == text


def test_an_addon_with_a_bar_cannot_be_written() -> None:
    """A name with the separator in it would become two add-ons, and is refused."""
    with pytest.raises(FormatError, match=re.escape("'a|b'] cannot be written: \"|\" separates add-ons")):
        _written(attrs.evolve(_ACCOUNT, addons={"a|b", "Z"}))


def test_nested_fields_are_columns_of_their_own() -> None:
    """Contact and custom fields of all accounts together have a column each; who has none leaves it empty."""
    first = attrs.evolve(_ACCOUNT, contact={"email": "a@b"})
    second = attrs.evolve(_ACCOUNT, id="2", custom_fields={"colour": "red"}, contact={"city": "Kyiv"})
    [header, *rows] = csv.reader(io.StringIO(_written(first, second), newline=""))
    assert [header[-3:], *(row[-3:] for row in rows)] == [
        ["contact.city", "contact.email", "custom.colour"],
        ["", "a@b", ""],
        ["Kyiv", "", "red"],
    ]
    assert _read(_written(first, second)) == [first, second]


def test_a_file_of_no_accounts_has_a_header() -> None:
    """Writing nothing leaves a file that can be read."""
    assert _read(_written()) == []


def test_a_dotted_name_is_one_name() -> None:
    """Only the first point of a column separates the group."""
    [account] = _read(_with("custom.a.b", "c"))
    assert account.custom_fields == Details({"a.b": "c"})
