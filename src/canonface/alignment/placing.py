"""From a face's vertices in pixels, whoever found them, to a Face: depth, visibility, pose, halo."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8

from canonface.alignment.halo import with_halo, within
from canonface.geometry import head_pose, visible_vertices
from canonface.types import Face, Mesh, Pose

NO_POSE = Pose(float("nan"), float("nan"), float("nan"))
"""Of a face whose depth is not known."""


def placed_face(
    mesh: Mesh,
    image: UInt8[np.ndarray, "h w 3"],
    vertices_xy: Float[np.ndarray, "f 2"],
    depth: Float[np.ndarray, "f"] | None = None,
    *,
    found: float = 1.0,
    path: str = "",
    parts: Mapping[str, float] | None = None,
) -> Face:
    """A face on a mesh.

    With depths, what the face hides of itself is found if the mesh has triangles, and the pose if the mesh is not
    flat. Without them every vertex in the photo counts as visible, and pose and depth are NaN.

    Args:
        mesh: the mesh.
        image: the photo.
        vertices_xy: ``(F, 2)`` pixels of the photo, those of the face.
        depth: ``(F,)`` in the same unit, larger is farther, any origin; None if it is not known.
        found: how sure it is that there is a face, 0 to 1; ``quality`` is this times the share inside the photo.
        path: where the photo came from.
        parts: more numbers for ``quality_parts``.
    """
    inside = within(vertices_xy, image)
    share = float(inside.mean())
    seen, pose = inside, NO_POSE
    behind = np.full(len(vertices_xy), np.nan) if depth is None else depth - depth.mean()
    if depth is not None and len(mesh.triangles):
        seen = inside & visible_vertices(vertices_xy, behind, mesh.triangles)
    if depth is not None and np.ptp(mesh.vertices[: mesh.face_count, 2]) > 0:
        base = slice(mesh.base_count)
        pose = head_pose(mesh.vertices[base], vertices_xy[base], behind[base], mesh.procrustes_weights)
    xy, behind, seen = with_halo(mesh, vertices_xy, behind, seen, image)
    return Face(
        image=image,
        vertices_xy=xy,
        depth=behind,
        visible=seen,
        pose_deg=pose,
        quality=found * share,
        mesh=mesh,
        path=path,
        quality_parts={
            **(parts or {}),
            "inside": share,
            "size_px": float(np.ptp(vertices_xy, axis=0).max()),
        },
    )
