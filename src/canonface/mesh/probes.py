"""Probe selection: the vertices at which patches are centred."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.types import Mesh


def every_kth(count: int, stride: int, hint: str = "") -> Int[np.ndarray, "k"]:
    """Return the indices of every ``stride``-th of ``count`` vertices, starting with the first.

    Raises:
        OptionError: the stride is not a whole number from 1 to ``count``; the message ends with ``hint``.
    """
    whole = isinstance(stride, (int, np.integer)) and not isinstance(stride, bool)
    if not whole or not 1 <= stride <= count:
        raise OptionError(f"A stride is a whole number from 1 to the {count} vertices; got {stride!r}.{hint}")
    return np.arange(0, count, stride, dtype=np.int64)


def probe_vertices(mesh: Mesh, stride: int = 1) -> Int[np.ndarray, "p"]:
    """Return every ``stride``-th vertex from the first, as the paper reduces its mesh of 43,867 to 2,194 points.

    Args:
        mesh: the canonical mesh.
        stride: 1 for every vertex.

    Returns:
        ``(P,)`` ascending vertex indices, ``P = ceil(V / stride)``.

    Raises:
        OptionError: the stride is not a whole number from 1 to the number of vertices.
    """
    hint = " Take 1 for every vertex, or a lower mesh subdivision for fewer, evenly spread ones."
    return every_kth(len(mesh.vertices), stride, hint)


def poisson_probes(mesh: Mesh, spacing: float) -> Int[np.ndarray, "p"]:
    """Return evenly spaced vertices: at least ``spacing`` cm apart, and no vertex farther than that from the nearest.

    The result is a maximal Poisson-disk sample of the vertices by straight-line distance on the canonical mesh: R.
    Cook, "Stochastic Sampling in Computer Graphics", ACM TOG 5(1), 1986. The order is fixed instead of random, so the
    same mesh always gives the same probes. A vertex and its mirror image are chosen together, so the probes are as
    symmetric as the mesh, except for a few that fill the last gaps. Base vertices, which lie on facial features, come
    first, then the other vertices, from the middle of the face outwards. Face and halo have the same spacing.

    Args:
        mesh: the mesh.
        spacing: smallest distance in centimetres; 0 selects every vertex.

    Returns:
        ``(P,)`` ascending vertex indices.

    Raises:
        OptionError: the spacing is negative or not finite.
    """
    from scipy.spatial import cKDTree

    if not 0 <= spacing < np.inf:
        raise OptionError(f"A spacing is a length in centimetres, 0 or more; got {spacing}.")
    if spacing == 0:
        return np.arange(len(mesh.vertices), dtype=np.int64)
    tree = cKDTree(mesh.vertices)
    free = np.ones(len(mesh.vertices), dtype=bool)
    chosen = np.zeros(len(mesh.vertices), dtype=bool)
    for vertex in _visit_order(mesh):
        pair = {int(vertex), int(mesh.mirror[vertex])}
        places = mesh.vertices[sorted(pair)]
        too_close = len(pair) == 2 and np.linalg.norm(places[0] - places[1]) < spacing
        if too_close or not all(free[member] for member in pair):
            continue
        for member in pair:
            chosen[member] = True
            free[tree.query_ball_point(mesh.vertices[member], spacing * (1 - 1e-9))] = False
    return np.union1d(np.flatnonzero(chosen), _fill_gaps(mesh, free, spacing))


def _visit_order(mesh: Mesh) -> Int[np.ndarray, "v"]:
    """Return base vertices first, then the others; within each, from the middle of the face outwards."""
    middle = mesh.vertices[: mesh.face_count].mean(axis=0)
    away = np.round(np.linalg.norm((mesh.vertices - middle)[:, :2], axis=1), 6)
    of_base = np.arange(len(mesh.vertices)) < mesh.base_count
    return np.lexsort((np.arange(len(mesh.vertices)), away, ~of_base))


def _fill_gaps(mesh: Mesh, free: np.ndarray, spacing: float) -> Int[np.ndarray, "k"]:
    """Choose single vertices that still have room, e.g. where a mirror pair is too close together."""
    room = np.flatnonzero(free)
    taken: list[int] = []
    for vertex in room:
        places: Float[np.ndarray, "k 3"] = mesh.vertices[taken]
        if not taken or np.linalg.norm(places - mesh.vertices[vertex], axis=1).min() >= spacing * (1 - 1e-9):
            taken.append(int(vertex))
    return np.array(taken, dtype=np.int64)
