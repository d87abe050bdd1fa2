"""The planted-cue study: many trials, every method asked in each, one table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from canonface.alignment import Aligner
from canonface.data.photos import Photos
from canonface.errors import ConfigurationChangedError, LabelsError, OptionError, RunError
from canonface.pipeline import Progress
from canonface.studies.planted.portraits import SIDE, Portraits, make_portraits
from canonface.studies.planted.proportions import Proportion
from canonface.studies.planted.rules import CANONICAL, SIGNS, chosen_methods
from canonface.studies.planted.scoring import Score
from canonface.studies.planted.training import Recipe
from canonface.studies.planted.trial import (
    FEWEST_PHOTOS,
    LEAST_ACCURACY,
    Trial,
    make_plans,
    read_trial,
    run_trial,
    save_trial,
)
from canonface.studies.tables import Table
from canonface.types import Mesh

TARGET = 0.95
"""Share of the trials in which canonical occlusion maps are to name the region."""
KINDS = {"mark": "marks", "make-up": "make-up"}
Told = Callable[[str, Progress], None]
"""Called as the work goes on: what is done, and how far it is."""


@dataclass(frozen=True)
class Row:
    """One method in the trials of one kind.

    Attributes:
        kind: of the cues.
        method: its name.
        hits: trials in which its peak lies in the region or within half a patch of it.
        inside: in the region itself.
        ties: trials in which equal peaks lie on both sides of that border.
        flat: trials in which the map says nothing.
        mass: median share of the positive map in the region.
        auc: median over the trials.
        distance_cm: median, from the peak to the region.
        seconds: a face, the mean; NaN where it has no time of its own.
    """

    kind: str
    method: str
    hits: Proportion
    inside: Proportion
    ties: int
    flat: int
    mass: float
    auc: float
    distance_cm: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Planted:
    """What came of the study.

    Attributes:
        mesh: of the maps.
        trials: all of them, also those that do not count.
        methods: names, canonface's own first.
        portraits: number of photos that could be aligned.
        failed: number of those that could not.
    """

    mesh: Mesh = field(repr=False)
    trials: tuple[Trial, ...] = field(repr=False)
    methods: tuple[str, ...]
    portraits: int
    failed: int

    def counted(self, kind: str) -> list[Trial]:
        """The trials of a kind that count."""
        return [trial for trial in self.trials if trial.plan.kind == kind and trial.counts]

    def rows(self) -> list[Row]:
        """A row for each kind and method."""
        return [
            _row(kind, method, self.counted(kind))
            for kind in KINDS
            if self.counted(kind)
            for method in self.methods
        ]

    def chance(self, kind: str) -> tuple[float, float]:
        """Mean over the trials of what a map that knows nothing would reach: hits, and share of the mass."""
        known = [trial.chance for trial in self.counted(kind) if trial.chance is not None]
        if not known:
            return np.nan, np.nan
        return float(np.mean([one.hit for one in known])), float(np.mean([one.mass for one in known]))

    def table(self) -> Table:
        """A row for each kind and method, chance first."""
        rows: list[dict[str, Any]] = []
        for kind in KINDS:
            trials = len(self.counted(kind))
            if trials:
                hit, mass = self.chance(kind)
                rows.append(
                    {
                        "cue": kind,
                        "method": "chance",
                        "trials": trials,
                        "hit_rate": hit,
                        "mass": mass,
                        "auc": 0.5,
                    }
                )
            rows += [_cells(row) for row in self.rows() if row.kind == kind]
        return rows

    def trial_table(self) -> Table:
        """A row for each trial and method; one without a method for a trial that does not count."""
        rows = []
        for trial in self.trials:
            about: dict[str, Any] = {
                "trial": trial.plan.name, "cue": trial.plan.kind, "region": trial.plan.region,
                "size": trial.plan.size, "head": trial.plan.head, "left_out": trial.reason,
                "accuracy": trial.accuracy, "epochs": trial.epochs, "faces": trial.faces,
            }  # fmt: skip
            if trial.reliance is not None:
                about |= {f"probability_{name}": value for name, value in asdict(trial.reliance).items()}
            if not trial.scores:
                rows.append(about)
            rows += [about | _trial_cells(method, one) for method, one in trial.scores.items()]
        return rows

    def groups(self) -> Table:
        """Hits in the trials with marks by what was drawn for them: the network's head, the size of the marks."""
        rows: list[dict[str, Any]] = []
        for attribute in ("head", "size"):
            values = sorted({getattr(trial.plan, attribute) for trial in self.counted("mark")})
            for method in self.methods:
                for value in values:
                    trials = [one for one in self.counted("mark") if getattr(one.plan, attribute) == value]
                    hits = _hits(trials, method)
                    low, high = hits.interval
                    rows.append(
                        {"by": attribute, "value": value, "method": method, "trials": hits.trials}
                        | {"hits": hits.hits, "hit_rate": hits.share, "hit_low": low, "hit_high": high}
                    )
        return rows

    def words(self) -> list[str]:
        """The findings, a sentence a line."""
        said = []
        for kind, name in KINDS.items():
            of_kind = [trial for trial in self.trials if trial.plan.kind == kind]
            if not of_kind:
                continue
            counted = self.counted(kind)
            left_out = Counter(_short(trial.reason) for trial in of_kind if not trial.counts)
            why = "".join(f"; {number} left out: {reason}" for reason, number in left_out.items())
            said.append(f"{name}: {len(counted)} of {len(of_kind)} trials count{why}")
            if counted:
                hits = _hits(counted, CANONICAL)
                low, high = hits.interval
                said.append(
                    f"{name}: the canonical map's peak names the region in {hits.hits} of {hits.trials} trials "
                    f"({hits.share:.0%}, 95% interval {low:.0%} to {high:.0%}; chance {self.chance(kind)[0]:.0%})"
                    + ("" if kind != "mark" else f"; target {TARGET:.0%}: " + _verdict(hits))
                )
        return said

    def summary(self) -> dict[str, Any]:
        """The findings for a script."""
        return {
            "trials": len(self.trials),
            "counted": {kind: len(self.counted(kind)) for kind in KINDS},
            "left_out": {trial.plan.name: trial.reason for trial in self.trials if not trial.counts},
            "rows": [
                {
                    key: None if isinstance(value, float) and np.isnan(value) else value
                    for key, value in row.items()
                }
                for row in self.table()
            ],
        }


def planted(
    photos: Photos,
    out: str | Path,
    *,
    labels: str | Path | None = None,
    identity: str = "identity",
    trials: int = 40,
    make_up: int | None = None,
    make_up_label: str | None = None,
    most_photos: int | None = None,
    faces: int = 30,
    methods: Sequence[str] | None = None,
    seed: int = 0,
    quick: bool = False,
    aligner: Aligner | None = None,
    told: Told | None = None,
) -> Planted:
    """Train networks to use one region of the face each, and see which methods' canonical maps point to it.

    Each finished trial is written at once; started again with the same arguments, the study goes on. More trials
    than before add to those that are there.

    Args:
        photos: real photos of faces, as `canonface.audit` takes them; several hundred at least.
        out: folder of the study; made if it is missing.
        labels: CSV file with a column path; the photos' own, if they are one.
        identity: column that says who is shown: nobody is in training and held out. Without it, each photo is a
            person of its own.
        trials: networks that learn a mark.
        make_up: networks that learn eye make-up; None: a fourth as many.
        make_up_label: column of two values that the make-up goes with; None: labels are drawn.
        most_photos: so many of the photos, drawn at random; None: all.
        faces: held-out faces that each map is made of, at most.
        methods: names of `canonface.methods.METHODS`; None: all. canonface's own maps are always made.
        seed: of everything that is drawn.
        quick: fewer epochs and faces and 400 photos: a try, no result.
        aligner: places faces; by default the landmarker.
        told: is told of the progress.

    Raises:
        OptionError: an option cannot be used.
        LabelsError: the labels cannot be read, or the column of make-up has not two values.
        ConfigurationChangedError: the folder holds a study with other arguments.
        RunError: there are too few photos, or the folder cannot be written to.
    """
    if trials < 0 or faces < 1 or (make_up is not None and make_up < 0):
        raise OptionError(
            f"A study has no fewer than 0 trials and 1 face; got trials={trials}, make_up={make_up}, faces={faces}."
        )
    folder = Path(out)
    chosen = chosen_methods(None if methods is None else list(methods))
    recipe = Recipe(epochs=15) if quick else Recipe()
    faces = min(faces, 12) if quick else faces
    most_photos = min(most_photos or 400, 400) if quick else most_photos
    portraits = make_portraits(
        photos,
        folder / "portraits",
        labels=labels,
        identity=identity,
        most=most_photos,
        seed=seed,
        aligner=aligner,
        progress=None if told is None else lambda state: told("aligning", state),
    )
    if len(portraits) < FEWEST_PHOTOS:
        raise RunError(
            f"A network learns a cue from at least {FEWEST_PHOTOS} photos with a face; got {len(portraits)}: give "
            "more."
        )
    target = None if make_up_label is None else two_values(portraits, make_up_label)
    _check_same(
        folder / "study.json",
        {
            "photos": sha256("\n".join(portraits.names).encode()).hexdigest(),
            "people": sha256("\n".join(portraits.people).encode()).hexdigest(),
            "side": SIDE,
            "seed": seed,
            "faces": faces,
            "recipe": asdict(recipe),
            "make_up_label": make_up_label,
            "methods": {
                name: {"sign": SIGNS[name]} | ({} if one is None else dict(one.describe()))
                for name, one in chosen.items()
            },
        },
    )
    counts = {"mark": trials, "make-up": trials // 4 if make_up is None else make_up}
    plans = [plan for kind, count in counts.items() for plan in make_plans(portraits, kind, count, seed)]
    done: list[Trial] = []
    resumed = 0
    for plan in plans:
        path = folder / "trials" / f"{plan.name}.json"
        if path.exists():
            trial, resumed = read_trial(path), resumed + 1
        else:
            trial = run_trial(plan, portraits, chosen, faces=faces, labels=target, recipe=recipe)
            save_trial(trial, path.parent)
        done.append(trial)
        if told is not None:
            failed = sum(not one.counts for one in done)
            told("trials", Progress(len(done), len(plans), failed=failed, resumed=resumed))
    return Planted(portraits.mesh, tuple(done), tuple(chosen), len(portraits), portraits.failed)


def two_values(portraits: Portraits, column: str) -> Bool[np.ndarray, "f"]:
    """Whether each photo has the first, by the alphabet, of a column's two values.

    Raises:
        LabelsError: there is no such column, or it has not two values.
    """
    if column not in portraits.labels:
        raise LabelsError(
            f"Make-up goes with a column of the labels; there is no {column!r}: "
            f"{', '.join(portraits.labels) or 'there are none'}."
        )
    values = sorted(set(portraits.labels[column]))
    if len(values) != 2 or "" in values:
        raise LabelsError(
            f"Make-up goes with a column of two values, known for every photo; {column!r} has {len(values)}: "
            f"{', '.join(map(repr, values[:5]))}."
        )
    return np.array([value == values[0] for value in portraits.labels[column]])


def _check_same(path: Path, settings: dict[str, Any]) -> None:
    """Write down what a folder's trials have in common, or refuse what differs from it."""
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        differ = [name for name in settings if before.get(name) != settings[name]]
        if differ:
            raise ConfigurationChangedError(
                f"A study goes on with the arguments that it was started with; {path.parent} differs in "
                f"{', '.join(differ)}. Take another folder, or the same arguments."
            )
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"A study needs a folder that can be written to; {path} cannot be written: {error.strerror or error}."
        ) from error


def _row(kind: str, method: str, trials: list[Trial]) -> Row:
    scores = [trial.scores[method] for trial in trials]
    seconds = [trial.seconds[method] / trial.faces for trial in trials if trial.seconds.get(method)]
    return Row(
        kind=kind,
        method=method,
        hits=_hits(trials, method),
        inside=Proportion(sum(one.inside for one in scores), len(scores)),
        ties=sum(one.tied for one in scores),
        flat=sum(one.flat for one in scores),
        mass=_median([one.mass for one in scores]),
        auc=_median([one.auc for one in scores]),
        distance_cm=_median([one.distance_cm for one in scores]),
        seconds=float(np.mean(seconds)) if seconds else np.nan,
    )


def _hits(trials: list[Trial], method: str) -> Proportion:
    return Proportion(sum(trial.scores[method].hit for trial in trials), len(trials))


def _median(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else np.nan


def _cells(row: Row) -> dict[str, Any]:
    low, high = row.hits.interval
    return {
        "cue": row.kind, "method": row.method, "map": SIGNS[row.method], "trials": row.hits.trials,
        "hits": row.hits.hits, "hit_rate": row.hits.share, "hit_low": low, "hit_high": high,
        "inside": row.inside.hits, "inside_rate": row.inside.share, "inside_low": row.inside.interval[0],
        "inside_high": row.inside.interval[1], "mass": row.mass, "auc": row.auc, "distance_cm": row.distance_cm,
        "ties": row.ties, "flat": row.flat, "seconds_a_face": row.seconds,
    }  # fmt: skip


def _trial_cells(method: str, one: Score) -> dict[str, Any]:
    return {
        "method": method, "hit": int(one.hit), "inside": int(one.inside), "tied": int(one.tied),
        "flat": int(one.flat), "distance_cm": one.distance_cm, "mass": one.mass, "auc": one.auc,
        "peak": " ".join(one.peak_regions),
    }  # fmt: skip


def _short(reason: str) -> str:
    """A reason without its numbers, to be counted."""
    if reason.startswith("accuracy"):
        return f"the network did not learn its cue (accuracy under {LEAST_ACCURACY:.0%} on held-out photos)"
    return "too few photos show enough of the region"


def _verdict(hits: Proportion) -> str:
    if hits.share < TARGET:
        return "not reached"
    return "reached" if hits.interval[0] >= TARGET else "reached, but the interval goes below it"
