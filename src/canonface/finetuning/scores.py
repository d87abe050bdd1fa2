"""How often a classifier is right: in all, by class, by group, with intervals that know who is on which photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.statistics import wilson_interval


@dataclass(frozen=True)
class Share:
    """A share of photos, with its 95% interval.

    Attributes:
        photos: how many.
        people: on how many people.
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
class Scores:
    """What a classifier's answers are worth.

    Attributes:
        accuracy: share of photos that are answered rightly.
        balanced: mean of the classes' own accuracies.
        baseline: accuracy of who always answers the commonest class of these photos.
        commonest: that class.
        by_class: accuracy on the photos of each class.
        by_group: column -> value -> accuracy.
        confusion: ``(k, k)`` counts; row: what is right, column: what was answered.
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
        """The scores as JSON can hold them."""
        return asdict(self)


def interval(correct: Bool[np.ndarray, "n"], people: Sequence[str]) -> tuple[float, float]:
    r"""95% interval of a share: Wilson's, with as many photos as independent ones would be worth.

    $n_{eff} = n / \max(1, v / v_0)$ with $v = \frac{G}{G-1} \sum_g (h_g - p n_g)^2 / n^2$ over the $G$ people, $h_g$
    right ones among the $n_g$ photos of a person, and $v_0 = p (1 - p) / n$ (the design effect, L. Kish, Survey
    Sampling, 1965). Where each person has one photo it is Wilson's own; where all answers agree, people count.

    Args:
        correct: whether each photo was answered rightly.
        people: name of the person on each.
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


def make_scores(
    right: Int[np.ndarray, "n"],
    answered: Int[np.ndarray, "n"],
    labels: Sequence[str],
    people: Sequence[str],
    groups: Mapping[str, Sequence[str]],
) -> Scores:
    """Compare answers with what is right.

    Args:
        right: number of each photo's class.
        answered: number of the class that was answered.
        labels: the classes.
        people: name of the person on each photo.
        groups: columns with a value a photo; photos without a value are in no group.
    """
    correct = right == answered
    named = np.asarray(people)

    def share(chosen: Bool[np.ndarray, "n"]) -> Share:
        low, high = interval(correct[chosen], named[chosen].tolist())
        return Share(
            int(chosen.sum()), len(set(named[chosen])), float(correct[chosen].mean()), float(low), float(high)
        )

    k = len(labels)
    counts = np.bincount(right, minlength=k)
    by_class = {labels[i]: share(right == i) for i in range(k) if counts[i]}
    by_group = {
        column: {
            value: share(np.asarray(values) == value) for value in sorted(set(values) - {""}, key=_in_order)
        }
        for column, values in groups.items()
    }
    confusion: Float[np.ndarray, "k k"] = np.zeros((k, k))
    np.add.at(confusion, (right, answered), 1)
    return Scores(
        share(np.ones(len(right), dtype=bool)),
        float(np.mean([found.value for found in by_class.values()])),
        float(counts.max() / len(right)),
        labels[int(counts.argmax())],
        by_class,
        by_group,
        tuple(tuple(int(count) for count in row) for row in confusion),
        tuple(labels),
    )


def _in_order(value: str) -> tuple[float, str]:
    """Values that begin with a number by that number, the others after them."""
    digits = value[: len(value) - len(value.lstrip("0123456789"))]
    return (float(digits) if digits else np.inf), value
