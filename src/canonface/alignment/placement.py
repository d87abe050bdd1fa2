"""Placement of a face: from its vertices in pixels to a `Face`, and removal of faces cut by the photo's border."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8

from canonface.alignment.halo import inside_image, with_halo
from canonface.errors import FaceCutError
from canonface.geometry import head_pose, visible_vertices
from canonface.types import Face, Mesh, Pose

NO_POSE = Pose(float("nan"), float("nan"), float("nan"))
"""Pose of a face whose depth is unknown."""


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
    """Return a `Face` from vertex positions: compute depth, visibility, pose and halo.

    With depth, self-occlusion is computed if the mesh has triangles, and the pose if the mesh is not flat. Without
    depth, every vertex in the photo counts as visible, and pose and depth are NaN.

    Args:
        mesh: the mesh.
        image: the photo.
        vertices_xy: ``(F, 2)`` face vertices in pixels of the photo.
        depth: ``(F,)`` in pixels, larger is farther, any origin; None if unknown.
        found: probability from 0 to 1 that this is a face; ``quality`` is this times the share of vertices in the
            photo.
        path: path of the photo.
        parts: more components of quality, for ``quality_parts``.
    """
    inside = inside_image(vertices_xy, image)
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


logger = logging.getLogger("canonface")


def remove_cut_faces(faces: Sequence[Face], min_inside: float, path: str = "") -> list[Face]:
    """Return the faces that lie sufficiently in the photo, renumbered; log a warning if others are removed.

    Args:
        faces: at least one, the largest first; ``quality_parts["inside"]`` is the share of each that the photo shows.
        min_inside: smallest such share.
        path: path of the photo, for messages.

    Raises:
        FaceCutError: all faces are cut.
    """
    where = path or "the photo"
    shares = [face.quality_parts["inside"] for face in faces]
    kept = [face for face, share in zip(faces, shares, strict=True) if share >= min_inside]
    if not kept:
        raise FaceCutError(
            f"At least {min_inside:.0%} of a face lies within its photo; of the largest face in {where} "
            f"{shares[0]:.0%} does. Use an uncropped copy, or lower min_inside."
        )
    cut = [share for share in shares if share < min_inside]
    if cut:
        logger.warning(
            "At least %.0f%% of a face lies within its photo; left out %d of %d faces in %s, of which %s does. "
            "Use an uncropped copy, or lower min_inside.",
            100 * min_inside,
            len(cut),
            len(faces),
            where,
            ", ".join(f"{share:.0%}" for share in cut),
        )
    return [replace(face, index=index) for index, face in enumerate(kept)]
