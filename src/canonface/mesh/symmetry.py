"""Left and right: which vertex of the base mesh is the mirror image of which."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError


def base_mirror(vertices: Float[np.ndarray, "v 3"], tolerance: float = 1e-6) -> Int[np.ndarray, "v"]:
    """Counterpart of every vertex under ``x -> -x``; a vertex of the midline is its own.

    The canonical face is exactly symmetric, so this is a look-up rather than a nearest-neighbour guess.
    Denser levels take their mirror from this one, edge by edge (``subdivision.subdivide``).

    Args:
        vertices: ``(V, 3)`` canonical positions, x across the face.
        tolerance: largest distance, in the vertices' unit, between a vertex and its mirrored counterpart.

    Raises:
        OptionError: the mesh is not symmetric.
    """
    from scipy.spatial import cKDTree

    distance, mirror = cKDTree(vertices).query(vertices * (-1.0, 1.0, 1.0))
    mirror = np.asarray(mirror, dtype=np.int64)
    if distance.max(initial=0.0) > tolerance or not np.array_equal(mirror[mirror], np.arange(len(vertices))):
        raise OptionError(
            f"A symmetric mesh has each vertex's mirror image among its vertices, within {tolerance:g}; "
            f"the farthest is {distance.max():g} away. Give a mesh that is symmetric about x = 0."
        )
    return mirror
