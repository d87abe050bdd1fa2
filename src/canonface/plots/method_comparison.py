"""Figure of methods side by side on photos (the paper's figure 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.errors import OptionError
from canonface.explanation.comparison import MethodComparison, reasons_in_words
from canonface.methods import attribution_unit, title_of
from canonface.plots.panels import attribution_panel, overlay_panel, photo_panel
from canonface.plots.pictures import scale_of
from canonface.plots.sheet import Bar, Panel, sheet
from canonface.plots.style import ColourMap, Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

SHARE_SHOWN = 99.5
"""Percentile of a method's absolute values at which its colours end, so that a few pixels do not pale the rest."""
_SIDE = 2.05
LONGEST_LINE = 7
"""Panels side by side for a single photo; more of them start another line."""


def methods(
    rows: Sequence[MethodComparison],
    left_out: Mapping[str, str] | None = None,
    *,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw one row per photo and one column per method, each column on its own scale.

    Many methods of a single photo are set in several lines. canonface's own map is drawn on the face, where it was
    measured; maps of other methods over the whole input of the model.

    Args:
        rows: comparisons of faces by the same methods.
        left_out: name of a method that does not work for the model -> the reason.
        title: title of the page; None: one that names the model.
        cmap: see `canonical`.
        dpi: pixels per inch; None: 160.

    Raises:
        OptionError: there is no face, or an option cannot be used.
    """
    if not rows:
        raise OptionError("Methods are compared on at least one photo; got none.")
    names = list(dict.fromkeys(name for row in rows for name in (*row.maps, *row.failed)))
    own = scale_of(
        [row.cis for row in rows], None, _common([row.cis.unit for row in rows], "confidence"), cmap
    )
    scales = {name: _scale(name, rows, cmap) for name in names}
    panels = []
    for number, row in enumerate(rows):
        stem = Path(row.cis.face.path).stem
        note = f"{row.cis.target} {row.cis.confidence:.2f}" + (f" · {stem}" if stem else "")
        line = [
            Panel(photo_panel(row.cis.face), "Photo", note),
            Panel(overlay_panel(row.cis, own), "canonface", "drop in confidence"),
            *(_method_panel(name, row, scales[name]) for name in names),
        ]
        if number:
            line = [
                Panel(panel.image, "", panel.note if place != 1 else "") for place, panel in enumerate(line)
            ]
        panels.append(line)
    in_line = len(panels[0])
    if len(rows) == 1:
        lines = math.ceil(in_line / LONGEST_LINE)
        in_line = math.ceil(in_line / lines)
        panels = [panels[0][start : start + in_line] for start in range(0, len(panels[0]), in_line)]
    bars = [
        Bar(scale, place % in_line, place % in_line, place // in_line if len(rows) == 1 else -1)
        for place, scale in enumerate([own, *(scales[name] for name in names)], start=1)
    ]
    if title is None:
        title = f"What {rows[0].cis.model} relies on, by {len(names) + 1} methods"
    return sheet(panels, bars, title, _footer(rows, left_out or {}), panel=_SIDE, dpi=dpi)


def _method_panel(name: str, row: MethodComparison, scale: Scale) -> Panel:
    if name not in row.maps:
        unknown = np.full((2, 2), np.nan)
        image = attribution_panel(row.cis.face, unknown, row.matrix, scale)
        return Panel(image, title_of(name), "no map: see below")
    attribution = row.maps[name].attribution
    return Panel(
        attribution_panel(row.cis.face, attribution, row.matrix, scale),
        title_of(name),
        "0 everywhere" * (not attribution.any()),
    )


def _scale(name: str, rows: Sequence[MethodComparison], cmap: ColourMap | None) -> Scale:
    """Return the scale of a column: up to a percentile of the sizes, or the largest where nearly all are 0."""
    attributions = [row.maps[name].attribution.ravel() for row in rows if name in row.maps]
    known = np.concatenate(attributions) if attributions else np.zeros(1)
    known = known[np.isfinite(known)]
    limit = float(np.percentile(np.abs(known), SHARE_SHOWN)) if known.size else 0.0
    largest = limit if limit > 0 else float(np.abs(known).max(initial=0.0))
    target = _common([row.cis.target for row in rows], "")
    unit = attribution_unit(name, target)
    return Scale.around([np.clip(known, -largest, largest)], unit, attribution=True, cmap=cmap)


def _common(words: Sequence[str], otherwise: str) -> str:
    return words[0] if len(set(words)) == 1 else otherwise


def _footer(rows: Sequence[MethodComparison], left_out: Mapping[str, str]) -> str:
    """Return the small print of the page: the scales, and the reasons why methods are missing."""
    words = [
        "Each column has a scale and a unit of its own: compare where, not how much",
        *(
            ["the photos of a column share its scale: pale is weaker than in the others"]
            if len(rows) > 1
            else []
        ),
        "pale: outside the input of the model",
        f"colours of other methods end at the {SHARE_SHOWN:g}th percentile of their values on this page",
    ]
    words += [f"Not shown: {why}" for why in reasons_in_words(left_out)]
    words += [
        f"No map of {Path(row.cis.face.path).stem or 'a face'} by {title_of(name)}: {why}"
        for row in rows
        for name, why in row.failed.items()
    ]
    return " · ".join(words)
