"""How sure a mean over images is: a bootstrap over people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError

DRAWS = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean and where it lies with the probability of the level; NaN where fewer than two people carry it."""

    value: float
    low: float
    high: float


def bootstrap_means(
    scores: Float[np.ndarray, "n k"], clusters: Int[np.ndarray, "n"], draws: int = DRAWS, seed: int = 0
) -> Float[np.ndarray, "draws k"]:
    """Means of the scores over resampled people: each draw takes as many people as there are, with replacement.

    All columns see the same draws, so that what methods have in common cancels in their differences.

    Args:
        scores: ``(n, k)`` one row an image; NaN is left out of its column's mean.
        clusters: ``(n,)`` whose image it is, from 0 (`canonface.sampling.cluster_numbers`): a person is drawn with
            all of their images.
        draws: how many.
        seed: of the draws.

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


def intervals(
    scores: Float[np.ndarray, "n k"],
    clusters: Int[np.ndarray, "n"],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    bounds: tuple[float, float] | None = None,
) -> list[Interval]:
    r"""The mean of each column and its interval.

    Percentiles of `bootstrap_means`, taken a little farther out since few people vary less among themselves than the
    people they stand for: at $\Phi(t_{\alpha/2, C-1} \sqrt{C / (C - 1)})$ instead of $\alpha/2$ for C people
    (T. C. Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4), 2015:
    the expanded percentile interval).

    No draw lies beyond the lowest and the highest person, and these C lie on one side of the middle with probability
    $2^{1 - C}$. Where that is more than $\alpha$ (fewer than six people at 95%), Student's interval of people's sums
    is taken instead, the mean being the ratio of two sums.

    Where all scores are the same, no draw differs, and the bootstrap would be sure: there as many people as the exact
    binomial interval allows may lie at either end of the scale, $1 - (\alpha/2)^{1/C}$ of them (C. J. Clopper, E. S.
    Pearson, Biometrika 26(4), 1934), which holds for any scores between two bounds.

    Args:
        scores: ``(n, k)`` one row an image; NaN is left out.
        clusters: ``(n,)`` whose image it is.
        level: probability that an interval holds the mean.
        draws: of the bootstrap.
        seed: of the draws.
        bounds: ends of the scores' scale, if it has any.

    Raises:
        OptionError: the level or the number of draws cannot be used.
    """
    check_draws(level, draws)
    means = bootstrap_means(scores, clusters, draws, seed)
    return [_interval(scores[:, k], clusters, means[:, k], level, bounds) for k in range(scores.shape[1])]


def too_few_to_draw(people: int, level: float = LEVEL) -> bool:
    """Whether people are so few that a bootstrap would be too sure, so that Student's interval stands in."""
    return bool(2.0 ** (1 - people) > 1 - level)


def check_draws(level: float, draws: int) -> None:
    """Refuse a level or a number of draws that make no interval.

    Raises:
        OptionError: they do not.
    """
    if not 0 < level < 1:
        raise OptionError(f"The level of an interval lies between 0 and 1; got {level}.")
    if draws < 200:
        raise OptionError(f"An interval needs at least 200 draws; got {draws}.")


def _interval(
    scores: Float[np.ndarray, "n"],
    clusters: Int[np.ndarray, "n"],
    means: Float[np.ndarray, "draws"],
    level: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    from scipy.stats import norm, t

    known = np.isfinite(scores)
    people = len(np.unique(clusters[known]))
    if people < 2:
        return Interval(float(scores[known].mean()) if known.any() else np.nan, np.nan, np.nan)
    value, tail = float(scores[known].mean()), (1 - level) / 2
    if bounds is not None and np.ptp(scores[known]) == 0:
        others = 1 - tail ** (1 / people)
        return Interval(value, value - others * (value - bounds[0]), value + others * (bounds[1] - value))
    if too_few_to_draw(people, level):
        return _students(scores[known], clusters[known], level, bounds)
    outer = norm.cdf(t.ppf(tail, people - 1) * np.sqrt(people / (people - 1)))
    low, high = np.nanquantile(means, [outer, 1 - outer])
    return Interval(value, float(low), float(high))


def _students(
    scores: Float[np.ndarray, "n"],
    clusters: Int[np.ndarray, "n"],
    level: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    """Student's interval of a mean over few people, each with all of their images."""
    from scipy.stats import t

    value, (_, whose) = float(scores.mean()), np.unique(clusters, return_inverse=True)
    apart = np.bincount(whose, scores - value)
    people = len(apart)
    error = np.sqrt((apart**2).sum() * people / (people - 1)) / len(scores)
    half = float(t.ppf((1 + level) / 2, people - 1) * error)
    least, most = bounds or (-np.inf, np.inf)
    return Interval(value, max(value - half, least), min(value + half, most))
