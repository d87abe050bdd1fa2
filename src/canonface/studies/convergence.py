"""Convergence of a model map (the paper's figure 5): its reliability against the number of photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.maps import CMS
from canonface.run import Run
from canonface.run.estimate import cluster_names, cluster_of, taken_rows
from canonface.sampling import cluster_numbers
from canonface.statistics import json_value
from canonface.studies.reliability import (
    FEWEST_PEOPLE,
    SPLITS,
    People,
    correlations,
    half_correlations,
    halves_of,
    noise_in_photos,
    photos_needed,
    split_half,
    stepped_up,
)
from canonface.studies.tables import Table

ENOUGH = 0.95
GROUPS = 20
"""Number of groups of people that are left out in turn for the interval."""
SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)


@dataclass(frozen=True)
class ConvergenceStep:
    """Reliability of a map of a certain number of photos.

    Attributes:
        photos: number of photos, the mean over the draws; people are drawn with all of their photos.
        people: number of people, the mean over the draws.
        reliability: reliability of such a map, from split halves and Spearman-Brown; NaN where a map is flat.
        low: 5th percentile over single draws.
        high: 95th percentile over single draws.
        with_all: correlation with the map of all photos. Biased upwards: that map contains these photos, so the value
            for all photos is always 1.
    """

    photos: float
    people: float
    reliability: float
    low: float
    high: float
    with_all: float


@dataclass(frozen=True, eq=False)
class Convergence:
    """The reliability of a model map against the number of photos.

    Attributes:
        steps: one for each number of photos, from few photos to all.
        noise: number of photos at which signal and noise are equal, from halves of all photos.
        target: the reliability to be reached.
        needed: number of photos at which it is reached by the Spearman-Brown formula.
        needed_low: lower end of its 95% interval, from leaving out a twentieth of the people at a time.
        needed_high: upper end; infinite where the photos may have no signal in common.
        crossed: number of photos at which the measured reliability crosses the target; NaN if it does not.
        maps: number of photos -> the map of the first photos in a random order; empty without a run.
    """

    steps: tuple[ConvergenceStep, ...]
    noise: float
    target: float
    needed: float
    needed_low: float
    needed_high: float
    crossed: float
    maps: dict[int, CMS] = field(default_factory=dict, repr=False)

    @property
    def photos(self) -> int:
        """Number of all photos."""
        return round(self.steps[-1].photos)

    @property
    def reliability(self) -> float:
        """Reliability of the map of all photos."""
        return self.steps[-1].reliability

    @property
    def extrapolated(self) -> bool:
        """True where the target is not reached within the photos of the run."""
        return not np.isfinite(self.crossed)

    def law(self, photos: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Return the reliability by the Spearman-Brown formula, with the noise of all photos."""
        return np.asarray(photos / (photos + self.noise))

    @property
    def misfit(self) -> float:
        """Largest difference between the measured reliability and `law`, over all numbers of photos but the last."""
        gaps = [
            abs(step.reliability - float(self.law(np.array([step.photos]))[0])) for step in self.steps[:-1]
        ]
        known = [gap for gap in gaps if np.isfinite(gap)]
        return max(known, default=float("nan"))

    def table(self) -> Table:
        """Return a row for each number of photos."""
        names = ("photos", "people", "reliability", "low", "high", "with_all")
        laws = self.law(np.array([step.photos for step in self.steps]))
        return [
            {name: getattr(step, name) for name in names} | {"spearman_brown": float(law)}
            for step, law in zip(self.steps, laws, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Return the findings for a script; a number that is not known is None."""
        values = {
            "photos": self.photos,
            "people": round(self.steps[-1].people),
            "reliability": self.reliability,
            "target": self.target,
            "crossed_at_photos": self.crossed,
            "needed_photos": self.needed,
            "needed_interval": [self.needed_low, self.needed_high],
            "extrapolated": self.extrapolated,
            "misfit": self.misfit,
        }
        return {name: json_value(value) for name, value in values.items()}

    def words(self) -> list[str]:
        """Return the findings, a sentence a line."""
        last = self.steps[-1]
        lines = [
            f"The map of all {self.photos:,} photos ({_people(last.people)}) has a split-half reliability of "
            f"{self.reliability:.3f} (Spearman-Brown)."
        ]
        if not np.isfinite(self.needed):
            lines.append(
                "Maps of two halves of the people do not correlate: no number of photos can be given."
            )
            return lines
        ends = f"95% interval {_count(self.needed_low)} to {_count(self.needed_high)}"
        if self.extrapolated:
            lines.append(
                f"{self.target:g} is not reached. By the Spearman-Brown formula, n / (n + {self.noise:.3g}), it "
                f"takes about {_count(self.needed)} photos like these ({ends}): extrapolated beyond the data."
            )
        else:
            lines.append(
                f"It crosses {self.target:g} at about {_count(self.crossed)} photos (interpolated between measured "
                f"numbers; the Spearman-Brown formula says {_count(self.needed)}, {ends})."
            )
        if np.isfinite(self.misfit):
            lines.append(
                f"At fewer photos the formula differs by up to {self.misfit:.2g} from the measured reliability."
            )
        return lines


def convergence(
    run: Run | str | Path,
    *,
    sizes: Sequence[int] | None = None,
    target: float = ENOUGH,
    cluster: str | None = None,
    draws: int = SPLITS,
    seed: int = 0,
) -> Convergence:
    """Return the reliability of a run's map against its number of photos; no model is run.

    For each number of photos, people are drawn at random and split into two halves without a common person. The
    correlation of the halves' maps over the probes, stepped up by the Spearman-Brown formula to the number drawn, is
    the reliability: the expected correlation with the map of as many other people.

    Args:
        run: a run, or its folder.
        sizes: numbers of photos; None: 5, 10, 20, 50, 100, 200, 500, ... up to the photos of the run.
        target: reliability to be reached.
        cluster: column of the labels that names the person; None: the run's own.
        draws: random draws for each number of photos.
        seed: seed of the draws.

    Raises:
        OptionError: an option cannot be used, or the run has too few people.
        RunError: there is no run, or it has no explained face.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    people = People.of_run(opened, cluster)
    found = convergence_of(people, sizes, target, draws, seed)
    return Convergence(
        **vars(found) | {"maps": _maps(opened, [step.photos for step in found.steps], cluster, seed)}
    )


def convergence_of(
    people: People,
    sizes: Sequence[int] | None = None,
    target: float = ENOUGH,
    draws: int = SPLITS,
    seed: int = 0,
) -> Convergence:
    """Return the `convergence` of people's sums, without maps.

    Raises:
        OptionError: an option cannot be used.
    """
    photos = int(people.photos.sum())
    if draws < 2:
        raise OptionError(f"Reliability is a mean over at least 2 draws; got {draws}.")
    if sizes is not None and any(size < FEWEST_PEOPLE for size in sizes):
        raise OptionError(
            f"A map that is split into halves needs at least {FEWEST_PEOPLE} photos; got sizes {list(sizes)}."
        )
    wanted = sorted({size for size in (SIZES if sizes is None else sizes) if size < photos})
    random = np.random.default_rng(seed)
    everybody = people.maps(np.ones((1, len(people))))
    found = (_step(people, size, draws, random, everybody) for size in wanted)
    steps = [step for step in found if step is not None and step.photos < photos]
    halves = half_correlations(people, draws, seed)
    half = float(np.nanmean(halves)) if np.isfinite(halves).any() else float("nan")
    noise = noise_in_photos(half, photos / 2)
    spread = _spread(people, draws, seed)
    steps.append(ConvergenceStep(photos, len(people), stepped_up(half, 2), *_ends(halves), 1.0))
    needed = photos_needed(noise, target)
    return Convergence(
        steps=tuple(steps),
        noise=noise,
        target=target,
        needed=needed,
        needed_low=needed * float(np.exp(-1.96 * spread)),
        needed_high=needed * float(np.exp(1.96 * spread)),
        crossed=_crossing(steps, target),
    )


def _step(
    people: People, size: int, draws: int, random: np.random.Generator, everybody: Float[np.ndarray, "1 p"]
) -> ConvergenceStep | None:
    """Return the reliability of maps of ``size`` photos; None where these are of too few people."""
    taken = np.zeros((draws, len(people)), dtype=bool)
    first = np.zeros_like(taken)
    for draw in range(draws):
        chosen = draw_people(people.photos, size, random)
        if len(chosen) < FEWEST_PEOPLE:
            return None
        taken[draw, chosen] = True
        [first[draw, chosen]] = halves_of(people.photos[chosen], random, 1)
    halves = correlations(people.maps(first.astype(float)), people.maps((taken & ~first).astype(float)))
    whole = correlations(people.maps(taken.astype(float)), np.repeat(everybody, draws, axis=0))
    if not np.isfinite(halves).any():
        return None
    low, high = _ends(halves)
    return ConvergenceStep(
        photos=float((taken * people.photos).sum(axis=1).mean()),
        people=float(taken.sum(axis=1).mean()),
        reliability=stepped_up(float(np.nanmean(halves)), 2),
        low=low,
        high=high,
        with_all=float(np.nanmean(whole)),
    )


def draw_people(photos: Int[np.ndarray, "c"], size: int, random: np.random.Generator) -> Int[np.ndarray, "n"]:
    """Return people in a random order whose photos come as close as possible to ``size``."""
    order = random.permutation(len(photos))
    reached = np.cumsum(photos[order])
    end = int(np.searchsorted(reached, size))
    if end == len(order) or (end > 0 and reached[end] - size > size - reached[end - 1]):
        end -= 1
    return np.asarray(order[: end + 1])


def _ends(found: Float[np.ndarray, "s"]) -> tuple[float, float]:
    """Return the 5th and 95th percentile of correlations of halves, stepped up to both halves together."""
    if not np.isfinite(found).any():
        return float("nan"), float("nan")
    low, high = (stepped_up(float(r), 2) for r in np.nanpercentile(found, [5, 95]))
    return low, high


def _spread(people: People, draws: int, seed: int) -> float:
    r"""Return the standard error of $\log \kappa$ by the jackknife that leaves out groups of people.

    Infinite where the people without some group have no signal in common. (B. Efron, "The Jackknife, the Bootstrap
    and Other Resampling Plans", 1982; on a log scale since a number of photos is positive and skewed.)
    """
    groups = min(GROUPS, len(people))
    if len(people) - -(-len(people) // groups) < FEWEST_PEOPLE:
        return float("inf")
    member = np.random.default_rng(seed).permutation(len(people)) % groups
    noises = []
    for group in range(groups):
        rest = people.without(member == group)
        noises.append(noise_in_photos(split_half(rest, draws, seed), float(rest.photos.sum()) / 2))
    logs = np.log(np.maximum(noises, 1e-300))
    if not np.isfinite(logs).all():
        return float("inf")
    return float(np.sqrt((groups - 1) / groups * ((logs - logs.mean()) ** 2).sum()))


def _crossing(steps: Sequence[ConvergenceStep], target: float) -> float:
    """Return the number of photos from which on the measured reliability stays above the target; NaN if it does not.

    Between two steps the odds r / (1 - r) are interpolated linearly: by Spearman-Brown they are linear.
    """
    below = [step for step in steps if not step.reliability >= target]
    if steps[-1] in below:
        return float("nan")
    if not below:
        return steps[0].photos
    at = steps.index(below[-1])
    before, after = steps[at], steps[at + 1]
    odds = [r / max(1 - r, 1e-12) for r in (before.reliability, target, after.reliability)]
    if not np.isfinite(odds[0]):
        return after.photos
    share = (odds[1] - odds[0]) / (odds[2] - odds[0])
    return before.photos + share * (after.photos - before.photos)


def _maps(run: Run, photos: Sequence[float], cluster: str | None, seed: int) -> dict[int, CMS]:
    """Return maps of the first photos in a random order of people, each a part of the next (figure 5)."""
    if not run.design.is_full:
        return {}
    taken = taken_rows(run)
    who = cluster_numbers(cluster_names(run.faces, cluster or cluster_of(run)))
    order = np.random.default_rng(seed).permutation(int(who.max()) + 1)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    rows = np.argsort(place[who], kind="stable")
    rows = rows[taken[rows]]
    maps = {}
    for number in dict.fromkeys(round(count) for count in photos):
        chosen = np.zeros(len(who), dtype=bool)
        chosen[rows[:number]] = True
        maps[number] = run.mean_map(chosen)
    return maps


def _count(photos: float) -> str:
    return f"{photos:,.0f}" if np.isfinite(photos) else "no bound"


def _people(count: float) -> str:
    return f"{round(count):,} people"
