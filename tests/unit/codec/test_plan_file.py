import copy
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Subscription
from account_batch.codec.plan import dump_plan, load_plan, totals_document
from account_batch.decision import Outcome, TransactionKind
from account_batch.errors import DigestMismatchError, PlanFormatError
from account_batch.executor import apply_plan
from account_batch.filters import AccountFilter, TextMatch
from account_batch.money import Money
from account_batch.plan import Plan
from account_batch.planner import plan_due, plan_update
from account_batch.questions import Answer, Question
from account_batch.spec import (
    CLEAR,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    ReplaceAddons,
    StatusChange,
    UpdateSpec,
)
from account_batch.stores.memory import MemoryStore

_NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
_CATALOG = Catalog(
    customers=[Customer(id="acme", billing_time_zone="America/New_York")],
    batches=[Batch(id="SUMMER-2026", customer="acme")],
    products=[
        Product(id="silver", currency="USD", allowed_addons=["fax", "voicemail"]),
        Product(
            id="gold",
            currency="USD",
            allowed_addons=["call-waiting"],
            subscription=Subscription(in_advance=True, prepaid_months=[6], fee="4.50"),
        ),
        Product(id="call-waiting", currency="USD", is_addon=True),
        Product(id="fax", currency="USD", is_addon=True),
        Product(id="voicemail", currency="USD", is_addon=True),
    ],
    distributors=[Distributor(id="kiosk", currency="USD", commission="0.15", credit_limit=20)],
    roles=["default"],
    ivr_languages=["en"],
)
_BASE = Account(
    id="4477001.5",  # Looks like a number, and is a text.
    batch="SUMMER-2026",
    control_number=1,
    customer="acme",
    kind=AccountKind.DEBIT,
    currency="USD",
    state=AccountState.INACTIVE,
    product="silver",
    opening_balance="10.00",
    balance="10.00",
    ivr_language="en",
)
_ACCOUNTS = [
    _BASE,
    attrs.evolve(
        _BASE,
        id="2",
        control_number=2,
        state=AccountState.OPEN,
        kind=AccountKind.CREDIT,
        activation_date="2026-01-01",
        expiration_date="2026-06-30",
        availability_days=30,
        first_used_on="2026-01-02",
        balance="0.00001",
        registered=True,
        addons={"call-waiting"},
        associated_number="18005551234",
        charging_period=6,
        product="gold",
        blocked=True,
    ),
    attrs.evolve(_BASE, id="3", control_number=3, addons={"fax", "voicemail"}),
    attrs.evolve(_BASE, id="4", control_number=None, kind=AccountKind.VOUCHER),
    attrs.evolve(_BASE, id="5", control_number=5, state=AccountState.CLOSED),
    attrs.evolve(_BASE, id="6", control_number=6, balance="1"),
]
_CHARGE = Charge(Money("1.10", "USD"), comment="SIM fee", internal_comment="#1", reference="sim-fee-2026")
_EVERYTHING = UpdateSpec(
    activation=ActivateOn("2026-12-01"),
    expiration=ExpireOn("2027-12-01"),
    availability_days=1000,
    status=StatusChange.UNBLOCKED,
    charge=_CHARGE,
    refund=Refund(Money("0.00001", "USD"), allow_overdraft=True),
    product="gold",
    addons=AssignAddons({"call-waiting"}),
    charging_period=6,
    associated_number="18005550000",
    unified_messaging=UnifiedMessaging.YES,
    ivr_language=CLEAR,
    time_zone="America/New_York",
    role="default",
    site=CLEAR,
    distributor=AssignDistributor("kiosk", charge=True),
)
_WHERE = AccountFilter(batch="SUMMER-2026", status=AccountFilter().status)


def _planned(spec: UpdateSpec, where: AccountFilter = _WHERE, accounts: Sequence[Account] = _ACCOUNTS) -> Plan:
    return plan_update(
        MemoryStore(accounts), where, spec, catalog=_CATALOG, now=_NOW, actor="Анна", reason="autumn\ncampaign"
    )


@functools.cache
def _plan() -> Plan:
    """A plan with as many kinds of content as one plan can have."""
    return _planned(_EVERYTHING, AccountFilter(batch="SUMMER-2026", control_numbers="1-9"))


@functools.cache
def _plans() -> dict[str, Plan]:
    """Plans that together have every kind of content."""
    due = plan_due(
        MemoryStore([attrs.evolve(_BASE, activation_date="2026-11-23", distributor="kiosk"), *_ACCOUNTS[1:]]),
        catalog=_CATALOG,
        now=_NOW,
    )
    text_match = AccountFilter(batch="SUMMER-2026", account_id=TextMatch.ends_with("5"), contact={"a": "b"})
    return {
        "everything": _plan(),
        "terminate": _planned(UpdateSpec(status=StatusChange.TERMINATED)),
        "replace": _planned(UpdateSpec(addons=ReplaceAddons(()), associated_number=CLEAR, expiration=CLEAR)),
        "opening": _planned(UpdateSpec(opening_balance=Money("5.00001", "USD"), charge=_CHARGE)),
        "clear": _planned(UpdateSpec(activation=CLEAR, distributor=CLEAR, charging_period=CLEAR, availability_days=7)),
        "messaging": _planned(UpdateSpec(unified_messaging=UnifiedMessaging.NO)),
        "nobody": _planned(UpdateSpec(role="default"), text_match),
        "due": due,
    }


_every_plan = pytest.mark.parametrize("name", _plans())


def _exact(value: object) -> object:
    """The value with the types of all its parts, so that nothing that compares equal is taken for the same."""
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))  # type: ignore[arg-type]  # attrs.has said so.
        return type(value), [(field.name, _exact(getattr(value, field.name))) for field in fields]
    if isinstance(value, str | bytes):
        return type(value), value
    if isinstance(value, Mapping):
        return {str(_exact(key)): _exact(part) for key, part in value.items()}
    if isinstance(value, frozenset):
        return frozenset, {str(_exact(part)) for part in value}
    if isinstance(value, Sequence):
        return [_exact(part) for part in value]
    return type(value), value


@_every_plan
def test_a_plan_round_trips(name: str) -> None:
    """What was saved is loaded as the same plan, down to the type of every value in it."""
    plan = _plans()[name]
    loaded = Plan.from_json(plan.to_json())
    assert loaded == plan
    assert _exact(loaded) == _exact(plan)


def _values(plan: Plan) -> Iterator[tuple[Question | None, object]]:
    """Every question of a plan with its answer, and every value of a field without."""
    for group in plan.groups:
        yield from group.facts
        for assignment in group.decision.assignments:
            yield None, getattr(assignment, "value", None)
    for target in plan.targets:
        yield from ((None, value) for value in target.before)


def test_the_plans_of_these_tests_hold_everything() -> None:
    """The plans that round-trip here have every question, type of value, refusal-free kind and effect between them."""
    plans = _plans().values()
    pairs = [pair for plan in plans for pair in _values(plan)]
    assert {type(question) for question, _ in pairs} == {*get_args(Question), type(None)}
    assert {type(value) for _, value in pairs} >= {*get_args(Answer)} - {frozenset[str]} | {frozenset}
    kinds = {transaction.kind for plan in plans for group in plan.groups for transaction in group.decision.transactions}
    assert kinds == set(TransactionKind)


@_every_plan
def test_a_loaded_plan_is_saved_as_the_same_text(name: str) -> None:
    """Saving, loading and saving again changes nothing."""
    text = _plans_text(name)
    assert dump_plan(load_plan(Plan, text)) == text


@functools.cache
def _plans_text(name: str) -> str:
    return _plans()[name].to_json()


def test_a_loaded_plan_shows_the_same() -> None:
    """Confirmation, changes, refusals and totals come from the file alone."""
    plan, loaded = _plan(), Plan.from_json(_plan().to_json())
    assert (loaded.confirmation(show_ids=True), loaded.to_html()) == (plan.confirmation(show_ids=True), plan.to_html())
    assert [list(loaded.changes), list(loaded.refused), list(loaded.unchanged)] == [
        list(plan.changes),
        list(plan.refused),
        list(plan.unchanged),
    ]


def test_a_loaded_plan_is_applied() -> None:
    """A plan that was saved and loaded does to its store what the original would have done."""
    store = MemoryStore(_ACCOUNTS)
    plan = plan_update(store, _WHERE, UpdateSpec(charge=_CHARGE), catalog=_CATALOG, now=_NOW)
    report = apply_plan(Plan.from_json(plan.to_json()), store, now=_NOW)
    assert report.counts == dict.fromkeys(Outcome, 0) | {Outcome.APPLIED: 3, Outcome.REFUSED: 2}
    assert [(entry.amount, entry.reference) for entry in store.transactions(plan.id)] == [
        (Money("1.10", "USD"), "sim-fee-2026")
    ] * 3


def test_a_plan_of_a_kind_of_ones_own_is_loaded_as_that() -> None:
    """A subclass loads plans of itself."""

    class MyPlan(Plan):
        pass

    assert type(MyPlan.from_json(_plan().to_json())) is MyPlan


def test_a_plan_says_what_it_is() -> None:
    """The document has a format and a version, and keeps letters as they are."""
    text = _plan().to_json()
    document = json.loads(text)
    assert (document["format"], document["version"], document["actor"]) == ("account_batch plan", 1, "Анна")
    assert "Анна" in text


def test_ids_are_whole_in_a_plan() -> None:
    """A machine reads the file, so that ids are not masked."""
    assert [target[0] for target in json.loads(_plan().to_json())["targets"]] == ["4477001.5", "2", "3", "6"]


def test_totals_are_a_document_of_words() -> None:
    """Totals name refusals and effects as the enums do, and money as text."""
    document = totals_document(_plan().totals)
    assert json.loads(json.dumps(document)) == document
    assert document["counts"] == {"applied": 2, "unchanged": 0, "refused": 2}
    assert document["refusals"] == {"ADDON_NOT_ALLOWED": 1, "CHARGING_PERIOD_NOT_OFFERED": 1, "INSUFFICIENT_FUNDS": 1}
    assert document["money"] == [
        {"kind": "charge", "amount": "2.20 USD"},
        {"kind": "refund", "amount": "0.00002 USD"},
        {"kind": "distributor_charge", "amount": "8.50 USD"},
    ]
    assert document["distributors"] == {"kiosk": {"booked": "8.50 USD", "scheduled": "8.50 USD", "over_limit": False}}


def _refusal(text: str) -> type[Exception] | None:
    try:
        Plan.from_json(text)
    except Exception as error:  # noqa: BLE001  # Whatever it is, the test says whether it is the right one.
        return type(error)
    return None


_Path = tuple[str | int, ...]


def _paths(document: object, path: _Path = ()) -> Iterator[_Path]:
    """Every place in a document."""
    if path:
        yield path
    parts: Mapping[Any, object] = {}
    if isinstance(document, dict):
        parts = document
    elif isinstance(document, list):
        parts = dict(enumerate(document))
    for key, part in parts.items():
        yield from _paths(part, (*path, key))


def _at(document: Any, path: _Path) -> Any:
    for key in path:
        document = document[key]
    return document


def _changed(path: _Path, change: Callable[[Any], object]) -> str:
    """The text of the plan with one place of its document changed."""
    document = json.loads(_plans_text("everything"))
    parent = _at(document, path[:-1])
    parent[path[-1]] = change(parent[path[-1]])
    return json.dumps(document)


def _places(document: object) -> Iterator[_Path]:
    """The first two places of every kind: items of the same list are alike."""
    seen: Counter[_Path] = Counter()
    for path in _paths(document):
        kind = tuple("item" if isinstance(key, int) else key for key in path)
        seen[kind] += 1
        if path[0] not in {"format", "version"} and seen[kind] <= 2:
            yield path


_DOCUMENT = json.loads(_plans_text("everything"))
_PLACES = [*_places(_DOCUMENT)]


def _leaves(kind: type) -> list[_Path]:
    return [path for path in _PLACES if type(_at(_DOCUMENT, path)) is kind]


_TAMPERINGS: dict[str, tuple[list[_Path], Callable[[Any], object]]] = {
    "another text": (_leaves(str), lambda text: text + "x"),
    "an empty text": ([path for path in _leaves(str) if _at(_DOCUMENT, path)], lambda _: ""),
    "a text in other letters": (
        [path for path in _leaves(str) if _at(_DOCUMENT, path) != _at(_DOCUMENT, path).upper()],
        str.upper,
    ),
    "another number": (_leaves(int), lambda number: number + 1),
    "a number as text": (_leaves(int), str),
    "the other flag": (_leaves(bool), lambda flag: not flag),
    "a flag as number": (_leaves(bool), int),
    "something for nothing": (_leaves(type(None)), lambda _: "x"),
    "nothing for something": ([path for path in _PLACES if _at(_DOCUMENT, path) is not None], lambda _: None),
    "an item more": (_leaves(list), lambda items: [*items, "x"]),
    "an item twice": ([path for path in _leaves(list) if _at(_DOCUMENT, path)], lambda items: [*items, items[-1]]),
    "an item less": ([path for path in _leaves(list) if _at(_DOCUMENT, path)], lambda items: items[:-1]),
    "another order": (
        [path for path in _leaves(list) if _at(_DOCUMENT, path)[::-1] != _at(_DOCUMENT, path)],
        lambda items: items[::-1],
    ),
    "a key more": ([*_leaves(dict)], lambda part: part | {"x": None}),
    "a key less": ([path for path in _leaves(dict) if _at(_DOCUMENT, path)], lambda part: dict([*part.items()][:-1])),
    "a list for an object": (_leaves(dict), lambda part: [*part.items()]),
}


@pytest.mark.parametrize("tampering", _TAMPERINGS)
def test_tampering_is_found(tampering: str) -> None:
    """A change of any value, anywhere in the document, is a DigestMismatchError."""
    places, change = _TAMPERINGS[tampering]
    refusals = {path: _refusal(_changed(path, change)) for path in places}
    assert refusals
    assert {path: kind for path, kind in refusals.items() if kind is not DigestMismatchError} == {}


def _as_number(text: str) -> str | None:
    """The JSON number that has this text, if there is one."""
    try:
        read = json.loads(text, parse_float=Decimal, parse_constant=lambda _: None)
    except ValueError:
        return None
    return text if type(read) in {int, Decimal} and str(read) == text else None


def test_a_text_that_becomes_a_number_is_found() -> None:
    """Taking away the quotes around a text of digits is a DigestMismatchError, with and without a decimal point."""
    places = [path for path in _leaves(str) if _as_number(_at(_DOCUMENT, path))]
    mark = "@number@"
    refusals = {}
    for path in places:
        text = _changed(path, lambda _: mark).replace(f'"{mark}"', _at(_DOCUMENT, path))
        refusals[path] = _refusal(text)
    assert refusals
    assert {path: kind for path, kind in refusals.items() if kind is not DigestMismatchError} == {}


@pytest.mark.parametrize("key", sorted(set(_DOCUMENT) - {"format", "version"}))
def test_a_missing_part_is_found(key: str) -> None:
    """A part that was cut out of the document is a DigestMismatchError."""
    assert _refusal(json.dumps({name: part for name, part in _DOCUMENT.items() if name != key})) is DigestMismatchError


def test_a_part_that_was_added_is_found() -> None:
    """A part that no plan has is a DigestMismatchError."""
    assert _refusal(json.dumps(_DOCUMENT | {"extra": 1})) is DigestMismatchError


def test_a_mismatch_says_what_to_do() -> None:
    """The message says what happened and to plan again."""
    with pytest.raises(DigestMismatchError, match=r"^plan: the content is not what was written; plan again$"):
        Plan.from_json(json.dumps(_DOCUMENT | {"actor": "bob"}))


def _shuffled(part: object) -> object:
    """The same document with the keys of every object in reverse order."""
    if isinstance(part, dict):
        return {key: _shuffled(value) for key, value in reversed(part.items())}
    return [_shuffled(item) for item in part] if isinstance(part, list) else part


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(_shuffled(_DOCUMENT)),
        json.dumps(_DOCUMENT, indent=4),
        json.dumps(_DOCUMENT, indent=4).replace("\n", "\r\n"),
        json.dumps(_DOCUMENT, separators=(",", ":")),
        json.dumps(_DOCUMENT, ensure_ascii=True),
        f"\n {json.dumps(_DOCUMENT)} \n",
    ],
    ids=["order", "indent", "crlf", "dense", "escapes", "around"],
)
def test_how_the_document_is_written_does_not_matter(text: str) -> None:
    """The order of keys, white space and escapes are no part of the content."""
    loaded = Plan.from_json(text)
    assert (loaded, loaded.groups, list(loaded.targets)) == (_plan(), _plan().groups, list(_plan().targets))
    assert loaded.totals == _plan().totals


def test_the_order_of_keys_does_not_change_what_is_shown() -> None:
    """A plan that went through a tool that sorts keys is confirmed by the same text."""
    assert Plan.from_json(json.dumps(_shuffled(_DOCUMENT))).confirmation() == _plan().confirmation()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan: no JSON: Expecting value: line 1 column 1"),
        ("plan", "plan: no JSON: "),
        ("{", "plan: no JSON: "),
        (_plans_text("everything")[:-20], "plan: no JSON: "),
        ('{"format": NaN}', "plan: NaN is no number"),
        ('{"format": 1, "format": 1}', 'plan: the key "format" stands twice in one object'),
        ("[" * 100_000, "plan: no JSON: "),
        ("[]", 'plan: this is no plan; its "format" would be "account_batch plan"'),
        ("null", "plan: this is no plan"),
        ('"account_batch plan"', "plan: this is no plan"),
        ("{}", "plan: this is no plan"),
        ('{"format": "account_batch request", "version": 1}', "plan: this is no plan"),
        ('{"format": null, "version": 1}', "plan: this is no plan"),
        ('{"format": "account_batch plan"}', "plan.version: None is unknown; this release reads version 1"),
        ('{"format": "account_batch plan", "version": 0}', "plan.version: 0 is unknown; this release reads version 1"),
        ('{"format": "account_batch plan", "version": 2}', "plan.version: 2 is unknown; this release reads version 1"),
        ('{"format": "account_batch plan", "version": "1"}', "plan.version: '1' is unknown"),
        ('{"format": "account_batch plan", "version": [1]}', "plan.version: [1] is unknown"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_no_plan_is_refused(text: str, message: str) -> None:
    """A text that is no plan of a known version is a PlanFormatError that says so."""
    with pytest.raises(PlanFormatError) as caught:
        Plan.from_json(text)
    assert str(caught.value).startswith(message)


def test_a_number_that_no_decimal_holds_is_refused() -> None:
    """A number with an exponent beyond all bounds is a PlanFormatError and nothing else."""
    with pytest.raises(PlanFormatError):
        Plan.from_json('{"format": 1e99999999999999999999}')


def _forged(path: _Path, value: object) -> str:
    """The plan with something else in one place, and a checksum that says it belongs there."""
    document = copy.deepcopy(_DOCUMENT)
    _at(document, path[:-1])[path[-1]] = value
    del document["checksum"]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return json.dumps(document | {"checksum": hashlib.sha256(text.encode()).hexdigest()})


def test_a_forger_knows_the_checksum() -> None:
    """The checksum is no secret: what these tests forge is refused for its content alone."""
    assert _refusal(_forged(("actor",), "bob")) is None


_FACT: _Path = ("groups", 0, "facts", 0)
_DECISION: _Path = ("groups", 0, "decision")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), True),
        (("id",), 5),
        (("id",), None),
        (("id",), ["x"]),
        (("digest",), None),
        (("actor",), ["Ann"]),
        (("actor",), None),
        (("reason",), 5),
        (("store",), None),
        (("zone_data",), 2026),
        (("warnings",), "abc"),
        (("warnings",), [1]),
        (("warnings",), None),
        (("warnings",), {"a": "b"}),
        (("absent",), 5),
        (("absent",), [1, 2]),
        (("absent",), {}),
        (("absent",), "8-3"),
        (("absent",), True),
        (("planned_at",), "2026-11-23T10:00:00"),
        (("planned_at",), "today"),
        (("planned_at",), None),
        (("planned_at",), 5),
        (("planned_at",), "0001-01-01T00:00:00+14:00"),
        (("valid_until",), "2026-11-23"),
        (("valid_until",), True),
        (("where",), []),
        (("where",), None),
        (("where", "bach"), "x"),
        (("where", "batch"), 5),
        (("where", "status"), "opn"),
        (("where", "control_numbers"), "8-3"),
        (("where", "blocked"), "false"),
        (("spec",), "x"),
        (("spec",), {}),
        (("spec",), []),
        (("spec", "prodct"), "keep"),
        (("spec", "product"), "gold"),
        (("spec", "product"), "clear"),
        (("spec", "product"), {"set": 5}),
        (("spec", "availability_days"), {"set": True}),
        (("spec", "charge"), {"set": {"amount": "0 USD"}}),
        (("spec", "charge", "set", "allow_overdraft"), "false"),
        (("groups",), "x"),
        (("groups",), None),
        (("groups", 0), "x"),
        (("groups", 0), None),
        (("groups", 0, "count"), True),
        (("groups", 0, "count"), "1"),
        (("groups", 0, "extra"), 1),
        (("groups", 0, "facts"), "ab"),
        (_FACT, "ab"),
        (_FACT, [1]),
        (_FACT, [{"ask": "Value", "field": "batch"}]),
        (_FACT, [{"ask": "Value", "field": "batch"}, "x", "y"]),
        (_FACT, [{"ask": "Guess", "field": "batch"}, "x"]),
        (_FACT, [{"field": "batch"}, "x"]),
        ((*_FACT, 0, "field"), "balance"),
        ((*_FACT, 0, "field"), 5),
        ((*_FACT, 0, "x"), 1),
        ((*_FACT, 1), []),
        ((*_FACT, 1), {"AccountKind": "DEBIT"}),
        ((*_FACT, 1), {"decimal": "NaN"}),
        ((*_FACT, 1), {"date": "now"}),
        ((*_FACT, 1), {"set": "ab"}),
        (_DECISION, None),
        ((*_DECISION, "extra"), None),
        ((*_DECISION, "assignments"), {}),
        ((*_DECISION, "assignments", 0, "do"), "Delete"),
        ((*_DECISION, "assignments", 0, "field"), 5),
        ((*_DECISION, "transactions", 0, "kind"), "gift"),
        ((*_DECISION, "transactions", 0, "amount"), "1"),
        ((*_DECISION, "transactions", 0, "amount"), 1),
        ((*_DECISION, "effects", 0, "at"), "2026-12-01T00:00:00"),
        ((*_DECISION, "effects", 0, "kind"), "magic"),
        ((*_DECISION, "notes"), ["x"]),
        ((*_DECISION, "refusals"), [{"code": "x", "field": "a", "detail": "b"}]),
        (("targets",), "abc"),
        (("targets",), {}),
        (("targets",), None),
        (("targets", 0), ["a"]),
        (("targets", 0), "abcd"),
        (("targets", 0, 0), 7),
        (("targets", 0, 0), None),
        (("targets", 0, 1), "1"),
        (("targets", 0, 1), True),
        (("targets", 0, 2), "0"),
        (("targets", 0, 2), None),
        (("targets", 0, 2), False),
        (("targets", 0, 3), None),
        (("targets", 0, 3), "ab"),
        (("targets", 0, 3, 0), []),
        (("totals",), []),
        (("totals",), None),
        (("totals", "extra"), 1),
        (("totals", "counts"), []),
        (("totals", "counts"), {"aplied": 1}),
        (("totals", "counts", "applied"), "3"),
        (("totals", "counts", "applied"), True),
        (("totals", "refusals"), {"x": 1}),
        (("totals", "effects"), None),
        (("totals", "money"), {}),
        (("totals", "money"), [5]),
        (("totals", "money", 0, "amount"), 5),
        (("totals", "money", 0, "amount"), "-"),
        (("totals", "money", 0, "kind"), "gift"),
        (("totals", "distributors"), []),
        (("totals", "distributors", "kiosk"), 5),
        (("totals", "distributors", "kiosk", "booked"), 5),
        (("totals", "distributors", "kiosk", "over_limit"), "no"),
        (("totals", "distributors", "kiosk", "over_limit"), 0),
        (("totals", "opening_difference"), "abc"),
        (("totals", "opening_difference"), [5]),
        (("totals", "stranded_funds"), None),
        (("totals", "registered"), "3"),
        (("totals", "registered"), None),
        (("totals", "registered"), True),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_forged_content_of_another_form_is_refused(path: _Path, value: object) -> None:
    """Content of the wrong type, or that means nothing, is an error also under a right checksum."""
    assert _refusal(_forged(path, value)) in {PlanFormatError, DigestMismatchError}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("targets", 0, 1), 0),
        (("targets", 0, 2), -1),
        (("targets", 0, 2), 99),
        (("targets", 0, 2), 2**40),
        (("targets", 0, 3), []),
        (("targets", 0, 3), [None] * 30),
        (("targets", 1), _DOCUMENT["targets"][0]),
        (("targets",), []),
        (("groups",), []),
        (("groups", 0, "count"), -1),
        (("groups", 0, "count"), 99),
        (("totals", "counts"), {}),
        (("totals", "counts", "applied"), 17),
        ((*_DECISION, "assignments", 0, "field"), "idd"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_forged_content_that_contradicts_itself_is_refused(path: _Path, value: object) -> None:
    """Targets, groups and totals that do not fit together are an error also under a right checksum."""
    assert _refusal(_forged(path, value)) in {PlanFormatError, DigestMismatchError}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("digest",), "0" * 64),
        (("where", "status"), "any"),
        (("spec", "role"), "keep"),
        ((*_DECISION, "transactions", 0, "amount"), "9.99 USD"),
        (("targets", 0, 0), "4477001"),
    ],
)
def test_a_digest_of_something_else_is_found(path: _Path, value: object) -> None:
    """The digest covers filter, spec, decisions and targets: where it does not fit them, the plan is refused."""
    assert _refusal(_forged(path, value)) is DigestMismatchError


@pytest.mark.parametrize("key", sorted(set(_DOCUMENT) - {"checksum"}))
def test_a_part_that_a_forger_left_out_is_missed(key: str) -> None:
    """A plan without one of its parts is a PlanFormatError also under a right checksum."""
    document = {name: part for name, part in _DOCUMENT.items() if name not in {key, "checksum"}}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    forged = json.dumps(document | {"checksum": hashlib.sha256(text.encode()).hexdigest()})
    assert _refusal(forged) is PlanFormatError


def test_a_part_that_a_forger_added_is_refused() -> None:
    """A part that no plan has is a PlanFormatError also under a right checksum."""
    assert _refusal(_forged(("extra",), 1)) is PlanFormatError


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    """Instants are kept in UTC, however a file writes them."""
    loaded = Plan.from_json(_forged(("planned_at",), "2026-11-23T12:00:00+02:00"))
    assert (loaded.planned_at, loaded.planned_at.tzinfo) == (_NOW, UTC)
