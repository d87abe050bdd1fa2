"""Subjects of an evaluation: one face or a pair, with the model and the confidence of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence, BoundPairConfidence
from canonface.maps import CIS
from canonface.models import Model, checked_outputs
from canonface.types import ModelInput

Inputs = Sequence[Float[np.ndarray, "_ c h w"]]
"""Inputs of each view: ``n``, or a single one that is combined with every input of the other view."""
Attributions = Mapping[str, tuple[Float[np.ndarray, "h w"], ...]]
"""Method -> its map of each view."""


@renamed_parameters(question="confidence_fn")
@dataclass(frozen=True, eq=False)
class SubjectView:
    """View of one face in the model's input.

    Attributes:
        shown: the face in the model's input.
        confidence_fn: maps the outputs for this face to confidences; in a pair, the other face is unchanged.
        cis: the run's own map of it; None for a photo that the run does not hold.
    """

    shown: ModelInput = field(repr=False)
    confidence_fn: BoundConfidence
    cis: CIS | None = field(default=None, repr=False)

    question = deprecated_attribute("confidence_fn")


@dataclass(frozen=True, eq=False)
class Subject:
    """Row of a run: inputs, confidence and model.

    Attributes:
        name: name of the photo or the pair.
        group: target of its confidence; of pairs ``same`` or ``different``.
        views: one face, or the two of a pair.
        confidence: maps the outputs ``(n, d)`` for each view to confidences ``(n,)``.
        model: the model.
        batch: inputs per forward pass.
    """

    name: str
    group: str
    views: tuple[SubjectView, ...] = field(repr=False)
    confidence: Callable[..., Float[np.ndarray, "n"]] = field(repr=False)
    model: Model = field(repr=False)
    batch: int = 64

    @classmethod
    @renamed_parameters(question="confidence_fn")
    def of_face(
        cls,
        name: str,
        shown: ModelInput,
        confidence_fn: BoundConfidence,
        model: Model,
        cis: CIS | None = None,
        batch: int = 64,
    ) -> Subject:
        """Make the subject of one face."""
        view = SubjectView(shown, confidence_fn, cis)
        return cls(name, confidence_fn.target, (view,), confidence_fn, model, batch)

    @classmethod
    @renamed_parameters(question="confidence_fn")
    def of_pair(
        cls,
        name: str,
        shown: tuple[ModelInput, ModelInput],
        outputs: tuple[Float[np.ndarray, "1 d"], Float[np.ndarray, "1 d"]],
        confidence_fn: BoundPairConfidence,
        model: Model,
        maps: tuple[CIS, CIS],
        batch: int = 64,
    ) -> Subject:
        """Make the subject of a pair of faces.

        Args:
            name: name of the pair.
            shown: both faces in the model's input.
            outputs: the model's outputs for each unchanged face.
            confidence_fn: eq. 8 with its target fixed.
            model: the model.
            maps: the run's maps of both.
            batch: inputs per forward pass.
        """
        first, second = outputs

        def of_first(predictions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return confidence_fn.fn(predictions, second)

        def of_second(predictions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return confidence_fn.fn(first, predictions)

        views = tuple(
            SubjectView(one, BoundConfidence(confidence_fn.target, confidence_fn.unit, fn), cis)
            for one, fn, cis in zip(shown, (of_first, of_second), maps, strict=True)
        )
        return cls(name, confidence_fn.target, views, confidence_fn.fn, model, batch)

    def confidences(self, inputs: Inputs) -> Float[np.ndarray, "_"]:
        """Return the confidence in inputs of the model, ``(n, c, h, w)`` for each view.

        Raises:
            ModelError: the model failed, or returned a wrong shape or NaN.
        """
        return np.asarray(self.confidence(*(self._predict(batch) for batch in inputs)), dtype=np.float64)

    ask = deprecated_attribute("confidences")

    def _predict(self, inputs: Float[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n d"]:
        starts = range(0, len(inputs), self.batch)
        chunks = (self.model.to_device(inputs[start : start + self.batch]) for start in starts)
        return np.concatenate([checked_outputs(self.model, chunk) for chunk in chunks])

    def original(self) -> float:
        """Return the confidence in the unchanged subject."""
        return float(self.confidences([view.shown.x[None] for view in self.views])[0])
