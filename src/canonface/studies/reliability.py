"""Reliability of a model map over people: split halves and the Spearman-Brown formula.

Sources: C. Spearman, "Correlation calculated from faulty data", and W. Brown, "Some experimental results in the
correlation of mental abilities", both British Journal of Psychology 3(3), 1910.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.run.estimate import cluster_of, sampled_rows, taken_rows

if TYPE_CHECKING:
    from canonface.run import Run

FEWEST_PEOPLE = 4
"""Fewest people whose map is split into halves."""
SPLITS = 100


def stepped_up(reliability: float, factor: float) -> float:
    r"""Return the reliability of a mean over ``factor`` times as many: $k r / (1 + (k - 1) r)$, Spearman-Brown.

    >>> stepped_up(0.6, 2)
    0.75

    Args:
        reliability: reliability of the original mean, a correlation.
        factor: k, above 0.
    """
    return factor * reliability / (1 + (factor - 1) * reliability)


def noise_in_photos(reliability: float, photos: float) -> float:
    r"""Return the number of photos at which signal and noise are equal: $\kappa = n (1 - r) / r$.

    The Spearman-Brown formula says that a map of n photos has the reliability $n / (n + \kappa)$, with one $\kappa$
    for all n. Infinite where the photos have no signal in common.

    >>> noise_in_photos(0.75, 30)
    10.0
    """
    return photos * (1 - reliability) / reliability if reliability > 0 else float("inf")


def photos_needed(noise: float, target: float) -> float:
    r"""Return the number of photos for a reliability t of the map: $\kappa t / (1 - t)$; 19 $\kappa$ for 0.95.

    Raises:
        OptionError: the target is not between 0 and 1.
    """
    if not 0 < target < 1:
        raise OptionError(f"A target reliability lies between 0 and 1; got {target!r}.")
    return noise * target / (1 - target)


@dataclass(frozen=True, eq=False)
class People:
    """Sums and counts of each person at the probes, from which the map of any set of people follows.

    Attributes:
        total: ``(C, P)`` sum of the maps of a person's faces (eq. 4-5) at the probes, or of their drops.
        count: ``(C, P)`` number of faces in each sum.
        photos: ``(C,)`` number of faces of each person.
        spread: ``(P, P)`` weights that spread a mean drop over its patch; None where ``total`` holds maps already.
        divided: True where the spread drops are divided by the density of probes (eq. 5).
    """

    total: Float[np.ndarray, "c p"] = field(repr=False)
    count: Float[np.ndarray, "c p"] = field(repr=False)
    photos: Int[np.ndarray, "c"] = field(repr=False)
    spread: Float[np.ndarray, "p p"] | None = field(default=None, repr=False)
    divided: bool = True

    def __len__(self) -> int:
        return len(self.photos)

    @classmethod
    def of(cls, maps: Float[np.ndarray, "f p"], clusters: Int[np.ndarray, "f"], zero: bool = False) -> People:
        """Return people from the maps of their faces; NaN is left out of a mean, or counted as 0 with ``zero``."""
        known = np.isfinite(maps)
        count = int(clusters.max(initial=-1)) + 1
        total, seen = np.zeros((count, maps.shape[1])), np.zeros((count, maps.shape[1]))
        np.add.at(total, clusters, np.where(known, maps, 0.0))
        np.add.at(seen, clusters, np.ones_like(maps) if zero else known.astype(np.float64))
        return cls(total, seen, np.bincount(clusters, minlength=count))

    @classmethod
    def of_run(
        cls,
        run: Run,
        cluster: str | None = None,
        chosen: Bool[np.ndarray, "faces"] | None = None,
        fewest: int = FEWEST_PEOPLE,
    ) -> People:
        """Return the people of a run.

        Faces of a run with all probes are averaged by eq. 4-6. Where a design probed a part, mean drops are spread
        over the patch, without the kernel by which `Run.estimate` fills gaps.

        Args:
            run: the run.
            cluster: column of the labels that names the person; None: the run's column, else one person a photo.
            chosen: rows of ``run.faces``; None: all.
            fewest: number of people that are needed.

        Raises:
            OptionError: there is no such column, or there are too few people.
        """
        if cluster is not None:
            run.labels(cluster)
        taken = taken_rows(run) if chosen is None else chosen
        rows = sampled_rows(run, taken, cluster or cluster_of(run))
        if run.design.is_full:
            people = cls.of(maps_at_probes(rows.drops, rows.near, rows.normalise), rows.clusters, rows.zero)
        else:
            drops = cls.of(rows.counted, rows.clusters)
            people = cls(drops.total, drops.count, drops.photos, rows.near, rows.normalise)
        if len(people) < fewest:
            raise OptionError(
                f"Halves of people need at least {fewest}; {run.folder} has {len(people)} "
                f"({run.faces.num_rows} faces): audit more photos."
            )
        return people

    def maps(self, weights: Float[np.ndarray, "s c"]) -> Float[np.ndarray, "s p"]:
        """Return the map of each set of people, one per row (weights 0 or 1); NaN where no face shows the place."""
        count = weights @ self.count
        means = np.divide(weights @ self.total, count, out=np.full(count.shape, np.nan), where=count > 0)
        if self.spread is None:
            return np.asarray(means)
        known = np.isfinite(means)
        near = known @ self.spread
        spread = np.nan_to_num(means) @ self.spread
        if self.divided:
            spread = np.divide(spread, near, out=np.full(spread.shape, np.nan), where=near > 0)
        return np.where(near > 0, spread, np.nan)

    def without(self, left_out: Bool[np.ndarray, "c"]) -> People:
        """Return the other people."""
        kept = ~left_out
        return People(self.total[kept], self.count[kept], self.photos[kept], self.spread, self.divided)


def maps_at_probes(
    drops: Float[np.ndarray, "f p"], near: Float[np.ndarray, "p p"], normalise: bool = True
) -> Float[np.ndarray, "f p"]:
    """Return each face's map (eq. 4-5) at the probes: the mean (or sum) of the drops whose patch covers the place.

    Args:
        drops: one row per face, NaN where not probed.
        near: 1 where the patch of one probe covers another.
        normalise: divide by the density of probes.
    """
    known = np.isfinite(drops)
    total, count = np.where(known, drops, 0.0) @ near, known @ near
    if not normalise:
        return np.where(count > 0, total, np.nan)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def halves_of(
    photos: Int[np.ndarray, "c"], random: np.random.Generator, splits: int
) -> Bool[np.ndarray, "s c"]:
    """Draw random halves of people with about half of the photos each: True for the first half, one row per split.

    People come in a random order, each into the half that has fewer photos so far.
    """
    if (photos == 1).all():
        return np.asarray(random.permuted(np.tile(np.arange(len(photos)) % 2 == 0, (splits, 1)), axis=1))
    chosen = np.zeros((splits, len(photos)), dtype=bool)
    for row in chosen:
        first = second = 0
        for person in random.permutation(len(photos)):
            row[person] = first < second or (first == second and random.random() < 0.5)
            if row[person]:
                first += int(photos[person])
            else:
                second += int(photos[person])
    return chosen


def correlations(a: Float[np.ndarray, "s p"], b: Float[np.ndarray, "s p"]) -> Float[np.ndarray, "s"]:
    """Return the Pearson correlation of each row of ``a`` with the same row of ``b``, over places known in both.

    NaN where fewer than three places are known, or one of the maps is flat.
    """
    known = np.isfinite(a) & np.isfinite(b)
    n = known.sum(axis=1)
    a, b = np.where(known, a, 0.0), np.where(known, b, 0.0)
    safe = np.maximum(n, 1)[:, None]
    a = np.where(known, a - a.sum(axis=1, keepdims=True) / safe, 0.0)
    b = np.where(known, b - b.sum(axis=1, keepdims=True) / safe, 0.0)
    length = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    flat = (np.ptp(a, axis=1) < 1e-12) | (np.ptp(b, axis=1) < 1e-12) if a.shape[1] else np.ones(len(a), bool)
    usable = (n >= 3) & ~flat
    return np.asarray(np.divide((a * b).sum(axis=1), length, out=np.full(len(a), np.nan), where=usable))


def half_correlations(people: People, splits: int = SPLITS, seed: int = 0) -> Float[np.ndarray, "s"]:
    """Return the correlation of the maps of two random halves of people for each split; NaN where a map is flat."""
    chosen = halves_of(people.photos, np.random.default_rng(seed), splits).astype(np.float64)
    return correlations(people.maps(chosen), people.maps(1 - chosen))


def split_half(people: People, splits: int = SPLITS, seed: int = 0) -> float:
    """Return the mean of `half_correlations` without NaN; NaN where all are NaN."""
    found = half_correlations(people, splits, seed)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def reliability_of(people: People, splits: int = SPLITS, seed: int = 0) -> float:
    """Return the reliability of the map of all people: `split_half`, stepped up to twice the photos of a half."""
    return stepped_up(split_half(people, splits, seed), 2)
