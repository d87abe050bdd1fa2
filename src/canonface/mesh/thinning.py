"""Every k-th vertex of a dense mesh, with triangles of their own."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.mesh.topology import mesh_edges


def thinned_triangles(
    vertices: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"], kept: Int[np.ndarray, "k"]
) -> Int[np.ndarray, "s 3"]:
    """Triangles between some of a mesh's vertices, along its surface: the dual of their Voronoi cells.

    Each vertex belongs to the kept one that is nearest along the mesh's edges; where a triangle's corners belong to
    three of them, those three make a triangle, of the same winding. So the thin mesh has the dense one's openings
    and never joins a nose to a cheek that lies behind it.

    Args:
        vertices: ``(V, 3)`` of the dense mesh.
        triangles: ``(T, 3)`` of the dense mesh.
        kept: vertex indices, each once.

    Returns:
        ``(S, 3)`` positions in ``kept``.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    low, high = mesh_edges(triangles).T
    length = np.maximum(np.linalg.norm(vertices[low] - vertices[high], axis=1), 1e-12)
    graph = csr_array((length, (low, high)), shape=(len(vertices), len(vertices)))
    nearest = dijkstra(graph, directed=False, indices=kept, min_only=True, return_predecessors=True)[2]
    number = np.full(len(vertices) + 1, -1)
    number[kept] = np.arange(len(kept))
    cells = number[np.where(nearest >= 0, nearest, len(vertices))][triangles]  # -1: joined to no kept vertex
    a, b, c = cells.T
    corners = cells[(a != b) & (b != c) & (c != a) & (cells >= 0).all(axis=1)]
    # The same three may meet twice: each once, in the winding of the first.
    first = np.unique(np.sort(corners, axis=1), axis=0, return_index=True)[1]
    return np.asarray(corners[np.sort(first)], dtype=np.int64)


def every_kth(count: int, stride: int) -> Int[np.ndarray, "k"]:
    """Indices of every ``stride``-th of ``count`` vertices, from the first.

    Raises:
        OptionError: the stride is no whole number from 1 to the count.
    """
    whole = isinstance(stride, (int, np.integer)) and not isinstance(stride, bool)
    if not whole or not 1 <= stride <= count:
        raise OptionError(f"A stride is a whole number from 1 to the {count} vertices; got {stride!r}.")
    return np.arange(0, count, stride, dtype=np.int64)
