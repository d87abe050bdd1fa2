"""Metrics of faithfulness, with their direction and scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from canonface.errors import OptionError, near_names

Scale = Literal["percent", "confidence"]


@dataclass(frozen=True)
class Metric:
    """Metric that gives one number per image and method.

    Attributes:
        name: in files and options.
        title: on tables and pictures.
        better: direction in which a number is better, ``higher`` or ``lower``.
        scale: ``percent``, or the unit of the run's ``confidence``.
        bounds: ends of the scale; None: unbounded.
        needs: step of the evaluation that computes it.
        meaning: short definition.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    scale: Scale
    bounds: tuple[float, float] | None
    needs: Literal["removal", "curves", "road", "decisions"]
    meaning: str

    @property
    def arrow(self) -> str:
        """Return the arrow for a heading: up where higher is better."""
        return "↑" if self.better == "higher" else "↓"


PERCENT = (0.0, 100.0)
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            *("average-drop", "Average Drop %", "higher", "percent", PERCENT, "removal"),
            "share of the confidence that is lost without the attribution, eq. 11",
        ),
        Metric(
            *("increase", "Increase %", "lower", "percent", PERCENT, "removal"),
            "images in which the confidence rises without the attribution, eq. 12",
        ),
        Metric(
            *("win", "Win %", "higher", "percent", PERCENT, "removal"),
            "images in which the method lowers the confidence most, eq. 13",
        ),
        Metric(
            *("drop", "Mean drop", "higher", "confidence", None, "removal"),
            "confidence that is lost without the attribution; rises count as negative",
        ),
        Metric(
            *("deletion", "Deletion", "lower", "confidence", None, "curves"),
            "mean confidence while pixels are deleted, most relevant first",
        ),
        Metric(
            *("insertion", "Insertion", "higher", "confidence", None, "curves"),
            "mean confidence while pixels are inserted, most relevant first",
        ),
        Metric(
            *("road", "ROAD", "higher", "confidence", None, "road"),
            "confidence without the least relevant pixels minus that without the most relevant",
        ),
        Metric(
            *("deletion-accuracy", "Deletion acc. %", "lower", "percent", PERCENT, "decisions"),
            "pairs decided correctly while pixels are deleted, most relevant first",
        ),
        Metric(
            *("insertion-accuracy", "Insertion acc. %", "higher", "percent", PERCENT, "decisions"),
            "pairs decided correctly while pixels are inserted, most relevant first",
        ),
    )
}
PAPER = ("average-drop", "increase", "win")
"""The metrics of eq. 11-13."""


def chosen_metrics(names: Iterable[str] | None, pairs: bool) -> tuple[Metric, ...]:
    """Return the metrics of these names, in their usual order; None: all that suit the run.

    Raises:
        OptionError: a name is unknown, no metric is left, or a metric is about pairs and the run is not.
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
