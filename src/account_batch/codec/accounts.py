"""Accounts as CSV: the field names of Account as header, one account a row."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, TextIO

import attrs

from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.errors import FormatError, InvalidValueError, nearest, suggestion
from account_batch.money import plain

__all__ = ["cell", "read_accounts", "write_accounts"]

_FIELDS = {field.name: field for field in attrs.fields(Account)}
_REQUIRED = tuple(name for name, field in _FIELDS.items() if field.default is attrs.NOTHING)
_NESTED = {"contact": "contact", "custom": "custom_fields"}
# A spreadsheet takes cells that begin so for formulas; one apostrophe before them is what makes them text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def _read_flag(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise ValueError(f'"{text}" is neither yes nor no')
    return text == "yes"


def _read_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'"{text}" is no whole number')
    return int(text)


def _read_member(kind: type[Enum]) -> Callable[[str], Enum]:
    words = {member.value: member for member in kind}

    def read(text: str) -> Enum:
        if text not in words:
            raise ValueError(f'"{text}" is none of {", ".join(words)}{suggestion(text, words)}')
        return words[text]

    return read


def _read_text(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


_READ: Mapping[str, Callable[[str], object]] = {
    "control_number": _read_count,
    "kind": _read_member(AccountKind),
    "state": _read_member(AccountState),
    "blocked": _read_flag,
    "registered": _read_flag,
    "availability_days": _read_count,
    "addons": lambda text: _read_text(text).split("|"),
    "charging_period": _read_count,
    "unified_messaging": _read_member(UnifiedMessaging),
}


def read_accounts(lines: Iterable[str], name: str = "accounts") -> Iterator[Account]:
    """Yield the accounts of a CSV file.

    Args:
        lines: Of the file, opened with newline="" and encoding="utf-8"; a byte-order mark is skipped.
        name: Of the file, for messages.

    Raises:
        FormatError: A column is unknown, double or missing, a row too short or too long, a value wrong, or an id comes
            twice; the message names the line.
    """
    rows = csv.reader(_without_mark(lines), strict=True)
    seen: dict[str, int] = {}
    try:
        header = next(rows, None)
        if not header:
            raise FormatError(f"{name}: empty; the first line names the columns: {', '.join(_REQUIRED)}, ...")
        _check_header(header, name)
        for row in rows:
            place = f"{name}, line {rows.line_num}"
            if not row:
                continue
            if len(row) != len(header):
                raise FormatError(f"{place}: {len(row)} values where the header names {len(header)} columns")
            account = _account(dict(zip(header, row, strict=True)), place)
            if account.id in seen:
                raise FormatError(f"{place}: the id of line {seen[account.id]} again; ids are unique")
            seen[account.id] = rows.line_num
            yield account
    except csv.Error as error:
        raise FormatError(f"{name}, line {rows.line_num}: {error}") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{name}: after line {rows.line_num}: no UTF-8 text: {error.reason}") from None


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\N{BYTE ORDER MARK}")


def _check_header(header: list[str], name: str) -> None:
    for column in header:
        if header.count(column) > 1:
            raise FormatError(f'{name}, line 1: the column "{column}" stands there twice')
        group, dot, key = column.partition(".")
        if column not in _FIELDS.keys() - _NESTED.values() and not (dot and key and group in _NESTED):
            hint = nearest(column, _FIELDS.keys() - _NESTED.values())
            raise FormatError(f'{name}, line 1: unknown column "{column}"; {hint}')
    missing = [column for column in _REQUIRED if column not in header]
    if missing:
        raise FormatError(f"{name}, line 1: missing columns: {', '.join(missing)}")


def _account(row: Mapping[str, str], place: str) -> Account:
    values: dict[str, Any] = {}
    for column, text in row.items():
        if text == "":
            if column in _REQUIRED:
                raise FormatError(f"{place}, {column}: empty, and required")
            continue
        try:
            group, dot, key = column.partition(".")
            if dot:
                values.setdefault(_NESTED[group], {})[key] = _read_text(text)
            else:
                values[column] = _READ.get(column, _read_text)(text)
        except ValueError as error:
            raise FormatError(f"{place}, {column}: {error}") from None
    try:
        return Account(**values)
    except InvalidValueError as error:
        raise FormatError(f"{place}: {error}") from None


def cell(value: object) -> str:
    """A value as the text of a CSV cell; empty is not set, and no text becomes a formula in a spreadsheet.

    Raises:
        FormatError: An add-on has a "|" in its name.
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case Decimal():
            return plain(value)
        case date():
            return value.isoformat()
        case frozenset():
            if any("|" in item for item in value):
                raise FormatError(f'{sorted(value)} cannot be written: "|" separates add-ons')
            return cell("|".join(sorted(value)))
        case _:
            text = str(value)
            return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text


def write_accounts(accounts: Iterable[Account], file: TextIO) -> None:
    """Write accounts as CSV that read_accounts reads.

    Args:
        accounts: Written in their order.
        file: Opened with newline="" and encoding="utf-8".

    Raises:
        FormatError: An add-on has a "|" in its name.
    """
    accounts = list(accounts)
    nested = sorted(
        {(group, key) for account in accounts for group, field in _NESTED.items() for key in getattr(account, field)}
    )
    columns = [name for name in _FIELDS if name not in _NESTED.values()]
    writer = csv.writer(file)
    writer.writerow(columns + [f"{group}.{key}" for group, key in nested])
    for account in accounts:
        fields = [cell(getattr(account, column)) for column in columns]
        details = [cell(getattr(account, _NESTED[group]).get(key)) for group, key in nested]
        writer.writerow(fields + details)
