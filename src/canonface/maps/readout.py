"""Numbers read off a canonical map: its peak, its values at the vertices and regions, its share off the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from canonface.functional import sample
from canonface.mesh import Canvas, groups_of, region_mask, regions_of
from canonface.types import Mesh


@dataclass(frozen=True)
class Peak:
    """The highest place of a canonical map.

    Attributes:
        value: value of the map there, in confidence units.
        xy: pixel on the canonical picture.
        vertex: the nearest vertex of the mesh.
        regions: names of the regions that hold the vertex; of the groups, if no region does (an open mouth).
    """

    value: float
    xy: tuple[float, float]
    vertex: int
    regions: tuple[str, ...]


def peak_of(
    image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], mesh: Mesh, canvas: Canvas
) -> Peak | None:
    """Return the highest pixel of the face, or of face and halo, that a probe covered; None if there is none.

    Patches at the rim of the face or halo reach past its outline. Few of them overlap there, so the map is least
    certain, and the place is not on the mesh: such pixels are left out.

    Maps are flat where the same patches cover neighbouring pixels. Of equal pixels, the one nearest to their
    common centre is taken, so that the peak does not lean to a corner.
    """
    candidates = (count > 0) & canvas.probed_mask(mesh)
    if not candidates.any():
        return None
    value = image[candidates].max()
    flat = np.argwhere((image >= value - 1e-12 * max(abs(value), 1.0)) & candidates)[:, ::-1]
    xy = flat[np.linalg.norm(flat - flat.mean(axis=0), axis=1).argmin()].astype(np.float64)
    vertex = int(np.linalg.norm(canvas.project(mesh) - xy, axis=1).argmin())
    groups = tuple(name for name in groups_of(mesh) if region_mask(mesh, name)[vertex])
    return Peak(float(value), (float(xy[0]), float(xy[1])), vertex, regions_of(mesh, vertex) or groups)


def vertex_values(
    image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], mesh: Mesh, canvas: Canvas
) -> Float[np.ndarray, "v"]:
    """Return the map at every vertex; NaN where ``count`` is 0 or the vertex lies off the canvas.

    Args:
        image: ``(h, w)`` map on the canvas; a pixel with ``count`` 0 counts as 0 in its neighbours' interpolation.
        count: ``(h, w)`` number of probes or faces behind each pixel.
        mesh: the mesh.
        canvas: the canonical picture.
    """
    points = canvas.project(mesh)
    columns, rows = np.rint(points).astype(int).T
    height, width = canvas.size_hw
    on_canvas = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    seen = on_canvas & (count[rows.clip(0, height - 1), columns.clip(0, width - 1)] > 0)
    return np.where(seen, sample(np.where(count > 0, image, 0.0), points), np.nan)


def region_means(values: Float[np.ndarray, "v"], mesh: Mesh) -> dict[str, float]:
    """Return the mean over the vertices of each named region, the largest first; regions without a value left out.

    Args:
        values: ``(V,)`` one number per vertex; NaN is left out.
        mesh: the mesh.
    """
    means = {
        name: float(np.nanmean(values[members]))
        for name, members in mesh.regions.items()
        if np.isfinite(values[members]).any()
    }
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def off_face_reliance(
    image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], mesh: Mesh, canvas: Canvas
) -> float:
    """Return the share of a map's positive part that lies on the halo: 0 none, 1 all.

    ``sum of max(map, 0) outside the face / sum of max(map, 0)``, both over the canonical pixels that a probe covered.
    The sums are over area, so that a place with many vertices does not count more than another. Parts of the halo
    that the model's crop leaves out were not probed and do not count.

    Args:
        image: ``(h, w)`` canonical map; positive where the model relied on the place.
        count: ``(h, w)`` number of probes or faces behind each pixel.
        mesh: the mesh.
        canvas: the canonical picture.

    Returns:
        0 to 1; NaN if the mesh has no halo, none of it was probed, or nothing is positive.
    """
    off_face = (count > 0) & canvas.probed_mask(mesh) & ~canvas.face_mask(mesh)
    relied_on = np.where((count > 0) & canvas.probed_mask(mesh), np.maximum(image, 0.0), 0.0)
    total = float(relied_on.sum())
    if not mesh.halo or not off_face.any() or total == 0:
        return float("nan")
    return float(relied_on[off_face].sum()) / total
