"""Features of known people, which a recognition model compares a face with (eq. 7): computed once."""

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
from canonface.data.labels import read_labels, require_column
from canonface.data.photos import Photos, digest, find_photos, table_of
from canonface.errors import CanonfaceError, LabelsError, OptionError
from canonface.fingerprint import accepts
from canonface.mesh import load_mesh
from canonface.models import Model, checked_outputs, load_model, prepare
from canonface.models.fingerprint import with_choices

logger = logging.getLogger("canonface")


def make_gallery(
    photos: Photos,
    model: Any,
    *,
    identity: str = "identity",
    labels: str | Path | None = None,
    aligner: Aligner | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gallery:
    """A gallery: the model's feature vector of each photo, with the name of the person.

    A photo that cannot be used is left out with a warning.

    Args:
        photos: a folder, files, or a CSV file with a ``path`` column.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        identity: column of the labels that names the person. Photos in a folder for each person need no labels:
            with no labels at all, the name of a photo's folder is the person's.
        labels: CSV file with the column. None: ``photos``, if it is a CSV file.
        aligner: places faces on a mesh; by default the landmarker.
        progress: called with the number of photos done and in all.

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
    found = find_photos(photos)
    people = _people(found, labels if labels is not None else table_of(photos), identity)
    aligner = aligner or LandmarkerAligner(load_mesh(0))
    names, features, digests, problems = [], [], [], []
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
        if progress:
            progress(number + 1, len(found))
    if problems:
        logger.warning(
            "%d of %d gallery photos are left out, e.g. %s", len(problems), len(found), problems[0]
        )
    if not features:
        raise OptionError(
            f"A gallery needs at least one photo that can be used; of {len(found)} none could: {problems[0]}"
        )
    return Gallery(tuple(names), np.stack(features), tuple(digests), model_id(loaded))


def model_id(model: Model) -> str:
    """Which model answers to which input, as text: its fingerprint and the digest of its input's description."""
    spec = sha256(json.dumps(asdict(model.spec), sort_keys=True).encode()).hexdigest()
    return with_choices(model.fingerprint(), spec)


def check_model(confidence_fn: Confidence, model: Model) -> None:
    """Refuse a gallery that another model made, once, before any face is asked about.

    Raises:
        OptionError: the gallery knows its model, and it is not this one.
    """
    known = confidence_fn.gallery.model if isinstance(confidence_fn, RecognitionConfidence) else ""
    if known and not accepts(model_id(model), known):
        raise OptionError(
            f"Features are compared with features of the same model and input; the gallery was made with another "
            f"than {model.name!r}: make it anew with this model (canonface.make_gallery)."
        )


def _people(found: Any, table: str | Path | None, identity: str) -> dict[str, str]:
    if table is None:
        return {name: found.path(name).parent.name for name in found.names}
    known = read_labels(Path(table), found)
    require_column(identity, known)
    if nameless := [name for name in found.names if not known[name].get(identity)]:
        raise LabelsError(
            f"Every photo of a gallery shows a known person; {nameless[0]!r} has no value in the column "
            f"{identity!r}: name the person or leave the photo out."
        )
    return {name: known[name][identity] for name in found.names}
