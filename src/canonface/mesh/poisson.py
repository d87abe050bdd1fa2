"""Probes at an even distance: no two nearer than a spacing, none missing where one fits (Poisson-disk sampling)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.types import Mesh


def poisson_probes(mesh: Mesh, spacing: float) -> Int[np.ndarray, "p"]:
    """Vertices at least ``spacing`` centimetres apart, such that every other vertex lies within that of one of them.

    A maximal Poisson-disk sample of the vertices by straight-line distance on the canonical mesh: R. Cook,
    "Stochastic Sampling in Computer Graphics", ACM TOG 5(1), 1986, drawn here in a fixed order and without chance, so
    that the same mesh gives the same probes everywhere. A vertex and its mirror image are taken together, so that the
    probes are as symmetric as the mesh, but for the last few. Base vertices, which lie on features, are tried first,
    then the others, from the middle of the face outwards. Face and halo share the spacing.

    Args:
        mesh: the mesh.
        spacing: least distance in centimetres; 0 takes every vertex.

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
    for vertex in _order(mesh):
        pair = {int(vertex), int(mesh.mirror[vertex])}
        places = mesh.vertices[sorted(pair)]
        too_close = len(pair) == 2 and np.linalg.norm(places[0] - places[1]) < spacing
        if too_close or not all(free[member] for member in pair):
            continue
        for member in pair:
            chosen[member] = True
            free[tree.query_ball_point(mesh.vertices[member], spacing * (1 - 1e-9))] = False
    return np.union1d(np.flatnonzero(chosen), _left_over(mesh, free, spacing))


def _order(mesh: Mesh) -> Int[np.ndarray, "v"]:
    """Right and midline vertices of the base, then all others, each from the middle of the face outwards."""
    middle = mesh.vertices[: mesh.face_count].mean(axis=0)
    away = np.round(np.linalg.norm((mesh.vertices - middle)[:, :2], axis=1), 6)
    of_base = np.arange(len(mesh.vertices)) < mesh.base_count
    return np.lexsort((np.arange(len(mesh.vertices)), away, ~of_base))


def _left_over(mesh: Mesh, free: np.ndarray, spacing: float) -> Int[np.ndarray, "k"]:
    """One by one, vertices that still have room, e.g. where a pair lies too close to itself to be taken together."""
    room = np.flatnonzero(free)
    taken: list[int] = []
    for vertex in room:
        places: Float[np.ndarray, "k 3"] = mesh.vertices[taken]
        if not taken or np.linalg.norm(places - mesh.vertices[vertex], axis=1).min() >= spacing * (1 - 1e-9):
            taken.append(int(vertex))
    return np.array(taken, dtype=np.int64)
