"""Charts on a page of maps: axes, words and legends in the page's font."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from canonface.plots.sheet import FONT, INK, SOFT_INK, Page, Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:  # matplotlib is loaded when a figure is drawn, not before
    Axes = Any

COLOURS = ("#1d56a8", "#b3161f", "#2c7d4f", "#8a5a00", "#6a3d9a", "#00788a", "#a8447e", "#5c5c62")
"""Colours of lines, in this order; in grey print `MARKS` distinguish them."""
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
GRID = "#dcdce0"


def chart(
    page: Page,
    place: Rectangle,
    x_label: str,
    y_label: str,
    *,
    left: float = 0.62,
    bottom: float = 0.48,
    top: float = 0.1,
    right: float = 0.1,
) -> Axes:
    """Add axes within a place, with room for numbers and labels at the sides.

    Args:
        page: the page.
        place: left, top, width and height in inches.
        x_label: label of the horizontal axis.
        y_label: label of the vertical axis.
        left: room at the left for numbers and label, in inches; likewise the others.
        bottom: room below.
        top: room above.
        right: room at the right.
    """
    x, y, width, height = place
    axes = page.axes((x + left, y + top, width - left - right, height - top - bottom))
    axes.set_axis_on()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT_INK)
    axes.tick_params(labelsize=8.5, colors=SOFT_INK, labelfontfamily=FONT)
    axes.set_xlabel(x_label, size=9, color=SOFT_INK, family=FONT)
    axes.set_ylabel(y_label, size=9, color=SOFT_INK, family=FONT)
    axes.grid(True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    return axes


def words(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write words at a place of the chart."""
    usual: dict[str, Any] = {"size": 8.5, "color": INK, "family": FONT, "parse_math": False}
    axes.text(x, y, text, **(usual | style))


def legend(axes: Axes, **style: Any) -> None:
    """Add a legend of the lines."""
    from matplotlib.font_manager import FontProperties

    axes.legend(
        frameon=False, labelcolor=INK, prop=FontProperties(family=FONT, size=8.5), **({"loc": "best"} | style)
    )


def plain_counts(axes: Axes, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with these counts as its only ticks."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticklabels([f"{value:,.0f}".replace(",", " ") for value in values])
