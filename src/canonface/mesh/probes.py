"""Which vertices are asked: the points at which a patch is centred."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from canonface.errors import OptionError
from canonface.types import Mesh


def probe_vertices(mesh: Mesh, stride: int = 1) -> Int[np.ndarray, "p"]:
    """Every ``stride``-th vertex, from the first, as the paper thins its mesh of 43,867 to 2,194 points.

    Args:
        mesh: the canonical mesh.
        stride: 1 for every vertex.

    Returns:
        ``(P,)`` ascending vertex indices, ``P = ceil(V / stride)``.

    Raises:
        OptionError: the stride is no whole number from 1 to the number of vertices.
    """
    count = len(mesh.vertices)
    whole = isinstance(stride, (int, np.integer)) and not isinstance(stride, bool)
    if not whole or not 1 <= stride <= count:
        raise OptionError(
            f"A stride is a whole number from 1 to the mesh's {count} vertices; got {stride!r}. "
            "Take 1 for every vertex, or a lower mesh level for fewer, evenly spread ones."
        )
    return np.arange(0, count, stride, dtype=np.int64)
