"""Whole regions of the face hidden at once: the eyes, the mouth, both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.geometry import face_scales
from canonface.occluders.face_raster import face_raster
from canonface.occluders.hiding import hide_pixels
from canonface.occlusions import Occlusions
from canonface.types import Mesh, ModelInput


def hide_regions(
    shown: ModelInput, groups: Sequence[Int[np.ndarray, "_"]], fill: str = "mean", dilate_cm: float = 0.0
) -> list[Occlusions]:
    """Regions hidden, each as a whole.

    Args:
        shown: the face as the model sees it; not changed.
        groups: sets of vertices of the mesh, ``n`` of them; see `region_pixels`.
        fill: keys of `FILLS` or colours, joined by ``+``.
        dilate_cm: how far beyond the region's edge is hidden too, in centimetres of the face.

    Returns:
        One `Occlusions` of length ``n`` a fill. A region that the face hides has an empty box.

    Raises:
        OptionError: the mesh has no triangles, or an option cannot be used.
    """
    return hide_pixels(shown, region_pixels(shown, groups, dilate_cm), fill)


def region_pixels(
    shown: ModelInput, groups: Sequence[Int[np.ndarray, "_"]], dilate_cm: float = 0.0
) -> Bool[np.ndarray, "n h w"]:
    """Pixels of the input that show each region.

    On the face these are the pixels whose nearest triangle has all its corners in the region. Beside the face, they
    are the pixels that lie nearer to a halo vertex of the region than to any other, within the halo's spacing.

    Args:
        shown: the face as the model sees it.
        groups: sets of vertices of the mesh.
        dilate_cm: grow the pixels by so much, also over the edge of the face.

    Returns:
        ``(n, h, w)`` True where a pixel shows the region.

    Raises:
        OptionError: the mesh has no triangles, or ``dilate_cm`` is negative.
    """
    if not 0 <= dilate_cm < np.inf:
        raise OptionError(f"Regions are dilated by 0 centimetres or more; got {dilate_cm}.")
    mesh = shown.face.mesh
    raster = face_raster(shown, "Hiding a region")
    nearest = _nearest_halo(shown, ~raster.inside)
    scales = face_scales(shown)
    result = np.zeros((len(groups), *shown.spec.size_hw), dtype=bool)
    for i, members in enumerate(groups):
        chosen = np.zeros(len(mesh.vertices), dtype=bool)
        chosen[members] = True
        pixels = raster.select(chosen[mesh.triangles].all(axis=1)) | ((nearest >= 0) & chosen[nearest])
        result[i] = _within(pixels, dilate_cm, scales) if dilate_cm else pixels
    return result


def _nearest_halo(shown: ModelInput, beside: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """The halo vertex nearest to each pixel beside the face; -1 where none is within the halo's spacing."""
    from scipy.spatial import cKDTree

    nearest = np.full(beside.shape, -1, dtype=np.int64)
    mesh = shown.face.mesh
    if not mesh.halo or not beside.any():
        return nearest
    halo = mesh.face_count + np.arange(mesh.halo)
    halo = halo[np.isfinite(shown.vertices_xy[halo]).all(axis=1)]
    rows, columns = np.nonzero(beside)
    scales = face_scales(shown)
    away, which = cKDTree(shown.vertices_xy[halo] / scales).query(np.column_stack([columns, rows]) / scales)
    near = away <= halo_spacing(mesh)
    nearest[rows[near], columns[near]] = halo[which[near]]
    return nearest


def halo_spacing(mesh: Mesh) -> float:
    """Greatest distance of a halo vertex to its nearest neighbour in the frontal plane, in centimetres."""
    from scipy.spatial import cKDTree

    flat: Float[np.ndarray, "h 2"] = mesh.vertices[mesh.face_count :, :2]
    return float(cKDTree(flat).query(flat, k=2)[0][:, 1].max())


def _within(
    pixels: Bool[np.ndarray, "h w"], radius_cm: float, scales: Float[np.ndarray, "2"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels no farther than a radius from one that is True; none if none is. ``scales`` as of `face_scales`."""
    from scipy.ndimage import distance_transform_edt

    if not pixels.any():
        return pixels
    return np.asarray(distance_transform_edt(~pixels, sampling=1 / scales[::-1]) <= radius_cm)
