"""Accounts of every sort in one batch of the small world, and campaigns that set everything on them."""

from typing import Any

from account_batch import (
    CLEAR,
    Account,
    AccountKind,
    AccountState,
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    UnifiedMessaging,
    UpdateSpec,
)
from world import account, usd

__all__ = ["SPECS", "population"]


def population() -> list[Account]:
    """Accounts in which every fact meets every other one, most of them in one batch."""

    def pick(place: int, step: int, *values: Any) -> Any:
        return values[place // step % len(values)]

    return [
        account(
            id=f"{pick(n, 1, '44', 'a%', 'A_')}{n:04}",
            control_number=pick(n, 1, n + 1, n + 1, n + 1, n + 1, n, None),
            batch=pick(n, 1, *["SUMMER-2026"] * 11, "TENTH", None),
            customer=pick(n, 7, *["acme"] * 5, "kiwi", "ghost"),
            kind=pick(n, 1, AccountKind.DEBIT, AccountKind.DEBIT, AccountKind.CREDIT, AccountKind.VOUCHER),
            account_role=pick(n, 13, None, "phone line"),
            state=pick(n, 1, AccountState.OPEN, AccountState.INACTIVE, AccountState.OPEN, AccountState.CLOSED),
            blocked=pick(n, 5, True, False),
            registered=pick(n, 3, True, False),
            currency=pick(n, 17, *["USD"] * 8, "EUR"),
            opening_balance=pick(n, 3, "15", "0", "0.00001", "7.77777", "15.00000"),
            balance=pick(n, 7, "15", "0.99999", "-3", "1", "0", "1000.00001"),
            activation_date=pick(n, 3, None, "2026-11-22", "2026-11-23", "2026-11-24", "2026-12-01"),
            expiration_date=pick(n, 5, None, "2026-11-01", "2026-11-23", "2026-11-24", "2027-06-30"),
            availability_days=pick(n, 4, None, 1, 30, 90),
            first_used_on=pick(n, 11, None, None, "2026-11-22", "2026-08-25"),
            last_recharged_on=pick(n, 9, None, "2026-11-22"),
            product=pick(n, 2, "gold", "gold", "silver", "monthly", "euro", "unknown"),
            addons=pick(n, 3, (), {"call-waiting"}, {"voicemail", "call-waiting"}, {"fax"}, {"premium"}, {"arrears"}),
            charging_period=pick(n, 8, None, 6, 12),
            associated_number=pick(n, 6, None, "18005551234", "18005551234 "),
            unified_messaging=pick(n, 4, *UnifiedMessaging),
            ivr_language=pick(n, 3, None, "en", "EN"),
            time_zone=pick(n, 5, None, "America/New_York"),
            role=pick(n, 7, None, "default", "boss"),
            site=pick(n, 9, None, "hq", "port"),
            distributor=pick(n, 2, None, None, "north", "half", "free", "euro", "unknown"),
        )
        for n in range(420)
    ]


SPECS = {
    "activate now": UpdateSpec(activation=ActivateNow()),
    "activate today": UpdateSpec(activation=ActivateOn("2026-11-23")),
    "activate later": UpdateSpec(activation=ActivateOn("2026-12-01")),
    "cancel activation": UpdateSpec(activation=CLEAR),
    "expire": UpdateSpec(expiration=ExpireOn("2026-11-24")),
    "never expire": UpdateSpec(expiration=CLEAR),
    "availability": UpdateSpec(availability_days=30),
    "availability and expiry": UpdateSpec(availability_days=1, expiration=ExpireOn("2027-06-30")),
    "no availability": UpdateSpec(availability_days=CLEAR),
    "block": UpdateSpec(status=StatusChange.BLOCKED),
    "unblock": UpdateSpec(status=StatusChange.UNBLOCKED),
    "terminate": UpdateSpec(status=StatusChange.TERMINATED),
    "opening balance": UpdateSpec(opening_balance=usd("7.77777")),
    "no opening balance": UpdateSpec(opening_balance=usd("0")),
    "charge": UpdateSpec(charge=Charge(usd("1"), comment="SIM fee", internal_comment="t'7", reference="fee")),
    "charge the poor": UpdateSpec(charge=Charge(usd("1000.00001"), allow_overdraft=True)),
    "refund": UpdateSpec(refund=Refund(usd("0.99999"), reference="back")),
    "charge and refund": UpdateSpec(charge=Charge(usd("0.5")), refund=Refund(usd("0.5"))),
    "all money": UpdateSpec(opening_balance=usd("20"), charge=Charge(usd("1")), refund=Refund(usd("0.00001"))),
    "product": UpdateSpec(product="silver"),
    "product for a role": UpdateSpec(product="phone"),
    "assign add-ons": UpdateSpec(addons=AssignAddons({"call-waiting", "voicemail"})),
    "replace add-ons": UpdateSpec(addons=ReplaceAddons({"call-waiting"})),
    "replace all add-ons": UpdateSpec(addons=ReplaceAddons(())),
    "remove add-ons": UpdateSpec(addons=RemoveAddons({"call-waiting", "fax"})),
    "product and add-ons": UpdateSpec(product="gold", addons=ReplaceAddons({"premium"}), charging_period=3),
    "charging period": UpdateSpec(charging_period=6),
    "no charging period": UpdateSpec(charging_period=CLEAR),
    "number": UpdateSpec(associated_number="18005551234"),
    "no number": UpdateSpec(associated_number=CLEAR),
    "messaging": UpdateSpec(unified_messaging=UnifiedMessaging.YES),
    "language": UpdateSpec(ivr_language="en"),
    "no language": UpdateSpec(ivr_language=CLEAR),
    "time zone": UpdateSpec(time_zone="America/New_York"),
    "no time zone": UpdateSpec(time_zone=CLEAR),
    "role": UpdateSpec(role="boss"),
    "site": UpdateSpec(site="hq"),
    "default site": UpdateSpec(site=CLEAR),
    "distributor": UpdateSpec(distributor="north"),
    "distributor that pays": UpdateSpec(distributor=AssignDistributor("half", charge=True)),
    "distributor that does not": UpdateSpec(distributor=AssignDistributor("half", charge=False)),
    "no distributor": UpdateSpec(distributor=CLEAR),
    "everything": UpdateSpec(
        activation=ActivateNow(),
        expiration=ExpireOn("2027-12-01"),
        availability_days=90,
        status=StatusChange.UNBLOCKED,
        opening_balance=usd("15.00001"),
        charge=Charge(usd("1"), comment="SIM fee", reference="fee"),
        refund=Refund(usd("0.1"), reference="back"),
        product="gold",
        addons=AssignAddons({"call-waiting"}),
        charging_period=6,
        associated_number="18005551234",
        unified_messaging=UnifiedMessaging.BY_PRODUCT,
        ivr_language="en",
        time_zone="America/New_York",
        role="default",
        site=CLEAR,
        distributor=AssignDistributor("north", charge=True),
    ),
}
