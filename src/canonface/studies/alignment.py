"""Study of the alignment (the paper's figures 20, 21): none, five points, the landmarker's mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from canonface._deprecated import renamed_parameters
from canonface.alignment import Aligner, make_aligner
from canonface.errors import OptionError, near_names
from canonface.evaluation import PAPER, evaluate
from canonface.functional import average_drop, increase_in_confidence, win_rate
from canonface.mesh import five_point_mesh, load_mesh, pixel_mesh
from canonface.models import Model, load_model
from canonface.progress import SettingOption
from canonface.run import Run
from canonface.studies.aligners import CachedAligner
from canonface.studies.comparison import SettingComparison, compare
from canonface.studies.reliability import SPLITS
from canonface.studies.sweep import Setting, vary
from canonface.studies.tables import Table
from canonface.studies.targets import with_confidence
from canonface.types import Mesh

ALIGNMENTS = ("none", "five-point", "landmarker")
TOTAL = 0.05
"""Total attribution of each map in a photo, as a share of a white one: equal, so that no map wins by size."""


@dataclass(frozen=True)
class AlignmentScores:
    """Faithfulness of one alignment's model map, drawn on photos (eq. 9-13).

    Attributes:
        photos: number of photos scored.
        average_drop: percent (eq. 11); more is better.
        increase: percent of photos whose confidence rose (eq. 12); less is better.
        win: percent of photos on which this alignment's map removes the most confidence (eq. 13), ties split.
    """

    photos: int
    average_drop: float
    increase: float
    win: float


@dataclass(frozen=True, eq=False)
class AlignmentComparison(SettingComparison):
    """A `SettingComparison` of alignments.

    Attributes:
        scores: alignment -> its scores; empty where nothing was scored.
    """

    scores: Mapping[str, AlignmentScores] = field(default_factory=dict)

    def table(self) -> Table:
        """Return a row for each alignment, with its scores."""
        return [
            {**row, **(vars(self.scores[row["setting"]]) if self.scores else {})} for row in super().table()
        ]


@renamed_parameters(told="progress", level="subdivision")
def alignment(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    alignments: Sequence[str] = ALIGNMENTS,
    scored: int = 0,
    total: float = TOTAL,
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    subdivision: int = 1,
    **options: Any,
) -> AlignmentComparison:
    """Compare maps of the same photos on three coordinate systems.

    ``none`` is a grid over each photo, ``five-point`` a grid that follows eyes, nose and mouth corners by a
    similarity, ``landmarker`` the canonical mesh. A model whose crop depends on the mesh receives another crop under
    each. Maps on different meshes cannot be correlated; each has a reliability, and metrics when drawn on photos.

    Args:
        photos: as `canonface.audit` takes them.
        model: as `canonface.audit` takes it.
        out: folder of the study; one run an alignment.
        alignments: some of `ALIGNMENTS`.
        scored: number of photos on which the paper's three metrics are measured (`canonface.evaluation.evaluate`),
            drawn at random from those that all alignments have explained; 0: none.
        total: total attribution of every map in a photo, as a share of a white one.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits, of the photos scored and of a design.
        subdivision: subdivision of the landmarker's mesh.
        **options: options of `canonface.audit`.

    Raises:
        OptionError: an alignment has no known name, or an option cannot be used.
    """
    aligners = {name: aligner_of(name, subdivision) for name in alignments}
    loaded = load_model(model)
    settings = [Setting(name, {"aligner": CachedAligner(aligner)}) for name, aligner in aligners.items()]
    chosen = with_confidence(loaded, options)
    runs = vary(photos, settings, out, progress=progress, model=loaded, cluster=cluster, seed=seed, **chosen)
    named = dict(zip(aligners, runs, strict=True))
    found = compare("alignment", list(named.items()), cluster=cluster, splits=splits, seed=seed)
    scores = scores_of(named, loaded, scored, total, chosen.get("confidence"), seed) if scored else {}
    return AlignmentComparison(**vars(found) | {"scores": scores, "notes": _notes(found, scores)})


def scores_of(
    runs: Mapping[str, Run], model: Model, photos: int, total: float, confidence: Any = None, seed: int = 0
) -> dict[str, AlignmentScores]:
    """Return the three metrics of each run's model map, on the same photos and with the same total attribution.

    Args:
        runs: alignment -> run.
        model: model of the runs.
        photos: number of photos to score.
        total: total attribution, as a share of a white photo.
        confidence: confidence of the runs, where it is more than a name.
        seed: seed of the choice of photos.
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
    # A crop by another mesh is another input, so the share of its confidence that is left is compared.
    wins = win_rate({name: left[name] / np.maximum(original[name], 1e-12) for name in found})
    return {
        name: AlignmentScores(
            photos=len(kept),
            average_drop=average_drop(original[name], left[name]),
            increase=increase_in_confidence(original[name], left[name]),
            win=wins[name],
        )
        for name in found
    }


@renamed_parameters(level="subdivision")
def aligner_of(name: str, subdivision: int = 1) -> Aligner:
    """Return an aligner of the study on its own mesh.

    Raises:
        OptionError: no aligner has that name.
    """
    meshes: dict[str, Callable[[], Mesh]] = {
        "none": pixel_mesh,
        "five-point": five_point_mesh,
        "landmarker": lambda: load_mesh(subdivision),
    }
    if name not in meshes:
        raise OptionError(f"An alignment has a known name; got {name!r}: {near_names(name, meshes)}")
    return make_aligner(name, meshes[name]())


def _notes(found: SettingComparison, scores: Mapping[str, AlignmentScores]) -> tuple[str, ...]:
    notes = [] if found.places.size else ["Each map lies on its own mesh, so none are correlated."]
    if found.columns[0].run.manifest.configuration["model"]["spec"]["crop"] == "face":
        notes.append("The model's crop follows each alignment's own mesh, so its input differs too.")
    if not scores:
        return (
            *found.notes,
            *notes,
            "Average Drop, Increase and Win were not measured: --scored 50 (scored=50) measures them on 50 photos.",
        )
    values = "; ".join(
        f"{name} {one.average_drop:.1f}, {one.increase:.1f}, {one.win:.1f}" for name, one in scores.items()
    )
    photos = next(iter(scores.values())).photos
    return (*found.notes, *notes, f"Average Drop, Increase, Win in percent, {photos} photos: {values}.")
