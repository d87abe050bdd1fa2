"""Position and visibility of a mesh's halo in a photo."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.geometry import PICTURE_TO_CAMERA, Similarity, covered, similarity
from canonface.types import Mesh

FAR_EAR_DEG = 30.0
"""Head rotation in degrees beyond which the ear on the far side is hidden."""

_TOLERANCE = 0.01  # of the face's extent, as geometry.visible_vertices has it


def with_halo(
    mesh: Mesh,
    vertices_xy: Float[np.ndarray, "f 2"],
    depth: Float[np.ndarray, "f"],
    visible: Bool[np.ndarray, "f"],
    image: UInt8[np.ndarray, "h w 3"],
    triangles: Int[np.ndarray, "t 3"] | None = None,
) -> tuple[Float[np.ndarray, "v 2"], Float[np.ndarray, "v"], Bool[np.ndarray, "v"]]:
    """Return position, depth and visibility of all vertices: those of the face, then those of the halo.

    The similarity from the canonical face to this face carries the halo: in space if depth is known, otherwise in the
    image plane. A halo vertex is visible if it lies in the photo, no part of the face is in front of it, and it is
    not on the ear of the side that is turned away (`FAR_EAR_DEG`).

    Args:
        mesh: the mesh, with or without a halo.
        vertices_xy: ``(F, 2)`` face vertices in pixels.
        depth: ``(F,)`` in pixels, larger is farther; NaN if unknown.
        visible: ``(F,)`` visibility of the face vertices.
        image: the photo.
        triangles: coarser triangles of the same surface, if available.
    """
    if not mesh.halo:
        return vertices_xy, depth, visible
    halo = mesh.vertices[mesh.face_count :]
    if np.isfinite(depth).all():
        fit = _in_space(mesh, vertices_xy, depth)
        placed = fit(halo) * PICTURE_TO_CAMERA
        extent = float(np.ptp(vertices_xy, axis=0).max())
        surface = mesh.triangles if triangles is None else triangles
        hidden = covered(
            placed[:, :2], placed[:, 2], vertices_xy, depth, surface, _TOLERANCE * extent
        ) | _far_ears(mesh, fit.rotation)
    else:
        y_up = np.array([1.0, -1.0])
        flat = similarity(mesh.vertices[: mesh.face_count, :2], vertices_xy * y_up)
        placed = np.column_stack([flat(halo[:, :2]) * y_up, np.full(len(halo), np.nan)])
        hidden = np.zeros(len(halo), dtype=bool)
    seen = inside_image(placed[:, :2], image) & ~hidden
    return (
        np.concatenate([vertices_xy, placed[:, :2]]),
        np.concatenate([depth, placed[:, 2]]),
        np.concatenate([visible, seen]),
    )


def inside_image(
    points_xy: Float[np.ndarray, "n 2"], image: UInt8[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "n"]:
    """Return True for each point that lies on a pixel of the image."""
    size_wh = np.array(image.shape[1::-1])
    return np.asarray(((points_xy >= -0.5) & (points_xy < size_wh - 0.5)).all(axis=1))


def _in_space(mesh: Mesh, vertices_xy: np.ndarray, depth: np.ndarray) -> Similarity:
    base = slice(mesh.base_count)
    camera = np.column_stack([vertices_xy[base], depth[base]]) * PICTURE_TO_CAMERA
    return similarity(mesh.vertices[base], camera, mesh.procrustes_weights)


def _far_ears(mesh: Mesh, rotation: Float[np.ndarray, "3 3"]) -> Bool[np.ndarray, "h"]:
    """Return the halo vertices on an ear that the head hides."""
    far = np.zeros(mesh.halo, dtype=bool)
    tilt = np.radians(FAR_EAR_DEG)
    for name, side in (("right_ear", -1.0), ("left_ear", 1.0)):
        outwards = rotation @ (side * np.cos(tilt), 0.0, np.sin(tilt))
        if outwards[2] < 0 and name in mesh.regions:
            far[mesh.regions[name] - mesh.face_count] = True
    return far
