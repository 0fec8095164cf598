"""Laws of decisions: they depend on what was read and nothing else, and say nothing that is not so."""

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from account_batch import (
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    ActivateNow,
    MemoryStore,
    Plan,
    StatusChange,
    StatusFilter,
    Transaction,
    TransactionKind,
    UpdateSpec,
    apply_plan,
    plan_due,
    plan_update,
)
from account_batch.decision import Decision, Outcome
from account_batch.plan import account_change
from account_batch.questions import Answer, Facts, HasTransaction, Question, Value, answer
from account_batch.rules import Request, decide, questions
from spec_strategies import BATCH, Case, cases, stocked, targets

_Decide = tuple[Decision, dict[Question, Answer]]
_FIELDS = [field.name for field in attrs.fields(Account)]
_names = st.permutations(_FIELDS)


def _answers(account: Account, case: Case) -> Callable[[Question], Answer]:
    def has_transaction(account_id: str, reference: str) -> bool:
        return account_id in case.charged.get(reference, ())

    return lambda question: answer(question, account, has_transaction)


def _decide(account: Account, request: Request, case: Case) -> _Decide:
    """What is decided about one account by itself, and what was read for it."""
    facts = Facts(_answers(account, case))
    decision = decide(facts, request)
    return decision, dict(facts.read())


def _requests(case: Case) -> Iterator[Request]:
    for spec in case.specs:
        yield Request(spec=spec, catalog=case.catalog, now=case.now)
    yield Request(spec=UpdateSpec(activation=ActivateNow()), catalog=case.catalog, now=case.now, due=True)


def _decisions(case: Case) -> Iterator[tuple[Account, Request, Decision]]:
    for request in _requests(case):
        for account in case.accounts:
            yield account, request, _decide(account, request, case)[0]


def _plans(case: Case, store: MemoryStore) -> Iterator[Plan]:
    where = AccountFilter(batch=BATCH, status=StatusFilter.ANY, customer=case.customer)
    for spec in case.specs:
        yield plan_update(store, where, spec, catalog=case.catalog, now=case.now)
    yield plan_due(store, catalog=case.catalog, now=case.now)


@given(cases(), st.data())
def test_a_decision_depends_on_nothing_but_the_facts_it_read(case: Case, data: st.DataObject) -> None:
    """Another account that answers alike what was read is decided alike, however much else of it differs."""
    others = data.draw(targets())
    order = data.draw(_names)
    for request in _requests(case):
        for account, other in zip(case.accounts, others, strict=False):
            decision, read = _decide(account, request, case)
            twin = account
            for name in order:
                changed = attrs.evolve(twin, **{name: getattr(other, name)})
                reply = _answers(changed, case)
                if all(reply(question) == known for question, known in read.items()):
                    twin = changed
            assert _decide(twin, request, case) == (decision, read)


@given(cases())
def test_every_question_was_declared(case: Case) -> None:
    """What a decision reads is among what the rules said they may ask: engines look up nothing else."""
    for request in _requests(case):
        declared = list(questions(request))
        assert len(declared) == len(set(declared))
        for account in case.accounts:
            _, read = _decide(account, request, case)
            assert set(read) <= set(declared)


@given(cases())
def test_batch_customer_and_state_are_always_read(case: Case) -> None:
    """Whatever is set, an account of another batch, customer or state is another one."""
    for request in _requests(case):
        for account in case.accounts:
            _, read = _decide(account, request, case)
            assert [read[Value(name)] for name in ("batch", "customer", "state")] == [
                account.batch,
                account.customer,
                account.state,
            ]


@given(cases())
def test_a_refused_decision_holds_nothing_but_refusals(case: Case) -> None:
    """One refusal leaves the account wholly untouched, and nothing follows."""
    for _, _, decision in _decisions(case):
        if decision.planned is Outcome.REFUSED:
            assert decision == Decision(refusals=decision.refusals)
            assert all(reason.code is not None and reason.field and reason.detail for reason in decision.refusals)
        else:
            assert decision.refusals == ()


@given(cases())
def test_an_unchanged_decision_holds_nothing_but_notes(case: Case) -> None:
    """Where nothing is written and nothing booked, nothing follows either."""
    for _, _, decision in _decisions(case):
        if decision.planned is Outcome.UNCHANGED:
            assert decision == Decision(notes=decision.notes)


@given(cases())
def test_a_closed_account_is_always_refused(case: Case) -> None:
    """Terminated is final, for every spec and catalog."""
    for request in _requests(case):
        for account in case.accounts:
            closed = attrs.evolve(account, state=AccountState.CLOSED)
            assert _decide(closed, request, case)[0].planned is Outcome.REFUSED


@given(cases())
def test_a_change_changes(case: Case) -> None:
    """No field is written twice, and none with the value that it has."""
    for plan in _plans(case, stocked(case)):
        for change in plan.changes:
            assert all(field.before != field.after for field in change.fields)
            assert max(Counter(field.field for field in change.fields).values(), default=1) == 1


_SIGNS = {
    (AccountKind.DEBIT, TransactionKind.CHARGE): -1,
    (AccountKind.DEBIT, TransactionKind.REFUND): -1,
    (AccountKind.CREDIT, TransactionKind.CHARGE): 1,
    (AccountKind.CREDIT, TransactionKind.REFUND): 1,
}


def _own(account: Account, transaction: Transaction) -> Decimal:
    if transaction.kind is TransactionKind.DISTRIBUTOR_CHARGE:
        return Decimal(0)
    return _SIGNS[account.kind, transaction.kind] * transaction.amount.amount


@given(cases())
def test_the_balance_moves_by_the_correction_and_the_ledger(case: Case) -> None:
    """The net change is the difference of the opening balance and the own transactions, by the sign table."""
    accounts = {account.id: account for account in case.accounts}
    for plan in _plans(case, stocked(case)):
        for change in plan.changes:
            account = accounts[change.account_id]
            moved = {field.field: field.after for field in change.fields}
            opening, balance = (moved.get(name, getattr(account, name)) for name in ("opening_balance", "balance"))
            assert isinstance(opening, Decimal)
            own = sum((_own(account, transaction) for transaction in change.transactions), Decimal(0))
            assert balance == account.balance + opening - account.opening_balance + own


@given(cases())
def test_money_is_taken_once_per_setting(case: Case) -> None:
    """Charge, refund and the distributor leave at most one ledger entry each, none of them of nothing."""
    for _, _, decision in _decisions(case):
        kinds = Counter(transaction.kind for transaction in decision.transactions)
        assert max(kinds.values(), default=0) <= 1
        assert all(transaction.amount.amount for transaction in decision.transactions)


@given(cases())
def test_deciding_once_per_facts_is_deciding_per_account(case: Case) -> None:
    """A plan says of every account what the rules say of it alone, without anything remembered."""
    store = stocked(case)
    reached = attrs.evolve(case, charged={name: frozenset(store.charged(name)) for name in case.charged})
    by_id = {account.id: account for account in case.accounts}
    for plan, request in zip(_plans(case, store), _requests(case), strict=True):
        for target in plan.targets:
            decision, read = _decide(by_id[target.account_id], request, reached)
            group = plan.groups[target.group]
            assert (group.decision, dict(group.facts)) == (decision, read)
            alone = account_change(target, decision)
            assert [field.before for field in alone.fields] == [
                getattr(by_id[target.account_id], name) for name in decision.fields
            ]


@given(cases())
def test_an_account_is_decided_alone_as_among_others(case: Case) -> None:
    """No account's decision depends on the accounts beside it."""
    for plan in _plans(case, MemoryStore(case.accounts)):
        for target in plan.targets:
            alone = MemoryStore(account for account in case.accounts if account.id == target.account_id)
            where = plan.where
            again = (
                plan_due(alone, catalog=case.catalog, now=case.now)
                if plan.spec is None
                else plan_update(alone, where, plan.spec, catalog=case.catalog, now=case.now)
            )
            assert [group.decision for group in again.groups] == [plan.groups[target.group].decision]


@given(cases())
def test_setting_twice_is_setting_once(case: Case) -> None:
    """What a plan changed is unchanged for the same settings, where no money is taken and nothing terminated."""
    for spec in case.specs:
        if spec.status is StatusChange.TERMINATED or "charge" in spec.settings() or "refund" in spec.settings():
            continue
        store = stocked(case)
        where = AccountFilter(batch=BATCH, status=StatusFilter.ANY, customer=case.customer)
        first = plan_update(store, where, spec, catalog=case.catalog, now=case.now)
        apply_plan(first, store, now=case.now)
        second = plan_update(store, where, spec, catalog=case.catalog, now=case.now)
        changed = {change.account_id for change in first.changes}
        assert not second.changes
        assert changed <= {item.account_id for item in second.unchanged}


@given(cases())
def test_what_is_no_fact_is_never_read(case: Case) -> None:
    """Ids, control numbers, contact data and the like decide nothing."""
    for request in _requests(case):
        reads = {
            field
            for question in questions(request)
            if not isinstance(question, HasTransaction)
            for field in question.reads
        }
        assert reads.isdisjoint({"id", "control_number", "contact", "custom_fields", "registered"})
