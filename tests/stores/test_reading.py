"""Reading: every store finds the same accounts, and finds them as they were put in, however hostile they are."""

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise, product
from operator import attrgetter
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_batch import (
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    Charge,
    MemoryStore,
    Registration,
    StatusFilter,
    TextMatch,
    UnifiedMessaging,
    UpdateSpec,
    apply_plan,
    plan_update,
)
from account_batch.errors import InvalidValueError
from account_batch.stores.sql import SqlStore
from databases import BACKENDS, Databases, examples
from sameness import EVERYBODY, MakeSqlStore, MakeStore, Store, accounts_of
from strategies import accounts, filters
from world import CATALOG, NOW, account, usd

HOSTILE = (
    *("a", "A", "a ", " a", "a  ", "a\t", "a\n", "aa", "a\u0301", "\u00e1", "\uff41", "a\u200b", "\ufeffa"),
    *("a%", "a_", "a%%b", "a_b", "aXb", "%", "_", "\\", "\\%", "\\_", "a\\%b", "/%", "!%", "^_", "[ab]", "a*", "a?"),
    *("'", "''", '"', "`", "o'brien", 'quo"te', "back`tick", "dollar$1", "$$", "a;b", "-- a", "/* a */", "#a"),
    *("'; DROP TABLE accounts; --", "' OR '1'='1", "1 OR 1=1", "NULL", "null", "None", "true", "0", "00", "1e0", "1.0"),
    *("%s", "%(id)s", "%%", ":id", "{id}", "{0}", "?", "@id", "\\x00", "\\0", "\x01", "\x7f", "a\u0085b", "a\u2028b"),
    *("😀", "😀😀", "👩\u200d👧", "\u202eabc", "abc\u200f", "עברית", "ß", "ss", "SS", "\u017f", "\u0130", "i\u0307"),
    *("\u0131", "I", "i", "\u03a3", "\u03c2", "\u03c3", "日本", "\uff71", "ア", "\u00c5", "\u212b", "\ufb01", "fi"),
    *("\ue000", "\uffff", "\U0010ffff", "x" * 64, "X" * 64, "x" * 63 + "y", "x" * 63 + " ", "😀" * 64, "ж" * 64),
)
"""Texts that mean something to SQL, that databases take for one another, or that are as long as an id may be."""

_STATES, _KINDS = list(AccountState), list(AccountKind)


def hostile_accounts() -> list[Account]:
    """One account for each hostile text, and all other fields in any combination, hostile and not set as well."""
    texts = list(dict.fromkeys(HOSTILE))

    def optional(values: list[Any], place: int) -> Any:
        return [None, *values][place % (len(values) + 1)]

    def text(place: int) -> str:
        return texts[place % len(texts)]

    return [
        account(
            id=name,
            batch=optional(["B", "b", "B ", "B%", "😀", text(place)], place),
            control_number=optional([1, 2, 3, 2**31 - 1, place + 1], place),
            customer=["acme", "ACME", "acme ", text(place)][place % 4],
            kind=_KINDS[place % 3],
            state=_STATES[place // 2 % 3],
            blocked=place % 5 == 0,
            registered=place % 7 < 3,
            first_used_on=optional(["2026-11-01"], place // 3),
            product=["gold", "Gold", "gold ", text(place)][place // 3 % 4],
            addons={text(place), text(place * 3 + 1)} if place % 3 else (),
            contact={"email": text(place + 1), text(place): "red"} if place % 4 else {},
            custom_fields={"email": text(place + 1), text(place): "red"} if place % 3 else {"Email": text(place)},
        )
        for place, name in enumerate(texts)
    ]


def _with(name: str, value: object) -> AccountFilter:
    return AccountFilter(**{"status": StatusFilter.ANY, name: value})  # type: ignore[arg-type]  # All are tried.


def _details(name: str) -> Iterator[AccountFilter]:
    for text, following in pairwise(HOSTILE):
        yield _with(name, {"email": following})
        yield _with(name, {text: "red", "email": following})
    yield from (_with(name, details) for details in ({"Email": "a"}, {"email": "Red"}, {"a": "red", "email": "a"}))


_CRITERIA = {
    "batch": [_with("batch", text) for text in ("B", "b", "B ", "B%", "%", *HOSTILE)],
    "control_numbers": [
        _with("control_numbers", text)
        for text in ("1", "1-2", "2147483647", "1,3,5-9,40-2147483647", ",".join(map(str, range(6, 109, 6))))
    ],
    "account_id": [
        _with("account_id", way(text))
        for way, text in product(
            [TextMatch.starts_with, TextMatch.exactly, TextMatch.contains, TextMatch.ends_with], HOSTILE
        )
    ],
    "status": [AccountFilter(status=status) for status in StatusFilter],
    "registration": [_with("registration", registration) for registration in Registration],
    "blocked": [_with("blocked", value) for value in (True, False)],
    "used": [_with("used", value) for value in (True, False)],
    "customer": [_with("customer", text) for text in ("acme", "ACME", "acme ", *HOSTILE)],
    "product": [_with("product", text) for text in ("gold", "Gold", "gold ", *HOSTILE)],
    "contact": list(_details("contact")),
    "custom_fields": list(_details("custom_fields")),
    "several": [
        AccountFilter(batch=batch, status=status, used=used, blocked=blocked, registration=registration)
        for batch, status, used, blocked, registration in product(
            [None, "B"],
            StatusFilter,
            [None, True, False],
            [None, True, False],
            [Registration.ANY, Registration.REGISTERED],
        )
    ],
}


@pytest.mark.parametrize("criterion", _CRITERIA)
def test_a_criterion_means_what_matches_says(make_store: MakeStore, criterion: str) -> None:
    """Exactly those accounts are found that the filter matches in Python, each once, and with all their fields."""
    population = hostile_accounts()
    store = make_store(population)
    found_any = False
    for where in _CRITERIA[criterion]:
        expected = {one.id: one for one in population if where.matches(one)}
        found = list(store.find(where))
        assert {one.id: one for one in found} == expected, where
        assert len(found) == len(expected), where
        found_any |= bool(expected)
    assert found_any


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_filter_means_what_matches_says(backend: str, databases: Databases) -> None:
    """For any accounts and any criteria together, the database finds whom the filter matches in Python."""

    @examples(backend)
    @given(st.lists(accounts(), unique_by=attrgetter("id"), max_size=8), st.lists(filters(), min_size=1, max_size=3))
    def law(population: list[Account], wheres: list[AccountFilter]) -> None:
        store = databases.store(backend, population)
        for where in wheres:
            found = sorted(store.find(where), key=attrgetter("id"))
            assert found == sorted(filter(where.matches, population), key=attrgetter("id"))

    law()


_EXTREMES: dict[str, dict[str, Any]] = {
    "most money": {"opening_balance": "89999999999999.99999", "balance": "-89999999999999.99999"},
    "least money": {"opening_balance": "0.00001", "balance": "-0.00001"},
    "more digits than a float has": {"opening_balance": "12345678901234.12345", "balance": "0.1"},
    "first days": dict.fromkeys(("activation_date", "expiration_date", "first_used_on"), "0001-01-01"),
    "last days": dict.fromkeys(("activation_date", "expiration_date", "last_recharged_on"), "9999-12-31"),
    "greatest numbers": dict.fromkeys(("control_number", "availability_days", "charging_period"), 2**31 - 1),
    "everything": {
        "account_role": "phone line",
        "state": AccountState.INACTIVE,
        "blocked": True,
        "registered": True,
        "activation_date": "2026-12-01",
        "expiration_date": "2027-12-01",
        "availability_days": 90,
        "first_used_on": "2026-11-01",
        "last_recharged_on": "2026-11-02",
        "addons": {"call-waiting", "voicemail"},
        "charging_period": 6,
        "associated_number": "18005551234",
        "unified_messaging": UnifiedMessaging.NO,
        "ivr_language": "uk",
        "time_zone": "America/New_York",
        "role": "boss",
        "site": "hq",
        "distributor": "north",
        "contact": {"email": "a@example.org", "city": "O'Fallon"},
        "custom_fields": {"colour": "red"},
    },
    "nothing": {"batch": None, "control_number": None},
    "long texts": {"contact": {"note": "long 😀 " * 2000}, "custom_fields": {"k" * 64: "x" * 5000}},
}


@pytest.mark.parametrize("extreme", _EXTREMES)
def test_accounts_are_kept_exactly(make_store: MakeStore, extreme: str) -> None:
    """What was added or put is found as it was, to the last digit, day and letter."""
    added, put = (account(**{"id": name} | _EXTREMES[extreme]) for name in ("added", "put"))
    store = make_store([added])
    store.put(put)
    found = accounts_of(store)
    assert found == {"added": added, "put": put}
    for field in attrs.fields(Account):  # A number that is equal may still be of another type.
        assert type(getattr(found["put"], field.name)) is type(getattr(put, field.name)), field.name


def test_put_replaces_every_field(make_store: MakeStore) -> None:
    """An account that is put again is the new one, in its new batch, without any add-on or detail of the old one."""
    full, bare = account(**_EXTREMES["everything"]), account(batch="ZERO")
    store = make_store([full, account(id="other", addons={"voicemail"})])
    for one in (bare, full, bare):
        store.put(one)
        assert accounts_of(store) == {one.id: one, "other": account(id="other", addons={"voicemail"})}
    assert [one.id for one in store.find(AccountFilter(batch="ZERO"))] == [bare.id]
    assert [one.id for one in store.find(AccountFilter(batch="SUMMER-2026"))] == ["other"]


@pytest.mark.parametrize("new", [("n1", "n2", "a"), ("n1", "n1"), ("a", "n1")], ids=str)
def test_accounts_are_added_all_or_none(make_store: MakeStore, new: tuple[str, ...]) -> None:
    """If an id is there already or comes twice, none of the accounts is added, and the message shows no id."""
    there = [account(id="a", addons={"voicemail"}), account(id="A")]
    store = make_store(there)
    with pytest.raises(InvalidValueError, match=r"is there already|comes twice") as caught:
        store.add([account(id=name, blocked=True) for name in new])
    assert "n1" not in str(caught.value)
    assert accounts_of(store) == {one.id: one for one in there}


def test_a_source_that_breaks_adds_nothing(make_store: MakeStore) -> None:
    """If the accounts run dry halfway, for example because a file is broken, none is added."""

    def broken() -> Iterator[Account]:
        yield from map(_numbered, range(2500))
        raise OSError

    store = make_store([])
    with pytest.raises(OSError):  # noqa: PT011  # The test's own.
        store.add(broken())
    assert accounts_of(store) == {}


def _numbered(number: int) -> Account:
    return account(id=f"n{number}", control_number=number + 1, addons={"voicemail"} if number % 2 else ())


def test_a_text_that_mariadb_would_cut_is_refused(databases: Databases) -> None:
    """Neither added nor put, and what was there before stays."""
    there = account(id="there", site="hq")
    store = databases.store("mariadb", [there])
    with pytest.raises(InvalidValueError, match=r"account: the database rejects a value: .*site"):
        store.add([account(id="new"), account(id="long", site="x" * 256)])
    with pytest.raises(InvalidValueError, match=r"account: the database rejects a value: .*site"):
        store.put(account(id="there", site="x" * 256))
    assert accounts_of(store) == {"there": there}


@pytest.mark.parametrize("wrong", ["a1", None, {"id": "a1"}], ids=str)
def test_only_accounts_are_kept(make_store: MakeStore, wrong: Any) -> None:
    """What is no account is refused when it comes, not when it is found."""
    store = make_store([])
    with pytest.raises(InvalidValueError, match="is no Account"):
        store.put(wrong)
    with pytest.raises(InvalidValueError, match="is no Account"):
        store.add([account(), wrong])
    assert accounts_of(store) == {}


def test_many_accounts_come_back_one_by_one(make_store: MakeStore) -> None:
    """More accounts than any buffer holds are found each once, with their own add-ons."""
    population = {one.id: one for one in map(_numbered, range(2500))}
    store = make_store(population.values())
    found = list(store.find(EVERYBODY))
    assert len(found) == 2500
    assert {one.id: one for one in found} == population


def test_finding_may_be_left_off(make_store: MakeStore) -> None:
    """Whoever looks at the first account only keeps nobody from writing."""
    store = make_store(map(_numbered, range(2500)))
    first = next(iter(store.find(EVERYBODY)))
    store.put(attrs.evolve(first, blocked=True))
    assert accounts_of(store)[first.id].blocked


def test_a_store_keeps_its_identity(make_store: MakeStore) -> None:
    """A store stays what it is when its accounts change, and another one is another."""
    store = make_store([account()])
    before = store.identity
    store.add([account(id="other")])
    assert store.identity == before != MemoryStore().identity


def test_every_database_has_an_identity_of_its_own(database_url: str, make_sql_store: MakeSqlStore) -> None:
    """No two databases are taken for each other, and one that is opened or made again stays what it is."""
    with closing(SqlStore(database_url).create()) as store, closing(SqlStore(database_url)) as again:
        assert store.identity == again.identity == again.create().identity != make_sql_store([]).identity


def _charge(store: Store, reference: str | None) -> str:
    spec = UpdateSpec(charge=Charge(usd("1"), reference=reference))
    plan = plan_update(store, AccountFilter(batch="SUMMER-2026"), spec, catalog=CATALOG, now=NOW)
    apply_plan(plan, store, now=NOW)
    return plan.id


@pytest.mark.parametrize("reference", ["fee", "Fee", "fee ", "f%", "o'fee", "😀", "x" * 64])
def test_charged_knows_who_has_exactly_that_reference(make_store: MakeStore, reference: str) -> None:
    """After a campaign exactly the accounts that it reached have its reference, and no reference like it."""
    store = make_store([account(id="a"), account(id="A"), account(id="a "), account(id="b", kind=AccountKind.VOUCHER)])
    assert set(store.charged(reference)) == set()
    _charge(store, None)
    _charge(store, reference)
    assert set(store.charged(reference)) == {"a", "A", "a "}
    for other in {"fee", "Fee", "fee ", "f%", "f_", "o'fee", "😀", "😁"} - {reference}:
        assert set(store.charged(other)) == set()


def test_each_plan_has_its_own_transactions(make_store: MakeStore) -> None:
    """The ledger tells the entries of a plan, and none of another one."""
    store = make_store([account(id="a"), account(id="b")])
    first, second = _charge(store, "first"), _charge(store, "second")
    for plan, reference in ((first, "first"), (second, "second")):
        entries = list(store.transactions(plan))
        assert sorted((entry.account_id, entry.reference) for entry in entries) == [("a", reference), ("b", reference)]
        assert {entry.plan_id for entry in entries} == {plan}
    assert list(store.transactions("no such plan")) == []
