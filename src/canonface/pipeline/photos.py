"""Many photos, one model: the run of `canonface.audit`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.confidence import Gallery, RecognitionConfidence
from canonface.data import LabelledPhotos, Labels, Photos
from canonface.engine import ModelRunner
from canonface.errors import OptionError
from canonface.explanation.attribution import check_method, refuse_occlusion_options
from canonface.explanation.face import explain_face
from canonface.explanation.gallery import check_model, make_gallery
from canonface.explanation.options import Choices, Engine, Sampling, gather
from canonface.explanation.probes import Probes, choose_probes
from canonface.explanation.settings import Settings
from canonface.mesh import Canvas, load_mesh, mesh_digest
from canonface.methods import AttributionFiles
from canonface.models import Model, load_model
from canonface.pipeline.loop import Case, rows_of_photo, write_run
from canonface.pipeline.stopping import make_order, stopping_rule
from canonface.progress import ProgressOption, progress_callback
from canonface.run.estimate import photo_cluster
from canonface.run.manifest import Manifest
from canonface.run.parts import part_schema
from canonface.run.rows import Row, placed, success
from canonface.run.run import GROUPINGS, Run
from canonface.run.stopping import Order, StoppingState, check_stopping
from canonface.sampling import Design, Sampler, make_design
from canonface.types import Face, Mesh

RECOGNITIONS = ("recognition", "recognition-margin")
"""Confidences that compare a face with a gallery of known people."""


def audit(
    photos: Photos,
    model: Any,
    out: str | Path,
    *,
    target: str | int | None = None,
    settings: Settings | None = None,
    sampling: Sampling | None = None,
    engine: str | Engine = "auto",
    labels: str | Path | None = None,
    by: str | None = None,
    aligner: Aligner | None = None,
    gallery: Photos | Gallery | None = None,
    progress: ProgressOption = None,
    **options: Any,
) -> Run:
    """Explain many photos: write a run, whose mean map shows the parts of a face that a model relies on (eq. 6).

    The run is written as it grows. The same call continues an interrupted run and ends with the same map; a call with
    other arguments is refused. A photo that cannot be explained becomes a row with its reason.

    Args:
        photos: a folder, a file, a pattern, a CSV file with a ``path`` column, or several of them.
        model: a `Model`, or whatever `canonface.load_model` takes.
        out: directory of the run; made if it is missing.
        target: a class by name or index, ``label:COLUMN``, or ``predicted`` (the default).
        settings: the choices that define a map; the fields of `Settings` are keywords too.
        sampling: the probes of each face and the early stop; the fields of `Sampling` are keywords too. A sampled
            run gives an estimate of the map: ``run.estimate()``.
        engine: the engine that runs the model, by name or with its batch size (keyword ``batch``). The
            engines agree, and one run may use several.
        labels: CSV file with a ``path`` column and any other columns. None: ``photos``, if it is a CSV file.
        by: column that the maps will be grouped by; refused at once if the labels lack it.
        aligner: places faces on a mesh; by default the landmarker.
        gallery: known people, for ``confidence="recognition"`` (the default with a gallery) or
            ``"recognition-margin"``: a `Gallery`, or photos to make one of (`make_gallery`). A photo of the run that
            is in the gallery too is not compared with itself.
        progress: True for a bar on stderr, or a function that is called after each photo.
        **options: fields of `Settings` and `Sampling`, and: ``preset`` (``default`` or ``paper``), ``batch``,
            ``subdivision`` of the canonical mesh (1) and ``faces`` of a photo (``largest`` or ``all``), both ignored
            with an ``aligner``; ``identity``, the column that names the person (without labels, the name of a
            photo's folder is the person's name); ``retry_failed``, to explain again the photos that failed in an
            earlier start. With another ``method`` the run holds that method's attribution at the probes; sampling
            and engine are then refused, and ``batch`` is one of the method's own options.

    Returns:
        The run.

    Raises:
        OptionError, LabelsError, TargetError, ModelError: the arguments do not fit; raised before the first photo.
        ConfigurationChangedError: ``out`` holds a run with another configuration.
        RunError: ``out`` cannot be written to.
    """
    if target is not None:
        options["target"] = target
    recognised = _recognised(settings, options, gallery)
    choices = gather(
        options,
        settings=settings,
        sampling=sampling,
        engine=engine,
        own={"subdivision": 1, "faces": "largest", "identity": "identity", "retry_failed": False},
        sampled=tuple(field.name for field in fields(Sampling)),
    )
    design = _checked_design(choices)
    loaded = load_model(model)
    if aligner is None:
        aligner = LandmarkerAligner(load_mesh(choices.own["subdivision"]), faces=choices.own["faces"])
    if recognised is not None:
        choices = _with_recognition(choices, recognised, gallery, loaded, aligner)
    found = _found(choices, photos, labels, recognised is not None)
    _check(choices, loaded, found, by)
    probes = choose_probes(aligner.mesh, choices.settings, loaded.spec)
    task = _PhotoTask(
        loaded,
        choices.settings,
        aligner,
        probes.vertices,
        design.sampler(aligner.mesh.vertices[probes.vertices].astype(np.float64)),
        found.labels,
        ModelRunner(loaded, choices.engine.name, choices.engine.batch),
    )
    people, cluster = _people(choices, found)
    order = None
    if choices.sampling.stops_early:
        order = make_order(people, choices.sampling.seed, choices.sampling.precision)
    configuration = describe(choices.settings, loaded, found, aligner, probes)
    manifest = Manifest.new(configuration | _describe_sampling(design, order, cluster), found.photos.root)
    cases = [
        Case(number, {"sha256": found.path(name)}, partial(task.rows, number, name, found.path(name)))
        for number, name in enumerate(found.names)
    ]
    rule = None
    if order is not None:
        cases = [cases[number] for number in order.sorted(people)]
        rule = stopping_rule(Path(out), manifest, order, people, _wanted(choices.sampling))
    schema, retry_failed = part_schema(found.columns), choices.own["retry_failed"]
    with progress_callback(progress, loaded.name) as report:
        return write_run(Path(out), manifest, aligner.mesh, cases, schema, retry_failed, report, rule)


def _found(choices: Choices, photos: Photos, labels: str | Path | None, with_gallery: bool) -> LabelledPhotos:
    """Return the photos with their labels; with a gallery, people may be named by the photos' folders."""
    identity = choices.own["identity"]
    by_folder = with_gallery and choices.settings.confidence_fn().label_column == identity
    return LabelledPhotos.open(photos, labels, folder_column=identity if by_folder else None)


def _people(choices: Choices, found: LabelledPhotos) -> tuple[dict[int, str], str | None]:
    """Return the cluster of each photo by its number, and the column that names the clusters."""
    cluster = choices.sampling.cluster
    if cluster is None and choices.own["identity"] in found.columns:
        cluster = choices.own["identity"]
    people = {
        number: found.labels[name].get(cluster or "") or photo_cluster(number)
        for number, name in enumerate(found.names)
    }
    return people, cluster


def _wanted(sampling: Sampling) -> StoppingState:
    return StoppingState(sampling.precision, sampling.precision_of, sampling.max_forward_passes)


def _checked_design(choices: Choices) -> Design:
    """Return the sampling design, after the choices of sampling were checked."""
    sampling, engine = choices.sampling, choices.engine.name
    design = make_design(sampling.design, sampling.share, sampling.seed)
    check_stopping(sampling.precision, sampling.precision_of, sampling.max_forward_passes)
    refuse_occlusion_options(
        choices.settings.attribution_method(),
        design=None if design.is_full else design.name,
        engine=None if engine == "auto" else engine,
    )
    return design


def _check(choices: Choices, model: Model, found: LabelledPhotos, by: str | None) -> None:
    """Raise for whatever would fail for every photo, before the first one."""
    settings = choices.settings
    confidence_fn = settings.confidence_fn()
    confidence_fn.check(model.outputs, model.labels)
    check_model(confidence_fn, model)
    settings.occluder_fn().check(model.spec)
    check_method(settings, model)
    if isinstance(files := settings.attribution_method(), AttributionFiles):
        files.check_photos(found.names)
    columns = [confidence_fn.label_column, None if by in GROUPINGS else by, choices.sampling.cluster]
    for column in columns:
        if column is not None:
            found.require(column)


@dataclass(frozen=True)
class _Recognised:
    """The confidence of eq. 7 to use in a call, before its gallery is made."""

    form: str
    target: str | int | None


def _recognised(
    settings: Settings | None, options: dict[str, Any], gallery: Photos | Gallery | None
) -> _Recognised | None:
    """Take the confidence of eq. 7 and its target out of the options; None for another confidence.

    Raises:
        OptionError: a gallery comes with a confidence that has no use for it, or is missing.
    """
    form = options.get("confidence")
    if gallery is None:
        if form not in RECOGNITIONS:
            return None
        raise OptionError(
            f"confidence={form!r} compares a face with photos of known people: give gallery=... (--gallery)."
        )
    check_form(form)
    if settings is not None and settings.confidence != "probability":
        check_form(settings.confidence)
    options.pop("confidence", None)
    target = options.pop("target", None)
    if target is None and settings is not None:
        target = settings.target
    return _Recognised(form or RECOGNITIONS[0], target)


def check_form(form: Any) -> None:
    """Raise OptionError if a confidence has no use for a gallery."""
    if form is not None and form not in RECOGNITIONS:
        raise OptionError(f"A gallery is for confidence='recognition' or 'recognition-margin'; got {form!r}.")


def _with_recognition(
    choices: Choices,
    recognised: _Recognised,
    gallery: Photos | Gallery | None,
    model: Model,
    aligner: Aligner,
) -> Choices:
    """Return the choices with the confidence of eq. 7, whose gallery is made of photos if it is none yet."""
    identity = choices.own["identity"]
    if isinstance(gallery, Gallery):
        known = gallery
    else:
        assert gallery is not None
        known = make_gallery(gallery, model, identity=identity, aligner=aligner)
    who = f"label:{identity}" if recognised.target is None else str(recognised.target)
    form = "margin" if recognised.form == "recognition-margin" else "closest"
    settings = replace(choices.settings, target=None, confidence=RecognitionConfidence(known, who, form))
    return replace(choices, settings=settings)


def describe(
    settings: Settings, model: Model, found: LabelledPhotos, aligner: Aligner, probes: Probes
) -> dict[str, Any]:
    """Return everything that decides the result of a run, for its manifest."""
    return {
        "kind": "photos",
        "model": describe_model(model),
        "settings": dict(settings.describe()),
        "unit": settings.unit,
        "mesh": describe_mesh(aligner.mesh),
        "probes": dict(probes.rule),
        "canvas": asdict(Canvas.of(aligner.mesh)),
        "aligner": dict(aligner.describe()),
        "photos": {"count": len(found), "sha256": found.photos.digest},
        "labels": {"columns": list(found.columns), "sha256": found.labels_digest},
    }


def _describe_sampling(design: Design, order: Order | None, cluster: str | None) -> dict[str, Any]:
    """Return the design, the order of photos and the column of people, for the manifest."""
    stated: dict[str, Any] = {"cluster": cluster}
    if not design.is_full:
        stated["design"] = design.describe()
    if order is not None:
        stated["order"] = asdict(order)
    return stated


def describe_mesh(mesh: Mesh) -> dict[str, Any]:
    """Return the identity of a run's mesh, for its manifest."""
    return {"name": mesh.name, "vertices": len(mesh.vertices), "sha256": mesh_digest(mesh)}


def describe_model(model: Model) -> dict[str, Any]:
    """Return everything that decides a model's predictions, for a run's manifest."""
    return {
        "name": model.name,
        "fingerprint": model.fingerprint(),
        "spec": asdict(model.spec),
        "outputs": model.outputs,
        "labels": list(model.labels),
    }


@dataclass(frozen=True)
class _PhotoTask:
    """Everything that turns a photo into rows."""

    model: Model
    settings: Settings
    aligner: Aligner
    probes: Int[np.ndarray, "n"]
    sampler: Sampler
    labels: Labels
    runner: ModelRunner

    def rows(self, number: int, name: str, path: Path) -> Iterator[Row]:
        """Yield one row for each face; a single failed row if the photo cannot be used."""

        def explained(face: Face, row: Row) -> Row:
            row |= placed(face)
            start = time.perf_counter()
            cis = explain_face(
                face,
                self.model,
                self.settings,
                self.probes,
                self.labels[name],
                self.runner,
                row["sha256"],
                self.sampler(number, face.index),
            )
            return success(cis, self.model, time.perf_counter() - start)

        return rows_of_photo(number, name, path, self.labels[name], self.aligner, explained)
