"""How well a model map would come out again with other people: split halves and the Spearman-Brown formula.

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
"""Below it there are no two halves worth the name."""
SPLITS = 100


def stepped_up(reliability: float, factor: float) -> float:
    r"""Reliability of a mean over ``factor`` times as many: $k r / (1 + (k - 1) r)$, Spearman-Brown.

    >>> stepped_up(0.6, 2)
    0.75

    Args:
        reliability: of the mean over the number at hand; a correlation.
        factor: k, above 0.
    """
    return factor * reliability / (1 + (factor - 1) * reliability)


def noise_in_photos(reliability: float, photos: float) -> float:
    r"""How many photos it takes for signal and noise to be equal: $\kappa = n (1 - r) / r$.

    The Spearman-Brown formula says that a map of n photos has the reliability $n / (n + \kappa)$, with one $\kappa$
    for all n. Infinite where nothing is common to the photos.

    >>> noise_in_photos(0.75, 30)
    10.0
    """
    return photos * (1 - reliability) / reliability if reliability > 0 else float("inf")


def photos_needed(noise: float, target: float) -> float:
    r"""Photos at which a map reaches a reliability t: $\kappa t / (1 - t)$; 19 $\kappa$ for 0.95.

    Raises:
        OptionError: the target is no reliability between 0 and 1.
    """
    if not 0 < target < 1:
        raise OptionError(f"A reliability to be reached lies between 0 and 1; got {target!r}.")
    return noise * target / (1 - target)


@dataclass(frozen=True, eq=False)
class People:
    """What each person adds to a model map: sums and counts at the probes, so that any set of people has a map.

    Attributes:
        total: ``(C, P)`` sum of the maps of a person's faces (eq. 4-5) at the probes, or of their drops.
        count: ``(C, P)`` how many faces are in it.
        photos: ``(C,)`` faces of each person.
        spread: ``(P, P)`` how a mean drop is spread over its patch; None where ``total`` is of maps already.
        divided: whether ``spread`` is divided by the density of probes (eq. 5).
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
        """Those whose faces have these maps; NaN is left out of a mean, or with ``zero`` counted as 0."""
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
        """Those of a run.

        A fully asked run's faces are counted as eq. 4-6 count them. Of a run that asked a part, mean drops are spread
        over the patch, without the kernel that `Run.estimate` fills gaps with.

        Args:
            run: the run.
            cluster: column of the labels that names the person; None: the run's own, else each photo for itself.
            chosen: rows of ``run.faces``; None: all.
            fewest: people that are needed.

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
        """Map of each set of people, a row of weights (0 or 1) each; NaN where none of them showed the place."""
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
        """The others."""
        kept = ~left_out
        return People(self.total[kept], self.count[kept], self.photos[kept], self.spread, self.divided)


def maps_at_probes(
    drops: Float[np.ndarray, "f p"], near: Float[np.ndarray, "p p"], normalise: bool = True
) -> Float[np.ndarray, "f p"]:
    """Each face's map (eq. 4-5) at the probes: the mean (or sum) of the drops whose patch covers the place.

    Args:
        drops: one row a face, NaN where not asked.
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
    """Random halves of people with about half of the photos each: True for the first half, a row a split.

    People are taken in a random order, each into the half that has fewer photos so far.
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
    """Pearson correlation of each row of one with the same row of the other, over places known in both.

    NaN where fewer than three places are known, or one of the maps is the same everywhere.
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
    """Correlation of the maps of two random halves of people, one a split; NaN where a map is flat."""
    chosen = halves_of(people.photos, np.random.default_rng(seed), splits).astype(np.float64)
    return correlations(people.maps(chosen), people.maps(1 - chosen))


def split_half(people: People, splits: int = SPLITS, seed: int = 0) -> float:
    """The mean of `half_correlations`; NaN where all are."""
    found = half_correlations(people, splits, seed)
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")


def reliability_of(people: People, splits: int = SPLITS, seed: int = 0) -> float:
    """Reliability of the map of all these people: `split_half`, stepped up to twice the photos of a half."""
    return stepped_up(split_half(people, splits, seed), 2)
