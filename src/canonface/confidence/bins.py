"""Confidence of a bin: the classes whose numbers lie in one interval, taken together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.confidence.classification import by_rows, class_probabilities, refuse_other_than_classes
from canonface.confidence.expected_value import as_number, class_numbers
from canonface.confidence.targets import (
    PREDICTED,
    label_column,
    make_plain,
    resolve,
    same_for_every_face,
    words,
)
from canonface.errors import OptionError, TargetError, near_names
from canonface.types import Outputs


@dataclass(frozen=True)
class Bins:
    """Adjacent intervals of numbers; each includes its lower edge and excludes its upper one.

    >>> Bins((0, 10, 20, math.inf)).names
    ('0-9', '10-19', '20+')

    Attributes:
        edges: rising; the first may be minus infinity, the last infinity.
        names: one per bin; empty: made from the edges, ``0-9`` for whole numbers, else ``0.5..1.5``.
    """

    edges: tuple[float, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        make_plain(self, "edges", "names")
        edges = self.edges
        if len(edges) < 2 or not all(low < high for low, high in pairwise(edges)):
            raise OptionError(f"The edges of bins rise, two at least, without NaN; got {edges}.")
        if not self.names:
            object.__setattr__(self, "names", tuple(map(_name, edges, edges[1:])))
        if len(self.names) != len(edges) - 1 or len(set(self.names)) != len(self.names):
            raise OptionError(
                f"Bins have one name each, all different; got {self.names} for {len(edges) - 1} bins."
            )

    def __len__(self) -> int:
        return len(self.names)

    def indices(self, numbers: ArrayLike) -> Int[np.ndarray, "..."]:
        """Return the index of the bin that holds each number; -1 for none."""
        values = np.asarray(numbers, dtype=np.float64)
        index = np.searchsorted(np.asarray(self.edges, dtype=np.float64), values, side="right") - 1
        return np.where((index < len(self)) & ~np.isnan(values), index, -1)

    def index(self, wanted: str) -> int:
        """Return the index of a bin, given by its name or by a number that it holds.

        Raises:
            TargetError: there is no such bin.
        """
        if wanted in self.names:
            return self.names.index(wanted)
        number = as_number(wanted)
        index = -1 if number is None else int(self.indices(number))
        if index < 0:
            raise TargetError(f"There is no bin {wanted!r}: {near_names(wanted, self.names)}")
        return index


def _name(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "all"
    if math.isinf(high):
        return f"{low:g}+"
    if math.isinf(low):
        return f"<{high:g}"
    if float(low).is_integer() and float(high).is_integer() and low >= 0:
        return f"{low:g}-{high - 1:g}" if high - low > 1 else f"{low:g}"
    return f"{low:g}..{high:g}"


AGE_BINS = Bins((0, 10, 20, 30, 40, 50, 60, 70, 80, 90, math.inf))
"""Ten bins of ten years, the last one open: 0-9, 10-19, ..., 90+."""


@dataclass(frozen=True)
class BinConfidence:
    r"""Probability of a bin: $\sum_i p_i$ over the classes $i$ whose numbers lie in it.

    Attributes:
        bins: the intervals.
        target: a bin by its name or by a number in it; ``label:COLUMN``, the bin of each face's label; or
            ``predicted``, the most probable bin of each face.
        values: the number of each class, in order; None: the classes' names are read as numbers.
        name: name of this confidence.
    """

    bins: Bins = AGE_BINS
    target: str = PREDICTED
    values: tuple[float, ...] | None = None
    name: str = "age-bin"

    def __post_init__(self) -> None:
        make_plain(self, "target", "values")
        if self._fixed:
            self.bins.index(self.target)

    @property
    def unit(self) -> str:
        """Text for a colour bar over faces with different targets."""
        return f"probability of {words(self.target, 'bin')}"

    @property
    def label_column(self) -> str | None:
        """Column of the labels that holds each face's bin; None if the target is no label."""
        return label_column(self.target)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return {
            "name": self.name,
            "target": self.target,
            "edges": [edge if math.isfinite(edge) else str(edge) for edge in self.bins.edges],
            "bins": list(self.bins.names),
            "values": None if self.values is None else list(self.values),
        }

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the bin fits no face of a model with such outputs.

        Raises:
            OptionError: the model has no classes.
            TargetError: its classes are not numbers, or the bin holds none of them.
        """
        refuse_other_than_classes(kind, self.name)
        if names:
            held = self._held(names, len(names))
            if self._fixed:
                self._not_empty(held, self.bins.index(self.target))

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the bin of one face; see `canonface.confidence.Confidence.bind`."""
        self.check(original.kind, original.names)
        kind = original.kind
        with same_for_every_face():
            held = self._held(original.names, original.outputs.shape[1])
            if self._fixed:
                self._not_empty(held, self.bins.index(self.target))
        by_bin = class_probabilities(original.outputs, kind) @ held
        chosen = resolve(
            self.target, original.labels, lambda: int(by_bin[0].argmax()), self.bins.index, "name a bin"
        )
        self._not_empty(held, chosen)
        name = self.bins.names[chosen]

        def confidence_fn(outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return by_rows(
                lambda rows: np.asarray(class_probabilities(rows, kind) @ held[:, chosen]), outputs
            )

        return BoundConfidence(target=name, unit=f"probability of {name}", fn=confidence_fn)

    @property
    def _fixed(self) -> bool:
        """True if the bin is the same for every face."""
        return self.target != PREDICTED and self.label_column is None

    def _held(self, names: tuple[str, ...], count: int) -> Float[np.ndarray, "d b"]:
        """Return the table of classes and bins: 1 where a class lies in a bin."""
        classes, numbers = class_numbers(names, self.values, count)
        bins = self.bins.indices(numbers)
        held = np.zeros((count, len(self.bins)))
        held[classes[bins >= 0], bins[bins >= 0]] = 1.0
        return held

    def _not_empty(self, held: Float[np.ndarray, "d b"], chosen: int) -> None:
        if not held[:, chosen].any():
            filled = [self.bins.names[i] for i in np.flatnonzero(held.any(axis=0))]
            raise TargetError(
                f"A bin holds at least one class; none of the model's numbers lies in {self.bins.names[chosen]!r}. "
                f"Bins with classes: {', '.join(filled) or 'none'}."
            )
