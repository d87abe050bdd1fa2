"""What follows from the triangles alone, and normals: edges, neighbours, the rim."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError

SparseMatrix: TypeAlias = Any  # scipy.sparse.csr_array, which is imported only where it is used


def mesh_edges(triangles: Int[np.ndarray, "t 3"]) -> Int[np.ndarray, "e 2"]:
    """Every edge once, as ``(low, high)`` vertex indices, sorted by row."""
    return np.unique(np.sort(_half_edges(triangles), axis=1), axis=0)


def adjacency(triangles: Int[np.ndarray, "t 3"], vertex_count: int) -> SparseMatrix:
    """Which vertices share an edge.

    Returns:
        ``(V, V)`` symmetric boolean ``scipy.sparse.csr_array``, False on the diagonal.
    """
    from scipy.sparse import csr_array

    low, high = mesh_edges(triangles).T
    rows, columns = np.concatenate([low, high]), np.concatenate([high, low])
    return csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(vertex_count, vertex_count))


def vertex_normals(
    points: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"]
) -> Float[np.ndarray, "v 3"]:
    """Unit normals, each the mean of the normals of the vertex's triangles weighted by their areas.

    ``n_v`` is parallel to the sum over the triangles (a, b, c) around v of ``(b - a) x (c - a)``, whose
    length is twice the triangle's area. In axes with x right, y up, z to the viewer, normals of the canonical
    mesh point outwards. In pixels (y down) with depth away from the camera they do so too, as two axes are
    turned.

    Args:
        points: ``(V, 3)`` any placement of the vertices.
        triangles: ``(T, 3)`` counter-clockwise from outside.

    Returns:
        ``(V, 3)`` unit vectors; zero for a vertex without area around it.
    """
    a, b, c = (points[triangles[:, corner]].astype(np.float64) for corner in range(3))
    twice_area = np.cross(b - a, c - a)
    sums = np.zeros((len(points), 3))
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], twice_area)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0))


def boundary_loop(triangles: Int[np.ndarray, "t 3"]) -> Int[np.ndarray, "n"]:
    """The rim of a disc: its vertices in counter-clockwise order, starting with the lowest index.

    Raises:
        OptionError: the rim is not one simple loop, so the mesh is no disc.
    """
    half = _half_edges(triangles)
    edges, index, count = np.unique(np.sort(half, axis=1), axis=0, return_inverse=True, return_counts=True)
    rim = half[count[index.ravel()] == 1]
    follows = dict(rim.tolist())
    loop = [min(follows, default=-1)]
    while len(loop) <= len(rim) and follows.get(loop[-1], loop[0]) != loop[0]:
        loop.append(follows[loop[-1]])
    if count.max(initial=0) > 2 or not len(rim) or len(loop) != len(rim):
        raise OptionError(
            "A disc has one rim and at most two triangles an edge; got "
            f"{len(edges)} edges, {len(rim)} of them on the rim, of which one loop takes {len(loop)}. "
            "Close its holes, or take the canonical mesh."
        )
    return np.array(loop, dtype=np.int64)


def _half_edges(triangles: np.ndarray) -> np.ndarray:
    """The three directed edges of every triangle, ``(3 T, 2)``."""
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
