"""Pairs of faces, one model: which parts of both faces a verification relies on (eq. 8)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.confidence import (
    BoundConfidence,
    BoundPairConfidence,
    CleanPrediction,
    PairConfidence,
    Threshold,
    VerificationConfidence,
    fit_threshold,
    is_same,
)
from canonface.engine import ModelRunner, noted
from canonface.errors import (
    CanonfaceError,
    LabelsError,
    NothingAskedError,
    OptionError,
    PhotoError,
    TargetError,
)
from canonface.functional import cosines
from canonface.maps import CIS
from canonface.mesh import Canvas, load_mesh
from canonface.methods import AttributionFiles, Method, attribution_unit
from canonface.models import Model, load_model
from canonface.run.auditing import describe_mesh, describe_model
from canonface.run.explaining import View, check_method
from canonface.run.heating import attribution_at, refuse_occlusion_options
from canonface.run.manifest import FILE_NAME, Manifest
from canonface.run.pairs import PairList, read_pairs
from canonface.run.parts import LABEL_COLUMN_PREFIX, SECOND_FACE, part_schema
from canonface.run.photos import digest, printable
from canonface.run.probes import choose_probes
from canonface.run.rows import Row, failure, placed, success
from canonface.run.run import Run
from canonface.run.settings import Settings, make_settings
from canonface.run.writing import Case, Progress, write_run
from canonface.types import Face

logger = logging.getLogger("canonface")
Hide = Literal["both", "first", "second"]


def explain_pair(
    first: Face,
    second: Face,
    model: Any,
    *,
    same: bool | None = None,
    threshold: float | None = None,
    hide: Hide = "both",
    preset: str = "default",
    batch: int = 64,
    engine: str = "auto",
    **options: Any,
) -> tuple[CIS, CIS]:
    """Which parts of two faces a model relies on when it says whether they are one person (eq. 8).

    The confidence is ``c (cos - threshold)``, with ``c = 1`` for a genuine pair and ``-1`` for an impostor pair; a
    drop is positive where hiding a place made the model less right.

    Args:
        first: an aligned face.
        second: an aligned face on the same mesh.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        same: whether both show one person. None: what the model says, at the threshold.
        threshold: least cosine of a pair that the model takes for one person. It moves the confidence, not the
            drops, unless ``same`` is None: then it decides what is asked, and is needed.
        hide: the same canonical place in ``both`` photos (the paper), in the ``first`` only, or in the ``second``
            only. In both, a place that either photo hides is not asked. With a ``method`` of others nothing is
            hidden: it says whose heat is taken, the other face staying as it is; of both, the sum.
        preset: ``default``, or ``paper``: eq. 8 to the letter, whose sign is the opposite.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike.
        **options: ``occluder``, ``patch``, ``fill``, ``stride``, ``spacing``, ``normalise``, ``canonical_patch``,
            ``method`` and ``method_options``.

    Returns:
        The map of each face; their drops are the same numbers.

    Raises:
        OptionError: an option cannot be used, the model's outputs are no feature vectors, or the meshes differ.
    """
    settings = _pair_settings(preset, options, engine)
    if same is None and threshold is None:
        raise OptionError(
            "A pair of which it is not known whether it shows one person needs threshold=... too."
        )
    loaded = load_model(model)
    check_method(settings, loaded)
    confidence_fn = VerificationConfidence(
        threshold or 0.0, same="predicted" if same is None else "label:same", paper_sign=preset == "paper"
    )
    confidence_fn.check(loaded.outputs, loaded.labels)
    labels = {} if same is None else {"same": str(int(same))}
    probes = choose_probes(first.mesh, settings, loaded.spec).vertices
    return explain_faces(
        first,
        second,
        loaded,
        settings,
        confidence_fn,
        hide,
        probes,
        labels,
        ModelRunner(loaded, engine, batch),
    )[:2]


def explain_faces(
    first: Face,
    second: Face,
    model: Model,
    settings: Settings,
    confidence_fn: PairConfidence,
    hide: Hide,
    probes: Int[np.ndarray, "n"],
    labels: Mapping[str, str],
    runner: ModelRunner,
) -> tuple[CIS, CIS, float]:
    """`explain_pair` with everything loaded and decided; and the cosine of both faces."""
    _check_hide(hide)
    if first.mesh.name != second.mesh.name:
        raise OptionError(
            f"The same place is hidden in both faces, so both are on one mesh; got {first.mesh.name} and "
            f"{second.mesh.name}: align both photos alike."
        )
    views = (View(first, model, settings), View(second, model, settings))
    originals = [CleanPrediction(view.original, model.outputs, model.labels, labels) for view in views]
    bound = confidence_fn.bind(originals[0], originals[1])
    hidden = [hide in ("both", "first"), hide in ("both", "second")]
    seen = [view.shown.visible[probes] for view, is_hidden in zip(views, hidden, strict=True) if is_hidden]
    asked = np.flatnonzero(np.logical_and.reduce(seen))
    if not len(asked):
        raise NothingAskedError(
            "A pair is asked about places that both photos show; these two show none in common. Leave it out."
        )
    confidence = float(bound(views[0].original, views[1].original)[0])
    drops = np.full(len(probes), np.nan)
    similarity = float(cosines(views[0].original, views[1].original)[0])
    if (method := settings.attribution_method()) is not None:
        drops[asked] = _attribution_of_pair(method, model, views, bound, hidden, probes[asked])
        unit = attribution_unit(method.name, bound.target)
        heated = [view.cis(probes, drops, confidence, bound.target, unit) for view in views]
        first_map, second_map = _on_one_patch([replace(cis, method=method.name) for cis in heated], hidden)
        return first_map, second_map, similarity
    answered = [
        view.predict(probes[asked], runner) if is_hidden else None
        for view, is_hidden in zip(views, hidden, strict=True)
    ]
    fills = len(next(prediction for prediction in answered if prediction is not None))
    of_fills = [bound(*_both(views, answered, fill, len(asked))) for fill in range(fills)]
    drops[asked] = confidence - np.mean(of_fills, axis=0)
    maps = [view.cis(probes, drops, confidence, bound.target, bound.unit) for view in views]
    first_map, second_map = _on_one_patch(maps, hidden)
    return first_map, second_map, similarity


def _on_one_patch(maps: list[CIS], hidden: list[bool]) -> tuple[CIS, CIS]:
    """Both maps with the mean patch of the faces that are hidden."""
    shared = float(np.mean([cis.canonical_patch for cis, h in zip(maps, hidden, strict=True) if h]))
    first, second = (replace(cis, canonical_patch=shared) for cis in maps)
    return first, second


def _attribution_of_pair(
    method: Method | AttributionFiles,
    model: Model,
    views: tuple[View, View],
    bound: BoundPairConfidence,
    asked: list[bool],
    vertices: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """A method's heat at some vertices: of the faces that are asked about, each with the other as it is, the sum."""
    total = np.zeros(len(vertices))
    forward_passes = (
        BoundConfidence(bound.target, bound.unit, lambda outputs: bound(outputs, views[1].original)),
        BoundConfidence(bound.target, bound.unit, lambda outputs: bound(views[0].original, outputs)),
    )
    for view, confidence_fn, is_asked in zip(views, forward_passes, asked, strict=True):
        if is_asked:
            attribution, images = attribution_at(method, model, view.shown, confidence_fn, vertices)
            view.calls += images
            total += attribution
    return total


def _check_hide(hide: str) -> None:
    if hide not in ("both", "first", "second"):
        raise OptionError(f"hide is 'both', 'first' or 'second'; got {hide!r}.")


def _pair_settings(preset: str, options: Mapping[str, Any], engine: str) -> Settings:
    """Settings of a question about pairs, which is always the same one."""
    for name in ("confidence", "target"):
        if options.get(name) is not None:
            raise OptionError(
                f"A pair is asked whether it shows one person; got {name}={options[name]!r}: leave it out."
            )
    settings = make_settings(preset, **options)
    refuse_occlusion_options(settings.attribution_method(), engine=None if engine == "auto" else engine)
    return settings


def _both(
    views: tuple[View, View], answered: list[list[np.ndarray] | None], fill: int, count: int
) -> list[Float[np.ndarray, "n d"]]:
    """Outputs for both faces with one fill; a face that is not hidden answers as it is."""
    return [
        np.repeat(view.original, count, axis=0) if prediction is None else prediction[fill]
        for view, prediction in zip(views, answered, strict=True)
    ]


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
    _check_hide(hide)
    settings = _pair_settings(preset, options, engine)
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
    } | noted(engine)
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
            return View(aligner(path)[0], model, Settings()).original
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
