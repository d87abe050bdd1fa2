"""Figure of a comparison of settings: their maps side by side, above their correlations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from canonface.maps import CMS
from canonface.plots.charts import words
from canonface.plots.panels import FacePicture, canonical_panel, drawn_on
from canonface.plots.pictures import scale_of
from canonface.plots.sheet import INK, SOFT_INK, Bar, Below, Page, Panel, Rectangle, sheet
from canonface.plots.style import ColourMap, Scale
from canonface.studies.comparison import Column, SettingComparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

A_ROW = 6
"""Maps in a row; more start another row."""
_CELL, _NAME, _TOP, _LINE = 0.46, 1.95, 0.56, 0.24
_TABLE = 4.4
_REGIONS = 2


def comparison_figure(
    found: SettingComparison,
    pictures: Mapping[str, FacePicture] | None = None,
    *,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw maps side by side, each on its own scale, above their correlations, peaks and first regions.

    The diagonal of the correlations holds the reliability of each map: its expected correlation with the map of as
    many other people.

    Args:
        found: result of a study that compares settings.
        pictures: setting -> picture to draw its map on: see `canonface.plots.canonical`.
        title: title of the page.
        cmap: see `canonface.plots.canonical`.
        dpi: pixels per inch; None: 160.
    """
    columns = found.columns
    a_row = min(len(columns), A_ROW)
    rows = [columns[start : start + a_row] for start in range(0, len(columns), a_row)]
    alone = len(rows) == 1
    scales = {column.name: scale_of([column.map], cmap=cmap) for column in columns}
    pixels = {
        column.name: canonical_panel(column.map, scales[column.name], (pictures or {}).get(column.name))
        for column in columns
    }
    panels = [
        [
            Panel(
                pixels[column.name],
                column.name,
                _note(column, None if alone else scales[column.name]),
            )
            for column in row
        ]
        for row in rows
    ]
    bars = [Bar(scales[column.name], i, i) for i, column in enumerate(columns)] if alone else []
    size = {1: 3.4, 2: 3.4, 3: 2.8}.get(a_row, 2.2)
    page_width = a_row * (size + 0.14)
    matrix = _NAME + _CELL * len(columns)
    side_by_side = page_width >= matrix + _TABLE
    height = _TOP + max(_CELL, _LINE) * len(columns) + 0.25
    below = Below(
        height if side_by_side else height + 0.5 + _LINE * len(columns),
        lambda page, place: _below(found, page, place, matrix, side_by_side),
    )
    if page_width < max(matrix, _TABLE):
        panels = [[*row, *[_blank()] * (3 - len(row))] for row in panels]
    footer = " · ".join(
        [
            f"mean of the {found.faces:,} faces that every setting has explained".replace(",", " "),
            "reliability: split halves of people, Spearman-Brown",
            *(
                ["scales differ: read the numbers before the colours"]
                if alone
                else ["each map on its own scale, ± as noted"]
            ),
            *(["–: unknown"] if not np.isfinite([column.reliability for column in columns]).all() else []),
            *(["pale: not probed"] if any(_hidden(column.map) for column in columns) else []),
            *found.notes,
        ]
    )
    heading = f"The same photos under {len(columns)} settings" if title is None else title
    return sheet(panels, bars, heading, footer, panel=size, below=below, dpi=dpi)


def _note(column: Column, scale: Scale | None) -> str:
    """Return the note under a map's name."""
    reliable = f"reliability {_two_digits(column.reliability)}" if np.isfinite(column.reliability) else ""
    return reliable if scale is None else f"±{scale.limit:g} {column.map.unit}"


def _blank() -> Panel:
    return Panel(np.full((2, 2, 3), 255, dtype=np.uint8))


def _hidden(cms: CMS) -> bool:
    return bool((drawn_on(cms.mesh, cms.canvas) & (cms.seen == 0)).mean() > 0.002)


def _below(found: SettingComparison, page: Page, place: Rectangle, matrix: float, side_by_side: bool) -> None:
    left, top, width, _ = place
    _matrix(found, page, (left, top, matrix, _TOP + _CELL * len(found.columns)))
    if side_by_side:
        _findings(found.columns, page, (left + matrix + 0.35, top, width - matrix - 0.35, 0.0), _CELL)
    else:
        _findings(
            found.columns, page, (left, top + _TOP + _CELL * len(found.columns) + 0.1, width, 0.0), _LINE
        )


def _matrix(found: SettingComparison, page: Page, place: Rectangle) -> None:
    """Draw the correlations as cells, with the reliabilities on the diagonal."""
    left, top, _, _ = place
    count = len(found.columns)
    values = np.array(found.correlations)
    np.fill_diagonal(values, [column.reliability for column in found.columns])
    page.text("Correlation (r)", left, top + 0.04, _NAME + _CELL * count, 9, weight="bold", color=INK)
    page.text("on the diagonal: reliability", left, top + 0.26, _NAME, 8, color=SOFT_INK)
    axes = page.axes((left + _NAME, top + _TOP, _CELL * count, _CELL * count))
    axes.imshow(_shades(values), aspect="auto", interpolation="nearest")
    for i, name in enumerate(found.names):
        middle = top + _TOP + _CELL * (i + 0.5) - 0.08
        page.text(f"{i + 1}  {name}", left, middle, _NAME - 0.1, 9, color=INK)
        at = left + _NAME + _CELL * i
        page.text(f"{i + 1}", at, top + _TOP - 0.2, _CELL, 9, color=SOFT_INK, ha="center")
        for j in range(count):
            value = values[i, j]
            text = _two_digits(value) if np.isfinite(value) else "–"
            weight = "bold" if i == j else "normal"
            words(axes, j, i, text, ha="center", va="center", weight=weight, size=9)


def _shades(values: Float[np.ndarray, "s s"]) -> Float[np.ndarray, "s s 3"]:
    """Return cell colours: pale blue for similar, pale red for opposite, white for unrelated, grey for unknown."""
    strength = np.clip(np.nan_to_num(values), -1, 1)
    alike, opposite = np.array([0.66, 0.80, 0.95]), np.array([0.97, 0.70, 0.66])
    towards = np.where(strength[..., None] >= 0, alike, opposite)
    shade = 1 - np.abs(strength)[..., None] * (1 - towards)
    return np.where(np.isfinite(values)[..., None], shade, 0.93)


def _findings(columns: tuple[Column, ...], page: Page, place: Rectangle, step: float) -> None:
    """Write one line per setting: the peak of its map, and the regions that it relies on most."""
    left, top, width, _ = place
    side_by_side = step > _LINE
    peak = min(0.42 * width, 2.3)
    starts, rooms = (left, left + peak), (peak - 0.1, width - peak)
    for start, room, text in zip(
        starts, rooms, ("highest at", f"first {_REGIONS} regions, mean drop"), strict=True
    ):
        page.text(text, start, top + 0.26, room, 8, color=SOFT_INK)
    for i, column in enumerate(columns):
        y = top + _TOP + step * (i + 0.5) - 0.08 if side_by_side else top + 0.5 + step * i
        regions = list(column.map.region_values().items())[:_REGIONS]
        first = ", ".join(f"{region.replace('_', ' ')} {_short(value)}" for region, value in regions)
        high = _places(column) + ("" if column.peak is None else f" {_short(column.peak.value)}")
        for start, room, text in zip(
            starts, rooms, (high if side_by_side else f"{i + 1}  {high}", first), strict=True
        ):
            page.text(text, start, y, room, 9, color=INK)


def _places(column: Column) -> str:
    """Return as many of a peak's regions as a table has room for."""
    places = column.peak_words.split(" / ")
    return " / ".join(places[:2]) + (" ..." if len(places) > 2 else "")


def _short(value: float) -> str:
    return f"{value:+.2g}".replace("-", "−")


def _two_digits(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
