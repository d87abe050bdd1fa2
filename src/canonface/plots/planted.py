"""Figures of the planted-cue study: maps with the planted region outlined, and each method's hit rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from canonface.maps import CMS
from canonface.mesh import Canvas
from canonface.methods.base import title_of
from canonface.plots.charts import COLOURS, chart, words
from canonface.plots.frontal import canonical_raster
from canonface.plots.panels import FacePicture, canonical_panel, outlined
from canonface.plots.pictures import scale_of
from canonface.plots.sheet import DPI, INK, SOFT_INK, Page, Panel, Rectangle, sheet
from canonface.plots.style import Scale
from canonface.studies.planted.marks import Area
from canonface.studies.planted.model_maps import CANONICAL, LOG_ODDS
from canonface.studies.planted.result import KINDS, TARGET, MethodResult, Planted
from canonface.studies.planted.trial import Trial, area_of
from canonface.types import Mesh

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

MOST_TRIALS = 5
_CHART, _BAR, _AROUND, _HEAD = 5.4, 0.3, 0.85, 0.5
_RATES = (
    "lines: Wilson's 95% intervals over trials",
    "dots: share with the peak in the region itself, without the tolerance of half a patch",
    "dashed: chance, a peak anywhere on the face · dotted: the target of canonical maps",
)
_NAMES = {CANONICAL: "Canonical (ours)", LOG_ODDS: "Canonical, log-odds"}


def planted_maps_figure(
    found: Planted, face_picture: FacePicture | None = None, *, title: str | None = None
) -> Figure:
    """Draw a row for each of a few trials: the planted region, and every method's model map with it outlined.

    The first counted trials are shown, make-up last; none is chosen by its result.

    Args:
        found: result of `canonface.studies.planted.planted`.
        face_picture: picture to draw on: see `canonface.plots.canonical`.
        title: title of the page.
    """
    rows = [_row_of(trial, found, face_picture, first=i == 0) for i, trial in enumerate(shown_trials(found))]
    if not rows:
        return sheet([[Panel(np.full((2, 2, 3), 255, dtype=np.uint8), "No trial counts")]], [], title or "")
    footer = " · ".join(
        [
            "outlined: the region that the network was trained to use",
            "red: up to each map's own largest value; blue: as far below 0",
            "hit: the peak lies in the region or within half a patch of it; else its distance",
        ]
    )
    heading = "Where was the cue planted? Every method's canonical model map" if title is None else title
    return sheet(rows, [], heading, footer, panel=1.55)


def planted_rates_figure(found: Planted, *, title: str | None = None) -> Figure:
    """Draw how often each method finds the planted region, with 95% intervals: a chart for each kind of cue."""
    from matplotlib import figure as matplotlib_figure

    rows = found.rows()
    kinds = [kind for kind in KINDS if any(row.kind == kind for row in rows)]
    width, tall = _CHART * max(len(kinds), 1), _AROUND + _BAR * len(found.methods)
    height = _HEAD + tall + 0.22 * len(_RATES) + 0.15
    page = Page(matplotlib_figure.Figure((width, height), dpi=DPI, facecolor="white"), width, height)
    heading = "How often the map's peak names the planted region" if title is None else title
    page.text(heading, 0.18, 0.18, width - 0.36, 14, weight="bold")
    for number, kind in enumerate(kinds):
        of_kind = [row for row in rows if row.kind == kind]
        _rates(found, of_kind, page, (0.1 + number * _CHART, _HEAD, _CHART - 0.2, tall))
    for number, words_of in enumerate(_RATES):
        page.text(words_of, 0.18, _HEAD + tall + 0.22 * number, width - 0.36, 8, color=SOFT_INK)
    figure: Figure = page.figure
    return figure


def shown_trials(found: Planted) -> Sequence[Trial]:
    """Return the first trials with marks, and the first with make-up."""
    make_up = found.counted("make-up")[:1]
    return [*found.counted("mark")[: MOST_TRIALS - len(make_up)], *make_up]


def map_of(values: Float[np.ndarray, "v"], mesh: Mesh, canvas: Canvas | None = None) -> CMS:
    """Return values at the vertices as a canonical map to draw, linear within the triangles; NaN is not drawn."""
    on = canvas or Canvas.of(mesh)
    known = np.isfinite(values)
    raster = canonical_raster(mesh, on)
    image = raster.interpolate(np.where(known, values, 0.0))
    seen = raster.inside & (raster.interpolate(known.astype(np.float64)) > 1 - 1e-6)
    empty = CMS.empty(mesh, "", canvas=on)
    return empty.add(np.where(seen, image, 0.0), seen.astype(np.int64), float("nan"))


def name_of(method: str) -> str:
    """Return the title of a method in pictures."""
    return _NAMES.get(method, title_of(method))


def _row_of(trial: Trial, found: Planted, face_picture: FacePicture | None, first: bool) -> list[Panel]:
    area = area_of(trial.plan, found.mesh)
    row = [_region_panel(trial, area, found.mesh, first)]
    for method in found.methods:
        cms, one = map_of(trial.values[method], found.mesh), trial.scores[method]
        picture = outlined(canonical_panel(cms, scale_of([cms]), face_picture), cms, area.triangles)
        note = "hit" if one.hit else "flat" if one.flat else f"{one.distance_cm:.1f} cm off"
        row.append(Panel(picture, name_of(method) if first else "", note))
    return row


def _region_panel(trial: Trial, area: Area, mesh: Mesh, first: bool) -> Panel:
    """Draw the region in colour."""
    raster = canonical_raster(mesh, Canvas.of(mesh))
    chosen = raster.select(area.triangles)
    cms = CMS.empty(mesh, "").add(chosen.astype(np.float64), raster.inside.astype(np.int64), float("nan"))
    note = trial.plan.region.replace("_", " ")
    return Panel(canonical_panel(cms, Scale(1.6)), "Planted" if first else "", note)


def _rates(found: Planted, rows: list[MethodResult], page: Page, place: Rectangle) -> None:
    kind = rows[0].kind
    axes = chart(page, place, "share of trials", "", left=1.75, bottom=0.5, top=0.3, right=0.75)
    places = np.arange(len(rows), dtype=np.float64)[::-1]
    for y, row in zip(places.tolist(), rows, strict=True):
        low, high = row.hits.interval
        own = row.method in _NAMES
        axes.barh(y, row.hits.share, height=0.62, color=COLOURS[0] if own else "#b9bcc6")
        axes.plot([low, high], [y, y], color=INK, linewidth=1.1)
        axes.plot(
            [row.inside.share], [y], "o", color="white", markeredgecolor=INK, markersize=4.2, clip_on=False
        )
        words(axes, 1.04, y, f"{row.hits.hits}/{row.hits.trials}", va="center")
    axes.axvline(found.chance(kind)[0], color=COLOURS[1], linewidth=1.1, linestyle="--")
    if kind == "mark":
        axes.axvline(TARGET, color=SOFT_INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(places, [name_of(row.method) for row in rows])
    axes.set_xlim(0, 1.0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(False, axis="y")
    what = "coloured marks" if kind == "mark" else "eye make-up"
    axes.set_title(f"{what}, trials: {rows[0].hits.trials}", size=10, color=INK, loc="left", weight="bold")
