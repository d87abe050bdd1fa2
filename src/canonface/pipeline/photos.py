"""Many photos, one model: the loop that writes a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.confidence import Gallery, RecognitionConfidence
from canonface.data.labels import Labels, label_columns, read_labels, require_column
from canonface.data.photos import PhotoList, Photos, digest, find_photos, printable, table_of
from canonface.engine import ModelRunner
from canonface.errors import CanonfaceError, OptionError
from canonface.explanation.attribution import refuse_occlusion_options
from canonface.explanation.face import check_method, explain_face
from canonface.explanation.gallery import check_model, make_gallery
from canonface.explanation.probes import Probes, choose_probes
from canonface.explanation.settings import Settings, make_settings
from canonface.mesh import Canvas, load_mesh, mesh_digest
from canonface.methods import AttributionFiles
from canonface.models import Model, load_model
from canonface.pipeline.loop import Case, Progress, write_run
from canonface.pipeline.stopping import make_order, stopping_rule
from canonface.run.estimate import photo_cluster
from canonface.run.manifest import Manifest
from canonface.run.parts import LABEL_COLUMN_PREFIX, part_schema
from canonface.run.rows import Row, failure, placed, success
from canonface.run.run import GROUPINGS, Run
from canonface.run.stopping import Order, PrecisionOf, StoppingState, check_stopping
from canonface.sampling import Design, Sampler, make_design
from canonface.types import Mesh, WhichFaces

RECOGNITIONS = ("recognition", "recognition-margin")
"""Confidences about people of a gallery."""


def audit(
    photos: Photos,
    model: Any,
    out: str | Path,
    *,
    target: str | int | None = None,
    labels: str | Path | None = None,
    by: str | None = None,
    preset: str = "default",
    level: int = 1,
    faces: WhichFaces = "largest",
    aligner: Aligner | None = None,
    gallery: Photos | Gallery | None = None,
    identity: str = "identity",
    batch: int = 64,
    engine: str = "auto",
    retry_failed: bool = False,
    design: str | None = None,
    share: float | None = None,
    precision: float | None = None,
    precision_of: PrecisionOf = "map",
    max_forward_passes: int | None = None,
    cluster: str | None = None,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Run:
    """Which parts of a face a model relies on, over many photos.

    The run is written as it grows. Started again with the same arguments it goes on where it stopped, and ends
    with the same map; with other arguments it refuses. A photo that cannot be explained is a row with its reason,
    and the others go on.

    Args:
        photos: a folder, a file, a pattern, a CSV file with a ``path`` column, or several of them.
        model: a `Model`, or whatever `canonface.load_model` takes.
        out: directory of the run; made if it is missing.
        target: class by name or index, ``label:COLUMN``, or ``predicted`` (the default).
        labels: CSV file with a ``path`` column and anything else that is known of the photos. None: ``photos``, if
            it is a CSV file.
        by: column that the maps will be grouped by; refused now, not after hours, if the labels lack it.
        preset: ``default`` or ``paper``.
        level: of the canonical mesh; ignored if ``aligner`` is given.
        faces: ``largest`` or ``all`` of a photo; ignored if ``aligner`` is given.
        aligner: places faces on a mesh; by default the landmarker.
        gallery: for ``confidence="recognition"`` or ``"recognition-margin"`` (and the former is the default, if a
            gallery is given): a `Gallery`, or photos to make one of (`make_gallery`). A photo of the run that is in
            the gallery too is not compared with itself.
        identity: column, of the labels and of the gallery, that names the person. Without labels, the name of a
            photo's folder is the person's.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike, and one run may take
            several. That of another one is written down, and a run keeps to it.
        retry_failed: ask again about photos that failed in an earlier start.
        design: which probes are asked of which face: ``full`` (the default), ``random``, ``stratified`` or
            ``low-discrepancy`` (`canonface.sampling.Design`). The map is then an estimate: ``run.estimate()``.
        share: of the probes that each face is asked about; given alone, the design is ``low-discrepancy``.
        precision: stop as soon as the 95% band of the map is nowhere wider than this on either side, in the unit of
            the drop. Photos are then taken in random order, and the map is looked at after 32, 48, 72, ... people.
        precision_of: ``map`` or ``regions``: what the precision is asked of.
        max_forward_passes: stop with the photo at which the model has been shown so many images.
        cluster: column of the labels that names the person: photos of one are taken together, and the band respects
            that they are alike. None: ``identity``'s column, if the labels have it; else each photo stands alone.
        seed: of the design and of the order.
        progress: called after each photo.
        **options: the other fields of `Settings`: ``confidence``, ``patch``, ``fill``, ``stride``, ``normalise``,
            ``unseen``, ``method`` and ``method_options``. With a ``method`` of others the run holds that method's
            heat at the probes: one map a photo, whole at once, so that ``design``, ``share`` and ``engine`` are
            refused, and ``batch`` is one of its options.

    Returns:
        The run.

    Raises:
        OptionError, LabelsError, TargetError, ModelError: before anything is asked, if the arguments do not fit.
        ConfigurationChangedError: ``out`` holds a run with another configuration.
        RunError: ``out`` cannot be written to.
    """
    sampling = make_design(design, share, seed)
    check_stopping(precision, precision_of, max_forward_passes)
    loaded = load_model(model)
    aligner = aligner or LandmarkerAligner(load_mesh(level), faces=faces)
    if gallery is not None or options.get("confidence") in RECOGNITIONS:
        form = options.get("confidence")
        options["confidence"] = _recognition(gallery, loaded, identity, target, form, aligner)
        target = None
    settings = make_settings(preset, target=target, **options)
    refuse_occlusion_options(
        settings.attribution_method(),
        design=None if sampling.is_full else sampling.name,
        engine=None if engine == "auto" else engine,
    )
    found = find_photos(photos)
    table = labels if labels is not None else table_of(photos)
    if table is not None:
        known = read_labels(Path(table), found)
    else:
        # As in a gallery without labels: a folder for each person.
        named = (
            {identity} if settings.confidence_fn().label_column == identity and gallery is not None else set()
        )
        known = {name: dict.fromkeys(named, found.path(name).parent.name) for name in found.names}
    confidence_fn, occluder = settings.confidence_fn(), settings.occluder_fn()
    confidence_fn.check(loaded.outputs, loaded.labels)
    check_model(confidence_fn, loaded)
    occluder.check(loaded.spec)
    check_method(settings, loaded)
    if isinstance(files := settings.attribution_method(), AttributionFiles):
        files.check_photos(found.names)
    if (column := confidence_fn.label_column) is not None:
        require_column(column, known)
    if by is not None and by not in GROUPINGS:
        require_column(by, known)
    if cluster is not None:
        require_column(cluster, known)
    elif identity in label_columns(known):
        cluster = identity
    probes = choose_probes(aligner.mesh, settings, loaded.spec)
    people = {
        number: known[name].get(cluster or "") or photo_cluster(number)
        for number, name in enumerate(found.names)
    }
    stops = precision is not None or max_forward_passes is not None
    order = make_order(people, seed, precision) if stops else None
    sampler = sampling.sampler(aligner.mesh.vertices[probes.vertices].astype(np.float64))
    ask = ModelRunner(loaded, engine, batch)
    runner = _PhotoTask(loaded, settings, aligner, probes.vertices, sampler, known, ask)
    configuration = describe(settings, loaded, found, known, aligner, probes)
    manifest = Manifest.new(configuration | _describe_sampling(sampling, order, cluster), found.root)
    cases = [
        Case(number, {"sha256": found.path(name)}, partial(runner.rows, number, name, found.path(name)))
        for number, name in enumerate(found.names)
    ]
    schema = part_schema(label_columns(known))
    until = None
    if order is not None:
        cases = [cases[number] for number in order.sorted(people)]
        reached = StoppingState(precision, precision_of, max_forward_passes)
        until = stopping_rule(Path(out), manifest, order, people, reached)
    return write_run(Path(out), manifest, aligner.mesh, cases, schema, retry_failed, progress, until)


def check_form(form: Any) -> None:
    """Refuse a confidence that has no use for a gallery.

    Raises:
        OptionError: it is none of `RECOGNITIONS`.
    """
    if form is not None and form not in RECOGNITIONS:
        raise OptionError(f"A gallery is for confidence='recognition' or 'recognition-margin'; got {form!r}.")


def _recognition(
    gallery: Photos | Gallery | None,
    model: Model,
    identity: str,
    target: str | int | None,
    form: Any,
    aligner: Aligner,
) -> RecognitionConfidence:
    """The question of eq. 7 about people of a gallery."""
    if gallery is None:
        raise OptionError(
            f"confidence={form!r} compares a face with photos of known people: give gallery=... (--gallery)."
        )
    check_form(form)
    known = (
        gallery
        if isinstance(gallery, Gallery)
        else make_gallery(gallery, model, identity=identity, aligner=aligner)
    )
    who = f"label:{identity}" if target is None else str(target)
    return RecognitionConfidence(known, who, "margin" if form == "recognition-margin" else "closest")


def describe(
    settings: Settings,
    model: Model,
    photos: PhotoList,
    labels: Labels,
    aligner: Aligner,
    probes: Probes,
) -> dict[str, Any]:
    """Everything that decides the result of a run, for its manifest."""
    used = sorted((name, column, value) for name, row in labels.items() for column, value in row.items())
    return {
        "kind": "photos",
        "model": describe_model(model),
        "settings": dict(settings.describe()),
        "unit": settings.unit,
        "mesh": describe_mesh(aligner.mesh),
        "probes": dict(probes.rule),
        "canvas": asdict(Canvas.of(aligner.mesh)),
        "aligner": dict(aligner.describe()),
        "photos": {"count": len(photos), "sha256": photos.digest},
        "labels": {"columns": list(label_columns(labels)), "sha256": sha256(repr(used).encode()).hexdigest()},
    }


def _describe_sampling(design: Design, order: Order | None, cluster: str | None) -> dict[str, Any]:
    """Which part of the questions a run asks, and who is one person, for its manifest."""
    stated: dict[str, Any] = {"cluster": cluster}
    if not design.is_full:
        stated["design"] = design.describe()
    if order is not None:
        stated["order"] = asdict(order)
    return stated


def describe_mesh(mesh: Mesh) -> dict[str, Any]:
    """Which mesh a run is on, for its manifest."""
    return {"name": mesh.name, "vertices": len(mesh.vertices), "sha256": mesh_digest(mesh)}


def describe_model(model: Model) -> dict[str, Any]:
    """What decides a model's answers, for a run's manifest."""
    return {
        "name": model.name,
        "fingerprint": model.fingerprint(),
        "spec": asdict(model.spec),
        "outputs": model.outputs,
        "labels": list(model.labels),
    }


@dataclass(frozen=True)
class _PhotoTask:
    """All that is needed to turn a photo into rows."""

    model: Model
    settings: Settings
    aligner: Aligner
    probes: Int[np.ndarray, "n"]
    sampler: Sampler
    labels: Labels
    runner: ModelRunner

    def rows(self, number: int, name: str, path: Path) -> Iterator[Row]:
        """One row a face; a single failed row where the photo cannot be used."""
        shown = printable(name)
        row: Row = {
            "photo": number,
            "face": 0,
            "face_id": f"{shown}#0",
            "path": shown,
            "sha256": digest(path),
        }
        row |= {LABEL_COLUMN_PREFIX + column: value for column, value in self.labels[name].items()}
        try:
            faces = self.aligner(path)
        except CanonfaceError as error:
            yield row | failure(error)
            return
        for face in faces:
            row |= {"face": face.index, "face_id": f"{shown}#{face.index}"} | placed(face)
            start = time.perf_counter()
            try:
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
            except OptionError:
                # The choices themselves do not fit: it would be the same for every photo.
                raise
            except CanonfaceError as error:
                yield row | failure(error)
            else:
                yield row | success(cis, self.model, time.perf_counter() - start)
