"""Bars of an evaluation: methods side by side by every metric, with intervals (the paper's figures 10 to 12)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from canonface.evaluation.metrics import Metric
from canonface.evaluation.result import Estimate, Evaluation
from canonface.evaluation.tables import made_by, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Axes = Figure = Any

OURS = {"cms": "#96092a", "cis": "#d62a2a"}
"""Ink of the canonical maps; other methods are grey, controls that ignore the model are hatched."""
OTHERS = ("#3d4f66", "#6c7f97", "#9fafc2", "#c3cedb", "#565656", "#8b8b8b", "#bdbdbd")
TITLES = {"cms": "CMS", "cis": "CIS", "random": "random", "centre": "centre"}
CONTROLS = ("random", "centre")
CONTROL_INK = "#777777"
_PANEL_WIDTH, _ROW_HEIGHT = 2.6, 0.34
_LETTERS_PER_INCH = 14


def bars(evaluation: Evaluation, titles: Mapping[str, str] | None = None) -> Figure:
    """Draw one panel per metric and one bar per method, with its interval as a line; each kind of pairs has a row.

    Args:
        evaluation: the evaluation.
        titles: name of a method -> its title; a missing name is its own title.
    """
    from matplotlib.figure import Figure as NewFigure

    groups, metrics = evaluation.group_names, evaluation.metrics
    columns = min(len(metrics), 4)
    lines = math.ceil(len(metrics) / columns)
    height = len(groups) * lines * (_ROW_HEIGHT * len(evaluation.methods) + 0.95) + 0.55
    figure = NewFigure(figsize=(_PANEL_WIDTH * columns + 1.3, height), dpi=150, layout="constrained")
    panels = figure.subplots(len(groups) * lines, columns, squeeze=False)
    named = TITLES | dict(titles or {})
    for g, group in enumerate(groups):
        part = evaluation.of_group(group)
        found = part.estimates()
        for i in range(lines * columns):
            axes = panels[g * lines + i // columns, i % columns]
            if i >= len(metrics):
                axes.set_axis_off()
                continue
            mine = [estimate for estimate in found if estimate.metric == metrics[i]]
            _panel(axes, metrics[i], mine, evaluation.unit, named, labelled=i % columns == 0)
            if group and i == 0:
                axes.set_title(
                    f"{group} ({len(part)} pairs)", loc="left", fontsize=9, fontweight="bold", pad=22
                )
    what = "pairs" if evaluation.of_pairs else "photos"
    by = f" by {made_by(evaluation)}" if made_by(evaluation) else ""
    heading = (
        f"{evaluation.model}: {len(evaluation)} {what}, "
        f"{evaluation.confidence_level:.0%} intervals. Red: canonical maps{by}. "
        "Hatched: controls that ignore the model. Arrows point to the better side."
    )
    figure.suptitle(textwrap.fill(heading, int(_LETTERS_PER_INCH * figure.get_figwidth())), fontsize=9)
    return figure


def _panel(
    axes: Axes,
    metric: Metric,
    estimates: Sequence[Estimate],
    unit: str,
    titles: Mapping[str, str],
    labelled: bool,
) -> None:
    from matplotlib.ticker import MaxNLocator

    others = [e.method for e in estimates if e.method not in (*OURS, *CONTROLS)]
    for row, estimate in enumerate(estimates):
        value, low, high = estimate.interval
        hatch = "////" if estimate.method in CONTROLS else None
        ink = _ink(estimate.method, others)
        shown = value if math.isfinite(value) else 0.0
        axes.barh(row, shown, height=0.72, color="white" if hatch else ink, edgecolor=ink, hatch=hatch)
        if math.isfinite(low) and math.isfinite(high):
            axes.plot([low, high], [row, row], color="black", linewidth=1.1, solid_capstyle="butt")
        text = words(estimate.interval, metric)[0] or "none"
        end = max(shown, high if math.isfinite(high) else shown)
        axes.annotate(text, (end, row), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7)
    axes.axvline(0, color="black", linewidth=0.8)
    names = [titles.get(e.method, e.method) for e in estimates]
    axes.set_yticks(range(len(names)), names if labelled else [""] * len(names), fontsize=8)
    axes.invert_yaxis()
    axes.set_title(f"{metric.title} {metric.arrow}", fontsize=9)
    axes.set_xlabel("percent" if metric.scale == "percent" else unit, fontsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="x", labelsize=7)
    axes.margins(x=0.22)
    if metric.scale == "percent":  # the room for words beyond 100 is not part of the scale
        axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 100])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _ink(method: str, others: Sequence[str]) -> str:
    if method in OURS:
        return OURS[method]
    return CONTROL_INK if method in CONTROLS else OTHERS[others.index(method) % len(OTHERS)]
