"""Flat grid meshes for the alignment study: one over a frontal crop, one over the whole photo."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.mesh.custom import build_mesh
from canonface.templates import ARCFACE_POINTS, ARCFACE_SIZE
from canonface.types import Mesh

PUPILS_CM = 6.3
"""Distance between the eyes, which converts pixels of the crop to centimetres."""


@cache
def five_point_mesh(side: int = 33) -> Mesh:
    """Return a grid over the frontal crop of face recognition; its last five vertices are the crop's five points.

    Args:
        side: vertices per side.

    Returns:
        The mesh ``"five-point/<side>"``: ``side * side + 5`` vertices in centimetres, z = 0, with the grid's
        triangles.
    """
    _check_side(side)
    template = np.array(list(ARCFACE_POINTS.values()))
    scale = PUPILS_CM / float(np.linalg.norm(template[1] - template[0]))
    pixels = np.concatenate([(_grid(side) * ARCFACE_SIZE) - 0.5, template])
    centre = (ARCFACE_SIZE - 1) / 2
    flat = (pixels - centre) * (scale, -scale)
    last = side * side
    return build_mesh(
        f"five-point/{side}",
        np.column_stack([flat, np.zeros(len(flat))]),
        _grid_triangles(side),
        landmarks={name: [last + i] for i, name in enumerate(ARCFACE_POINTS)},
        mirror=np.concatenate([_grid_mirror(side), last + np.array([1, 0, 2, 4, 3])]),
    )


@cache
def pixel_mesh(side: int = 33) -> Mesh:
    """Return a grid over a whole photo, for maps without alignment.

    Args:
        side: vertices per side.

    Returns:
        The mesh ``"pixels/<side>"``: ``side * side`` vertices over a square of 20 x 20 centimetres, z = 0.
    """
    _check_side(side)
    flat = (_grid(side) - 0.5) * (20.0, -20.0)
    vertices = np.column_stack([flat, np.zeros(len(flat))])
    return build_mesh(f"pixels/{side}", vertices, _grid_triangles(side), mirror=_grid_mirror(side))


def _grid(side: int) -> Float[np.ndarray, "n 2"]:
    """Return the centres of ``side x side`` equal cells of the unit square, row by row: x right, y down."""
    places = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(places, places)
    return np.column_stack([x.ravel(), y.ravel()])


def _grid_triangles(side: int) -> Int[np.ndarray, "t 3"]:
    """Return two triangles per four neighbouring vertices, counter-clockwise with y up."""
    number = np.arange(side * side).reshape(side, side)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    halves = [np.stack([a, c, b], axis=-1), np.stack([b, c, d], axis=-1)]
    return np.concatenate([half.reshape(-1, 3) for half in halves])


def _grid_mirror(side: int) -> Int[np.ndarray, "n"]:
    return np.ascontiguousarray(np.arange(side * side).reshape(side, side)[:, ::-1]).ravel()


def _check_side(side: int) -> None:
    if isinstance(side, bool) or not isinstance(side, int) or not 2 <= side <= 512:
        raise OptionError(f"A grid has 2 to 512 vertices per side; got {side!r}.")
