"""Read-only arrays and tables of arrays, shared by all callers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped


def freeze(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Return a read-only copy of the array."""
    own = array.copy()
    own.flags.writeable = False
    return own


def freeze_sparse(matrix: Any) -> Any:
    """Make the arrays of a sparse matrix read-only, and return it."""
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    return matrix


class FrozenArrays(Mapping[str, np.ndarray]):
    """Read-only mapping from names to arrays.

    It replaces ``types.MappingProxyType``, which cannot be pickled: meshes are sent to worker processes.
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = {name: freeze(array) for name, array in arrays.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"FrozenArrays({', '.join(self._arrays)})"
