"""Similarity of two maps, and complexity of one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

_SIGMA, _WINDOW = 1.5, 11
_K1, _K2, _RANGE = 0.01, 0.03, 1.0
BINS = 100


def structural_similarity(
    a: Float[np.ndarray, "h w"], b: Float[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"]
) -> float:
    r"""Return the mean SSIM over chosen pixels of two maps, each scaled by its largest absolute value into 0..1.

    $\frac{(2 \mu_a \mu_b + c_1)(2 \sigma_{ab} + c_2)}{(\mu_a^2 + \mu_b^2 + c_1)(\sigma_a^2 + \sigma_b^2 + c_2)}$ with
    moments under a Gaussian window of 11 x 11 pixels and sigma 1.5, $c_i = (k_i L)^2$, $k = (0.01, 0.03)$, $L = 1$
    (Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 13, 2004).
    A drop of 0 becomes 1/2. On signed values the formula would give a map and its negative a high similarity, since
    both of its factors change sign.

    Args:
        a: ``(h, w)``, finite.
        b: ``(h, w)``, finite.
        inside: pixels that count.

    Returns:
        1 for equal maps; NaN where one of the two is 0 everywhere inside, or no pixel is inside.
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
    r"""Return the entropy of a map's histogram in nats: $-\sum_b p_b \ln p_b$ over equal bins from least to largest.

    The measure of the efficient MPRT: 0 for a flat map, $\ln$ of the bins for evenly spread values (A. Hedström et
    al., "Sanity Checks Revisited: An Exploration to Repair the Model Parameter Randomisation Test", 2024, arXiv
    2401.06465).

    Args:
        values: one number per place; NaN is left out.
        bins: bins of the histogram.

    Returns:
        0 or more; NaN where no value is known.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan")
    if np.ptp(known) == 0:
        return 0.0
    counts = np.histogram(known, bins=bins)[0]
    share = counts[counts > 0] / len(known)
    return float(-(share * np.log(share)).sum())
