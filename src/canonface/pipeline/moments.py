"""Means over faces, as sums that merge in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, sum and sum of squares of numbers at each place; NaN counts as absent."""

    count: Int[np.ndarray, "..."]
    total: Float[np.ndarray, "..."]
    squares: Float[np.ndarray, "..."]

    @classmethod
    def of(cls, values: Float[np.ndarray, "..."]) -> Moments:
        """Return the moments of one observation."""
        known = np.isfinite(values)
        there = np.where(known, values, 0.0)
        return cls(known.astype(np.int64), there, there**2)

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of observations."""
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> Float[np.ndarray, "..."]:
        """Mean; NaN where the count is 0."""
        none = np.full(self.total.shape, np.nan)
        return np.asarray(np.divide(self.total, self.count, out=none, where=self.count > 0))

    @property
    def sem(self) -> Float[np.ndarray, "..."]:
        """Standard error of the mean; NaN where the count is below 2."""
        spread = self.squares - self.count * np.nan_to_num(self.mean) ** 2
        several = self.count > 1
        divisor = np.where(several, self.count * (self.count - 1.0), 1.0)
        return np.where(several, np.sqrt(np.maximum(spread, 0) / divisor), np.nan)
