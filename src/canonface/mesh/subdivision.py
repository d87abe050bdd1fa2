"""Denser meshes out of a coarse one: every triangle into four, at the middles of its edges.

A dense vertex is a fixed mix of at most three base vertices, so a level is one sparse matrix, applied to
whatever the base vertices carry: positions on a photo, in 3D, in the texture. Old vertices keep their
numbers: level k is the beginning of level k + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from canonface.errors import OptionError
from canonface.mesh.topology import SparseMatrix, mesh_edges

MAX_LEVEL = 4


@dataclass(frozen=True, eq=False)
class Subdivision:
    """One level of a subdivided mesh.

    Attributes:
        triangles: ``(T 4^level, 3)``, oriented as the base mesh's.
        from_base: ``(V, B)`` ``scipy.sparse.csr_array``: at most three positive weights a row, summing to 1;
            multiples of ``2^-level``, hence exact. The first ``B`` rows are the identity.
        mirror: ``(V,)`` each vertex's counterpart, its own inverse.
    """

    triangles: Int[np.ndarray, "t 3"] = field(repr=False)
    from_base: SparseMatrix = field(repr=False)
    mirror: Int[np.ndarray, "v"] = field(repr=False)


def subdivide(
    triangles: Int[np.ndarray, "t 3"], base_mirror: Int[np.ndarray, "b"], level: int
) -> Subdivision:
    """The mesh after ``level`` rounds of splitting every triangle into four.

    Args:
        triangles: ``(T, 3)`` of the base mesh.
        base_mirror: ``(B,)`` left-right counterparts of the base vertices; it must map edges to edges.
        level: 0 for the base mesh; the number of vertices grows about fourfold a level.

    Raises:
        OptionError: the level is none of 0 to 4, or the mirror is no symmetry of the triangles.
    """
    from scipy.sparse import eye_array

    check_level(level)
    current = Subdivision(triangles, eye_array(len(base_mirror), format="csr"), base_mirror)
    for _ in range(level):
        current = _split_once(current)
    return current


def check_level(level: int) -> None:
    """Refuse a level that is not a whole number from 0 to ``MAX_LEVEL``."""
    whole = isinstance(level, (int, np.integer)) and not isinstance(level, bool)
    if not whole or not 0 <= level <= MAX_LEVEL:
        raise OptionError(
            f"A mesh level is a whole number from 0 (468 vertices) to {MAX_LEVEL} (about 115 thousand); "
            f"got {level!r}. Level 1 (1833 vertices) suits most models."
        )


def _split_once(mesh: Subdivision) -> Subdivision:
    from scipy.sparse import csr_array, vstack

    count = len(mesh.mirror)
    edges = mesh_edges(mesh.triangles)
    a, b, c = mesh.triangles.T
    ab, bc, ca = (count + _edge_index(edges, pair, count) for pair in ((a, b), (b, c), (c, a)))
    corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    triangles = np.concatenate([np.stack(corner, axis=1) for corner in corners])

    rows = np.repeat(np.arange(len(edges)), 2)
    halves = csr_array((np.full(2 * len(edges), 0.5), (rows, edges.ravel())), shape=(len(edges), count))
    from_base = vstack([mesh.from_base, halves @ mesh.from_base], format="csr")
    from_base.sort_indices()

    across = _edge_index(edges, (mesh.mirror[edges[:, 0]], mesh.mirror[edges[:, 1]]), count)
    return Subdivision(triangles, from_base, np.concatenate([mesh.mirror, count + across]))


def _edge_index(edges: np.ndarray, pair: tuple[np.ndarray, np.ndarray], count: int) -> np.ndarray:
    """Row of ``edges`` (sorted) that joins the two vertices of each pair, in either order."""
    keys = edges[:, 0] * count + edges[:, 1]
    wanted = np.minimum(*pair) * count + np.maximum(*pair)
    index = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    if not np.array_equal(keys[index], wanted):
        raise OptionError(
            "A mirror maps every edge to an edge; "
            f"{int((keys[index] != wanted).sum())} of {len(wanted)} have no counterpart. "
            "Give the symmetry of this mesh."
        )
    return np.asarray(index)
