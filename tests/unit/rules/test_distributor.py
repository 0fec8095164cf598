"""Rule 15: the distributor, and what it is charged."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from account_batch import (
    CLEAR,
    Account,
    AccountKind,
    AccountState,
    ActivateNow,
    ActivateOn,
    AssignDistributor,
    Batch,
    Charge,
    Distributor,
    Effect,
    EffectKind,
    ExpireOn,
    FieldChange,
    Money,
    RefusalCode,
    Transaction,
)
from world import (
    CATALOG,
    account,
    activates,
    after,
    changed,
    codes,
    distributor_charge,
    due,
    effect_kinds,
    refused,
    unchanged,
    usd,
)

_DAY = "2026-12-01"
_AT = datetime(2026, 12, 1, 5, tzinfo=UTC)


def _inactive(**fields: Any) -> Account:
    return account(state=AccountState.INACTIVE, **fields)


def _scheduled(amount: str, distributor: str, at: datetime | None = None) -> Effect:
    return Effect(kind=EffectKind.DISTRIBUTOR_CHARGE_SCHEDULED, at=at, amount=usd(amount), distributor=distributor)


def _booked(target: Account, **planning: Any) -> tuple[Transaction, ...]:
    return changed(target, **planning).transactions


# Assigning.


@pytest.mark.parametrize("before", [None, "north", "nobody"])
def test_a_distributor_is_assigned(before: str | None) -> None:
    """The distributor replaces whatever there was; an inactive account that is not scheduled costs it nothing yet."""
    change = changed(_inactive(distributor=before), distributor="half")
    assert change.fields == (FieldChange(field="distributor", before=before, after="half"),)
    assert (change.transactions, change.effects, change.notes) == ((), (), ())


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
def test_a_distributor_can_be_taken_away(state: AccountState) -> None:
    """CLEAR leaves none, costs nobody anything, and needs to know nothing about the old one."""
    for before in ("north", "nobody"):
        target = account(state=state, distributor=before, first_used_on="2026-11-01", activation_date=_DAY)
        change = changed(target, distributor=CLEAR)
        assert (after(change), change.transactions, change.effects) == ({"distributor": None}, (), ())


@pytest.mark.parametrize("charge", [None, True, False])
def test_the_distributor_that_it_has_is_unchanged(charge: Any) -> None:
    """The same distributor changes nothing and books nothing, whatever is said about charging (decision 0003)."""
    for fields in ({}, {"first_used_on": "2026-11-01"}, {"state": AccountState.INACTIVE, "activation_date": _DAY}):
        target = account(distributor="north", **fields)
        assert unchanged(target, distributor=AssignDistributor("north", charge=charge)).notes == ()


def test_no_distributor_again_is_unchanged() -> None:
    """Taking away what is not there changes nothing."""
    assert unchanged(account(), distributor=CLEAR).notes == ()


def test_the_distributor_that_it_has_is_unchanged_though_its_currency_differs() -> None:
    """A setting that changes nothing is dropped, even where it would not be allowed any more."""
    assert unchanged(account(distributor="euro"), distributor="euro").notes == ()


@pytest.mark.parametrize("state", AccountState)
@pytest.mark.parametrize("charge", [None, True, False])
def test_a_distributor_has_the_currency_of_the_account(state: AccountState, charge: Any) -> None:
    """Another currency is refused, whether anything is charged or not."""
    closed = {RefusalCode.ACCOUNT_TERMINATED} if state is AccountState.CLOSED else set()
    target = account(state=state, opening_balance=0)
    wrong = codes(target, distributor=AssignDistributor("euro", charge=charge))
    assert wrong == {RefusalCode.CURRENCY_MISMATCH} | closed


def test_a_distributor_of_the_same_other_currency_is_charged_in_it() -> None:
    """An account in EUR and a distributor in EUR go together."""
    target = account(currency="EUR")
    assert _booked(target, distributor="euro") == (distributor_charge("13.125", "euro", "EUR")[0],)


# When it is charged.


def test_activation_charges_the_distributor() -> None:
    """An account assigned to a distributor is charged to it when it is opened: entry and effect, no own balance."""
    entry, effect = distributor_charge("12.75", "north")
    change = activates(_inactive(distributor="north"))
    assert (change.transactions, change.effects) == ((entry,), (Effect(kind=EffectKind.ACTIVATED), effect))
    assert "balance" not in after(change)


def test_assigning_and_activating_charge_once() -> None:
    """An account that is assigned and activated by the same update is charged to the new distributor, once."""
    assert activates(_inactive(), distributor="north").transactions == (distributor_charge("12.75", "north")[0],)
    assert activates(_inactive(distributor="half"), distributor="north").transactions == (
        distributor_charge("12.75", "north")[0],
    )


@pytest.mark.parametrize("used", [None, "2026-11-01"], ids=["unused", "used"])
@pytest.mark.parametrize("charge", [None, True, False])
def test_what_is_said_about_charging_is_about_open_accounts(used: str | None, charge: Any) -> None:
    """An inactive account follows the general rule: its activation charges, also a used one (decision 0003)."""
    change = activates(
        _inactive(first_used_on=used, distributor="half"), distributor=AssignDistributor("north", charge=charge)
    )
    assert change.transactions == (distributor_charge("12.75", "north")[0],)


def test_activation_without_a_distributor_charges_nobody() -> None:
    """No distributor, or one that is taken away by the way, is not charged."""
    assert activates(_inactive()).transactions == ()
    assert activates(_inactive(distributor="north"), distributor=CLEAR).transactions == ()


def test_an_open_unused_account_is_charged_at_once() -> None:
    """Assigning a distributor to an open, unused account that had none books the charge right away."""
    entry, effect = distributor_charge("12.75", "north")
    change = changed(account(), distributor="north")
    assert (after(change), change.transactions, change.effects) == ({"distributor": "north"}, (entry,), (effect,))


@pytest.mark.parametrize(
    ("fields", "charge", "expected"),
    [
        pytest.param({}, None, True, id="unused and had none"),
        pytest.param({}, True, True, id="unused and had none, charge"),
        pytest.param({}, False, False, id="unused and had none, no charge"),
        pytest.param({"first_used_on": "2026-11-01"}, None, None, id="used"),
        pytest.param({"first_used_on": "2026-11-01"}, True, True, id="used, charge"),
        pytest.param({"first_used_on": "2026-11-01"}, False, False, id="used, no charge"),
        pytest.param({"distributor": "half"}, None, None, id="had another"),
        pytest.param({"distributor": "half"}, True, True, id="had another, charge"),
        pytest.param({"distributor": "half"}, False, False, id="had another, no charge"),
        pytest.param({"distributor": "nobody"}, None, None, id="had an unknown one"),
        pytest.param({"first_used_on": "2026-11-01", "opening_balance": 0}, None, False, id="used, nothing to pay"),
        pytest.param({"distributor": "half", "opening_balance": 0}, None, False, id="had another, nothing to pay"),
        pytest.param({"first_used_on": "2026-11-01", "opening_balance": 0}, True, False, id="charge, nothing to pay"),
    ],
)
def test_an_open_account_is_charged_as_is_said(fields: dict[str, Any], charge: Any, *, expected: bool | None) -> None:
    """An open account that is used or had another distributor is refused until it is said whether to charge."""
    target = account(**fields)
    wanted = AssignDistributor("north", charge=charge)
    if expected is None:
        assert codes(target, distributor=wanted) == {RefusalCode.DISTRIBUTOR_CHARGE_UNCLEAR}
    else:
        change = changed(target, distributor=wanted)
        assert after(change) == {"distributor": "north"}
        assert change.transactions == ((distributor_charge("12.75", "north")[0],) if expected else ())
        assert effect_kinds(change) == ([EffectKind.DISTRIBUTOR_CHARGED] if expected else [])


def test_where_no_amount_arises_nothing_is_unclear() -> None:
    """A distributor that keeps all of it, or nobody at all, can get a used account without more words."""
    used = account(first_used_on="2026-11-01", distributor="north")
    assert changed(used, distributor="free").transactions == ()


def test_the_unclear_charge_is_named() -> None:
    """The refusal says how much would be charged and what to say."""
    (reason,) = refused(account(first_used_on="2026-11-01"), distributor="north").reasons
    assert reason.field == "distributor"
    assert reason.detail.startswith("12.75 USD would arise")


# Scheduled charges.


def test_scheduling_schedules_the_charge() -> None:
    """An activation on a later day shows the charge apart, at the instant of the activation, and books nothing."""
    change = changed(_inactive(distributor="north"), activation=ActivateOn(_DAY))
    assert change.transactions == ()
    assert change.effects == (
        Effect(kind=EffectKind.ACTIVATION_SCHEDULED, at=_AT),
        _scheduled("12.75", "north", _AT),
    )


def test_assigning_and_scheduling_schedule_the_charge_of_the_new_distributor() -> None:
    """Schedule and distributor in one update: the new one will pay."""
    change = changed(_inactive(distributor="half"), activation=ActivateOn(_DAY), distributor="north")
    assert change.effects[-1] == _scheduled("12.75", "north", _AT)


def test_assigning_to_a_scheduled_account_schedules_the_charge() -> None:
    """An account that was scheduled before will be charged to its new distributor when its day comes."""
    change = changed(_inactive(activation_date=_DAY), distributor="north")
    assert (change.transactions, change.effects) == ((), (_scheduled("12.75", "north"),))


def test_correcting_a_scheduled_account_shows_what_will_be_charged() -> None:
    """The scheduled charge follows the corrected opening balance, all of it."""
    change = changed(_inactive(activation_date=_DAY, distributor="north"), opening_balance=usd("20"))
    assert (change.transactions, change.effects) == ((), (_scheduled("17.00", "north"),))


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        pytest.param({"distributor": "north"}, {"opening_balance": usd("20")}, id="not scheduled, corrected"),
        pytest.param({}, {"distributor": "north"}, id="not scheduled, assigned"),
        pytest.param({"activation_date": _DAY, "distributor": "north"}, {"activation": CLEAR}, id="cancelled"),
        pytest.param({}, {"activation": CLEAR, "distributor": "north"}, id="cancelled and assigned"),
        pytest.param(
            {"activation_date": _DAY, "distributor": "north"}, {"activation": ActivateOn(_DAY)}, id="as it was"
        ),
        pytest.param({"activation_date": _DAY}, {"activation": ActivateOn("2026-12-24")}, id="no distributor"),
        pytest.param({"activation_date": _DAY, "opening_balance": 0}, {"distributor": "north"}, id="nothing to pay"),
        pytest.param({"activation_date": _DAY}, {"distributor": "free"}, id="a commission of everything"),
        pytest.param({"activation_date": _DAY, "distributor": "north"}, {"distributor": CLEAR}, id="taken away"),
    ],
)
def test_what_changes_no_future_charge_shows_none(fields: dict[str, Any], settings: dict[str, Any]) -> None:
    """No charge is scheduled without a schedule, a distributor and an amount."""
    change = changed(_inactive(**fields), role="boss", **settings)
    assert EffectKind.DISTRIBUTOR_CHARGE_SCHEDULED not in effect_kinds(change)
    assert change.transactions == ()


def test_due_activations_charge_the_distributor() -> None:
    """When the day comes the charge is booked, with the account."""
    (change,) = due(_inactive(activation_date="2026-11-23", distributor="north")).changes
    entry, effect = distributor_charge("12.75", "north")
    assert (change.transactions, change.effects) == ((entry,), (Effect(kind=EffectKind.ACTIVATED), effect))


def test_what_is_not_due_is_not_charged() -> None:
    """An account whose day is yet to come is not in the plan, with a distributor neither."""
    assert len(due(_inactive(activation_date=_DAY, distributor="north")).targets) == 0


# How much.


@pytest.mark.parametrize(
    ("batch", "distributor", "amount"),
    [
        pytest.param("SUMMER-2026", "north", "12.75", id="the distributor's commission"),
        pytest.param("TENTH", "north", "13.50", id="the batch's comes first"),
        pytest.param("ZERO", "north", "15.00", id="a batch's commission of nothing is one"),
        pytest.param("ZERO", "free", "15.00", id="nothing before everything"),
        pytest.param("SUMMER-2026", "half", "7.50", id="another distributor's"),
    ],
)
def test_the_batchs_commission_comes_before_the_distributors(batch: str, distributor: str, amount: str) -> None:
    """The charge is opening balance x (1 - commission)."""
    assert _booked(account(batch=batch), distributor=distributor) == (distributor_charge(amount, distributor)[0],)


def test_the_batch_is_the_customers() -> None:
    """Names are unique per customer: a batch of the same name at another customer has nothing to say."""
    assert _booked(account(batch="ZERO", customer="kiwi"), distributor="north") == (
        distributor_charge("12.75", "north")[0],
    )


def test_an_account_in_no_batch_pays_the_distributors_commission() -> None:
    """Due activations need no batch."""
    (change,) = due(_inactive(batch=None, activation_date="2026-11-23", distributor="north")).changes
    assert change.transactions == (distributor_charge("12.75", "north")[0],)


def test_no_batch_is_no_batch_called_none() -> None:
    """A customer may call a batch None; its commission is not that of accounts in no batch."""
    named = Batch(id="None", customer="acme", sale_commission=Decimal(1))
    catalog = attrs.evolve(CATALOG, batches=[*CATALOG.batches, named])
    target = _inactive(batch=None, activation_date="2026-11-23", distributor="north")
    (change,) = due(target, catalog=catalog).changes
    assert change.transactions == (distributor_charge("12.75", "north")[0],)


@pytest.mark.parametrize(
    ("opening", "commission", "amount"),
    [
        pytest.param("0.00001", "0.5", "0.00001", id="half goes up"),
        pytest.param("0.00003", "0.5", "0.00002", id="half of an odd number goes up"),
        pytest.param("0.00005", "0.5", "0.00003", id="half to odd"),
        pytest.param("0.00001", "0.51", None, id="less than half is nothing"),
        pytest.param("1.23456", "0.33333", "0.82304", id="five decimals"),
        pytest.param("10.00", "0.3333333333", "6.66667", id="ten decimals of commission"),
        pytest.param("15.00", "1", None, id="all"),
        pytest.param("15.00", "0", "15.00", id="none"),
        pytest.param("0", "0", None, id="no opening balance"),
    ],
)
def test_the_charge_is_rounded_half_away_from_zero(opening: str, commission: str, amount: str | None) -> None:
    """It is rounded per account to five decimals, and zero gives nothing."""
    catalog = attrs.evolve(
        CATALOG, distributors=[Distributor(id="odd", currency="USD", commission=Decimal(commission))]
    )
    change = changed(account(opening_balance=opening), catalog=catalog, distributor="odd")
    assert change.transactions == (() if amount is None else (distributor_charge(amount, "odd")[0],))
    assert effect_kinds(change) == ([] if amount is None else [EffectKind.DISTRIBUTOR_CHARGED])


@pytest.mark.parametrize("kind", AccountKind)
def test_accounts_of_every_kind_are_charged_for(kind: AccountKind) -> None:
    """A distributor sells vouchers as well."""
    assert _booked(account(kind=kind), distributor="north") == (distributor_charge("12.75", "north")[0],)


# With the opening balance.


@pytest.mark.parametrize(
    ("settings", "amount"),
    [
        pytest.param({"distributor": "north"}, "17.00", id="assigned"),
        pytest.param({"distributor": AssignDistributor("north", charge=True)}, "17.00", id="assigned, charge"),
    ],
)
def test_the_charge_is_computed_from_the_new_opening_balance(settings: dict[str, Any], amount: str) -> None:
    """A correction in the same update counts, for an open account and for one that is activated."""
    expected = (distributor_charge(amount, "north")[0],)
    assert _booked(account(), opening_balance=usd("20"), **settings) == expected
    assert _booked(_inactive(), activation=ActivateNow(), opening_balance=usd("20"), **settings) == expected


def test_the_charge_of_a_scheduled_account_is_computed_from_the_new_opening_balance() -> None:
    """Scheduling, correcting and assigning in one update come to one scheduled charge."""
    change = changed(_inactive(), activation=ActivateOn(_DAY), opening_balance=usd("20"), distributor="north")
    assert change.effects[-1] == _scheduled("17.00", "north", _AT)


@pytest.mark.parametrize(
    ("opening", "amount"),
    [
        pytest.param("20", "2.50", id="up"),
        pytest.param("10", "-2.50", id="down"),
        pytest.param("15.00001", "0.00001", id="half up"),
        pytest.param("14.99999", "-0.00001", id="half down, away from zero"),
        pytest.param("14.99997", "-0.00002", id="one and a half down, away from zero"),
    ],
)
def test_correcting_an_open_account_books_the_difference(opening: str, amount: str) -> None:
    """The distributor pays, or gets back, the difference at the same rate; its entry is the only one."""
    entry, effect = distributor_charge(amount, "half")
    change = changed(account(distributor="half"), opening_balance=usd(opening))
    assert (change.transactions, change.effects) == ((entry,), (effect,))


@pytest.mark.parametrize("state", [AccountState.OPEN, AccountState.INACTIVE])
def test_correcting_without_a_distributor_charges_nobody(state: AccountState) -> None:
    """No distributor, no charge."""
    assert _booked(account(state=state), opening_balance=usd("20")) == ()


def test_correcting_and_taking_away_the_distributor_charges_nobody() -> None:
    """The resulting account has no distributor to pay the difference."""
    assert _booked(account(distributor="north"), opening_balance=usd("20"), distributor=CLEAR) == ()


@pytest.mark.parametrize("charge", [None, True, False])
def test_correcting_and_keeping_the_distributor_books_the_difference(charge: Any) -> None:
    """Assigning the distributor that it has changes nothing, whatever is said about charging (decision 0003)."""
    change = changed(
        account(distributor="half"), opening_balance=usd("20"), distributor=AssignDistributor("half", charge=charge)
    )
    assert change.transactions == (distributor_charge("2.50", "half")[0],)


@pytest.mark.parametrize(("charge", "amount"), [(True, "17.00"), (False, None)], ids=["charge", "no charge"])
def test_correcting_and_changing_the_distributor_charges_the_new_one_all(charge: Any, amount: str | None) -> None:
    """The new distributor pays for the whole new opening balance, if it pays at all."""
    wanted = AssignDistributor("north", charge=charge)
    change = changed(account(distributor="half"), opening_balance=usd("20"), distributor=wanted)
    assert change.transactions == (() if amount is None else (distributor_charge(amount, "north")[0],))


def test_a_refused_correction_leaves_the_old_opening_balance_to_the_charge() -> None:
    """A charge that arises from the old value is unclear, even if the refused new one would be nothing."""
    used = account(first_used_on="2026-11-01")
    assert codes(used, opening_balance=usd("0"), distributor="north") == {
        RefusalCode.ALREADY_USED,
        RefusalCode.DISTRIBUTOR_CHARGE_UNCLEAR,
    }
    empty = account(first_used_on="2026-11-01", opening_balance=0)
    assert codes(empty, opening_balance=usd("10"), distributor="north") == {RefusalCode.ALREADY_USED}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": AccountKind.CREDIT}, RefusalCode.NOT_DEBIT),
        ({"first_used_on": "2026-11-01"}, RefusalCode.ALREADY_USED),
        ({"balance": 0}, RefusalCode.INSUFFICIENT_FUNDS),
    ],
    ids=["credit", "used", "too few funds"],
)
def test_a_refused_correction_charges_nobody(fields: dict[str, Any], code: RefusalCode) -> None:
    """No difference arises from it that an unknown distributor would have to pay."""
    assert codes(account(distributor="nobody", **fields), opening_balance=usd("10")) == {code}


def test_a_refused_activation_charges_nobody() -> None:
    """An activation that does not take place raises no charge that could be refused."""
    target = _inactive(distributor="nobody")
    assert codes(target, activation=ActivateOn("2026-11-01")) == {RefusalCode.ACTIVATION_IN_PAST}


def test_own_charges_and_the_distributors_are_booked_together() -> None:
    """The ledger entries of the account and of its distributor belong to one account change."""
    change = activates(_inactive(), charge=Charge(usd("1")), distributor="north")
    assert [(entry.amount, entry.distributor) for entry in change.transactions] == [
        (usd("1"), None),
        (usd("12.75"), "north"),
    ]
    assert after(change)["balance"] == 14


# What the catalog does not know.


@pytest.mark.parametrize(
    ("fields", "settings", "needed"),
    [
        pytest.param({}, {"activation": ActivateNow()}, True, id="activated"),
        pytest.param({}, {"activation": ActivateOn(_DAY)}, True, id="scheduled"),
        pytest.param({"activation_date": _DAY}, {"activation": CLEAR}, False, id="cancelled"),
        pytest.param({}, {"opening_balance": usd("20")}, False, id="corrected, never to be activated"),
        pytest.param({"activation_date": _DAY}, {"opening_balance": usd("20")}, True, id="corrected, scheduled"),
        pytest.param({"state": AccountState.OPEN}, {"opening_balance": usd("20")}, True, id="corrected, open"),
        pytest.param({"state": AccountState.OPEN}, {"activation": ActivateNow()}, False, id="open already"),
        pytest.param({"opening_balance": 0}, {"activation": ActivateNow()}, False, id="nothing to pay"),
        pytest.param({}, {"activation": ActivateNow(), "distributor": CLEAR}, False, id="taken away"),
        pytest.param({}, {"activation": ActivateNow(), "distributor": "north"}, False, id="replaced"),
        pytest.param({}, {"expiration": ExpireOn(_DAY)}, False, id="no charge in question"),
    ],
)
def test_a_distributor_must_be_known_where_it_is_charged(
    fields: dict[str, Any], settings: dict[str, Any], *, needed: bool
) -> None:
    """An account whose own distributor the catalog does not know is refused where an amount arises, and only there."""
    target = account(**{"state": AccountState.INACTIVE, "distributor": "nobody"} | fields)
    assert codes(target, **settings) == ({RefusalCode.DISTRIBUTOR_UNKNOWN} if needed else set())


def test_an_unknown_distributor_is_named() -> None:
    """The refusal says who is missing in the catalog."""
    (reason,) = refused(_inactive(distributor="nobody"), activation=ActivateNow()).reasons
    assert (reason.field, reason.detail) == ("distributor", 'the catalog does not know "nobody"')


@pytest.mark.parametrize(("opening", "expected"), [(15, {RefusalCode.CURRENCY_MISMATCH}), (0, set())])
def test_a_kept_distributor_of_another_currency_is_not_charged(opening: int, expected: set[RefusalCode]) -> None:
    """What it would be charged is not in its currency: refused where an amount arises."""
    target = _inactive(distributor="euro", opening_balance=opening)
    assert codes(target, activation=ActivateNow()) == expected


def test_a_currency_refusal_says_what_collides() -> None:
    """Both currencies are named."""
    (reason,) = refused(account(), distributor="euro").reasons
    assert (reason.field, reason.detail) == ("distributor", '"euro" is charged in EUR, the account in USD')


@pytest.mark.parametrize("now", [datetime(2026, 11, 23, tzinfo=UTC)])
def test_refusals_of_all_sections_are_collected(now: datetime) -> None:
    """Every rule speaks, in the order of the panel, and the account is left untouched."""
    target = account(
        state=AccountState.INACTIVE, customer="kiwi", first_used_on="2026-11-01", activation_date="2027-06-01"
    )
    wrong = refused(
        target,
        now=now,
        opening_balance=usd("20"),
        charge=Charge(Money(1, "EUR")),
        activation=ActivateOn("2026-11-01"),
        expiration=ExpireOn("2027-01-01"),
        product="phone",
        charging_period=24,
        site="hq",
        distributor="euro",
        ivr_language="uk",
    )
    assert [reason.code for reason in wrong.reasons] == [
        RefusalCode.ALREADY_USED,
        RefusalCode.CURRENCY_MISMATCH,
        RefusalCode.ACTIVATION_IN_PAST,
        RefusalCode.EXPIRES_BEFORE_ACTIVATION,
        RefusalCode.ACCOUNT_ROLE_MISMATCH,
        RefusalCode.CHARGING_PERIOD_NOT_OFFERED,
        RefusalCode.SITE_OF_ANOTHER_CUSTOMER,
        RefusalCode.CURRENCY_MISMATCH,
    ]
