"""Pixels in the order of a map, and the inputs of deletion and insertion curves."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError

Curve = Literal["deletion", "insertion"]
CURVES: tuple[Curve, ...] = ("deletion", "insertion")


@renamed_parameters(heat="attribution")
def most_relevant_first(attribution: ArrayLike, seed: int = 0) -> Int[np.ndarray, "n"]:
    """Return the positions of the pixels, numbered row by row, from the highest to the lowest attribution.

    Pixels of equal attribution come in random order, the same for the same seed. In a fixed order, the score of a map
    with a flat top would depend on the positions of its pixels. NaN comes last.

    Args:
        attribution: ``(h, w)`` larger where the model relied more.
        seed: seed of the order among equals.

    Raises:
        OptionError: the shape is wrong, or the map holds infinity.
    """
    values = np.asarray(attribution, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise OptionError(
            f"attribution is one number per pixel or NaN, shape (h, w), none infinite; got shape {values.shape}, "
            f"{int(np.isinf(values).sum())} infinite."
        )
    flat = values.ravel()
    shuffled = np.random.default_rng(seed).permutation(flat.size)
    return np.asarray(shuffled[np.argsort(-flat[shuffled], kind="stable")])


def step_counts(pixels: int, steps: int) -> Int[np.ndarray, "k"]:
    """Return the number of replaced pixels at each of ``steps`` equal steps, from none to all: ``steps + 1`` numbers.

    Raises:
        OptionError: there is no step.
    """
    if steps < 1:
        raise OptionError(f"Pixels are replaced in at least one step; got {steps}.")
    return np.rint(np.linspace(0, pixels, steps + 1)).astype(np.int64)


def leading_masks(
    order: Int[np.ndarray, "n"], counts: Int[np.ndarray, "k"], size_hw: tuple[int, int]
) -> Bool[np.ndarray, "k h w"]:
    """Return one mask per count, True at the first ``count`` pixels of the order."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank.reshape(size_hw) < counts[:, None, None])


def curve_inputs(
    x: Float[np.ndarray, "c h w"],
    fill: Float[np.ndarray, "c h w"],
    order: Int[np.ndarray, "n"],
    steps: int,
    curve: str,
) -> Float[np.ndarray, "k c h w"]:
    """Return the inputs whose confidences make a deletion or insertion curve.

    Deletion starts from the input and replaces the most relevant pixels by the fill first, until all is fill.
    Insertion starts from the fill and restores the most relevant pixels first (V. Petsiuk, A. Das, K. Saenko, "RISE",
    BMVC 2018).

    Args:
        x: ``(c, h, w)`` the model's input; not changed.
        fill: ``(c, h, w)`` replacement of each pixel, in the values of the input.
        order: from `canonface.evaluation.most_relevant_first`.
        steps: number of equal steps.
        curve: ``deletion`` or ``insertion``.

    Returns:
        ``(steps + 1, c, h, w)``.

    Raises:
        OptionError: the curve has another name, or there is no step.
    """
    if curve not in CURVES:
        raise OptionError(f"A curve is 'deletion' or 'insertion'; got {curve!r}.")
    height, width = x.shape[1:]
    masks = leading_masks(order, step_counts(len(order), steps), (height, width))[:, None]
    start, end = (x, fill) if curve == "deletion" else (fill, x)
    return np.asarray(np.where(masks, end, start))


def area_under(values: ArrayLike) -> float:
    """Return the area under a curve of equally spaced points by trapezoids, the whole curve being 1 wide.

    The area is the curve's mean height, in the unit of the values.

    Raises:
        OptionError: the shape is wrong or there are fewer than two points.
    """
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 1 or len(points) < 2:
        raise OptionError(f"A curve has at least two points, shape (k,); got shape {points.shape}.")
    return float((points[1:] + points[:-1]).mean() / 2)
