"""What is measured: one number an image and a method, each with its direction and its scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from canonface.errors import OptionError, near_names

Scale = Literal["percent", "confidence"]


@dataclass(frozen=True)
class Metric:
    """One way to score a map.

    Attributes:
        name: in files and options.
        title: on tables and pictures.
        better: whether a ``higher`` or a ``lower`` number is better.
        scale: ``percent``, or the unit of the run's ``confidence``.
        bounds: ends of the scale, if it has any.
        needs: which part of the work it is made of.
        meaning: in a few words.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    scale: Scale
    bounds: tuple[float, float] | None
    needs: Literal["hiding", "curves", "road", "decisions"]
    meaning: str

    @property
    def arrow(self) -> str:
        """Which way is better, for a heading."""
        return "↑" if self.better == "higher" else "↓"


PERCENT = (0.0, 100.0)
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            *("average-drop", "Average Drop %", "higher", "percent", PERCENT, "hiding"),
            "share of the confidence that goes with the heat, eq. 11",
        ),
        Metric(
            *("increase", "Increase %", "lower", "percent", PERCENT, "hiding"),
            "images the model grows surer of without the heat, eq. 12",
        ),
        Metric(
            *("win", "Win %", "higher", "percent", PERCENT, "hiding"),
            "images in which the method lowers the confidence most, eq. 13",
        ),
        Metric(
            *("drop", "Mean drop", "higher", "confidence", None, "hiding"),
            "confidence that goes with the heat, rises counted against it",
        ),
        Metric(
            *("deletion", "Deletion", "lower", "confidence", None, "curves"),
            "mean confidence while the hottest pixels go first",
        ),
        Metric(
            *("insertion", "Insertion", "higher", "confidence", None, "curves"),
            "mean confidence while the hottest pixels come first",
        ),
        Metric(
            *("road", "ROAD", "higher", "confidence", None, "road"),
            "confidence without the coldest pixels less that without the hottest",
        ),
        Metric(
            *("deletion-accuracy", "Deletion acc. %", "lower", "percent", PERCENT, "decisions"),
            "pairs rightly told while the hottest pixels go first",
        ),
        Metric(
            *("insertion-accuracy", "Insertion acc. %", "higher", "percent", PERCENT, "decisions"),
            "pairs rightly told while the hottest pixels come first",
        ),
    )
}
PAPER = ("average-drop", "increase", "win")
"""Those of eq. 11-13."""


def chosen_metrics(names: Iterable[str] | None, pairs: bool) -> tuple[Metric, ...]:
    """The metrics of these names, in their usual order; None: all that the run can be scored by.

    Raises:
        OptionError: there is none of a name, or it is about pairs and the run is not.
    """
    wanted = list(METRICS) if names is None else list(names)
    for name in wanted:
        if name not in METRICS:
            raise OptionError(f"A metric has a known name; got {name!r}: {near_names(name, METRICS)}")
        if names is not None and METRICS[name].needs == "decisions" and not pairs:
            raise OptionError(f"{name!r} is about decisions on pairs, and this run is about single faces.")
    if not wanted:
        raise OptionError("Maps are scored by at least one metric; got none.")
    return tuple(
        metric
        for metric in METRICS.values()
        if metric.name in wanted and (pairs or metric.needs != "decisions")
    )
