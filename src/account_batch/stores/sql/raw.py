"""Raw values: what the values of an Account's fields are in a database."""

import json
from enum import Enum
from typing import Any, TypeAlias

from account_batch.account import AccountKind, AccountState, UnifiedMessaging
from account_batch.decision import FieldValue
from account_batch.errors import StoreError
from account_batch.stores.sql.types import FIELD_TYPES, Flag

__all__ = ["Raw", "as_raw", "from_raw"]

Raw: TypeAlias = Any
"""Enums are the text of their value, sets of add-ons a JSON array; all others are what they are on Account."""

_ENUMS: dict[str, type[Enum]] = {
    "kind": AccountKind,
    "state": AccountState,
    "unified_messaging": UnifiedMessaging,
}


def as_raw(value: FieldValue) -> Raw:
    """What the database has for a value."""
    match value:
        case Enum():
            return value.value
        case frozenset():
            return json.dumps(sorted(value), ensure_ascii=False)
        case _:
            return value


def from_raw(field: str, raw: Raw) -> FieldValue:
    """The value of a field that the database has.

    Raises:
        StoreError: It is none that the field can have.
    """
    if field == "addons":
        return frozenset(json.loads(raw))
    if raw is not None and field in _ENUMS:
        members: dict[str, FieldValue] = {member.value: member for member in _ENUMS[field]}  # type: ignore[misc]  # They are values of fields.
        if raw not in members:
            raise StoreError(f'{field}: the tables have "{raw}", which is none of {", ".join(members)}')
        return members[raw]
    if raw is None and FIELD_TYPES[field] is Flag:
        raise StoreError(f"{field}: the tables have a code for it that the mapping does not know")
    plain: FieldValue = raw
    return plain
