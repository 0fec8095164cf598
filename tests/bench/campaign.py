"""What the comparison of databases changes: accounts, half of which need it, and two requests of five settings."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import attrs

from account_batch import (
    Account,
    AccountKind,
    AccountState,
    Batch,
    Catalog,
    Charge,
    ExpireOn,
    Money,
    StatusChange,
    UpdateSpec,
)
from account_batch.rules import Request, questions
from bench import compare

__all__ = [
    "CATALOG",
    "CHARGE",
    "DAYS",
    "EVE",
    "EXPIRATION",
    "NOW",
    "SETTINGS",
    "WHERE",
    "count_questions",
    "stream_accounts",
]

NOW = compare.NOW
EXPIRATION = date(2027, 12, 1)
EVE = date(2027, 11, 30)
DAYS = 120
_KINDS = 50_000
CATALOG: Catalog = attrs.evolve(compare.CATALOG, batches=[Batch(id="B", customer="c"), Batch(id="C", customer="c")])
WHERE = compare.WHERE
SETTINGS = UpdateSpec(
    expiration=ExpireOn(EXPIRATION),
    availability_days=DAYS,
    status=StatusChange.UNBLOCKED,
    ivr_language="en",
    role="default",
)
CHARGE = UpdateSpec(
    expiration=ExpireOn(EXPIRATION),
    availability_days=DAYS,
    status=StatusChange.UNBLOCKED,
    ivr_language="en",
    charge=Charge(Money("1.00", "USD"), comment="SIM fee", reference="fee-2026"),
)


def stream_accounts(count: int, *, batch: str = "B") -> Iterator[Account]:
    """Yield accounts of one batch, the same for the same count and batch.

    Half of them have all that SETTINGS sets, and less than CHARGE takes; of the rest, a few are to be activated only
    after the new expiration. Beyond some number they are like earlier ones, but for id and control number.
    """
    draw = random.Random(f"{count} {batch}")
    kinds = [_account(draw, number) for number in range(1, min(count, _KINDS) + 1)]
    for number in range(1, count + 1):
        yield attrs.evolve(draw.choice(kinds), id=f"{batch}44{number:010}", batch=batch, control_number=number)


def _account(draw: random.Random, number: int) -> Account:
    account = compare.make_account(draw, number)
    activation = account.activation_date
    if account.state is AccountState.INACTIVE:
        activation = draw.choice((None, compare.TODAY + timedelta(days=30 * draw.randrange(1, 18))))
    done = draw.random() < 0.5
    return attrs.evolve(
        account,
        activation_date=activation,
        kind=AccountKind.DEBIT if done else account.kind,
        balance=Decimal(draw.randrange(100)) / 100 if done else account.balance + 1,
        blocked=account.blocked and not done,
        expiration_date=EXPIRATION if done else account.expiration_date,
        availability_days=DAYS if done else draw.choice((None, 60, 90, DAYS)),
        ivr_language="en" if done else draw.choice((None, "en", "es", "fr")),
        role="default" if done else draw.choice(("default", "limited")),
    )


def count_questions(spec: UpdateSpec) -> int:
    """The number of questions about each account."""
    return len(list(questions(Request(spec=spec, catalog=CATALOG, now=NOW))))
