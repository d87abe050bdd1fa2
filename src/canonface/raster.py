"""Rasterisation of a triangle mesh: the nearest triangle at each pixel, with barycentric weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

_PAIRS = 2_000_000  # pixel-triangle pairs at a time: about a hundred megabytes
_ON_EDGE = 1e-9  # neighbours both hold a pixel on their common edge, whatever the rounding


@dataclass(frozen=True, eq=False)
class Raster:
    """Nearest triangle of a mesh at each pixel of an image.

    Attributes:
        triangle: ``(h, w)`` index of the nearest triangle; -1 if there is none.
        weights: ``(h, w, 3)`` barycentric weights of its corners, which sum to 1; 0 if there is none.
        corners: ``(h, w, 3)`` vertices of its corners; 0 if there is none.
    """

    triangle: Int[np.ndarray, "h w"] = field(repr=False)
    weights: Float[np.ndarray, "h w 3"] = field(repr=False)
    corners: Int[np.ndarray, "h w 3"] = field(repr=False)

    @property
    def inside(self) -> Bool[np.ndarray, "h w"]:
        """True for each pixel that a triangle covers."""
        return np.asarray(self.triangle >= 0)

    def interpolate(self, values: Float[np.ndarray, "v ..."]) -> Float[np.ndarray, "h w ..."]:
        """Interpolate vertex values at every pixel: linear within a triangle, 0 where there is none."""
        total = np.zeros((*self.triangle.shape, *values.shape[1:]))
        for corner in range(3):
            weight = self.weights[..., corner].reshape(*self.triangle.shape, *[1] * (values.ndim - 1))
            total += weight * values[self.corners[..., corner]]
        return total

    def select(self, chosen: Bool[np.ndarray, "t"]) -> Bool[np.ndarray, "h w"]:
        """Return the pixels whose triangle is chosen."""
        return np.asarray(self.inside & chosen[self.triangle])


def rasterise(
    points_xy: Float[np.ndarray, "v 2"],
    depth: Float[np.ndarray, "v"],
    triangles: Int[np.ndarray, "t 3"],
    size_hw: tuple[int, int],
) -> Raster:
    """Draw triangles into an image; each pixel keeps the nearest one (z-buffer).

    A pixel belongs to a triangle if its centre lies in it or on its edge. Both windings are drawn. Triangles without
    area, or with a corner that is not finite, are skipped.

    Args:
        points_xy: ``(V, 2)`` vertices in pixels; pixel j has its centre at j.
        depth: ``(V,)`` larger is farther.
        triangles: ``(T, 3)`` vertex indices.
        size_hw: height and width of the image.
    """
    height, width = size_hw
    low, extent = _boxes(points_xy[triangles], size_hw)
    sizes = extent[:, 0] * extent[:, 1]
    ends = np.cumsum(sizes)
    nearest = np.full(height * width, np.inf)
    triangle = np.full(height * width, -1, dtype=np.int32)
    weights = np.zeros((height * width, 3), dtype=np.float32)
    first = 0
    while first < len(triangles):
        done = ends[first] - sizes[first]
        last = max(int(np.searchsorted(ends, done + _PAIRS, side="right")), first + 1)
        numbers = np.repeat(np.arange(first, last), sizes[first:last])
        step = done + np.arange(len(numbers)) - (ends - sizes)[numbers]
        column = low[numbers, 0] + step % extent[numbers, 0]
        row = low[numbers, 1] + step // extent[numbers, 0]
        share = _barycentric(points_xy[triangles[numbers]], np.stack([column, row], axis=1))
        pixel = row * width + column
        distance = (share * depth[triangles[numbers]]).sum(axis=1)
        hit = np.flatnonzero((share >= -_ON_EDGE).all(axis=1) & (distance < nearest[pixel]))
        # For equal indices NumPy keeps the last assignment: the nearest triangle, and of equally near ones the first.
        hit = hit[np.lexsort((-numbers[hit], -distance[hit]))]
        nearest[pixel[hit]] = distance[hit]
        triangle[pixel[hit]] = numbers[hit]
        weights[pixel[hit]] = share[hit]
        first = last
    # A mesh without triangles covers nothing.
    covered = triangle >= 0
    corners = np.zeros((height * width, 3), dtype=np.int32)
    corners[covered] = triangles[triangle[covered]]
    return Raster(
        triangle.reshape(height, width),
        weights.reshape(height, width, 3),
        corners.reshape(height, width, 3),
    )


def _boxes(
    corners_xy: Float[np.ndarray, "t 3 2"], size_hw: tuple[int, int]
) -> tuple[Int[np.ndarray, "t 2"], Int[np.ndarray, "t 2"]]:
    """Return first column and row, and number of columns and rows, of the pixels in each triangle's bounding box."""
    finite = np.isfinite(corners_xy).all(axis=(1, 2))
    corners_xy = np.where(finite[:, None, None], corners_xy, -2.0)
    size_wh = np.array(size_hw[::-1])
    low = np.clip(np.ceil(corners_xy.min(axis=1) - _ON_EDGE), 0, size_wh).astype(np.int64)
    high = np.clip(np.floor(corners_xy.max(axis=1) + _ON_EDGE), -1, size_wh - 1).astype(np.int64)
    return low, np.maximum(high - low + 1, 0)


def _barycentric(
    corners_xy: Float[np.ndarray, "n 3 2"], xy: Int[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 3"]:
    """Return the weights of each triangle's corners at a point; all are -1 if the triangle has no area."""
    a, b, c = corners_xy[:, 0], corners_xy[:, 1], corners_xy[:, 2]
    (abx, aby), (acx, acy), (apx, apy) = (b - a).T, (c - a).T, (xy - a).T
    area = abx * acy - acx * aby
    safe = np.where(area == 0, 1.0, area)
    to_b = (apx * acy - acx * apy) / safe
    to_c = (abx * apy - apx * aby) / safe
    weights = np.stack([1 - to_b - to_c, to_b, to_c], axis=1)
    return np.where(area[:, None] == 0, -1.0, weights)
