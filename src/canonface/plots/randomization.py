"""Figure of a randomisation (the paper's figure 8): maps of a network randomised layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.maps import CMS
from canonface.plots.charts import COLOURS, MARKS, chart, legend, words
from canonface.plots.panels import FacePicture, canonical_panel
from canonface.plots.pictures import scale_of
from canonface.plots.sheet import INK, SOFT_INK, Bar, Below, Page, Panel, Rectangle, sheet
from canonface.plots.style import ColourMap, Scale
from canonface.studies.randomization import DEPENDS, Likeness, Randomization, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

_SHARE = "share of each map's own largest value"
_LINE = 0.2


def randomization_figure(
    found: Randomization,
    method: str | None = None,
    face_picture: FacePicture | None = None,
    *,
    smooth: bool = False,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw one method's maps as layers are randomised, above the similarity curves of all methods.

    Each map is drawn in shares of its own largest value, so that a random network's faint map is visible. The largest
    value stands under its name.

    Args:
        found: result of `canonface.studies.randomize`.
        method: name of the method; None: the first.
        face_picture: picture to draw on: see `canonface.plots.canonical`.
        smooth: draw the maps averaged over noisy copies.
        title: title of the page.
        cmap: see `canonface.plots.canonical`.
        dpi: pixels per inch; None: 160.
    """
    method = method or found.verdicts[0].method
    chosen = {
        like.network: like for like in found.likenesses if like.method == method and like.smooth == smooth
    }
    maps = {name: found.maps[method, smooth, name] for name in chosen}
    rows = []
    for direction in ("output", "input"):
        names = [name for name, like in chosen.items() if like.direction == direction] + ["all layers"]
        row = [
            _panel(
                maps["trained"], f"From the {direction}", f"trained, {found.faces} faces", face_picture, cmap
            )
        ]
        row += [
            _panel(maps[name], _short(name), _likeness(chosen[name]), face_picture, cmap) for name in names
        ]
        rows.append(row)
    verdicts = [verdict.words for verdict in found.verdicts]
    height = 3.2 + 0.35 + _LINE * len(verdicts)
    below = Below(height, lambda page, place: _below(found, page, place))
    heading = "The map as the model's layers are randomised" if title is None else title
    footer = " · ".join(
        [
            "each map in shares of its own largest value, which stands under its name as max",
            "ρ: Spearman's rank correlation with the trained network's map, over the probes",
            *found.notes,
        ]
    )
    size = 1.9 if len(rows[0]) > 5 else 2.2
    one_sided = all(scale_of([cms]).one_sided for cms in maps.values())
    own = Scale(1.0, _SHARE, any(cms.method for cms in maps.values()), one_sided, cmap)
    return sheet(rows, [Bar(own, 0, len(rows[0]) - 1)], heading, footer, panel=size, below=below, dpi=dpi)


def _panel(
    cms: CMS, heading: str, note: str, face_picture: FacePicture | None, cmap: ColourMap | None
) -> Panel:
    return Panel(canonical_panel(cms, scale_of([cms], cmap=cmap), face_picture), heading, note)


def _short(name: str) -> str:
    """Return the name of the last randomised layer of a cascade."""
    where = (name.partition(", ")[2] or name).removesuffix(" on")
    return where[0].upper() + where[1:]


def _likeness(like: Likeness) -> str:
    rho = "flat" if not np.isfinite(like.spearman) else f"ρ {like.spearman:.2f}".replace("-", "−")
    return f"{rho}, max {like.largest:.2g}"


def _below(found: Randomization, page: Page, place: Rectangle) -> None:
    left, top, width, _ = place
    half = width / 2 - 0.1
    for i, direction in enumerate(("output", "input")):
        _curve(found, page, (left + i * (half + 0.2), top, half, 3.2), direction, with_legend=i == 0)
    y = top + 3.2 + 0.25
    for verdict in found.verdicts:
        weight = "normal" if verdict.passed else "bold"
        page.text(verdict.words, left, y, width, 9, color=INK, weight=weight)
        y += _LINE


def _curve(found: Randomization, page: Page, place: Rectangle, direction: str, with_legend: bool) -> None:
    """Draw rank correlation and SSIM against the number of randomised layers."""
    axes = chart(
        page, place, f"layers randomised, from the {direction}", "similarity to the trained map", top=0.15
    )
    most = len(found.layers)
    for number, verdict in enumerate(found.verdicts):
        steps = _steps(found, verdict, direction)
        x = [like.layers for like in steps]
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        name = f"{verdict.method}, smoothed" if verdict.smooth else verdict.method
        axes.plot(
            x, [like.spearman for like in steps], color=colour, marker=mark, markersize=4.5, linewidth=1.3,
            label=f"{name}: rank correlation",
        )  # fmt: skip
        axes.plot(
            x, [like.ssim for like in steps], color=colour, marker=mark, markersize=3, linewidth=0.9,
            linestyle=":", markerfacecolor="white", label=f"{name}: SSIM",
        )  # fmt: skip
        ends = [like for like in _of(found, verdict) if like.direction == "all" and like.draw > 0]
        axes.plot(
            [like.layers for like in ends], [like.spearman for like in ends], color=colour, marker=mark,
            linestyle="", markersize=4.5, alpha=0.45,
        )  # fmt: skip
    axes.axhspan(-DEPENDS, DEPENDS, color="#2c7d4f", alpha=0.07, linewidth=0)
    axes.axhline(0, color=SOFT_INK, linewidth=0.7)
    axes.set_ylim(-1.05, 1.08)
    axes.set_xlim(-0.02 * most, 1.03 * most)
    if with_legend:
        legend(axes, loc="lower left", ncols=1 + (len(found.verdicts) > 2), bbox_to_anchor=(0, 0.0))
    else:
        words(
            axes, 1.02 * most, -DEPENDS - 0.12, "passes if rank correlation ends in the green", color="#2c7d4f",
            ha="right",
        )  # fmt: skip


def _of(found: Randomization, verdict: Verdict) -> list[Likeness]:
    return [
        like for like in found.likenesses if (like.method, like.smooth) == (verdict.method, verdict.smooth)
    ]


def _steps(found: Randomization, verdict: Verdict, direction: str) -> list[Likeness]:
    """Return the trained network, the cascade, and the first fully random network."""
    of = _of(found, verdict)
    return [
        *(like for like in of if like.network == "trained"),
        *(like for like in of if like.direction == direction),
        *(like for like in of if like.network == "all layers"),
    ]
