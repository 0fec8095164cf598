"""What can go wrong with a whole request.

Trouble with one account is never an exception: it is a refusal in the plan or an outcome in the report.
"""

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "AccountBatchError",
    "BatchRequiredError",
    "ChangeRejectedError",
    "CustomFieldFilterError",
    "DigestMismatchError",
    "EmptySpecError",
    "FilterError",
    "FormatError",
    "GuardError",
    "InvalidValueError",
    "PlanError",
    "PlanExpiredError",
    "PlanFormatError",
    "SpecError",
    "StoreError",
    "StoreLayoutError",
    "UnknownReferenceError",
    "nearest",
    "suggestion",
]


class AccountBatchError(Exception):
    """Anything this library refuses; catch it to catch them all."""


class InvalidValueError(AccountBatchError, ValueError):
    """A value that cannot exist: money, an account, a catalog, or an instant without a zone."""


class FilterError(AccountBatchError, ValueError):
    """A filter that does not say which accounts are meant."""


class BatchRequiredError(FilterError):
    """An update without exactly one batch."""


class CustomFieldFilterError(FilterError):
    """An update whose filter looks at custom fields."""


class SpecError(AccountBatchError, ValueError):
    """A spec that cannot be carried out on any account."""


class EmptySpecError(SpecError):
    """A spec that sets nothing."""


class UnknownReferenceError(SpecError):
    """A filter or spec that points at something the catalog does not have."""


class PlanError(AccountBatchError):
    """A plan that cannot be made, or not be applied here and now."""


class PlanExpiredError(PlanError):
    """A plan that is past its valid_until: plan again."""


class PlanFormatError(PlanError):
    """A text that is no plan of a known format version."""


class DigestMismatchError(PlanError):
    """A plan file whose content is not what was written."""


class GuardError(PlanError):
    """A guard that the caller set, or that termination and credit limits bring, said stop."""


class StoreError(AccountBatchError):
    """The storage could not do its part; nothing of the running transaction was kept."""


class ChangeRejectedError(StoreError):
    """The storage refused a transaction because of some account in it; nothing of it was kept.

    A store raises this, and not plain StoreError, where the same transaction without that account may succeed.
    """


class StoreLayoutError(StoreError):
    """The storage is not what the store is made for: none at all, or without what it needs; trying again is no help."""


class FormatError(AccountBatchError):
    """A file that does not follow its format; the message names the place."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint that a typo deserves: the nearest known name, or the list of what there is."""
    names = sorted(known)
    if (close := _closest(word, names)) is not None:
        return f'did you mean "{close}"?'
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"known are: {shown}" if names else "none are known"


def suggestion(word: object, known: Iterable[str]) -> str:
    """What to add where all that is known is listed already: the nearest, if there is one."""
    close = _closest(word, list(known)) if isinstance(word, str) else None
    return "" if close is None else f'; did you mean "{close}"?'


def _closest(word: str, names: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, names, n=1)), None)
