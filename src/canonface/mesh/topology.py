"""Topology and normals of a triangle mesh: edges, neighbours, boundary."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError

SparseMatrix: TypeAlias = Any  # scipy.sparse.csr_array, which is imported only where it is used


def mesh_edges(triangles: Int[np.ndarray, "t 3"]) -> Int[np.ndarray, "e 2"]:
    """Return every edge once, as ``(low, high)`` vertex indices, rows sorted."""
    return np.unique(np.sort(_half_edges(triangles), axis=1), axis=0)


def adjacency(triangles: Int[np.ndarray, "t 3"], vertex_count: int) -> SparseMatrix:
    """Return the adjacency matrix: True where two vertices share an edge.

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
    """Return unit normals: the area-weighted mean of the normals of each vertex's triangles.

    ``n_v`` is parallel to the sum over the triangles (a, b, c) around v of ``(b - a) x (c - a)``, whose length is
    twice the area of the triangle. Normals of the canonical mesh point outwards with x right, y up and z towards the
    viewer. They do so too in pixels (y down) with depth away from the camera, because two axes are reversed.

    Args:
        points: ``(V, 3)`` positions of the vertices.
        triangles: ``(T, 3)`` counter-clockwise when seen from outside.

    Returns:
        ``(V, 3)`` unit vectors; zero for a vertex whose triangles have no area.
    """
    a, b, c = (points[triangles[:, corner]].astype(np.float64) for corner in range(3))
    twice_area = np.cross(b - a, c - a)
    sums = np.zeros((len(points), 3))
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], twice_area)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0))


def boundary_loop(triangles: Int[np.ndarray, "t 3"]) -> Int[np.ndarray, "n"]:
    """Return the boundary vertices of a disc in counter-clockwise order, starting with the lowest index.

    Raises:
        OptionError: the boundary is not one simple loop, so the mesh is not a disc.
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
            "A disc has one boundary and at most two triangles per edge; got "
            f"{len(edges)} edges, {len(rim)} of them on the boundary, of which one loop has {len(loop)}. "
            "Close its holes, or use the canonical mesh."
        )
    return np.array(loop, dtype=np.int64)


def _half_edges(triangles: np.ndarray) -> np.ndarray:
    """Return the three directed edges of every triangle, ``(3 T, 2)``."""
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
