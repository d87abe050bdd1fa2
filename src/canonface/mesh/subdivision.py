"""Subdivision of a mesh: every triangle is split into four at the midpoints of its edges.

A vertex of the subdivided mesh is a fixed mix of at most three base vertices. So one sparse matrix interpolates any
data of the base vertices: positions in a photo, in 3D or in the texture. Existing vertices keep their indices: the
vertices of subdivision k are the first vertices of subdivision k + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from canonface.errors import OptionError
from canonface.mesh.topology import SparseMatrix, mesh_edges

MAX_SUBDIVISION = 4


@dataclass(frozen=True, eq=False)
class Subdivision:
    """Mesh topology after some rounds of subdivision.

    Attributes:
        triangles: ``(T 4^k, 3)`` after ``k`` rounds, in the winding of the base mesh.
        from_base: ``(V, B)`` ``scipy.sparse.csr_array``: at most three positive weights per row, which sum to 1. They
            are multiples of ``2^-k``, hence exact. The first ``B`` rows are the identity.
        mirror: ``(V,)`` counterpart of each vertex; it is its own inverse.
    """

    triangles: Int[np.ndarray, "t 3"] = field(repr=False)
    from_base: SparseMatrix = field(repr=False)
    mirror: Int[np.ndarray, "v"] = field(repr=False)


def subdivide(
    triangles: Int[np.ndarray, "t 3"], base_mirror: Int[np.ndarray, "b"], subdivision: int
) -> Subdivision:
    """Split every triangle into four, ``subdivision`` times.

    Args:
        triangles: ``(T, 3)`` triangles of the base mesh.
        base_mirror: ``(B,)`` left-right counterparts of the base vertices; it must map edges to edges.
        subdivision: number of rounds; each multiplies the number of vertices by about four.

    Raises:
        OptionError: the subdivision is not 0 to 4, or the mirror is not a symmetry of the triangles.
    """
    from scipy.sparse import eye_array

    check_subdivision(subdivision)
    current = Subdivision(triangles, eye_array(len(base_mirror), format="csr"), base_mirror)
    for _ in range(subdivision):
        current = _split_once(current)
    return current


def check_subdivision(subdivision: int) -> None:
    """Raise OptionError if the subdivision is not a whole number from 0 to ``MAX_SUBDIVISION``."""
    whole = isinstance(subdivision, (int, np.integer)) and not isinstance(subdivision, bool)
    if not whole or not 0 <= subdivision <= MAX_SUBDIVISION:
        raise OptionError(
            f"A mesh subdivision is a whole number from 0 (468 vertices) to {MAX_SUBDIVISION} (about 115 thousand); "
            f"got {subdivision!r}. Subdivision 1 (1833 vertices) suits most models."
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
    """Return the row of ``edges`` (sorted) that joins the two vertices of each pair, in either order."""
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
