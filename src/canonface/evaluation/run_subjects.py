"""Rows of a run as subjects: model, confidence and photos are loaded again and verified against the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from canonface.confidence import (
    CleanPrediction,
    Confidence,
    RecognitionConfidence,
    Threshold,
    VerificationConfidence,
    describe_confidence,
    make_confidence,
)
from canonface.data.photos import digest
from canonface.errors import ConfigurationChangedError, ModelError, OptionError, PhotoError
from canonface.evaluation.subjects import Subject
from canonface.explanation.gallery import model_id
from canonface.maps import CIS
from canonface.models import Model, checked_outputs, load_model, prepare
from canonface.pipeline.photos import describe_model
from canonface.run import Run
from canonface.run.estimate import cluster_names, cluster_of
from canonface.run.manifest import as_stored, differences
from canonface.run.parts import LABEL_COLUMN_PREFIX

AGREES_WITHIN = 1e-3
"""Tolerance of a confidence against the one in the run: another machine or order of threads changes it slightly."""


def verified_model(run: Run, model: Any = None) -> Model:
    """Load the model of a run and verify that it is the same.

    Args:
        run: the run.
        model: a `Model`, or anything that `canonface.load_model` accepts; None: the name in the run's manifest.

    Raises:
        ModelError: no model has that name.
        ConfigurationChangedError: the model differs from the run's.
    """
    if model is None:
        try:
            loaded = load_model(run.model_name)
        except ModelError as error:
            raise unknown_name(run, error) from error
    else:
        loaded = load_model(model)
    stated = {k: v for k, v in run.manifest.configuration["model"].items() if k != "name"}
    found = {k: v for k, v in as_stored(describe_model(loaded)).items() if k != "name"}
    if changes := differences(stated, found):
        raise ConfigurationChangedError(
            f"A run is evaluated with its own model; {loaded.name!r} differs from that of {run.folder}:\n  "
            + "\n  ".join(changes)
        )
    return loaded


def unknown_name(run: Run, error: ModelError) -> ModelError:
    """Return the error for a run whose model's name cannot be loaded."""
    return ModelError(
        f"A run is evaluated with its own model, {run.model_name!r}, which cannot be loaded by that name "
        f"({error}). Give the model with --model, as it was given to the audit."
    )


def verified_confidence_fn(run: Run, model: Model, confidence: Any = None) -> Confidence:
    """Return the confidence of a run of single faces, verified against its manifest.

    Args:
        run: the run.
        model: its model.
        confidence: a `Confidence` where the run's is more than a name with a target: with a gallery, with your own
            values or bins, or a function. None: the one in the manifest.

    Raises:
        OptionError: it cannot be made from the manifest.
        ConfigurationChangedError: it differs from the run's.
    """
    stated = run.settings["confidence"]
    confidence_fn = make_confidence(_from_manifest(run, stated) if confidence is None else confidence)
    if changes := differences(dict(stated), as_stored(dict(describe_confidence(confidence_fn)))):
        raise ConfigurationChangedError(
            f"A run is evaluated by its own confidence; this one differs from that of {run.folder}:\n  "
            + "\n  ".join(changes)
        )
    if isinstance(confidence_fn, RecognitionConfidence):
        known = confidence_fn.gallery.model
        if known not in ("", model_id(model)):
            raise OptionError(
                "Features are compared with features of the same model; the gallery was made with another."
            )
    confidence_fn.check(model.outputs, model.labels)
    return confidence_fn


def _from_manifest(run: Run, stated: Mapping[str, Any]) -> Confidence:
    name = str(stated["name"])
    if name == "recognition":
        raise OptionError(
            f"{run.folder} measured the similarity of a face to known people: give the gallery that it was compared "
            "with (--gallery, as it was given to the audit)."
        )
    try:
        return make_confidence(name, stated.get("target"))
    except OptionError as error:
        raise OptionError(
            f"The confidence {name!r} of {run.folder} is made of more than its name: give it as confidence=..., as "
            "it was given to the audit."
        ) from error


def pair_confidence_fn(run: Run) -> VerificationConfidence:
    """Return eq. 8 of a run of pairs, with its threshold.

    Raises:
        OptionError: the run took the paper's sign, with which a drop is negative where the model relied on a place.
    """
    stated = run.settings["confidence"]
    if stated["paper_sign"]:
        raise OptionError(
            f"{run.folder} took eq. 8 as it is printed, which falls as the model grows more confident: no metric is "
            "defined for that sign. Make the run anew without --preset paper (--fill black --stride 1 --unseen zero)."
        )
    kept = run.manifest.fitted.get("threshold")
    threshold = Threshold(**kept) if kept else float(stated["threshold"])
    return VerificationConfidence(threshold, stated["target"])


def face_subject(run: Run, row: int, model: Model, confidence_fn: Confidence, batch: int) -> Subject:
    """Return the subject of a row of single faces, from its photo.

    Raises:
        PhotoError: the photo is missing or was changed.
        ConfigurationChangedError: the model's confidence differs from the one in the run.
    """
    content = run.faces.slice(row, 1).to_pylist()[0]
    _check_photo(run, content, "")
    cis = run.cis(row)
    shown = prepare(cis.face, model.spec)
    outputs = checked_outputs(model, model.to_device(shown.x[None]))
    bound = confidence_fn.bind(_clean_prediction(outputs, model, content, content["sha256"]))
    subject = Subject.of_face(content["face_id"], shown, bound, model, cis, batch)
    _check_confidence(subject, cis, run)
    return subject


def pair_subject(
    run: Run, row: int, model: Model, confidence_fn: VerificationConfidence, batch: int
) -> Subject:
    """Return the subject of a row of pairs, from its photos.

    Raises:
        PhotoError: a photo is missing or was changed.
        ConfigurationChangedError: the model's confidence differs from the one in the run.
    """
    content = run.faces.slice(row, 1).to_pylist()[0]
    for suffix in ("", "_b"):
        _check_photo(run, content, suffix)
    maps = run.pair(row)
    first, second = (prepare(cis.face, model.spec) for cis in maps)
    predictions = [checked_outputs(model, model.to_device(shown.x[None])) for shown in (first, second)]
    bound = confidence_fn.bind(*(_clean_prediction(outputs, model, content, "") for outputs in predictions))
    subject = Subject.of_pair(
        content["face_id"], (first, second), (predictions[0], predictions[1]), bound, model, maps, batch
    )
    _check_confidence(subject, maps[0], run)
    return subject


def subject_maker(
    run: Run, model: Model, confidence: Any, batch: int
) -> tuple[Callable[[int], Subject], str]:
    """Return a function from a row to its subject, and the unit of the run's confidence."""
    if run.of_pairs:
        if confidence is not None:
            raise OptionError("A run of pairs holds its own confidence, eq. 8: leave confidence= out.")
        pairs = pair_confidence_fn(run)
        pairs.check(model.outputs, model.labels)
        return lambda row: pair_subject(run, row, model, pairs, batch), pairs.unit
    faces = verified_confidence_fn(run, model, confidence)
    # A run by another method states the unit of its attribution; the metrics measure the confidence.
    return lambda row: face_subject(run, row, model, faces, batch), faces.unit if run.method else run.unit


def people_of(run: Run, cluster: str | None) -> tuple[list[str], bool]:
    """Return the independent cluster of each row, and whether the clusters are people named by the labels.

    Pairs that share a photo, directly or through other pairs, are one cluster.
    """
    if cluster is not None:
        known = run.labels(cluster)
        return [name or f"row {row}" for row, name in enumerate(known)], True
    column = cluster_of(run)
    if run.of_pairs:
        return _connected_pairs(run), False
    labelled = column is not None and f"label_{column}" in run.faces.column_names
    return cluster_names(run.faces, column), labelled


def _connected_pairs(run: Run) -> list[str]:
    parent: dict[str, str] = {}

    def root(photo: str) -> str:
        while parent.setdefault(photo, photo) != photo:
            photo = parent[photo]
        return photo

    pairs = list(zip(*(run.faces.column(name).to_pylist() for name in ("sha256", "sha256_b")), strict=True))
    for first, second in pairs:
        parent[root(second)] = root(first)
    return [root(first) for first, _ in pairs]


def _clean_prediction(
    outputs: np.ndarray, model: Model, content: Mapping[str, Any], photo: str
) -> CleanPrediction:
    labels = {
        name.removeprefix(LABEL_COLUMN_PREFIX): value or ""
        for name, value in content.items()
        if name.startswith(LABEL_COLUMN_PREFIX)
    }
    return CleanPrediction(outputs, model.outputs, model.labels, labels, photo)


def _check_photo(run: Run, content: Mapping[str, Any], suffix: str) -> None:
    path = Path(run.manifest.photo_root) / content["path" + suffix]
    if digest(path) not in ("", content["sha256" + suffix]):
        raise PhotoError(f"A run is evaluated on its own photos; {path} was changed since.")


def _check_confidence(subject: Subject, cis: CIS, run: Run) -> None:
    found = subject.original()
    if not abs(found - cis.confidence) <= AGREES_WITHIN * max(1.0, abs(cis.confidence)):
        raise ConfigurationChangedError(
            f"The model reproduces the confidence of every photo; for {subject.name} it gives {found:.6g}, and "
            f"{run.folder} holds {cis.confidence:.6g}: the model, its input or its randomness has changed."
        )
