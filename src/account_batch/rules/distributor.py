"""The distributor and what it is charged (rule 15)."""

from collections.abc import Iterator
from decimal import Decimal

from account_batch.account import AccountState
from account_batch.catalog import Distributor
from account_batch.decision import EffectKind, RefusalCode, Transaction, TransactionKind
from account_batch.money import Money, share, subtract
from account_batch.questions import IsSet, Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import CLEAR, KEEP, AssignDistributor

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    spec = request.spec
    if spec.distributor is KEEP and spec.activation is KEEP and spec.opening_balance is KEEP:
        return
    yield Value("batch")
    yield Value("currency")
    yield Value("opening_balance")
    yield Value("distributor")
    yield IsSet("activation_date")
    yield IsSet("first_used_on")


def decide(draft: Draft) -> None:
    """Decide the section."""
    wanted = draft.spec.distributor
    if isinstance(wanted, AssignDistributor) and wanted.id != draft.before("distributor"):
        distributor = draft.catalog.distributor(wanted.id)
        assert distributor is not None  # The planner refuses a spec with an unknown distributor.
        if not _check_currency(draft, distributor):
            return
        draft.assign("distributor", wanted.id)
    elif wanted is CLEAR:
        draft.assign("distributor", None)
    if draft.state is AccountState.INACTIVE:
        _charge_for_activation(draft)
    elif draft.state is AccountState.OPEN:
        _charge_open_account(draft)


def _charge_for_activation(draft: Draft) -> None:
    """Charge the distributor of an account that is activated, or say that it will be charged."""
    if draft.opened:
        if (charge := _amount(draft, Decimal(0))) is not None:
            _book(draft, charge)
        return
    concerned = any(map(draft.changes, ("activation_date", "distributor", "opening_balance")))
    if concerned and draft.is_set("activation_date") and (charge := _amount(draft, Decimal(0))) is not None:
        draft.affect(
            EffectKind.DISTRIBUTOR_CHARGE_SCHEDULED,
            at=draft.scheduled_at,
            amount=charge,
            distributor=str(draft.after("distributor")),
        )


def _charge_open_account(draft: Draft) -> None:
    """Charge the distributor that an open account is handed to, or the difference of a corrected opening balance."""
    if draft.changes("distributor"):
        wanted = draft.spec.distributor
        said = wanted.charge if isinstance(wanted, AssignDistributor) else None
        charge = None if said is False else _amount(draft, Decimal(0))
        if charge is None:
            return
        if said is None and (draft.before("distributor") is not None or draft.facts.holds(IsSet("first_used_on"))):
            detail = f"{charge} would arise, and the account is used or had another distributor; say charge or not"
            draft.refuse(RefusalCode.DISTRIBUTOR_CHARGE_UNCLEAR, "distributor", detail)
        else:
            _book(draft, charge)
    elif draft.changes("opening_balance"):
        before = draft.before("opening_balance")
        assert isinstance(before, Decimal)  # The type of every field's value is Account's.
        if (charge := _amount(draft, before)) is not None:
            _book(draft, charge)


def _amount(draft: Draft, paid: Decimal) -> Money | None:
    """What the resulting distributor owes for the resulting opening balance beyond what was paid for already.

    None where there is no distributor or nothing to pay, and after refusing.
    """
    name = draft.after("distributor")
    if name is None:
        return None
    opening = draft.after("opening_balance")
    assert isinstance(opening, Decimal)  # The type of every field's value is Account's.
    owed = subtract(opening, paid)
    if not owed:
        return None
    distributor = draft.catalog.distributor(str(name))
    if distributor is None:
        draft.refuse(RefusalCode.DISTRIBUTOR_UNKNOWN, "distributor", f'the catalog does not know "{name}"')
        return None
    if not _check_currency(draft, distributor):
        return None
    name = draft.before("batch")
    batch = None if name is None else draft.catalog.batch(str(draft.before("customer")), str(name))
    commission = distributor.commission
    if batch is not None and batch.sale_commission is not None:
        commission = batch.sale_commission
    amount = share(owed, commission)
    return Money(amount, distributor.currency) if amount else None


def _book(draft: Draft, charge: Money) -> None:
    name = str(draft.after("distributor"))
    draft.book(Transaction(kind=TransactionKind.DISTRIBUTOR_CHARGE, amount=charge, distributor=name))
    draft.affect(EffectKind.DISTRIBUTOR_CHARGED, amount=charge, distributor=name)


def _check_currency(draft: Draft, distributor: Distributor) -> bool:
    currency = draft.before("currency")
    if distributor.currency == currency:
        return True
    detail = f'"{distributor.id}" is charged in {distributor.currency}, the account in {currency}'
    draft.refuse(RefusalCode.CURRENCY_MISMATCH, "distributor", detail)
    return False
