"""Deletion and insertion: how fast the confidence falls, or comes back, in the order of a map."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError
from canonface.evaluation.ranking import first_counts, first_masks

Curve = Literal["deletion", "insertion"]
CURVES: tuple[Curve, ...] = ("deletion", "insertion")


def curve_inputs(
    x: Float[np.ndarray, "c h w"],
    fill: Float[np.ndarray, "c h w"],
    order: Int[np.ndarray, "n"],
    steps: int,
    curve: str,
) -> Float[np.ndarray, "k c h w"]:
    """The inputs whose confidences make a curve.

    Deletion starts from the input and puts the fill over the hottest pixels first, until all is fill. Insertion
    starts from the fill and puts the input's hottest pixels back first (V. Petsiuk, A. Das, K. Saenko, "RISE",
    BMVC 2018).

    Args:
        x: ``(c, h, w)`` the model's input; not changed.
        fill: ``(c, h, w)`` what stands in for a pixel, in the values of the input.
        order: from `canonface.evaluation.hottest_first`.
        steps: how many; at each as many pixels are replaced.
        curve: which of both.

    Returns:
        ``(steps + 1, c, h, w)``.
    """
    if curve not in CURVES:
        raise OptionError(f"A curve is 'deletion' or 'insertion'; got {curve!r}.")
    height, width = x.shape[1:]
    masks = first_masks(order, first_counts(len(order), steps), (height, width))[:, None]
    start, end = (x, fill) if curve == "deletion" else (fill, x)
    return np.asarray(np.where(masks, end, start))


def area_under(values: ArrayLike) -> float:
    """Mean height of a curve whose points are equally far apart: its area, the whole input being 1 wide.

    In the unit of the values; trapezoids.

    Raises:
        OptionError: the shape is wrong or there are fewer than two points.
    """
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 1 or len(points) < 2:
        raise OptionError(f"A curve has at least two points, shape (k,); got shape {points.shape}.")
    return float((points[1:] + points[:-1]).mean() / 2)
