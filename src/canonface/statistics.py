"""Statistics that several packages use: rank correlation, Wilson's interval, mass share, area under the ROC curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError


def spearman(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "n"]) -> float:
    """Return Spearman's rank correlation over the places where both arrays are finite.

    Tied values share their mean rank.

    Args:
        a: ``(n,)``.
        b: ``(n,)``.

    Returns:
        -1..1; NaN with fewer than three finite pairs, or where one side is constant over these pairs.
    """
    from scipy.stats import rankdata

    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3 or np.ptp(a[known]) == 0 or np.ptp(b[known]) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a[known]), rankdata(b[known]))[0, 1])


def wilson_interval(successes: float, trials: float, confidence_level: float = 0.95) -> tuple[float, float]:
    r"""Return Wilson's interval of a proportion.

    The interval holds every $p$ for which the observed share lies within $z$ standard errors $\sqrt{p (1 - p) / n}$
    of $p$ (E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927).

    >>> low, high = wilson_interval(8, 10)
    >>> round(low, 4), round(high, 4)
    (0.4902, 0.9433)

    Args:
        successes: from 0 to ``trials``; fractional where ``trials`` is an effective sample size.
        trials: 0 or more.
        confidence_level: probability that the interval holds the true proportion, between 0 and 1.

    Returns:
        Lower and upper end, each in 0..1; ``(0, 1)`` without a trial.

    Raises:
        OptionError: the successes are not in 0..trials, or the level is not between 0 and 1.
    """
    from scipy.special import ndtri

    if not 0 <= successes <= trials:
        raise OptionError(f"Successes are 0 to all of the trials; got {successes} of {trials}.")
    if not 0 < confidence_level < 1:
        raise OptionError(f"A confidence level lies between 0 and 1; got {confidence_level}.")
    if trials == 0:
        return 0.0, 1.0
    z, p = float(ndtri((1 + confidence_level) / 2)), successes / trials
    scale = 1 + z**2 / trials
    centre = (p + z**2 / (2 * trials)) / scale
    half = z * float(np.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))) / scale
    # Exact at the ends, where rounding would leave a trace.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == trials else min(1.0, centre + half)


@renamed_parameters(heat="values")
def mass_share(values: Float[np.ndarray, "*shape"], inside: Bool[np.ndarray, "*shape"]) -> float:
    """Return the share of the positive values that lies inside a region.

    Args:
        values: ``(*shape,)`` larger where more was relied on; NaN is left out, negative values are no mass.
        inside: ``(*shape,)`` True in the region.

    Returns:
        0..1; NaN where no value is positive.
    """
    positive = np.where(np.isfinite(values), np.maximum(values, 0.0), 0.0)
    total = positive.sum()
    return float(positive[inside].sum() / total) if total > 0 else float("nan")


@renamed_parameters(heat="values")
def roc_area(values: Float[np.ndarray, "*shape"], inside: Bool[np.ndarray, "*shape"]) -> float:
    """Return the probability that a value inside a region exceeds one outside; a tie counts as half.

    This is the area under the ROC curve, and the Mann-Whitney statistic over the number of pairs.

    Args:
        values: ``(*shape,)``; NaN is left out.
        inside: ``(*shape,)`` True in the region.

    Returns:
        0..1, where 0.5 is chance; NaN where no finite value lies inside, or none outside.
    """
    from scipy.stats import rankdata

    known = np.isfinite(values)
    members = inside[known]
    n, m = int(members.sum()), int((~members).sum())
    if not n or not m:
        return float("nan")
    ranks = rankdata(values[known])
    return float((ranks[members].sum() - n * (n + 1) / 2) / (n * m))


def json_value(value: Any) -> Any:
    """Return a value as JSON can hold it: a number that is not finite becomes None, a tuple a list."""
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
