"""Canonical saliency maps, and their reprojection onto a face (eq. 3-6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError
from canonface.functional.arrays import PointsXY, points
from canonface.functional.occlusion import occlusion_boxes

Unseen = Literal["omit", "zero"]


def canonical_patch(patch: float, canonical_height: int, input_height: int) -> float:
    """Return the side of the canonical patch, ``patch * H_F / H_I`` (eq. 3); it may be fractional.

    Args:
        patch: side of the occluding patch in pixels of the model's input.
        canonical_height: ``H_F``, height of the canonical picture in pixels.
        input_height: ``H_I``, height of the model's input in pixels.
    """
    return patch * canonical_height / input_height


def cis(
    drops: ArrayLike,
    canonical_xy: PointsXY,
    size_hw: tuple[int, int],
    patch: float,
    normalise: bool = True,
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Return the canonical image saliency map of one face: its drops on the canonical picture (eq. 4-5).

    ``P`` sums the drops under each probe's canonical patch, ``N`` counts them; the map is ``P / N``.
    Without normalisation the map is ``P``, which is high wherever probes are dense (the paper's figure 4).

    Args:
        drops: ``(n,)`` one number per probe; NaN is skipped.
        canonical_xy: ``(n, 2)`` the probes' positions on the canonical picture, in pixels.
        size_hw: height and width of the canonical picture.
        patch: side of the canonical patch in pixels, see `canonical_patch`.
        normalise: divide by the number of patches that cover a pixel.

    Returns:
        The map ``(h, w)``, 0 where no patch lies, and the number of patches over each pixel ``(h, w)``.
    """
    values = np.asarray(drops, dtype=np.float64)
    places = points("canonical_xy", canonical_xy)
    if values.shape != (len(places),):
        raise OptionError(
            f"cis needs one drop per probe; got drops of shape {values.shape} for {len(places)} probes."
        )
    if np.isinf(values).any():
        raise OptionError(
            f"A drop is a number or NaN; {int(np.isinf(values).sum())} of {len(values)} are infinite."
        )
    probed = ~np.isnan(values)
    boxes = occlusion_boxes(places[probed], patch, size_hw)
    total, count = _box_sums(boxes, values[probed], size_hw)
    if normalise:
        np.divide(total, count, out=total, where=count > 0)
    return total, count


def cms(
    maps: ArrayLike | Sequence[ArrayLike],
    counts: ArrayLike | Sequence[ArrayLike] | None = None,
    unseen: Unseen = "omit",
) -> Float[np.ndarray, "h w"]:
    """Return the canonical model saliency map: the mean of many canonical image saliency maps (eq. 6).

    Args:
        maps: ``(n, h, w)`` one map per face, as `cis` returns them.
        counts: ``(n, h, w)`` their counts; a pixel with count 0 was hidden in that face. None: all pixels were seen.
        unseen: ``omit`` leaves a face out of the mean at the pixels that it hides; ``zero`` counts them as 0,
            as the paper does, which pulls the map towards 0 wherever faces turn away.

    Returns:
        The map ``(h, w)``; 0 where no face showed the pixel.
    """
    if unseen not in ("omit", "zero"):
        raise OptionError(f"unseen is 'omit' or 'zero'; got {unseen!r}.")
    stack = np.asarray(maps, dtype=np.float64)
    if stack.ndim != 3 or len(stack) == 0:
        raise OptionError(f"cms needs at least one map, stacked as (n, h, w); got shape {stack.shape}.")
    seen = np.ones(stack.shape, dtype=bool) if counts is None else np.asarray(counts) > 0
    if seen.shape != stack.shape:
        raise OptionError(f"cms needs one count per pixel of each map; got {seen.shape} for {stack.shape}.")
    total = np.where(seen, stack, 0.0).sum(axis=0)
    divisor = np.full(total.shape, len(stack)) if unseen == "zero" else seen.sum(axis=0)
    mean: Float[np.ndarray, "h w"] = np.divide(total, divisor, out=np.zeros_like(total), where=divisor > 0)
    return mean


def sample(image: ArrayLike, points_xy: PointsXY) -> Float[np.ndarray, "n"]:
    """Return the bilinear value of an image at points in pixels; a point outside takes the nearest border value.

    NaN points give NaN.
    """
    image, places = np.asarray(image, dtype=np.float64), points("points_xy", points_xy)
    height, width = image.shape
    finite = np.isfinite(places).all(axis=1)
    x = np.clip(places[finite, 0], 0, width - 1)
    y = np.clip(places[finite, 1], 0, height - 1)
    x0 = np.minimum(x.astype(np.int64), max(width - 2, 0))
    y0 = np.minimum(y.astype(np.int64), max(height - 2, 0))
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    right, down = x - x0, y - y0
    top = image[y0, x0] * (1 - right) + image[y0, x1] * right
    bottom = image[y1, x0] * (1 - right) + image[y1, x1] * right
    values = np.full(len(places), np.nan)
    values[finite] = top * (1 - down) + bottom * down
    return values


def reproject(
    map: ArrayLike,
    canonical_xy: PointsXY,
    vertices_xy: PointsXY,
    size_hw: tuple[int, int],
    patch: float,
) -> Float[np.ndarray, "h w"]:
    """Draw a canonical map on a face (figure 6d): the inverse of `cis`.

    Each vertex takes the map's value at its canonical position and spreads it under a patch at its position on the
    face; overlapping patches are averaged.

    Args:
        map: ``(h, w)`` canonical map.
        canonical_xy: ``(n, 2)`` the vertices on the canonical picture, in pixels.
        vertices_xy: ``(n, 2)`` the same vertices on the face, in pixels; NaN where the face hides them.
        size_hw: height and width of the returned map.
        patch: side of the patch on the face, in pixels.

    Returns:
        ``(h, w)`` the map on the face, 0 where no vertex is near.
    """
    places = points("vertices_xy", vertices_xy)
    values = sample(map, canonical_xy)
    if len(values) != len(places):
        raise OptionError(
            f"reproject needs the same vertices twice; got {len(values)} canonical, {len(places)} on faces."
        )
    shown = np.isfinite(places).all(axis=1)
    return cis(values[shown], places[shown], size_hw, patch)[0]


def _box_sums(
    boxes: Int[np.ndarray, "n 4"], values: Float[np.ndarray, "n"], size_hw: tuple[int, int]
) -> tuple[Float[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Return sum and number of the boxes over each pixel, computed by a summed difference image."""
    height, width = size_hw
    x0, y0, x1, y1 = boxes.T
    total = np.zeros((height + 1, width + 1))
    count = np.zeros((height + 1, width + 1), dtype=np.int64)
    for rows, columns, sign in ((y0, x0, 1), (y0, x1, -1), (y1, x0, -1), (y1, x1, 1)):
        np.add.at(total, (rows, columns), sign * values)
        np.add.at(count, (rows, columns), sign)
    count = count.cumsum(axis=0).cumsum(axis=1)[:height, :width]
    # A sum of differences leaves about 1e-16 where nothing lies.
    total = np.where(count > 0, total.cumsum(axis=0).cumsum(axis=1)[:height, :width], 0.0)
    return total, count
