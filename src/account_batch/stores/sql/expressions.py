"""Expressions that every database writes in its own way: exact texts, and amounts in columns of somebody else's."""

from typing import Any

from sqlalchemy import ColumnElement, String, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import InternalTraversal

from account_batch.stores.sql.types import SCALE, Amount, LongText, Text, exact_collation

__all__ = ["amount_from", "amount_from_minor", "amount_to", "amount_to_minor", "exact", "naive_utc"]

_UNIT = 10**SCALE


def exact(value: ColumnElement[Any]) -> ColumnElement[str]:
    """A value as text that is equal only to the very same text, whatever the collation of its column is."""
    return type_coerce(_Exact(value), Text())


def amount_from(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The amount that a number or text of plain units says; an empty text says none."""
    return type_coerce(_AmountFrom(value), Amount())


def amount_to(value: ColumnElement[Any], *, text: bool) -> ColumnElement[Any]:
    """An amount as the number, or text, of plain units that a column holds."""
    return _AmountToText(value) if text else _AmountToNumber(value)


def amount_from_minor(value: ColumnElement[Any], digits: int) -> ColumnElement[Any]:
    """The amount that a whole number of minor units says, such as cents."""
    return type_coerce(_AmountFromMinor(value, digits), Amount())


def amount_to_minor(value: ColumnElement[Any], digits: int) -> ColumnElement[Any]:
    """An amount as a whole number of minor units."""
    return _AmountToMinor(value, digits)


def naive_utc(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    """An instant of ours as columns without a zone hold it, in UTC."""
    return _NaiveUtc(instant)


class _Exact(FunctionElement[str]):
    inherit_cache = True
    type = Text()


class _AmountFrom(FunctionElement[Any]):
    inherit_cache = True


class _AmountToNumber(FunctionElement[Any]):
    inherit_cache = True


class _AmountToText(FunctionElement[Any]):
    inherit_cache = True


class _InMinor(FunctionElement[Any]):
    """The digits of the minor unit are part of the expression, and no parameter."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012  # As SQLAlchemy declares it.
        *FunctionElement._traverse_internals,  # noqa: SLF001  # The documented way to add to the cache key.
        ("digits", InternalTraversal.dp_plain_obj),
    ]

    def __init__(self, value: ColumnElement[Any], digits: int) -> None:
        super().__init__(value)
        self.digits = digits


class _AmountFromMinor(_InMinor):
    inherit_cache = True


class _AmountToMinor(_InMinor):
    inherit_cache = True


def _argument(element: FunctionElement[Any], compiler: SQLCompiler, options: dict[str, Any]) -> str:
    """The argument, in parentheses: it may be a sum."""
    (argument,) = element.clauses
    return f"({compiler.process(argument, **options)})"


class _NaiveUtc(FunctionElement[Any]):
    inherit_cache = True


@compiles(_NaiveUtc)
def _write_naive_utc(element: _NaiveUtc, compiler: SQLCompiler, **options: Any) -> str:
    value = _argument(element, compiler, options)
    match compiler.dialect.name:
        case "sqlite":
            return f"strftime('%Y-%m-%d %H:%M:%f000', {value})"
        case "postgresql":
            return f"({value} AT TIME ZONE 'UTC')"
        case _:
            return value


@compiles(_Exact)
def _write_exact(element: _Exact, compiler: SQLCompiler, **options: Any) -> str:
    (value,) = element.clauses
    written, collation = _argument(element, compiler, options), exact_collation(compiler.dialect)
    match compiler.dialect.name:
        case "sqlite":
            text = written if isinstance(value.type, String | Text | LongText) else f"CAST({written} AS TEXT)"
            return f"({text} COLLATE {collation})"
        case "postgresql":
            return f'(CAST({written} AS TEXT) COLLATE "{collation}")'
        case _:
            return f"(CONVERT({written} USING utf8mb4) COLLATE {collation})"


@compiles(_AmountFrom)
def _write_amount_from(element: _AmountFrom, compiler: SQLCompiler, **options: Any) -> str:
    value = _argument(element, compiler, options)
    if compiler.dialect.name != "sqlite":
        (argument,) = element.clauses
        number = f"NULLIF(TRIM({value}), '')" if isinstance(argument.type, String) else value
        return f"CAST({number} AS {_decimal(compiler)})"
    # Digits of a text are moved as text: a floating-point number has room for 15 of them only.
    text = f"trim({value})"
    point = f"instr({text}, '.')"
    decimals = f"substr(substr({text}, {point} + 1) || '{'0' * SCALE}', 1, {SCALE})"
    moved = f"CASE {point} WHEN 0 THEN {text} || '{'0' * SCALE}' ELSE substr({text}, 1, {point} - 1) || {decimals} END"
    return (
        f"(CASE typeof({value}) WHEN 'integer' THEN {value} * {_UNIT}"
        f" WHEN 'text' THEN CASE {text} WHEN '' THEN NULL ELSE CAST({moved} AS INTEGER) END"
        f" ELSE CAST(round({value} * {_UNIT}) AS INTEGER) END)"
    )


@compiles(_AmountToNumber)
def _write_amount_to_number(element: _AmountToNumber, compiler: SQLCompiler, **options: Any) -> str:
    value = _argument(element, compiler, options)
    return f"({value} / {_UNIT}.0)" if compiler.dialect.name == "sqlite" else value


@compiles(_AmountToText)
def _write_amount_to_text(element: _AmountToText, compiler: SQLCompiler, **options: Any) -> str:
    value = _argument(element, compiler, options)
    match compiler.dialect.name:
        case "sqlite":
            sign = f"CASE WHEN {value} < 0 THEN '-' ELSE '' END"
            return f"({sign} || (abs({value}) / {_UNIT}) || printf('.%0{SCALE}d', abs({value}) % {_UNIT}))"
        case "postgresql":
            return f"CAST({value} AS TEXT)"
        case _:
            return f"CAST({value} AS CHAR)"


@compiles(_AmountFromMinor)
def _write_amount_from_minor(element: _AmountFromMinor, compiler: SQLCompiler, **options: Any) -> str:
    value = _argument(element, compiler, options)
    if compiler.dialect.name == "sqlite":
        return f"({value} * {10 ** (SCALE - element.digits)})"
    return f"CAST(CAST({value} AS {_decimal(compiler)}) / {10**element.digits} AS {_decimal(compiler)})"


@compiles(_AmountToMinor)
def _write_amount_to_minor(element: _AmountToMinor, compiler: SQLCompiler, **options: Any) -> str:
    value = _argument(element, compiler, options)
    match compiler.dialect.name:
        case "sqlite":
            return f"({value} / {10 ** (SCALE - element.digits)})"
        case "postgresql":
            return f"CAST({value} * {10**element.digits} AS BIGINT)"
        case _:
            return f"CAST({value} * {10**element.digits} AS SIGNED)"


def _decimal(compiler: SQLCompiler) -> str:
    return f"{'NUMERIC' if compiler.dialect.name == 'postgresql' else 'DECIMAL'}(20, {SCALE})"
