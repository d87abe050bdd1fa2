"""Confidences and targets that the original model and its changed copies share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from canonface.alignment import Aligner
from canonface.confidence import CleanPrediction, FunctionConfidence
from canonface.data import LabelledPhotos, Photos
from canonface.data.photos import digest
from canonface.errors import CanonfaceError
from canonface.explanation.settings import make_settings
from canonface.functional import cosines
from canonface.models import Model, checked_outputs, prepare
from canonface.studies.tables import write_csv

EXPLAINED = "explained"
"""Column of the table that holds each photo's target."""
_PREDICTED = "predicted"


def likeness(original: Any, occluded: Any) -> Any:
    """Return the cosine between a face's embedding and its embedding with a place hidden.

    1 where the place does not count.
    """
    return cosines(occluded, original)


class SelfSimilarity(FunctionConfidence):
    """Confidence of an embedding model without a gallery: how similar the occluded face is to the whole face."""

    def __init__(self) -> None:
        super().__init__(likeness, unit="likeness to the whole face (cosine)", target="the same face")

    def describe(self) -> Mapping[str, Any]:
        """Return the choices as version 0.1.0 wrote them, so that its runs can be continued."""
        return {
            "name": "function",
            "function": "canonface.studies.fixing:likeness",
            "fingerprint": "ebc426065d2c5d625e1c60013fbf1210472c2590b7568a46d0ac81a4426be8fd",
            "unit": self.unit,
            "target": self.target,
        }


def with_confidence(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with a confidence that fits the model: `SelfSimilarity` for embeddings without a gallery."""
    completed = dict(options)
    chosen = any(completed.get(name) is not None for name in ("confidence", "gallery"))
    if model.outputs == "embedding" and not chosen:
        completed["confidence"] = SelfSimilarity()
        completed.pop("target", None)
    return completed


def fix_targets(
    photos: Photos, model: Model, aligner: Aligner, out: Path, options: Mapping[str, Any]
) -> tuple[list[Path] | Photos, dict[str, Any]]:
    """Freeze the original model's targets: return photos and options that make every model explain them.

    If the target is ``predicted``, the model predicts each photo's first face once, and its class is written into
    ``out/targets.csv`` next to the labels; the target is then that column. Any other target is the same for every
    model anyway.

    Args:
        photos: as `canonface.audit` takes them.
        model: the original model.
        aligner: finds the faces.
        out: folder of the study.
        options: options of `canonface.audit`.

    Raises:
        RunError: the table cannot be written.
    """
    fixed = dict(options)
    choices = {name: fixed[name] for name in ("target", "confidence") if fixed.get(name) is not None}
    if "gallery" in fixed:
        return photos, fixed
    settings = make_settings(fixed.get("preset", "default"), **choices)
    confidence_fn = settings.confidence_fn()
    if confidence_fn.describe().get("target") != _PREDICTED:
        return photos, fixed
    found = LabelledPhotos.open(photos, fixed.get("labels"))
    known, columns = found.labels, found.columns
    rows = []
    for name in found.names:
        path = found.path(name)
        row = {"path": str(path)} | {column: known[name].get(column, "") for column in columns}
        try:
            face = aligner(path)[0]
            outputs = checked_outputs(model, model.to_device(prepare(face, model.spec).x)[None])
            clean = CleanPrediction(outputs, model.outputs, model.labels, known[name], digest(path))
            row[EXPLAINED] = confidence_fn.bind(clean).target.removeprefix("class ")
        except CanonfaceError:
            row[EXPLAINED] = ""  # the run itself records the reason
        rows.append(row)
    fixed |= {"labels": write_csv(rows, out / "targets.csv", "A study"), "target": f"label:{EXPLAINED}"}
    return [found.path(name) for name in found.names], fixed
