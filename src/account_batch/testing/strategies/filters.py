"""Strategies of filters, and of the control numbers in them."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from account_batch.catalog import Catalog
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch, TextMode
from account_batch.testing.strategies.accounts import ACCOUNT_IDS, DETAILS
from account_batch.testing.strategies.arguments import check_catalog, check_whole
from account_batch.testing.strategies.names import BATCHES, CUSTOMERS, PRODUCTS

__all__ = ["FEW_NUMBERS", "TEXT_MATCHES", "control_number_texts", "filters"]

_HIGHEST = 2**31 - 1
_SPACES = st.sampled_from(["", "", " ", "  "])
_ZEROS = st.sampled_from(["", "", "0", "000"])
_RANGES = st.sampled_from(["-", "-", " - ", "- ", " -"])
_BAD_ITEMS = (
    *("", "0", "00", "8-3", "0-3", "-", "-1", "1-", "+1", "1-2-3", "1--2", "1.5", "1e3", "0x1", "x", "*", "1 2", "1;2"),
    *("2147483648", "1-2147483648", "9" * 30, "\u0661", "\u00b2", "\uff11", "1\u20132", "1\t", "\u00a01", "1\n", "1\0"),
)


def control_number_texts(*, valid: bool = True, max_number: int = _HIGHEST) -> st.SearchStrategy[str]:
    """Texts of control numbers as people write them: commas and ranges, spaces around items, leading zeros.

    Valid ones shrink to "1". Of the others, one item makes all of it wrong: it is empty, reversed, zero, signed, above
    2^31 - 1, not in ASCII digits or no number at all.

    Args:
        valid: Whether ControlNumbers accepts them; it raises FilterError for the others.
        max_number: The highest number in the items that are right.

    Raises:
        InvalidArgument: valid is no flag, or max_number is no control number.
    """
    if not isinstance(valid, bool):
        raise InvalidArgument(f"valid={valid!r} is neither True nor False")
    check_whole("max_number", max_number, 1, _HIGHEST)
    number = st.integers(1, min(12, max_number)) | st.integers(1, max_number)
    return _valid_texts(number) if valid else _invalid_texts(number)


@st.composite
def _items(draw: st.DrawFn, number: st.SearchStrategy[int]) -> str:
    numbers = sorted(draw(st.lists(number, min_size=1, max_size=2)))
    item = draw(_RANGES).join(f"{draw(_ZEROS)}{one}" for one in numbers)
    return f"{draw(_SPACES)}{item}{draw(_SPACES)}"


def _valid_texts(number: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    return st.lists(_items(number), min_size=1, max_size=5).map(",".join)


def _invalid_texts(number: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    some = st.lists(_items(number), max_size=2)
    bad = st.sampled_from(_BAD_ITEMS)
    return st.builds(lambda before, item, after: ",".join([*before, item, *after]), some, bad, some)


FEW_NUMBERS = control_number_texts(max_number=12).map(ControlNumbers)
TEXT_MATCHES = st.builds(TextMatch, st.sampled_from(TextMode), ACCOUNT_IDS)

_CRITERIA: dict[str, st.SearchStrategy[Any]] = {
    "control_numbers": FEW_NUMBERS,
    "account_id": TEXT_MATCHES,
    "status": st.sampled_from(StatusFilter),
    "registration": st.sampled_from(Registration),
    "blocked": st.booleans(),
    "used": st.booleans(),
    "contact": DETAILS,
    "custom_fields": DETAILS,
}
_FOR_UPDATE = [*(name for name in _CRITERIA if name != "custom_fields"), "customer", "product"]


def _few(names: list[str]) -> st.SearchStrategy[list[str]]:
    """At most two, so that filters select something."""
    return st.lists(st.sampled_from(names), unique=True, max_size=2)


_FEW_FOR_UPDATE, _FEW = _few(_FOR_UPDATE), _few([*_FOR_UPDATE, "custom_fields"])
_ANY_BATCHES = tuple((batch, customer) for batch in BATCHES for customer in CUSTOMERS)


def filters(catalog: Catalog | None = None, *, for_update: bool = False) -> st.SearchStrategy[AccountFilter]:
    """Filters with few criteria beside the batch, so that they select something.

    They shrink to one without criteria or, for updates, to a batch.

    Args:
        catalog: What they point at; where two customers have a batch of the same name, a filter for updates says whose.
            Without it, they point at a few names.
        for_update: Whether they are fit for plan_update: with a batch, and without custom fields.

    Raises:
        InvalidArgument: catalog is no Catalog or, for updates, has no batch of its customers, or for_update is no flag.
    """
    check_catalog(catalog, optional=True)
    if not isinstance(for_update, bool):
        raise InvalidArgument(f"for_update={for_update!r} is neither True nor False")
    if catalog is not None and for_update and not _batches(catalog):
        raise InvalidArgument("catalog: has no batch of a customer that it knows, and updates need one")
    return _filters(catalog, for_update=for_update)


def _batches(catalog: Catalog) -> list[tuple[str, str]]:
    return [(entry.id, entry.customer) for entry in catalog.batches if catalog.customer(entry.customer)]


@st.composite
def _filters(draw: st.DrawFn, catalog: Catalog | None, *, for_update: bool) -> AccountFilter:
    names = draw(_FEW_FOR_UPDATE if for_update else _FEW)
    criteria = {name: draw(values) for name, values in _CRITERIA.items() if name in names}
    batches = _ANY_BATCHES if catalog is None else _batches(catalog)
    if batches and (for_update or draw(st.booleans())):
        criteria["batch"], owner = draw(st.sampled_from(batches))
        customers = [owner]
        if for_update and catalog is not None and _is_shared(criteria["batch"], catalog):
            names = [*names, "customer"]
    else:
        customers = list(CUSTOMERS) if catalog is None else [entry.id for entry in catalog.customers]
    if "customer" in names and customers:
        criteria["customer"] = draw(st.sampled_from(customers))
    products = PRODUCTS if catalog is None else [entry.id for entry in catalog.products if not entry.is_addon]
    if "product" in names and products:
        criteria["product"] = draw(st.sampled_from(products))
    return AccountFilter(**criteria)


def _is_shared(batch: str, catalog: Catalog) -> bool:
    return sum(entry.id == batch for entry in catalog.batches) > 1
