"""Result of an evaluation: one score per image, metric and method, and their means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.display import Displayed
from canonface.errors import OptionError, near_names
from canonface.evaluation.intervals import CONFIDENCE_LEVEL, DRAWS, Interval, intervals
from canonface.evaluation.metrics import Metric
from canonface.sampling import cluster_numbers

ALL = ""
"""Name of the group of all images."""


class Estimate(NamedTuple):
    """Mean of a method by one metric.

    Attributes:
        metric: the metric.
        method: name of the method.
        interval: mean and its interval.
        images: number of images in the mean.
        people: number of independent people among them.
    """

    metric: Metric
    method: str
    interval: Interval
    images: int
    people: int


class Difference(NamedTuple):
    """Paired difference between a reference and a method on the same images.

    Attributes:
        metric: the metric.
        method: the method that is compared.
        reference: the method that it is compared with.
        interval: mean of ``reference - method`` over the images, and its interval.
        clear: True if the interval excludes 0.
        better: True if the mean favours the reference.
    """

    metric: Metric
    method: str
    reference: str
    interval: Interval
    clear: bool
    better: bool


@renamed_parameters(level="confidence_level")
@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Displayed):
    """Scores of every method on every image, as `canonface.evaluate` returns them.

    Attributes:
        model: name of the model.
        unit: unit of the confidence.
        methods: names, in the order of the columns; ``cms`` and ``cis`` are the reprojected canonical maps.
        metrics: the computed metrics.
        names: names of the images or pairs, one per row.
        people: person of each row.
        groups: target of each row's confidence; of pairs ``same`` or ``different``.
        scores: metric -> ``(n, m)`` one number per image and method; NaN where the metric is undefined.
        original: ``(n,)`` confidence in each unchanged image.
        left: ``(n, m)`` confidence in the negative explanation images; NaN where none were made.
        taken: ``(n, m)`` share of the light that each method's map removes from a white image.
        choices: every option that decides the numbers, for JSON.
        of_pairs: True if a row is a pair.
        by_identity: True if the people are known; else each image counts as one person.
        failed: name and reason of each image that could not be scored.
        confidence_level: confidence level of the intervals.
        draws: number of draws of the bootstrap.
        seed: seed of the bootstrap.
    """

    model: str
    unit: str
    methods: tuple[str, ...]
    metrics: tuple[Metric, ...]
    names: tuple[str, ...]
    people: tuple[str, ...]
    groups: tuple[str, ...]
    scores: Mapping[str, Float[np.ndarray, "n m"]]
    original: Float[np.ndarray, "n"]
    left: Float[np.ndarray, "n m"]
    taken: Float[np.ndarray, "n m"]
    choices: Mapping[str, Any]
    of_pairs: bool = False
    by_identity: bool = False
    failed: tuple[tuple[str, str], ...] = ()
    confidence_level: float = CONFIDENCE_LEVEL
    draws: int = DRAWS
    seed: int = 0

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        images = f"{len(self)} {'pairs' if self.of_pairs else 'photos'}"
        return (
            f"Evaluation({self.model!r}, {images}, {len(self.methods)} methods, {len(self.metrics)} metrics)"
        )

    level = deprecated_attribute("confidence_level")

    def summary(self) -> dict[str, float]:
        """Return the five numbers that matter most.

        Returns:
            ``images`` and ``people``; the mean of ``cms``, of ``cis`` and of the best other method by the first
            metric, under names such as ``average-drop of gradcam``. Of pairs, the means are those of the first group.
        """
        found: dict[str, float] = {"images": len(self), "people": len(set(self.people))}
        part, metric = self.of_group(self.group_names[0]), self.metrics[0]
        scores = part.scores[metric.name]
        known = np.isfinite(scores)
        counts = known.sum(axis=0)
        sums = np.where(known, scores, 0.0).sum(axis=0)
        means = dict(
            zip(self.methods, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), strict=True)
        )
        others = [name for name in self.methods if name not in ("cms", "cis") and np.isfinite(means[name])]
        shown: list[str] = [name for name in ("cms", "cis") if name in means]
        if others:
            shown.append((max if metric.better == "higher" else min)(others, key=means.__getitem__))
        return found | {f"{metric.name} of {name}": float(means[name]) for name in shown}

    @property
    def group_names(self) -> tuple[str, ...]:
        """Return the names of the groups: those of pairs are scored apart, single faces form one group."""
        return tuple(sorted(set(self.groups), reverse=True)) if self.of_pairs else (ALL,)

    def of_group(self, group: str) -> Evaluation:
        """Return the evaluation of one group alone; ``""``: all images.

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
        """Return the percentage of the images whose win is shared; NaN if wins were not computed."""
        if "win" not in self.scores or not len(self):
            return float("nan")
        return float(100 * (self.scores["win"].max(axis=1) < 100 - 1e-9).mean())

    def metric(self, name: str) -> Metric:
        """Return a metric of this evaluation by name.

        Raises:
            OptionError: it was not computed.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise OptionError(
            f"This evaluation did not compute {name!r}: {near_names(name, [m.name for m in self.metrics])}"
        )

    def column(self, method: str) -> int:
        """Return the column of a method.

        Raises:
            OptionError: it was not scored.
        """
        if method not in self.methods:
            raise OptionError(f"This evaluation did not score {method!r}: {near_names(method, self.methods)}")
        return self.methods.index(method)

    def estimates(self) -> list[Estimate]:
        """Return mean and interval of each metric and method."""
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
        """Return the paired difference between a reference and each other method.

        Methods are scored on the same images, so that the difficulty of an image cancels: the interval of a
        difference can exclude 0 although the two methods' intervals overlap.

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
        return {"confidence_level": self.confidence_level, "draws": self.draws, "seed": self.seed}
