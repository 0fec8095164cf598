"""FrozenMapping: a mapping that never changes, and so can be hashed, copied and pickled like any other value."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

__all__ = ["FrozenMapping"]

_Key = TypeVar("_Key")
_Item_co = TypeVar("_Item_co", covariant=True)


class FrozenMapping(Mapping[_Key, _Item_co]):
    """Keys and values that stay; equal to any mapping with the same ones."""

    __slots__ = ("_items",)
    _items: dict[_Key, _Item_co]

    def __init__(self, items: Mapping[_Key, _Item_co] | Iterable[tuple[_Key, _Item_co]] = ()) -> None:
        object.__setattr__(self, "_items", dict(items))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a FrozenMapping is immutable; cannot set {name}")

    def __getitem__(self, key: _Key) -> _Item_co:
        return self._items[key]

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __reduce__(self) -> tuple[type["FrozenMapping[_Key, _Item_co]"], tuple[dict[_Key, _Item_co]]]:
        return type(self), (self._items,)

    def __repr__(self) -> str:
        return repr(self._items)
