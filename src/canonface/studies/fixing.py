"""What a model as it is was asked about, written down, so that a changed copy can be asked the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from canonface.alignment import Aligner
from canonface.confidence import CleanPrediction, FunctionConfidence
from canonface.data.labels import label_columns, read_labels
from canonface.data.photos import Photos, digest, find_photos, table_of
from canonface.errors import CanonfaceError, RunError
from canonface.explanation.settings import make_settings
from canonface.functional import cosines
from canonface.models import Model, checked_outputs, prepare

EXPLAINED = "explained"
"""Column of the table that holds each photo's target."""
_PREDICTED = "predicted"


def likeness(original: Any, occluded: Any) -> Any:
    """Cosine between a face's embedding as it is and with a place hidden: 1 where the place does not count."""
    return cosines(occluded, original)


def likeness_confidence() -> FunctionConfidence:
    """What an embedding model can be asked without a gallery: does the face stay itself when a place is hidden?"""
    return FunctionConfidence(likeness, unit="likeness to the whole face (cosine)", target="the same face")


def with_confidence_fn(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with a question that suits the model: an embedding without a gallery is asked its likeness."""
    given = dict(options)
    asked = any(given.get(name) is not None for name in ("confidence", "gallery"))
    if model.outputs == "embedding" and not asked:
        given["confidence"] = likeness_confidence()
        given.pop("target", None)
    return given


def fix_targets(
    photos: Photos, model: Model, aligner: Aligner, out: Path, options: Mapping[str, Any]
) -> tuple[list[Path] | Photos, dict[str, Any]]:
    """Photos and options of an audit that asks every model about the classes that this one chose.

    Where the target is ``predicted``, each photo's first face is shown to the model once, and its choice written into
    ``out/targets.csv`` beside the labels; the target is then that column. Any other target is the same for every
    model anyway.

    Args:
        photos: as `canonface.audit` takes them.
        model: the one whose choice counts.
        aligner: places faces.
        out: folder of the study.
        options: of `canonface.audit`.

    Raises:
        RunError: the table cannot be written.
    """
    given = dict(options)
    choices = {name: given[name] for name in ("target", "confidence") if given.get(name) is not None}
    if "gallery" in given:
        return photos, given
    settings = make_settings(given.get("preset", "default"), **choices)
    confidence_fn = settings.confidence_fn()
    if confidence_fn.describe().get("target") != _PREDICTED:
        return photos, given
    found = find_photos(photos)
    table = given.get("labels") or table_of(photos)
    known = read_labels(Path(table), found) if table is not None else {name: {} for name in found.names}
    columns = label_columns(known)
    rows = []
    for name in found.names:
        path = found.path(name)
        row = {"path": str(path)} | {column: known[name].get(column, "") for column in columns}
        try:
            face = aligner(path)[0]
            outputs = checked_outputs(model, model.to_device(prepare(face, model.spec).x)[None])
            original = CleanPrediction(outputs, model.outputs, model.labels, known[name], digest(path))
            row[EXPLAINED] = confidence_fn.bind(original).target.removeprefix("class ")
        except CanonfaceError:
            row[EXPLAINED] = ""  # the run itself says why
        rows.append(row)
    given |= {"labels": _written(rows, out / "targets.csv"), "target": f"label:{EXPLAINED}"}
    return [found.path(name) for name in found.names], given


def _written(rows: list[dict[str, str]], path: Path) -> Path:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(buffer.getvalue(), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"A study needs a folder that can be written to; {path} cannot be written: {error.strerror or error}. "
            "Name another folder with -o."
        ) from error
    return path
