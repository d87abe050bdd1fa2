"""One face as the input of one model: its clean prediction and its predictions with parts occluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface._deprecated import deprecated_attribute
from canonface.confidence import BoundConfidence, CleanPrediction
from canonface.engine import ModelRunner
from canonface.errors import (
    NoVisibleProbeError,
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
    """Return a face as the model sees it, the confidence function bound to it, and its clean confidence."""
    view = FaceView(face, model, settings)
    original = CleanPrediction(view.original, model.outputs, model.labels, face_labels, photo)
    confidence_fn = settings.confidence_fn().bind(original)
    return view, confidence_fn, float(confidence_fn(view.original)[0])


def require_shown(visible: Bool[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
    """Return the visibility of the probes, if at least one is visible.

    Raises:
        NoVisibleProbeError: no probe is visible.
    """
    if not visible.any():
        raise NoVisibleProbeError(
            f"The visible probes of a face are evaluated; none of its {len(visible)} lies in the model's input and "
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
    """Return the drop with a patch over each vertex (eq. 1), averaged over the fills."""
    of_fills = [confidence_fn(occluded) for occluded in view.predict(vertices, runner)]
    return np.asarray(confidence - np.mean(of_fills, axis=0))


class FaceView:
    """One face as the input of one model, with the predictions for it as it is and with parts occluded.

    Args:
        face: the face.
        model: the model.
        settings: the choices that define the map.

    Attributes:
        shown: the model's input, with the mesh on it.
        original: ``(1, d)`` the model's outputs for the face as it is.
        calls: number of images that the model was shown.
    """

    answers = deprecated_attribute("predict", asker="runner")
    answers_to = deprecated_attribute("predict_occluded", asker="runner")

    def __init__(self, face: Face, model: Model, settings: Settings) -> None:
        self.face, self.model, self.settings = face, model, settings
        self.occluder = settings.occluder_fn()
        self.occluder.check(model.spec)
        self.shown = prepare(face, model.spec)
        self._x = model.to_device(self.shown.x)
        self.original = clean_outputs(model, self._x)
        self.calls = 1

    def predict(self, vertices: Int[np.ndarray, "n"], runner: ModelRunner) -> list[Float[np.ndarray, "n d"]]:
        """Return the model's outputs with a patch over each vertex, one array ``(n, d)`` for each fill."""
        return self.predict_occluded(self.occlusions(vertices), runner)

    def occlusions(self, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """Return the occlusion at each vertex, one `Occlusions` for each fill."""
        fills = self.occluder.occlusions(self.shown, vertices)
        for occlusions in fills:
            if len(occlusions) != len(vertices):
                raise OptionError(
                    f"An occluder returns one occlusion for each vertex; {type(self.occluder).__name__} was given "
                    f"{len(vertices)} vertices and returned {len(occlusions)} occlusions."
                )
        return fills

    def predict_occluded(
        self, fills: Sequence[Occlusions], runner: ModelRunner
    ) -> list[Float[np.ndarray, "n d"]]:
        """Return the model's outputs for any occlusions of this face, one array ``(n, d)`` for each fill."""
        if not fills:
            raise OptionError(
                "An occluder has at least one fill, with one Occlusions for each; it returned none."
            )
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
        """Return the map of this face's drops."""
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


def clean_outputs(model: Model, x: Tensor) -> Float[np.ndarray, "1 d"]:
    """Return the model's outputs for a face as it is.

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
    """Return the number of input pixels per pixel of the photo."""
    return float(np.sqrt(abs(np.linalg.det(shown.matrix[:, :2]))))
