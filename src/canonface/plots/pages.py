"""Pages of several maps: the paper's figure 6, pairs of faces, groups of faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canonface.errors import OptionError
from canonface.functional import cosines
from canonface.maps import CIS, CMS
from canonface.plots.captions import count_words, footer, two_decimals
from canonface.plots.panels import (
    FacePicture,
    canonical_panel,
    overlay_panel,
    photo_panel,
    reprojection_panel,
)
from canonface.plots.pictures import scale_of
from canonface.plots.sheet import Bar, Panel, sheet
from canonface.plots.style import ColourMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

_COLUMNS = 4


def figure6(
    faces: CIS | Sequence[CIS],
    cms: CMS,
    face_picture: FacePicture | None = None,
    *,
    limits: tuple[float | None, float | None] = (None, None),
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw the paper's figure 6: photo, its map, the map of all faces, and that map on the photo.

    Maps of single faces share one scale. The map of all faces has its own, since means are smaller.

    Args:
        faces: one face or several; each has its own row.
        cms: the map of all faces.
        face_picture: see `canonical`.
        limits: limits of the two scales; None: the largest value shown.
        title: title of the page; None: the model and the confidence.
        cmap: see `canonical`.
        dpi: pixels per inch; None: 160.

    Raises:
        OptionError: there is no face, or an option cannot be used.
    """
    rows = [faces] if isinstance(faces, CIS) else list(faces)
    if not rows:
        raise OptionError("Figure 6 needs at least one face; got none.")
    one, all_faces = scale_of(rows, limits[0], cms.unit, cmap), scale_of([cms], limits[1], cmap=cmap)
    shared = canonical_panel(cms, all_faces, face_picture)
    if title is None:
        title = f"What {rows[0].model} relies on: {cms.unit}"
    panels = []
    for number, cis in enumerate(rows):
        first = number == 0
        panels.append(
            [
                Panel(photo_panel(cis.face), "Photo" if first else "", _photo_note(cis)),
                Panel(
                    canonical_panel(cis, one, face_picture),
                    "This face" if first else "",
                    "its map (CIS)" * first,
                ),
                Panel(shared, "All faces" if first else "", f"mean of {count_words(cms)} (CMS)" * first),
                Panel(
                    reprojection_panel(cms, cis.face, all_faces),
                    "All faces, on this one" if first else "",
                    "the CMS reprojected" * first,
                ),
            ]
        )
    words = footer(*rows, cms)
    return sheet(panels, [Bar(one, 1, 1), Bar(all_faces, 2, 3)], title, words, panel=2.2, dpi=dpi)


def pairs(
    shown: Sequence[tuple[CIS, CIS]],
    maps: Mapping[str, CMS],
    face_picture: FacePicture | None = None,
    *,
    limit: float | None = None,
    title: str | None = None,
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw pairs of faces: the drops on both photos, the pair's map, and the map of all pairs of its kind.

    Args:
        shown: the maps of both faces of each pair, as `canonface.explain_pair` gives them; a row each.
        maps: target (``same`` or ``different``) -> map of all such pairs, as ``Run.cms(by="target")`` gives them.
        face_picture: see `canonical`.
        limit: limit of the scale of the maps of all pairs; None: the largest value shown.
        title: title of the page; None: the model and the confidence.
        cmap: see `canonical`.
        dpi: pixels per inch; None: 160.

    Raises:
        OptionError: there is no pair, a pair is of a kind that has no map, or an option cannot be used.
    """
    if not shown or any(first.target not in maps for first, _ in shown):
        raise OptionError(
            f"Pairs are drawn next to the map of their kind; got {len(shown)} pairs and maps of {', '.join(maps)}."
        )
    unit = next(iter(maps.values())).unit
    one = scale_of([first for first, _ in shown], unit=unit, cmap=cmap)
    kinds = scale_of(list(maps.values()), limit, unit, cmap)
    panels = []
    for number, (first, second) in enumerate(shown):
        row = [
            Panel(overlay_panel(first, one), "First photo", _pair_note(first, second)),
            Panel(overlay_panel(second, one), "Second photo", _pair_names(first, second)),
            Panel(canonical_panel(first, one, face_picture), "This pair", "its map"),
            Panel(
                canonical_panel(maps[first.target], kinds, face_picture),
                "All pairs of its kind",
                f"{first.target}: mean of {count_words(maps[first.target], 'pair')}",
            ),
        ]
        if number:
            row = [replace(panel, heading="") for panel in row]
        panels.append(row)
    words = footer(*(first for first, _ in shown), *maps.values())
    title = f"What {shown[0][0].model} relies on: {unit}" if title is None else title
    return sheet(panels, [Bar(one, 0, 2), Bar(kinds, 3, 3)], title, words, panel=2.2, dpi=dpi)


def groups(
    maps: Mapping[str, CMS],
    face_picture: FacePicture | None = None,
    *,
    limit: float | None = None,
    title: str | None = None,
    of: str = "face",
    cmap: ColourMap | None = None,
    dpi: float | None = None,
) -> Figure:
    """Draw maps of groups of faces side by side on one scale, so that equal colours are equal drops.

    Args:
        maps: name of the group -> its map, as ``Run.cms(by=...)`` gives them; drawn in that order.
        face_picture: see `canonical`.
        limit: limit of the common scale; None: the largest value on any map.
        title: title of the page; None: the confidence.
        of: ``face`` or ``pair``: the items that a map averages.
        cmap: see `canonical`.
        dpi: pixels per inch; None: 160.

    Raises:
        OptionError: there is no group, the maps are in different units, or an option cannot be used.
    """
    if not maps:
        raise OptionError("Groups are drawn side by side; got none. Is the column of the labels empty?")
    scale = scale_of(list(maps.values()), limit, cmap=cmap)
    panels = [
        Panel(canonical_panel(cms, scale, face_picture), name, count_words(cms, of))
        for name, cms in maps.items()
    ]
    columns = min(len(panels), _COLUMNS)
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    if title is None:
        first = next(iter(maps.values()))
        relied_on = (
            f"What the {first.model} model relies on" if first.model else f"What the {scale.unit} relies on"
        )
        title = f"Where the {scale.unit} lies" if first.method else relied_on
    size = 3.4 if columns <= 2 else 2.6
    return sheet(rows, [Bar(scale, 0, columns - 1)], title, footer(*maps.values()), panel=size, dpi=dpi)


def _photo_note(cis: CIS) -> str:
    name = Path(cis.face.path).stem
    return f"{cis.target} {two_decimals(cis.confidence)}" + (f" · {name}" if name else "")


def _pair_note(first: CIS, second: CIS) -> str:
    cosine = float(cosines(first.outputs[None], second.outputs[None])[0])
    return f"{first.target}: cosine {two_decimals(cosine)}"


def _pair_names(first: CIS, second: CIS) -> str:
    return " · ".join(Path(cis.face.path).stem for cis in (first, second) if cis.face.path)
