import csv
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import jsonschema
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from account_batch.account import Account
from account_batch.catalog import Catalog
from account_batch.codec.accounts import read_accounts, write_accounts
from account_batch.codec.catalog import parse_catalog
from account_batch.codec.request import (
    dump_request,
    parse_request,
    read_filter,
    read_spec,
    request_schema,
    write_filter,
    write_spec,
)
from account_batch.codec.strict import parse_json
from account_batch.errors import AccountBatchError, PlanError
from account_batch.filters import AccountFilter, TextMatch
from account_batch.money import Money
from account_batch.plan import Plan
from account_batch.planner import plan_update
from account_batch.spec import AssignAddons, AssignDistributor, Charge, Refund, ReplaceAddons, UpdateSpec
from account_batch.stores.memory import MemoryStore
from spec_strategies import BATCH, catalogs, instants, specs, targets
from strategies import accounts, catalog, filters

_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_HOSTILE = st.sampled_from(
    [
        *"=1+1 +1 -1 @x ' '' '=1 'x keep yes null 1 1.5 2026-12-01 {} [] \\u0000 a,b a;b a|b ß İ".split(),
        *(
            "\t=1",
            "\r=1",
            "\n",
            'a"b',
            "a\r\nb",
            "a\rb",
            "1 USD",
            "\u2028",
            " x ",
            "\N{BYTE ORDER MARK}x",
            "\U0001f4b3",
        ),
    ]
)


def _texts() -> st.SearchStrategy[str]:
    """Texts as people would not write them, none of them blank."""
    wild = _HOSTILE | st.text(_LETTERS, min_size=1, max_size=8)
    return wild.map(lambda text: text if text.strip() else f"x{text}")


def _names() -> st.SearchStrategy[str]:
    """Texts that may stand where the word clear would mean something else."""
    return _texts().filter(lambda text: text != "clear")


@st.composite
def _wild_filters(draw: st.DrawFn) -> AccountFilter:
    """Filters whose texts hold anything."""
    where = draw(filters())
    more: dict[str, st.SearchStrategy[Any]] = {
        "batch": _texts(),
        "customer": _texts(),
        "product": _texts(),
        "account_id": st.builds(TextMatch.exactly, _texts()) | st.builds(TextMatch.contains, _texts()),
        "contact": st.dictionaries(_texts(), _texts(), max_size=3),
        "custom_fields": st.dictionaries(_texts(), _texts(), max_size=3),
    }
    names = draw(st.sets(st.sampled_from(sorted(more))))
    return attrs.evolve(where, **{name: draw(more[name]) for name in sorted(names)})


@st.composite
def _wild_specs(draw: st.DrawFn) -> UpdateSpec:
    """Specs whose texts hold anything, and whose numbers are as large as they may be."""
    amounts = st.decimals(min_value="0.00001", max_value="999999999999999", places=5)
    money = st.builds(Money, amounts, st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
    addons = st.frozensets(_texts(), min_size=1, max_size=3)
    comment = st.just("") | _texts()
    more: dict[str, st.SearchStrategy[Any]] = {
        "availability_days": st.integers(1, 2**31 - 1),
        "opening_balance": money,
        "charge": st.builds(Charge, money, comment=comment, internal_comment=comment, reference=st.none() | _texts()),
        "refund": st.builds(Refund, money, comment=comment, allow_overdraft=st.booleans()),
        "product": _texts() | st.just("clear"),
        "addons": st.builds(AssignAddons, addons) | st.builds(ReplaceAddons, addons),
        "charging_period": st.integers(1, 2**31 - 1),
        "associated_number": _names(),
        "ivr_language": _names(),
        "role": _texts() | st.just("clear"),
        "site": _names(),
        "distributor": st.builds(AssignDistributor, _texts() | st.just("clear"), charge=st.none() | st.booleans()),
    }
    names = draw(st.sets(st.sampled_from(sorted(more)), min_size=1))
    return UpdateSpec(**{name: draw(more[name]) for name in sorted(names)})


_wheres = filters() | _wild_filters()
_specs = specs() | _wild_specs()


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


@given(_wheres, _specs)
def test_a_request_that_was_written_is_read_back(where: AccountFilter, spec: UpdateSpec) -> None:
    """Every filter and spec comes back from JSON equal, with the types of all parts."""
    read = parse_request(dump_request(where, spec), toml=False)
    assert read == (where, spec)
    assert _exact(read) == _exact((where, spec))


@given(where=_wheres, spec=_specs, dotted=st.booleans())
def test_a_request_in_toml_means_the_same(where: AccountFilter, spec: UpdateSpec, *, dotted: bool) -> None:
    """The document of a request means the same written as TOML, as tables or inline."""
    document = json.loads(dump_request(where, spec))
    if dotted:
        text = "\n".join(f"[{name}]\n{_toml_lines(document[name])}" for name in ("filter", "update"))
    else:
        text = _toml_lines(document)
    assert parse_request(text, toml=True) == (where, spec)


@given(_wheres, _specs)
def test_filter_and_spec_of_a_plan_are_read_back(where: AccountFilter, spec: UpdateSpec) -> None:
    """In plans every filter and every spec comes back, whatever words it holds."""
    document = json.loads(json.dumps([write_filter(where), write_spec(spec)]))
    read = read_filter(document[0]), read_spec(document[1])
    assert _exact(read) == _exact((where, spec))


_SCHEMA: Any = jsonschema.Draft202012Validator(request_schema())


@given(_wheres, _specs)
def test_the_schema_accepts_what_is_written(where: AccountFilter, spec: UpdateSpec) -> None:
    """Every request that is written is valid by the schema."""
    _SCHEMA.validate(json.loads(dump_request(where, spec)))


# Values that are right somewhere, and values that are nearly right.
_WORDS = st.sampled_from(
    [
        *"now clear keep open any registered blocked unblocked terminated by_product yes no en Europe/Kyiv".split(),
        *"2026-12-01 9999-12-31 0001-01-02 1 1,3,8-12 1, 3-1 0 \N{BYTE ORDER MARK}".split(),
        *("1 USD", "+1 USD", "-1 USD", "01.50 USD", "1.00001 USD", "999999999999999 JPY", "1  USD"),
        *(" 01 , 3 - 3,2147483647 ", "1 - 3", "1 -3 ", "  7  "),
        *("", " ", "\t", "\N{NO-BREAK SPACE}", "x\n", "2026-12-01\n", "1 USD\n", "1\n"),
    ]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from([2**31 - 1, 2**31, 1.0, 1.5, 0.0])
    | _WORDS
    | st.text(max_size=3),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=3), parts, max_size=3),
    max_leaves=4,
)
_KEYS = [field.name for kind in (AccountFilter, UpdateSpec) for field in attrs.fields(kind)]
_CONTENTS = st.sampled_from(
    "assign replace remove starts_with exactly contains ends_with id amount charge comment internal_comment reference "
    "allow_overdraft email".split()
)
_PARTS = (
    _VALUES
    | st.dictionaries(_CONTENTS, _WORDS | st.booleans() | st.lists(_WORDS, max_size=2), min_size=1, max_size=2)
    | st.builds(lambda money, more: {"amount": money, **more}, _WORDS, st.dictionaries(_CONTENTS, _VALUES, max_size=1))
)


def _places(document: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document, from the outside to the inside."""
    parts: Mapping[Any, object] = {}
    if isinstance(document, dict):
        parts = document
    elif isinstance(document, list):
        parts = dict(enumerate(document))
    inside = [_places(part, (*place, key)) for key, part in parts.items()]
    return [place, *(found for group in inside for found in group)]


def _put(document: Any, place: tuple[str | int, ...], value: object) -> Any:
    """The document with another value in one place."""
    if not place:
        return value
    key, *rest = place
    changed = document.copy()
    changed[key] = _put(document[key], tuple(rest), value)
    return changed


_TEXTS = st.sampled_from(["gold", "clear", " x ", "x\n", "\N{BYTE ORDER MARK}", "\x1c-"]) | st.text(max_size=2)
_MONEY = st.from_regex(r"[+-]?[0-9]{1,3}(\.[0-9]{1,6})? (USD|JPY|XXX)", fullmatch=True)
_DATES = st.from_regex(
    r"[0-9]{3}[1-9]-(0[1-9]|1[0-3])-[0-3][0-9]", fullmatch=True, alphabet=st.characters(codec="ascii")
)
_COUNTS = st.sampled_from([1, 6, 90, 2**31 - 1, 2**31, 0, -1, 1.0, True])
_NUMBERS = st.from_regex(r" ?0?[1-9]( ?- ?[5-9])? ?(, ?[0-9] ?){0,2}", fullmatch=True)
_DETAILS = st.dictionaries(_TEXTS, _TEXTS, max_size=2)
_MATCHES = st.dictionaries(st.sampled_from("starts_with exactly contains ends_with".split()), _TEXTS, max_size=2)
_ADDONS = st.dictionaries(
    st.sampled_from("assign replace remove".split()), st.lists(_TEXTS, max_size=2), min_size=1, max_size=2
)
_TAKINGS = st.fixed_dictionaries(
    {"amount": _MONEY},
    optional={"comment": _TEXTS, "internal_comment": _TEXTS, "reference": _TEXTS, "allow_overdraft": st.booleans()},
)
_DISTRIBUTORS = _TEXTS | st.fixed_dictionaries({"id": _TEXTS}, optional={"charge": st.booleans()})
_NEARLY: Mapping[str, Mapping[str, st.SearchStrategy[object]]] = {
    "filter": {
        "batch": _TEXTS,
        "control_numbers": _NUMBERS,
        "account_id": _TEXTS | _MATCHES,
        "status": _WORDS,
        "registration": st.sampled_from(["any", "registered", "unregistered", ""]),
        "blocked": st.booleans() | _WORDS,
        "used": st.booleans() | _COUNTS,
        "customer": _TEXTS,
        "product": _TEXTS,
        "contact": _DETAILS,
        "custom_fields": _DETAILS,
    },
    "update": {
        "activation": _DATES | st.sampled_from(["now", "clear"]),
        "expiration": _DATES | st.just("clear"),
        "availability_days": _COUNTS | st.just("clear"),
        "status": st.sampled_from(["blocked", "unblocked", "terminated", "clear"]),
        "opening_balance": _MONEY,
        "charge": _TAKINGS,
        "refund": _TAKINGS,
        "product": _TEXTS,
        "addons": _ADDONS,
        "charging_period": _COUNTS | st.just("clear"),
        "associated_number": _TEXTS,
        "unified_messaging": st.sampled_from(["by_product", "yes", "no", "clear"]),
        "ivr_language": _TEXTS,
        "time_zone": _TEXTS | st.sampled_from(["UTC", "Europe/Kyiv"]),
        "role": _TEXTS,
        "site": _TEXTS,
        "distributor": _DISTRIBUTORS,
    },
}


@st.composite
def _nearly_right(draw: st.DrawFn) -> dict[str, dict[str, object]]:
    """Documents with the right keys, each with a value that is right or nearly so."""
    document: dict[str, dict[str, object]] = {"filter": {}, "update": {}}
    for part, values in _NEARLY.items():
        names = st.lists(st.sampled_from(sorted(values)), min_size=part == "update", max_size=1)
        for name in draw(names):
            document[part][name] = draw(values[name])
    return document


@st.composite
def _mutated(draw: st.DrawFn) -> object:
    """The document of a request, or one that is nearly right, with one thing changed that may break it."""
    document: Any = draw(_nearly_right())
    if draw(st.booleans()):
        document = json.loads(dump_request(draw(_wheres), draw(_specs)))
    place = draw(st.sampled_from(_places(document)))
    part = document
    for key in place:
        part = part[key]
    change = draw(st.integers(0, 3))
    if change == 0 and isinstance(part, dict) and part:
        gone = draw(st.sampled_from(sorted(part)))
        part = {key: value for key, value in part.items() if key != gone}
    elif change == 1 and isinstance(part, dict):
        part = part | {draw(_CONTENTS | st.sampled_from(_KEYS)): draw(_PARTS)}
    elif change == 2 and isinstance(part, list):
        part = [*part, draw(_PARTS)]
    else:
        part = draw(_PARTS)
    return _put(document, place, part)


_PLAIN = {"filter": {}, "update": {"role": "x"}}


@settings(max_examples=300)
@given(st.one_of(_nearly_right(), _nearly_right(), _nearly_right(), _mutated(), _VALUES))
@example({"filter": {"batch": "\N{NO-BREAK SPACE}"}, "update": {"role": "x"}})
@example({"filter": {"control_numbers": " 01 , 3 - 3,2147483647 "}, "update": {"role": "x"}})
@example({"filter": {"contact": {}}, "update": {"activation": "9999-12-30", "opening_balance": "+01.50000 USD"}})
@example({"filter": {}, "update": {"addons": {"replace": []}, "charge": {"amount": "1 USD", "comment": ""}}})
@example({"filter": {}, "update": {"charge": {"amount": "1.0000000 USD"}}})
@example(_PLAIN | {"x": 1})
@example(_PLAIN | {"update": {}})
@example([_PLAIN])
def test_the_schema_accepts_what_is_read(document: object) -> None:
    """Whatever document the codec accepts, the schema accepts; all others are errors of ours."""
    try:
        parse_request(json.dumps(document), toml=False)
    except AccountBatchError:
        event("refused")
        return
    event("accepted")
    _SCHEMA.validate(document)


@given(st.text(max_size=40), st.booleans())
@example("\N{BYTE ORDER MARK}", False)
@example("a = 1e99999999999999999999", True)
@example("1e99999999999999999999", False)
def test_a_text_is_read_or_refused(text: str, toml: bool) -> None:  # noqa: FBT001  # Examples go by position.
    """No text breaks the codec: it is a request, or it is an error of ours."""
    try:
        parse_request(text, toml=toml)
    except AccountBatchError:
        return


@st.composite
def _wild_accounts(draw: st.DrawFn) -> Account:
    """Accounts whose texts hold anything."""
    account = draw(accounts())
    more: dict[str, st.SearchStrategy[Any]] = dict.fromkeys(
        "id batch customer account_role product associated_number ivr_language time_zone role site distributor".split(),
        _texts(),
    )
    more["addons"] = st.frozensets(_texts().filter(lambda text: "|" not in text), max_size=3)
    more["contact"] = more["custom_fields"] = st.dictionaries(_texts(), _texts(), max_size=3)
    more["balance"] = st.decimals(min_value=-999999999999999, max_value=999999999999999, places=5)
    more["control_number"] = st.integers(1, 2**31 - 1)
    names = draw(st.sets(st.sampled_from(sorted(more))))
    return attrs.evolve(account, **{name: draw(more[name]) for name in sorted(names)})


_populations = st.lists(accounts() | _wild_accounts(), max_size=3, unique_by=lambda account: account.id)


def _written(population: list[Account]) -> str:
    file = io.StringIO(newline="")
    write_accounts(population, file)
    return file.getvalue()


@given(population=_populations, mark=st.booleans())
def test_accounts_that_were_written_are_read_back(population: list[Account], *, mark: bool) -> None:
    """Every account comes back from CSV equal and in its place, with the types of all fields."""
    text = ("\N{BYTE ORDER MARK}" if mark else "") + _written(population)
    read = list(read_accounts(io.StringIO(text, newline="")))
    assert read == population
    assert _exact(read) == _exact(population)
    assert _written(read) == _written(population)


@given(_populations)
def test_no_cell_of_accounts_is_a_formula(population: list[Account]) -> None:
    """No cell but that of a number begins as a spreadsheet's formula does."""
    [header, *rows] = csv.reader(io.StringIO(_written(population), newline=""))
    starts = ("=", "+", "-", "@", "\t", "\r")
    numbers = {"balance", "opening_balance"}
    assert [cell for cell in header if cell.startswith(starts)] == []
    cells = [cell for row in rows for name, cell in zip(header, row, strict=True) if name not in numbers]
    assert [cell for cell in cells if cell.startswith(starts)] == []


@given(st.text(max_size=60))
def test_a_text_holds_accounts_or_is_refused(text: str) -> None:
    """No text breaks the reader of accounts: it holds accounts, or it is an error of ours."""
    for before in ("", "id,customer,kind,currency,product,balance,addons\n", "id,customer,kind,currency,product\n1,a,"):
        try:
            list(read_accounts(io.StringIO(before + text, newline="")))
        except AccountBatchError:
            event("refused")


def _toml_text(text: str) -> str:
    """A text as a basic string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _toml(value: object) -> str:
    """A value as TOML, inline."""
    match value:
        case None:
            return "nan"
        case float():
            return repr(value)
        case bool():
            return "true" if value else "false"
        case str():
            return _toml_text(value)
        case int():
            return str(value)
        case Decimal():
            return _toml_text(f"{value:f}")
        case Mapping():
            return f"{{{', '.join(f'{_toml_text(key)} = {_toml(part)}' for key, part in value.items())}}}"
        case frozenset():
            return _toml(sorted(value))
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            fields: Any = value
            return _toml({name: part for name, part in _fields(fields).items() if part is not None})


def _toml_lines(document: Mapping[str, object]) -> str:
    return "".join(f"{_toml_text(key)} = {_toml(value)}\n" for key, value in document.items())


def _fields(value: attrs.AttrsInstance) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


_TABLES = {
    "customer": "customers",
    "batch": "batches",
    "product": "products",
    "site": "sites",
    "distributor": "distributors",
}


def _catalog_text(known: Catalog) -> str:
    """A catalog as TOML, with the tables of the design."""
    lists = {"roles": known.roles, "ivr_languages": known.ivr_languages}
    tables = [
        f"[[{table}]]\n{_toml_lines({name: part for name, part in _fields(entry).items() if part is not None})}"
        for table, field in _TABLES.items()
        for entry in getattr(known, field)
    ]
    return _toml_lines(lists) + "\n".join(tables)


@st.composite
def _wild_catalogs(draw: st.DrawFn) -> Catalog:
    """Catalogs whose texts hold anything."""
    known = draw(catalogs() | st.just(catalog()))
    return attrs.evolve(
        known,
        roles=draw(st.frozensets(_texts(), max_size=3)),
        ivr_languages=draw(st.frozensets(_texts(), max_size=3)),
        batches=[attrs.evolve(batch, customer=draw(_texts())) for batch in known.batches[:1]],
        products=[
            attrs.evolve(product, id=draw(_texts()), allowed_addons=draw(st.frozensets(_texts(), max_size=3)))
            for product in known.products[:1]
        ],
    )


@given(catalogs() | _wild_catalogs())
def test_a_catalog_in_toml_is_read_back(known: Catalog) -> None:
    """Every catalog that is written as TOML is read as the same catalog, with the types of all parts."""
    read = parse_catalog(_catalog_text(known))
    assert read == known
    assert _exact(read) == _exact(known)


@given(
    st.text(max_size=60), st.sampled_from(["", "roles = ", "[[customer]]\n", "[[product]]\nid = 'x'\nsubscription = "])
)
def test_a_text_is_a_catalog_or_refused(text: str, before: str) -> None:
    """No text breaks the reader of catalogs: it is a catalog, or it is an error of ours."""
    try:
        parse_catalog(before + text)
    except AccountBatchError:
        event("refused")


@given(_VALUES, st.sampled_from([*_TABLES, "roles"]), st.sampled_from(["[{}]", "{}", "[{{id = {}}}]"]))
def test_a_document_is_a_catalog_or_refused(value: object, table: str, form: str) -> None:
    """No value in the place of another breaks the reader of catalogs."""
    try:
        parse_catalog(f"{table} = {form.format(_toml(value))}")
    except AccountBatchError:
        event("refused")


@st.composite
def _plans(draw: st.DrawFn) -> Plan:
    """Plans of every outcome, for accounts, catalogs and specs of the small world."""
    known = draw(catalogs())
    owners = [batch.customer for batch in known.batches if batch.id == BATCH]
    numbers = draw(st.none() | st.just("1-3,7"))
    return plan_update(
        MemoryStore(draw(targets())),
        AccountFilter(batch=BATCH, customer=None if len(owners) == 1 else "acme", control_numbers=numbers),
        draw(specs()),
        catalog=known,
        now=draw(instants()),
        actor=draw(st.just("") | _texts()),
        reason=draw(st.just("") | _texts()),
    )


@given(_plans())
def test_a_plan_that_was_saved_is_loaded(plan: Plan) -> None:
    """Every plan comes back from JSON equal, with the types of all parts, and is saved as the same text."""
    text = plan.to_json()
    loaded = Plan.from_json(text)
    assert loaded == plan
    assert _exact(loaded) == _exact(plan)
    assert loaded.to_json() == text


@settings(max_examples=50)
@given(_plans())
def test_a_loaded_plan_shows_what_was_planned(plan: Plan) -> None:
    """Confirmations, changes and refusals of a loaded plan are those of the plan."""
    loaded = Plan.from_json(plan.to_json())
    assert loaded.confirmation(show_ids=True) == plan.confirmation(show_ids=True)
    assert loaded.to_html() == plan.to_html()
    assert [*loaded.changes, *loaded.refused, *loaded.unchanged] == [*plan.changes, *plan.refused, *plan.unchanged]


@given(_plans(), st.data())
def test_a_letter_of_a_saved_plan_is_not_changed_unnoticed(plan: Plan, data: st.DataObject) -> None:
    """A saved plan in which one letter was replaced, added or lost is refused, unless it still says the same."""
    text = plan.to_json()
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(["", *'0159.-eE"\\{}[]:, \nabtrue']))
    length = data.draw(st.sampled_from([0, 1]))
    damaged = text[:at] + letter + text[at + length :]
    try:
        same = parse_json(damaged) == parse_json(text)
    except AccountBatchError:
        same = False
    assume(not same)
    try:
        Plan.from_json(damaged)
    except PlanError as error:
        event(type(error).__name__)
    else:
        raise AssertionError(f"loaded with {letter!r} for {text[at : at + length]!r} at {at}")
