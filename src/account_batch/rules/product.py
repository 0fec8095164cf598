"""The product (rule 9), its add-ons (rule 10) and the charging period (rule 11)."""

from collections.abc import Iterator
from typing import assert_never

from account_batch.catalog import Product
from account_batch.decision import EffectKind, RefusalCode
from account_batch.money import Money
from account_batch.questions import AddonsOutside, Equals, HasAddon, Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import CLEAR, KEEP, AssignAddons, RemoveAddons, ReplaceAddons

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    spec, catalog = request.spec, request.catalog
    if spec.product is KEEP and spec.addons is KEEP and spec.charging_period is KEEP:
        return
    yield Value("product")
    if spec.product is not KEEP:
        yield Value("currency")
        yield Value("account_role")
        product = catalog.product(spec.product)
        yield AddonsOutside(product.allowed_addons if product else frozenset())
    if spec.addons is not KEEP:
        yield Equals("addons", spec.addons.addons)
        yield from map(HasAddon, sorted(spec.addons.addons))
    if spec.product is not KEEP or spec.charging_period is not KEEP:
        yield Value("charging_period")
        yield from (HasAddon(addon.id) for addon in catalog.products if addon.is_addon and addon.offered_months)


def decide(draft: Draft) -> None:
    """Decide the section."""
    if draft.spec.product is not KEEP:
        _change_product(draft, draft.spec.product)
    if draft.spec.addons is not KEEP:
        _change_addons(draft, draft.spec.addons)
    if draft.spec.product is not KEEP or draft.spec.charging_period is not KEEP:
        _decide_charging_period(draft)


def _change_product(draft: Draft, name: str) -> None:
    if name == draft.before("product"):
        return
    product = draft.catalog.product(name)
    assert product is not None  # The planner refuses a spec with an unknown product.
    accepted = True
    if product.currency != (currency := draft.before("currency")):
        detail = f'"{name}" is in {product.currency}, the account in {currency}'
        draft.refuse(RefusalCode.CURRENCY_MISMATCH, "product", detail)
        accepted = False
    if product.account_role is not None and product.account_role != (role := draft.before("account_role")):
        detail = f'"{name}" is for the account role "{product.account_role}", the account has "{role or ""}"'
        draft.refuse(RefusalCode.ACCOUNT_ROLE_MISMATCH, "product", detail)
        accepted = False
    if unfit := sorted(_kept(draft, AddonsOutside(product.allowed_addons))):
        detail = f'"{name}" does not allow the add-ons that the account keeps: {", ".join(unfit)}'
        draft.refuse(RefusalCode.ADDON_NOT_ALLOWED, "product", detail)
        accepted = False
    if accepted:
        draft.assign("product", name)
        _start_subscription(draft, product)


def _kept(draft: Draft, question: AddonsOutside) -> frozenset[str]:
    """Those of the add-ons asked for that stay on the account."""
    addons = draft.facts[question]
    assert isinstance(addons, frozenset)  # What the question answers.
    match draft.spec.addons:
        case ReplaceAddons(addons=kept):
            return addons & kept
        case RemoveAddons(addons=removed):
            return addons - removed
        case _:
            return addons


def _change_addons(draft: Draft, change: AssignAddons | ReplaceAddons | RemoveAddons) -> None:
    present = frozenset(addon for addon in change.addons if draft.facts.holds(HasAddon(addon)))
    if isinstance(change, RemoveAddons):
        draft.alter_addons(added=frozenset(), removed=present)
        return
    new = change.addons - present
    same = not new if isinstance(change, AssignAddons) else draft.facts.holds(Equals("addons", change.addons))
    if same or (change.addons and not _check_allowed(draft, change.addons)):
        return
    match change:
        case AssignAddons():
            draft.alter_addons(added=new, removed=frozenset())
        case ReplaceAddons():
            draft.replace_addons(change.addons)
        case _:
            assert_never(change)
    for name in sorted(new):
        addon = draft.catalog.product(name)
        assert addon is not None  # The planner refuses a spec with an unknown add-on.
        _start_subscription(draft, addon)


def _check_allowed(draft: Draft, addons: frozenset[str]) -> bool:
    product = _main_product(draft, "addons")
    if product is None:
        return False
    unfit = sorted(addons - product.allowed_addons)
    if unfit:
        detail = f'"{product.id}" does not allow {", ".join(unfit)}'
        draft.refuse(RefusalCode.ADDON_NOT_ALLOWED, "addons", detail)
    return not unfit


def _start_subscription(draft: Draft, product: Product) -> None:
    subscription = product.subscription
    if subscription is not None and subscription.in_advance:
        fee = None if subscription.fee is None else Money(subscription.fee, product.currency)
        draft.affect(EffectKind.SUBSCRIPTION_STARTS, amount=fee, product=product.id)


def _decide_charging_period(draft: Draft) -> None:
    """Set or keep a charging period only where the main product or an add-on offers it (rule 11)."""
    wanted, kept = draft.spec.charging_period, draft.before("charging_period")
    months = kept if wanted is KEEP else None if wanted is CLEAR else wanted
    if months == kept and not draft.changes("product"):
        return
    field = "product" if months == kept else "charging_period"
    if not isinstance(months, int) or _check_offered(draft, months, field):
        draft.assign("charging_period", months)


def _check_offered(draft: Draft, months: int, field: str) -> bool:
    main = _main_product(draft, field)
    if main is None:
        return False
    addons = (addon for addon in draft.catalog.products if addon.is_addon and months in addon.offered_months)
    if months in main.offered_months or any(draft.has_addon(addon.id) for addon in addons):
        return True
    detail = f'{months} months are offered neither by "{main.id}" nor by an add-on of the account'
    draft.refuse(RefusalCode.CHARGING_PERIOD_NOT_OFFERED, field, detail)
    return False


def _main_product(draft: Draft, field: str) -> Product | None:
    """The resulting main product, or None after refusing, because the catalog does not know it."""
    name = str(draft.after("product"))
    product = draft.catalog.product(name)
    if product is None:
        draft.refuse(RefusalCode.PRODUCT_UNKNOWN, field, f'needs the account\'s product, "{name}", in the catalog')
    return product
