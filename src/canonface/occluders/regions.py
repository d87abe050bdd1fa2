"""Occlusion of whole regions of the face, e.g. the eyes, the mouth, or both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.geometry import face_scales
from canonface.occluders.face_raster import face_raster
from canonface.occluders.fills import hide
from canonface.occlusions import Occlusions
from canonface.types import Mesh, ModelInput


def hide_regions(
    shown: ModelInput, groups: Sequence[Int[np.ndarray, "_"]], fill: str = "mean", dilate_cm: float = 0.0
) -> list[Occlusions]:
    """Hide regions, each as a whole.

    Args:
        shown: the face as the model sees it; not changed.
        groups: sets of vertices of the mesh, ``n`` of them; see `region_pixels`.
        fill: keys of `FILLS` or colours, joined by ``+``.
        dilate_cm: width of the border around the region that is hidden too, in centimetres of the face.

    Returns:
        One `Occlusions` of length ``n`` per fill. A region that is not visible has an empty box.

    Raises:
        OptionError: the mesh has no triangles, or an option cannot be used.
    """
    return hide_pixels(shown, region_pixels(shown, groups, dilate_cm), fill)


def hide_pixels(shown: ModelInput, hidden: Bool[np.ndarray, "n h w"], fill: str) -> list[Occlusions]:
    """Hide sets of pixels, each behind the fill of a patch of its area.

    Args:
        shown: the face as the model sees it; not changed.
        hidden: ``(n, h, w)`` True where a pixel is hidden; a set may be empty.
        fill: keys of `FILLS` or colours, joined by ``+``.

    Returns:
        One `Occlusions` of length ``n`` per fill.
    """
    boxes = np.array([bounding_box(one) for one in hidden], dtype=np.int64).reshape(-1, 4)
    masks = [one[y0:y1, x0:x1] for one, (x0, y0, x1, y1) in zip(hidden, boxes.tolist(), strict=True)]
    return hide(shown, boxes, masks, fill, np.sqrt(np.maximum(hidden.sum(axis=(1, 2)), 1)))


def bounding_box(mask: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """Return ``x0, y0, x1, y1``, half-open, of the True pixels; an empty box in the corner if there are none."""
    if not mask.any():
        return 0, 0, 0, 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def region_pixels(
    shown: ModelInput, groups: Sequence[Int[np.ndarray, "_"]], dilate_cm: float = 0.0
) -> Bool[np.ndarray, "n h w"]:
    """Return the pixels of the input that show each region.

    On the face these are the pixels whose nearest triangle has all its corners in the region. Off the face they are
    the pixels whose nearest halo vertex belongs to the region and lies within the halo's spacing.

    Args:
        shown: the face as the model sees it.
        groups: sets of vertices of the mesh.
        dilate_cm: dilation of the region in centimetres, also over the edge of the face.

    Returns:
        ``(n, h, w)`` True where a pixel shows the region.

    Raises:
        OptionError: the mesh has no triangles, or ``dilate_cm`` is negative.
    """
    if not 0 <= dilate_cm < np.inf:
        raise OptionError(f"Regions are dilated by 0 centimetres or more; got {dilate_cm}.")
    mesh = shown.face.mesh
    raster = face_raster(shown, "Occluding a region")
    nearest = _nearest_halo(shown, ~raster.inside)
    scales = face_scales(shown)
    result = np.zeros((len(groups), *shown.spec.size_hw), dtype=bool)
    for i, members in enumerate(groups):
        chosen = np.zeros(len(mesh.vertices), dtype=bool)
        chosen[members] = True
        pixels = raster.select(chosen[mesh.triangles].all(axis=1)) | ((nearest >= 0) & chosen[nearest])
        result[i] = _dilated(pixels, dilate_cm, scales) if dilate_cm else pixels
    return result


def _nearest_halo(shown: ModelInput, off_face: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Return the halo vertex nearest to each pixel off the face; -1 where none is within the halo's spacing."""
    from scipy.spatial import cKDTree

    nearest = np.full(off_face.shape, -1, dtype=np.int64)
    mesh = shown.face.mesh
    if not mesh.halo or not off_face.any():
        return nearest
    halo = mesh.face_count + np.arange(mesh.halo)
    halo = halo[np.isfinite(shown.vertices_xy[halo]).all(axis=1)]
    rows, columns = np.nonzero(off_face)
    scales = face_scales(shown)
    away, which = cKDTree(shown.vertices_xy[halo] / scales).query(np.column_stack([columns, rows]) / scales)
    near = away <= halo_spacing(mesh)
    nearest[rows[near], columns[near]] = halo[which[near]]
    return nearest


def halo_spacing(mesh: Mesh) -> float:
    """Return the largest distance of a halo vertex to its nearest neighbour in the frontal plane, in centimetres."""
    from scipy.spatial import cKDTree

    flat: Float[np.ndarray, "h 2"] = mesh.vertices[mesh.face_count :, :2]
    return float(cKDTree(flat).query(flat, k=2)[0][:, 1].max())


def _dilated(
    pixels: Bool[np.ndarray, "h w"], radius_cm: float, scales: Float[np.ndarray, "2"]
) -> Bool[np.ndarray, "h w"]:
    """Dilate pixels by a radius; ``scales`` are those of `face_scales`."""
    from scipy.ndimage import distance_transform_edt

    if not pixels.any():
        return pixels
    return np.asarray(distance_transform_edt(~pixels, sampling=1 / scales[::-1]) <= radius_cm)
