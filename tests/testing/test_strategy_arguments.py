"""What the public strategies refuse to be made from, and how they say so."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from account_batch import Account, AccountKind, Batch, Catalog, Customer, Product
from account_batch.testing import (
    accounts,
    amounts,
    calendar_dates,
    catalogs,
    control_number_texts,
    filters,
    instants,
    invalid_settings,
    money,
    rival_writes,
    scenarios,
    specs,
)

ACME = Customer(id="acme", billing_time_zone="UTC")
GOLD = Product(id="gold", currency="USD")
CARD = Account(id="1", customer="acme", kind=AccountKind.DEBIT, currency="USD", product="gold")
NOTHING = Catalog()
WRONG = cast("Any", "wrong")
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001  # What is refused.

_Cases = list[tuple[Callable[[], object], str]]

OF_NUMBERS: _Cases = [
    (lambda: amounts(cast("Any", 0.5)), r"min_value: 0\.5 is no exact amount"),
    (lambda: amounts(max_value="1e3"), r'max_value: "1e3" is no amount'),
    (lambda: amounts(2, 1), r"min_value=2 is above max_value=1"),
    (lambda: amounts(places=6), r"places=6 is no whole number from 0 to 5"),
    (lambda: amounts(places=cast("Any", True)), r"places=True is no whole number"),
    (lambda: amounts("0.1", "0.9", places=0), r"places=0: no such amount from min_value=0\.1 to max_value=0\.9"),
    (lambda: money("0.000001"), r"min_value: 0\.000001 has more than 5 decimals"),
    (lambda: money(currency="Dollar"), r"currency: 'Dollar' is no ISO 4217 currency"),
    (lambda: control_number_texts(valid=cast("Any", 1)), r"valid=1 is neither True nor False"),
    (lambda: control_number_texts(max_number=0), r"max_number=0 is no whole number from 1 to 2147483647"),
    (lambda: control_number_texts(max_number=2**31), r"max_number=2147483648 is no whole number"),
]
OF_DATES: _Cases = [
    (lambda: calendar_dates(cast("Any", 2026)), r"min_value: 2026 is no calendar date"),
    (lambda: calendar_dates(NAIVE), r"min_value: .* is no calendar date"),
    (lambda: calendar_dates(max_value=cast("Any", "1.2.2026")), r'max_value: "1\.2\.2026" is no date'),
    (lambda: calendar_dates(date(2026, 2, 1), date(2026, 1, 1)), r"min_value=2026-02-01 is above max_value=2026-01-01"),
    (lambda: calendar_dates(zones=[]), r"zones: none given"),
    (lambda: calendar_dates(zones="UTC"), r"zones: 'UTC' is no collection"),
    (lambda: calendar_dates(zones=["Europe/Kiew"]), r"zones: 'Europe/Kiew' is no IANA zone"),
    (lambda: calendar_dates(zones=[cast("Any", 1)]), r"zones: 1 is no IANA zone"),
    (lambda: instants(NAIVE), r"min_value: .* has no time zone"),
    (lambda: instants(max_value=NAIVE), r"max_value: .* has no time zone"),
    (lambda: instants(datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)), r"min_value=.* is above"),
    (lambda: instants(zones=["localtime"]), r"zones: 'localtime' is no IANA zone"),
]
OF_VALUES: _Cases = [
    (lambda: catalogs(batch=[]), r'batch: no field of Catalog; did you mean "batches"\?'),
    (lambda: catalogs(customers=[GOLD]), r"customers: catalog\.customers: .* is no Customer"),
    (lambda: accounts(ballance=1), r'ballance: no field of Account; did you mean "balance"\?'),
    (lambda: accounts(kind="debit"), r"kind: account\.kind: 'debit' is no AccountKind"),
    (lambda: accounts(id=""), r"id: account\.id: blank"),
    (lambda: accounts(WRONG), r"catalog='wrong' is no Catalog$"),
    (lambda: accounts(cast("Any", catalogs())), r"is no Catalog; to draw it too, use flatmap"),
    (lambda: accounts(NOTHING), r"catalog: has no customer; add one, or pass customer="),
    (lambda: accounts(NOTHING, customer="acme"), r"catalog: has no product; add one, or pass product="),
    (lambda: rival_writes([]), r"accounts=\[\] are no accounts; pass at least one"),
    (lambda: rival_writes(cast("Any", CARD)), r"accounts: .* is no collection"),
    (lambda: rival_writes(cast("Any", [CARD, 1])), r"accounts=.* are no accounts"),
    (lambda: rival_writes([CARD], max_size=-1), r"max_size=-1 is no whole number"),
    (lambda: filters(WRONG), r"catalog='wrong' is no Catalog"),
    (lambda: filters(for_update=cast("Any", None)), r"for_update=None is neither True nor False"),
    (lambda: filters(NOTHING, for_update=True), r"catalog: has no batch of a customer that it knows"),
]
OF_REQUESTS: _Cases = [
    (lambda: specs(WRONG), r"catalog='wrong' is no Catalog"),
    (lambda: specs(cast("Any", None)), r"catalog=None is no Catalog"),
    (
        lambda: specs(NOTHING, settings=["produkt"]),
        r"settings: 'produkt' is no attribute .*\"product\"\?",
    ),
    (lambda: specs(NOTHING, settings="product"), r"settings: 'product' is no collection"),
    (lambda: specs(NOTHING, settings=["product", "role"]), r"settings: the catalog has nothing for product, role"),
    (lambda: specs(NOTHING, settings=[]), r"settings: the catalog has nothing for none at all"),
    (lambda: specs(NOTHING, max_settings=0), r"max_settings=0 is no whole number"),
    (lambda: specs(NOTHING, days=cast("Any", date(2026, 1, 1))), r"days=.* is no strategy of dates"),
    (lambda: invalid_settings(WRONG), r"catalog='wrong' is no Catalog"),
    (lambda: scenarios(WRONG), r"catalog='wrong' is no Catalog"),
    (lambda: scenarios(NOTHING), r"catalog: has no batch"),
    (
        lambda: scenarios(Catalog(customers=[ACME], batches=[Batch(id="B", customer="acme")])),
        r"catalog: has no product",
    ),
    (lambda: scenarios(settings=["stat"]), r"settings: 'stat' is no attribute of UpdateSpec"),
    (lambda: scenarios(max_accounts=0), r"max_accounts=0 is no whole number"),
]


@pytest.mark.parametrize(("make", "message"), [*OF_NUMBERS, *OF_DATES, *OF_VALUES, *OF_REQUESTS])
def test_a_wrong_argument_is_refused_by_name(make: Callable[[], object], message: str) -> None:
    """Before anything is drawn, and the message begins with the argument and says what would be right."""
    with pytest.raises(InvalidArgument, match=f"^.*{message}"):
        make()


def test_strategies_are_taken_as_they_are() -> None:
    """What a strategy draws is not known yet: it is judged by the constructor when it is drawn."""
    assert isinstance(accounts(kind=st.just("debit")), st.SearchStrategy)
    assert isinstance(money(currency=st.just("Dollar")), st.SearchStrategy)
