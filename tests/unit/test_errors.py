import pickle

import pytest

from account_batch import errors
from account_batch.errors import AccountBatchError, FilterError, PlanError, SpecError, StoreError, nearest

_PARENTS: dict[str, tuple[type[Exception], ...]] = {
    "AccountBatchError": (Exception,),
    "InvalidValueError": (AccountBatchError, ValueError),
    "FilterError": (AccountBatchError, ValueError),
    "BatchRequiredError": (FilterError,),
    "CustomFieldFilterError": (FilterError,),
    "SpecError": (AccountBatchError, ValueError),
    "EmptySpecError": (SpecError,),
    "UnknownReferenceError": (SpecError,),
    "PlanError": (AccountBatchError,),
    "PlanExpiredError": (PlanError,),
    "PlanFormatError": (PlanError,),
    "DigestMismatchError": (PlanError,),
    "GuardError": (PlanError,),
    "StoreError": (AccountBatchError,),
    "ChangeRejectedError": (StoreError,),
    "StoreLayoutError": (StoreError,),
    "FormatError": (AccountBatchError,),
}


@pytest.mark.parametrize("name", _PARENTS)
def test_every_error_is_caught_by_its_parents(name: str) -> None:
    """Each error has exactly the parents that the design gives it."""
    assert getattr(errors, name).__bases__ == _PARENTS[name]


def test_the_tree_is_complete() -> None:
    """The table above names all public errors, so a new one cannot stay outside the tree."""
    assert {name for name in errors.__all__ if name.endswith("Error")} == set(_PARENTS)


@pytest.mark.parametrize("name", _PARENTS)
def test_errors_survive_pickling(name: str) -> None:
    """An error that crosses a process boundary keeps its class and its story."""
    error = getattr(errors, name)('filter.batch: "X"')
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # The bytes are our own.
    assert (type(copy), str(copy)) == (type(error), 'filter.batch: "X"')


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("batsh", ["batch", "blocked"], 'did you mean "batch"?'),
        ("zzz", ["used", "batch"], "known are: batch, used"),
        ("zzz", [], "none are known"),
        ("zzz", (f"n{number:02}" for number in range(20)), "known are: " + ", ".join(f"n{n:02}" for n in range(20))),
        ("zzz", (f"n{n:02}" for n in range(21)), "known are: " + ", ".join(f"n{n:02}" for n in range(20)) + ", ..."),
    ],
    ids=["typo", "nothing near", "nothing known", "twenty", "more than twenty"],
)
def test_nearest_hints_at_what_was_meant(word: str, known: list[str], hint: str) -> None:
    """A typo is answered with the nearest name, anything else with the first twenty names in order."""
    assert nearest(word, known) == hint
