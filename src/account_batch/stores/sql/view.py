"""View: what every field of an account is in SQL, and how it is written, over the tables of a mapping."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
from sqlalchemy import Boolean, Column, ColumnElement, Select, Table, and_, exists, false, func, literal, select, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from account_batch.account import Account
from account_batch.decision import Assign, Decision, ShiftBalance, Transaction
from account_batch.errors import StoreError
from account_batch.money import plain
from account_batch.spec import StatusChange, UpdateSpec
from account_batch.stores.sql.mapping import AccountMapping, AddonTable, DetailTable, LedgerTable
from account_batch.stores.sql.raw import Raw, as_raw
from account_batch.stores.sql.types import FIELD_TYPES, Flag, LongText

__all__ = ["View", "is_in", "says"]

# What a setting is about, where it is not a field of the same name.
_FIELDS = {
    "activation": "activation_date",
    "expiration": "expiration_date",
    "status": "blocked",
    "charge": "balance",
    "refund": "balance",
}

_DEFAULTS = {field.name: field.default for field in attrs.fields(Account) if field.default is not attrs.NOTHING}


class _Array(FunctionElement[str]):
    """The texts of a group as a JSON array, sorted but on SQLite."""

    inherit_cache = True
    type = LongText()


@compiles(_Array)
def _write_array(element: _Array, compiler: SQLCompiler, **options: Any) -> str:
    value = compiler.process(element.clauses, **options)
    match compiler.dialect.name:
        case "sqlite":
            return f"json_group_array({value})"
        case "postgresql":
            return f"coalesce(CAST(json_agg({value} ORDER BY {value}) AS TEXT), '[]')"
        case _:
            return f"coalesce(json_arrayagg({value} ORDER BY {value}), '[]') COLLATE utf8mb4_nopad_bin"


class _OnSqlite(FunctionElement[str]):
    """One expression on SQLite, another one elsewhere."""

    inherit_cache = True
    type = LongText()


@compiles(_OnSqlite)
def _write_on_sqlite(element: _OnSqlite, compiler: SQLCompiler, **options: Any) -> str:
    on_sqlite, elsewhere = element.clauses
    return str(compiler.process(on_sqlite if compiler.dialect.name == "sqlite" else elsewhere, **options))


class _Object(FunctionElement[str]):
    """The names and values of a group as a JSON object."""

    inherit_cache = True
    type = LongText()


@compiles(_Object)
def _write_object(element: _Object, compiler: SQLCompiler, **options: Any) -> str:
    names = {"sqlite": "json_group_object", "postgresql": "json_object_agg"}
    written = f"{names.get(compiler.dialect.name, 'json_objectagg')}({compiler.process(element.clauses, **options)})"
    return f"coalesce(CAST({written} AS TEXT), '{{}}')" if compiler.dialect.name == "postgresql" else written


class _IsIn(FunctionElement[bool]):
    """Whether a text is in a JSON array of texts."""

    inherit_cache = True
    type = Boolean()


@compiles(_IsIn)
def _write_is_in(element: _IsIn, compiler: SQLCompiler, **options: Any) -> str:
    value, array = (compiler.process(part, **options) for part in element.clauses)
    match compiler.dialect.name:
        case "sqlite":
            return f"EXISTS (SELECT 1 FROM json_each({array}) AS had WHERE had.value = {value})"  # noqa: S608  # Both are SQL.
        case "postgresql":
            return f"jsonb_exists(CAST({array} AS JSONB), {value})"
        case _:
            return f"JSON_CONTAINS({array}, JSON_QUOTE({value}))"


class View:
    """Accounts as the library sees them.

    Args:
        mapping: Where they are.
        ledger: Where their transactions are.
    """

    def __init__(self, mapping: AccountMapping, ledger: LedgerTable) -> None:
        self.mapping = mapping
        self.key = mapping.key
        self.table = mapping.table
        self.ledger = ledger

    def tables(self) -> set[tuple[str | None, str]]:
        """The schemas and names of all tables in which accounts and transactions are."""
        parts = (self.mapping.addons, self.mapping.contact, self.mapping.custom_fields, self.ledger)
        tables = {part.table for part in parts if isinstance(part, AddonTable | DetailTable | LedgerTable)}
        return {(table.schema, table.name) for table in {self.table, *tables}}

    def read(self, field: str) -> ColumnElement[Any]:
        """The value of a field; what the tables lack is what Account has by default."""
        if field == "addons":
            return self.addons()
        mapped = self.mapping.fields.get(field)
        if mapped is not None:
            return mapped.read
        return literal(as_raw(_DEFAULTS[field]), FIELD_TYPES[field]())

    def is_set(self, field: str) -> ColumnElement[bool]:
        """Whether a field has a value."""
        mapped = self.mapping.fields.get(field)
        known = None if mapped is None else mapped.is_set
        return self.read(field).is_not(None) if known is None else known

    def on_or_before(self, field: str, day: date) -> ColumnElement[bool]:
        """Whether a date is set, and on or before a day."""
        mapped = self.mapping.fields.get(field)
        known = None if mapped is None else mapped.on_or_before
        return self.read(field) <= day if known is None else known(day)

    def equals(self, field: str, text: str) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions for a field to be a text; one of them can use an index of the user's column.

        Raises:
            StoreError: The tables lack the field.
        """
        yield self.field(field) == text
        if (raw := self.mapping.fields[field].raw) is not None:
            yield raw == text

    def field(self, field: str) -> ColumnElement[Any]:
        """The value of a field that is needed.

        Raises:
            StoreError: The tables lack it.
        """
        if field not in self.mapping.fields:
            raise _lacking(field)
        return self.read(field)

    def write(self, field: str, value: ColumnElement[Any]) -> Mapping[Column[Any], ColumnElement[Any]]:
        """Which columns get which values, so that a field has a value.

        Raises:
            StoreError: The tables lack it, or it cannot be written.
        """
        mapped = self.mapping.fields.get(field)
        if mapped is None:
            raise _lacking(field)
        if mapped.write is None:
            raise StoreError(f"{field}: the mapping has no way to write it; give its Field a write")
        return mapped.write(value)

    def check(self, spec: UpdateSpec | None, decisions: Sequence[Decision]) -> None:
        """Refuse what the tables have no place for, also where it would change nothing, and two fields in one column.

        Raises:
            StoreError: It names the field.
        """
        if spec is not None:
            self._check_settings(spec)
        self.check_columns(dict.fromkeys(field for decision in decisions for field in decision.fields))
        for decision in decisions:
            for step in decision.assignments:
                value = step.amount if isinstance(step, ShiftBalance) else getattr(step, "value", None)
                if isinstance(step, Assign) and step.field != "addons":
                    _check_code(step.field, as_raw(step.value), self.mapping.fields[step.field].coded)
                if isinstance(value, Decimal):
                    _check_places(step.field, value, self.mapping.fields[step.field].places)
            for transaction in decision.transactions:
                self._check_bookable(transaction)

    def _check_settings(self, spec: UpdateSpec) -> None:
        for setting in spec.settings():
            field = "state" if spec.status is StatusChange.TERMINATED else _FIELDS.get(setting, setting)
            if field != "addons":
                self.field(field)
            elif self.mapping.addons is None:
                raise _lacking(field)

    def check_columns(self, fields: Iterable[str]) -> None:
        """Refuse to write two fields in one column.

        Raises:
            StoreError: It names the fields.
        """
        columns: dict[str, str] = {}
        for field in fields:
            if field != "addons":
                for column in self.write(field, self.read(field)):
                    other = columns.setdefault(str(column), field)
                    if other != field:
                        raise StoreError(
                            f"{field}: the tables keep it in {column}, as they do {other}; set one at a time"
                        )

    def _check_bookable(self, transaction: Transaction) -> None:
        for field in attrs.fields(Transaction):
            if getattr(transaction, field.name) != field.default and field.name not in self.ledger.fields:
                raise StoreError(f"{field.name}: the table of transactions has no column for it")
        _check_places("amount", transaction.amount.amount, self.ledger.fields["amount"].places)

    @property
    def addon_table(self) -> AddonTable:
        """Where the add-ons are.

        Raises:
            StoreError: The tables have none.
        """
        if self.mapping.addons is None:
            raise _lacking("addons")
        return self.mapping.addons

    def addons(self, *, aside: Iterable[str] = ()) -> ColumnElement[str]:
        """The add-ons of an account, some of them aside, as a sorted JSON array."""
        if self.mapping.addons is None:
            return literal("[]", LongText())
        addon = self.mapping.addons.read
        meant = [self.mapping.addons.account == self.key, *([addon.not_in(sorted(aside))] if aside else [])]
        return _sorted_array(addon, meant, self.table)

    def addons_are(self, addons: frozenset[str]) -> ColumnElement[bool]:
        """Whether an account has these add-ons and no others."""
        if self.mapping.addons is None:
            return false() if addons else true()
        table = self.mapping.addons
        other = select(literal(1)).where(table.account == self.key, table.read.not_in(sorted(addons)))
        return and_(*map(self.has_addon, sorted(addons)), ~exists(other.correlate(self.table)))

    def has_addon(self, addon: str) -> ColumnElement[bool]:
        """Whether an account has an add-on."""
        if self.mapping.addons is None:
            return false()
        table = self.mapping.addons
        there = select(literal(1)).where(table.account == self.key, table.read == addon)
        return exists(there.correlate(self.table))

    def has_transaction(self, reference: str) -> ColumnElement[bool]:
        """Whether the ledger has a transaction of an account with a reference."""
        there = select(literal(1)).where(self.ledger.account == self.key, self.ledger.read("reference") == reference)
        return exists(there.correlate(self.table))

    def charged(self, reference: str) -> Select[Any]:
        """The keys of the accounts that have a transaction with a reference."""
        return select(self.ledger.account.label("key")).where(self.ledger.read("reference") == reference).distinct()

    def details(self, group: str) -> Mapping[str, ColumnElement[str]] | ColumnElement[str]:
        """The contact or custom fields of an account: by name or, where any name may come, as a JSON object."""
        details: DetailTable | Mapping[str, ColumnElement[str]] = getattr(self.mapping, group)
        if not isinstance(details, DetailTable):
            return details
        of_account = select(_Object(details.name, details.value)).where(
            details.account == self.key, details.field == group
        )
        return of_account.correlate(self.table).scalar_subquery()

    def detail_is(self, group: str, name: str, value: str) -> ColumnElement[bool]:
        """Whether an account's contact or custom field has a value.

        Raises:
            StoreError: The tables lack it.
        """
        details: DetailTable | Mapping[str, ColumnElement[str]] = getattr(self.mapping, group)
        if isinstance(details, DetailTable):
            there = select(literal(1)).where(
                details.account == self.key, details.field == group, details.name == name, details.value == value
            )
            return exists(there.correlate(self.table))
        if name not in details:
            raise _lacking(f"{group}.{name}")
        known: ColumnElement[bool] = details[name] == value
        return known


def says(flag: ColumnElement[Any], value: bool) -> ColumnElement[bool]:  # noqa: FBT001  # It is what is compared.
    """Whether a flag has a value; SQLAlchemy's own is_() suits the boolean type of one database only."""
    return flag == literal(value, Flag())


def is_in(value: ColumnElement[Any], array: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a text is in a JSON array of texts; never where there is no array."""
    return func.coalesce(_IsIn(value, array), false())


def _sorted_array(value: ColumnElement[str], meant: Sequence[ColumnElement[bool]], outer: Table) -> ColumnElement[str]:
    # SQLite sorts in a subquery: ORDER BY inside an aggregate is younger than the oldest version in use. MariaDB cannot
    # look out of a subquery of FROM, and sorts in the aggregate.
    rows = select(value.label("value")).where(*meant).correlate(outer).order_by(value).subquery()
    return _OnSqlite(
        select(_Array(rows.c.value)).correlate(outer).scalar_subquery(),
        select(_Array(value)).where(*meant).correlate(outer).scalar_subquery(),
    )


def _check_code(field: str, value: Raw, coded: Collection[Raw] | None) -> None:
    if coded is not None and value not in coded:
        shown = "not set" if value is None else f'"{value}"'
        raise StoreError(f"{field}: the mapping has no code for {shown}; give its coded() one")


def _check_places(field: str, amount: Decimal, places: int) -> None:
    if len(plain(amount).partition(".")[2]) > places:
        raise StoreError(f"{field}: {plain(amount)} has more decimals than its column keeps, which are {places}")


def _lacking(field: str) -> StoreError:
    return StoreError(f'the tables have no "{field}"; give the mapping one, or leave it out of filter and spec')
