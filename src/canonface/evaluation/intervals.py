"""Intervals of means over images, by a bootstrap over people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError

DRAWS = 2000
CONFIDENCE_LEVEL = 0.95


class Interval(NamedTuple):
    """Mean with the ends of its interval; the ends are NaN with fewer than two people."""

    value: float
    low: float
    high: float


def bootstrap_means(
    scores: Float[np.ndarray, "n k"], clusters: Int[np.ndarray, "n"], draws: int = DRAWS, seed: int = 0
) -> Float[np.ndarray, "draws k"]:
    """Return means of the scores over resampled people, drawn with replacement, as many as there are.

    All columns use the same draws, so that effects that methods share cancel in their differences.

    Args:
        scores: ``(n, k)`` one row per image; NaN is left out of its column's mean.
        clusters: ``(n,)`` number of each image's person, from 0 (`canonface.sampling.cluster_numbers`): a person is
            drawn with all of their images.
        draws: number of draws.
        seed: seed of the draws.

    Returns:
        ``(draws, k)``; NaN in a draw that holds no score of a column.
    """
    count = int(clusters.max(initial=-1)) + 1
    known = np.isfinite(scores)
    sums, numbers = np.zeros((count, scores.shape[1])), np.zeros((count, scores.shape[1]))
    np.add.at(sums, clusters, np.where(known, scores, 0.0))
    np.add.at(numbers, clusters, known)
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
    total, images = times @ sums, times @ numbers
    return np.asarray(np.divide(total, images, out=np.full_like(total, np.nan), where=images > 0))


@renamed_parameters(level="confidence_level")
def intervals(
    scores: Float[np.ndarray, "n k"],
    clusters: Int[np.ndarray, "n"],
    *,
    confidence_level: float = CONFIDENCE_LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
) -> list[Interval]:
    r"""Return the mean of each column with its interval.

    The ends are percentiles of `bootstrap_means`, slightly widened, since few people vary less than the population:
    at $\Phi(t_{\alpha/2, C-1} \sqrt{C / (C - 1)})$ instead of $\alpha/2$ for C
    people (T. C. Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4), 2015:
    the expanded percentile interval).

    No draw lies beyond the lowest and the highest person, and all C people lie on one side of the mean with
    probability $2^{1 - C}$. Where that exceeds $\alpha$ (fewer than six people at 95%), Student's interval of
    people's sums is used instead, the mean being the ratio of two sums.

    If all scores are equal, all draws are equal and the bootstrap has no width. The exact binomial interval is
    used instead: $1 - (\alpha/2)^{1/C}$ of the people may lie at either end of the scale (C. J. Clopper, E. S.
    Pearson, Biometrika 26(4), 1934). This holds for any scores between two bounds.

    Args:
        scores: ``(n, k)`` one row per image; NaN is left out.
        clusters: ``(n,)`` number of each image's person.
        confidence_level: probability that an interval holds the mean.
        draws: number of draws of the bootstrap.
        seed: seed of the draws.
        bounds: ends of the scores' scale; None: unbounded.

    Raises:
        OptionError: the level or the number of draws cannot be used.
    """
    check_draws(confidence_level, draws)
    means = bootstrap_means(scores, clusters, draws, seed)
    return [
        _interval(scores[:, k], clusters, means[:, k], confidence_level, bounds)
        for k in range(scores.shape[1])
    ]


def too_few_to_draw(people: int, confidence_level: float = CONFIDENCE_LEVEL) -> bool:
    """Return whether a bootstrap over so few people would be too narrow, so that Student's interval is used."""
    return bool(2.0 ** (1 - people) > 1 - confidence_level)


def check_draws(confidence_level: float, draws: int) -> None:
    """Raise if a confidence level or a number of draws is unusable.

    Raises:
        OptionError: the level is not between 0 and 1, or there are fewer than 200 draws.
    """
    if not 0 < confidence_level < 1:
        raise OptionError(
            f"The confidence level of an interval lies between 0 and 1; got {confidence_level}."
        )
    if draws < 200:
        raise OptionError(f"An interval needs at least 200 draws; got {draws}.")


def _interval(
    scores: Float[np.ndarray, "n"],
    clusters: Int[np.ndarray, "n"],
    means: Float[np.ndarray, "draws"],
    confidence_level: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    from scipy.stats import norm, t

    known = np.isfinite(scores)
    people = len(np.unique(clusters[known]))
    if people < 2:
        return Interval(float(scores[known].mean()) if known.any() else np.nan, np.nan, np.nan)
    value, tail = float(scores[known].mean()), (1 - confidence_level) / 2
    if bounds is not None and np.ptp(scores[known]) == 0:
        others = 1 - tail ** (1 / people)
        return Interval(value, value - others * (value - bounds[0]), value + others * (bounds[1] - value))
    if too_few_to_draw(people, confidence_level):
        return _students_interval(scores[known], clusters[known], confidence_level, bounds)
    outer = norm.cdf(t.ppf(tail, people - 1) * np.sqrt(people / (people - 1)))
    low, high = np.nanquantile(means, [outer, 1 - outer])
    return Interval(value, float(low), float(high))


def _students_interval(
    scores: Float[np.ndarray, "n"],
    clusters: Int[np.ndarray, "n"],
    confidence_level: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    """Return Student's interval of a mean over few people, each with all of their images."""
    from scipy.stats import t

    value, (_, person) = float(scores.mean()), np.unique(clusters, return_inverse=True)
    residuals = np.bincount(person, scores - value)
    people = len(residuals)
    error = np.sqrt((residuals**2).sum() * people / (people - 1)) / len(scores)
    half = float(t.ppf((1 + confidence_level) / 2, people - 1) * error)
    least, most = bounds or (-np.inf, np.inf)
    return Interval(value, max(value - half, least), min(value + half, most))
