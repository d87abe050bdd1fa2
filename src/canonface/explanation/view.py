"""One face as one model sees it: its input, its clean prediction, and its predictions with parts occluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.confidence import BoundConfidence, CleanPrediction
from canonface.engine import ModelRunner
from canonface.errors import (
    NothingAskedError,
    OptionError,
    OutOfMemoryError,
    is_out_of_memory,
    single_image_too_large,
)
from canonface.explanation.settings import Settings
from canonface.functional import Tensor
from canonface.maps import CIS, canonical_side
from canonface.mesh import Canvas
from canonface.models import Model, checked_outputs, prepare
from canonface.occlusions import Occlusions
from canonface.types import Face, ModelInput


def prepare_face(
    face: Face, model: Model, settings: Settings, face_labels: Mapping[str, str], photo: str
) -> tuple[FaceView, BoundConfidence, float]:
    """A face as the model sees it, what is asked about it, and the confidence in it as it is."""
    view = FaceView(face, model, settings)
    original = CleanPrediction(view.original, model.outputs, model.labels, face_labels, photo)
    confidence_fn = settings.confidence_fn().bind(original)
    return view, confidence_fn, float(confidence_fn(view.original)[0])


def require_shown(visible: Bool[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
    """The visibility itself, if anything can be asked.

    Raises:
        NothingAskedError: nothing can.
    """
    if not visible.any():
        raise NothingAskedError(
            f"A face is asked about the probes that it shows; of {len(visible)} none lies in the model's input and "
            "faces the camera. Take another crop, or leave the photo out."
        )
    return visible


def drops_at(
    view: FaceView,
    confidence_fn: BoundConfidence,
    confidence: float,
    vertices: Int[np.ndarray, "n"],
    runner: ModelRunner,
) -> Float[np.ndarray, "n"]:
    """Drop with a patch over each vertex (eq. 1), the mean over the fills."""
    of_fills = [confidence_fn(occluded) for occluded in view.predict(vertices, runner)]
    return np.asarray(confidence - np.mean(of_fills, axis=0))


class FaceView:
    """One face as one model sees it, and what the model answers when parts of it are hidden.

    Args:
        face: the face.
        model: the model.
        settings: the choices.

    Attributes:
        shown: the model's input with the mesh on it.
        original: ``(1, d)`` the model's outputs for the face as it is.
        calls: how many images the model was asked about.
    """

    def __init__(self, face: Face, model: Model, settings: Settings) -> None:
        self.face, self.model, self.settings = face, model, settings
        self.occluder = settings.occluder_fn()
        self.occluder.check(model.spec)
        self.shown = prepare(face, model.spec)
        self._x = model.to_device(self.shown.x)
        self.original = clean_prediction(model, self._x)
        self.calls = 1

    def predict(self, vertices: Int[np.ndarray, "n"], runner: ModelRunner) -> list[Float[np.ndarray, "n d"]]:
        """The model's outputs with a patch over each vertex, one array a fill."""
        return self.predict_occluded(self.occlusions(vertices), runner)

    def occlusions(self, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """What is hidden by a patch over each vertex, one `Occlusions` a fill."""
        fills = self.occluder.occlusions(self.shown, vertices)
        for occlusions in fills:
            if len(occlusions) != len(vertices):
                raise OptionError(
                    f"An occluder says for each vertex what is hidden; {type(self.occluder).__name__} was asked "
                    f"about {len(vertices)} and hides {len(occlusions)}."
                )
        return fills

    def predict_occluded(
        self, fills: Sequence[Occlusions], runner: ModelRunner
    ) -> list[Float[np.ndarray, "n d"]]:
        """The model's outputs for any occlusions of this face, one array a fill."""
        if not fills:
            raise OptionError("An occluder hides a place in at least one way, one Occlusions each; got none.")
        self.calls += sum(len(occlusions.distinct()[0]) for occlusions in fills)
        return [runner.predict(self._x, occlusions) for occlusions in fills]

    def cis(
        self,
        probes: Int[np.ndarray, "n"],
        drops: Float[np.ndarray, "n"],
        confidence: float,
        target: str,
        unit: str,
    ) -> CIS:
        """The map of this face's drops."""
        patch, canvas = self.occluder.side(self.shown), Canvas.of(self.face.mesh)
        return CIS(
            face=self.face,
            mesh=self.face.mesh,
            probes=probes,
            values=drops,
            confidence=confidence,
            target=target,
            unit=unit,
            patch=patch,
            patch_in_photo=patch / _scale(self.shown),
            canonical_patch=canonical_side(patch, self.shown, canvas, self.settings.canonical_patch),
            input_height=self.model.spec.size_hw[0],
            model=self.model.name,
            outputs=self.original[0].astype(np.float64),
            model_calls=self.calls,
            normalise=self.settings.normalise,
            canvas=canvas,
        )


def clean_prediction(model: Model, x: Tensor) -> Float[np.ndarray, "1 d"]:
    """The model's outputs for a face as it is.

    Raises:
        OutOfMemoryError: a single image does not fit into the device's memory.
    """
    try:
        return checked_outputs(model, x[None])
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(single_image_too_large()) from error
        raise


def _scale(shown: ModelInput) -> float:
    """Pixels of the model's input per pixel of the photo."""
    return float(np.sqrt(abs(np.linalg.det(shown.matrix[:, :2]))))
