"""Pictures of one map: on the canonical face, on its photo, on another face.

Each function makes a whole figure, or draws into axes that are given as ``ax``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from canonface.errors import OptionError
from canonface.maps import CIS, CMS
from canonface.plots.captions import footer, heading
from canonface.plots.panels import (
    FacePicture,
    Result,
    canonical_panel,
    overlay_panel,
    reprojection_panel,
    shown_values,
)
from canonface.plots.sheet import Bar, Panel, draw_panel, sheet
from canonface.plots.style import ColourMap, Scale
from canonface.types import Face

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Axes = Figure = Any

_ALONE = 4.2  # inches: side of a panel that is alone on its page


def scale_of(
    results: Sequence[Result],
    limit: float | None = None,
    unit: str | None = None,
    cmap: ColourMap | None = None,
) -> Scale:
    """Return one colour scale for several canonical maps: symmetric, up to the largest value on any of the faces.

    Args:
        results: the maps.
        limit: value of the strongest colours, in the unit of confidence; None: the largest value.
        unit: a common name for the maps' units; None: their own, which has to be the same.
        cmap: colour map of matplotlib, or its name; None: red and blue over the bare face.

    Raises:
        OptionError: the limit is not above 0, the maps are in different units, or the colour map is unknown.
    """
    units = dict.fromkeys([unit] if unit else [result.unit for result in results])
    if len(units) > 1:
        raise OptionError(
            f"Maps on one scale are in one unit; got {', '.join(map(repr, units))}. Draw them one by one."
        )
    attribution = any(result.method for result in results)
    return Scale.around(map(shown_values, results), next(iter(units), "confidence"), limit, attribution, cmap)


@overload
def canonical(
    result: Result,
    face_picture: FacePicture | None = ...,
    *,
    limit: float | None = ...,
    title: str | None = ...,
    cmap: ColourMap | None = ...,
    dpi: float | None = ...,
    ax: None = ...,
    colorbar: bool = ...,
) -> Figure: ...
@overload
def canonical(
    result: Result,
    face_picture: FacePicture | None = ...,
    *,
    limit: float | None = ...,
    title: str | None = ...,
    cmap: ColourMap | None = ...,
    dpi: float | None = ...,
    ax: Axes,
    colorbar: bool = ...,
) -> Axes: ...
def canonical(
    result: Result,
    face_picture: FacePicture | None = None,
    *,
    limit: float | None = None,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Figure | Axes:
    """Draw a map on the canonical face, with its colour bar.

    Args:
        result: map of one face or of many.
        face_picture: picture to draw on, on the map's canvas, from `average_face` or `photo_face`; None: a shaded
            render of the mesh.
        limit: value of the strongest colours, in the map's unit; None: the largest value on the canonical face.
        title: title of the picture; None: one that says what was measured.
        cmap: colour map of matplotlib, or its name; None: red and blue over the bare face.
        dpi: pixels per inch of the figure; None: 160. Axes have the dpi of their own figure.
        ax: axes to draw into; None: a new figure.
        colorbar: whether axes get a colour bar.

    Returns:
        The new figure, or the axes given.

    Raises:
        OptionError: an option cannot be used.
    """
    scale = scale_of([result], limit, cmap=cmap)
    panel = Panel(canonical_panel(result, scale, face_picture), *heading(result, title))
    return _picture(panel, scale, result, title, dpi, ax, colorbar)


@overload
def overlay(
    cis: CIS,
    *,
    limit: float | None = ...,
    title: str | None = ...,
    cmap: ColourMap | None = ...,
    dpi: float | None = ...,
    ax: None = ...,
    colorbar: bool = ...,
) -> Figure: ...
@overload
def overlay(
    cis: CIS,
    *,
    limit: float | None = ...,
    title: str | None = ...,
    cmap: ColourMap | None = ...,
    dpi: float | None = ...,
    ax: Axes,
    colorbar: bool = ...,
) -> Axes: ...
def overlay(
    cis: CIS,
    *,
    limit: float | None = None,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Figure | Axes:
    """Draw the map of one face on its own photo.

    Args:
        cis: the map.
        limit: value of the strongest colours, in the map's unit; None: the largest value on the canonical face.
        title: title of the picture; None: one that says what was measured.
        cmap: colour map of matplotlib, or its name; None: red and blue over the bare face.
        dpi: pixels per inch of the figure; None: 160. Axes have the dpi of their own figure.
        ax: axes to draw into; None: a new figure.
        colorbar: whether axes get a colour bar.

    Returns:
        The new figure, or the axes given.

    Raises:
        OptionError: an option cannot be used.
    """
    scale = scale_of([cis], limit, cmap=cmap)
    panel = Panel(overlay_panel(cis, scale), *heading(cis, title))
    return _picture(panel, scale, cis, title, dpi, ax, colorbar)


@overload
def reprojection(
    cms: CMS,
    face: Face,
    *,
    limit: float | None = ...,
    title: str | None = ...,
    cmap: ColourMap | None = ...,
    dpi: float | None = ...,
    ax: None = ...,
    colorbar: bool = ...,
) -> Figure: ...
@overload
def reprojection(
    cms: CMS,
    face: Face,
    *,
    limit: float | None = ...,
    title: str | None = ...,
    cmap: ColourMap | None = ...,
    dpi: float | None = ...,
    ax: Axes,
    colorbar: bool = ...,
) -> Axes: ...
def reprojection(
    cms: CMS,
    face: Face,
    *,
    limit: float | None = None,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
    ax: Axes | None = None,
    colorbar: bool = True,
) -> Figure | Axes:
    """Draw the map of many faces on the photo of one (figure 6d).

    Args:
        cms: the map.
        face: any face aligned to the map's mesh.
        limit: value of the strongest colours, in the map's unit; None: the largest value on the canonical face.
        title: title of the picture; None: one that says what was measured.
        cmap: colour map of matplotlib, or its name; None: red and blue over the bare face.
        dpi: pixels per inch of the figure; None: 160. Axes have the dpi of their own figure.
        ax: axes to draw into; None: a new figure.
        colorbar: whether axes get a colour bar.

    Returns:
        The new figure, or the axes given.

    Raises:
        OptionError: an option cannot be used.
    """
    scale = scale_of([cms], limit, cmap=cmap)
    name, note = heading(cms, title)
    panel = Panel(reprojection_panel(cms, face, scale), name, f"{note}, drawn on one")
    return _picture(panel, scale, cms, title, dpi, ax, colorbar)


def _picture(
    panel: Panel,
    scale: Scale,
    result: Result,
    title: str | None,
    dpi: float | None,
    ax: Axes | None,
    colorbar: bool,
) -> Figure | Axes:
    """Set a panel alone on a page, or draw it into axes."""
    if ax is None:
        return sheet([[panel]], [Bar(scale, 0, 0)], footer=footer(result), panel=_ALONE, dpi=dpi)
    if dpi is not None:
        raise OptionError(f"Axes have the dpi of their figure; got dpi={dpi} and ax=: set it on the figure.")
    # Axes are narrow: the colour bar names the unit, the title the rest.
    short = Panel(panel.image, title or "", panel.note if title is None else "")
    return draw_panel(ax, short, scale, colorbar)
