"""Named regions of the face, as sets of vertices.

A region is the area enclosed by a contour on the base mesh (`region_contours`). Neighbours share the vertices of
their common border. A few regions overlap on purpose: the eye corners extend into the eyes and the eyelids, the mouth
corners into the lips. Together the regions cover the face except the opening of the mouth, which the mesh spans: it
belongs to the group ``mouth`` only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError, near_names
from canonface.mesh.canvas import Canvas
from canonface.mesh.halo import HALO_SOURCES
from canonface.mesh.region_contours import CONTOURS, Contour
from canonface.mesh.topology import SparseMatrix
from canonface.types import Mesh

REGION_GROUPS: dict[str, tuple[str, ...]] = {
    "eyes": (
        "right_eye",
        "left_eye",
        "right_inner_eye_corner",
        "left_inner_eye_corner",
        "right_outer_eye_corner",
        "left_outer_eye_corner",
    ),
    "eyelids": ("right_upper_eyelid", "left_upper_eyelid", "right_lower_eyelid", "left_lower_eyelid"),
    "brows": ("right_eyebrow", "left_eyebrow", "glabella"),
    "nose": ("nose_bridge", "nose_tip", "right_nose_wing", "left_nose_wing"),
    "cheeks": ("right_cheek", "left_cheek"),
    "mouth": ("upper_lip", "lower_lip", "right_mouth_corner", "left_mouth_corner"),
    "jaws": ("right_jaw", "left_jaw", "chin"),
    "temples": ("right_temple", "left_temple"),
    "ears": ("right_ear", "left_ear"),
    "off_face": ("hair", "right_ear", "left_ear", "neck", "background"),
}
"""Group -> its regions; ``ears`` and ``off_face`` exist only with a halo."""


def region_sources() -> dict[str, str]:
    """Return the source of every region's outline, in the order of tables and reports."""
    face = {name: contour.source for contour in CONTOURS for name in _names(contour)}
    return face | HALO_SOURCES


def base_regions(
    uv: Float[np.ndarray, "b 2"], mirror: Int[np.ndarray, "b"]
) -> dict[str, Int[np.ndarray, "_"]]:
    """Return the base vertices on or inside each region's contour.

    The inside test uses the texture coordinates, in which the mesh is flat without folds.

    Args:
        uv: ``(B, 2)`` texture coordinates of the base mesh.
        mirror: ``(B,)`` left-right counterparts.

    Returns:
        Sorted vertex indices by name; left regions mirror right ones, midline regions mirror themselves.
    """
    regions = {}
    for contour in CONTOURS:
        names = list(_names(contour))
        loop = closed_walk(contour, mirror)
        members = np.union1d(loop, np.flatnonzero(_inside(uv, uv[loop])))
        if contour.side == "midline":
            regions[names[0]] = np.union1d(members, mirror[members])
        else:
            regions[names[0]], regions[names[1]] = members, np.sort(mirror[members])
    return regions


def closed_walk(contour: Contour, mirror: Int[np.ndarray, "b"]) -> Int[np.ndarray, "n"]:
    """Return the closed outline of a region (of the right one of a pair), each vertex once."""
    walk = np.array(contour.walk, dtype=np.int64)
    if contour.side == "pair":
        return walk
    back = mirror[walk][::-1]
    return np.concatenate([walk, back[~np.isin(back, walk)]])


def subdivide_region(members: Int[np.ndarray, "_"], from_base: SparseMatrix) -> Int[np.ndarray, "_"]:
    """Return a region at a subdivision: the vertices whose whole weight lies on the region's base vertices.

    These are the points on the edges and triangles between its base vertices. So contours do not move, a region
    covers the same area at every subdivision, and its coarse vertices come first. Weights are multiples of a power of
    two, so their sum is exact.
    """
    inside = np.zeros(from_base.shape[1])
    inside[members] = 1.0
    return np.flatnonzero(from_base @ inside == 1.0)


def region_mask(mesh: Mesh, name: str) -> Bool[np.ndarray, "v"]:
    """Return a mask of the vertices of a region, or of a group of regions and the area between them.

    Args:
        mesh: the canonical mesh.
        name: a key of ``mesh.regions`` or of ``REGION_GROUPS``.

    Raises:
        OptionError: no region or group has that name; the message lists similar names.
    """
    mask = np.zeros(len(mesh.vertices), dtype=bool)
    if name in mesh.regions:
        mask[mesh.regions[name]] = True
        return mask
    if name not in groups_of(mesh):
        known = [*mesh.regions, *groups_of(mesh)]
        raise OptionError(f"A region must exist in the mesh; there is no {name!r}: {near_names(name, known)}")
    members = np.concatenate([mesh.regions[part] for part in REGION_GROUPS[name] if part in mesh.regions])
    mask[subdivide_region(members[members < mesh.base_count], mesh.from_base)] = True
    mask[members[members >= mesh.face_count]] = True
    return mask


def groups_of(mesh: Mesh) -> tuple[str, ...]:
    """Return the names of the groups that have a region in the mesh."""
    return tuple(name for name, parts in REGION_GROUPS.items() if any(part in mesh.regions for part in parts))


def regions_of(mesh: Mesh, vertex: int) -> tuple[str, ...]:
    """Return the names of the regions that contain a vertex; none inside the opening of the mouth.

    Raises:
        OptionError: the mesh has no such vertex.
    """
    if not 0 <= vertex < len(mesh.vertices):
        raise OptionError(f"A vertex is a number from 0 to {len(mesh.vertices) - 1}; got {vertex!r}.")
    return tuple(name for name, members in mesh.regions.items() if vertex in members)


def region_triangles(mesh: Mesh, name: str) -> Int[np.ndarray, "t 3"]:
    """Return the triangles that lie entirely in a region or group, as ``(T, 3)`` vertex indices."""
    return np.asarray(mesh.triangles[region_mask(mesh, name)[mesh.triangles].all(axis=1)])


def region_area_px(mesh: Mesh, name: str, canvas: Canvas) -> float:
    """Return the area of a region's triangles in the canonical image, in square pixels.

    Triangle areas are added with their sign, so a fold, which covers a pixel three times (front, back, front), counts
    once.
    """
    a, b, c = (canvas.project(mesh)[region_triangles(mesh, name)[:, corner]] for corner in range(3))
    ab, ac = b - a, c - a
    return float(np.abs((ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).sum()) / 2)


def _names(contour: Contour) -> Iterator[str]:
    if contour.side == "midline":
        yield contour.name
    else:
        yield from (f"right_{contour.name}", f"left_{contour.name}")


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return the points inside a polygon, by the even-odd rule.

    A point is inside if a ray from it to the right crosses the polygon an odd number of times.
    """
    x, y = points[:, :1], points[:, 1:]
    (ax, ay), (bx, by) = polygon.T, np.roll(polygon, -1, axis=0).T
    spans = (ay > y) != (by > y)
    crossing_x = ax + (y - ay) / np.where(by == ay, 1.0, by - ay) * (bx - ax)
    return np.asarray((spans & (x < crossing_x)).sum(axis=1) % 2 == 1)
