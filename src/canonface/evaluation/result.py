"""How methods score on the photos of a run: one number an image, a metric and a method, and their means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from canonface.errors import OptionError, near_names
from canonface.evaluation.intervals import DRAWS, LEVEL, Interval, intervals
from canonface.evaluation.metrics import Metric
from canonface.sampling import cluster_numbers

ALL = ""
"""The group of all images."""


class Estimate(NamedTuple):
    """A method's mean by one metric.

    Attributes:
        metric: what was measured.
        method: name.
        interval: mean, and where it lies.
        images: how many the mean is taken over.
        people: how many of them are independent.
    """

    metric: Metric
    method: str
    interval: Interval
    images: int
    people: int


class Difference(NamedTuple):
    """How much better one method is than another on the same images.

    Attributes:
        metric: what was measured.
        method: the method that is compared.
        reference: the method that it is compared with.
        interval: mean of ``reference - method`` over the images, and where it lies.
        clear: whether the interval leaves out 0.
        better: whether the mean is in the reference's favour.
    """

    metric: Metric
    method: str
    reference: str
    interval: Interval
    clear: bool
    better: bool


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `canonface.evaluation.evaluate` found.

    Attributes:
        model: name of the model.
        unit: of the confidence.
        methods: names, in the order of the columns; ``cms`` and ``cis`` are the reprojected canonical maps.
        metrics: what was measured.
        names: of the images or pairs, one a row.
        people: whose they are; the same name, the same person.
        groups: what each confidence is about; of pairs ``same`` or ``different``.
        scores: metric -> ``(n, m)`` one number an image and a method; NaN where it says nothing.
        original: ``(n,)`` confidence in each image as it is.
        left: ``(n, m)`` confidence in the negative explanation images; NaN where none were made.
        taken: ``(n, m)`` share of a white image that each method's heat takes out.
        choices: everything that decides the numbers, as JSON can hold it.
        of_pairs: whether a row is a pair.
        by_identity: whether it is known whose the images are; else each stands alone.
        failed: name and reason of what could not be scored.
    """

    model: str
    unit: str
    methods: tuple[str, ...]
    metrics: tuple[Metric, ...]
    names: tuple[str, ...] = field(repr=False)
    people: tuple[str, ...] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    scores: Mapping[str, Float[np.ndarray, "n m"]] = field(repr=False)
    original: Float[np.ndarray, "n"] = field(repr=False)
    left: Float[np.ndarray, "n m"] = field(repr=False)
    taken: Float[np.ndarray, "n m"] = field(repr=False)
    choices: Mapping[str, Any] = field(repr=False)
    of_pairs: bool = False
    by_identity: bool = False
    failed: tuple[tuple[str, str], ...] = ()
    level: float = LEVEL
    draws: int = DRAWS
    seed: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups of pairs, which are scored apart; of single faces only that of all."""
        return tuple(sorted(set(self.groups), reverse=True)) if self.of_pairs else (ALL,)

    def of_group(self, group: str) -> Evaluation:
        """The images of one group alone; ``""``: all.

        Raises:
            OptionError: there is no such group.
        """
        if group == ALL:
            return self
        chosen = np.array([name == group for name in self.groups], dtype=bool)
        if not chosen.any():
            raise OptionError(f"No image is of the group {group!r}: {near_names(group, set(self.groups))}")
        return self._of_rows(chosen)

    def _of_rows(self, chosen: Bool[np.ndarray, "n"]) -> Evaluation:
        def picked(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(value for value, wanted in zip(values, chosen, strict=True) if wanted)

        return replace(
            self,
            names=picked(self.names),
            people=picked(self.people),
            groups=picked(self.groups),
            scores={name: values[chosen] for name, values in self.scores.items()},
            original=self.original[chosen],
            left=self.left[chosen],
            taken=self.taken[chosen],
        )

    @property
    def ties(self) -> float:
        """Percent of the images whose win is shared; NaN where no wins were counted."""
        if "win" not in self.scores or not len(self):
            return float("nan")
        return float(100 * (self.scores["win"].max(axis=1) < 100 - 1e-9).mean())

    def metric(self, name: str) -> Metric:
        """A metric of this evaluation by name.

        Raises:
            OptionError: it was not measured.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise OptionError(
            f"This evaluation did not measure {name!r}: {near_names(name, [m.name for m in self.metrics])}"
        )

    def column(self, method: str) -> int:
        """Position of a method.

        Raises:
            OptionError: it was not scored.
        """
        if method not in self.methods:
            raise OptionError(f"This evaluation did not score {method!r}: {near_names(method, self.methods)}")
        return self.methods.index(method)

    def estimates(self) -> list[Estimate]:
        """Mean and interval of each metric and method."""
        clusters = cluster_numbers(self.people)
        found = []
        for metric in self.metrics:
            scores = self.scores[metric.name]
            means = intervals(scores, clusters, bounds=metric.bounds, **self._drawing)
            for k, (method, interval) in enumerate(zip(self.methods, means, strict=True)):
                known = np.isfinite(scores[:, k])
                people = len(np.unique(clusters[known]))
                found.append(Estimate(metric, method, interval, int(known.sum()), people))
        return found

    def differences(self, reference: str = "cms") -> list[Difference]:
        """How much each other method differs from one, image by image.

        Methods see the same images, so that what is hard about an image cancels: an interval of the difference is
        narrower than two intervals suggest that overlap.

        Args:
            reference: the method that the others are compared with.

        Raises:
            OptionError: it was not scored.
        """
        mine, clusters = self.column(reference), cluster_numbers(self.people)
        found = []
        for metric in self.metrics:
            scores = self.scores[metric.name]
            ends = metric.bounds and (
                metric.bounds[0] - metric.bounds[1],
                metric.bounds[1] - metric.bounds[0],
            )
            paired = intervals(scores[:, [mine]] - scores, clusters, bounds=ends, **self._drawing)
            for method, interval in zip(self.methods, paired, strict=True):
                if method == reference:
                    continue
                value, low, high = interval
                better = value > 0 if metric.better == "higher" else value < 0
                clear = bool(low > 0 or high < 0)
                found.append(Difference(metric, method, reference, interval, clear, better))
        return found

    @property
    def _drawing(self) -> dict[str, Any]:
        return {"level": self.level, "draws": self.draws, "seed": self.seed}
