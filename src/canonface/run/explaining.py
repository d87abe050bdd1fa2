"""One face, one model: from the aligned face to its canonical image saliency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.engine import BatchSize, scores
from canonface.errors import OptionError, OutOfMemoryError, is_out_of_memory, single_image_too_large
from canonface.functional import Tensor
from canonface.maps import CIS
from canonface.mesh import mesh_named, probe_vertices
from canonface.models import Model, checked_outputs, load_model, prepare
from canonface.run.settings import Settings, make_settings
from canonface.types import Face, Mesh, ModelInput


def explain(
    face: Face,
    model: Any,
    target: str | int | None = None,
    *,
    preset: str = "default",
    face_labels: Mapping[str, str] | None = None,
    batch: int = 64,
    **options: Any,
) -> CIS:
    """Which parts of one face a model relies on (eq. 1-5).

    Every visible probe of the mesh is hidden in turn and the model is asked again.

    Args:
        face: an aligned face, from `canonface.align`.
        model: a `Model`, or whatever `canonface.load_model` takes: a zoo name, a path, a torch module, a callable.
        target: class by name or index, ``label:COLUMN``, or ``predicted`` (the default): the model's choice.
        preset: ``default`` or ``paper``.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        batch: how many occluded copies the model is shown at once.
        **options: the other fields of `Settings`: ``confidence``, ``patch``, ``fill``, ``stride``, ``normalise``.

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
    mesh = mesh_named(face.mesh)
    return explain_face(face, mesh, load_model(model), settings, face_labels or {}, BatchSize(batch))


def explain_face(
    face: Face,
    mesh: Mesh,
    model: Model,
    settings: Settings,
    face_labels: Mapping[str, str],
    batch: BatchSize,
) -> CIS:
    """`explain` with everything loaded and decided; ``batch`` keeps what it learned of the memory."""
    shown = prepare(face, model.spec)
    occluder = settings.occluder(model.spec.size_hw[0])
    x = model.to_device(shown.x)
    original = _asked_once(model, x)
    question = settings.question().bind(original, model.outputs, model.labels, face_labels)

    calls = 1

    def scorer(occluded: Tensor) -> Float[np.ndarray, "n"]:
        nonlocal calls
        calls += len(occluded)
        return question.of(checked_outputs(model, occluded))

    probes = probe_vertices(mesh, settings.stride)
    asked = _asked(shown, probes)
    boxes = occluder.boxes(shown.vertices_xy[probes[asked]], model.spec.size_hw)
    confidence = float(question.of(original)[0])
    drops = np.full(len(probes), np.nan)
    filler = model.to_device(occluder.filler(shown.x, model.spec))
    drops[asked] = confidence - scores(scorer, x, boxes, filler, batch)
    return CIS(
        face=face,
        mesh=mesh,
        probes=probes,
        drops=drops,
        confidence=confidence,
        target=question.target,
        unit=question.unit,
        patch=occluder.patch,
        patch_in_photo=occluder.patch / _scale(shown),
        input_height=model.spec.size_hw[0],
        model=model.name,
        outputs=original[0].astype(np.float64),
        model_calls=calls,
        normalise=settings.normalise,
    )


def _asked_once(model: Model, x: Tensor) -> Float[np.ndarray, "1 d"]:
    """The model's outputs for the face as it is."""
    try:
        return checked_outputs(model, x[None])
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(single_image_too_large()) from error
        raise


def _asked(shown: ModelInput, probes: Int[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    """Positions, among the probes, of those that the face and the model's input show."""
    return np.flatnonzero(shown.visible[probes])


def _scale(shown: ModelInput) -> float:
    """Pixels of the model's input per pixel of the photo."""
    return float(np.sqrt(abs(np.linalg.det(shown.matrix[:, :2]))))
