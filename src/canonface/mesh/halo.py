"""The halo: vertices around the face, for the cues that a face model uses beside it (hair, ears, neck, background).

They lie on rings in the frontal plane around the outline of the face, and no triangle holds them: nobody knows the
shape of a photo's hair. A photo's own halo is carried there with the face as a whole (`canonface.alignment.halo`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.mesh.frozen import FrozenArrays, frozen
from canonface.types import Mesh

REACH_CM = 4.0
"""Width of the halo. A face crop of margin 0.3 shows 2.7 cm above and below the face and 3.8 cm beside it."""

BROW_CM, NOSE_BASE_CM, MOUTH_CM = 4.0, -2.1, -4.3
"""Heights of the eyebrows, the base of the nose and the mouth on the canonical face."""

EAR_WIDTH_CM, NECK_HALF_WIDTH_CM = 2.0, 5.5

RECEDING, NECK_BEHIND_CM = 0.5, 3.0
"""Centimetres that the head lies farther back a centimetre away from the outline of the face; and how far behind the
chin the neck begins."""

_LOOKED = "looked at on the bundled photos"
HALO_SOURCES: dict[str, str] = {
    "hair": f"canonface: above the level of the eyebrows; {_LOOKED}. Also a high forehead, a hat, what is behind",
    "right_ear": "canonface: from the eyebrows to the base of the nose (neoclassical canon, L. G. Farkas et al., "
    f"Plast. Reconstr. Surg. 75(3), 1985), {EAR_WIDTH_CM:g} cm beside the face; {_LOOKED}. Also hair that covers it",
    "left_ear": "mirror image of right_ear",
    "neck": f"canonface: below mouth and face, within {NECK_HALF_WIDTH_CM:g} cm of the midline; {_LOOKED}. Also "
    "collars",
    "background": f"canonface: the rest, beside ears, cheeks and neck; {_LOOKED}. Also long hair and shoulders",
}
"""Regions of the halo in the order of tables, and by which rule each is drawn."""


def add_halo(mesh: Mesh, spacing: float, name: str) -> Mesh:
    """A mesh with rings of vertices around its face.

    Ring ``k`` is the curve ``k * spacing`` away from the outline of the face (the convex hull of its vertices seen
    from the front), with a vertex about every ``spacing``; rings end at `REACH_CM`. The halo is symmetric. It lies
    behind the outline as a head does: `RECEDING`, `NECK_BEHIND_CM`.

    Args:
        mesh: a mesh in the frame of the default one: centimetres, the same heights, ``x = 0`` the middle.
        spacing: of rings and of vertices, in centimetres.
        name: of the new mesh.

    Raises:
        OptionError: the mesh has a halo, or the spacing allows no ring.
    """
    if mesh.halo:
        raise OptionError(f"A halo is added once; {mesh.name!r} has one of {mesh.halo} vertices.")
    if not 0 < spacing <= REACH_CM:
        raise OptionError(f"Rings are more than 0 and at most {REACH_CM:g} cm apart; got {spacing:g}.")
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
        vertices=frozen(np.concatenate([mesh.vertices, halo])),
        uv=frozen(np.concatenate([mesh.uv, mesh.uv[nearest]])),
        mirror=frozen(np.concatenate([mesh.mirror, *mirror])),
        regions=FrozenArrays({**mesh.regions, **halo_regions(halo, away, count)}),
        halo=len(halo),
    )


def halo_regions(
    points: Float[np.ndarray, "h 3"], away: Float[np.ndarray, "h"], first: int
) -> dict[str, Int[np.ndarray, "_"]]:
    """Regions of halo vertices, each vertex in one.

    Args:
        points: ``(H, 3)`` the halo's vertices.
        away: ``(H,)`` distance from the outline of the face.
        first: number of the first of them.
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
    """One ring: its points, the mirror among them, and for each the vertex of the outline that it lies beside.

    The subject's right half runs from the top to the bottom of the midline; its inner points are mirrored.
    """
    rim = _right_outline(mesh)
    dense, normals, place = _sampled(mesh.vertices[rim])
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
    beside = rim[np.rint(np.interp(at, walked, place)).astype(int)]
    return points, partner, np.concatenate([beside, mesh.mirror[beside[inner]]])


def _right_outline(mesh: Mesh) -> Int[np.ndarray, "n"]:
    """Vertices of the face's convex outline at the subject's right, from the highest to the lowest."""
    from scipy.spatial import ConvexHull

    xy = mesh.vertices[: mesh.face_count, :2]
    hull = ConvexHull(xy).vertices  # counter-clockwise: the right half is walked down
    hull = np.roll(hull, -int(xy[hull, 1].argmax()))
    return np.asarray(hull[: int(xy[hull, 1].argmin()) + 1], dtype=np.int64)


def _sampled(
    corners: Float[np.ndarray, "n 3"], count: int = 2000
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, "m 2"], Float[np.ndarray, "m"]]:
    """Points along a polyline that begins and ends on the midline, outward normals that turn evenly, and places.

    Places are positions in the list of corners: 1.5 is midway between the second and the third.
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
