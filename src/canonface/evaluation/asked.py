"""What a run asked, to be asked again: its model, its question, its faces."""

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
from canonface.fingerprint import accepts
from canonface.maps import CIS
from canonface.models import Model, checked_outputs, load_model, prepare
from canonface.pipeline.photos import describe_model
from canonface.run import Run
from canonface.run.manifest import as_stored, differences
from canonface.run.parts import LABEL_COLUMN_PREFIX

AGREES_WITHIN = 1e-3
"""How far a confidence may be from the one that the run wrote down: another machine, or threads in another order."""


def same_model(run: Run, model: Any = None) -> Model:
    """The model of a run.

    Args:
        run: the run.
        model: a `Model`, or whatever `canonface.load_model` takes; None: the name that the run wrote down.

    Raises:
        ModelError: no model has that name.
        ConfigurationChangedError: the model answers otherwise than the run's.
    """
    if model is None:
        try:
            loaded = load_model(run.model_name)
        except ModelError as error:
            raise unknown_name(run, error) from error
    else:
        loaded = load_model(model)
    stated = {k: v for k, v in run.manifest.configuration["model"].items() if k != "name"}
    mine = {k: v for k, v in as_stored(describe_model(loaded)).items() if k != "name"}
    if changes := differences(stated, mine):
        raise ConfigurationChangedError(
            f"A run is evaluated with the model that it asked; {loaded.name!r} is another than that of "
            f"{run.folder}:\n  " + "\n  ".join(changes)
        )
    return loaded


def unknown_name(run: Run, error: ModelError) -> ModelError:
    """That the name of a run's model finds none, and what to do."""
    return ModelError(
        f"A run is evaluated with the model that it asked, {run.model_name!r}, which cannot be loaded by that name "
        f"({error}). Say which it is: --model, as it was given to the audit."
    )


def same_confidence_fn(run: Run, model: Model, confidence: Any = None) -> Confidence:
    """The confidence of a run about single faces.

    Args:
        run: the run.
        model: its model.
        confidence: a `Confidence` where the run's is no plain name with a target: with a gallery, values or bins of
            one's own, or a function. None: what the run wrote down.

    Raises:
        OptionError: it cannot be made from what the run wrote down.
        ConfigurationChangedError: it is another than the run's.
    """
    stated = run.settings["confidence"]
    if confidence is None:
        confidence = _from_name(run, stated)
    confidence_fn = make_confidence(confidence)
    if changes := differences(dict(stated), as_stored(dict(describe_confidence(confidence_fn)))):
        raise ConfigurationChangedError(
            f"A run is evaluated by the confidence that it asked for; this one is another than that of "
            f"{run.folder}:\n  " + "\n  ".join(changes)
        )
    known = confidence_fn.gallery.model if isinstance(confidence_fn, RecognitionConfidence) else ""
    if known and not accepts(model_id(model), known):
        raise OptionError(
            "Features are compared with features of the same model; the gallery was made with another."
        )
    confidence_fn.check(model.outputs, model.labels)
    return confidence_fn


def _from_name(run: Run, stated: Mapping[str, Any]) -> Confidence:
    name = str(stated["name"])
    if name == "recognition":
        raise OptionError(
            f"{run.folder} asked how close a face is to known people: give the gallery that it was compared with "
            "(--gallery, as it was given to the audit)."
        )
    try:
        return make_confidence(name, stated.get("target"))
    except OptionError as error:
        raise OptionError(
            f"The confidence {name!r} of {run.folder} is made of more than its name: give it as confidence=..., as "
            "it was given to the audit."
        ) from error


def pair_confidence_fn(run: Run) -> VerificationConfidence:
    """Eq. 8 of a run of pairs, with its threshold.

    Raises:
        OptionError: the run took the paper's sign, with which a drop is negative where the model relied on a place.
    """
    stated = run.settings["confidence"]
    if stated["paper_sign"]:
        raise OptionError(
            f"{run.folder} took eq. 8 as it is printed, which falls as the model grows surer: no metric here can be "
            "read with that sign. Make the run anew without --preset paper (--fill black --stride 1 --unseen zero)."
        )
    kept = run.manifest.fitted.get("threshold")
    threshold = Threshold(**kept) if kept else float(stated["threshold"])
    return VerificationConfidence(threshold, stated["target"])


def face_subject(run: Run, row: int, model: Model, confidence_fn: Confidence, batch: int) -> Subject:
    """A row of a run about single faces, its photo read again.

    Raises:
        PhotoError: the photo is gone or another.
        ConfigurationChangedError: the model is less or more sure of it than the run wrote down.
    """
    content = run.faces.slice(row, 1).to_pylist()[0]
    _check_photo(run, content, "")
    cis = run.cis(row)
    shown = prepare(cis.face, model.spec)
    outputs = checked_outputs(model, model.to_device(shown.x[None]))
    about = _original(outputs, model, content, content["sha256"])
    subject = Subject.of_face(content["face_id"], shown, confidence_fn.bind(about), model, cis, batch)
    _check_confidence(subject, cis, run)
    return subject


def pair_subject(
    run: Run, row: int, model: Model, confidence_fn: VerificationConfidence, batch: int
) -> Subject:
    """A row of a run of pairs, its photos read again.

    Raises:
        PhotoError: a photo is gone or another.
        ConfigurationChangedError: the model is less or more sure of it than the run wrote down.
    """
    content = run.faces.slice(row, 1).to_pylist()[0]
    for suffix in ("", "_b"):
        _check_photo(run, content, suffix)
    maps = run.pair(row)
    first, second = (prepare(cis.face, model.spec) for cis in maps)
    predictions = [checked_outputs(model, model.to_device(shown.x[None])) for shown in (first, second)]
    bound = confidence_fn.bind(*(_original(outputs, model, content, "") for outputs in predictions))
    subject = Subject.of_pair(
        content["face_id"], (first, second), (predictions[0], predictions[1]), bound, model, maps, batch
    )
    _check_confidence(subject, maps[0], run)
    return subject


def subject_maker(
    run: Run, model: Model, confidence: Any, batch: int
) -> tuple[Callable[[int], Subject], str]:
    """What makes the subject of each row of a run, and the unit of its confidence."""
    if run.of_pairs:
        if confidence is not None:
            raise OptionError("A run of pairs holds its own confidence, eq. 8: leave confidence= out.")
        pairs = pair_confidence_fn(run)
        pairs.check(model.outputs, model.labels)
        return lambda row: pair_subject(run, row, model, pairs, batch), pairs.unit
    faces = same_confidence_fn(run, model, confidence)
    # The unit of a run by a method of others is that of its heat, which is not what is measured here.
    return lambda row: face_subject(run, row, model, faces, batch), faces.unit if run.method else run.unit


def _original(outputs: np.ndarray, model: Model, content: Mapping[str, Any], photo: str) -> CleanPrediction:
    labels = {
        name.removeprefix(LABEL_COLUMN_PREFIX): value or ""
        for name, value in content.items()
        if name.startswith(LABEL_COLUMN_PREFIX)
    }
    return CleanPrediction(outputs, model.outputs, model.labels, labels, photo)


def _check_photo(run: Run, content: Mapping[str, Any], suffix: str) -> None:
    path = Path(run.manifest.photo_root) / content["path" + suffix]
    if digest(path) not in ("", content["sha256" + suffix]):
        raise PhotoError(f"A run is evaluated on the photos that it asked about; {path} was changed since.")


def _check_confidence(subject: Subject, cis: CIS, run: Run) -> None:
    found = subject.original()
    if not abs(found - cis.confidence) <= AGREES_WITHIN * max(1.0, abs(cis.confidence)):
        raise ConfigurationChangedError(
            f"The model is asked again about what the run asked; its confidence in {subject.name} is {found:.6g}, "
            f"and {run.folder} wrote down {cis.confidence:.6g}: the model, its input or its randomness has changed."
        )
