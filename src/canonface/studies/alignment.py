"""What the canonical alignment is worth (the paper's figures 20, 21): none, five points, the landmarker's mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from canonface.alignment import Aligner, make_aligner
from canonface.errors import OptionError, near_names
from canonface.mesh import five_point_mesh, load_mesh, pixel_mesh
from canonface.models import Model, load_model
from canonface.run import Run
from canonface.studies.comparison import Comparison, compare
from canonface.studies.fixing import with_question
from canonface.studies.reliability import SPLITS
from canonface.studies.tables import Table
from canonface.studies.varying import Remembering, Setting, Told, vary
from canonface.types import Mesh

ALIGNMENTS = ("none", "five-point", "landmarker")
Scores: TypeAlias = Callable[[Run, Model], Mapping[str, float]]
"""What a run's maps are worth: name of a metric -> value, e.g. Average Drop in percent."""


@dataclass(frozen=True, eq=False)
class AlignmentComparison(Comparison):
    """A `Comparison` of alignments.

    Attributes:
        scores: alignment -> metric -> value; empty where nothing was scored.
    """

    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def table(self) -> Table:
        """A row an alignment, its scores among it."""
        return [{**row, **self.scores.get(row["setting"], {})} for row in super().table()]

    def words(self) -> list[str]:
        """The findings in words."""
        lines = super().words()
        for name, scores in self.scores.items():
            lines.append(f"{name}: " + ", ".join(f"{metric} {value:.3g}" for metric, value in scores.items()))
        return lines


def alignment(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    alignments: Sequence[str] = ALIGNMENTS,
    scores: Scores | None = None,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    level: int = 1,
    **options: Any,
) -> AlignmentComparison:
    """Maps of the same photos on three coordinate systems.

    ``none`` is a grid over each photo as it is, ``five-point`` one that follows eyes, nose and mouth corners by a
    similarity, ``landmarker`` the canonical mesh. Maps on different meshes cannot be correlated; each has its
    reliability: where places do not mean the same on every face, the halves of the photos agree less.

    Args:
        photos: as `canonface.audit` takes them.
        model: likewise.
        out: folder of the study; a run an alignment.
        alignments: some of `ALIGNMENTS`.
        scores: the metrics of each run, such as Average Drop; None: none are computed.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves and of a design.
        level: of the landmarker's mesh.
        **options: of `canonface.audit`.

    Raises:
        OptionError: an alignment has no known name, or an option cannot be used.
    """
    aligners = {name: aligner_of(name, level) for name in alignments}
    loaded = load_model(model)
    settings = [Setting(name, {"aligner": Remembering(aligner)}) for name, aligner in aligners.items()]
    given = with_question(loaded, options)
    runs = vary(photos, settings, out, told=told, model=loaded, cluster=cluster, seed=seed, **given)
    named = list(zip(aligners, runs, strict=True))
    found = compare("alignment", named, cluster=cluster, splits=splits, seed=seed)
    scored = {} if scores is None else {name: scores(run, loaded) for name, run in named}
    return AlignmentComparison(**vars(found) | {"scores": scored, "notes": _notes(found, scores)})


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


def _notes(found: Comparison, scores: Scores | None) -> tuple[str, ...]:
    notes = ["Each map lies on its own mesh: correlations between them mean nothing, so none are given."]
    if len({column.run.mesh.name for column in found.columns}) == 1:
        notes = []
    if scores is None:
        notes.append("The three metrics of the paper were not asked for.")
    return (*found.notes, *notes)
