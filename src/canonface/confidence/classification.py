"""Confidence of a class: softmax probability, logit or log-odds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.confidence.targets import (
    PREDICTED,
    label_column,
    labelled,
    make_plain,
    one_of,
    same_for_every_face,
    words,
)
from canonface.errors import ModelOutputError, OptionError, TargetError, near_names
from canonface.types import Outputs

SCALES = ("probability", "logit", "log-odds")
# Outputs that are computed at once, as float64: 2 MB.
_AT_ONCE = 2**18


@dataclass(frozen=True)
class ClassConfidence:
    """Confidence of a classifier in one class.

    Attributes:
        target: a class by name or by index (an ``int`` is always an index); ``label:COLUMN``, the class in the labels
            file for each face; or ``predicted``, the model's own prediction for each face.
        scale: ``probability``, the softmax; ``logit``, the raw output; ``log-odds``,
            ``log(p / (1 - p))``, which does not saturate for confident predictions.

    A model with a single output is treated as a two-class model: the probability is the sigmoid of the output, the
    logit and the log-odds are the output itself, and the target is ``0`` (or its one name), also for ``predicted``.
    """

    target: str | int = PREDICTED
    scale: str = "probability"

    def __post_init__(self) -> None:
        make_plain(self, "target")
        one_of("confidence", self.scale, SCALES)

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the class of one face; see `canonface.confidence.Confidence.bind`."""
        self.check(original.kind, original.names)
        index = self._index(original.outputs, original.names, original.labels)
        name = original.names[index] if index < len(original.names) else f"class {index}"
        scale, outputs = self.scale, original.kind

        def confidence_fn(values: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return class_confidence(values, index, scale, outputs)

        return BoundConfidence(target=name, unit=f"{scale} of {name}", fn=confidence_fn, output=index)

    @property
    def unit(self) -> str:
        """Text for a colour bar over faces with different targets."""
        return f"{self.scale} of {words(self.target, 'class')}"

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {"name": self.scale, "target": self.target}

    @property
    def label_column(self) -> str | None:
        """Column of the labels that holds each face's class; None if the target is no label."""
        return label_column(self.target)

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the class fits no face of a model with such outputs.

        Raises:
            OptionError: the model has no classes, or returns probabilities and the scale is ``logit``.
            TargetError: the model's classes have names, and the target is not among them.
        """
        refuse_other_than_classes(kind, self.scale)
        if kind == "probabilities" and self.scale == "logit":
            raise OptionError(
                "confidence='logit' reads a model's raw outputs, and this model returns probabilities: "
                "use 'log-odds' or 'probability'."
            )
        if names and self.target != PREDICTED and self.label_column is None:
            self._named_index(self.target, names, len(names))

    def _index(
        self, original: Float[np.ndarray, "1 d"], class_names: tuple[str, ...], face_labels: Mapping[str, str]
    ) -> int:
        if self.target == PREDICTED:
            return int(original[0].argmax())
        column = self.label_column
        if column is None:
            with same_for_every_face():
                return self._named_index(self.target, class_names, original.shape[1])
        return class_index(labelled(face_labels, column, "name a class"), class_names, original.shape[1])

    @staticmethod
    def _named_index(target: str | int, class_names: tuple[str, ...], count: int) -> int:
        if isinstance(target, str):
            return class_index(target, class_names, count)
        if not 0 <= target < count:
            raise _no_such_class(str(target), class_names, count)
        return target


def class_index(wanted: str, class_names: tuple[str, ...], count: int) -> int:
    """Return the index of a class, given by name (exact, else ignoring case) or by index.

    Raises:
        TargetError: the model has no such class; near names are listed.
    """
    if wanted in class_names:
        return class_names.index(wanted)
    folded = [name.casefold() for name in class_names]
    if folded.count(wanted.casefold()) == 1:
        return folded.index(wanted.casefold())
    if wanted.isdecimal() and int(wanted) < count:
        return int(wanted)
    raise _no_such_class(wanted, class_names, count)


def _no_such_class(wanted: str, class_names: tuple[str, ...], count: int) -> TargetError:
    if class_names:
        return TargetError(f"The model has no class {wanted!r}: {near_names(wanted, class_names)}")
    return TargetError(
        f"The model's {count} outputs have no names: a target is an index from 0 to {count - 1} or 'predicted'; "
        f"got {wanted!r}. Give the names with labels=[...]."
    )


def refuse_other_than_classes(kind: Outputs, confidence: str) -> None:
    """Raise OptionError unless a model's outputs are scores of classes."""
    if kind in ("embedding", "values"):
        what, instead = {
            "embedding": (
                "a feature vector",
                "compare photos, with a gallery of known people (canonface audit --gallery) or in pairs (canonface "
                "verify)",
            ),
            "values": (
                "measured values",
                "use 'value', 'value-distance' or, for a head's pose, 'pose-bin'",
            ),
        }[kind]
        raise OptionError(
            f"confidence={confidence!r} is about a class, and this model returns {what}: {instead}; or load the "
            "model with outputs='logits' if its numbers are scores of classes."
        )


def class_probabilities(values: Float[np.ndarray, "n d"], outputs: Outputs) -> Float[np.ndarray, "n d"]:
    """Return the probability of every class, ``float64``.

    Args:
        values: ``(n, d)`` outputs, two classes or more.
        outputs: meaning of ``values``: logits, which pass the softmax, or probabilities.
    """
    probabilities = values.astype(np.float64)
    if outputs == "probabilities":
        _check_probabilities(values)
        return probabilities
    probabilities -= _log_sum_exp(values)[:, None]
    return np.asarray(np.exp(probabilities, out=probabilities))


def by_rows(
    fn: Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, "m"]], values: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n"]:
    """Apply a function to a few rows at a time, so that thousands of outputs are never copied at once.

    Args:
        fn: from ``(m, d)`` to ``(m,)``, row by row.
        values: ``(n, d)`` outputs.
    """
    rows = max(1, _AT_ONCE // values.shape[1])
    numbers = np.empty(len(values))
    for start in range(0, len(values), rows):
        numbers[start : start + rows] = fn(values[start : start + rows])
    return numbers


def class_confidence(
    values: Float[np.ndarray, "n d"], index: int, scale: str, outputs: Outputs
) -> Float[np.ndarray, "n"]:
    """Return the confidence in one class.

    Args:
        values: ``(n, d)`` outputs.
        index: index of the class.
        scale: one of `SCALES`.
        outputs: meaning of ``values``: logits or probabilities.

    Returns:
        ``(n,)`` ``float64``.
    """
    chosen = values[:, index].astype(np.float64)
    if outputs == "probabilities":
        _check_probabilities(values)
        return chosen if scale == "probability" else _log_odds(np.clip(chosen, 0.0, 1.0))
    if scale == "logit":
        return chosen
    # log-odds of a softmax: the logit against the log-sum-exp of all others, exact where p rounds to 1.
    if values.shape[1] > 1:
        chosen -= by_rows(lambda rows: _log_sum_exp(rows, index), values)
    return chosen if scale == "log-odds" else _sigmoid(chosen)


def _check_probabilities(values: Float[np.ndarray, "n d"]) -> None:
    if values.size and not -1e-5 <= values.min() <= values.max() <= 1 + 1e-5:
        raise ModelOutputError(
            f"The model is said to return probabilities, and its outputs reach from {values.min():.3g} to "
            f"{values.max():.3g}. Declare outputs='logits'."
        )


def _log_odds(probability: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    # A probability of exactly 0 or 1 was rounded by the model: keep it finite at float32's resolution.
    tiny = float(np.finfo(np.float32).eps)
    clipped = np.clip(probability, tiny, 1 - tiny)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _log_sum_exp(values: Float[np.ndarray, "n d"], without: int | None = None) -> Float[np.ndarray, "n"]:
    """Return the log-sum-exp of each row, optionally without one column."""
    powers = values.astype(np.float64)
    if without is not None:
        powers[:, without] = -np.inf
    top = powers.max(axis=1)
    powers -= top[:, None]
    np.exp(powers, out=powers)
    return np.asarray(top + np.log(powers.sum(axis=1)))


def _sigmoid(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)))
