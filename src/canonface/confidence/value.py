"""Confidence of measured values: their signed change, or the distance that they move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.confidence.expected_value import FORMS
from canonface.confidence.targets import make_plain, one_of, same_for_every_face
from canonface.errors import OptionError, TargetError, near_names
from canonface.types import Outputs


@dataclass(frozen=True)
class ValueConfidence:
    r"""Confidence of one measured value of a regression model, or of all of them together.

    Attributes:
        target: an output by name or by index; None: the only output, or all of them for ``distance``.
        form: ``change``: the confidence is the value $y$; a drop is the signed change, positive where the hidden part
            raised the value. ``distance``: the confidence is $-\lVert y - y_0 \rVert$ (Euclidean) with $y_0$ of the
            face without occlusion; a drop is the distance that the value moved, never negative.

    Values are in the model's own unit, degrees for a head pose. Angles are compared as plain numbers: -179 and 179
    degrees are far apart.
    """

    target: str | int | None = None
    form: str = "change"

    def __post_init__(self) -> None:
        make_plain(self, "target")
        one_of("form", self.form, FORMS)

    @property
    def unit(self) -> str:
        """Text for a colour bar."""
        return _unit(self.form, "value" if self.target is None else str(self.target))

    @property
    def label_column(self) -> None:
        """None: the target is never a label."""
        return

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        name = "value" if self.form == "change" else "value-distance"
        return {"name": name, "target": self.target, "form": self.form}

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the value exists for no face of a model with such outputs.

        Raises:
            OptionError: the model does not measure values.
            TargetError: it has no such output, or several and none is named.
        """
        if kind != "values":
            raise OptionError(
                f"confidence={self.describe()['name']!r} is about measured values, and this model returns {kind}: "
                "use another confidence, or load the model with outputs='values' if it is a regression."
            )
        if names:
            self._outputs(names, len(names))

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the clean value of one face; see `canonface.confidence.Confidence.bind`."""
        self.check(original.kind, original.names)
        with same_for_every_face():
            index = self._outputs(original.names, original.outputs.shape[1])
        start, signed = original.outputs[0, index].astype(np.float64), self.form == "change"

        def confidence_fn(outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            values = outputs[:, index].astype(np.float64)
            # 0 - x, since -x prints as -0.0 where nothing moved.
            return values[:, 0] if signed else 0.0 - np.linalg.norm(values - start, axis=1)

        chosen = [original.names[i] if original.names else f"output {i}" for i in index.tolist()]
        # One colour bar serves a run whether outputs have names or not.
        name = chosen[0] if len(chosen) == 1 and self.target is not None else "value"
        return BoundConfidence(target=", ".join(chosen), unit=_unit(self.form, name), fn=confidence_fn)

    def _outputs(self, names: tuple[str, ...], count: int) -> Int[np.ndarray, "k"]:
        if self.target is None:
            if count > 1 and self.form == "change":
                known = f": {near_names('', names)}" if names else f", by an index from 0 to {count - 1}."
                raise TargetError(f"The model measures {count} values: name one of them{known}")
            return np.arange(count)
        return np.array([output_index(self.target, names, count)])


def output_index(target: str | int, names: tuple[str, ...], count: int) -> int:
    """Return the index of an output, given by name (ignoring case) or by index (an ``int`` is always an index).

    Raises:
        TargetError: the model has no such output.
    """
    folded = [name.casefold() for name in names]
    if isinstance(target, str) and target.casefold() in folded:
        return folded.index(target.casefold())
    if (isinstance(target, int) or target.isdecimal()) and 0 <= int(target) < count:
        return int(target)
    if names:
        raise TargetError(f"The model has no output {target!r}: {near_names(str(target), names)}")
    raise TargetError(
        f"The model's {count} outputs have no names: a target is an index from 0 to {count - 1}; got {target!r}. "
        "Give the names with labels=[...]."
    )


def _unit(form: str, name: str) -> str:
    return name if form == "change" else f"closeness to the original {name}"
