"""Page layout of every figure: panels in rows, titles, colour bars, a footer; all sizes in inches.

Figures are made without pyplot: no global state changes, and no figure has to be closed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from canonface.plots.style import RELIED, ROSE, Scale, check_dpi, under_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Axes = Figure = Any

DPI = 160
_MARGIN, _GAP = 0.18, 0.14
_TITLE, _HEADING, _BAR = 0.44, 0.48, 0.94
INK, SOFT_INK = "#1c1c1e", "#5c5c62"
_DOT = " · "
_HINTING = 1.02  # room for the rounding of letters to whole pixels
FONT = "DejaVu Sans"  # comes with matplotlib: the same letters on every machine

Rectangle: TypeAlias = tuple[float, float, float, float]
"""Left, top, width and height in inches from the upper left corner."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Picture of a page, with its heading.

    Attributes:
        image: its pixels, square.
        heading: bold words above it; empty for none.
        note: words under the heading.
    """

    image: UInt8[np.ndarray, "h w 3"] = field(repr=False)
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """Colour bar under some columns of a page.

    Attributes:
        scale: its colours.
        first: column where it begins, from 0.
        last: column where it ends, from 0.
        row: row of panels above it; negative counts from the last.
    """

    scale: Scale
    first: int
    last: int
    row: int = -1


@dataclass(frozen=True)
class Below:
    """Chart or table between the colour bars and the footer, over the whole width.

    Attributes:
        height: its height in inches.
        draw: draws it on the page, into the place given.
    """

    height: float
    draw: Callable[[Page, Rectangle], None]


def sheet(
    rows: Sequence[Sequence[Panel]],
    bars: Sequence[Bar],
    title: str = "",
    footer: str = "",
    panel: float = 2.6,
    below: Below | None = None,
    dpi: float | None = None,
) -> Figure:
    """Make a figure with panels in rows and columns.

    Args:
        rows: the panels; a later row may be shorter.
        bars: colour bars under a row.
        title: title of the page; empty for none.
        footer: small words at the bottom; empty for none.
        panel: side of a panel in inches.
        below: chart or table under the colour bars.
        dpi: pixels per inch; None: `DPI`.

    Raises:
        OptionError: the dpi is out of range.
    """
    from matplotlib import figure as matplotlib_figure

    if dpi is not None:
        check_dpi(dpi)
    columns = max(len(row) for row in rows)
    headings = [_heading_height(row) for row in rows]
    width = 2 * _MARGIN + columns * panel + (columns - 1) * _GAP
    footers = _wrapped(footer, width - 2 * _MARGIN, 8)
    tail = 0.14 + 0.16 * len(footers) if footers else 0.0
    tail += below.height if below else 0.0
    under = [[bar for bar in bars if bar.row % len(rows) == number] for number in range(len(rows))]
    body = sum(headings) + len(rows) * panel + (len(rows) - 1) * _GAP + _BAR * sum(map(bool, under))
    height = 2 * _MARGIN + (_TITLE if title else 0.0) + body + tail
    figure = matplotlib_figure.Figure(figsize=(width, height), dpi=dpi or DPI, facecolor="white")
    page = Page(figure, width, height)

    top = _MARGIN
    if title:
        page.text(title, _MARGIN, top, width - 2 * _MARGIN, 14, weight="bold")
        top += _TITLE
    for row, heading, its_bars in zip(rows, headings, under, strict=True):
        for column, item in enumerate(row):
            left = _MARGIN + column * (panel + _GAP)
            page.text(item.heading, left, top, panel, 11, weight="bold")
            page.text(item.note, left, top + heading - 0.26, panel, 9, color=SOFT_INK)
            page.picture(item.image, (left, top + heading, panel, panel))
        top += heading + panel + _GAP
        for bar in its_bars:
            left = _MARGIN + bar.first * (panel + _GAP)
            page.bar(bar.scale, left, top, (bar.last - bar.first + 1) * (panel + _GAP) - _GAP)
        top += _BAR if its_bars else 0.0
    if below:
        below.draw(page, (_MARGIN, top, width - 2 * _MARGIN, below.height))
        top += below.height
    for number, line in enumerate(footers):
        page.text(line, _MARGIN, top + 0.16 * number, width - 2 * _MARGIN, 8, color=SOFT_INK)
    return figure


def _heading_height(row: Sequence[Panel]) -> float:
    if any(panel.heading for panel in row):
        return _HEADING
    return 0.28 if any(panel.note for panel in row) else 0.0


@dataclass(frozen=True, eq=False)
class Page:
    """Figure on which things are placed in inches from the upper left corner."""

    figure: Any
    width: float
    height: float

    def text(self, words: str, left: float, top: float, room: float, size: float, **style: Any) -> None:
        """Write words at a place, shrunk or cut to fit their room."""
        if not words:
            return
        weight = style.get("weight", "normal")
        words, size = _fitted(words, room, size, weight)
        x = {"left": left, "center": left + room / 2, "right": left + room}[style.get("ha", "left")]
        style = {"color": INK, "va": "top", "parse_math": False, "family": FONT, "weight": weight} | style
        self.figure.text(x / self.width, 1 - top / self.height, words, size=size, **style)

    def axes(self, place: Rectangle) -> Axes:
        """Add bare axes at a place."""
        left, top, width, height = place
        bounds = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        axes: Axes = self.figure.add_axes(bounds)
        axes.set_axis_off()
        return axes

    def picture(self, image: UInt8[np.ndarray, "h w 3"], place: Rectangle) -> None:
        """Draw an image that fills a rectangle of the sheet."""
        show(self.axes(place), image, aspect="auto")

    def bar(self, scale: Scale, left: float, top: float, room: float) -> None:
        """Draw a colour bar: the meaning of its ends, the colours, numbers and the unit."""
        width = min(room, 4.6)
        left += (room - width) / 2
        inset = 0.12
        strip = (left + inset, top + 0.24, width - 2 * inset, 0.15)
        long = width > 3.4
        rose, fell = _ends(scale, long)
        inks = (ROSE, RELIED) if scale.cmap is None else (INK, INK)
        self.text(rose, left + inset, top + 0.04, width, 8.5, color=inks[0])
        self.text(fell, left, top + 0.04, width - inset, 8.5, color=inks[1], ha="right")
        self.picture(bar_pixels(scale), strip)
        # The outer numbers end with the strip, so that bars side by side do not touch.
        ticks = [(0.0, "left"), (0.5, "center"), (1.0, "right")]
        if not scale.one_sided:
            ticks = [(-1.0, "left"), (0.0, "center"), (1.0, "right")]
            ticks += [(-0.5, "center"), (0.5, "center")] if long else []
        for value, align in ticks:
            share = value if scale.one_sided else (value + 1) / 2
            x = strip[0] + share * strip[2]
            edge = {"left": x, "center": x - 0.4, "right": x - 0.8}[align]
            self.text(number(value * scale.limit), edge, top + 0.42, 0.8, 8.5, ha=align)
        self.text(
            measured_words(scale, long),
            left, top + 0.62, width, 9, ha="center", color=SOFT_INK,
        )  # fmt: skip


def show(axes: Axes, image: UInt8[np.ndarray, "h w 3"], aspect: Literal["equal", "auto"]) -> None:
    """Draw pixels that fill axes, and hide the axes' frame and ticks."""
    axes.imshow(image, aspect=aspect, interpolation="antialiased")
    axes.set_axis_off()


def draw_panel(axes: Axes, panel: Panel, scale: Scale, colorbar: bool) -> Axes:
    """Draw a panel into axes of any figure, with its heading as their title.

    Args:
        axes: the axes; the colour bar takes its room from them.
        panel: the picture.
        scale: its colours.
        colorbar: whether to add a colour bar under the axes.
    """
    show(axes, panel.image, aspect="equal")
    words = "\n".join(filter(None, (panel.heading, panel.note)))
    axes.set_title(words, fontsize=9, parse_math=False)
    if not colorbar:
        return axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    pixels = bar_pixels(scale)
    colours = ScalarMappable(
        Normalize(0.0 if scale.one_sided else -scale.limit, scale.limit),
        ListedColormap(pixels[len(pixels) // 2] / 255),
    )
    bar = axes.figure.colorbar(colours, ax=axes, location="bottom", fraction=0.05, pad=0.03, aspect=30)
    ticks = [0.0, scale.limit / 2, scale.limit] if scale.one_sided else [-scale.limit, 0.0, scale.limit]
    bar.set_ticks(ticks, labels=[number(tick) for tick in ticks])
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    bar.set_label(measured_words(scale, long=False), fontsize=8, parse_math=False)
    return axes


def _ends(scale: Scale, long: bool) -> tuple[str, str]:
    """Return the meaning of the two ends of a colour bar."""
    if scale.attribution:
        return "" if scale.one_sided else "← against", "relied on →"
    return ("← rises when hidden", "falls when hidden →") if long else ("← rises", "falls →")


def measured_words(scale: Scale, long: bool) -> str:
    """Return the quantity and unit of a colour bar's numbers."""
    if scale.attribution:
        return (
            f"{scale.unit}, in its own unit" if long and not scale.unit.startswith("share ") else scale.unit
        )
    return f"drop in {scale.unit} when a patch hides the place" if long else f"drop in {scale.unit}"


def bar_pixels(scale: Scale) -> UInt8[np.ndarray, "h w 3"]:
    """Return the colours of a scale as they look on a face: its rows run from the face's lights to its shadows."""
    values = np.linspace(0.0 if scale.one_sided else -scale.limit, scale.limit, 401)
    greys = np.repeat(np.linspace(225, 120, 24).astype(np.uint8)[:, None, None], 3, axis=2)
    tone: Float[np.ndarray, "h w"] = np.repeat(under_map(greys), len(values), axis=1)
    return np.asarray(np.rint(scale.blend(tone, np.broadcast_to(values, tone.shape)) * 255).astype(np.uint8))


def number(value: float) -> str:
    """Format a number for a tick, with a sign and at most three digits: ``+0.11``, ``0``, ``−2.4``."""
    return "0" if value == 0 else f"{value:+.3g}".replace("-", "−")


def _fitted(words: str, room: float, size: float, weight: str) -> tuple[str, float]:
    """Return words and size that fit the room: shrunk to three quarters at most, then cut."""
    size = max(min(size, size * room / max(_width(words, size, weight), 1e-9)), 0.75 * size)
    if _width(words, size, weight) <= room * 1.001:
        return words, size
    length = (
        bisect_right(range(len(words)), room, key=lambda end: _width(words[:end] + "…", size, weight)) - 1
    )
    return words[: max(length, 0)].rstrip() + "…", size


def _wrapped(words: str, room: float, size: float) -> list[str]:
    """Break words into lines that fit the room: at the dots between parts, and within longer parts."""
    lines: list[str] = []
    for part in filter(None, words.split(_DOT)):
        longer = f"{lines[-1]}{_DOT}{part}" if lines else part
        if lines and _width(longer, size, "normal") <= room:
            lines[-1] = longer
        else:
            lines += _at_spaces(part, room, size)
    return lines


def _at_spaces(words: str, room: float, size: float) -> list[str]:
    """Break words into lines that fit the room, at spaces."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size, "normal") <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(words: str, size: float, weight: str) -> float:
    """Return the width of words in inches."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FONT, weight=weight)))
    font.set_size(100, 72)  # large, so that rounding to pixels does not count
    font.set_text(words, 0.0)
    return float(font.get_width_height()[0]) / 64 / 72 * size / 100 * _HINTING
