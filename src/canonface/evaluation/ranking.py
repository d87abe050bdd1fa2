"""Pixels in the order in which a map names them, and inputs in which the first of them are replaced."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError


def hottest_first(attribution: ArrayLike, seed: int = 0) -> Int[np.ndarray, "n"]:
    """Positions of the pixels, row by row, from the hottest to the coldest.

    Pixels of equal heat come in random order, the same for the same seed: otherwise a map that is flat at its top
    would be scored by where its pixels lie. NaN comes last: the map says nothing of it.

    Args:
        attribution: ``(h, w)`` larger where more was relied on.
        seed: of the order among equals.

    Raises:
        OptionError: the shape is wrong, or the map holds infinity.
    """
    values = np.asarray(attribution, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise OptionError(
            f"heat is one number a pixel or NaN, shape (h, w), none infinite; got shape {values.shape}, "
            f"{int(np.isinf(values).sum())} infinite."
        )
    flat = values.ravel()
    shuffled = np.random.default_rng(seed).permutation(flat.size)
    return np.asarray(shuffled[np.argsort(-flat[shuffled], kind="stable")])


def first_counts(pixels: int, steps: int) -> Int[np.ndarray, "k"]:
    """How many pixels are replaced at each of ``steps`` equal steps, from none to all: ``steps + 1`` numbers."""
    if steps < 1:
        raise OptionError(f"Pixels are replaced in at least one step; got {steps}.")
    return np.rint(np.linspace(0, pixels, steps + 1)).astype(np.int64)


def first_masks(
    order: Int[np.ndarray, "n"], counts: Int[np.ndarray, "k"], size_hw: tuple[int, int]
) -> Bool[np.ndarray, "k h w"]:
    """True where a pixel is among the first of the order, one mask a count."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank.reshape(size_hw) < counts[:, None, None])
