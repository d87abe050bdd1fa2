"""Arrays and tables of arrays that many callers share and none may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Shaped


def frozen(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """A copy of the array, closed to writing."""
    own = array.copy()
    own.flags.writeable = False
    return own


class FrozenArrays(Mapping[str, np.ndarray]):
    """Arrays by name, for reading only.

    A ``types.MappingProxyType`` would do, but it cannot be pickled, and a mesh travels to worker processes.
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = {name: frozen(array) for name, array in arrays.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"FrozenArrays({', '.join(self._arrays)})"
