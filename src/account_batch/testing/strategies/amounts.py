"""Strategies of amounts and money."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from account_batch.money import Money, as_amount, check_currency, plain
from account_batch.testing.strategies.arguments import as_strategy, check_order, check_whole, named
from account_batch.testing.strategies.names import CURRENCIES

__all__ = ["Bound", "amounts", "money"]

Bound: TypeAlias = Decimal | int | str | None
"""What an amount is written as, or None for as far as amounts go."""

_COMMON = tuple(Decimal(text) for text in "0 1 5 15 0.01 0.5 4.99 100 0.00001 5.00001 -1 -5 -0.01".split())
_MOST = 10**15


def amounts(min_value: Bound = None, max_value: Bound = None, *, places: int = 5) -> st.SearchStrategy[Decimal]:
    """Amounts as accounts hold them: half of them such as a person would type, the rest any.

    They shrink to 0, or to the bound that is nearest to it, and to few digits.

    Args:
        min_value: The least; by default as far as the amounts of accounts go, like max_value.
        max_value: The most.
        places: The most decimals, 0 to 5.

    Raises:
        InvalidArgument: A bound is no amount, or no amount of so many decimals lies between them.
    """
    check_whole("places", places, 0, 5)
    least, most = (_bound(name, value) for name, value in (("min_value", min_value), ("max_value", max_value)))
    check_order(least, most)
    lowest = -_MOST * 10**places + 1 if least is None else _steps(least, places, up=True)
    highest = _MOST * 10**places - 1 if most is None else _steps(most, places, up=False)
    if lowest > highest:
        raise InvalidArgument(f"places={places}: no such amount from min_value={least} to max_value={most}")
    rest = st.integers(lowest, highest).map(_amount_of(places))
    common = [value for value in _COMMON if lowest <= value.scaleb(places) <= highest and _fits(value, places)]
    return st.sampled_from(common) | rest if common else rest


def money(
    min_value: Bound = None,
    max_value: Bound = None,
    *,
    currency: str | st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Money]:
    """Money as accounts and specs hold it, in a currency of 0, 2, 3 or 4 digits.

    Args:
        min_value: The least amount, as for amounts.
        max_value: The most.
        currency: An ISO 4217 code, or a strategy of such; by default one of a few.

    Raises:
        InvalidArgument: A bound is no amount, they are in the wrong order, or there is no such currency.
    """
    if isinstance(currency, st.SearchStrategy) or currency is None:
        currencies = st.sampled_from(CURRENCIES) if currency is None else currency
    else:
        named("currency", lambda: check_currency(currency, "currency"))
        currencies = as_strategy(currency)
    return st.builds(Money, amounts(min_value, max_value), currencies)


def _bound(name: str, value: Bound) -> Decimal | None:
    return None if value is None else named(name, lambda: as_amount(value, name))


def _steps(value: Decimal, places: int, *, up: bool) -> int:
    """The nearest whole number of smallest amounts that is not beyond the value."""
    steps = int(value.scaleb(5))  # Amounts have at most five decimals: this is exact.
    size: int = 10 ** (5 - places)
    return -(-steps // size) if up else steps // size


def _fits(value: Decimal, places: int) -> bool:
    return value.scaleb(places) % 1 == 0


def _amount_of(places: int) -> Callable[[int], Decimal]:
    return lambda steps: Decimal(plain(Decimal(steps).scaleb(-places)))
