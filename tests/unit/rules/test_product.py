"""Rules 9 to 11: the product, its add-ons, the charging period."""

from typing import Any

import attrs
import pytest

from account_batch import (
    CLEAR,
    AssignAddons,
    Effect,
    EffectKind,
    FieldChange,
    RefusalCode,
    RemoveAddons,
    ReplaceAddons,
    UpdateSpec,
)
from account_batch.questions import HasAddon
from account_batch.rules import Request, questions
from world import CATALOG, NOW, account, after, changed, codes, refused, unchanged, usd

# Product (rule 9).


def test_the_main_product_is_changed() -> None:
    """A product of the same currency that any account role may have replaces the old one."""
    change = changed(account(), product="silver")
    assert change.fields == (FieldChange(field="product", before="gold", after="silver"),)
    assert (change.transactions, change.effects, change.notes) == ((), (), ())


def test_the_product_that_it_has_is_unchanged() -> None:
    """The same product changes nothing, even where it would not be allowed any more."""
    for fields in ({"product": "gold"}, {"product": "phone"}, {"product": "silver", "addons": {"fax"}}):
        assert unchanged(account(**fields), product=fields["product"]).notes == ()


@pytest.mark.parametrize(
    ("fields", "product", "expected"),
    [
        pytest.param({}, "euro", {RefusalCode.CURRENCY_MISMATCH}, id="other currency"),
        pytest.param({"currency": "EUR"}, "euro", set(), id="same currency"),
        pytest.param({}, "phone", {RefusalCode.ACCOUNT_ROLE_MISMATCH}, id="no account role"),
        pytest.param({"account_role": "calling card"}, "phone", {RefusalCode.ACCOUNT_ROLE_MISMATCH}, id="other role"),
        pytest.param({"account_role": "phone line"}, "phone", set(), id="its account role"),
        pytest.param({"account_role": "calling card"}, "silver", set(), id="any account role"),
        pytest.param({"product": "retired"}, "silver", set(), id="the old product need not be known"),
        pytest.param(
            {"currency": "EUR", "addons": {"voicemail"}},
            "phone",
            {RefusalCode.CURRENCY_MISMATCH, RefusalCode.ACCOUNT_ROLE_MISMATCH, RefusalCode.ADDON_NOT_ALLOWED},
            id="all at once",
        ),
    ],
)
def test_a_product_must_fit_the_account(fields: dict[str, Any], product: str, expected: set[RefusalCode]) -> None:
    """It has the account's currency and is for its account role."""
    assert codes(account(**fields), product=product) == expected


@pytest.mark.parametrize(
    ("has", "change", "allowed"),
    [
        pytest.param({"voicemail"}, None, True, id="kept, allowed"),
        pytest.param({"premium"}, None, False, id="kept, not allowed"),
        pytest.param({"voicemail", "premium"}, None, False, id="one of two kept is not allowed"),
        pytest.param({"retired-addon"}, None, False, id="kept, unknown"),
        pytest.param({"premium"}, RemoveAddons({"premium"}), True, id="removed"),
        pytest.param({"premium"}, RemoveAddons({"voicemail"}), False, id="another one removed"),
        pytest.param({"premium"}, ReplaceAddons({"voicemail"}), True, id="replaced"),
        pytest.param({"premium"}, ReplaceAddons(()), True, id="replaced by none"),
        pytest.param({"premium"}, ReplaceAddons({"premium"}), False, id="replaced by itself"),
        pytest.param({"premium"}, AssignAddons({"voicemail"}), False, id="another one assigned"),
        pytest.param(set(), AssignAddons({"voicemail"}), True, id="assigned, allowed for the new product"),
    ],
)
def test_addons_that_are_kept_must_go_with_the_new_product(has: set[str], change: Any, *, allowed: bool) -> None:
    """What the account keeps must be allowed for the new product; what it loses need not be."""
    settings = {"product": "silver"} | ({"addons": change} if change else {})
    assert codes(account(addons=has), **settings) == (set() if allowed else {RefusalCode.ADDON_NOT_ALLOWED})


def test_the_refusal_tells_which_addons_do_not_go_with_the_product() -> None:
    """The add-ons that stand in the way are named, and no others."""
    (reason,) = refused(account(addons={"premium", "arrears", "voicemail"}), product="silver").reasons
    assert (reason.code, reason.field, reason.detail) == (
        RefusalCode.ADDON_NOT_ALLOWED,
        "product",
        '"silver" does not allow the add-ons that the account keeps: arrears, premium',
    )


def test_a_product_refusal_says_what_collides() -> None:
    """Value and what it collides with are there for the person who reads it."""
    currency, role = refused(account(currency="EUR", account_role="card"), product="phone").reasons
    assert (currency.field, currency.detail) == ("product", '"phone" is in USD, the account in EUR')
    assert (role.field, role.detail) == (
        "product",
        '"phone" is for the account role "phone line", the account has "card"',
    )
    assert refused(account(), product="phone").reasons[0].detail.endswith('the account has ""')


# Add-ons (rule 10).


@pytest.mark.parametrize(
    ("has", "change", "expected"),
    [
        pytest.param(set(), AssignAddons({"voicemail"}), {"voicemail"}, id="assign the first"),
        pytest.param({"premium"}, AssignAddons({"voicemail"}), {"premium", "voicemail"}, id="assign extends"),
        pytest.param(
            {"voicemail"}, AssignAddons({"voicemail", "premium"}), {"premium", "voicemail"}, id="assign one of two"
        ),
        pytest.param({"premium"}, ReplaceAddons({"voicemail"}), {"voicemail"}, id="replace"),
        pytest.param({"premium", "voicemail"}, ReplaceAddons({"voicemail"}), {"voicemail"}, id="replace by fewer"),
        pytest.param({"premium"}, ReplaceAddons(()), set(), id="replace by none"),
        pytest.param({"fax"}, ReplaceAddons({"voicemail"}), {"voicemail"}, id="replace what is not allowed"),
        pytest.param({"premium", "voicemail"}, RemoveAddons({"premium"}), {"voicemail"}, id="remove"),
        pytest.param({"premium", "voicemail"}, RemoveAddons({"premium", "arrears"}), {"voicemail"}, id="remove one"),
        pytest.param({"fax", "premium"}, RemoveAddons({"fax"}), {"premium"}, id="remove what is not allowed"),
        pytest.param({"fax"}, AssignAddons({"voicemail"}), {"fax", "voicemail"}, id="beside one that is not allowed"),
    ],
)
def test_addons_are_assigned_replaced_and_removed(has: set[str], change: Any, expected: set[str]) -> None:
    """Assigning extends, replacing sets, removing takes away."""
    (field,) = changed(account(addons=has), addons=change).fields
    assert field == FieldChange(field="addons", before=frozenset(has), after=frozenset(expected))


@pytest.mark.parametrize(
    ("has", "change"),
    [
        pytest.param({"voicemail"}, AssignAddons({"voicemail"}), id="assigned already"),
        pytest.param({"fax"}, AssignAddons({"fax"}), id="assigned already, though not allowed"),
        pytest.param({"fax"}, ReplaceAddons({"fax"}), id="replaced by the same, though not allowed"),
        pytest.param({"voicemail"}, ReplaceAddons({"voicemail"}), id="replaced by the same"),
        pytest.param(set(), ReplaceAddons(()), id="none replaced by none"),
        pytest.param({"voicemail"}, RemoveAddons({"premium"}), id="not there"),
        pytest.param(set(), RemoveAddons({"premium"}), id="none there"),
    ],
)
def test_addons_that_it_has_are_unchanged(has: set[str], change: Any) -> None:
    """A change of add-ons that comes to the same set is none."""
    assert unchanged(account(addons=has), addons=change).notes == ()


@pytest.mark.parametrize(
    "change", [AssignAddons({"fax", "premium"}), ReplaceAddons({"fax", "premium"})], ids=["assign", "replace"]
)
@pytest.mark.parametrize(
    ("product", "settings", "unfit", "main"),
    [
        pytest.param("gold", {}, "fax", "gold", id="of its product"),
        pytest.param("silver", {}, "fax, premium", "silver", id="of its other product"),
        pytest.param("silver", {"product": "gold"}, "fax", "gold", id="of its new product"),
    ],
)
def test_addons_must_go_with_the_resulting_product(
    change: Any, product: str, settings: dict[str, Any], unfit: str, main: str
) -> None:
    """Each add-on must be allowed for the main product as it will be, and the refusal names those that are not."""
    (reason,) = refused(account(product=product), addons=change, **settings).reasons
    assert (reason.code, reason.field, reason.detail) == (
        RefusalCode.ADDON_NOT_ALLOWED,
        "addons",
        f'"{main}" does not allow {unfit}',
    )


@pytest.mark.parametrize(
    "change", [AssignAddons({"fax", "premium"}), ReplaceAddons({"fax"})], ids=["assign", "replace"]
)
def test_addons_that_it_has_must_be_allowed_where_they_are_named(change: Any) -> None:
    """Every add-on that the spec names must be allowed, unless nothing changes at all (decision 0017)."""
    assert codes(account(addons={"fax", "voicemail"}), addons=change) == {RefusalCode.ADDON_NOT_ALLOWED}


@pytest.mark.parametrize(
    ("product", "addon", "expected"),
    [
        ("gold", "premium", {RefusalCode.ACCOUNT_ROLE_MISMATCH}),
        ("silver", "premium", {RefusalCode.ACCOUNT_ROLE_MISMATCH, RefusalCode.ADDON_NOT_ALLOWED}),
    ],
)
def test_a_refused_product_leaves_the_old_one_to_the_addons(
    product: str, addon: str, expected: set[RefusalCode]
) -> None:
    """The add-ons are judged by the product that the account keeps, and all refusals are collected."""
    assert codes(account(product=product), product="phone", addons=AssignAddons({addon})) == expected


@pytest.mark.parametrize(
    ("addons", "product"),
    [
        pytest.param(set(), "euro", id="currency"),
        pytest.param(set(), "phone", id="account role"),
        pytest.param({"arrears"}, "silver", id="add-on that it keeps"),
    ],
)
def test_whatever_refuses_a_product_it_is_not_the_resulting_one(addons: set[str], product: str) -> None:
    """An add-on that goes with the old product, and not with the refused one, is no second refusal."""
    (reason,) = refused(account(addons=addons), product=product, addons=AssignAddons({"premium"})).reasons
    assert reason.field == "product"


@pytest.mark.parametrize(
    ("addons", "needed"),
    [
        pytest.param(AssignAddons({"voicemail", "premium"}), True, id="assign a new one"),
        pytest.param(ReplaceAddons({"voicemail", "premium"}), True, id="replace by a new one"),
        pytest.param(AssignAddons({"voicemail"}), False, id="assign what it has"),
        pytest.param(ReplaceAddons({"voicemail"}), True, id="replace by fewer"),
        pytest.param(ReplaceAddons({"voicemail", "call-waiting"}), False, id="replace by what it has"),
        pytest.param(ReplaceAddons(()), False, id="replace by none"),
        pytest.param(RemoveAddons({"voicemail"}), False, id="remove"),
    ],
)
def test_the_product_must_be_known_where_addons_are_judged(addons: Any, *, needed: bool) -> None:
    """An account whose own product the catalog does not know gets no add-ons, and may lose those it has."""
    target = account(product="retired", addons={"voicemail", "call-waiting"})
    assert codes(target, addons=addons) == ({RefusalCode.PRODUCT_UNKNOWN} if needed else set())


def test_an_unknown_product_is_named() -> None:
    """The refusal says which product is missing in the catalog."""
    (reason,) = refused(account(product="retired"), addons=AssignAddons({"voicemail"})).reasons
    assert (reason.field, reason.detail) == ("addons", 'needs the account\'s product, "retired", in the catalog')


def _starts(product: str, fee: str | None) -> Effect:
    return Effect(kind=EffectKind.SUBSCRIPTION_STARTS, product=product, amount=None if fee is None else usd(fee))


@pytest.mark.parametrize(
    ("fields", "settings", "effects"),
    [
        pytest.param({"product": "silver"}, {"product": "gold"}, [_starts("gold", "9.99")], id="product with a fee"),
        pytest.param({}, {"product": "silver"}, [], id="product without subscription"),
        pytest.param({}, {"product": "monthly"}, [], id="product paid in arrears"),
        pytest.param({}, {"product": "gold"}, [], id="the product that it has"),
        pytest.param({}, {"addons": AssignAddons({"premium"})}, [_starts("premium", "2.50")], id="add-on with a fee"),
        pytest.param(
            {}, {"addons": AssignAddons({"call-waiting"})}, [_starts("call-waiting", None)], id="add-on, fee unknown"
        ),
        pytest.param({}, {"addons": AssignAddons({"voicemail"})}, [], id="add-on without subscription"),
        pytest.param({}, {"addons": AssignAddons({"arrears"})}, [], id="add-on paid in arrears"),
        pytest.param(
            {"addons": {"premium"}},
            {"addons": AssignAddons({"premium", "call-waiting"})},
            [_starts("call-waiting", None)],
            id="only what is new",
        ),
        pytest.param(
            {"addons": {"premium"}},
            {"addons": ReplaceAddons({"premium", "call-waiting"})},
            [_starts("call-waiting", None)],
            id="only what is new by replacing",
        ),
        pytest.param(
            {"addons": {"premium", "call-waiting"}}, {"addons": RemoveAddons({"premium"})}, [], id="nothing by removing"
        ),
        pytest.param(
            {"product": "silver"},
            {"product": "gold", "addons": AssignAddons({"premium", "call-waiting"})},
            [_starts("gold", "9.99"), _starts("call-waiting", None), _starts("premium", "2.50")],
            id="all of them",
        ),
    ],
)
def test_an_advance_subscription_starts(
    fields: dict[str, Any], settings: dict[str, Any], effects: list[Effect]
) -> None:
    """What is newly assigned and is paid in advance has an effect, with the fee where the catalog knows it."""
    plan = changed(account(**fields), role="boss", **settings)
    assert list(plan.effects) == effects


# Charging period (rule 11).


@pytest.mark.parametrize(
    ("fields", "settings", "offered"),
    [
        pytest.param({}, {"charging_period": 6}, True, id="by the main product"),
        pytest.param({}, {"charging_period": 12}, False, id="by nobody"),
        pytest.param({"addons": {"call-waiting"}}, {"charging_period": 12}, True, id="by an add-on"),
        pytest.param({"addons": {"call-waiting"}}, {"charging_period": 24}, False, id="not by the add-on"),
        pytest.param({"product": "monthly"}, {"charging_period": 12}, False, id="by a product paid in arrears"),
        pytest.param({"addons": {"arrears"}}, {"charging_period": 12}, False, id="by an add-on paid in arrears"),
        pytest.param({"addons": {"voicemail"}}, {"charging_period": 12}, False, id="by an add-on without subscription"),
        pytest.param({"product": "silver"}, {"charging_period": 6}, False, id="product without subscription"),
        pytest.param({"product": "silver"}, {"charging_period": 6, "product": "gold"}, True, id="by the new product"),
        pytest.param({}, {"charging_period": 6, "product": "silver"}, False, id="by the old product only"),
        pytest.param(
            {}, {"charging_period": 12, "addons": AssignAddons({"call-waiting"})}, True, id="by the assigned add-on"
        ),
        pytest.param(
            {}, {"charging_period": 12, "addons": ReplaceAddons({"call-waiting"})}, True, id="by the replacing add-on"
        ),
        pytest.param(
            {"addons": {"call-waiting"}},
            {"charging_period": 12, "addons": RemoveAddons({"call-waiting"})},
            False,
            id="by the removed add-on",
        ),
        pytest.param(
            {"addons": {"call-waiting"}},
            {"charging_period": 12, "addons": ReplaceAddons({"premium"})},
            False,
            id="by the replaced add-on",
        ),
        pytest.param(
            {"addons": {"call-waiting"}},
            {"charging_period": 12, "addons": AssignAddons({"premium"})},
            True,
            id="by the kept add-on",
        ),
        pytest.param(
            {"addons": {"call-waiting", "premium"}},
            {"charging_period": 12, "addons": RemoveAddons({"premium"})},
            True,
            id="by the add-on that is left",
        ),
        pytest.param(
            {"addons": {"call-waiting"}},
            {"charging_period": 12, "addons": ReplaceAddons({"call-waiting"})},
            True,
            id="by the add-on replaced by itself",
        ),
    ],
)
def test_a_charging_period_must_be_offered(fields: dict[str, Any], settings: dict[str, Any], *, offered: bool) -> None:
    """An in-advance subscription of the resulting main product or of a resulting add-on has to list it."""
    wrong = codes(account(**fields), **settings)
    assert wrong == (set() if offered else {RefusalCode.CHARGING_PERIOD_NOT_OFFERED})


@pytest.mark.parametrize("before", [None, 6])
def test_a_charging_period_is_set(before: int | None) -> None:
    """The months of the plan are written as they are."""
    assert after(changed(account(charging_period=before), charging_period=3)) == {"charging_period": 3}


def test_a_charging_period_can_be_cleared() -> None:
    """No plan needs no offer, not even a known product."""
    assert after(changed(account(charging_period=6, product="retired"), charging_period=CLEAR)) == {
        "charging_period": None
    }


@pytest.mark.parametrize(("before", "setting"), [(24, 24), (None, CLEAR)])
def test_the_charging_period_that_it_has_is_unchanged(before: int | None, setting: Any) -> None:
    """The same period changes nothing, even where it is offered no more."""
    assert unchanged(account(charging_period=before), charging_period=setting).notes == ()


@pytest.mark.parametrize(
    ("fields", "settings", "accepted"),
    [
        pytest.param({}, {"product": "silver"}, False, id="nobody offers it any more"),
        pytest.param({"addons": {"call-waiting"}}, {"product": "silver"}, True, id="the kept add-on offers it"),
        pytest.param(
            {"addons": {"call-waiting"}},
            {"product": "silver", "addons": RemoveAddons({"call-waiting"})},
            False,
            id="the add-on goes too",
        ),
        pytest.param(
            {}, {"product": "silver", "addons": AssignAddons({"call-waiting"})}, True, id="a new add-on offers it"
        ),
        pytest.param({"product": "silver"}, {"product": "gold"}, True, id="the new product offers it"),
        pytest.param({}, {"product": "silver", "charging_period": CLEAR}, True, id="cleared by the way"),
        pytest.param({}, {"product": "silver", "charging_period": 6}, False, id="confirmed by the way"),
        pytest.param(
            {"product": "silver"}, {"product": "gold", "charging_period": 3}, True, id="changed to one that is offered"
        ),
        pytest.param({"product": "silver"}, {"product": "silver"}, True, id="same product"),
        pytest.param(
            {"addons": {"call-waiting"}, "product": "silver"},
            {"addons": RemoveAddons({"call-waiting"})},
            True,
            id="only the add-on goes",
        ),
        pytest.param({"product": "silver"}, {"charging_period": 6}, True, id="same period"),
    ],
)
def test_a_kept_charging_period_binds_the_change_of_product(
    fields: dict[str, Any], settings: dict[str, Any], *, accepted: bool
) -> None:
    """A kept period that no resulting product lists refuses the change of product; nothing else touches it."""
    wrong = codes(account(charging_period=6, **fields), role="boss", **settings)
    assert wrong == (set() if accepted else {RefusalCode.CHARGING_PERIOD_NOT_OFFERED})


def test_the_refusal_names_the_setting_that_is_in_the_way() -> None:
    """A kept period is about the product, a new one about the period."""
    (kept,) = refused(account(charging_period=6), product="silver").reasons
    (new,) = refused(account(), charging_period=12).reasons
    assert (kept.field, kept.detail) == (
        "product",
        '6 months are offered neither by "silver" nor by an add-on of the account',
    )
    assert (new.field, new.detail) == (
        "charging_period",
        '12 months are offered neither by "gold" nor by an add-on of the account',
    )


@pytest.mark.parametrize(
    ("product", "months", "expected"),
    [
        ("gold", 6, {RefusalCode.ACCOUNT_ROLE_MISMATCH}),
        ("silver", 6, {RefusalCode.ACCOUNT_ROLE_MISMATCH, RefusalCode.CHARGING_PERIOD_NOT_OFFERED}),
    ],
)
def test_a_refused_product_leaves_the_old_one_to_the_charging_period(
    product: str, months: int, expected: set[RefusalCode]
) -> None:
    """The period is judged by the product that the account keeps."""
    assert codes(account(product=product), product="phone", charging_period=months) == expected


def test_a_refused_product_does_not_question_the_kept_period() -> None:
    """Where the product stays, the kept period is no concern, even one that nobody offers."""
    assert codes(account(charging_period=24), product="phone") == {RefusalCode.ACCOUNT_ROLE_MISMATCH}


@pytest.mark.parametrize(
    "addons", [AssignAddons({"fax", "call-waiting"}), ReplaceAddons({"fax"})], ids=["assign", "replace"]
)
def test_refused_addons_leave_the_old_ones_to_the_charging_period(addons: Any) -> None:
    """The period is judged by the add-ons that the account keeps."""
    both = {RefusalCode.ADDON_NOT_ALLOWED, RefusalCode.CHARGING_PERIOD_NOT_OFFERED}
    assert codes(account(), addons=addons, charging_period=12) == both
    assert codes(account(addons={"call-waiting"}), addons=addons, charging_period=12) == {RefusalCode.ADDON_NOT_ALLOWED}


def test_the_product_must_be_known_where_a_charging_period_is_judged() -> None:
    """Nobody knows which months an unknown product offers; the refusal is about the period."""
    (reason,) = refused(account(product="retired"), charging_period=6).reasons
    assert (reason.code, reason.field) == (RefusalCode.PRODUCT_UNKNOWN, "charging_period")


def test_only_addons_that_offer_months_are_asked_about() -> None:
    """Every question has its price in every storage: other add-ons, and main products, are not asked about."""
    request = Request(spec=UpdateSpec(charging_period=6), catalog=CATALOG, now=NOW)
    asked = [question.addon for question in questions(request) if isinstance(question, HasAddon)]
    assert asked == ["call-waiting"]


def test_addons_of_other_accounts_offer_nothing() -> None:
    """An add-on that the catalog lists and the account does not have counts for nothing."""
    without = attrs.evolve(CATALOG, products=[entry for entry in CATALOG.products if entry.id != "call-waiting"])
    target = account(addons={"call-waiting"})
    assert codes(target, charging_period=12) == set()
    assert codes(target, catalog=without, charging_period=12) == {RefusalCode.CHARGING_PERIOD_NOT_OFFERED}
