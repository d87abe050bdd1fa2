"""Expected value of a classifier whose classes are numbers, e.g. an age."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.confidence.classification import by_rows, class_probabilities, refuse_other_than_classes
from canonface.confidence.targets import make_plain, one_of, same_for_every_face
from canonface.errors import OptionError, TargetError
from canonface.types import Outputs

FORMS = ("change", "distance")


@dataclass(frozen=True)
class ExpectedValue:
    r"""Mean of the classes' numbers, weighted by their probabilities: $E = \sum_i p_i v_i$.

    Attributes:
        form: ``change``: the confidence is $E$; a drop is the signed change, positive where the hidden part raised
            the value. ``distance``: the confidence is $-|E - E_0|$ with $E_0$ of the face without occlusion; a drop
            is the distance that the value moved, never negative.
        values: the number of each class, in order; None: the classes' names are read as numbers, and classes with
            other names are left out.

    Source: the expected age of R. Rothe, R. Timofte, L. Van Gool, "DEX: Deep EXpectation of apparent age from a
    single image", ICCV workshops 2015.
    """

    form: str = "change"
    values: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        make_plain(self, "values")
        one_of("form", self.form, FORMS)
        if self.values is not None and not all(map(math.isfinite, self.values)):
            raise OptionError(f"values are finite numbers, one per class; got {self.values}.")

    @property
    def unit(self) -> str:
        """Text for a colour bar."""
        return "expected value" if self.form == "change" else "closeness to the original expected value"

    @property
    def label_column(self) -> None:
        """None: the target is never a label."""
        return

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        name = "expected-value" if self.form == "change" else "expected-distance"
        return {"name": name, "form": self.form, "values": None if self.values is None else list(self.values)}

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the value exists for no face of a model with such outputs.

        Raises:
            OptionError: the model has no classes.
            TargetError: fewer than two of its classes are numbers.
        """
        refuse_other_than_classes(kind, str(self.describe()["name"]))
        if names:
            class_numbers(names, self.values, len(names))

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the clean value of one face; see `canonface.confidence.Confidence.bind`."""
        self.check(original.kind, original.names)
        kind, signed = original.kind, self.form == "change"
        with same_for_every_face():
            index, numbers = class_numbers(original.names, self.values, original.outputs.shape[1])
        start = float(expected_value(original.outputs, index, numbers, kind)[0])

        def confidence_fn(outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            expected = by_rows(lambda rows: expected_value(rows, index, numbers, kind), outputs)
            # 0 - x, since -x prints as -0.0 where nothing moved.
            return expected if signed else 0.0 - np.abs(expected - start)

        return BoundConfidence(target="expected value", unit=self.unit, fn=confidence_fn)


def expected_value(
    outputs: Float[np.ndarray, "n d"],
    index: Int[np.ndarray, "k"],
    numbers: Float[np.ndarray, "k"],
    kind: Outputs,
) -> Float[np.ndarray, "n"]:
    """Return the mean of the classes' numbers, weighted by the probabilities of these classes, normalised to sum 1.

    Args:
        outputs: ``(n, d)`` outputs.
        index: ``(k,)`` the classes that are numbers.
        numbers: ``(k,)`` these numbers.
        kind: meaning of the outputs: logits or probabilities.
    """
    p = class_probabilities(outputs, kind)[:, index]
    # If a class without a number has a probability near 1, all others may round to 0.
    p = p + np.finfo(np.float64).tiny
    return np.asarray((p @ numbers) / p.sum(axis=1))


def class_numbers(
    names: Sequence[str], values: tuple[float, ...] | None, count: int
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Return the indices of the classes that are numbers, and these numbers.

    Args:
        names: names of the classes; may be empty.
        values: the number of each class; None: read from the names.
        count: number of the model's outputs.

    Raises:
        TargetError: fewer than two classes are numbers, or ``values`` has another length.
    """
    if values is not None:
        if len(values) != count:
            raise TargetError(f"values has one number per class; got {len(values)} for {count} classes.")
        return np.arange(count), np.asarray(values, dtype=np.float64)
    read = {i: number for i, name in enumerate(names) if (number := as_number(name)) is not None}
    if len(read) < 2:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") or "none"
        raise TargetError(
            f"A value needs classes whose names are numbers, at least two, and this model's names are: "
            f"{shown}. Give the names with labels=[...] when the model is loaded, or the numbers with values=(...)."
        )
    return np.array(list(read)), np.array(list(read.values()))


def as_number(text: str) -> float | None:
    """Return the finite number that a text holds; None if it holds none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
