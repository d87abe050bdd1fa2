"""A band that holds a whole map at once, not each place alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_MOST_DRAWS = 20000
"""Of the bootstrap: enough for a level of 99.9%."""


def standard_errors(influence: Float[np.ndarray, "clusters g"]) -> Float[np.ndarray, "g"]:
    """Root of the summed squares of the clusters' influences (`canonface.sampling.clusters`)."""
    return np.asarray(np.sqrt((influence**2).sum(axis=0)))


def critical_value(influence: Float[np.ndarray, "clusters g"], level: float = 0.95, seed: int = 0) -> float:
    r"""How many standard errors hold all numbers at once with the probability ``level``.

    The quantile of $\max_g |\sum_c \xi_c \psi_{cg}| / s_g$ over independent standard normal $\xi_c$ (the multiplier
    bootstrap of a maximum: V. Chernozhukov, D. Chetverikov, K. Kato, Ann. Statist. 41(6), 2013). For few clusters it
    is carried over to Student's t with C - 1 degrees of freedom at the same tail probability. Levels beyond what
    chance finds in reasonable time are bounded by Bonferroni's inequality, which is wider.

    Args:
        influence: ``(C, G)`` of each cluster on each number.
        level: of the band.
        seed: of the multipliers: the same numbers give the same band.

    Returns:
        The factor; infinite below two clusters.
    """
    from scipy.stats import norm, t

    count, tail = len(influence), 1 - level
    errors = standard_errors(influence)
    moving = np.isfinite(errors) & (errors > 0)
    if count < 2:
        return float("inf")
    if not moving.any():
        return 0.0
    draws = max(1000, int(np.ceil(20 / tail)))
    if draws > _MOST_DRAWS:
        return float(t.isf(tail / 2 / int(moving.sum()), count - 1))
    scaled = influence[:, moving] / errors[moving]
    random = np.random.default_rng(seed)
    largest = np.concatenate(
        [np.abs(random.standard_normal((n, count)) @ scaled).max(axis=1) for n in _chunks(draws)]
    )
    return float(t.isf(norm.sf(np.quantile(largest, level)), count - 1))


def _chunks(total: int, size: int = 1000) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def floored(
    errors: Float[np.ndarray, "g"],
    near: Float[np.ndarray, "g g"],
    pooled: Float[np.ndarray, "g"],
) -> Float[np.ndarray, "g"]:
    """Standard errors, none smaller than those around it suggest.

    Drops have heavy tails: at a place where chance did not ask the few faces that rely on it, the sampled drops agree
    too well. The variance of each place is therefore at least the mean of those under the same patch, and at least
    that of independent drops with the spread pooled over the patch. Chosen by its coverage on real matrices
    (``benchmarks/sampling_designs.py``); it can only widen a band.

    Args:
        errors: ``(G,)`` standard errors.
        near: ``(G, G)`` rows of weights that sum to 1: the patch around each place.
        pooled: ``(G,)`` standard errors of independent drops with pooled spread.
    """
    around = np.sqrt(near @ np.nan_to_num(errors) ** 2)
    return np.asarray(np.where(np.isfinite(errors), np.maximum(np.maximum(errors, around), pooled), np.nan))
