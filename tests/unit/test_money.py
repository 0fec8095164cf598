import decimal
import pickle
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import attrs
import pytest

from account_batch.errors import InvalidValueError
from account_batch.money import CURRENCIES, Money, add, as_amount, check_currency, plain, share, subtract, times

_HOSTILE = {
    "three digits": decimal.Context(prec=3, traps=[]),
    "three digits, trapped": decimal.Context(prec=3, traps=[decimal.Inexact, decimal.Rounded]),
    "no exponents": decimal.Context(prec=1, Emin=0, Emax=0, traps=[]),
    "everything trapped": decimal.Context(
        prec=1,
        Emin=0,
        Emax=0,
        rounding=decimal.ROUND_UP,
        traps=[decimal.Inexact, decimal.Rounded, decimal.Subnormal, decimal.Clamped, decimal.FloatOperation],
    ),
}
_hostile = pytest.mark.parametrize("context", _HOSTILE.values(), ids=_HOSTILE.keys())


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("15", "USD", "15.00 USD"),
        ("15.00", "USD", "15.00 USD"),
        ("15.00000000", "USD", "15.00 USD"),
        (15, "USD", "15.00 USD"),
        (Decimal("1.5E+1"), "USD", "15.00 USD"),
        ("+007.10", "USD", "7.10 USD"),
        ("-7.1", "USD", "-7.10 USD"),
        ("0.12345", "USD", "0.12345 USD"),
        ("0.120", "USD", "0.12 USD"),
        ("-0", "USD", "0.00 USD"),
        (Decimal("-0.00"), "USD", "0.00 USD"),
        (Decimal("0E-20"), "USD", "0.00 USD"),
        (Decimal("0E+20"), "USD", "0.00 USD"),
        ("15.000", "JPY", "15 JPY"),
        ("15.5", "JPY", "15.5 JPY"),
        ("1.5", "KWD", "1.500 KWD"),
        ("1.5", "CLF", "1.5000 CLF"),
        ("999999999999999.99999", "USD", "999999999999999.99999 USD"),
        ("-999999999999999.99999", "USD", "-999999999999999.99999 USD"),
        (Decimal("1E+14"), "USD", "100000000000000.00 USD"),
    ],
)
def test_money_shows_the_decimals_it_needs_and_those_of_its_currency(
    amount: Decimal | int | str, currency: str, text: str
) -> None:
    """Money has one normal form, whatever the amount was written like."""
    assert str(Money(amount, currency)) == text


@pytest.mark.parametrize("amount", ["15", "15.00", "+15.0", 15, Decimal(15), Decimal("1.5E+1"), Decimal("15.0000000")])
def test_equal_amounts_are_the_same_value(amount: Decimal | int | str) -> None:
    """Equal amounts are equal, hash alike and show alike, so that no set, memo or digest tells them apart."""
    money, normal = Money(amount, "USD"), Money("15.00", "USD")
    assert (money, hash(money), repr(money)) == (normal, hash(normal), "Money('15.00', 'USD')")


def test_currencies_tell_amounts_apart() -> None:
    """The same amount of another currency is another value."""
    assert Money("15", "USD") != Money("15", "EUR")


@pytest.mark.parametrize("money", [Money("15", "USD"), Money("-0.00001", "USD"), Money("15", "JPY")], ids=str)
def test_text_of_money_is_read_back(money: Money) -> None:
    """What str() writes, parse() reads."""
    assert Money.parse(str(money)) == money


def test_text_without_a_currency_is_answered_with_an_example() -> None:
    """Whoever left out the currency is shown what is right."""
    with pytest.raises(InvalidValueError, match=re.escape("'15.00' is no money; write it like \"15.00 USD\"")):
        Money.parse("15.00")


@pytest.mark.parametrize("value", [15, None, Decimal(15), b"15.00 USD", ["15.00", "USD"]], ids=repr)
def test_what_is_no_text_is_answered_with_an_example(value: Any) -> None:
    """Whatever else is read as money is refused like text of another form, and not with an error of Python's."""
    with pytest.raises(InvalidValueError, match=re.escape(f'{value!r} is no money; write it like "15.00 USD"')):
        Money.parse(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "15.00",
        "USD",
        "USD 15.00",
        " 15.00 USD",
        "15.00 USD ",
        "15.00  USD",
        "15.00\tUSD",
        "15.00 usd",
        "15,0 USD",
    ],
)
def test_other_text_is_no_money(text: str) -> None:
    """Money is read from an amount, one space and a currency, and from nothing else."""
    with pytest.raises(InvalidValueError) as caught:
        Money.parse(text)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "amount",
    [
        1.5,
        15.0,
        float("nan"),
        float("inf"),
        True,
        False,
        None,
        b"15",
        [15],
        Fraction(3, 2),
        complex(1, 0),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
        Decimal("0.000001"),
        Decimal("1E-6"),
        Decimal("1E-20"),
        Decimal("1E-999999999999999999"),
        Decimal("1E+30"),
        Decimal("-1E+30"),
        10**30,
        pytest.param(10**5000, id="5001 digits"),
        "0.123456",
        "-0.000001",
        "1" + "0" * 30,
        "1e3",
        "NaN",
        "Infinity",
        "",
        " ",
        " 15",
        "15 ",
        "15\n",
        "15.",
        ".5",
        "1.2.3",
        "1,50",
        "1_000",
        "--1",
        "+-1",
        "- 1",
        "0x10",
        "15 USD",
        "\uff11\uff15",
        "\u0661",
        "15\0",
        "\ud800",
    ],
    ids=ascii,
)
def test_what_is_no_exact_amount_is_refused(amount: Any) -> None:
    """Floats, booleans, NaN, six decimals, 10^15 and loose text are no amounts, and the message names the place."""
    with pytest.raises(InvalidValueError, match=r"^amount: ") as caught:
        Money(amount, "USD")
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "currency", ["", "usd", "US", "USDX", " USD", "XYZ", "XXX", "XAU", "DEM", "BGN", 840, None, ["USD"]]
)
def test_unknown_currencies_are_refused(currency: Any) -> None:
    """Only active ISO 4217 codes are currencies, and the message names the place."""
    with pytest.raises(InvalidValueError, match=r"^currency: ") as caught:
        Money("15", currency)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("code", "digits"), [("USD", 2), ("EUR", 2), ("UAH", 2), ("XCG", 2), ("JPY", 0), ("UGX", 0), ("TND", 3), ("CLF", 4)]
)
def test_currencies_have_the_minor_units_of_iso_4217(code: str, digits: int) -> None:
    """The number of decimals of a currency is that of the standard."""
    assert CURRENCIES[code] == digits


def test_currencies_are_the_three_letter_codes_in_use() -> None:
    """There are as many active codes as the standard had in 2026, funds codes included, metals and test codes not."""
    assert len(CURRENCIES) == 165
    assert all(re.fullmatch("[A-Z]{3}", code) for code in CURRENCIES)


def test_checks_name_the_place_they_are_given() -> None:
    """An amount or currency of another field is reported under the name of that field."""
    with pytest.raises(InvalidValueError, match=r"^batch\.x: "):
        as_amount("-", "batch.x")
    with pytest.raises(InvalidValueError, match=r"^batch\.y: 'usd'"):
        check_currency("usd", "batch.y")


@pytest.mark.parametrize(
    ("amount", "places", "accepted"),
    [("0.12345", 5, True), ("0.123456", 5, False), ("0.123456", 6, True), ("1.0", 0, True), ("1.1", 0, False)],
)
def test_an_amount_has_at_most_the_allowed_decimals(amount: str, places: int, accepted: bool) -> None:  # noqa: FBT001
    """Trailing zeros aside, an amount has no more decimals than its field allows."""
    if accepted:
        assert as_amount(amount, "x", places=places) == Decimal(amount)
    else:
        with pytest.raises(InvalidValueError, match=f"more than {places} decimals"):
            as_amount(amount, "x", places=places)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("15.00", "15"),
        ("0.10", "0.1"),
        ("-0.10", "-0.1"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1E-5", "0.00001"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E+3", "0"),
    ],
)
def test_plain_text_of_an_amount_is_unique(amount: str, text: str) -> None:
    """Equal amounts have one text without exponent, superfluous zeros or negative zero."""
    assert plain(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "commission", "kept"),
    [
        ("15", "0.15", "12.75"),
        ("15", "0", "15"),
        ("15", "1", "0"),
        ("0", "0.15", "0"),
        ("0.00001", "0.5", "0.00001"),
        ("-0.00001", "0.5", "-0.00001"),
        ("0.00001", "0.5000000001", "0"),
        ("0.00003", "0.5", "0.00002"),
        ("0.99999", "0.33333", "0.66666"),
        ("999999999999999.99999", "0.0000000001", "999999999899999.99999"),
    ],
)
def test_a_share_is_rounded_half_away_from_zero(amount: str, commission: str, kept: str) -> None:
    """What a commission leaves has 5 decimals, and a half goes away from zero (rule 15)."""
    left = share(Decimal(amount), Decimal(commission))
    assert (left, left.as_tuple().exponent) == (Decimal(kept), -5)


def test_sums_and_differences_are_exact() -> None:
    """Nothing is rounded between the largest and the smallest amount."""
    large, small = Decimal(999999999999999), Decimal("0.00001")
    assert add(large, small, large) == Decimal("1999999999999998.00001")
    assert subtract(small, large) == Decimal("-999999999999998.99999")
    assert times(large + small, 3) == Decimal("2999999999999997.00003")
    assert add() == 0


@_hostile
def test_arithmetic_ignores_the_context_of_the_caller(context: decimal.Context) -> None:
    """A calling program that rounds to three digits, or traps rounding, gets the same results."""
    amount = Decimal("12345.67891")
    with decimal.localcontext(context):
        results = (
            add(amount, Decimal("0.00001")),
            subtract(amount, Decimal("0.00001")),
            times(amount, 3),
            share(amount, Decimal("0.123456")),
        )
        texts = [plain(result) for result in results]
    assert texts == ["12345.67892", "12345.6789", "37037.03673", "10821.53077"]


@_hostile
@pytest.mark.parametrize("amount", ["123456789.12345", "-1234.56", "999999999999999.9", Decimal("-0.00"), 123456])
def test_construction_ignores_the_context_of_the_caller(context: decimal.Context, amount: Decimal | int | str) -> None:
    """Money that exists in one program exists in any other, with the same digits."""
    expected = str(Money(amount, "USD"))
    with decimal.localcontext(context):
        assert str(Money(amount, "USD")) == expected


@_hostile
def test_limits_ignore_the_context_of_the_caller(context: decimal.Context) -> None:
    """What is out of range is refused as such, whatever the calling program traps."""
    with decimal.localcontext(context), pytest.raises(InvalidValueError, match="out of range"):
        as_amount("1" + "0" * 30, "x")


def test_money_can_be_evolved() -> None:
    """A changed copy is brought into normal form again."""
    assert repr(attrs.evolve(Money("15", "JPY"), currency="USD")) == "Money('15.00', 'USD')"


def test_money_survives_pickling() -> None:
    """Money that crosses a process boundary is the same value."""
    copy = pickle.loads(pickle.dumps(Money("15", "USD")))  # noqa: S301  # The bytes are our own.
    assert (copy, repr(copy)) == (Money("15", "USD"), "Money('15.00', 'USD')")


def test_money_cannot_be_changed() -> None:
    """Money is a value, not a variable."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Money("15", "USD").amount = Decimal(16)  # type: ignore[misc]  # The assignment is what is tested.
