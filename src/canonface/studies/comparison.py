"""Comparison of the maps of the same photos under several settings: correlation, reliability and peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError, RunError
from canonface.maps import CMS, Peak
from canonface.run import Run
from canonface.run.estimate import cluster_of, estimate_rows, estimated_cms, taken_rows
from canonface.run.stopping import CONFIDENCE_LEVEL
from canonface.statistics import json_value
from canonface.studies.reliability import FEWEST_PEOPLE, SPLITS, People, reliability_of
from canonface.studies.tables import Table


@dataclass(frozen=True, eq=False)
class Column:
    """Map of one setting.

    Attributes:
        name: name of the setting.
        run: its run.
        map: model map of the faces that every setting has explained.
        reliability: reliability of that map, from split halves of people and the Spearman-Brown formula; NaN below
            four people or if the map is flat.
        people: number of people.
    """

    name: str
    run: Run = field(repr=False)
    map: CMS = field(repr=False)
    reliability: float
    people: int

    @property
    def peak(self) -> Peak | None:
        """Highest place of the map."""
        return self.map.peak()

    @property
    def peak_words(self) -> str:
        """Names of the peak's regions."""
        peak = self.peak
        if peak is None or not np.nan_to_num(self.map.map).any():
            return "no place: the map is flat"
        if not self.map.mesh.regions:
            return "(no named regions)"
        return " / ".join(name.replace("_", " ") for name in peak.regions) or "between the named regions"

    @property
    def model_calls(self) -> int:
        """Number of forward passes of the run."""
        return int(sum(self.run.faces.column("model_calls").to_pylist()))


@dataclass(frozen=True, eq=False)
class SettingComparison:
    """Maps of the same faces under several settings.

    Attributes:
        study: name of the study.
        columns: one for each setting, in order.
        places: vertices at which maps are compared: the probes of the setting with the fewest probes where every map
            has a value; empty where maps lie on different meshes.
        correlations: Pearson correlation of each pair of maps over the places; NaN where it is not defined.
        faces: number of faces that every setting has explained.
        left_out: number of faces that at least one setting could not explain.
        notes: further remarks, a sentence each.
    """

    study: str
    columns: tuple[Column, ...]
    places: Int[np.ndarray, "p"] = field(repr=False)
    correlations: Float[np.ndarray, "s s"] = field(repr=False)
    faces: int
    left_out: int
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the settings."""
        return tuple(column.name for column in self.columns)

    @property
    def maps(self) -> dict[str, CMS]:
        """Map of each setting, by its name."""
        return {column.name: column.map for column in self.columns}

    def table(self) -> Table:
        """Return a row for each setting: its peak, its reliability and its correlation with each setting."""
        rows = []
        for column, correlations in zip(self.columns, self.correlations, strict=True):
            peak = column.peak
            row: dict[str, Any] = {
                "setting": column.name,
                "model": column.run.model_name,
                "unit": column.map.unit,
                "faces": self.faces,
                "people": column.people,
                "probes": len(column.run.probes),
                "model_calls": column.model_calls,
                "peak": column.peak_words,
                "peak_value": float("nan") if peak is None else peak.value,
                "reliability": column.reliability,
            }
            named = zip(self.names, correlations.tolist(), strict=True)
            rows.append(row | {f"r with {name}": value for name, value in named})
        return rows

    def regions(self) -> Table:
        """Return a row for each region of the mesh: the mean of each map over it."""
        values = {column.name: column.map.region_values() for column in self.columns}
        names = dict.fromkeys(name for column in self.columns for name in column.map.mesh.regions)
        return [
            {"region": region} | {name: means.get(region, float("nan")) for name, means in values.items()}
            for region in names
        ]

    def summary(self) -> dict[str, Any]:
        """Return the findings for a script; a number that is not known is None."""
        return {
            "faces": self.faces,
            "left_out": self.left_out,
            "settings": [
                {key: json_value(value) for key, value in row.items() if not key.startswith("r with ")}
                for row in self.table()
            ],
            "correlations": json_value(self.correlations.tolist()),
            "notes": list(self.notes),
        }

    def words(self) -> list[str]:
        """Return the findings, a sentence a line."""
        lines = [f"{len(self.columns)} maps of the same {self.faces:,} faces."]
        if self.left_out:
            lines[0] += f" {self.left_out} more could not be explained under every setting and are left out."
        for column in self.columns:
            peak = column.peak
            value = "" if peak is None else f" ({peak.value:+.3g})"
            reliability = (
                f"reliability {column.reliability:.2f}"
                if np.isfinite(column.reliability)
                else "reliability unknown" + (": it needs four people" if column.people < 4 else "")
            )
            lines.append(f"{column.name}: highest at {column.peak_words}{value}, {reliability}")
        return [*lines, *self._agreement(), *self.notes]

    def _agreement(self) -> list[str]:
        pairs = [
            (float(self.correlations[i, j]), self.names[i], self.names[j])
            for i in range(len(self.names))
            for j in range(i)
            if np.isfinite(self.correlations[i, j])
        ]
        if not pairs:
            return ["The maps cannot be correlated: they lie on different meshes or are flat."]
        least, most = min(pairs), max(pairs)
        if len(pairs) == 1:
            return [
                f"{least[2]} and {least[1]} correlate with r = {least[0]:.2f} over {len(self.places)} places."
            ]
        return [
            f"Least similar: {least[2]} and {least[1]}, r = {least[0]:.2f}; most similar: {most[2]} and {most[1]}, "
            f"r = {most[0]:.2f} (over {len(self.places)} places)."
        ]


def compare(
    study: str,
    runs: Sequence[tuple[str, Run]],
    *,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> SettingComparison:
    """Compare the maps of several runs over the faces that all of them have explained.

    Args:
        study: name of the study.
        runs: pairs of a setting's name and its run.
        cluster: column of the labels that names the person; None: the column that each run has chosen.
        splits: random splits into halves for the reliability.
        seed: seed of the splits, the same for each run.
        notes: further remarks, a sentence each.

    Raises:
        OptionError: there is no run.
        RunError: no face was explained in all of them.
    """
    if not runs:
        raise OptionError("A comparison needs at least one run; got none.")
    known = [
        set(np.array(run.faces.column("face_id").to_pylist(), dtype=object)[taken_rows(run)].tolist())
        for _, run in runs
    ]
    common = set.intersection(*known)
    if not common:
        reasons = [message for _, run in runs for message in run.failures.column("message").to_pylist()[:1]]
        raise RunError(
            "Maps are compared over the faces that every setting has explained, and there is none. "
            + (f"E.g.: {reasons[0]}" if reasons else "Look at the rows of the runs.")
        )
    columns = tuple(_column(name, run, common, cluster, splits, seed) for name, run in runs)
    places, correlations = agreement([column.map for column in columns], [run.probes for _, run in runs])
    return SettingComparison(
        study=study,
        columns=columns,
        places=places,
        correlations=correlations,
        faces=len(common),
        left_out=len(set.union(*known)) - len(common),
        notes=tuple(notes),
    )


def _column(name: str, run: Run, common: set[str], cluster: str | None, splits: int, seed: int) -> Column:
    chosen = taken_rows(run) & np.isin(run.faces.column("face_id").to_pylist(), sorted(common))
    people = People.of_run(run, cluster, chosen, fewest=1)
    enough = len(people) >= FEWEST_PEOPLE
    reliability = reliability_of(people, splits, seed) if enough else float("nan")
    return Column(name, run, map_of(run, chosen), reliability, len(people))


def map_of(run: Run, chosen: Bool[np.ndarray, "faces"]) -> CMS:
    """Return the model map of chosen rows: their mean, or the estimate where a design probed a part."""
    if run.design.is_full:
        return run.mean_map(chosen)
    return estimated_cms(
        run, chosen, estimate_rows(run, chosen, cluster_of(run), "people", CONFIDENCE_LEVEL), ""
    )


def agreement(
    maps: Sequence[CMS], probes: Sequence[Int[np.ndarray, "_"]]
) -> tuple[Int[np.ndarray, "p"], Float[np.ndarray, "s s"]]:
    """Return the places where all maps have a value, and the correlations of the maps over them.

    The places are the probes of the run with the fewest probes. There are none where maps lie on different meshes.
    """
    undefined = np.full((len(maps), len(maps)), np.nan)
    if len({cms.mesh.name for cms in maps}) > 1:
        return np.empty(0, dtype=np.int64), undefined
    fewest = min(probes, key=len)
    values = np.array([cms.vertex_values[fewest] for cms in maps])
    known = np.isfinite(values).all(axis=0)
    places, values = fewest[known], values[:, known]
    flat = np.ptp(values, axis=1) < 1e-12 if known.any() else np.ones(len(maps), dtype=bool)
    if flat.all() or len(places) < 3:
        return places, undefined
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.atleast_2d(np.corrcoef(values))
    found[flat], found[:, flat] = np.nan, np.nan
    return places, found
