"""Whether a filter and a spec point at what the catalog has: what is wrong for every account is wrong here."""

from collections.abc import Collection

from account_batch.catalog import Catalog
from account_batch.errors import BatchRequiredError, CustomFieldFilterError, FilterError, UnknownReferenceError, nearest
from account_batch.filters import AccountFilter
from account_batch.spec import KEEP, AssignDistributor, UpdateSpec

__all__ = ["check_batch", "check_filter", "check_spec"]


def check_filter(where: AccountFilter, catalog: Catalog) -> None:
    """Refuse a filter that cannot be used for updates (DESIGN.md section 4).

    Raises:
        CustomFieldFilterError: It looks at custom fields.
        UnknownReferenceError: It names a customer or main product that the catalog does not have.
    """
    if where.custom_fields:
        names = ", ".join(where.custom_fields)
        raise CustomFieldFilterError(f"filter.custom_fields: {names}: updates cannot select by custom fields")
    if where.customer is not None:
        _check_known("filter.customer", where.customer, {entry.id for entry in catalog.customers})
    if where.product is not None:
        _check_product("filter.product", where.product, catalog, is_addon=False)


def check_batch(where: AccountFilter, catalog: Catalog) -> None:
    """Refuse a filter that does not mean exactly one batch of the catalog (DESIGN.md section 4).

    Raises:
        BatchRequiredError: It names none.
        UnknownReferenceError: The catalog, or the customer, has no such batch.
        FilterError: Two customers have a batch of that name, and no customer is given.
    """
    if where.batch is None:
        raise BatchRequiredError("filter.batch: missing; updates need exactly one batch")
    owners = sorted(entry.customer for entry in catalog.batches if entry.id == where.batch)
    if not owners:
        _check_known("filter.batch", where.batch, {entry.id for entry in catalog.batches})
    if where.customer is None and len(owners) > 1:
        raise FilterError(
            f'filter.batch: "{where.batch}" is a batch of {", ".join(owners)}; say which in filter.customer'
        )
    if where.customer is not None and where.customer not in owners:
        raise UnknownReferenceError(
            f'filter.batch: "{where.batch}" is a batch of {", ".join(owners)}, not of "{where.customer}"'
        )


def check_spec(spec: UpdateSpec, catalog: Catalog) -> None:
    """Refuse a spec that points at something the catalog does not have.

    Raises:
        UnknownReferenceError: It names the setting, the value and the nearest known one.
    """
    if spec.product is not KEEP:
        _check_product("spec.product", spec.product, catalog, is_addon=False)
    if spec.addons is not KEEP:
        for addon in sorted(spec.addons.addons):
            _check_product("spec.addons", addon, catalog, is_addon=True)
    if isinstance(spec.ivr_language, str):
        _check_known("spec.ivr_language", spec.ivr_language, catalog.ivr_languages)
    if spec.role is not KEEP:
        _check_known("spec.role", spec.role, catalog.roles)
    if isinstance(spec.site, str):
        _check_known("spec.site", spec.site, {entry.id for entry in catalog.sites})
    if isinstance(spec.distributor, AssignDistributor):
        _check_known("spec.distributor", spec.distributor.id, {entry.id for entry in catalog.distributors})


def _check_product(place: str, name: str, catalog: Catalog, *, is_addon: bool) -> None:
    product = catalog.product(name)
    if product is not None and product.is_addon is not is_addon:
        kind = "a main product, not an add-on" if is_addon else "an add-on, not a main product"
        raise UnknownReferenceError(f'{place}: "{name}" is {kind}')
    _check_known(place, name, {entry.id for entry in catalog.products if entry.is_addon is is_addon})


def _check_known(place: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UnknownReferenceError(f'{place}: the catalog does not know "{name}"; {nearest(name, known)}')
