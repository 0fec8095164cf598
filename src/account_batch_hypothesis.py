"""What Hypothesis loads through its entry point: strategies for st.from_type, made once somebody asks for them.

This module lies beside the package, and not in it, because Hypothesis loads it in every program that uses Hypothesis:
importing anything of the package would import the whole library there. It waits instead until somebody else does.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["register"]

_PACKAGE = "account_batch"


def register() -> None:
    """Register the public values, now or as soon as the library is imported."""
    package = sys.modules.get(_PACKAGE)
    if package is None:
        sys.meta_path.insert(0, _WaitForPackage())
    else:
        _register_values(package)


class _WaitForPackage(MetaPathFinder):
    """Sees the library being looked for, and leaves the finding and loading to whoever does it otherwise."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the library, with a loader that registers its values at the end; of no other module."""
        if fullname != _PACKAGE:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader, self)
        return spec


class _RegisteringLoader(Loader):
    """Loads as another does, who from then on is the loader of the module; nobody waits for it any more."""

    def __init__(self, loader: Loader, waiting: _WaitForPackage) -> None:
        self._loader = loader
        self._waiting = waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module that the other makes."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Import the library, and register its values."""
        assert module.__spec__ is not None  # The import system sets it before.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        sys.meta_path.remove(self._waiting)
        _register_values(module)


def _register_values(package: ModuleType) -> None:
    from hypothesis import strategies as st  # noqa: PLC0415  # Hypothesis is loading this module, or has loaded it.

    for name in package.__all__:
        kind = getattr(package, name)
        if hasattr(kind, "__attrs_attrs__") and isinstance(kind, type):
            st.register_type_strategy(kind, _strategy)


def _strategy(kind: type) -> Any:
    return importlib.import_module(f"{_PACKAGE}.testing.strategies.values").strategy_of(kind)
