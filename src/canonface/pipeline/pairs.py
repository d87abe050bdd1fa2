"""Many pairs of faces, one model: the run of `canonface.verify` (eq. 8)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.confidence import PairConfidence, Threshold, VerificationConfidence, fit_threshold, is_same
from canonface.data import PairList, read_pairs
from canonface.data.photos import digest, printable
from canonface.engine import ModelRunner
from canonface.errors import CanonfaceError, LabelsError, OptionError, PhotoError, TargetError
from canonface.explanation.attribution import check_method
from canonface.explanation.options import Choices, Engine
from canonface.explanation.pair import Hide, check_hide, explain_faces, pair_choices
from canonface.explanation.probes import Probes, choose_probes
from canonface.explanation.settings import Settings
from canonface.explanation.view import FaceView
from canonface.functional import cosines
from canonface.mesh import Canvas, load_mesh
from canonface.models import Model, load_model
from canonface.pipeline.loop import Case, write_run
from canonface.pipeline.photos import describe_mesh, describe_model
from canonface.progress import ProgressOption, progress_callback
from canonface.run.manifest import FILE_NAME, Manifest
from canonface.run.parts import LABEL_COLUMN_PREFIX, SECOND_FACE, part_schema
from canonface.run.rows import Row, failure, placed, success
from canonface.run.run import Run

logger = logging.getLogger("canonface")


def verify(
    pairs: str | Path,
    model: Any,
    out: str | Path,
    *,
    threshold: float | None = None,
    fmr: float = 0.01,
    hide: Hide = "both",
    settings: Settings | None = None,
    engine: str | Engine = "auto",
    aligner: Aligner | None = None,
    progress: ProgressOption = None,
    **options: Any,
) -> Run:
    """Explain many pairs: write a run that shows the parts of faces that a recognition model compares (eq. 8).

    The run is written as it grows and continued like that of `canonface.audit`. Its ``target`` is ``same`` or
    ``different``: ``run.cms(by="target")`` separates the map of similarity (genuine pairs) from the map of
    dissimilarity (impostor pairs).

    Args:
        pairs: CSV file with the columns ``path_a`` and ``path_b``, and ``same`` (1 or 0) if it is known. Without
            ``same``, the model's own decision at the threshold takes its place.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        out: directory of the run; made if it is missing.
        threshold: least cosine of a pair that the model takes for one person. None: fitted on these pairs.
        fmr: false match rate that a threshold is fitted for.
        hide: occlude the same canonical place in ``both`` photos (the paper), in the ``first`` or the ``second``
            only; with another ``method``, the face whose attribution is taken (`explain_pair`).
        settings: the choices that define a map, without target and confidence; its fields are keywords too.
        engine: the engine that runs the model, by name or with its batch size (keyword ``batch``). The
            engines agree, and one run may use several.
        aligner: places faces on a mesh; by default the landmarker, which takes the largest face of a photo.
        progress: True for a bar on stderr, or a function that is called after each pair.
        **options: fields of `Settings`, and: ``preset`` (``paper`` follows eq. 8 to the letter, whose sign is the
            opposite), ``batch``, ``subdivision`` of the canonical mesh (1; ignored with an ``aligner``), and
            ``retry_failed``, to explain again the pairs that failed in an earlier start.

    Returns:
        The run.

    Raises:
        OptionError, LabelsError, ModelError: the arguments do not fit; raised before the first pair.
        ConfigurationChangedError: ``out`` holds a run with another configuration.
        RunError: ``out`` cannot be written to.
    """
    check_hide(hide)
    choices = pair_choices(options, settings, engine, {"subdivision": 1, "retry_failed": False})
    loaded = load_model(model)
    check_method(choices.settings, loaded)
    found = read_pairs(pairs)
    same = _source_of_same(found)
    VerificationConfidence(0.0, same, choices.paper).check(loaded.outputs, loaded.labels)
    choices.settings.occluder_fn().check(loaded.spec)
    aligner = aligner or LandmarkerAligner(load_mesh(choices.own["subdivision"]))
    probes = choose_probes(aligner.mesh, choices.settings, loaded.spec)
    kept: dict[str, Any] = {}
    stated: dict[str, Any] = {}
    if threshold is None:
        fitted = _fitted_once(Path(out), found, loaded, aligner, fmr)
        confidence_fn = VerificationConfidence(fitted, same, choices.paper)
        # The configuration holds the rate; the threshold is fitted once and kept next to the configuration.
        stated = {"threshold": f"fitted at a false match rate of {fmr:g}", "fitted": None}
        kept = {"threshold": dict(fitted.describe())}
    else:
        confidence_fn = VerificationConfidence(threshold, same, choices.paper)
    described = dict(confidence_fn.describe()) | stated
    unit = confidence_fn.unit if choices.settings.method is None else choices.settings.unit
    configuration = _describe(choices, loaded, found, aligner, probes, hide, described, unit)
    runner = ModelRunner(loaded, choices.engine.name, choices.engine.batch)
    task = _PairTask(found, loaded, choices.settings, confidence_fn, hide, aligner, probes.vertices, runner)
    cases = [
        Case(
            number,
            dict(zip(("sha256", "sha256_b"), found.paths(number), strict=True)),
            partial(task.rows, number),
        )
        for number in range(len(found))
    ]
    schema = part_schema(found.columns, pairs=True)
    manifest = Manifest.new(configuration, found.root, kept)
    with progress_callback(progress, loaded.name, "pair") as report:
        return write_run(
            Path(out), manifest, aligner.mesh, cases, schema, choices.own["retry_failed"], report
        )


def _describe(
    choices: Choices,
    model: Model,
    found: PairList,
    aligner: Aligner,
    probes: Probes,
    hide: Hide,
    confidence: dict[str, Any],
    unit: str,
) -> dict[str, Any]:
    """Return everything that decides the result of a run, for its manifest."""
    return {
        "kind": "pairs",
        "hide": hide,
        "model": describe_model(model),
        "settings": dict(choices.settings.describe()) | {"confidence": confidence},
        "unit": unit,
        "mesh": describe_mesh(aligner.mesh),
        "probes": dict(probes.rule),
        "canvas": asdict(Canvas.of(aligner.mesh)),
        "aligner": dict(aligner.describe()),
        "photos": {"count": len(found), "sha256": found.digest},
        "labels": {"columns": list(found.columns)},
    }


def _source_of_same(found: PairList) -> str:
    """Return ``label:same``, or ``predicted`` with a warning if the pairs lack that column.

    Raises:
        LabelsError: the column holds something else than yes or no; an empty field becomes a failed row.
    """
    if "same" not in found.columns:
        logger.warning(
            "the pairs have no column 'same': whether a pair is 'same' or 'different' is the model's own decision at "
            "the threshold"
        )
        return "predicted"
    for number, labels in enumerate(found.labels, start=1):
        value = labels.get("same", "")
        if value and is_same(value) is None:
            raise LabelsError(
                f"A column 'same' holds 1 or 0 (or yes, no, same, different); pair {number} has {value!r}: "
                "correct it."
            )
    return "label:same"


@dataclass(frozen=True)
class _PairTask:
    """Everything that turns a pair into a row."""

    found: PairList
    model: Model
    settings: Settings
    confidence_fn: PairConfidence
    hide: Hide
    aligner: Aligner
    probes: Int[np.ndarray, "n"]
    runner: ModelRunner

    def rows(self, number: int) -> Iterator[Row]:
        """Yield the row of one pair; a failed row if one of its photos cannot be used."""
        names = [printable(name) for name in self.found.pairs[number]]
        paths, labels = self.found.paths(number), self.found.labels[number]
        row: Row = {"photo": number, "face": 0, "face_id": " ~ ".join(names)}
        row |= {
            "path": names[0],
            "sha256": digest(paths[0]),
            "path_b": names[1],
            "sha256_b": digest(paths[1]),
        }
        row |= {LABEL_COLUMN_PREFIX + column: value for column, value in labels.items()}
        start = time.perf_counter()
        try:
            if row["sha256"] and row["sha256"] == row["sha256_b"]:
                raise PhotoError("A pair is two photos; both of this one are the same file, byte by byte.")
            first, second = (self.aligner(path)[0] for path in paths)
            row |= placed(first) | {f"{name}_b": value for name, value in placed(second).items()}
            cis, other, similarity = explain_faces(
                first,
                second,
                self.model,
                self.settings,
                self.confidence_fn,
                self.hide,
                self.probes,
                labels,
                self.runner,
            )
        except OptionError:
            raise
        except CanonfaceError as error:
            yield row | failure(error)
            return
        columns = success(cis, self.model, time.perf_counter() - start)
        theirs = {f"{n}_b": v for n, v in success(other, self.model, 0.0).items() if n in SECOND_FACE}
        calls = cis.model_calls + other.model_calls
        yield row | columns | theirs | {"similarity": similarity, "model_calls": calls}


def similarities(found: PairList, model: Model, aligner: Aligner) -> Float[np.ndarray, "n"]:
    """Return the cosine of the model's outputs for both faces of each pair; NaN where a photo cannot be used."""

    @cache
    def features(path: Path) -> np.ndarray | None:
        try:
            return FaceView(aligner(path)[0], model, Settings()).original
        except CanonfaceError:
            return None

    values = np.full(len(found), np.nan)
    for number in range(len(found)):
        first, second = (features(path) for path in found.paths(number))
        if first is not None and second is not None:
            values[number] = cosines(first, second)[0]
    return values


def _fitted_once(out: Path, found: PairList, model: Model, aligner: Aligner, fmr: float) -> Threshold:
    """Return the threshold that an earlier start of the run in this folder has fitted; else fit one."""
    if (out / FILE_NAME).exists() and (kept := Manifest.read(out).fitted.get("threshold")):
        return Threshold(**kept)
    return _fitted(found, model, aligner, fmr)


def _fitted(found: PairList, model: Model, aligner: Aligner, fmr: float) -> Threshold:
    """Return the threshold at a false match rate, fitted on the labelled pairs themselves."""
    if "same" not in found.columns:
        raise OptionError(
            "A threshold is fitted on pairs that say in a column 'same' whether they show one person (1 or 0); "
            "these do not: give threshold=... (--threshold), or the column."
        )
    cosine = similarities(found, model, aligner)
    known = np.isfinite(cosine)
    truth = np.array([is_same(labels["same"]) for labels in found.labels])
    if any(value is None for value in truth[known]):
        raise TargetError(
            "Every pair says in the column 'same' whether it shows one person, 1 or 0; some do not."
        )
    return fit_threshold(cosine[known], truth[known].astype(bool), fmr)
