"""Gallery of known people: the features that a recognition model compares a face with (eq. 7)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.confidence import Confidence, Gallery, RecognitionConfidence
from canonface.data import LabelledPhotos, Photos
from canonface.data.photos import digest
from canonface.errors import CanonfaceError, LabelsError, OptionError
from canonface.fingerprint import accepts
from canonface.mesh import load_mesh
from canonface.models import Model, checked_outputs, load_model, prepare
from canonface.models.fingerprint import with_choices
from canonface.progress import Progress, ProgressOption, progress_callback

logger = logging.getLogger("canonface")


def make_gallery(
    photos: Photos,
    model: Any,
    *,
    identity: str = "identity",
    labels: str | Path | None = None,
    aligner: Aligner | None = None,
    progress: bool | Callable[[int, int], None] | None = None,
) -> Gallery:
    """Return a gallery: the model's feature vector of each photo, with the name of the person.

    A photo that cannot be used is left out with a warning.

    Args:
        photos: a folder, files, or a CSV file with a ``path`` column.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        identity: column of the labels that names the person. Without labels, the name of a photo's folder is the
            person's name.
        labels: CSV file with the column. None: ``photos``, if it is a CSV file.
        aligner: places faces on a mesh; by default the landmarker.
        progress: True for a bar on stderr, or a function of the number of photos done and in all.

    Raises:
        LabelsError: the column is missing.
        OptionError: the model's outputs are no feature vectors, or no photo could be used.
    """
    loaded = load_model(model)
    if loaded.outputs != "embedding":
        raise OptionError(
            f"A gallery holds feature vectors; {loaded.name!r} returns {loaded.outputs}: load a recognition model, "
            "or say outputs='embedding'."
        )
    found = LabelledPhotos.open(photos, labels, folder_column=identity)
    people = _people(found, identity)
    aligner = aligner or LandmarkerAligner(load_mesh(0))
    names, features, digests, problems = [], [], [], []
    with progress_callback(_of_counts(progress), "gallery") as report:
        for number, name in enumerate(found.names):
            try:
                face = aligner(found.path(name))[0]
                x = loaded.to_device(prepare(face, loaded.spec).x)
                features.append(checked_outputs(loaded, x[None])[0])
            except CanonfaceError as error:
                problems.append(f"{name}: {error}")
            else:
                names.append(people[name])
                digests.append(digest(found.path(name)))
            report(Progress(number + 1, len(found), len(problems), 0))
    if problems:
        logger.warning(
            "%d of %d gallery photos are left out, e.g. %s", len(problems), len(found), problems[0]
        )
    if not features:
        raise OptionError(
            f"A gallery needs at least one photo that can be used; of {len(found)} none could: {problems[0]}"
        )
    return Gallery(tuple(names), np.stack(features), tuple(digests), model_id(loaded))


def _of_counts(progress: bool | Callable[[int, int], None] | None) -> ProgressOption:
    if progress is None or isinstance(progress, bool):
        return progress
    return lambda state: progress(state.done, state.total)


def model_id(model: Model) -> str:
    """Return the identity of a model and its input: the model's fingerprint and the digest of its input spec."""
    spec = sha256(json.dumps(asdict(model.spec), sort_keys=True).encode()).hexdigest()
    return with_choices(model.fingerprint(), spec)


def check_model(confidence_fn: Confidence, model: Model) -> None:
    """Raise OptionError if a confidence has a gallery that another model made."""
    known = confidence_fn.gallery.model if isinstance(confidence_fn, RecognitionConfidence) else ""
    if known and not accepts(model_id(model), known):
        raise OptionError(
            f"Features are compared with features of the same model and input; the gallery was made with another "
            f"model than {model.name!r}: make it anew with this model (canonface.make_gallery)."
        )


def _people(found: LabelledPhotos, identity: str) -> dict[str, str]:
    """Return the name of the person on each photo.

    Raises:
        LabelsError: the column is missing, or a photo has no name.
    """
    found.require(identity)
    if nameless := [name for name in found.names if not found.labels[name].get(identity)]:
        raise LabelsError(
            f"Every photo of a gallery shows a known person; {nameless[0]!r} has no value in the column "
            f"{identity!r}: name the person or leave the photo out."
        )
    return {name: found.labels[name][identity] for name in found.names}
