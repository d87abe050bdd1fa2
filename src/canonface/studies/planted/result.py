"""Result of the planted-cue study: scores of each method over all trials, as tables and sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from canonface.statistics import json_value
from canonface.studies.planted.cue_scores import CueScore, Proportion
from canonface.studies.planted.model_maps import CANONICAL, SIGNS
from canonface.studies.planted.trial import LEAST_ACCURACY, Trial
from canonface.studies.tables import Table
from canonface.types import Mesh

TARGET = 0.95
"""Target share of the trials in which the canonical map's peak names the region."""
KINDS = {"mark": "marks", "make-up": "make-up"}


@dataclass(frozen=True)
class MethodResult:
    """Result of one method in the trials of one kind.

    Attributes:
        kind: kind of the cues.
        method: name of the method.
        hits: trials in which the peak lies in the region or within half a patch of it.
        inside: trials in which the peak lies in the region itself.
        ties: number of trials in which equal peaks lie on both sides of the border of a hit.
        flat: number of trials with a flat map.
        mass: median share of the positive map in the region.
        auc: median AUC.
        distance_cm: median distance of the peak to the region.
        seconds: mean time for a face; NaN where no time was measured.
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
    """Result of the planted-cue study.

    Attributes:
        mesh: mesh of the maps.
        trials: all trials, also those that do not count.
        methods: names of the methods, canonface's own first.
        portraits: number of photos that could be aligned.
        failed: number of photos that could not be aligned.
    """

    mesh: Mesh = field(repr=False)
    trials: tuple[Trial, ...] = field(repr=False)
    methods: tuple[str, ...]
    portraits: int
    failed: int

    def counted(self, kind: str) -> list[Trial]:
        """Return the trials of a kind that count."""
        return [trial for trial in self.trials if trial.plan.kind == kind and trial.counts]

    def rows(self) -> list[MethodResult]:
        """Return a result for each kind and method."""
        return [
            _row(kind, method, self.counted(kind))
            for kind in KINDS
            if self.counted(kind)
            for method in self.methods
        ]

    def chance(self, kind: str) -> tuple[float, float]:
        """Return the mean chance levels over the trials: of hits, and of the share of the mass."""
        known = [trial.chance for trial in self.counted(kind) if trial.chance is not None]
        if not known:
            return np.nan, np.nan
        return float(np.mean([one.hit for one in known])), float(np.mean([one.mass for one in known]))

    def table(self) -> Table:
        """Return a row for each kind and method, chance first."""
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
        """Return a row for each trial and method; a trial that does not count has one row without a method."""
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
        """Return the hits of the trials with marks, grouped by the network's head and by the size of the marks."""
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
        """Return the findings, a sentence a line."""
        lines = []
        for kind, name in KINDS.items():
            of_kind = [trial for trial in self.trials if trial.plan.kind == kind]
            if not of_kind:
                continue
            counted = self.counted(kind)
            left_out = Counter(_short(trial.reason) for trial in of_kind if not trial.counts)
            reasons = "".join(f"; {number} left out: {reason}" for reason, number in left_out.items())
            lines.append(f"{name}: {len(counted)} of {len(of_kind)} trials count{reasons}")
            if counted:
                hits = _hits(counted, CANONICAL)
                low, high = hits.interval
                lines.append(
                    f"{name}: the canonical map's peak names the region in {hits.hits} of {hits.trials} trials "
                    f"({hits.share:.0%}, 95% interval {low:.0%} to {high:.0%}; chance {self.chance(kind)[0]:.0%})"
                    + ("" if kind != "mark" else f"; target {TARGET:.0%}: " + _verdict(hits))
                )
        return lines

    def summary(self) -> dict[str, Any]:
        """Return the findings for a script."""
        return {
            "trials": len(self.trials),
            "counted": {kind: len(self.counted(kind)) for kind in KINDS},
            "left_out": {trial.plan.name: trial.reason for trial in self.trials if not trial.counts},
            "rows": [{key: json_value(value) for key, value in row.items()} for row in self.table()],
        }


def _row(kind: str, method: str, trials: list[Trial]) -> MethodResult:
    scores = [trial.scores[method] for trial in trials]
    seconds = [trial.seconds[method] / trial.faces for trial in trials if trial.seconds.get(method)]
    return MethodResult(
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


def _cells(row: MethodResult) -> dict[str, Any]:
    low, high = row.hits.interval
    return {
        "cue": row.kind, "method": row.method, "map": SIGNS[row.method], "trials": row.hits.trials,
        "hits": row.hits.hits, "hit_rate": row.hits.share, "hit_low": low, "hit_high": high,
        "inside": row.inside.hits, "inside_rate": row.inside.share, "inside_low": row.inside.interval[0],
        "inside_high": row.inside.interval[1], "mass": row.mass, "auc": row.auc, "distance_cm": row.distance_cm,
        "ties": row.ties, "flat": row.flat, "seconds_a_face": row.seconds,
    }  # fmt: skip


def _trial_cells(method: str, one: CueScore) -> dict[str, Any]:
    return {
        "method": method, "hit": int(one.hit), "inside": int(one.inside), "tied": int(one.tied),
        "flat": int(one.flat), "distance_cm": one.distance_cm, "mass": one.mass, "auc": one.auc,
        "peak": " ".join(one.peak_regions),
    }  # fmt: skip


def _short(reason: str) -> str:
    """Return a reason without its numbers, so that equal reasons are counted."""
    if reason.startswith("accuracy"):
        return f"the network did not learn its cue (accuracy under {LEAST_ACCURACY:.0%} on held-out photos)"
    return "too few photos show enough of the region"


def _verdict(hits: Proportion) -> str:
    if hits.share < TARGET:
        return "not reached"
    return "reached" if hits.interval[0] >= TARGET else "reached, but the interval goes below it"
