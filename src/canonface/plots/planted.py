"""The pictures of the planted-cue study: maps with the planted region on them, and how often each method names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from canonface.maps import CMS
from canonface.mesh import Canvas
from canonface.methods.base import title_of
from canonface.plots.charts import COLOURS, chart, words
from canonface.plots.panels import FacePicture, canonical_panel, outlined
from canonface.plots.pictures import scale_of
from canonface.plots.raster import canonical_raster
from canonface.plots.sheet import INK, SOFT_INK, Bar, Below, Page, Panel, Rectangle, sheet
from canonface.plots.style import Scale
from canonface.studies.planted.marks import Area
from canonface.studies.planted.rules import CANONICAL, LOG_ODDS
from canonface.studies.planted.study import TARGET, Planted, Row
from canonface.studies.planted.trial import Trial, area_of
from canonface.types import Mesh

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

MOST_TRIALS = 5
_OWN = Scale(1.0, "share of each map's own largest value")
_BAR, _AROUND = 0.3, 1.0
_NAMES = {CANONICAL: "Canonical (ours)", LOG_ODDS: "Canonical, log-odds"}


def planted_maps_figure(
    found: Planted, face_picture: FacePicture | None = None, *, title: str | None = None
) -> Figure:
    """A row for each of a few trials: the planted region, and every method's canonical model map with it outlined.

    The first trials that count are shown, those with make-up last: none is chosen by what came of it.

    Args:
        found: of `canonface.studies.planted.planted`.
        face_picture: what to draw on: see `canonface.plots.canonical`.
        title: of the page.
    """
    rows = [_row_of(trial, found, face_picture, first=i == 0) for i, trial in enumerate(shown_trials(found))]
    if not rows:
        return sheet([[Panel(np.full((2, 2, 3), 255, dtype=np.uint8), "No trial counts")]], [], title or "")
    footer = " · ".join(
        [
            "the line is drawn around the region that the network was trained to use",
            "each map in shares of its own largest value",
            "hit: the peak lies in the region or within half a patch of it; else how far off it is",
        ]
    )
    heading = "Where was the cue planted? Every method's canonical model map" if title is None else title
    return sheet(rows, [Bar(_OWN, 1, min(5, len(rows[0]) - 1))], heading, footer, panel=1.3)


def planted_rates_figure(found: Planted, *, title: str | None = None) -> Figure:
    """How often each method names the planted region, with 95% intervals: a chart for each kind of cue."""
    rows = found.rows()
    kinds = [kind for kind in ("mark", "make-up") if any(row.kind == kind for row in rows)]
    blank = Panel(np.full((2, 2, 3), 255, dtype=np.uint8))
    height = _AROUND + _BAR * len(found.methods)

    def draw(page: Page, place: Rectangle) -> None:
        left, top, width, _ = place
        each = width / max(len(kinds), 1)
        for number, kind in enumerate(kinds):
            of_kind = [row for row in rows if row.kind == kind]
            _rates(found, of_kind, page, (left + number * each, top, each - 0.1, height))

    heading = "How often the map's peak names the planted region" if title is None else title
    footer = " · ".join(
        [
            "lines: Wilson's 95% intervals over trials",
            "dot: the peak lies in the region itself, without the tolerance of half a patch",
            "dashed: a peak anywhere on the face",
        ]
    )
    below = Below(height, draw)
    return sheet(
        [[blank] * (2 * len(kinds) or 1)], [], heading, footer, panel=2.6 if kinds else 2.0, below=below
    )


def shown_trials(found: Planted) -> Sequence[Trial]:
    """The first trials with marks, and the first with make-up."""
    make_up = found.counted("make-up")[:1]
    return [*found.counted("mark")[: MOST_TRIALS - len(make_up)], *make_up]


def map_of(values: Float[np.ndarray, "v"], mesh: Mesh, canvas: Canvas | None = None) -> CMS:
    """A map that is known at the vertices, linear within the triangles, as a canonical map to be drawn."""
    on = canvas or Canvas.of(mesh)
    known = np.isfinite(values)
    raster = canonical_raster(mesh, on)
    image = raster.interpolate(np.where(known, values, 0.0))
    seen = raster.inside & (raster.interpolate(known.astype(np.float64)) > 1 - 1e-6)
    empty = CMS.empty(mesh, "", canvas=on)
    return empty.add(np.where(seen, image, 0.0), seen.astype(np.int64), float("nan"))


def name_of(method: str) -> str:
    """How pictures write the name of a method."""
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
    """The region in colour."""
    raster = canonical_raster(mesh, Canvas.of(mesh))
    chosen = raster.select(area.triangles)
    cms = CMS.empty(mesh, "").add(chosen.astype(np.float64), raster.inside.astype(np.int64), float("nan"))
    note = trial.plan.region.replace("_", " ")
    return Panel(canonical_panel(cms, Scale(1.6)), "Planted" if first else "", note)


def _rates(found: Planted, rows: list[Row], page: Page, place: Rectangle) -> None:
    kind = rows[0].kind
    axes = chart(page, place, "share of trials", "", left=1.75, bottom=0.5, top=0.42, right=0.75)
    places = np.arange(len(rows), dtype=np.float64)[::-1]
    for y, row in zip(places.tolist(), rows, strict=True):
        low, high = row.hits.interval
        own = row.method in _NAMES
        axes.barh(y, row.hits.share, height=0.62, color=COLOURS[0] if own else "#b9bcc6")
        axes.plot([low, high], [y, y], color=INK, linewidth=1.1)
        axes.plot([row.inside.share], [y], "o", color="white", markeredgecolor=INK, markersize=4.2)
        words(axes, 1.03, y, f"{row.hits.hits}/{row.hits.trials}", va="center")
    axes.axvline(found.chance(kind)[0], color=COLOURS[1], linewidth=1.1, linestyle="--")
    if kind == "mark":
        axes.axvline(TARGET, color=SOFT_INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(places, [name_of(row.method) for row in rows])
    axes.set_xlim(0, 1.0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(False, axis="y")
    what = "coloured marks" if kind == "mark" else "eye make-up"
    axes.set_title(f"{what}: {rows[0].hits.trials} networks", size=10, color=INK, loc="left", weight="bold")
