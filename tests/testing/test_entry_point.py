"""st.from_type knows every public value as soon as Hypothesis is loaded, and loads nothing before it is asked."""

import subprocess
import sys
from importlib.metadata import entry_points

import attrs
import pytest

import account_batch

VALUES = [name for name in account_batch.__all__ if attrs.has(getattr(account_batch, name))]
ENUMS = [
    *("AccountKind", "AccountState", "EffectKind", "NoteCode", "Outcome", "RefusalCode"),
    *("Registration", "StatusChange", "StatusFilter", "TransactionKind", "UnifiedMessaging"),
]

DRAW = """
import warnings
from hypothesis import HealthCheck, given, settings, strategies as st

for name in {names}:
    kind = getattr(account_batch, name)

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.from_type(kind))
    def draw(value):
        assert type(value) is kind, (name, value)
        hash(value)
        seen.append(name)

    seen = []
    draw()
    assert seen
    assert "account_batch_hypothesis" in sys.modules
"""


def run(code: str) -> None:
    """Run some lines in an interpreter of their own; they end well."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_left_out() -> None:
    """Every class among the public names is a value, an enum, or the store."""
    kinds = {name for name in account_batch.__all__ if isinstance(getattr(account_batch, name), type)}
    assert kinds == {*VALUES, *ENUMS, "MemoryStore"}


@pytest.mark.parametrize("names", [VALUES[start::3] for start in range(3)] + [ENUMS], ids=["1", "2", "3", "enums"])
@pytest.mark.parametrize("first", ["account_batch", "hypothesis"])
def test_every_public_value_is_drawn(first: str, names: list[str]) -> None:
    """Whichever of the two is imported first, and without importing account_batch.testing."""
    run(f"import sys, {first}, account_batch" + DRAW.format(names=names))


def test_hypothesis_alone_does_not_load_the_library() -> None:
    """Programs that do not use the library do not pay for it."""
    run("import sys, hypothesis; assert not any(name.startswith('account_batch.') for name in sys.modules)")
    run("import sys, hypothesis; assert 'account_batch' not in sys.modules")


def test_the_library_alone_does_not_load_hypothesis() -> None:
    """Nor does it load its kit for tests when Hypothesis is there."""
    run("import sys, account_batch; assert 'hypothesis' not in sys.modules")
    run("import sys, hypothesis, account_batch; assert 'account_batch.testing' not in sys.modules")


def test_the_library_is_loaded_as_ever() -> None:
    """After the values are registered, nothing of it can be seen on the module, and nothing waits any more."""
    run(
        """
import sys, hypothesis, importlib.util
waiting = len(sys.meta_path)
spec = importlib.util.find_spec("account_batch")
assert "__all__" in spec.loader.get_source("account_batch")
assert len(sys.meta_path) == waiting
import account_batch, importlib.resources, inspect
from importlib.machinery import SourceFileLoader
assert len(sys.meta_path) == waiting - 1
assert type(account_batch.__loader__) is type(account_batch.__spec__.loader) is SourceFileLoader
assert "__all__" in inspect.getsource(account_batch)
assert importlib.resources.files("account_batch").joinpath("py.typed").is_file()
importlib.reload(account_batch)
from hypothesis import strategies as st
assert not st.from_type(account_batch.Plan).is_empty
"""
    )


def test_a_missing_library_is_missed_as_ever() -> None:
    """The import of what is not installed says so."""
    run(
        """
import sys, hypothesis
sys.path.clear()
sys.path_importer_cache.clear()
try:
    import account_batch
except ModuleNotFoundError as error:
    assert error.name == "account_batch"
else:
    raise AssertionError(account_batch.__file__)
"""
    )


def test_hypothesis_finds_it() -> None:
    """The installed package has the entry point, under its own name."""
    (point,) = entry_points(group="hypothesis", name="account_batch")
    assert point.value == "account_batch_hypothesis:register"
