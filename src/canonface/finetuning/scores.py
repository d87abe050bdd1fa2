"""Accuracy of a classifier: overall, by class and by group, with intervals clustered by person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface._deprecated import renamed_parameters
from canonface.statistics import wilson_interval


@dataclass(frozen=True)
class Share:
    """Share of photos with its 95% interval.

    Attributes:
        photos: number of photos.
        people: number of people on them.
        value: share of the photos, 0 to 1.
        low: lower end of the interval.
        high: upper end.
    """

    photos: int
    people: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f}% ({100 * self.low:.1f}-{100 * self.high:.1f})"


@dataclass(frozen=True)
class ClassifierScores:
    """Accuracy and confusion of a classifier.

    Attributes:
        accuracy: share of the photos that are classified correctly.
        balanced: mean of the classes' accuracies.
        baseline: share of the commonest class, the accuracy of always predicting it.
        commonest: the commonest class of these photos.
        by_class: accuracy on the photos of each class.
        by_group: column -> value -> accuracy.
        confusion: ``(k, k)`` counts; rows: true class, columns: predicted class.
        labels: the classes, in order.
    """

    accuracy: Share
    balanced: float
    baseline: float
    commonest: str
    by_class: Mapping[str, Share]
    by_group: Mapping[str, Mapping[str, Share]]
    confusion: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """Return the scores as a dictionary for JSON."""
        return asdict(self)


def interval(correct: Bool[np.ndarray, "n"], people: Sequence[str]) -> tuple[float, float]:
    r"""Return the 95% interval of an accuracy: Wilson's, with the effective number of photos.

    $n_{eff} = n / \max(1, v / v_0)$ with $v = \frac{G}{G-1} \sum_g (h_g - p n_g)^2 / n^2$ over the $G$ people, $h_g$
    correct ones among the $n_g$ photos of a person, and $v_0 = p (1 - p) / n$ (the design effect, L. Kish, Survey
    Sampling, 1965). With one photo per person this is Wilson's interval; where all predictions are correct, or none,
    the number of people is used.

    Args:
        correct: True for each photo that is classified correctly.
        people: name of the person on each photo.
    """
    n, p = len(correct), float(correct.mean())
    names, person = np.unique(np.asarray(people), return_inverse=True)
    groups, size = len(names), float(n)
    if groups < n and 0 < p < 1:
        residual = np.bincount(person, weights=correct - p)
        variance = float((residual**2).sum()) / n**2 * (groups / (groups - 1) if groups > 1 else np.inf)
        size = n / max(1.0, variance / (p * (1 - p) / n))
    elif groups < n:
        size = float(groups)
    size = max(size, 1.0)
    return wilson_interval(p * size, size)


@renamed_parameters(right="truth", answered="predicted")
def make_scores(
    truth: Int[np.ndarray, "n"],
    predicted: Int[np.ndarray, "n"],
    labels: Sequence[str],
    people: Sequence[str],
    groups: Mapping[str, Sequence[str]],
) -> ClassifierScores:
    """Compare predictions with the true classes.

    Args:
        truth: number of each photo's class.
        predicted: number of the predicted class.
        labels: names of the classes.
        people: name of the person on each photo.
        groups: columns with one value per photo; photos without a value are in no group.
    """
    correct = truth == predicted
    named = np.asarray(people)

    def share(chosen: Bool[np.ndarray, "n"]) -> Share:
        low, high = interval(correct[chosen], named[chosen].tolist())
        return Share(
            int(chosen.sum()), len(set(named[chosen])), float(correct[chosen].mean()), float(low), float(high)
        )

    k = len(labels)
    counts = np.bincount(truth, minlength=k)
    by_class = {labels[i]: share(truth == i) for i in range(k) if counts[i]}
    by_group = {
        column: {
            value: share(np.asarray(values) == value) for value in sorted(set(values) - {""}, key=_in_order)
        }
        for column, values in groups.items()
    }
    confusion: Float[np.ndarray, "k k"] = np.zeros((k, k))
    np.add.at(confusion, (truth, predicted), 1)
    return ClassifierScores(
        share(np.ones(len(truth), dtype=bool)),
        float(np.mean([found.value for found in by_class.values()])),
        float(counts.max() / len(truth)),
        labels[int(counts.argmax())],
        by_class,
        by_group,
        tuple(tuple(int(count) for count in row) for row in confusion),
        tuple(labels),
    )


def _in_order(value: str) -> tuple[float, str]:
    """Return a sort key: values that begin with a number by that number, the others last."""
    digits = value[: len(value) - len(value.lstrip("0123456789"))]
    return (float(digits) if digits else np.inf), value
