"""What is asked again: one face, or a pair of them, and the confidence in what the run asked about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence, BoundPairConfidence
from canonface.maps import CIS
from canonface.models import Model, checked_outputs
from canonface.types import ModelInput

Inputs = Sequence[Float[np.ndarray, "_ c h w"]]
"""Of each view, ``n`` inputs that are shown together, or one that is shown beside all of the other view's."""


@dataclass(frozen=True, eq=False)
class View:
    """One face as the model sees it.

    Attributes:
        shown: the face in the model's input.
        confidence_fn: what is asked about it; of a pair, with the other face as it is.
        cis: the run's own map of it; None for a photo that the run does not hold.
    """

    shown: ModelInput = field(repr=False)
    confidence_fn: BoundConfidence
    cis: CIS | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Subject:
    """One row of a run, ready to be asked about again.

    Attributes:
        name: of the photo or the pair.
        group: what its confidence is about; of pairs ``same`` or ``different``.
        views: one face, or the two of a pair.
        confidence: maps the outputs ``(n, d)`` for each view to confidences ``(n,)``.
        model: the model.
        batch: how many inputs it is shown at once.
    """

    name: str
    group: str
    views: tuple[View, ...] = field(repr=False)
    confidence: Callable[..., Float[np.ndarray, "n"]] = field(repr=False)
    model: Model = field(repr=False)
    batch: int = 64

    @classmethod
    def of_face(
        cls,
        name: str,
        shown: ModelInput,
        confidence_fn: BoundConfidence,
        model: Model,
        cis: CIS | None = None,
        batch: int = 64,
    ) -> Subject:
        """One face."""
        return cls(
            name, confidence_fn.target, (View(shown, confidence_fn, cis),), confidence_fn, model, batch
        )

    @classmethod
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
        """A pair of faces, each asked about with the other as it is.

        Args:
            name: of the pair.
            shown: both faces in the model's input.
            outputs: the model's for each as it is.
            confidence_fn: eq. 8 with its target fixed.
            model: the model.
            maps: the run's maps of both.
            batch: how many inputs the model is shown at once.
        """
        first, second = outputs

        def of_first(predictions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return confidence_fn.fn(predictions, second)

        def of_second(predictions: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            return confidence_fn.fn(first, predictions)

        views = tuple(
            View(one, BoundConfidence(confidence_fn.target, confidence_fn.unit, of), cis)
            for one, of, cis in zip(shown, (of_first, of_second), maps, strict=True)
        )
        return cls(name, confidence_fn.target, views, confidence_fn.fn, model, batch)

    def ask(self, inputs: Inputs) -> Float[np.ndarray, "_"]:
        """Confidence in inputs of the model, ``(n, c, h, w)`` for each view.

        Raises:
            ModelError: the model failed, or answered with the wrong shape or NaN.
        """
        return np.asarray(self.confidence(*(self._answers(batch) for batch in inputs)), dtype=np.float64)

    def _answers(self, inputs: Float[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n d"]:
        starts = range(0, len(inputs), self.batch)
        chunks = (self.model.to_device(inputs[start : start + self.batch]) for start in starts)
        return np.concatenate([checked_outputs(self.model, chunk) for chunk in chunks])

    def original(self) -> float:
        """Confidence in the subject as it is."""
        return float(self.ask([view.shown.x[None] for view in self.views])[0])


Attributions = Mapping[str, tuple[Float[np.ndarray, "h w"], ...]]
"""Method -> its map of each view."""
