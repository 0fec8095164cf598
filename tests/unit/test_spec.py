import copy
import pickle
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pendulum
import pytest

from account_batch.account import AccountState, UnifiedMessaging
from account_batch.errors import EmptySpecError, SpecError
from account_batch.money import Money
from account_batch.spec import (
    CLEAR,
    KEEP,
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Marker,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    UpdateSpec,
)

_DOLLAR = Money(1, "USD")
_FULL: dict[str, Any] = {
    "activation": ActivateOn("2026-12-01"),
    "expiration": ExpireOn("2027-12-01"),
    "availability_days": 90,
    "status": StatusChange.UNBLOCKED,
    "opening_balance": Money("15.00", "USD"),
    "charge": Charge(_DOLLAR, comment="SIM fee", internal_comment="#1", reference="sim-fee", allow_overdraft=True),
    "refund": Refund(_DOLLAR, comment="double payment"),
    "product": "gold",
    "addons": AssignAddons({"call-waiting"}),
    "charging_period": 6,
    "associated_number": "18005551234",
    "unified_messaging": UnifiedMessaging.BY_PRODUCT,
    "ivr_language": "en",
    "time_zone": "America/New_York",
    "role": "default",
    "site": CLEAR,
    "distributor": AssignDistributor("acme"),
}
_CLEARABLE = {
    "activation",
    "expiration",
    "availability_days",
    "charging_period",
    "associated_number",
    "ivr_language",
    "time_zone",
    "site",
    "distributor",
}
_ALL_CLEAR: dict[str, Any] = dict.fromkeys(_CLEARABLE, CLEAR)
_attribute = pytest.mark.parametrize("name", _FULL)


def test_the_attributes_are_those_of_the_panel() -> None:
    """A spec has the attributes of the design, in that order."""
    assert [field.name for field in attrs.fields(UpdateSpec)] == list(_FULL)


def test_a_spec_keeps_what_it_is_given() -> None:
    """Every attribute reads back as it was written, and all of them are settings."""
    spec = UpdateSpec(**_FULL)
    assert attrs.asdict(spec, recurse=False) == _FULL
    assert spec.settings() == tuple(_FULL)


@_attribute
def test_what_is_not_set_is_kept(name: str) -> None:
    """An attribute that is left out is KEEP and no setting."""
    spec = UpdateSpec(**{name: _FULL[name]})
    assert {field: getattr(spec, field) for field in _FULL if field != name} == dict.fromkeys(set(_FULL) - {name}, KEEP)
    assert spec.settings() == (name,)


@pytest.mark.parametrize("given", [{}, dict.fromkeys(_FULL, KEEP)], ids=["nothing given", "all kept"])
def test_a_spec_that_sets_nothing_is_refused(given: dict[str, Any]) -> None:
    """An empty spec is an error of its own."""
    with pytest.raises(EmptySpecError, match=r"^spec: ") as caught:
        UpdateSpec(**given)
    assert isinstance(caught.value, ValueError)


@_attribute
def test_an_attribute_can_be_cleared_where_that_makes_sense(name: str) -> None:
    """CLEAR is accepted by the attributes that can be unset, and refused by name on the others."""
    given: dict[str, Any] = {name: CLEAR}
    if name in _CLEARABLE:
        assert getattr(UpdateSpec(**given), name) is CLEAR
    else:
        with pytest.raises(SpecError, match=f"^spec.{name}: CLEAR"):
            UpdateSpec(**given)


@pytest.mark.parametrize("marker", Marker, ids=repr)
def test_markers_are_the_same_everywhere(marker: Marker) -> None:
    """KEEP and CLEAR stay themselves when they are copied or pickled, so they can be compared with `is`."""
    assert copy.deepcopy(marker) is marker
    assert pickle.loads(pickle.dumps(marker)) is marker  # noqa: S301  # The bytes are our own.


def test_markers_show_their_names() -> None:
    """A spec in a message reads as it was written."""
    assert (repr(KEEP), repr(CLEAR)) == ("KEEP", "CLEAR")


_NO_TEXTS = ("", " ", "a\0", "\ud800", 5, True, None)
_NO_COUNTS = (0, -1, True, 1.0, "90", None, 2**31)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("product", "associated_number", "ivr_language", "time_zone", "role", "site")
            for value in _NO_TEXTS
        ),
        *((name, value) for name in ("availability_days", "charging_period") for value in _NO_COUNTS),
        *(("time_zone", value) for value in ("Kyiv", "europe/kyiv", "localtime", "+02:00", "Mars/Base")),
        *(("activation", value) for value in ("now", "2026-12-01", date(2026, 12, 1), ExpireOn("2026-12-01"), None)),
        ("activation", ActivateNow),
        *(("expiration", value) for value in ("2026-12-01", date(2026, 12, 1), ActivateOn("2026-12-01"), None)),
        *(("status", value) for value in ("blocked", True, AccountState.CLOSED, None)),
        *(("opening_balance", value) for value in (15, "15.00 USD", None, Money("-0.00001", "USD"))),
        *(("charge", value) for value in (_DOLLAR, 1, None, Refund(_DOLLAR))),
        *(("refund", value) for value in (_DOLLAR, 1, None, Charge(_DOLLAR))),
        *(("addons", value) for value in ("voicemail", {"voicemail"}, ["voicemail"], None)),
        *(("unified_messaging", value) for value in ("yes", True, None)),
        *(("distributor", value) for value in ("", " ", "a\0", 5, None)),
    ],
    ids=ascii,
)
def test_a_bad_value_is_refused_under_the_name_of_its_attribute(name: str, value: Any) -> None:
    """No attribute takes what it cannot set, and the message names it."""
    with pytest.raises(SpecError, match=f"^spec.{name}: ") as caught:
        UpdateSpec(**{name: value})
    assert isinstance(caught.value, ValueError)


def test_unknown_attributes_are_refused() -> None:
    """A misspelt attribute is an error that names it."""
    with pytest.raises(TypeError, match="prodcut"):
        UpdateSpec(prodcut="gold")  # type: ignore[call-arg]  # The typo is what is tested.


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (UpdateSpec, [ActivateNow()]),
        (Charge, [_DOLLAR, "fee"]),
        (Refund, [_DOLLAR, "fee"]),
        (AssignDistributor, ["a", True]),
    ],
)
def test_all_but_the_first_of_a_leaf_is_given_by_name(kind: type, given: list[Any]) -> None:
    """No setting is taken for another because of its position."""
    with pytest.raises(TypeError, match="positional"):
        kind(*given)


@pytest.mark.parametrize("name", [name for name in _FULL if name != "status"])
def test_terminating_sets_nothing_else(name: str) -> None:
    """A spec that terminates and sets anything else is refused, naming what to take out (rule 1)."""
    with pytest.raises(SpecError, match=f"^spec.status: terminates.* take out {name}$"):
        UpdateSpec(**{"status": StatusChange.TERMINATED, name: _FULL[name]})


def test_terminating_alone_is_a_setting() -> None:
    """Termination by itself is a spec."""
    assert UpdateSpec(status=StatusChange.TERMINATED).settings() == ("status",)


@pytest.mark.parametrize("status", [StatusChange.BLOCKED, StatusChange.UNBLOCKED])
def test_blocking_goes_with_other_settings(status: StatusChange) -> None:
    """Only termination excludes other settings."""
    assert UpdateSpec(**_FULL | {"status": status}).status is status


def test_an_opening_balance_may_be_zero() -> None:
    """Nothing is a valid opening balance (rule 7)."""
    assert UpdateSpec(opening_balance=Money(0, "USD")).opening_balance == Money(0, "USD")


def test_a_distributor_may_be_given_by_id() -> None:
    """The id alone assigns the distributor and leaves open whether it is charged."""
    assert UpdateSpec(distributor="acme").distributor == AssignDistributor("acme", charge=None)


@pytest.mark.parametrize("kind", [ActivateOn, ExpireOn])
@pytest.mark.parametrize("day", ["2026-12-01", date(2026, 12, 1), pendulum.Date(2026, 12, 1)], ids=repr)
def test_days_may_be_text(kind: type[ActivateOn | ExpireOn], day: date | str) -> None:
    """ISO text and any date class become a standard date."""
    setting = kind(day)
    assert (type(setting.day), setting) == (date, kind(date(2026, 12, 1)))


@pytest.mark.parametrize(("kind", "place"), [(ActivateOn, "spec.activation"), (ExpireOn, "spec.expiration")])
@pytest.mark.parametrize(
    "day",
    ["", "2026-1-1", "2026-02-30", "2026-12-01T00:00", "today", datetime(2026, 12, 1, tzinfo=UTC), 20261201, None],
    ids=ascii,
)
def test_impossible_days_are_refused(kind: type, place: str, day: Any) -> None:
    """What is no calendar date cannot be set, and the message names the attribute."""
    with pytest.raises(SpecError, match=f"^{place}: ") as caught:
        kind(day)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_activation_stays_within_the_calendar_of_every_zone(day: date) -> None:
    """The first and the last day of the calendar have no instant in some zone, so nothing is scheduled then."""
    with pytest.raises(SpecError, match="outside the calendar"):
        ActivateOn(day)


@pytest.mark.parametrize("day", [date(1, 1, 2), date(9999, 12, 30)])
def test_all_other_days_can_be_activated_on(day: date) -> None:
    """One day off the ends of the calendar is fine."""
    assert ActivateOn(day).day == day


@pytest.mark.parametrize("kind", [Charge, Refund])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("amount", value) for value in (1, "1.00 USD", None, Money(0, "USD"), Money("-0.00001", "USD"))),
        *(("comment", value) for value in (" ", "a\0", "\ud800", 5, None)),
        *(("internal_comment", value) for value in (" ", "a\0", 5, None)),
        *(("reference", value) for value in ("", " ", "a\0", 5)),
        *(("allow_overdraft", value) for value in (0, 1, None, "yes")),
    ],
    ids=ascii,
)
def test_bad_money_takings_are_refused(kind: type, field: str, value: Any) -> None:
    """A charge or refund is of positive Money with proper texts, and the message names the place (rule 8)."""
    with pytest.raises(SpecError, match=rf"^spec\.{kind.__name__.lower()}\.{field}: ") as caught:
        kind(**{"amount": _DOLLAR, field: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("kind", [Charge, Refund])
def test_charge_and_refund_have_defaults(kind: type[Charge | Refund]) -> None:
    """Only the amount has to be said, and it is said first."""
    taking = kind(_DOLLAR)
    assert attrs.asdict(taking, recurse=False) == {
        "amount": _DOLLAR,
        "comment": "",
        "internal_comment": "",
        "reference": None,
        "allow_overdraft": False,
    }


def test_a_charge_is_no_refund() -> None:
    """The two differ although they hold the same."""
    assert len({Charge(_DOLLAR), Refund(_DOLLAR)}) == 2


def test_charge_and_refund_have_references_of_their_own() -> None:
    """One reference for both would make the one refuse the other."""
    with pytest.raises(SpecError, match=r'^spec\.refund\.reference: "r"'):
        UpdateSpec(charge=Charge(_DOLLAR, reference="r"), refund=Refund(_DOLLAR, reference="r"))


@pytest.mark.parametrize(("charge", "refund"), [("a", "b"), ("a", None), (None, "b"), (None, None)])
def test_different_references_go_together(charge: str | None, refund: str | None) -> None:
    """Two references, one, or none are fine."""
    spec = UpdateSpec(charge=Charge(_DOLLAR, reference=charge), refund=Refund(_DOLLAR, reference=refund))
    assert spec.settings() == ("charge", "refund")


@pytest.mark.parametrize("kind", [AssignAddons, ReplaceAddons, RemoveAddons])
@pytest.mark.parametrize("value", ["voicemail", b"ab", [""], ["a\0"], [5], 5, None], ids=ascii)
def test_what_is_no_set_of_addons_is_refused(kind: type, value: Any) -> None:
    """Add-ons are a collection of names; one text is not taken apart into letters."""
    with pytest.raises(SpecError, match=r"^spec\.addons: "):
        kind(value)


@pytest.mark.parametrize("kind", [AssignAddons, RemoveAddons])
def test_no_addons_are_nothing_to_assign_or_remove(kind: type) -> None:
    """Assigning or removing none says nothing, and is refused."""
    with pytest.raises(SpecError, match=r"^spec\.addons: no add-on named"):
        kind([])


def test_addons_can_be_replaced_by_none() -> None:
    """Replacing by none removes all add-ons."""
    assert ReplaceAddons(()).addons == frozenset()


@pytest.mark.parametrize("kind", [AssignAddons, ReplaceAddons, RemoveAddons])
def test_addons_come_as_any_iterable(kind: type) -> None:
    """Lists, sets and generators of the same names are the same value."""
    assert kind(["b", "a", "b"]) == kind(name for name in "ab") == kind({"a", "b"})


@pytest.mark.parametrize("charge", [0, 1, "yes", CLEAR], ids=repr)
def test_a_distributor_is_charged_or_not(charge: Any) -> None:
    """Whether to charge is True, False or left open, and the message names the place."""
    with pytest.raises(SpecError, match=r"^spec\.distributor\.charge: "):
        AssignDistributor("acme", charge=charge)


@pytest.mark.parametrize("charge", [True, False, None])
def test_a_distributor_setting_keeps_what_it_is_given(charge: bool | None) -> None:  # noqa: FBT001
    """All three answers to the question of the charge are kept."""
    assert AssignDistributor("acme", charge=charge).charge is charge


_VALUES = [
    *(value for value in _FULL.values() if attrs.has(type(value))),
    ActivateNow(),
    ReplaceAddons(["b", "a"]),
    RemoveAddons(["a"]),
    AssignDistributor("acme", charge=False),
    UpdateSpec(**_FULL),
    UpdateSpec(**_ALL_CLEAR),
]


@pytest.mark.parametrize("value", _VALUES, ids=lambda value: type(value).__name__)
def test_specs_are_values(value: Any) -> None:
    """Equal specs are equal, hash alike, can be evolved, and survive pickling."""
    copies = {value, attrs.evolve(value), pickle.loads(pickle.dumps(value))}  # noqa: S301  # The bytes are our own.
    assert len(copies) == 1


def test_equal_money_makes_equal_specs() -> None:
    """The way an amount is written does not make another spec."""
    specs = {UpdateSpec(opening_balance=Money(amount, "USD")) for amount in ("15", "15.00", 15)}
    assert len(specs) == 1


def test_a_spec_can_be_evolved() -> None:
    """A changed copy differs in what was changed, and combinations are checked again."""
    spec = UpdateSpec(**_FULL)
    assert attrs.evolve(spec, site=KEEP, distributor="north") == UpdateSpec(
        **_FULL | {"site": KEEP, "distributor": AssignDistributor("north")}
    )
    with pytest.raises(SpecError, match=r"^spec\.status: "):
        attrs.evolve(spec, status=StatusChange.TERMINATED)


def test_a_spec_cannot_be_changed() -> None:
    """A spec is a value, not a variable."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        UpdateSpec(**_FULL).role = "boss"  # type: ignore[misc]  # The assignment is what is tested.
