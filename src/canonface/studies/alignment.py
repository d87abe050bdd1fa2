"""What the canonical alignment is worth (the paper's figures 20, 21): none, five points, the landmarker's mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from canonface.alignment import Aligner, make_aligner
from canonface.errors import OptionError, near_names
from canonface.evaluation import PAPER, evaluate
from canonface.functional import average_drop, increase_in_confidence, win_rate
from canonface.mesh import five_point_mesh, load_mesh, pixel_mesh
from canonface.models import Model, load_model
from canonface.run import Run
from canonface.studies.comparison import Comparison, compare
from canonface.studies.fixing import with_confidence_fn
from canonface.studies.reliability import SPLITS
from canonface.studies.tables import Table
from canonface.studies.varying import Remembering, Setting, Told, vary
from canonface.types import Mesh

ALIGNMENTS = ("none", "five-point", "landmarker")
TOTAL = 0.05
"""Heat that every alignment's map hides in a photo, as a share of a white one: alike, so that no map wins by size."""


@dataclass(frozen=True)
class Scores:
    """How faithful one alignment's model map is, drawn on photos (eq. 9-13).

    Attributes:
        photos: how many were scored.
        average_drop: percent (eq. 11); more is better.
        increase: percent of photos whose confidence rose (eq. 12); less is better.
        win: percent of photos of which this alignment's map hides the most confidence (eq. 13), ties split.
    """

    photos: int
    average_drop: float
    increase: float
    win: float


@dataclass(frozen=True, eq=False)
class AlignmentComparison(Comparison):
    """A `Comparison` of alignments.

    Attributes:
        scores: alignment -> its scores; empty where nothing was scored.
    """

    scores: Mapping[str, Scores] = field(default_factory=dict)

    def table(self) -> Table:
        """A row an alignment, its scores among it."""
        return [
            {**row, **(vars(self.scores[row["setting"]]) if self.scores else {})} for row in super().table()
        ]


def alignment(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    alignments: Sequence[str] = ALIGNMENTS,
    scored: int = 0,
    total: float = TOTAL,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    level: int = 1,
    **options: Any,
) -> AlignmentComparison:
    """Maps of the same photos on three coordinate systems.

    ``none`` is a grid over each photo as it is, ``five-point`` one that follows eyes, nose and mouth corners by a
    similarity, ``landmarker`` the canonical mesh. A model whose crop goes by the mesh is shown another crop under
    each. Maps on different meshes cannot be correlated; each has its reliability, and metrics when drawn on photos.

    Args:
        photos: as `canonface.audit` takes them.
        model: likewise.
        out: folder of the study; a run an alignment.
        alignments: some of `ALIGNMENTS`.
        scored: photos on which the paper's three metrics are measured (`canonface.evaluation.evaluate`), drawn by
            chance from those that all alignments have explained; 0: none.
        total: heat that every map hides in a photo, as a share of a white one.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves, of the photos scored and of a design.
        level: of the landmarker's mesh.
        **options: of `canonface.audit`.

    Raises:
        OptionError: an alignment has no known name, or an option cannot be used.
    """
    aligners = {name: aligner_of(name, level) for name in alignments}
    loaded = load_model(model)
    settings = [Setting(name, {"aligner": Remembering(aligner)}) for name, aligner in aligners.items()]
    given = with_confidence_fn(loaded, options)
    runs = vary(photos, settings, out, told=told, model=loaded, cluster=cluster, seed=seed, **given)
    named = dict(zip(aligners, runs, strict=True))
    found = compare("alignment", list(named.items()), cluster=cluster, splits=splits, seed=seed)
    scores = scores_of(named, loaded, scored, total, given.get("confidence"), seed) if scored else {}
    return AlignmentComparison(**vars(found) | {"scores": scores, "notes": _notes(found, scores)})


def scores_of(
    runs: Mapping[str, Run], model: Model, photos: int, total: float, confidence: Any = None, seed: int = 0
) -> dict[str, Scores]:
    """The three metrics of each run's model map, on the same photos and with the same heat.

    Args:
        runs: alignment -> run.
        model: of the runs.
        photos: how many are scored.
        total: heat, as a share of a white photo.
        confidence: of the runs, where it is more than a name.
        seed: of the photos.
    """
    paths = set.intersection(*(set(run.faces.column("path").to_pylist()) for run in runs.values()))
    order = np.random.default_rng(seed).permutation(len(paths))[:photos]
    chosen = [sorted(paths)[i] for i in order]
    own = None if isinstance(confidence, str) else confidence
    found = {
        name: evaluate(run, model, photos=chosen, metrics=PAPER, total=total, confidence=own, seed=seed)
        for name, run in runs.items()
    }
    kept = sorted(set.intersection(*(set(evaluation.names) for evaluation in found.values())))
    original, left = {}, {}
    for name, evaluation in found.items():
        rows = [evaluation.names.index(photo) for photo in kept]
        original[name] = evaluation.original[rows]
        left[name] = evaluation.left[rows, evaluation.methods.index("cms")]
    # A crop by another mesh is another input: what is compared is the share of its confidence that is left.
    wins = win_rate({name: left[name] / np.maximum(original[name], 1e-12) for name in found})
    return {
        name: Scores(
            photos=len(kept),
            average_drop=average_drop(original[name], left[name]),
            increase=increase_in_confidence(original[name], left[name]),
            win=wins[name],
        )
        for name in found
    }


def aligner_of(name: str, level: int = 1) -> Aligner:
    """An aligner of the study on its own mesh.

    Raises:
        OptionError: there is none of that name.
    """
    meshes: dict[str, Callable[[], Mesh]] = {
        "none": pixel_mesh,
        "five-point": five_point_mesh,
        "landmarker": lambda: load_mesh(level),
    }
    if name not in meshes:
        raise OptionError(f"An alignment has a known name; got {name!r}: {near_names(name, meshes)}")
    return make_aligner(name, meshes[name]())


def _notes(found: Comparison, scores: Mapping[str, Scores]) -> tuple[str, ...]:
    notes = [] if found.places.size else ["Each map lies on its own mesh, so that none are correlated."]
    if found.columns[0].run.manifest.configuration["model"]["spec"]["crop"] == "face":
        notes.append(
            "The model is shown the crop of each alignment's own mesh, so that its input differs too."
        )
    if not scores:
        return (
            *found.notes,
            *notes,
            "Average Drop, Increase and Win were not measured: --scored 50 (scored=50) does, on so many photos.",
        )
    values = "; ".join(
        f"{name} {one.average_drop:.1f}, {one.increase:.1f}, {one.win:.1f}" for name, one in scores.items()
    )
    photos = next(iter(scores.values())).photos
    return (*found.notes, *notes, f"Average Drop, Increase, Win in percent, {photos} photos: {values}.")
