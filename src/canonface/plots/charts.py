"""Charts of numbers beside maps: axes in the page's letters, lines that say by themselves what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from canonface.plots.sheet import FONT, INK, SOFT_INK, Page, Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:  # matplotlib is loaded when a figure is drawn, not before
    Axes = Any

COLOURS = ("#1d56a8", "#b3161f", "#2c7d4f", "#8a5a00", "#6a3d9a", "#00788a", "#a8447e", "#5c5c62")
"""Of lines, in this order; told apart in grey by their marks too."""
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
    """Axes within a place, room for their numbers and words left at the sides.

    Args:
        page: the page.
        place: left, top, width and height in inches.
        x_label: words under the axis.
        y_label: words beside it.
        left: room for the numbers, in inches.
        bottom: likewise.
        top: likewise.
        right: likewise.
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
    """Words at a place of the chart."""
    usual: dict[str, Any] = {"size": 8.5, "color": INK, "family": FONT, "parse_math": False}
    axes.text(x, y, text, **(usual | style))


def legend(axes: Axes, **style: Any) -> None:
    """What each line is."""
    from matplotlib.font_manager import FontProperties

    axes.legend(
        frameon=False, labelcolor=INK, prop=FontProperties(family=FONT, size=8.5), **({"loc": "best"} | style)
    )


def plain_counts(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis of counts with these numbers written out, and no others."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticklabels([f"{value:,.0f}".replace(",", " ") for value in values])
