"""Catalogs as TOML files."""

import tomllib
from decimal import Decimal

import attrs

from account_batch.catalog import Catalog
from account_batch.codec.strict import strict_converter, structure
from account_batch.errors import FormatError, InvalidValueError, nearest

__all__ = ["parse_catalog", "parse_toml"]

_TABLES = {
    "customer": "customers",
    "batch": "batches",
    "product": "products",
    "site": "sites",
    "distributor": "distributors",
    "roles": "roles",
    "ivr_languages": "ivr_languages",
}


def parse_toml(text: str) -> dict[str, object]:
    """The document of a TOML text, in which numbers are exact and every key stands once.

    Raises:
        FormatError: The text is no TOML; the message names the line.
    """
    try:
        return tomllib.loads(text.removeprefix("\N{BYTE ORDER MARK}"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise FormatError(f"no TOML: {error}") from None


def parse_catalog(text: str) -> Catalog:
    """The catalog of a TOML text, with the tables and lists of DESIGN.md section 10.

    Raises:
        FormatError: The text has another form; the message names each place.
    """
    document = parse_toml(text)
    for name in document:
        if name not in _TABLES:
            raise FormatError(f'catalog: unknown table "{name}"; {nearest(name, _TABLES)}')
    fields = attrs.fields_dict(Catalog)
    converter = strict_converter()
    parts = {
        _TABLES[name]: structure(value, fields[_TABLES[name]].type or object, f"catalog.{name}", converter)
        for name, value in document.items()
    }
    try:
        return Catalog(**parts)
    except InvalidValueError as error:
        raise FormatError(str(error)) from None
