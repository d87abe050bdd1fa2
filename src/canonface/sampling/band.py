"""Simultaneous confidence bands: one band covers the whole map, not each place alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters

_MOST_DRAWS = 20000
"""Bootstrap draws, at most: enough for a confidence level of 99.9%."""
FEW_EFFECTIVE = 8.0
"""Smallest effective number of clusters for a reliable band: with fewer, bands of 95% covered the truth less often
on real matrices (`docs/sampling.md`)."""


@renamed_parameters(level="confidence_level")
@dataclass(frozen=True, eq=False)
class Band:
    """Estimates with a simultaneous confidence band.

    Attributes:
        values: ``(G,)`` the estimates; NaN where no drop lies near enough.
        se: ``(G,)`` standard errors.
        half_width: ``(G,)`` half-width of the band: with probability ``confidence_level`` it covers all true values.
        critical: half-width in standard errors.
        confidence_level: probability that the band covers all true values at once.
        effective: effective number of clusters behind a typical number; below `FEW_EFFECTIVE` the band is unreliable.
    """

    values: Float[np.ndarray, "g"] = field(repr=False)
    se: Float[np.ndarray, "g"] = field(repr=False)
    half_width: Float[np.ndarray, "g"] = field(repr=False)
    critical: float
    confidence_level: float
    effective: float

    level = deprecated_attribute("confidence_level")

    @property
    def low(self) -> Float[np.ndarray, "g"]:
        """Lower limit of the band."""
        return np.asarray(self.values - self.half_width)

    @property
    def high(self) -> Float[np.ndarray, "g"]:
        """Upper limit of the band."""
        return np.asarray(self.values + self.half_width)

    @property
    def widest(self) -> float:
        """Largest half-width, to be compared with a precision; infinite if nothing is known."""
        known = self.half_width[np.isfinite(self.values)]
        return float(known.max()) if len(known) else float("inf")

    @property
    def trusted(self) -> bool:
        """True if the effective number of clusters is large enough for a reliable band."""
        return self.effective >= FEW_EFFECTIVE

    def holds(self, truth: Float[np.ndarray, "g"]) -> bool:
        """Return whether the band covers all values of another map, within rounding."""
        known = np.isfinite(self.values) & np.isfinite(truth)
        slack = 1e-9 * (1 + np.abs(truth[known]))
        return bool((np.abs(self.values - truth)[known] <= self.half_width[known] + slack).all())


def standard_errors(influence: Float[np.ndarray, "clusters g"]) -> Float[np.ndarray, "g"]:
    """Return the root of the summed squares of the clusters' influences (`canonface.sampling.influence`)."""
    return np.asarray(np.sqrt((influence**2).sum(axis=0)))


@renamed_parameters(level="confidence_level")
def critical_value(
    influence: Float[np.ndarray, "clusters g"], confidence_level: float = 0.95, seed: int = 0
) -> float:
    r"""Return the number of standard errors that covers all numbers at once with the given probability.

    It is the quantile of $\max_g |\sum_c \xi_c \psi_{cg}| / s_g$ over independent standard normal $\xi_c$ (the
    multiplier bootstrap of a maximum: V. Chernozhukov, D. Chetverikov, K. Kato, Ann. Statist. 41(6), 2013), converted
    to Student's t with C - 1 degrees of freedom at the same tail probability. Confidence levels that need too many
    draws use Bonferroni's inequality instead, which is wider.

    Args:
        influence: ``(C, G)`` of each cluster on each number.
        confidence_level: confidence level of the band.
        seed: seed of the multipliers; the same numbers give the same band.

    Returns:
        The factor; infinite below two clusters.
    """
    from scipy.stats import norm, t

    count, tail = len(influence), 1 - confidence_level
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
    return float(t.isf(norm.sf(np.quantile(largest, confidence_level)), count - 1))


def _chunks(total: int, size: int = 1000) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def floored(
    errors: Float[np.ndarray, "g"],
    near: Float[np.ndarray, "g g"],
    pooled: Float[np.ndarray, "g"],
) -> Float[np.ndarray, "g"]:
    """Return standard errors with a lower limit from the places around.

    Drops have heavy tails: where the sample misses the few faces that rely on a place, the sampled drops agree too
    well. The variance of each place is therefore at least the mean of those under the same patch, and at least that
    of independent drops with the spread pooled over the patch. The rule was chosen by its coverage on real matrices
    (``benchmarks/sampling_designs.py``); it can only widen a band.

    Args:
        errors: ``(G,)`` standard errors.
        near: ``(G, G)`` rows of weights that sum to 1: the patch around each place.
        pooled: ``(G,)`` standard errors of independent drops with pooled spread.
    """
    around = np.sqrt(near @ np.nan_to_num(errors) ** 2)
    return np.asarray(np.where(np.isfinite(errors), np.maximum(np.maximum(errors, around), pooled), np.nan))
