"""Plans against an oracle: the rules of DESIGN.md section 5 once more, naively, account by account.

The oracle shares nothing with the rules but the values. It is written from the text of the design and the decisions
beside it, in the order of the numbers, and knows no questions, no facts and no memo.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import attrs
from hypothesis import given, settings

from account_batch import (
    CLEAR,
    KEEP,
    Account,
    AccountFilter,
    AccountKind,
    AccountState,
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Catalog,
    Charge,
    Effect,
    EffectKind,
    ExpireOn,
    MemoryStore,
    Money,
    NoteCode,
    Plan,
    Product,
    Refund,
    RefusalCode,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
    StatusFilter,
    Transaction,
    TransactionKind,
    UpdateSpec,
    plan_due,
    plan_update,
)
from spec_strategies import BATCH, Case, cases, stocked

_thorough = settings(max_examples=3 * settings().max_examples)


class _Named(Protocol):
    @property
    def id(self) -> str: ...


_Entry = TypeVar("_Entry", bound=_Named)


def _find(entries: Iterable[_Entry], name: str | None) -> _Entry | None:
    return next((entry for entry in entries if entry.id == name), None)


def _today(account: Account, catalog: Catalog, now: datetime) -> date | None:
    customer = _find(catalog.customers, account.customer)
    return None if customer is None else now.astimezone(ZoneInfo(customer.billing_time_zone)).date()


def _first_instant(day: date, zone: str) -> datetime:
    """The first instant at which the calendar of the zone shows the day or a later one, by looking minute by minute."""
    instant = datetime.combine(day, time(), UTC) - timedelta(hours=30)
    step = timedelta(hours=1)
    while (instant + step).astimezone(ZoneInfo(zone)).date() < day:
        instant += step
    while instant.astimezone(ZoneInfo(zone)).date() < day:
        instant += timedelta(minutes=1)
    return instant


def _period_end(account: Account, days: int | None) -> date | None:
    starts = [day for day in (account.first_used_on, account.last_recharged_on) if day is not None]
    return max(starts) + timedelta(days=days) if starts and days is not None else None


def _over(day: date | None, today: date) -> bool:
    return day is not None and day <= today


def _share(amount: Decimal, commission: Decimal) -> Decimal:
    """Amount x (1 - commission) to five decimals, half away from zero, with whole numbers only."""
    exact = Fraction(amount) * (1 - Fraction(commission)) * 10**5
    whole, rest = divmod(abs(exact), 1)
    units = whole + 1 if rest >= Fraction(1, 2) else whole
    return Decimal(-units if exact < 0 else units) / Decimal(10**5)


@attrs.define
class _Oracle:
    """What must become of one account."""

    account: Account
    spec: UpdateSpec
    catalog: Catalog
    now: datetime
    references: Collection[str]
    new: dict[str, Any] = attrs.Factory(dict)
    codes: set[RefusalCode] = attrs.Factory(set)
    notes: set[NoteCode] = attrs.Factory(set)
    effects: list[Effect] = attrs.Factory(list)
    transactions: list[Transaction] = attrs.Factory(list)
    dated: bool = False
    opened: bool = False
    scheduled_at: datetime | None = None

    def decide(self) -> "_Oracle":
        """All rules, in the order of the design."""
        self.new = attrs.asdict(self.account, recurse=False)
        self.status()
        self.opening_balance()
        self.take(self.spec.charge, TransactionKind.CHARGE)
        self.take(self.spec.refund, TransactionKind.REFUND)
        if self.account.state is not AccountState.CLOSED:
            self.activation()
            self.expiration()
            self.availability()
            self.expiry()
        self.product()
        self.addons()
        self.charging_period()
        self.plain_settings()
        self.site()
        self.distributor()
        return self

    def open_if_due(self) -> "_Oracle":
        """What plan_due does: section 6, with rules 3 and 15."""
        self.new = attrs.asdict(self.account, recurse=False)
        day = self.account.activation_date
        if self.account.state is AccountState.INACTIVE and day is not None:
            today = _today(self.account, self.catalog, self.now)
            easternmost = self.now.astimezone(ZoneInfo("Pacific/Kiritimati")).date()
            if today is None:
                if day <= easternmost:
                    self.codes.add(RefusalCode.CUSTOMER_UNKNOWN)
            elif day <= today:
                self.new["state"] = AccountState.OPEN
                self.opened = True
                self.effects.append(Effect(kind=EffectKind.ACTIVATED))
                self.note_unusable(today)
                self.pay()
        return self

    def changed(self, *names: str) -> bool:
        """Whether one of the fields gets another value."""
        return any(self.new[name] != getattr(self.account, name) for name in names)

    def status(self) -> None:
        """Rules 1 and 2."""
        if self.account.state is AccountState.CLOSED:
            self.codes.add(RefusalCode.ACCOUNT_TERMINATED)
        elif self.spec.status is StatusChange.TERMINATED:
            self.new["state"] = AccountState.CLOSED
            self.effects.append(Effect(kind=EffectKind.TERMINATED))
        elif self.spec.status is not KEEP:
            self.new["blocked"] = self.spec.status is StatusChange.BLOCKED

    def opening_balance(self) -> None:
        """Rule 7."""
        wanted, account = self.spec.opening_balance, self.account
        if wanted is KEEP or wanted == Money(account.opening_balance, account.currency):
            return
        codes = set()
        if wanted.currency != account.currency:
            codes.add(RefusalCode.CURRENCY_MISMATCH)
        if account.kind is not AccountKind.DEBIT:
            codes.add(RefusalCode.NOT_DEBIT)
        if account.first_used_on is not None:
            codes.add(RefusalCode.ALREADY_USED)
        balance = account.balance + wanted.amount - account.opening_balance
        if wanted.currency == account.currency and account.kind is AccountKind.DEBIT and balance < 0:
            codes.add(RefusalCode.INSUFFICIENT_FUNDS)
        if not codes:
            self.new |= {"opening_balance": wanted.amount, "balance": balance}
        self.codes |= codes

    def take(self, taking: Any, kind: TransactionKind) -> None:
        """Rule 8."""
        if not isinstance(taking, Charge | Refund):
            return
        account, amount = self.account, taking.amount.amount
        codes = set()
        if taking.amount.currency != account.currency:
            codes.add(RefusalCode.CURRENCY_MISMATCH)
        elif account.kind is AccountKind.DEBIT and not taking.allow_overdraft and amount > self.new["balance"]:
            codes.add(RefusalCode.INSUFFICIENT_FUNDS)
        if account.kind is AccountKind.VOUCHER:
            codes.add(RefusalCode.NOT_CHARGEABLE)
        if taking.reference in self.references:
            codes.add(RefusalCode.ALREADY_CHARGED)
        if not codes:
            self.new["balance"] += -amount if account.kind is AccountKind.DEBIT else amount
            self.transactions.append(
                Transaction(
                    kind=kind,
                    amount=taking.amount,
                    comment=taking.comment,
                    internal_comment=taking.internal_comment,
                    reference=taking.reference,
                )
            )
        self.codes |= codes

    def activation(self) -> None:
        """Rule 3."""
        wanted, account = self.spec.activation, self.account
        if wanted is KEEP:
            return
        if account.state is AccountState.OPEN:
            self.notes.add(NoteCode.ALREADY_ACTIVE)
        elif wanted is CLEAR:
            self.new["activation_date"] = None
            if account.activation_date is not None:
                self.effects.append(Effect(kind=EffectKind.ACTIVATION_CANCELLED))
        else:
            self.activate(wanted)

    def activate(self, wanted: ActivateNow | ActivateOn) -> None:
        """Rule 3, of an inactive account that gets an activation date."""
        today = _today(self.account, self.catalog, self.now)
        if today is None:
            self.codes.add(RefusalCode.CUSTOMER_UNKNOWN)
            return
        day = wanted.day if isinstance(wanted, ActivateOn) else today
        if day < today:
            self.codes.add(RefusalCode.ACTIVATION_IN_PAST)
            return
        self.new["activation_date"] = day
        self.dated = True
        if day == today:
            self.new["state"] = AccountState.OPEN
            self.opened = True
            self.effects.append(Effect(kind=EffectKind.ACTIVATED))
        elif self.changed("activation_date"):
            customer = _find(self.catalog.customers, self.account.customer)
            assert customer is not None
            self.scheduled_at = _first_instant(day, customer.billing_time_zone)
            self.effects.append(Effect(kind=EffectKind.ACTIVATION_SCHEDULED, at=self.scheduled_at))

    def expiration(self) -> None:
        """Rule 4: the date, and its order with the activation date of an inactive account, if either was set."""
        wanted, new = self.spec.expiration, self.new
        if wanted is not KEEP:
            new["expiration_date"] = wanted.day if isinstance(wanted, ExpireOn) else None
        start, end = new["activation_date"], new["expiration_date"]
        if self.account.state is not AccountState.INACTIVE or start is None or end is None:
            return
        if (wanted is not KEEP or self.dated) and end <= start:
            self.codes.add(RefusalCode.EXPIRES_BEFORE_ACTIVATION)

    def availability(self) -> None:
        """Rule 5."""
        wanted = self.spec.availability_days
        if wanted is not KEEP:
            self.new["availability_days"] = None if wanted is CLEAR else wanted

    def expiry(self) -> None:
        """What rules 3 to 5 say about the effective expiry."""
        account, new = self.account, self.new
        moved = self.changed("expiration_date", "availability_days")
        activated = self.opened or self.scheduled_at is not None
        if not moved and not activated:
            return
        today = _today(account, self.catalog, self.now)
        if today is None:
            self.codes.add(RefusalCode.CUSTOMER_UNKNOWN)
            return
        was = _over(account.expiration_date, today) or _over(_period_end(account, account.availability_days), today)
        date_over = _over(new["expiration_date"], today)
        period_over = _over(_period_end(account, new["availability_days"]), today)
        expired = date_over or period_over
        if expired and not was:
            self.effects.append(Effect(kind=EffectKind.EXPIRES_AT_ONCE))
        if was and not expired:
            self.effects.append(Effect(kind=EffectKind.REVIVED))
            if new["blocked"]:
                self.notes.add(NoteCode.STILL_BLOCKED)
        prolonged = (self.changed("expiration_date") and not date_over) or (
            self.changed("availability_days") and not period_over
        )
        if was and expired and prolonged:
            self.notes.add(NoteCode.STILL_EXPIRED)
        if activated:
            self.note_unusable(today)

    def note_unusable(self, today: date) -> None:
        """Rule 3 and decision 0016, of an account that is opened or scheduled."""
        if self.new["blocked"]:
            self.notes.add(NoteCode.STILL_BLOCKED)
        if _over(_period_end(self.account, self.new["availability_days"]), today) or _over(
            self.new["expiration_date"], today
        ):
            self.notes.add(NoteCode.STILL_EXPIRED)

    def product(self) -> None:
        """Rule 9."""
        account, wanted = self.account, self.spec.product
        if wanted is KEEP or wanted == account.product:
            return
        product = _find(self.catalog.products, wanted)
        assert product is not None
        kept = account.addons
        if isinstance(self.spec.addons, ReplaceAddons):
            kept &= self.spec.addons.addons
        if isinstance(self.spec.addons, RemoveAddons):
            kept -= self.spec.addons.addons
        codes = set()
        if product.currency != account.currency:
            codes.add(RefusalCode.CURRENCY_MISMATCH)
        if product.account_role is not None and product.account_role != account.account_role:
            codes.add(RefusalCode.ACCOUNT_ROLE_MISMATCH)
        if not kept <= product.allowed_addons:
            codes.add(RefusalCode.ADDON_NOT_ALLOWED)
        if not codes:
            self.new["product"] = wanted
            self.subscribe(product)
        self.codes |= codes

    def addons(self) -> None:
        """Rule 10 and decision 0017."""
        wanted, has = self.spec.addons, self.account.addons
        if wanted is KEEP:
            return
        if isinstance(wanted, RemoveAddons):
            self.new["addons"] = has - wanted.addons
            return
        resulting = has | wanted.addons if isinstance(wanted, AssignAddons) else wanted.addons
        main = self.main_product()
        if resulting == has:
            return
        if wanted.addons and main is None:
            self.codes.add(RefusalCode.PRODUCT_UNKNOWN)
            return
        if main is not None and not wanted.addons <= main.allowed_addons:
            self.codes.add(RefusalCode.ADDON_NOT_ALLOWED)
            return
        self.new["addons"] = resulting
        for name in resulting - has:
            addon = _find(self.catalog.products, name)
            assert addon is not None
            self.subscribe(addon)

    def main_product(self) -> Product | None:
        """The resulting main product, if known."""
        return _find(self.catalog.products, self.new["product"])

    def subscribe(self, product: Product) -> None:
        """Rule 10: what is paid in advance has an effect."""
        subscription = product.subscription
        if subscription is not None and subscription.in_advance:
            fee = None if subscription.fee is None else Money(subscription.fee, product.currency)
            self.effects.append(Effect(kind=EffectKind.SUBSCRIPTION_STARTS, product=product.id, amount=fee))

    def charging_period(self) -> None:
        """Rule 11 and decision 0010."""
        wanted, kept = self.spec.charging_period, self.account.charging_period
        if wanted is CLEAR:
            self.new["charging_period"] = None
            return
        months = kept if wanted is KEEP else wanted
        if months is None or (months == kept and not self.changed("product")):
            return
        main = self.main_product()
        if main is None:
            self.codes.add(RefusalCode.PRODUCT_UNKNOWN)
            return
        addons = [_find(self.catalog.products, name) for name in self.new["addons"]]
        subscriptions = [product.subscription for product in [main, *addons] if product is not None]
        if any(plan is not None and plan.in_advance and months in plan.prepaid_months for plan in subscriptions):
            self.new["charging_period"] = months
        else:
            self.codes.add(RefusalCode.CHARGING_PERIOD_NOT_OFFERED)

    def plain_settings(self) -> None:
        """Rules 12 and 13."""
        for name in ("associated_number", "unified_messaging", "ivr_language", "time_zone", "role"):
            wanted = getattr(self.spec, name)
            if wanted is not KEEP:
                self.new[name] = None if wanted is CLEAR else wanted

    def site(self) -> None:
        """Rule 14; the site that it has already is dropped."""
        wanted = self.spec.site
        if wanted is KEEP or wanted == self.account.site:
            return
        if wanted is CLEAR:
            self.new["site"] = None
            return
        site = _find(self.catalog.sites, wanted)
        assert site is not None
        if site.customer == self.account.customer:
            self.new["site"] = wanted
        else:
            self.codes.add(RefusalCode.SITE_OF_ANOTHER_CUSTOMER)

    def distributor(self) -> None:
        """Rule 15 and decision 0003; the distributor that it has already is dropped."""
        wanted = self.spec.distributor
        if wanted is CLEAR:
            self.new["distributor"] = None
        elif isinstance(wanted, AssignDistributor) and wanted.id != self.account.distributor:
            distributor = _find(self.catalog.distributors, wanted.id)
            assert distributor is not None
            if distributor.currency != self.account.currency:
                self.codes.add(RefusalCode.CURRENCY_MISMATCH)
                return
            self.new["distributor"] = wanted.id
        if self.account.state is AccountState.OPEN:
            self.pay_for_open_account(wanted.charge if isinstance(wanted, AssignDistributor) else None)
        elif self.opened:
            self.pay()
        elif (
            self.account.state is AccountState.INACTIVE
            and self.new["activation_date"] is not None
            and self.changed("activation_date", "distributor", "opening_balance")
        ):
            charge = self.charge(self.new["opening_balance"])
            if charge is not None:
                kind, name = EffectKind.DISTRIBUTOR_CHARGE_SCHEDULED, self.new["distributor"]
                self.effects.append(Effect(kind=kind, amount=charge, distributor=name, at=self.scheduled_at))

    def pay_for_open_account(self, said: bool | None) -> None:  # noqa: FBT001  # A value of three.
        """Rule 15, of an account that is open already."""
        account = self.account
        if self.changed("distributor"):
            unclear = account.first_used_on is not None or account.distributor is not None
            if said is False:
                return
            if said is None and unclear and self.charge(self.new["opening_balance"]) is not None:
                self.codes.add(RefusalCode.DISTRIBUTOR_CHARGE_UNCLEAR)
            else:
                self.pay()
        elif self.changed("opening_balance"):
            self.pay(beyond=account.opening_balance)

    def pay(self, beyond: Decimal = Decimal(0)) -> None:
        """Book what the resulting distributor owes beyond what it paid for."""
        charge = self.charge(self.new["opening_balance"] - beyond)
        if charge is not None:
            name = self.new["distributor"]
            kind = TransactionKind.DISTRIBUTOR_CHARGE
            self.transactions.append(Transaction(kind=kind, amount=charge, distributor=name))
            self.effects.append(Effect(kind=EffectKind.DISTRIBUTOR_CHARGED, amount=charge, distributor=name))

    def charge(self, base: Decimal) -> Money | None:
        """What the resulting distributor pays for so much opening balance; None is nothing, or refused."""
        if self.new["distributor"] is None or base == 0:
            return None
        distributor = _find(self.catalog.distributors, self.new["distributor"])
        if distributor is None:
            self.codes.add(RefusalCode.DISTRIBUTOR_UNKNOWN)
            return None
        if distributor.currency != self.account.currency:
            self.codes.add(RefusalCode.CURRENCY_MISMATCH)
            return None
        commission = distributor.commission
        for batch in self.catalog.batches:
            own = (batch.id, batch.customer) == (self.account.batch, self.account.customer)
            if own and batch.sale_commission is not None:
                commission = batch.sale_commission
        amount = _share(base, commission)
        return Money(amount, distributor.currency) if amount != 0 else None

    def verdict(self) -> object:
        """What a plan must say about the account."""
        if self.codes:
            return ("refused", self.codes)
        fields = {name: (getattr(self.account, name), value) for name, value in self.new.items() if self.changed(name)}
        if fields or self.transactions:
            return ("changed", fields, self.transactions, sorted(self.effects, key=repr), self.notes)
        return ("unchanged", self.notes)


def _verdicts(plan: Plan) -> dict[str, object]:
    """What the plan says about each account, in the words of the oracle."""
    found: dict[str, object] = {item.account_id: ("refused", item.codes) for item in plan.refused}
    found |= {item.account_id: ("unchanged", set(item.notes)) for item in plan.unchanged}
    for change in plan.changes:
        fields = {field.field: (field.before, field.after) for field in change.fields}
        found[change.account_id] = (
            "changed",
            fields,
            list(change.transactions),
            sorted(change.effects, key=repr),
            set(change.notes),
        )
    assert len(found) == len(plan.targets)
    return found


def _oracle(account: Account, spec: UpdateSpec, case: Case, store: MemoryStore) -> _Oracle:
    references = [reference for reference in case.charged if account.id in store.charged(reference)]
    return _Oracle(account, spec, case.catalog, case.now, references)


@_thorough
@given(cases())
def test_plans_are_what_the_design_says(case: Case) -> None:
    """For any accounts, settings, catalog and instant a plan says of each account what the rules say of it alone."""
    store = stocked(case)
    where = AccountFilter(batch=BATCH, status=StatusFilter.ANY, customer=case.customer)
    chosen = [account for account in case.accounts if case.customer in {None, account.customer}]
    for spec in case.specs:
        plan = plan_update(store, where, spec, catalog=case.catalog, now=case.now)
        expected = {account.id: _oracle(account, spec, case, store).decide().verdict() for account in chosen}
        assert _verdicts(plan) == expected


@given(cases())
def test_due_activations_are_what_the_design_says(case: Case) -> None:
    """Whoever is due is opened as the rules say, or refused, and nobody else is in the plan."""
    store = stocked(case)
    plan = plan_due(store, catalog=case.catalog, now=case.now)
    spec = UpdateSpec(activation=ActivateNow())
    expected = {account.id: _oracle(account, spec, case, store).open_if_due().verdict() for account in case.accounts}
    assert _verdicts(plan) == {name: verdict for name, verdict in expected.items() if verdict != ("unchanged", set())}
