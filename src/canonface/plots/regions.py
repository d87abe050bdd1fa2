"""Bars of the drops of whole regions, with their strongest interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.pipeline import RegionSummary
from canonface.plots.charts import chart, words
from canonface.plots.sheet import DPI, SOFT_INK, Page
from canonface.plots.style import RELIED, ROSE, check_dpi

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

_WIDTH, _BAR, _AROUND, _HEAD = 6.4, 0.24, 0.7, 0.5  # inches
_SHOWN = 5
"""Interactions below the bars."""


def regions(summary: RegionSummary, *, title: str | None = None, dpi: float | None = None) -> Figure:
    """Draw the mean drop with each region occluded, the largest first, with the standard error of the mean.

    Args:
        summary: summary of one face or many.
        title: above the bars; by default the model and the number of faces.
        dpi: pixels per inch; None: `DPI`.

    Raises:
        OptionError: the dpi is out of range.
    """
    from matplotlib.figure import Figure as MatplotlibFigure

    if dpi is not None:
        check_dpi(dpi)
    mean, sem = summary.drops.mean, summary.drops.sem
    shown = [int(i) for i in np.argsort(-mean) if np.isfinite(mean[i])]
    strongest = summary.strongest(_SHOWN)
    tall = _AROUND + _BAR * max(len(shown), 1)
    below = 0.24 * (len(strongest) + 1) if strongest else 0.0
    height = _HEAD + tall + below + 0.3
    page = Page(MatplotlibFigure((_WIDTH, height), dpi=dpi or DPI, facecolor="white"), _WIDTH, height)
    faces = "1 face" if summary.faces == 1 else f"{summary.faces} faces"
    heading = title or f"The {summary.model} model with whole regions occluded, {faces}"
    page.text(heading, 0.18, 0.18, _WIDTH - 0.36, 13, weight="bold")
    label = f"drop in {summary.unit} (lines: ± standard error); red: relied on"
    axes = chart(page, (0.1, _HEAD, _WIDTH - 0.2, tall), label, "", left=1.5, bottom=0.5)
    places = np.arange(len(shown))[::-1]
    colours = [RELIED if mean[i] > 0 else ROSE for i in shown]
    axes.barh(
        places,
        mean[shown],
        xerr=np.nan_to_num(sem[shown]),
        color=colours,
        height=0.62,
        error_kw={"lw": 1.1, "ecolor": "#333"},
    )
    axes.axvline(0, color=SOFT_INK, linewidth=0.8)
    axes.set_yticks(places, [summary.names[i].replace("_", " ") for i in shown])
    axes.grid(False, axis="y")
    if not shown:
        words(axes, 0.0, 0.0, "no region was visible", color=SOFT_INK)
    if strongest:
        top = _HEAD + tall + 0.05
        page.text(
            "Two regions occluded together, minus the sum of each alone (+: either can replace the other)",
            0.18,
            top,
            _WIDTH - 0.36,
            9,
            color=SOFT_INK,
        )
        for number, pair in enumerate(strongest, start=1):
            error = f" ± {pair.sem:.3f}" if np.isfinite(pair.sem) else ""
            text = f"{pair.first} and {pair.second}: {pair.mean:+.3f}{error}".replace("_", " ")
            page.text(text, 0.3, top + 0.24 * number, _WIDTH - 0.6, 9)
    figure: Figure = page.figure
    return figure
