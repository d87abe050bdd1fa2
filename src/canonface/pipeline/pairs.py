"""Many pairs of faces, one model: the run of `canonface.verify`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.confidence import (
    PairConfidence,
    Threshold,
    VerificationConfidence,
    fit_threshold,
    is_same,
)
from canonface.data.pairs import PairList, read_pairs
from canonface.data.photos import digest, printable
from canonface.engine import ModelRunner
from canonface.errors import (
    CanonfaceError,
    LabelsError,
    OptionError,
    PhotoError,
    TargetError,
)
from canonface.explanation.face import check_method
from canonface.explanation.pair import Hide, check_hide, explain_faces, pair_settings
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import Settings
from canonface.explanation.view import FaceView
from canonface.functional import cosines
from canonface.mesh import Canvas, load_mesh
from canonface.models import Model, load_model
from canonface.pipeline.loop import Case, Progress, write_run
from canonface.pipeline.photos import describe_mesh, describe_model
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
    preset: str = "default",
    level: int = 1,
    aligner: Aligner | None = None,
    batch: int = 64,
    engine: str = "auto",
    retry_failed: bool = False,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Run:
    """Which parts of faces a recognition model relies on when it compares them, over many pairs (eq. 8).

    The run is written as it grows and continued where it stopped, as that of `canonface.audit`. Its ``target`` is
    ``same`` or ``different``: ``run.cms(by="target")`` keeps the map of similarity (genuine pairs) and the map of
    dissimilarity (impostor pairs) apart.

    Args:
        pairs: CSV file with the columns ``path_a`` and ``path_b``, and ``same`` (1 or 0) if it is known. Without
            it, the model's own decision at the threshold takes its place.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        out: directory of the run; made if it is missing.
        threshold: least cosine of a pair that the model takes for one person. None: fitted on these pairs.
        fmr: false match rate that a threshold is fitted for.
        hide: the same canonical place in ``both`` photos (the paper), in the ``first`` or the ``second`` only; with a
            ``method`` of others, whose heat is taken (`explain_pair`).
        preset: ``default``, or ``paper``: eq. 8 to the letter, whose sign is the opposite.
        level: of the canonical mesh; ignored if ``aligner`` is given.
        aligner: places faces on a mesh; by default the landmarker, which takes the largest face of a photo.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike. That of
            another one is written down, and a run keeps to it.
        retry_failed: ask again about pairs that failed in an earlier start.
        progress: called after each pair.
        **options: ``occluder``, ``patch``, ``fill``, ``stride``, ``spacing``, ``normalise``, ``unseen``,
            ``canonical_patch``, ``method`` and ``method_options``.

    Returns:
        The run.

    Raises:
        OptionError, LabelsError, ModelError: before anything is asked, if the arguments do not fit.
        ConfigurationChangedError: ``out`` holds a run with another configuration.
        RunError: ``out`` cannot be written to.
    """
    check_hide(hide)
    settings = pair_settings(preset, options, engine)
    loaded = load_model(model)
    check_method(settings, loaded)
    found = read_pairs(pairs)
    same = "label:same" if "same" in found.columns else "predicted"
    if same == "predicted":
        logger.warning(
            "the pairs do not say in a column 'same' whether they show one person: 'same' and 'different' are the "
            "model's own decisions at the threshold"
        )
    _check_labels(found)
    paper_sign = preset == "paper"
    VerificationConfidence(0.0, same, paper_sign).check(loaded.outputs, loaded.labels)
    settings.occluder_fn().check(loaded.spec)
    aligner = aligner or LandmarkerAligner(load_mesh(level))
    probes = choose_probes(aligner.mesh, settings, loaded.spec)
    kept: dict[str, Any] = {}
    if threshold is None:
        fitted = _fitted_once(Path(out), found, loaded, aligner, fmr)
        confidence_fn = VerificationConfidence(fitted, same, paper_sign)
        # What decides is the rate; the number is found once and kept beside the configuration.
        stated = {"threshold": f"fitted at a false match rate of {fmr:g}", "fitted": None}
        kept = {"threshold": dict(fitted.describe())}
    else:
        confidence_fn = VerificationConfidence(threshold, same, paper_sign)
        stated = {}
    asked = dict(confidence_fn.describe()) | stated
    configuration = {
        "kind": "pairs",
        "hide": hide,
        "model": describe_model(loaded),
        "settings": dict(settings.describe()) | {"confidence": asked},
        "unit": confidence_fn.unit if settings.method is None else settings.unit,
        "mesh": describe_mesh(aligner.mesh),
        "probes": dict(probes.rule),
        "canvas": asdict(Canvas.of(aligner.mesh)),
        "aligner": dict(aligner.describe()),
        "photos": {"count": len(found), "sha256": found.digest},
        "labels": {"columns": list(found.columns)},
    }
    runner = _Pairs(
        found,
        loaded,
        settings,
        confidence_fn,
        hide,
        aligner,
        probes.vertices,
        ModelRunner(loaded, engine, batch),
    )
    cases = [
        Case(
            number,
            dict(zip(("sha256", "sha256_b"), found.paths(number), strict=True)),
            partial(runner.rows, number),
        )
        for number in range(len(found))
    ]
    schema = part_schema(found.columns, pairs=True)
    manifest = Manifest.new(configuration, found.root, kept)
    return write_run(Path(out), manifest, aligner.mesh, cases, schema, retry_failed, progress)


@dataclass(frozen=True)
class _Pairs:
    """All that is needed to turn a pair into a row."""

    found: PairList
    model: Model
    settings: Settings
    confidence_fn: PairConfidence
    hide: Hide
    aligner: Aligner
    probes: Int[np.ndarray, "n"]
    runner: ModelRunner

    def rows(self, number: int) -> Iterator[Row]:
        """The row of one pair, failed if one of its photos cannot be used."""
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
            maps = explain_faces(
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
        cis, other, similarity = maps
        answered = success(cis, self.model, time.perf_counter() - start)
        theirs = {f"{n}_b": v for n, v in success(other, self.model, 0.0).items() if n in SECOND_FACE}
        calls = cis.model_calls + other.model_calls
        yield row | answered | theirs | {"similarity": similarity, "model_calls": calls}


def similarities(found: PairList, model: Model, aligner: Aligner) -> Float[np.ndarray, "n"]:
    """Cosine of the model's outputs for the faces of each pair, as they are; NaN where one cannot be used."""

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


def _check_labels(found: PairList) -> None:
    """Refuse what a column ``same`` says that means neither; an empty field is a failed row."""
    for line, labels in enumerate(found.labels, start=2):
        said = labels.get("same", "")
        if said and is_same(said) is None:
            raise LabelsError(
                f"A column 'same' says 1 or 0 (or yes, no, same, different); pair {line - 1} says {said!r}: mend it."
            )


def _fitted_once(out: Path, found: PairList, model: Model, aligner: Aligner, fmr: float) -> Threshold:
    """The threshold that an earlier start of the run in this folder has fitted; else a new one."""
    if (out / FILE_NAME).exists() and (kept := Manifest.read(out).fitted.get("threshold")):
        return Threshold(**kept)
    return _fitted(found, model, aligner, fmr)


def _fitted(found: PairList, model: Model, aligner: Aligner, fmr: float) -> Threshold:
    """Threshold at a false match rate, from the labelled pairs themselves."""
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
