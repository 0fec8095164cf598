"""Money of the account: opening balance (rule 7), charge and refund (rule 8)."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

from account_batch.account import AccountKind
from account_batch.decision import RefusalCode, Transaction, TransactionKind
from account_batch.money import Money, add, plain, subtract
from account_batch.questions import FundsCover, HasTransaction, IsSet, Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import KEEP, Charge, Refund

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    spec = request.spec
    takings = [taking for taking in (spec.charge, spec.refund) if taking is not KEEP]
    openings: list[Decimal | None] = [None]
    taken = {Decimal(0)}
    if takings or spec.opening_balance is not KEEP:
        yield Value("kind")
        yield Value("currency")
    if spec.opening_balance is not KEEP:
        yield Value("opening_balance")
        yield IsSet("first_used_on")
        openings.append(spec.opening_balance.amount)
        yield FundsCover(Decimal(0), spec.opening_balance.amount)
    for taking in takings:
        if taking.reference is not None:
            yield HasTransaction(taking.reference)
        # Each taking comes after those before it, which may have been refused.
        for before, opening in product(sorted(taken), openings):
            yield FundsCover(add(before, taking.amount.amount), opening)
        taken |= {add(before, taking.amount.amount) for before in taken}


def decide(draft: Draft) -> None:
    """Decide the section."""
    spec = draft.spec
    if spec.opening_balance is not KEEP:
        _correct_opening_balance(draft, spec.opening_balance)
    taken = Decimal(0)
    if spec.charge is not KEEP:
        taken = _take(draft, spec.charge, TransactionKind.CHARGE, taken)
    if spec.refund is not KEEP:
        _take(draft, spec.refund, TransactionKind.REFUND, taken)


def _correct_opening_balance(draft: Draft, opening: Money) -> None:
    field = "opening_balance"
    before = draft.before(field)
    assert isinstance(before, Decimal)  # The type of every field's value is Account's.
    same_currency = _check_currency(draft, opening, field)
    if same_currency and before == opening.amount:
        return
    accepted = same_currency
    if draft.before("kind") is not AccountKind.DEBIT:
        draft.refuse(RefusalCode.NOT_DEBIT, field, f"{opening}: only debit accounts have one to correct")
        accepted = False
    elif same_currency and not draft.facts.holds(FundsCover(Decimal(0), opening.amount)):
        detail = f"{opening} instead of {plain(before)} would leave negative funds"
        draft.refuse(RefusalCode.INSUFFICIENT_FUNDS, field, detail)
        accepted = False
    if draft.facts.holds(IsSet("first_used_on")):
        draft.refuse(RefusalCode.ALREADY_USED, field, f"{opening}: the account was used")
        accepted = False
    if accepted:
        draft.assign(field, opening.amount)
        draft.shift_balance(subtract(opening.amount, before))


def _take(draft: Draft, taking: Charge | Refund, kind: TransactionKind, taken: Decimal) -> Decimal:
    """Book a charge or refund, and return what this update has taken by then."""
    field, amount = kind.value, taking.amount
    accepted = same_currency = _check_currency(draft, amount, field)
    owner = draft.before("kind")
    total = add(taken, amount.amount)
    if owner is AccountKind.VOUCHER:
        draft.refuse(RefusalCode.NOT_CHARGEABLE, field, f"{amount}: vouchers are not charged")
        accepted = False
    if taking.reference is not None and draft.facts.holds(HasTransaction(taking.reference)):
        draft.refuse(RefusalCode.ALREADY_CHARGED, field, f'has a transaction with the reference "{taking.reference}"')
        accepted = False
    if same_currency and owner is AccountKind.DEBIT and not taking.allow_overdraft:
        opening = draft.spec.opening_balance
        corrected = opening.amount if opening is not KEEP and draft.changes("opening_balance") else None
        if not draft.facts.holds(FundsCover(total, corrected)):
            draft.refuse(RefusalCode.INSUFFICIENT_FUNDS, field, f"{amount} is more than the funds left")
            accepted = False
    if not accepted:
        return taken
    draft.shift_balance(subtract(Decimal(0), amount.amount) if owner is AccountKind.DEBIT else amount.amount)
    draft.book(
        Transaction(
            kind=kind,
            amount=amount,
            comment=taking.comment,
            reference=taking.reference,
            internal_comment=taking.internal_comment,
        )
    )
    return total


def _check_currency(draft: Draft, money: Money, field: str) -> bool:
    currency = draft.before("currency")
    if money.currency != currency:
        draft.refuse(RefusalCode.CURRENCY_MISMATCH, field, f"{money} on an account in {currency}")
    return money.currency == currency
