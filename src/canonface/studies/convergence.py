"""How many photos a model map needs (the paper's figure 5): its reliability against their number."""

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
"""Groups of people that are left out in turn for the interval."""
SIZES = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)


@dataclass(frozen=True)
class Step:
    """A number of photos, and how reliable a map of so many is.

    Attributes:
        photos: their number, the mean over the draws: people are taken whole.
        people: theirs, the mean over the draws.
        reliability: of a map of so many, from split halves and Spearman-Brown; NaN where a map is flat.
        low: 5th percentile over the draws, of single draws.
        high: 95th percentile.
        with_all: correlation with the map of all photos, which holds these too: it is 1 for all of them, whatever
            they are worth.
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
        steps: from few photos to all.
        noise: photos at which signal and noise are equal, from the halves of all photos.
        target: the reliability that is to be reached.
        needed: photos at which it is reached by the Spearman-Brown formula.
        needed_low: lower end of its 95% interval, from leaving out a twentieth of the people at a time.
        needed_high: upper end; infinite where what is common to the photos may be nothing.
        crossed: photos at which the measured reliability crosses the target; NaN: not within the photos at hand.
        maps: number of photos -> the map of the first so many in a random order; empty without a run.
    """

    steps: tuple[Step, ...]
    noise: float
    target: float
    needed: float
    needed_low: float
    needed_high: float
    crossed: float
    maps: dict[int, CMS] = field(default_factory=dict, repr=False)

    @property
    def photos(self) -> int:
        """All photos at hand."""
        return round(self.steps[-1].photos)

    @property
    def reliability(self) -> float:
        """Of the map of all photos."""
        return self.steps[-1].reliability

    @property
    def extrapolated(self) -> bool:
        """Whether the number that is needed lies beyond the photos at hand."""
        return not np.isfinite(self.crossed)

    def law(self, photos: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Reliability by the Spearman-Brown formula, with the noise of all photos."""
        return np.asarray(photos / (photos + self.noise))

    @property
    def misfit(self) -> float:
        """Largest distance between the measured reliability and `law`, over all numbers of photos but the last."""
        gaps = [
            abs(step.reliability - float(self.law(np.array([step.photos]))[0])) for step in self.steps[:-1]
        ]
        known = [gap for gap in gaps if np.isfinite(gap)]
        return max(known, default=float("nan"))

    def table(self) -> Table:
        """A row a number of photos."""
        names = ("photos", "people", "reliability", "low", "high", "with_all")
        laws = self.law(np.array([step.photos for step in self.steps]))
        return [
            {name: getattr(step, name) for name in names} | {"spearman_brown": float(law)}
            for step, law in zip(self.steps, laws, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """The findings for a script; a number that is not known is None."""
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
        return {name: _plain(value) for name, value in values.items()}

    def words(self) -> list[str]:
        """The findings in words."""
        last = self.steps[-1]
        lines = [
            f"The map of all {self.photos:,} photos ({_people(last.people)}) has a split-half reliability of "
            f"{self.reliability:.3f} (Spearman-Brown)."
        ]
        if not np.isfinite(self.needed):
            lines.append("Halves of the people have nothing in common: no number of photos can be named.")
            return lines
        ends = f"95% interval {_count(self.needed_low)} to {_count(self.needed_high)}"
        if self.extrapolated:
            lines.append(
                f"{self.target:g} is not reached. By the Spearman-Brown formula, n / (n + {self.noise:.3g}), it "
                f"would be at about {_count(self.needed)} photos like these ({ends}): extrapolated beyond the data."
            )
        else:
            lines.append(
                f"It crosses {self.target:g} at about {_count(self.crossed)} photos (interpolated between measured "
                f"numbers; the Spearman-Brown formula says {_count(self.needed)}, {ends})."
            )
        if np.isfinite(self.misfit):
            lines.append(
                f"At fewer photos the formula is off by up to {self.misfit:.2g} from what was measured."
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
    """How the reliability of a run's map grows with its photos; it asks no model.

    For each number of photos people are drawn at random, so often, and split into two halves that share nobody. The
    correlation of the halves' maps over the probes, stepped up by Spearman and Brown to the number drawn, is the
    reliability: how a map of as many other people would correlate with this one.

    Args:
        run: a run, or its folder.
        sizes: numbers of photos; None: 5, 10, 20, 50, 100, 200, 500, ... as far as there are.
        target: reliability to be reached.
        cluster: column of the labels that names the person; None: the run's own.
        draws: random draws for each number of photos.
        seed: of the draws.

    Raises:
        OptionError: an option cannot be used, or the run has too few people.
        RunError: there is no run, or nothing was explained in it.
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
    """`convergence` from sums alone.

    Raises:
        OptionError: an option cannot be used.
    """
    photos = int(people.photos.sum())
    if draws < 2:
        raise OptionError(f"Reliability is a mean over at least 2 draws; got {draws}.")
    if sizes is not None and any(size < FEWEST_PEOPLE for size in sizes):
        raise OptionError(
            f"A map that is split has at least {FEWEST_PEOPLE} photos; got sizes {list(sizes)}."
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
    steps.append(Step(photos, len(people), stepped_up(half, 2), *_ends(halves), 1.0))
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
) -> Step | None:
    """Reliability of maps of so many photos; None where they are those of too few people."""
    taken = np.zeros((draws, len(people)), dtype=bool)
    first = np.zeros_like(taken)
    for draw in range(draws):
        chosen = take(people.photos, size, random)
        if len(chosen) < FEWEST_PEOPLE:
            return None
        taken[draw, chosen] = True
        [first[draw, chosen]] = halves_of(people.photos[chosen], random, 1)
    halves = correlations(people.maps(first.astype(float)), people.maps((taken & ~first).astype(float)))
    whole = correlations(people.maps(taken.astype(float)), np.repeat(everybody, draws, axis=0))
    if not np.isfinite(halves).any():
        return None
    low, high = _ends(halves)
    return Step(
        photos=float((taken * people.photos).sum(axis=1).mean()),
        people=float(taken.sum(axis=1).mean()),
        reliability=stepped_up(float(np.nanmean(halves)), 2),
        low=low,
        high=high,
        with_all=float(np.nanmean(whole)),
    )


def take(photos: Int[np.ndarray, "c"], size: int, random: np.random.Generator) -> Int[np.ndarray, "n"]:
    """People in a random order until they have so many photos, or the next would lead further from it."""
    order = random.permutation(len(photos))
    reached = np.cumsum(photos[order])
    end = int(np.searchsorted(reached, size))
    if end == len(order) or (end > 0 and reached[end] - size > size - reached[end - 1]):
        end -= 1
    return np.asarray(order[: end + 1])


def _ends(found: Float[np.ndarray, "s"]) -> tuple[float, float]:
    """5th and 95th percentile of correlations of halves, stepped up to both halves together."""
    if not np.isfinite(found).any():
        return float("nan"), float("nan")
    low, high = (stepped_up(float(r), 2) for r in np.nanpercentile(found, [5, 95]))
    return low, high


def _spread(people: People, draws: int, seed: int) -> float:
    r"""Standard error of $\log \kappa$: the jackknife that leaves out groups of people.

    Infinite where a group's absence leaves nothing common. (B. Efron, "The Jackknife, the Bootstrap and Other
    Resampling Plans", 1982; on the scale of logarithms since a number of photos is positive and skewed.)
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


def _crossing(steps: Sequence[Step], target: float) -> float:
    """Photos at which the measured reliability passes the target for good, between two steps; NaN: nowhere.

    Between two numbers of photos the odds r / (1 - r) are taken as linear, which they are by Spearman-Brown.
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
    """Maps of the first so many photos in a random order of people, each a part of the next: figure 5's pictures."""
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


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
