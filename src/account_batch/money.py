"""Money: an exact decimal amount in one currency."""

import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation, Overflow
from typing import Self

import attrs

from account_batch.errors import InvalidValueError

__all__ = ["CURRENCIES", "Money", "add", "as_amount", "check_currency", "plain", "share", "subtract", "times"]

_QUANTUM = Decimal("0.00001")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")

# Sums and products of valid amounts have fewer digits than this: nothing is ever rounded by accident, whatever the
# decimal context of the calling program is.
_EXACT = Context(
    prec=80, rounding=ROUND_HALF_EVEN, Emin=-999, Emax=999, clamp=0, flags=[], traps=[InvalidOperation, Overflow]
)

# ISO 4217, active codes by the number of digits of their minor unit.
_MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG "
        "YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
CURRENCIES = {code: digits for digits, codes in _MINOR_UNITS.items() for code in codes.split()}


def as_amount(value: Decimal | int | str, name: str, *, places: int = 5, digits: int = 15) -> Decimal:
    """An exact amount: unless said otherwise at most 5 decimals and below 10^15, never a float.

    Raises:
        InvalidValueError: Anything else; the message names the place.
    """
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value) or not value.isascii():
            raise InvalidValueError(f'{name}: "{value}" is no amount; write it like 15.00')
        value = Decimal(value)
    elif type(value) is int:
        value = Decimal(value)
    elif not isinstance(value, Decimal):
        raise InvalidValueError(f"{name}: {value!r} is no exact amount; pass decimal.Decimal, int or text like 15.00")
    if not value.is_finite() or (value and value.adjusted() >= digits):
        raise InvalidValueError(f"{name}: {value} is out of range; amounts are finite and below 10^{digits}")
    if _decimals(value) > places:
        raise InvalidValueError(f"{name}: {value} has more than {places} decimals")
    return value or value.copy_abs()


def _decimals(value: Decimal) -> int:
    """How many decimals the value needs, trailing zeros aside."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # The value is finite.
    superfluous = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -exponent - superfluous) if value else 0


def check_currency(value: str, name: str) -> None:
    """Refuse what is no active ISO 4217 code.

    Raises:
        InvalidValueError: The message names the place.
    """
    if not isinstance(value, str) or value not in CURRENCIES:
        raise InvalidValueError(f"{name}: {value!r} is no ISO 4217 currency; write it like USD")


def add(*amounts: Decimal) -> Decimal:
    """The exact sum, independent of the caller's decimal context."""
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def subtract(amount: Decimal, less: Decimal) -> Decimal:
    """The exact difference, independent of the caller's decimal context."""
    return _EXACT.subtract(amount, less)


def times(amount: Decimal, count: int) -> Decimal:
    """The exact multiple, independent of the caller's decimal context."""
    return _EXACT.multiply(amount, Decimal(count))


def share(amount: Decimal, commission: Decimal) -> Decimal:
    """What is left of an amount after a commission, rounded to 5 decimals, half away from zero (rule 15)."""
    kept = _EXACT.multiply(amount, _EXACT.subtract(Decimal(1), commission))
    return kept.quantize(_QUANTUM, rounding=ROUND_HALF_UP, context=_EXACT)


def plain(amount: Decimal) -> str:
    """The one text of an amount: no exponent, no superfluous zeros, no negative zero."""
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _amount(value: Decimal | int | str) -> Decimal:
    return as_amount(value, "amount", digits=30)


@attrs.frozen
class Money:
    """An exact amount of one currency, for example a charge or an opening balance.

    Equal amounts are equal values: Money("15", "USD") is Money("15.00", "USD") and shows as 15.00 USD.

    >>> Money("15", "USD")
    Money('15.00', 'USD')

    Args:
        amount: Decimal, int or text; at most 5 decimals; never a float. Below 10^30, so that totals fit; the amounts
            of accounts and specs are below 10^15.
        currency: ISO 4217 code.

    Raises:
        InvalidValueError: The amount is not exact or out of range, or the currency unknown.
    """

    amount: Decimal = attrs.field(converter=_amount)
    currency: str = attrs.field()

    @currency.validator
    def _check_currency(self, _: object, value: str) -> None:
        check_currency(value, "currency")

    def __attrs_post_init__(self) -> None:
        """Bring the amount into normal form: the digits it needs, and at least those of the currency."""
        digits = max(CURRENCIES[self.currency], _decimals(self.amount))
        exact = self.amount.quantize(Decimal(1).scaleb(-digits, context=_EXACT), context=_EXACT)
        object.__setattr__(self, "amount", exact)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Money from text such as "15.00 USD".

        Raises:
            InvalidValueError: The text has another form.
        """
        amount, _, currency = text.partition(" ") if isinstance(text, str) else ("", "", "")
        if not currency:
            raise InvalidValueError(f'{text!r} is no money; write it like "15.00 USD"')
        return cls(amount, currency)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def __repr__(self) -> str:
        return f"Money({f'{self.amount:f}'!r}, {self.currency!r})"
