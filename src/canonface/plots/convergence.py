"""Figure of a convergence study (the paper's figure 5): maps of growing numbers of photos, and their reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.plots.charts import COLOURS, chart, legend, plain_counts, words
from canonface.plots.panels import FacePicture, canonical_panel
from canonface.plots.pictures import scale_of
from canonface.plots.sheet import SOFT_INK, Bar, Below, Page, Panel, Rectangle, sheet
from canonface.plots.style import ColourMap
from canonface.studies.convergence import Convergence

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

MOST_MAPS = 5
_FARTHEST = 20.0  # times the photos at hand: a needed number beyond it is not drawn


def convergence_figure(
    found: Convergence,
    face_picture: FacePicture | None = None,
    *,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw maps of growing numbers of photos, each on its own scale, above the curve of their reliability.

    Args:
        found: result of `canonface.studies.convergence`.
        face_picture: picture to draw on: see `canonface.plots.canonical`.
        title: title of the page.
        cmap: see `canonface.plots.canonical`.
        dpi: pixels per inch; None: 160.
    """
    chosen = _spaced(list(found.maps), MOST_MAPS)
    maps = [found.maps[number] for number in chosen]
    below = Below(3.6, lambda page, place: _curve(found, page, place))
    heading = "How many photos the map needs" if title is None else title
    footer = " · ".join(
        [
            "dots: mean over random draws of people, split into halves that share nobody",
            "bars: 5% to 95% of single draws",
            *(["each map includes the photos of the maps to its left; scales differ"] if maps else []),
        ]
    )
    if not maps:
        blank = Panel(np.full((2, 2, 3), 255, dtype=np.uint8))
        return sheet([[blank, blank]], [], heading, footer, panel=2.6, below=below, dpi=dpi)
    scales = [scale_of([cms], cmap=cmap) for cms in maps]
    rows = [
        Panel(canonical_panel(cms, scale, face_picture), f"{number:,} photos".replace(",", " "), note)
        for number, cms, scale, note in zip(chosen, maps, scales, _notes(found, chosen), strict=True)
    ]
    bars = [Bar(scale, column, column) for column, scale in enumerate(scales)]
    # The words and the curve need the width of three maps.
    rows += [Panel(np.full((2, 2, 3), 255, dtype=np.uint8))] * (3 - len(rows))
    return sheet([rows], bars, heading, footer, panel=2.2, below=below, dpi=dpi)


def _notes(found: Convergence, chosen: list[int]) -> list[str]:
    reliable = {round(step.photos): step.reliability for step in found.steps}
    return [
        f"reliability {reliable[number]:.2f}" if np.isfinite(reliable.get(number, np.nan)) else ""
        for number in chosen
    ]


def _spaced(numbers: list[int], most: int) -> list[int]:
    """Return at most ``most`` of the numbers, evenly spread, with the first and the last."""
    if len(numbers) <= most:
        return numbers
    return [numbers[round(i)] for i in np.linspace(0, len(numbers) - 1, most)]


def _curve(found: Convergence, page: Page, place: Rectangle) -> None:
    axes = chart(page, place, "photos", "reliability (split halves, Spearman-Brown)", top=0.2)
    steps = [step for step in found.steps if np.isfinite(step.reliability)]
    x = np.array([step.photos for step in steps])
    y = np.array([step.reliability for step in steps])
    errors = np.array([[s.reliability - s.low for s in steps], [s.high - s.reliability for s in steps]])
    shown = np.isfinite(found.needed) and found.needed <= _FARTHEST * found.photos
    end = max(found.photos, found.needed if shown else 0.0) * 1.3
    ticks = [n for n in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000) if n <= end]
    ticks = [n for n in ticks if n >= x.min(initial=1e9) * 0.9]
    if len(ticks) < 2:
        ticks = sorted({round(float(n)) for n in x})
    plain_counts(axes, ticks)
    axes.set_xlim(x.min(initial=5.0) * 0.85, end)
    axes.set_ylim(min(0.0, float(np.nanmin(y, initial=0.0))), 1.02)
    axes.axhline(found.target, color=SOFT_INK, linewidth=0.9, linestyle=":")
    blue, red = COLOURS[:2]
    if np.isfinite(found.noise):
        within = np.geomspace(float(x.min()), float(found.photos), 60)
        beyond = np.geomspace(float(found.photos), end, 60)
        axes.plot(
            within, found.law(within), color=blue, linewidth=1.2, label="n / (n + noise), Spearman-Brown"
        )
        axes.plot(beyond, found.law(beyond), color=blue, linewidth=1.2, linestyle="--", label="extrapolated")
    axes.errorbar(
        x, y, np.maximum(errors, 0), fmt="o", color=blue, markersize=4.5, elinewidth=0.9, label="measured"
    )
    if shown:
        at = found.needed if found.extrapolated else found.crossed
        high = min(found.needed_high, end)
        axes.axvspan(found.needed_low, high, ymax=0.999, color=red, alpha=0.09, linewidth=0)
        axes.plot([at], [found.target], marker="D", color=red, markersize=5, linestyle="")
        kind = "extrapolated" if found.extrapolated else "within the data"
        text = f"{found.target:g} at about {at:,.0f} photos, {kind} (shaded: 95% interval)"
        words(axes, end * 0.97, 0.45, text, color=red, ha="right", weight="bold")
    # A rising curve leaves the lower right free, a low one the room under the target.
    low = float(np.nanmax(y, initial=0.0)) < 0.45
    legend(
        axes, loc="upper left" if low else "lower right", **({"bbox_to_anchor": (0.0, 0.9)} if low else {})
    )
