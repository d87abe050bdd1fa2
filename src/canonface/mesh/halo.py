"""The halo: off-face vertices for hair, ears, neck and background, which a face model may use too.

Halo vertices lie on rings in the frontal plane around the outline of the face. They belong to no triangle, because
the shape of a photo's hair is unknown. `canonface.alignment.halo` places them on a photo, by the similarity of the
face.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.mesh.readonly import FrozenArrays, freeze
from canonface.types import Mesh

REACH_CM = 4.0
"""Width of the halo. A face crop of margin 0.3 shows 2.7 cm above and below the face, 3.8 cm left and right of it."""

BROW_CM, NOSE_BASE_CM, MOUTH_CM = 4.0, -2.1, -4.3
"""Heights of the eyebrows, the base of the nose and the mouth on the canonical face."""

EAR_WIDTH_CM, NECK_HALF_WIDTH_CM = 2.0, 5.5

RECEDING, NECK_BEHIND_CM = 0.5, 3.0
"""Depth of the halo: the head recedes by `RECEDING` cm per cm of distance from the outline of the face, and the neck
begins `NECK_BEHIND_CM` behind the chin.
"""

_CHECKED = "checked on the bundled photos"
HALO_SOURCES: dict[str, str] = {
    "hair": f"canonface: above the level of the eyebrows; {_CHECKED}. Also a high forehead, a hat, the background",
    "right_ear": "canonface: from the eyebrows to the base of the nose (neoclassical canon, L. G. Farkas et al., "
    f"Plast. Reconstr. Surg. 75(3), 1985), up to {EAR_WIDTH_CM:g} cm from the face's outline; {_CHECKED}. "
    "Also hair that covers it",
    "left_ear": "mirror image of right_ear",
    "neck": f"canonface: below mouth and face, within {NECK_HALF_WIDTH_CM:g} cm of the midline; {_CHECKED}. Also "
    "collars",
    "background": f"canonface: the rest, next to ears, cheeks and neck; {_CHECKED}. Also long hair and shoulders",
}
"""Regions of the halo in the order of tables, with the rule that defines each."""


def add_halo(mesh: Mesh, spacing: float, name: str) -> Mesh:
    """Return a mesh with rings of vertices around its face.

    Ring ``k`` is the curve at distance ``k * spacing`` from the outline of the face (the convex hull of its vertices
    seen from the front), with vertices about ``spacing`` apart; the last ring is within `REACH_CM`. The halo is
    symmetric. It recedes behind the outline as a head does: `RECEDING`, `NECK_BEHIND_CM`.

    Args:
        mesh: a mesh in the frame of the default one: centimetres, the same heights, midline at ``x = 0``.
        spacing: distance between rings and between vertices in centimetres.
        name: name of the new mesh.

    Raises:
        OptionError: the mesh already has a halo, or the spacing allows no ring.
    """
    if mesh.halo:
        raise OptionError(
            f"A mesh has at most one halo; {mesh.name!r} already has one of {mesh.halo} vertices."
        )
    if not 0 < spacing <= REACH_CM:
        raise OptionError(f"The spacing of rings is above 0 and at most {REACH_CM:g} cm; got {spacing:g}.")
    rings = [_ring(mesh, step * spacing, spacing) for step in range(1, int(REACH_CM / spacing + 1e-9) + 1)]
    halo = np.concatenate([points for points, _, _ in rings])
    count = len(mesh.vertices)
    starts = np.cumsum([count] + [len(points) for points, _, _ in rings])
    mirror = [start + partner for start, (_, partner, _) in zip(starts[:-1], rings, strict=True)]
    nearest = np.concatenate([rim for _, _, rim in rings])
    away = np.repeat(np.arange(1, len(rings) + 1) * spacing, np.diff(starts))
    return replace(
        mesh,
        name=name,
        vertices=freeze(np.concatenate([mesh.vertices, halo])),
        uv=freeze(np.concatenate([mesh.uv, mesh.uv[nearest]])),
        mirror=freeze(np.concatenate([mesh.mirror, *mirror])),
        regions=FrozenArrays({**mesh.regions, **halo_regions(halo, away, count)}),
        halo=len(halo),
    )


def halo_regions(
    points: Float[np.ndarray, "h 3"], away: Float[np.ndarray, "h"], first: int
) -> dict[str, Int[np.ndarray, "_"]]:
    """Assign each halo vertex to one region.

    Args:
        points: ``(H, 3)`` vertices of the halo.
        away: ``(H,)`` distance from the outline of the face.
        first: index of the first halo vertex in the mesh.
    """
    x, y = points[:, 0], points[:, 1]
    above = y > BROW_CM
    ear = ~above & (y >= NOSE_BASE_CM) & (away <= EAR_WIDTH_CM)
    neck = (y < MOUTH_CM) & (np.abs(x) <= NECK_HALF_WIDTH_CM)
    masks = {
        "hair": above,
        "right_ear": ear & (x < 0),
        "left_ear": ear & (x > 0),
        "neck": neck,
        "background": ~(above | ear | neck),
    }
    return {name: first + np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


def _ring(
    mesh: Mesh, away: float, spacing: float
) -> tuple[Float[np.ndarray, "r 3"], Int[np.ndarray, "r"], Int[np.ndarray, "r"]]:
    """Return one ring: its points, the mirror within the ring, and the nearest outline vertex of each point.

    The subject's right half runs from the top to the bottom of the midline; its inner points are mirrored.
    """
    rim = _right_outline(mesh)
    dense, normals, place = _sample_outline(mesh.vertices[rim])
    behind = RECEDING * away + NECK_BEHIND_CM * np.maximum(-normals[:, 1], 0)
    curve = dense + np.column_stack([away * normals, -behind])
    walked = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve[:, :2], axis=0), axis=1))])
    steps = max(round(walked[-1] / spacing), 2)
    at = np.linspace(0.0, walked[-1], steps + 1)
    right = np.column_stack([np.interp(at, walked, curve[:, axis]) for axis in range(3)])
    right[[0, -1], 0] = 0.0
    inner = np.arange(1, steps)
    points = np.concatenate([right, right[inner] * (-1.0, 1.0, 1.0)])
    partner = np.concatenate([[0], steps + inner, [steps], inner])
    nearest = rim[np.rint(np.interp(at, walked, place)).astype(int)]
    return points, partner, np.concatenate([nearest, mesh.mirror[nearest[inner]]])


def _right_outline(mesh: Mesh) -> Int[np.ndarray, "n"]:
    """Return the vertices of the face's convex outline on the subject's right, from the highest to the lowest."""
    from scipy.spatial import ConvexHull

    xy = mesh.vertices[: mesh.face_count, :2]
    hull = ConvexHull(xy).vertices  # counter-clockwise: the right half is walked down
    hull = np.roll(hull, -int(xy[hull, 1].argmax()))
    return np.asarray(hull[: int(xy[hull, 1].argmin()) + 1], dtype=np.int64)


def _sample_outline(
    corners: Float[np.ndarray, "n 3"], count: int = 2000
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, "m 2"], Float[np.ndarray, "m"]]:
    """Sample a polyline that begins and ends on the midline: points, smoothly turning outward normals, and positions.

    Positions are fractional indices into the corners: 1.5 is halfway between the second and the third.
    """
    corners = corners.copy()
    corners[[0, -1], 0] = 0.0
    edges = np.diff(corners[:, :2], axis=0)
    edge_normals = np.column_stack([edges[:, 1], -edges[:, 0]]) / np.linalg.norm(edges, axis=1)[:, None]
    normals = np.concatenate([[[0.0, 1.0]], edge_normals[:-1] + edge_normals[1:], [[0.0, -1.0]]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    place = np.linspace(0, len(corners) - 1, count)
    known = np.arange(len(corners))
    points, turned = (
        np.column_stack([np.interp(place, known, values[:, axis]) for axis in range(values.shape[1])])
        for values in (corners, normals)
    )
    return points, turned / np.linalg.norm(turned, axis=1, keepdims=True), place
