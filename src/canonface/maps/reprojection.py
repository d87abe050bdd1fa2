"""Reprojection: a canonical map drawn back onto a face (figure 6d)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface import functional
from canonface.errors import OptionError
from canonface.maps.readout import vertex_values
from canonface.mesh import Canvas
from canonface.types import Face, Mesh


def on_face(
    image: Float[np.ndarray, "h w"],
    count: Int[np.ndarray, "h w"],
    canonical_patch: float,
    face: Face,
    mesh: Mesh,
    canvas: Canvas,
) -> tuple[Float[np.ndarray, "rows columns"], Bool[np.ndarray, "rows columns"]]:
    """Spread a canonical map over the visible part of a face.

    Args:
        image: ``(h, w)`` canonical map on ``canvas``.
        count: ``(h, w)`` number of probes or faces behind each pixel; pixels with 0 are not drawn.
        canonical_patch: side of the map's patch on the canvas.
        face: any face aligned to the mesh.
        mesh: the mesh.
        canvas: the canonical picture.

    Returns:
        The map in pixels of ``face.image``, and the mask of the pixels that lie under a patch.

    Raises:
        OptionError: the face is aligned to another mesh.
    """
    if face.mesh.name != mesh.name:
        raise OptionError(
            f"A map can be drawn on faces aligned to its own mesh {mesh.name!r}; this face is on {face.mesh.name!r}: "
            f"align the photo on the mesh {mesh.name!r}."
        )
    canonical_xy = canvas.project(mesh)
    height, width = face.image.shape[:2]
    # One patch covers the same share of the face here as there: scale by the size of the face's box.
    scale = _box_side(face.vertices_xy) / _box_side(canonical_xy)
    shown = face.visible & ~np.isnan(vertex_values(image, count, mesh, canvas))
    places = np.where(shown[:, None], face.vertices_xy, np.nan)
    patch = max(canonical_patch * scale, 1.0)
    drawn = functional.reproject(
        np.where(count > 0, image, 0.0), canonical_xy, places, (height, width), patch
    )
    covered = functional.cis(np.ones(shown.sum()), places[shown], (height, width), patch)[1] > 0
    return drawn, covered


def _box_side(points_xy: Float[np.ndarray, "v 2"]) -> float:
    return float(np.ptp(points_xy, axis=0).max())
