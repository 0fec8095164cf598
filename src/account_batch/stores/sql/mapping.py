"""AccountMapping: where the accounts are, in the library's own tables or in those that somebody has already."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Numeric,
    String,
    Table,
    UniqueConstraint,
    case,
    cast,
    func,
    literal,
    null,
    type_coerce,
)
from sqlalchemy.sql.visitors import ExternallyTraversible, replacement_traverse
from sqlalchemy.types import NullType, TypeEngine

from account_batch.account import Account
from account_batch.errors import InvalidValueError, nearest
from account_batch.frozen import FrozenMapping
from account_batch.stores.sql.expressions import exact, naive_utc
from account_batch.stores.sql.fields import (
    Field,
    Writes,
    amount,
    coded,
    column,
    constant,
    enabled_date,
    instant_date,
    unset,
    zero_date,
)
from account_batch.stores.sql.schema import OPTIONAL, OwnTables
from account_batch.stores.sql.types import FIELD_TYPES, Amount, Day, Flag, Instant, LongText, Number, Text

__all__ = [
    "AccountMapping",
    "AddonTable",
    "DetailTable",
    "Field",
    "LedgerTable",
    "amount",
    "coded",
    "column",
    "constant",
    "enabled_date",
    "instant_date",
    "own_ledger",
    "own_mapping",
    "zero_date",
]

_Kinds: TypeAlias = Mapping[str, type[TypeEngine[Any]]]

_LEDGER_TYPES: _Kinds = MappingProxyType(
    {
        "account_id": Text,
        "plan_id": Text,
        "kind": Text,
        "amount": Amount,
        "currency": Text,
        "comment": LongText,
        "internal_comment": LongText,
        "reference": Text,
        "distributor": Text,
        "at": Instant,
    }
)
_LEDGER_OPTIONAL = frozenset({"reference", "distributor"})
_REQUIRED = tuple(field.name for field in attrs.fields(Account) if field.default is attrs.NOTHING)
# What these are where a column holds NULL; any other field that an account must have is an error then.
_NULL_IS: Mapping[str, object] = FrozenMapping(
    {field.name: field.default for field in attrs.fields(Account) if FIELD_TYPES.get(field.name) in {Flag, Amount}}
)


def _adapt(  # noqa: C901  # One case for each kind of column.
    name: str, source: object, kind: type[TypeEngine[Any]], *, optional: bool
) -> Field:
    """A field with the canonical type, whatever the type of its column is.

    Raises:
        InvalidValueError: There is no exact conversion; the message names the field.
    """
    if isinstance(source, Column):
        source = column(source)
    if not isinstance(source, Field):
        raise InvalidValueError(f"mapping.{name}: {source!r} is no Field; write column(table.c.name) or another one")
    read = source.read
    if isinstance(read.type, kind):
        return source
    if isinstance(read.type, NullType):
        return attrs.evolve(source, read=unset(kind))
    if kind in {Text, LongText}:
        return _as_text(source, kind, optional=optional)
    if kind is Number and isinstance(read.type, Integer | Number):
        return _as_count(source)
    if kind is Flag and isinstance(read.type, Boolean | Integer | Number):
        return _as_flag(source)
    if kind is Amount and isinstance(read.type, Numeric | String | Integer | Number) and isinstance(read, Column):
        return amount(read)
    if kind is Instant and isinstance(read.type, DateTime) and isinstance(read, Column):
        return Field(read=type_coerce(read, Instant()), write=lambda value: {read: naive_utc(value)})
    if kind is Day and isinstance(read.type, Date):
        return attrs.evolve(source, read=type_coerce(read, Day()))
    raise _misfit(name, read.type, kind)


def _misfit(name: str, found: TypeEngine[Any], kind: type[TypeEngine[Any]]) -> InvalidValueError:
    remedy: dict[type[TypeEngine[Any]], str] = {
        Flag: "coded(column, {...: True, ...: False})",
        Day: "zero_date(column) for dates, instant_date(column, zones) for instants",
        Amount: "amount(column)",
    }
    hint = remedy.get(kind, "a Field that converts it")
    return InvalidValueError(f"mapping.{name}: {found!r} is no {kind.__name__}; write {hint}")


def _as_text(source: Field, kind: type[TypeEngine[Any]], *, optional: bool) -> Field:
    text: ColumnElement[Any] = exact(source.read)
    if optional:
        # Old tables have empty texts, and blanks, where nothing is known.
        text = case((func.trim(text) == literal("", Text()), None), else_=text)
    read, write = type_coerce(text, kind()), source.write
    if write is None:
        return attrs.evolve(source, read=read)
    number = isinstance(source.read.type, Integer | Number)
    nothing = optional and not getattr(source.read, "nullable", True)

    def write_text(value: ColumnElement[Any]) -> Writes:
        if number:
            return write(cast(value, BigInteger()))
        return write(func.coalesce(value, literal("", Text())) if nothing else value)

    return attrs.evolve(source, read=read, write=write_text)


def _as_count(source: Field) -> Field:
    """A count from 1; old tables have 0 where there is none."""
    read, write = type_coerce(case((source.read > 0, source.read), else_=None), Number()), source.write
    if write is None or getattr(source.read, "nullable", True):
        return attrs.evolve(source, read=read)
    return attrs.evolve(source, read=read, write=lambda value: write(func.coalesce(value, 0)))


def _as_flag(source: Field) -> Field:
    if isinstance(source.read.type, Boolean):
        return attrs.evolve(source, read=type_coerce(source.read, Flag()))
    write = source.write
    return attrs.evolve(
        source,
        read=type_coerce(case((source.read.is_(None), None), else_=source.read != 0), Flag()),
        write=None if write is None else lambda value: write(case((value == literal(True, Flag()), 1), else_=0)),
    )


def _without_null(name: str, field: Field) -> Field:
    """The field of an account that always has a value, in a column that may hold NULL."""
    if name not in _NULL_IS or field.coded is not None or not getattr(field.read, "nullable", True):
        return field
    kind = FIELD_TYPES[name]()
    return attrs.evolve(field, read=type_coerce(func.coalesce(field.read, literal(_NULL_IS[name], kind)), kind))


def _exactly(source: ColumnElement[Any]) -> ColumnElement[Any]:
    return source if isinstance(source.type, Text | LongText) else exact(source)


@attrs.frozen(kw_only=True)
class AddonTable:
    """The table with one row an add-on of an account.

    Args:
        table: The table.
        account: Its column with the key of the account.
        addon: Its column with the add-on.
    """

    table: Table
    account: Column[Any]
    addon: Column[Any]

    def __attrs_post_init__(self) -> None:
        """Refuse columns of other tables."""
        _check_columns(self.table, "mapping.addons", account=self.account, addon=self.addon)

    @property
    def read(self) -> ColumnElement[Any]:
        """The add-on, compared exactly; addon itself is for writing."""
        return _exactly(self.addon)


@attrs.frozen(kw_only=True)
class DetailTable:
    """The table with one row an entry of contact or custom fields of an account.

    Args:
        table: The table.
        account: Its column with the key of the account.
        field: Its column with "contact" or "custom_fields".
        name: Its column with the name of the entry.
        value: Its column with the text of the entry.
    """

    table: Table
    account: Column[Any]
    field: ColumnElement[Any] = attrs.field(converter=_exactly)
    name: ColumnElement[Any] = attrs.field(converter=_exactly)
    value: ColumnElement[Any] = attrs.field(converter=_exactly)


@attrs.frozen(kw_only=True)
class LedgerTable:
    """The table with one row a transaction.

    Args:
        table: The table.
        account: Its column with the key of the account.
        fields: How the fields of LedgerEntry, and "at", are kept: a Field or plain column for each that is. A
            transaction that says more than there is a field for is refused.

    Raises:
        InvalidValueError: The amount has no field, or a field is unknown.
    """

    table: Table
    account: Column[Any]
    fields: Mapping[str, Field] = attrs.field()

    def __attrs_post_init__(self) -> None:
        """Bring the fields into their canonical types."""
        adapted = _adapt_all("ledger", self.fields, _LEDGER_TYPES, _LEDGER_OPTIONAL, ("amount",))
        object.__setattr__(self, "fields", adapted)
        _check_columns(self.table, "mapping.ledger", account=self.account)

    def read(self, name: str) -> ColumnElement[Any]:
        """The value of a field; where the table has none it is not set, or empty."""
        if name in self.fields:
            return self.fields[name].read
        kind = _LEDGER_TYPES[name]
        return literal("", kind()) if kind is LongText else unset(kind)

    def write(self, name: str, value: ColumnElement[Any]) -> Writes:
        """Which columns get which values, so that a field has a value; none where the table has no such field."""
        field = self.fields.get(name)
        if field is None or field.write is None:
            return {}
        # A new row has no old values to keep.
        keep_nothing: Any = self._as_new  # SQLAlchemy's name for the type of this function is private.
        return {column: replacement_traverse(new, {}, keep_nothing) for column, new in field.write(value).items()}

    def _as_new(self, part: ExternallyTraversible, **_: object) -> ExternallyTraversible | None:
        return null() if isinstance(part, Column) and part.table is self.table else None


def _no_details(
    value: Mapping[str, ColumnElement[Any]] | DetailTable,
) -> Mapping[str, ColumnElement[Any]] | DetailTable:
    if isinstance(value, DetailTable):
        return value
    return FrozenMapping({name: _exactly(source) for name, source in value.items()})


@attrs.frozen(kw_only=True)
class AccountMapping:
    """Where the accounts are, and how each field of Account is read and written there.

    A field that is not mapped has the default of Account, and cannot be filtered by or set.

    >>> from sqlalchemy import Column, Integer, MetaData, String, Table
    >>> users = Table("users", MetaData(), Column("number", String(20), primary_key=True), Column("plan", Integer))
    >>> AccountMapping(
    ...     table=users,
    ...     key=users.c.number,
    ...     fields={
    ...         "id": column(users.c.number),
    ...         "customer": constant("acme"),
    ...         "kind": constant(AccountKind.DEBIT),
    ...         "currency": constant("USD"),
    ...         "product": column(users.c.plan),
    ...     },
    ... ).prefix
    'account_batch_'

    Args:
        table: One row an account.
        key: Its column that identifies an account for ever: unique, never NULL, a whole number or text.
        fields: A Field or plain column for each field of Account that the tables have.
        addons: Where the add-ons are; None where accounts have none.
        contact: A column by name, or a table.
        custom_fields: Likewise.
        ledger: Where transactions are booked; None is a table of our own.
        prefix: What the names of our own tables begin with.

    Raises:
        InvalidValueError: A required field is missing, a name unknown, or a column of a type without an exact
            conversion; the message names it.
    """

    table: Table
    key: Column[Any]
    fields: Mapping[str, Field] = attrs.field()
    addons: AddonTable | None = None
    contact: Mapping[str, ColumnElement[Any]] | DetailTable = attrs.field(
        default=FrozenMapping(), converter=_no_details
    )
    custom_fields: Mapping[str, ColumnElement[Any]] | DetailTable = attrs.field(
        default=FrozenMapping(), converter=_no_details
    )
    ledger: LedgerTable | None = None
    prefix: str = "account_batch_"

    def __attrs_post_init__(self) -> None:
        """Bring the fields into their canonical types, and check the whole."""
        adapted = _adapt_all("fields", self.fields, FIELD_TYPES, OPTIONAL, _REQUIRED)
        adapted = FrozenMapping({name: _without_null(name, field) for name, field in adapted.items()})
        object.__setattr__(self, "fields", adapted)
        _check_key(self.table, self.key)
        for name, field in adapted.items():
            for written in _written(field, FIELD_TYPES[name]):
                if written.table is not self.table:
                    raise InvalidValueError(
                        f"mapping.fields.{name}: writes {written}, which is no column of {self.table.name}"
                    )
        if not self.prefix.isidentifier() or not self.prefix.isascii():
            raise InvalidValueError(f"mapping.prefix: {self.prefix!r} begins no name of a table; write it like batch_")


def _adapt_all(
    place: str, fields: Mapping[str, Field], kinds: _Kinds, optional: frozenset[str], required: tuple[str, ...]
) -> Mapping[str, Field]:
    for name in fields:
        if name not in kinds:
            raise InvalidValueError(f'mapping.{place}: unknown field "{name}"; {nearest(name, kinds)}')
    if missing := [name for name in required if name not in fields]:
        raise InvalidValueError(f"mapping.{place}: missing: {', '.join(missing)}; map them, or use constant()")
    return FrozenMapping(
        {
            name: _adapt(f"{place}.{name}", fields[name], kind, optional=name in optional)
            for name, kind in kinds.items()
            if name in fields
        }
    )


def _written(field: Field, kind: type[TypeEngine[Any]]) -> Iterator[Column[Any]]:
    if field.write is not None:
        yield from field.write(unset(kind))


def _check_columns(table: Table, place: str, **columns: Column[Any]) -> None:
    for name, source in columns.items():
        if not isinstance(source, Column) or source.table is not table:
            raise InvalidValueError(f"{place}.{name}: {source} is no column of {table.name}")


def _check_key(table: Table, key: Column[Any]) -> None:
    _check_columns(table, "mapping", key=key)
    if not isinstance(key.type, Integer | String | Number | Text):
        raise InvalidValueError(f"mapping.key: {key} is {key.type!r}; a key is a whole number or text")
    names = {key.name}
    alone = [set(table.primary_key.columns.keys())]
    alone += [set(each.columns.keys()) for each in table.constraints if isinstance(each, UniqueConstraint)]
    alone += [set(each.columns.keys()) for each in table.indexes if each.unique]
    # SQLite says of a primary key that it may be NULL, unless it is declared otherwise.
    if (key.nullable and names != alone[0]) or not (key.unique or names in alone):
        raise InvalidValueError(f"mapping.key: {key} is not declared unique and NOT NULL; choose the primary key")


def own_mapping(own: OwnTables, prefix: str = "account_batch_") -> AccountMapping:
    """The mapping onto the library's own tables."""
    accounts, details = own.accounts, own.details
    table = DetailTable(
        table=details,
        account=details.c.account,
        field=details.c.field,
        name=details.c.name,
        value=details.c.value,
    )
    return AccountMapping(
        table=accounts,
        key=accounts.c.key,
        fields={name: column(accounts.c[name]) for name in FIELD_TYPES},
        addons=AddonTable(table=own.addons, account=own.addons.c.account, addon=own.addons.c.addon),
        contact=table,
        custom_fields=table,
        prefix=prefix,
    )


def own_ledger(ledger: Table) -> LedgerTable:
    """The table of transactions that the journal has."""
    return LedgerTable(
        table=ledger, account=ledger.c.key, fields={name: column(ledger.c[name]) for name in _LEDGER_TYPES}
    )
