"""Occlusion of whole regions of many faces: a run, and its summary as sums that merge."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.data import LabelledPhotos, Labels, Photos
from canonface.engine import ModelRunner
from canonface.errors import CanonfaceError, OptionError, RunError
from canonface.explanation.gallery import check_model
from canonface.explanation.options import Engine
from canonface.explanation.regions import (
    RegionEffects,
    region_choices,
    region_effects,
    region_names,
)
from canonface.explanation.settings import Settings
from canonface.mesh import load_mesh
from canonface.models import Model, load_model
from canonface.pipeline.loop import Case, rows_of_photo, write_run
from canonface.pipeline.moments import Moments
from canonface.pipeline.photos import describe_mesh, describe_model
from canonface.progress import Progress, ProgressOption, progress_callback
from canonface.run.manifest import Manifest
from canonface.run.parts import PARTS, read_parts, region_schema
from canonface.run.rows import Row, pose
from canonface.types import Face

KIND = "regions"
"""Kind of the run in its manifest."""


class Interaction(NamedTuple):
    """Drop with two regions occluded together minus the sum of both (`RegionEffects.interactions`)."""

    first: str
    second: str
    mean: float
    sem: float


@dataclass(frozen=True, eq=False)
class RegionSummary:
    """Mean effects of occluded regions over many faces; a mean leaves out the faces that hide a region.

    Attributes:
        names: ``k`` regions.
        unit: unit of the drops.
        model: name of the model.
        faces: number of faces that were evaluated.
        drops: moments ``(k,)`` of the drops; see `RegionEffects`.
        joint: moments ``(k, k)``.
        interactions: moments ``(k, k)``, face by face.
        areas: moments ``(k,)``, over the faces on which the region was evaluated.
        failed: name and reason of each photo that could not be used.
    """

    names: tuple[str, ...]
    unit: str
    model: str
    faces: int
    drops: Moments = field(repr=False)
    joint: Moments = field(repr=False)
    interactions: Moments = field(repr=False)
    areas: Moments = field(repr=False)
    failed: tuple[tuple[str, str], ...] = ()

    @classmethod
    def open(cls, folder: str | Path) -> RegionSummary:
        """Return the summary of a run of regions on disk.

        Raises:
            RunError: the folder holds no such run, or none of its photos was explained.
        """
        place = Path(folder)
        manifest = Manifest.read(place)
        if manifest.configuration.get("kind") != KIND:
            raise RunError(
                f"A summary of regions is opened from a run of canonface regions; {place} holds another run: use "
                "canonface.Run.open."
            )
        table = read_parts(place / PARTS)
        rows = [] if table is None else table.to_pylist()
        if all(row["status"] != "ok" for row in rows):
            last = f"the last one: {rows[-1]['message']}" if rows else "it has none yet: start it again."
            raise RunError(f"A summary of regions needs at least one explained face of {place}; {last}")
        return _summary(rows, manifest.configuration)

    @classmethod
    def of(cls, effects: RegionEffects, unit: str | None = None) -> RegionSummary:
        """Return the summary of one face; ``unit`` is that of all faces, where each has a target of its own."""
        return cls(
            names=effects.names,
            unit=effects.unit if unit is None else unit,
            model=effects.model,
            faces=1,
            drops=Moments.of(effects.drops),
            joint=Moments.of(effects.joint),
            interactions=Moments.of(effects.interactions),
            areas=Moments.of(np.where(np.isfinite(effects.drops), effects.areas, np.nan)),
        )

    def merge(self, other: RegionSummary) -> RegionSummary:
        """Return the summary of the faces of both.

        Raises:
            OptionError: their regions, models or units differ.
        """
        for name in ("names", "unit", "model"):
            if getattr(self, name) != getattr(other, name):
                raise OptionError(
                    f"Summaries of the same regions, model and unit are merged; {name} differ: "
                    f"{getattr(self, name)!r} and {getattr(other, name)!r}."
                )
        sums = {
            name: getattr(self, name).merge(getattr(other, name))
            for name in ("drops", "joint", "interactions", "areas")
        }
        return replace(self, faces=self.faces + other.faces, failed=self.failed + other.failed, **sums)

    def strongest(self, count: int = 5) -> list[Interaction]:
        """Return the largest mean interactions, of either sign, the largest first."""
        mean, sem = self.interactions.mean, self.interactions.sem
        pairs = [pair for pair in combinations(range(len(self.names)), 2) if np.isfinite(mean[pair])]
        pairs.sort(key=lambda pair: -abs(mean[pair]))
        return [
            Interaction(self.names[i], self.names[j], float(mean[i, j]), float(sem[i, j]))
            for i, j in pairs[:count]
        ]


def audit_regions(
    photos: Photos | Iterable[Face],
    model: Any,
    target: str | int | None = None,
    *,
    out: str | Path | None = None,
    regions: str | Iterable[str] = "groups",
    interactions: bool = True,
    dilate_cm: float = 0.0,
    engine: str | Engine = "auto",
    labels: str | Path | None = None,
    aligner: Aligner | None = None,
    progress: ProgressOption = None,
    **options: Any,
) -> RegionSummary:
    """Return the summary of `explain_regions` over many photos, or over faces that are aligned already.

    With ``out`` the effects are written as a run, one row per face; the same call continues an interrupted run, and
    `RegionSummary.open` reads it. A photo that cannot be explained is listed in ``failed``.

    Args:
        photos: as in `canonface.audit`, or faces on one mesh.
        model: a `Model`, or whatever `canonface.load_model` takes.
        target: as in `canonface.audit`.
        out: directory of the run; None: nothing is written.
        regions: as in `explain_regions`.
        interactions: as in `explain_regions`.
        dilate_cm: as in `explain_regions`.
        engine: the engine that runs the model, by name or with its batch size.
        labels: CSV file with a ``path`` column, for a target ``label:COLUMN``. None: ``photos``, if it is one.
        aligner: places faces on a mesh; by default the landmarker.
        progress: True for a bar on stderr, or a function that is called after each photo.
        **options: ``confidence`` and ``fill`` of `Settings`, ``preset``, ``batch``, ``subdivision`` of the canonical
            mesh (ignored with an ``aligner`` or faces), and ``retry_failed``.

    Raises:
        OptionError, LabelsError, TargetError, ModelError: the arguments do not fit.
        ConfigurationChangedError: ``out`` holds a run with another configuration.
        RunError: ``out`` cannot be written to.
        CanonfaceError: no photo could be used: the last one's reason.
    """
    loaded = load_model(model)
    choices = region_choices(target, options, engine, {"subdivision": 1, "retry_failed": False})
    confidence_fn = choices.settings.confidence_fn()
    check_model(confidence_fn, loaded)
    confidence_fn.check(loaded.outputs, loaded.labels)
    task = _RegionTask(
        loaded,
        choices.settings,
        regions if isinstance(regions, str) else tuple(regions),
        interactions,
        dilate_cm,
        ModelRunner(loaded, choices.engine.name, choices.engine.batch),
    )
    given: Any = photos if isinstance(photos, str | Path) else list(photos)
    with progress_callback(progress, loaded.name) as report:
        if not isinstance(given, str | Path) and any(isinstance(item, Face) for item in given):
            if confidence_fn.label_column is not None:
                raise OptionError(
                    f"A target label:{confidence_fn.label_column} needs photos and their labels; got faces: give "
                    "photos."
                )
            if out is not None:
                raise OptionError(
                    "A run is written of photos; got faces and out=...: give photos, or no out."
                )
            return task.summary_of_faces(given, report)
        found = LabelledPhotos.open(given, labels)
        if confidence_fn.label_column is not None:
            found.require(confidence_fn.label_column)
        aligner = aligner or LandmarkerAligner(load_mesh(choices.own["subdivision"]))
        cases = [
            Case(
                number,
                {"sha256": found.path(name)},
                partial(task.rows, number, name, found.path(name), aligner, found.labels),
            )
            for number, name in enumerate(found.names)
        ]
        configuration = task.describe(found, aligner)
        if out is None:
            return _summary(_evaluated(cases, report), configuration)
        manifest = Manifest.new(configuration, found.photos.root)
        schema = region_schema(found.columns)
        write_run(Path(out), manifest, aligner.mesh, cases, schema, choices.own["retry_failed"], report)
    table = read_parts(Path(out) / PARTS)
    return _summary([] if table is None else table.to_pylist(), configuration)


def _evaluated(cases: Sequence[Case], report: Any) -> list[Row]:
    """Return the rows of all cases, without a run on disk."""
    rows: list[Row] = []
    failed = 0
    for done, case in enumerate(cases, start=1):
        new = list(case.rows())
        failed += any(row["status"] != "ok" for row in new)
        rows += new
        report(Progress(done, len(cases), failed, 0))
    return rows


def _summary(rows: Sequence[Row], configuration: Mapping[str, Any]) -> RegionSummary:
    """Return the summary of the rows of a run of regions.

    Raises:
        CanonfaceError: no row holds effects: the reason of the last one.
    """
    names = tuple(configuration["regions"]["names"])
    summary: RegionSummary | None = None
    failed: list[tuple[str, str]] = []
    for row in rows:
        if row["status"] != "ok":
            failed.append((row["path"], row["reason"]))
            continue
        one = RegionSummary.of(_effects(row, names, configuration), configuration["unit"])
        summary = one if summary is None else summary.merge(one)
    if summary is None:
        raise _error_of(rows[-1])
    return replace(summary, failed=tuple(failed))


def _error_of(row: Row) -> CanonfaceError:
    """Return the error that a failed row holds."""
    kinds = [CanonfaceError]
    for kind in kinds:
        if kind.reason == row["reason"]:
            return kind(row["message"])
        kinds += kind.__subclasses__()
    return CanonfaceError(row["message"])


def _effects(row: Row, names: tuple[str, ...], configuration: Mapping[str, Any]) -> RegionEffects:
    k = len(names)
    joint = np.asarray(row["joint"], dtype=np.float64).reshape(k, k)
    return RegionEffects(
        names=names,
        drops=np.diagonal(joint).copy(),
        joint=joint,
        areas=np.asarray(row["areas"], dtype=np.float64),
        overlap=np.asarray(row["overlap"], dtype=np.float64).reshape(k, k),
        visible=np.asarray(row["visible"], dtype=np.float64),
        confidence=row["confidence"],
        target=row["target"],
        unit=row["unit"],
        model=configuration["model"]["name"],
        model_calls=row["model_calls"],
    )


@dataclass(frozen=True)
class _RegionTask:
    """Everything that turns a photo into rows of region effects."""

    model: Model
    settings: Settings
    regions: str | tuple[str, ...]
    interactions: bool
    dilate_cm: float
    runner: ModelRunner

    def describe(self, found: LabelledPhotos, aligner: Aligner) -> dict[str, Any]:
        """Return everything that decides the result of a run, for its manifest."""
        settings = self.settings.describe()
        return {
            "kind": KIND,
            "model": describe_model(self.model),
            "settings": {"confidence": settings["confidence"], "fill": self.settings.fill or "mean"},
            "unit": self.settings.unit,
            "regions": {
                "names": list(region_names(aligner.mesh, self.regions)),
                "interactions": self.interactions,
                "dilate_cm": self.dilate_cm,
            },
            "mesh": describe_mesh(aligner.mesh),
            "aligner": dict(aligner.describe()),
            "photos": {"count": len(found), "sha256": found.photos.digest},
            "labels": {"columns": list(found.columns), "sha256": found.labels_digest},
        }

    def effects(self, face: Face, labels: Mapping[str, str]) -> RegionEffects:
        """Return the effects of one face."""
        names = region_names(face.mesh, self.regions)
        return region_effects(
            face, self.model, self.settings, names, self.interactions, self.dilate_cm, labels, self.runner
        )

    def rows(self, number: int, name: str, path: Path, aligner: Aligner, labels: Labels) -> Iterator[Row]:
        """Yield one row for each face; a single failed row if the photo cannot be used."""

        def explained(face: Face, row: Row) -> Row:
            row |= pose(face)
            start = time.perf_counter()
            effects = self.effects(face, labels[name])
            return _columns(effects, time.perf_counter() - start)

        return rows_of_photo(number, name, path, labels[name], aligner, explained)

    def summary_of_faces(self, faces: Sequence[Face], report: Any) -> RegionSummary:
        """Return the summary of faces that are aligned already.

        Raises:
            CanonfaceError: no face could be used: the last one's error.
        """
        summary: RegionSummary | None = None
        failed: list[tuple[str, CanonfaceError]] = []
        for number, face in enumerate(faces):
            try:
                one = RegionSummary.of(self.effects(face, {}), self.settings.unit)
                summary = one if summary is None else summary.merge(one)
            except OptionError:
                raise
            except CanonfaceError as error:
                failed.append((face.path or f"face {number}", error))
            report(Progress(number + 1, len(faces), len(failed), 0))
        if summary is None:
            raise failed[-1][1]
        return replace(summary, failed=tuple((name, error.reason) for name, error in failed))


def _columns(effects: RegionEffects, seconds: float) -> Row:
    """Return the columns of a row of region effects."""
    return {
        "status": "ok",
        "target": effects.target,
        "unit": effects.unit,
        "confidence": effects.confidence,
        "joint": effects.joint.ravel(),
        "areas": effects.areas,
        "overlap": effects.overlap.ravel(),
        "visible": effects.visible,
        "model_calls": effects.model_calls,
        "seconds": seconds,
    }
