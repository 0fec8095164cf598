from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from account_batch.account import AccountKind, AccountState, Details, UnifiedMessaging
from account_batch.decision import (
    AlterAddons,
    Assign,
    Decision,
    EffectKind,
    NoteCode,
    Outcome,
    Reason,
    RefusalCode,
    ShiftBalance,
    Transaction,
    TransactionKind,
)
from account_batch.filters import AccountFilter, ControlNumbers, StatusFilter
from account_batch.plan import (
    AccountChange,
    FieldChange,
    Plan,
    RefusedAccount,
    Target,
    UnchangedAccount,
    account_change,
    canonical,
)
from account_batch.planner import plan_due, plan_update
from account_batch.questions import Equals, IsSet, Value
from account_batch.spec import KEEP, ActivateNow, Charge, Marker, Refund, StatusChange, UpdateSpec
from account_batch.stores.memory import MemoryStore
from world import CATALOG, NOW, account, usd

_ANY = AccountFilter(batch="SUMMER-2026", status=StatusFilter.ANY)


def _population() -> MemoryStore:
    """Eight accounts: 1, 3 and 8 get another language, 2 and 5 have it already, 4, 6 and 7 are closed."""
    return MemoryStore(
        [
            account(id="a1", control_number=1),
            account(id="a2", control_number=2, ivr_language="uk", state=AccountState.INACTIVE),
            account(id="a3", control_number=3, ivr_language="en"),
            account(id="a4", control_number=4, state=AccountState.CLOSED),
            account(id="a5", control_number=5, ivr_language="uk"),
            account(id="a6", control_number=6, state=AccountState.CLOSED),
            account(id="a7", control_number=7, state=AccountState.CLOSED, ivr_language="uk"),
            account(id="a8", control_number=8, ivr_language="la"),
        ]
    )


def _plan(spec: UpdateSpec | None = None, *, store: MemoryStore | None = None) -> Plan:
    spec = UpdateSpec(ivr_language="uk") if spec is None else spec
    return plan_update(_population() if store is None else store, _ANY, spec, catalog=CATALOG, now=NOW)


def _numbers(items: Sequence[Any]) -> list[int]:
    return [item.control_number for item in items]


# The three sequences.


def test_every_account_is_changed_refused_or_unchanged() -> None:
    """The three sequences hold each target once, each in the order of the plan."""
    plan = _plan()
    assert (_numbers(plan.changes), _numbers(plan.refused), _numbers(plan.unchanged)) == (
        [1, 3, 8],
        [4, 6, 7],
        [2, 5],
    )


def test_a_change_says_old_and_new() -> None:
    """A changed account is there with its id, its control number and each field as it was and as it will be."""
    assert _plan().changes[1] == AccountChange(
        account_id="a3",
        control_number=3,
        fields=(FieldChange(field="ivr_language", before="en", after="uk"),),
        transactions=(),
        effects=(),
        notes=(),
    )


def test_a_change_holds_transactions_effects_and_notes() -> None:
    """What a change books, what follows and what is noted stand beside the fields."""
    store = MemoryStore(
        [account(state=AccountState.INACTIVE, blocked=True, distributor="north", opening_balance=10, balance=10)]
    )
    (change,) = _plan(UpdateSpec(activation=ActivateNow(), charge=Charge(usd("4"), comment="fee")), store=store).changes
    assert [(field.field, field.before, field.after) for field in change.fields] == [
        ("activation_date", None, date(2026, 11, 23)),
        ("state", AccountState.INACTIVE, AccountState.OPEN),
        ("balance", Decimal(10), Decimal(6)),
    ]
    assert change.transactions == (
        Transaction(kind=TransactionKind.CHARGE, amount=usd("4"), comment="fee"),
        Transaction(kind=TransactionKind.DISTRIBUTOR_CHARGE, amount=usd("8.5"), distributor="north"),
    )
    assert [effect.kind for effect in change.effects] == [EffectKind.ACTIVATED, EffectKind.DISTRIBUTOR_CHARGED]
    assert change.notes == (NoteCode.STILL_BLOCKED,)


def test_a_refused_account_says_why() -> None:
    """A refused account has all its reasons, and its codes as a set."""
    store = MemoryStore([account(state=AccountState.CLOSED, kind=AccountKind.VOUCHER, first_used_on="2026-01-01")])
    (refused,) = _plan(UpdateSpec(opening_balance=usd("5"), charge=Charge(usd("1"))), store=store).refused
    assert isinstance(refused, RefusedAccount)
    assert (refused.account_id, refused.control_number) == ("4477001", 1)
    assert [(reason.code, reason.field) for reason in refused.reasons] == [
        (RefusalCode.ACCOUNT_TERMINATED, "state"),
        (RefusalCode.NOT_DEBIT, "opening_balance"),
        (RefusalCode.ALREADY_USED, "opening_balance"),
        (RefusalCode.NOT_CHARGEABLE, "charge"),
    ]
    assert refused.codes == {reason.code for reason in refused.reasons}
    assert type(refused.codes) is frozenset


def test_reasons_without_a_code_have_no_code() -> None:
    """The codes of a refused account leave out reasons that have none."""
    reasons = (Reason(field="id", detail="gone"), Reason(code=RefusalCode.NOT_DEBIT, field="kind", detail="credit"))
    refused = RefusedAccount(account_id="1", control_number=None, reasons=reasons)
    assert refused.codes == {RefusalCode.NOT_DEBIT}


def test_an_unchanged_account_has_its_notes() -> None:
    """An account that has all already is there with the notes about it."""
    plan = _plan(UpdateSpec(activation=ActivateNow()), store=MemoryStore([account()]))
    assert list(plan.unchanged) == [
        UnchangedAccount(account_id="4477001", control_number=1, notes=(NoteCode.ALREADY_ACTIVE,))
    ]


@pytest.mark.parametrize("index", range(-3, 3))
def test_sequences_are_indexed_from_both_ends(index: int) -> None:
    """An index means what it means in a list of the same accounts."""
    plan = _plan()
    assert plan.changes[index] == list(plan.changes)[index]
    assert plan.refused[index] == list(plan.refused)[index]


@pytest.mark.parametrize("index", [3, -4, 100])
def test_an_index_beyond_the_sequence_is_an_error(index: int) -> None:
    """There is no account beyond the ends."""
    with pytest.raises(IndexError):
        _plan().changes[index]


@pytest.mark.parametrize(
    "part",
    [slice(None), slice(1), slice(1, None), slice(-1, None), slice(None, None, -1), slice(0, 3, 2), slice(5, 9)],
    ids=str,
)
def test_slices_are_tuples_of_the_same_accounts(part: slice) -> None:
    """A slice is a tuple, cut as a list of the same accounts is."""
    plan = _plan()
    for items in (plan.changes, plan.refused, plan.unchanged):
        assert items[part] == tuple(list(items)[part])
        assert type(items[part]) is tuple


def test_sequences_are_sequences() -> None:
    """Length, truth, membership, position and reversal are those of a sequence."""
    plan = _plan()
    changes: Sequence[object] = plan.changes
    assert isinstance(changes, Sequence)
    assert (len(changes), bool(changes), bool(plan.changes[:0])) == (3, True, False)
    assert changes[2] in changes
    assert plan.unchanged[0] not in changes
    assert changes.index(changes[1]) == 1
    assert list(reversed(changes)) == list(plan.changes[::-1])


def test_sequences_are_equal_if_their_accounts_are() -> None:
    """A sequence of changes equals any sequence of the same changes in the same order, and hashes like its tuple."""
    plan = _plan()
    again = Plan.from_json(plan.to_json())
    for same in (again.changes, tuple(plan.changes), list(plan.changes)):
        assert plan.changes == same
    assert hash(plan.changes) == hash(again.changes) == hash(tuple(plan.changes))
    others: list[object] = [plan.changes[:2], plan.changes[::-1], plan.refused, 3]
    for other in others:
        assert plan.changes != other


def test_sequences_are_made_once_and_show_no_ids() -> None:
    """Looking again gives the same sequence, and its repr, which lands in logs, says how many and not who."""
    plan = _plan()
    assert plan.changes is plan.changes
    assert repr(plan.changes) == "<3 accounts>"


def test_the_repr_of_a_plan_shows_no_ids() -> None:
    """Card ids are PINs: the repr of a plan has none of its accounts."""
    store = MemoryStore([account(id="PIN-4711")])
    plan = _plan(store=store)
    for shown in (plan, Plan.from_json(plan.to_json())):
        assert "PIN-4711" not in repr(shown)


@pytest.mark.parametrize(
    "spec",
    [UpdateSpec(ivr_language="uk"), UpdateSpec(status=StatusChange.TERMINATED)],
    ids=["another language", "terminated"],
)
def test_a_loaded_plan_has_the_same_sequences(spec: UpdateSpec) -> None:
    """What was written to JSON is read back as the same changes, refusals and unchanged accounts."""
    plan = _plan(spec)
    again = Plan.from_json(plan.to_json())
    for name in ("changes", "refused", "unchanged", "targets"):
        assert list(getattr(again, name)) == list(getattr(plan, name))


@pytest.mark.parametrize(
    ("balance", "kind"),
    [(-9 * 10**14, AccountKind.CREDIT), (9 * 10**14, AccountKind.DEBIT)],
    ids=["applied", "refused"],
)
def test_a_plan_that_can_be_made_can_be_loaded(balance: int, kind: AccountKind) -> None:
    """A charge and a refund that together pass the limit of one amount do not spoil the saved plan."""
    store = MemoryStore([account(kind=kind, balance=balance)])
    taken = usd("600000000000000")
    plan = _plan(UpdateSpec(charge=Charge(taken), refund=Refund(taken)), store=store)
    again = Plan.from_json(plan.to_json())
    assert (list(again.changes), list(again.refused)) == (list(plan.changes), list(plan.refused))


# The plan itself.


def test_plans_are_equal_if_id_and_digest_are() -> None:
    """A plan that was saved and loaded is the same plan, and hashes alike."""
    plan = _plan()
    again = Plan.from_json(plan.to_json())
    assert again is not plan
    assert (again, hash(again)) == (plan, hash(plan))
    assert len({plan, again}) == 1


@pytest.mark.parametrize("other", [{"id": "other"}, {"digest": "0" * 64}])
def test_plans_with_another_id_or_digest_are_others(other: dict[str, Any]) -> None:
    """The same decisions planned twice are two plans, and so are other decisions under one id."""
    plan = _plan()
    assert attrs.evolve(plan, **other) != plan


def test_what_does_not_make_a_plan_does_not_make_it_another() -> None:
    """Id and digest alone say which plan it is."""
    plan = _plan()
    assert attrs.evolve(plan, actor="bob") == plan


def test_a_plan_is_no_other_thing() -> None:
    """A plan equals nothing but plans."""
    plan = _plan()
    assert plan != plan.id
    assert plan != (plan.id, plan.digest)


@pytest.mark.parametrize(
    ("spec", "terminates"),
    [
        (UpdateSpec(status=StatusChange.TERMINATED), True),
        (UpdateSpec(status=StatusChange.BLOCKED), False),
        (UpdateSpec(ivr_language="uk"), False),
    ],
    ids=["terminated", "blocked", "another language"],
)
def test_a_plan_knows_whether_it_terminates(spec: UpdateSpec, *, terminates: bool) -> None:
    """Only a spec that terminates makes a plan that does."""
    assert _plan(spec).terminates is terminates


def test_a_plan_of_due_activations_does_not_terminate() -> None:
    """A plan without a spec opens accounts, and ends none."""
    assert plan_due(_population(), catalog=CATALOG, now=NOW).terminates is False


def test_a_plan_shows_itself_with_ids_masked_unless_asked() -> None:
    """Text and HTML for people mask card ids, which are PINs; on request they show them."""
    store = MemoryStore([account(id="PIN-4711-0815", state=AccountState.CLOSED)])
    plan = _plan(store=store)
    for show in (plan.confirmation, plan.to_html):
        assert "PIN-4711-0815" not in show()
        assert "PIN-4711-0815" in show(show_ids=True)
    assert "PIN-4711-0815" in plan.to_json()


def test_values_of_plans_are_hashable() -> None:
    """Values are frozen and hashable, also those that hold totals."""
    assert hash(_plan().totals) == hash(_plan().totals)


def test_totals_cannot_be_changed() -> None:
    """What a person confirmed stays what it was: neither the totals nor their mappings can be written."""
    totals: Any = _plan().totals
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        totals.registered = 5
    with pytest.raises(TypeError):
        totals.counts[Outcome.APPLIED] = 0


def test_a_change_follows_from_target_and_decision() -> None:
    """Each assignment turns the old value that was frozen into the new one; the balance moves by its shift."""
    decision = Decision(
        assignments=(
            Assign("ivr_language", None),
            AlterAddons(frozenset({"new", "kept"}), frozenset({"old"})),
            ShiftBalance(Decimal("-0.00001")),
        ),
        notes=(NoteCode.STILL_BLOCKED,),
    )
    addons = frozenset({"old", "kept"})
    change = account_change(Target("1", None, 0, ("uk", addons, Decimal(1))), decision)
    assert [(field.field, field.before, field.after) for field in change.fields] == [
        ("ivr_language", "uk", None),
        ("addons", addons, {"kept", "new"}),
        ("balance", Decimal(1), Decimal("0.99999")),
    ]
    assert (change.account_id, change.control_number, change.notes) == ("1", None, (NoteCode.STILL_BLOCKED,))


# What digests are made of.


class _Colour(Enum):
    RED = "red"


class _Wine(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (Decimal("1.10"), Decimal("1.1")),
        (Decimal("1E+2"), Decimal(100)),
        (Decimal("-0.00"), Decimal(0)),
        (usd("15"), usd("15.000")),
        (frozenset("abcdef"), frozenset("fedcba")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Details({"b": "1", "a": "2"}), Details({"a": "2", "b": "1"})),
        ([1, "a"], (1, "a")),
        (ControlNumbers("1,2,3"), ControlNumbers("1-3")),
        (Charge(usd("1"), comment="x"), Charge(usd("1.00"), comment="x")),
        (AccountFilter(batch="B", account_id="4"), AccountFilter(account_id="4", batch="B")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_same_value_has_one_canonical_text(left: object, right: object) -> None:
    """Trailing zeros, the order of a set or mapping and the kind of sequence do not come into the text."""
    assert canonical(left) == canonical(right)


@pytest.mark.parametrize(
    "values",
    [
        (1, True, Decimal(1), "1", (1,), frozenset({1}), "True", "1d", usd("1"), {"1": 1}),
        (0, False, None, "", "None", "False", (), frozenset(), {}),
        (date(2026, 12, 1), datetime(2026, 12, 1, tzinfo=UTC), "2026-12-01"),
        (_Colour.RED, _Wine.RED, "red", "_Colour.RED"),
        (Marker.KEEP, None, "KEEP"),
        (("a", "b"), ("a,b",), ("a", ("b",)), (("a", "b"),), ("ab",), "['a','b']", ("a'", "b"), ("a", "'b")),
        ({"a": "b"}, {"a": ("b",)}, ("a", "b"), {"b": "a"}, {"a": "b", "b": "a"}),
        (Charge(usd("1")), Refund(usd("1")), Charge(usd("1"), comment="1"), Charge(usd("1"), reference="1")),
        (usd("1"), attrs.evolve(usd("1"), currency="EUR"), usd("1.00001")),
        (IsSet("addons"), Value("batch"), Equals("addons", None), Equals("addons", frozenset())),
        (Assign("state", AccountState.OPEN), Assign("state", UnifiedMessaging.NO), Assign("state", "open")),
        (UpdateSpec(ivr_language="uk"), UpdateSpec(ivr_language="en"), UpdateSpec(role="uk")),
        (frozenset({"a"}), frozenset({"a", "b"}), frozenset({"ab"}), ("a",)),
    ],
    ids=lambda values: ascii(values[0])[:30],
)
def test_other_values_have_other_canonical_texts(values: tuple[object, ...]) -> None:
    """No two values that are not the same share a text, also where Python takes them for equal."""
    assert len({canonical(value) for value in values}) == len(values)


def test_the_canonical_text_spells_out_every_field() -> None:
    """The text of a value names its class and every field: digests stay the same in the next release."""
    assert canonical(Charge(usd("1.50"), comment="it's")) == (
        "Charge(amount=Money(amount=1.5d,currency='USD'),comment=\"it's\",internal_comment='',"
        "reference=None,allow_overdraft=False)"
    )
    assert canonical((KEEP, frozenset("ba"), {"x": None}, date(2026, 12, 1))) == (
        "[Marker.KEEP,{'a','b'},<'x':None>,2026-12-01]"
    )
