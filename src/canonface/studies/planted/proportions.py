"""How well a share of trials is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from canonface.errors import OptionError

_Z = 1.959963984540054


@dataclass(frozen=True)
class Proportion:
    """Hits among trials with Wilson's 95% interval.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927: the values p for
    which the observed share lies within 1.96 standard errors ``sqrt(p (1 - p) / n)`` of p.

    Attributes:
        hits: how many.
        trials: of how many.
    """

    hits: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.trials:
            raise OptionError(f"Hits are 0 to all of the trials; got {self.hits} of {self.trials}.")

    @property
    def share(self) -> float:
        """Hits by trials; NaN without a trial."""
        return self.hits / self.trials if self.trials else np.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval; 0 to 1 without a trial."""
        if not self.trials:
            return 0.0, 1.0
        n, p = self.trials, self.share
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        # Exact at the ends, where rounding would leave a trace.
        low = 0.0 if self.hits == 0 else float(middle - half)
        return low, 1.0 if self.hits == n else float(middle + half)

    def __str__(self) -> str:
        if not self.trials:
            return "no trials"
        low, high = self.interval
        return f"{self.hits}/{self.trials}, {self.share:.0%} [{low:.0%}, {high:.0%}]"
