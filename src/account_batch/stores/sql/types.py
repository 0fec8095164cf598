"""SQL types that keep the values of accounts exactly, on every database."""

from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, Boolean, Date, DateTime, Dialect, Integer, Numeric, String, TypeDecorator
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeEngine

from account_batch.errors import InvalidValueError

__all__ = ["FIELD_TYPES", "SCALE", "Amount", "Day", "Flag", "Instant", "LongText", "Number", "Text", "exact_collation"]

SCALE = 5
"""The decimals of an amount; SQLite keeps it as a whole number of units of 10^-5."""

_SQLITE_MOST = Decimal(9) * 10**13


def exact_collation(dialect: Dialect) -> str:
    """The collation of a database in which two texts are equal only if all of their characters are."""
    match dialect.name:
        case "sqlite":
            return "BINARY"
        case "postgresql":
            return "C"
        case _:
            return "utf8mb4_nopad_bin"


class Text(TypeDecorator[str]):
    """A text that is compared character by character, case and trailing spaces included; MariaDB keeps up to 255."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        match dialect.name:
            case "sqlite":
                return dialect.type_descriptor(SqlText())
            case "postgresql":
                return dialect.type_descriptor(SqlText(collation=exact_collation(dialect)))
            case _:
                return dialect.type_descriptor(
                    mysql.VARCHAR(255, charset="utf8mb4", collation=exact_collation(dialect))
                )


class LongText(TypeDecorator[str]):
    """A text of any length, compared character by character; too long for keys and indexes."""

    impl = SqlText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        match dialect.name:
            case "sqlite":
                return dialect.type_descriptor(SqlText())
            case "postgresql":
                return dialect.type_descriptor(SqlText(collation=exact_collation(dialect)))
            case _:
                return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation=exact_collation(dialect)))


class _AmountError(InvalidValueError, DontWrapMixin):
    """An InvalidValueError that SQLAlchemy passes on as it is."""


class Amount(TypeDecorator[Decimal]):
    """An exact amount of up to 5 decimals; on SQLite, which has no decimals, a whole number of 10^-5.

    Sums of amounts are amounts: type_coerce(func.sum(amount), Amount()).
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Integer())
        return dialect.type_descriptor(Numeric(20, SCALE))

    # The values come and go as the driver has them: Decimal, or int on SQLite.
    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The amount as the driver takes it.

        Raises:
            InvalidValueError: SQLite cannot hold so large an amount.
        """
        if value is None:
            return None
        if dialect.name != "sqlite":
            return value
        if not -_SQLITE_MOST < value < _SQLITE_MOST:
            raise _AmountError(f"{value}: out of range; SQLite keeps amounts below 9*10^13")
        # Digits and exponent, not arithmetic: the caller's decimal context must not round.
        sign, digits, exponent = Decimal(value).as_tuple()
        assert isinstance(exponent, int)  # It is finite: it was compared.
        shift = exponent + SCALE
        number = int("".join(map(str, digits)))
        number = number * 10**shift if shift >= 0 else _divide(number, 10**-shift, value)
        return -number if sign else number

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """The amount, whatever decimal context the caller has."""
        if value is None or isinstance(value, Decimal):
            return value
        if dialect.name != "sqlite":
            return Decimal(value)
        return Decimal((1 if value < 0 else 0, tuple(map(int, str(abs(value)))), -SCALE))


def _divide(number: int, by: int, value: Any) -> int:
    quotient, rest = divmod(number, by)
    if rest:
        raise _AmountError(f"{value}: more than {SCALE} decimals")
    return quotient


class Day(TypeDecorator[date]):
    """A calendar date; on SQLite its ISO text."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return dialect.type_descriptor(SqlText() if dialect.name == "sqlite" else Date())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The day as the driver takes it."""
        return value.isoformat() if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:  # noqa: ARG002  # As declared above.
        """The day; MariaDB too gives the text of a day where the day is a parameter."""
        return date.fromisoformat(value) if isinstance(value, str) else value


class Flag(TypeDecorator[bool]):
    """Yes or no; on SQLite 1 or 0."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean(create_constraint=False))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The flag as the driver takes it."""
        return int(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:  # noqa: ARG002  # As declared above.
        """The flag."""
        return None if value is None else bool(value)


class Instant(TypeDecorator[datetime]):
    """An instant, in UTC; on SQLite its ISO text with microseconds, so that texts sort like instants."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        match dialect.name:
            case "sqlite":
                return dialect.type_descriptor(SqlText())
            case "postgresql":
                return dialect.type_descriptor(DateTime(timezone=True))
            case _:
                return dialect.type_descriptor(mysql.DATETIME(fsp=6))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The instant as the driver takes it."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        match dialect.name:
            case "sqlite":
                return utc.isoformat(timespec="microseconds")
            case "postgresql":
                return utc
            case _:
                return utc.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The instant, in UTC."""
        if value is None:
            return None
        match dialect.name:
            case "sqlite":
                return datetime.fromisoformat(value)
            case "postgresql":
                return datetime.combine(value.astimezone(UTC).date(), value.astimezone(UTC).time(), UTC)
            case _:
                return datetime.combine(value.date(), value.time(), UTC)


class Number(TypeDecorator[int]):
    """A whole number of up to 64 bits; as a primary key it counts by itself."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type on one database."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


FIELD_TYPES = MappingProxyType[str, type[TypeEngine[Any]]](
    {
        "id": Text,
        "batch": Text,
        "control_number": Number,
        "customer": Text,
        "kind": Text,
        "account_role": Text,
        "state": Text,
        "blocked": Flag,
        "registered": Flag,
        "currency": Text,
        "opening_balance": Amount,
        "balance": Amount,
        "activation_date": Day,
        "expiration_date": Day,
        "availability_days": Number,
        "first_used_on": Day,
        "last_recharged_on": Day,
        "product": Text,
        "charging_period": Number,
        "associated_number": Text,
        "unified_messaging": Text,
        "ivr_language": Text,
        "time_zone": Text,
        "role": Text,
        "site": Text,
        "distributor": Text,
    }
)
"""The canonical SQL type of every field of Account that is one value; enums are the text of their value."""
