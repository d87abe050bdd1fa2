"""Region-level occlusion of many faces: sums that merge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.data.labels import read_labels, require_column
from canonface.data.photos import Photos, find_photos, printable, table_of
from canonface.engine import ModelRunner
from canonface.errors import CanonfaceError, OptionError
from canonface.explanation.gallery import check_model
from canonface.explanation.regions import RegionEffects, region_effects, region_names, region_settings
from canonface.mesh import load_mesh
from canonface.models import load_model
from canonface.pipeline.loop import Progress
from canonface.pipeline.moments import Moments
from canonface.types import Face


class Interaction(NamedTuple):
    """Two regions hidden together against the sum of each: see `RegionEffects.interactions` for the sign."""

    first: str
    second: str
    mean: float
    sem: float


@dataclass(frozen=True, eq=False)
class RegionSummary:
    """Effects of hidden regions over many faces; means leave out the faces that hide a region.

    Attributes:
        names: ``k`` regions.
        unit: of the drops.
        model: name of the model.
        faces: how many were asked about.
        drops: moments ``(k,)`` of the drops; see `RegionEffects`.
        joint: moments ``(k, k)``.
        interactions: moments ``(k, k)``, face by face.
        areas: moments ``(k,)``, over the faces that were asked about the region.
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
    def of(cls, effects: RegionEffects, unit: str | None = None) -> RegionSummary:
        """The summary of one face; ``unit`` is that of all faces, where each has a target of its own."""
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
        """The summary of the faces of both.

        Raises:
            OptionError: they are not about the same regions, model and unit.
        """
        for name in ("names", "unit", "model"):
            if getattr(self, name) != getattr(other, name):
                raise OptionError(
                    f"Summaries of one question are merged; {name} differ: {getattr(self, name)!r} and "
                    f"{getattr(other, name)!r}."
                )
        sums = {
            name: getattr(self, name).merge(getattr(other, name))
            for name in ("drops", "joint", "interactions", "areas")
        }
        return replace(self, faces=self.faces + other.faces, failed=self.failed + other.failed, **sums)

    def strongest(self, count: int = 5) -> list[Interaction]:
        """The largest mean interactions, of either sign, the largest first."""
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
    regions: str | Iterable[str] = "groups",
    interactions: bool = True,
    dilate_cm: float = 0.0,
    labels: str | Path | None = None,
    preset: str = "default",
    level: int = 1,
    aligner: Aligner | None = None,
    batch: int = 64,
    engine: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> RegionSummary:
    """`explain_regions` over many photos, or over faces that are aligned already.

    A photo that cannot be explained is listed in ``failed``, and the others go on.

    Args:
        photos: as of `canonface.audit`, or faces on one mesh.
        model: a `Model`, or whatever `canonface.load_model` takes.
        target: as of `canonface.audit`.
        regions: as of `explain_regions`.
        interactions: as of `explain_regions`.
        dilate_cm: as of `explain_regions`.
        labels: CSV file with a ``path`` column, for a target ``label:COLUMN``. None: ``photos``, if it is one.
        preset: ``default`` or ``paper``.
        level: of the canonical mesh; ignored if ``aligner`` or faces are given.
        aligner: places faces on a mesh; by default the landmarker.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike.
        progress: called after each photo.
        **options: ``confidence`` and ``fill``.

    Raises:
        OptionError, LabelsError, TargetError, ModelError: the arguments do not fit.
        CanonfaceError: no photo could be used: the last one's reason.
    """
    loaded, settings = load_model(model), region_settings(preset, target, options)
    check_model(settings.confidence_fn(), loaded)
    confidence_fn = settings.confidence_fn()
    confidence_fn.check(loaded.outputs, loaded.labels)
    chosen = regions if isinstance(regions, str) else tuple(regions)
    cases = list(_cases(photos, labels, aligner, level, confidence_fn.label_column))
    learned = ModelRunner(loaded, engine, batch)
    summary: RegionSummary | None = None
    failed: list[tuple[str, CanonfaceError]] = []
    for done, (name, find, known) in enumerate(cases, start=1):
        try:
            for face in find():
                names = region_names(face.mesh, chosen)
                effects = region_effects(
                    face, loaded, settings, names, interactions, dilate_cm, known, learned
                )
                one = RegionSummary.of(effects, confidence_fn.unit)
                summary = one if summary is None else summary.merge(one)
        except CanonfaceError as error:
            # What is wrong with the question itself would be wrong for every photo.
            if isinstance(error, OptionError):
                raise
            failed.append((name, error))
        if progress is not None:
            progress(Progress(done, len(cases), len(failed), 0))
    if summary is None:
        raise failed[-1][1]
    return replace(summary, failed=tuple((name, error.reason) for name, error in failed))


_Case = tuple[str, Callable[[], list[Face]], Mapping[str, str]]
"""Name of a photo, how to find its faces, and its labels."""


def _cases(
    photos: Photos | Iterable[Face],
    labels: str | Path | None,
    aligner: Aligner | None,
    level: int,
    column: str | None,
) -> Iterator[_Case]:
    """The photos or faces that are asked about."""
    given: Any = photos if isinstance(photos, str | Path) else list(photos)
    if not isinstance(given, str | Path) and any(isinstance(item, Face) for item in given):
        if column is not None:
            raise OptionError(
                f"A target label:{column} needs photos and their labels; got faces: give photos."
            )
        yield from ((face.path or f"face {i}", partial(_just, face), {}) for i, face in enumerate(given))
        return
    aligner = aligner or LandmarkerAligner(load_mesh(level))
    found = find_photos(given)
    table = labels if labels is not None else table_of(given)
    known = read_labels(Path(table), found) if table is not None else {name: {} for name in found.names}
    if column is not None:
        require_column(column, known)
    for name in found.names:
        yield printable(name), partial(aligner, found.path(name)), known[name]


def _just(face: Face) -> list[Face]:
    return [face]
