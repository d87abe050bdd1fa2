"""Named places of the face, as sets of vertices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from canonface.mesh.topology import SparseMatrix

_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_MIRRORED = {"right_eye": _EYE, "right_eyebrow": (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)}


def base_regions() -> dict[str, tuple[int, ...]]:
    """Vertices of the base mesh that make up each region."""
    return {name: tuple(sorted(members)) for name, members in _MIRRORED.items()}


def dense_region(members: tuple[int, ...], from_base: SparseMatrix) -> Int[np.ndarray, "n"]:
    """Vertices of which more than half the weight lies on the region's base vertices."""
    inside = np.zeros(from_base.shape[1])
    inside[list(members)] = 1.0
    return np.flatnonzero(from_base @ inside > 0.5)
