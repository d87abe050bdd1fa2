"""Noisy linear imputation: removal of pixels that does not show their shape, for ROAD."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from canonface.errors import OptionError

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the pixels that are removed."""
NOISE = 0.01
"""Standard deviation of the noise on a replaced pixel, in the range of a pixel, 0..1."""
_WEIGHTS = {(0, 1): 1 / 6, (1, 0): 1 / 6, (1, 1): 1 / 12, (1, -1): 1 / 12}
"""Weights of the neighbours to the right and below; those to the left and above are the same."""


def noisy_linear_imputation(
    x: Float[np.ndarray, "c h w"],
    removed: ArrayLike,
    noise: float | Float[np.ndarray, "c 1 1"] = 0.0,
    seed: int = 0,
) -> Float[np.ndarray, "c h w"]:
    """Replace pixels of an input by the mean of their neighbours, all at once, plus noise.

    Each removed pixel is the weighted mean of its eight neighbours, 1/6 for those that share a side and 1/12 for
    those that share a corner, those outside the image left out; removed neighbours count with their new values, which
    gives a linear system (Y. Rong, T. Leemann, V. Borisov, G. Kasneci, E. Kasneci, "A Consistent and Efficient
    Evaluation Strategy for Attribution Methods", ICML 2022, section 5). No block of fill shows
    the shape of the removed pixels.

    Args:
        x: ``(c, h, w)``; not changed.
        removed: ``(h, w)`` True where a pixel is replaced.
        noise: standard deviation of the normal noise on each replaced value, in the values of ``x``; one number, or
            one per channel.
        seed: seed of the noise.

    Returns:
        ``(c, h, w)``, ``float64``.

    Raises:
        OptionError: no pixel is left, or the shapes differ.
    """
    from scipy.sparse.linalg import spsolve

    gone_at = np.asarray(removed, dtype=bool)
    if gone_at.shape != x.shape[1:]:
        raise OptionError(f"removed has one value per pixel; got {gone_at.shape} for {x.shape[1:]}.")
    if gone_at.all():
        raise OptionError("Pixels are filled from those that are left, and none is left: remove fewer.")
    filled = x.astype(np.float64)
    if not gone_at.any():
        return filled
    mixing = neighbour_weights(gone_at.shape)
    gone, kept = np.flatnonzero(gone_at), np.flatnonzero(~gone_at)
    flat = filled.reshape(len(x), -1)
    rows = mixing[gone]
    system = (_identity(len(gone)) - rows[:, gone]).tocsc()
    solved = spsolve(system, rows[:, kept] @ flat[:, kept].T).reshape(len(gone), len(x)).T
    random = np.random.default_rng(seed).standard_normal(solved.shape)
    flat[:, gone] = solved + np.broadcast_to(noise, (len(x), 1, 1))[:, 0] * random
    return flat.reshape(x.shape)


@lru_cache(maxsize=4)
def neighbour_weights(size_hw: tuple[int, int]) -> Any:
    """Return each pixel's weights of its neighbours as ``(n, n)`` ``scipy.sparse.csr_array``; rows sum to 1."""
    from scipy.sparse import coo_array, diags_array

    height, width = size_hw
    number = np.arange(height * width).reshape(size_hw)
    first: list[Int[np.ndarray, "_"]] = []
    second: list[Int[np.ndarray, "_"]] = []
    weights: list[Float[np.ndarray, "_"]] = []
    for (down, right), weight in _WEIGHTS.items():
        here = number[: height - down, max(-right, 0) : width - max(right, 0)].ravel()
        there = number[down:, max(right, 0) : width + min(right, 0)].ravel()
        first += [here, there]
        second += [there, here]
        weights += [np.full(2 * len(here), weight)]
    places = (np.concatenate(first), np.concatenate(second))
    summed = coo_array((np.concatenate(weights), places), shape=(height * width,) * 2).tocsr()
    return (diags_array(1 / np.maximum(summed.sum(axis=1), 1e-12)) @ summed).tocsr()


def _identity(size: int) -> Any:
    from scipy.sparse import eye_array

    return eye_array(size, format="csr")
