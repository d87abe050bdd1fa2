"""How alike two maps are, and how complex one is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

_SIGMA, _WINDOW = 1.5, 11
_K1, _K2, _RANGE = 0.01, 0.03, 1.0
BINS = 100


def rank_correlation(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "n"]) -> float:
    """Spearman's rank correlation over the places that both know; ties share their mean rank.

    NaN where fewer than three places are known, or one of the two is the same everywhere.
    """
    from scipy.stats import rankdata

    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a[known]), rankdata(b[known]))[0, 1])


def structural_similarity(
    a: Float[np.ndarray, "h w"], b: Float[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"]
) -> float:
    r"""SSIM of two maps, each divided by its largest absolute value and laid into 0..1: the mean over pixels inside.

    $\frac{(2 \mu_a \mu_b + c_1)(2 \sigma_{ab} + c_2)}{(\mu_a^2 + \mu_b^2 + c_1)(\sigma_a^2 + \sigma_b^2 + c_2)}$ with
    moments under a Gaussian window of 11 x 11 pixels and sigma 1.5, $c_i = (k_i L)^2$, $k = (0.01, 0.03)$, $L = 1$
    (Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13, 2004).
    A drop of 0 becomes 1/2: of values with signs the formula would call a map and its negative alike, since both its
    factors turn.

    Args:
        a: ``(h, w)``, finite.
        b: likewise.
        inside: pixels that count.

    Returns:
        1 for equal maps; NaN where one of the two is 0 everywhere inside, or nothing is inside.
    """
    import cv2

    scaled = []
    for image in (a, b):
        largest = float(np.abs(image[inside]).max(initial=0.0))
        if largest == 0:
            return float("nan")
        scaled.append(np.where(inside, (image / largest + 1) / 2, 0.5))

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(
            cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA, borderType=cv2.BORDER_REFLECT_101)
        )

    x, y = scaled
    mx, my = mean(x), mean(y)
    sx, sy, sxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (_K1 * _RANGE) ** 2, (_K2 * _RANGE) ** 2
    found = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sx + sy + c2))
    return float(found[inside].mean())


def complexity(values: Float[np.ndarray, "n"], bins: int = BINS) -> float:
    r"""Entropy of a map's histogram, in nats: $-\sum_b p_b \ln p_b$ over equal bins from least to largest value.

    The measure of the efficient MPRT: a flat map has 0, one whose values are spread evenly $\ln$ of the bins (A.
    Hedström et al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test",
    2024, arXiv 2401.06465). NaN where nothing is known.

    Args:
        values: one number a place; NaN is left out.
        bins: of the histogram.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan")
    if np.ptp(known) == 0:
        return 0.0
    counts = np.histogram(known, bins=bins)[0]
    share = counts[counts > 0] / len(known)
    return float(-(share * np.log(share)).sum())
