"""One face, one model: from the aligned face to its canonical image saliency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence import Original
from canonface.engine import Asker
from canonface.errors import (
    NothingAskedError,
    OptionError,
    OutOfMemoryError,
    is_out_of_memory,
    single_image_too_large,
)
from canonface.functional import Tensor
from canonface.maps import CIS, canonical_side
from canonface.mesh import Canvas
from canonface.models import Model, checked_outputs, load_model, prepare
from canonface.occlusions import Occlusions
from canonface.run.galleries import check_model
from canonface.run.photos import digest
from canonface.run.probes import choose_probes
from canonface.run.settings import Settings, make_settings
from canonface.types import Face, ModelInput


def explain(
    face: Face,
    model: Any,
    target: str | int | None = None,
    *,
    preset: str = "default",
    face_labels: Mapping[str, str] | None = None,
    batch: int = 64,
    engine: str = "auto",
    **options: Any,
) -> CIS:
    """Which parts of one face a model relies on (eq. 1-5).

    Every visible probe of the mesh is hidden in turn and the model is asked again.

    Args:
        face: an aligned face, from `canonface.align`.
        model: a `Model`, or whatever `canonface.load_model` takes: a zoo name, a path, a torch module, a callable.
        target: what is asked about: a class by name or index, ``label:COLUMN``, or ``predicted`` (the default of
            class confidences): the model's choice.
        preset: ``default`` or ``paper``.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike.
        **options: the other fields of `Settings`: ``confidence``, ``occluder``, ``patch``, ``fill``, ``stride``,
            ``spacing``, ``normalise``, ``canonical_patch``.

    Returns:
        The map, with the drop at each probe; NaN at those that the face or the photo's border hides.

    Raises:
        OptionError: an option cannot be used.
        TargetError: the model has no such class.
        ModelError: the model failed, or answered with the wrong shape or NaN.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"explain takes one aligned face, as canonface.align(photo) gives them in a list; got a "
            f"{type(face).__name__}: canonface.explain(canonface.align(photo)[0], ...)."
        )
    settings = make_settings(preset, target=target, **options)
    loaded = load_model(model)
    check_model(settings.question(), loaded)
    probes = choose_probes(face.mesh, settings, loaded.spec).vertices
    photo = digest(Path(face.path)) if face.path else ""
    return explain_face(
        face, loaded, settings, probes, face_labels or {}, Asker(loaded, engine, batch), photo
    )


def explain_face(
    face: Face,
    model: Model,
    settings: Settings,
    probes: Int[np.ndarray, "n"],
    face_labels: Mapping[str, str],
    asker: Asker,
    photo: str = "",
) -> CIS:
    """`explain` with everything loaded and decided.

    Args:
        face: the face.
        model: the model.
        settings: the choices.
        probes: vertices to ask about.
        face_labels: the face's row of the labels file.
        asker: asks the model, and keeps what it learned of the fastest way.
        photo: SHA-256 of the face's photo, if it is known.
    """
    view = View(face, model, settings)
    original = Original(view.original, model.outputs, model.labels, face_labels, photo)
    question = settings.question().bind(original)
    asked = np.flatnonzero(view.shown.visible[probes])
    if not len(asked):
        raise NothingAskedError(
            f"A face is asked about the probes that it shows; of {len(probes)} none lies in the model's input and "
            "faces the camera. Take another crop, or leave the photo out."
        )
    confidence = float(question.of(view.original)[0])
    drops = np.full(len(probes), np.nan)
    of_fills = [question.of(occluded) for occluded in view.answers(probes[asked], asker)]
    drops[asked] = confidence - np.mean(of_fills, axis=0)
    return view.cis(probes, drops, confidence, question.target, question.unit)


class View:
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
        self.occluder = settings.hiding()
        self.occluder.check(model.spec)
        self.shown = prepare(face, model.spec)
        self._x = model.to_device(self.shown.x)
        self.original = asked_once(model, self._x)
        self.calls = 1

    def answers(self, vertices: Int[np.ndarray, "n"], asker: Asker) -> list[Float[np.ndarray, "n d"]]:
        """The model's outputs with a patch over each vertex, one array a fill."""
        return self.answers_to(self.occlusions(vertices), asker)

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

    def answers_to(self, fills: Sequence[Occlusions], asker: Asker) -> list[Float[np.ndarray, "n d"]]:
        """The model's outputs for any occlusions of this face, one array a fill."""
        if not fills:
            raise OptionError("An occluder hides a place in at least one way, one Occlusions each; got none.")
        self.calls += sum(len(occlusions.distinct()[0]) for occlusions in fills)
        return [asker.answers(self._x, occlusions) for occlusions in fills]

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
            drops=drops,
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


def asked_once(model: Model, x: Tensor) -> Float[np.ndarray, "1 d"]:
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
