"""Figures of results: every function takes maps, asks no model and returns a matplotlib ``Figure``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.errors import OptionError
from canonface.functional import cosines
from canonface.maps import CIS, CMS
from canonface.methods import title_of
from canonface.plots.panels import (
    FacePicture,
    Result,
    canonical_panel,
    drawn_on,
    overlay_panel,
    photo_panel,
    reprojection_panel,
    seen_count,
    shown_values,
)
from canonface.plots.sheet import Bar, Panel, sheet
from canonface.plots.style import Scale
from canonface.types import Face

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

_ALONE = 4.2  # inches: side of a panel that is alone on its page
_COLUMNS = 4


def scale_of(results: Sequence[Result], limit: float | None = None, unit: str | None = None) -> Scale:
    """One colour scale for several canonical maps: symmetric, up to the largest value on any of the faces.

    Args:
        results: the maps.
        limit: of the scale, in the unit of confidence, instead of the largest value.
        unit: a name for what the maps have in common; by default their own, which has to be the same.

    Raises:
        OptionError: the limit is not above 0, or the maps are in different units.
    """
    units = dict.fromkeys([unit] if unit else [result.unit for result in results])
    if len(units) > 1:
        raise OptionError(
            f"Maps on one scale are in one unit; got {', '.join(map(repr, units))}. Draw them one by one."
        )
    attribution = any(result.method for result in results)
    return Scale.around(map(shown_values, results), next(iter(units), "confidence"), limit, attribution)


def canonical(
    result: Result,
    face_picture: FacePicture | None = None,
    *,
    limit: float | None = None,
    title: str | None = None,
) -> Figure:
    """A map on the canonical face, with its colour bar.

    Args:
        result: one face's map or many faces'.
        face_picture: what to draw on, on the map's canvas, from `average_face` or `photo_face`; by default a
            shaded render of the mesh.
        limit: of the colour scale; by default the largest value shown.
        title: above the picture; by default what was asked.
    """
    scale = scale_of([result], limit)
    heading, note = _heading(result, title)
    panel = Panel(canonical_panel(result, scale, face_picture), heading, note)
    return sheet([[panel]], [Bar(scale, 0, 0)], footer=_footer(result), panel=_ALONE)


def overlay(cis: CIS, *, limit: float | None = None, title: str | None = None) -> Figure:
    """The drops of one face on its own photo.

    Args:
        cis: the face's map.
        limit: of the colour scale; by default the largest value on the canonical face.
        title: above the picture; by default what was asked.
    """
    scale = scale_of([cis], limit)
    heading, note = _heading(cis, title)
    panel = Panel(overlay_panel(cis, scale), heading, note)
    return sheet([[panel]], [Bar(scale, 0, 0)], footer=_footer(cis), panel=_ALONE)


def reprojection(cms: CMS, face: Face, *, limit: float | None = None, title: str | None = None) -> Figure:
    """The map of many faces drawn on the photo of one (figure 6d).

    Args:
        cms: the map.
        face: any face aligned to the map's mesh.
        limit: of the colour scale; by default the largest value on the canonical face.
        title: above the picture.
    """
    scale = scale_of([cms], limit)
    heading, note = _heading(cms, title)
    panel = Panel(reprojection_panel(cms, face, scale), heading, f"{note}, drawn on one")
    return sheet([[panel]], [Bar(scale, 0, 0)], footer=_footer(cms), panel=_ALONE)


def figure6(
    faces: CIS | Sequence[CIS],
    cms: CMS,
    face_picture: FacePicture | None = None,
    *,
    limits: tuple[float | None, float | None] = (None, None),
    title: str | None = None,
) -> Figure:
    """The four columns of the paper's figure 6: photo, its map, the map of all faces, that map on the photo.

    Single faces' maps share one scale, and the map of all faces has its own: means are smaller.

    Args:
        faces: one face or several, a row each.
        cms: the map of all faces.
        face_picture: see `canonical`.
        limits: of the two scales; None for the largest value shown.
        title: of the page; by default the model and what was asked.
    """
    rows = [faces] if isinstance(faces, CIS) else list(faces)
    if not rows:
        raise OptionError("Figure 6 needs at least one face; got none.")
    one, all_faces = scale_of(rows, limits[0], cms.unit), scale_of([cms], limits[1])
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
                Panel(shared, "All faces" if first else "", f"mean of {_faces(cms)} (CMS)" * first),
                Panel(
                    reprojection_panel(cms, cis.face, all_faces),
                    "All faces, on this one" if first else "",
                    "the CMS reprojected" * first,
                ),
            ]
        )
    footer = _footer(*rows, cms)
    return sheet(panels, [Bar(one, 1, 1), Bar(all_faces, 2, 3)], title, footer, panel=2.2)


def pairs(
    shown: Sequence[tuple[CIS, CIS]],
    maps: Mapping[str, CMS],
    face_picture: FacePicture | None = None,
    *,
    title: str | None = None,
) -> Figure:
    """Pairs of faces: the drops on both photos, the pair's map, and the map of all pairs of its kind.

    Args:
        shown: the maps of both faces of each pair, as `canonface.explain_pair` gives them; a row each.
        maps: target (``same`` or ``different``) -> map of all such pairs, as ``Run.cms(by="target")`` gives them.
        face_picture: see `canonical`.
        title: of the page; by default the model and what was asked.

    Raises:
        OptionError: there is no pair, or a pair is of a kind that has no map.
    """
    if not shown or any(first.target not in maps for first, _ in shown):
        raise OptionError(
            f"Pairs are drawn beside the map of their kind; got {len(shown)} pairs and maps of {', '.join(maps)}."
        )
    unit = next(iter(maps.values())).unit
    one = scale_of([first for first, _ in shown], unit=unit)
    kinds = scale_of(list(maps.values()), unit=unit)
    panels = []
    for number, (first, second) in enumerate(shown):
        row = [
            Panel(overlay_panel(first, one), "First photo", _pair_note(first, second)),
            Panel(overlay_panel(second, one), "Second photo", _pair_names(first, second)),
            Panel(canonical_panel(first, one, face_picture), "This pair", "its map"),
            Panel(
                canonical_panel(maps[first.target], kinds, face_picture),
                "All pairs of its kind",
                f"{first.target}: mean of {_faces(maps[first.target], 'pair')}",
            ),
        ]
        if number:
            row = [replace(panel, heading="") for panel in row]
        panels.append(row)
    footer = _footer(*(first for first, _ in shown), *maps.values())
    title = f"What {shown[0][0].model} relies on: {unit}" if title is None else title
    return sheet(panels, [Bar(one, 0, 2), Bar(kinds, 3, 3)], title, footer, panel=2.2)


def groups(
    maps: Mapping[str, CMS],
    face_picture: FacePicture | None = None,
    *,
    limit: float | None = None,
    title: str | None = None,
    of: str = "face",
) -> Figure:
    """Maps of groups of faces side by side on one scale, so that equal colours are equal drops.

    Args:
        maps: name of the group -> its map, as ``Run.cms(by=...)`` gives them; drawn in that order.
        face_picture: see `canonical`.
        limit: of the common scale; by default the largest value on any map.
        title: of the page; by default what was asked.
        of: what a map is the mean of: ``face`` or ``pair``.

    Raises:
        OptionError: there is no group, or the maps are in different units.
    """
    if not maps:
        raise OptionError("Groups are drawn side by side; got none. Is the column of the labels empty?")
    scale = scale_of(list(maps.values()), limit)
    panels = [
        Panel(canonical_panel(cms, scale, face_picture), name, _faces(cms, of)) for name, cms in maps.items()
    ]
    columns = min(len(panels), _COLUMNS)
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    if title is None:
        first = next(iter(maps.values()))
        title = f"{'Where' if first.method else 'What'} the {scale.unit} {'lies' if first.method else 'relies on'}"
    size = 3.4 if columns <= 2 else 2.6
    return sheet(rows, [Bar(scale, 0, columns - 1)], title, _footer(*maps.values()), panel=size)


def _heading(result: Result, title: str | None) -> tuple[str, str]:
    """Title and the line under it."""
    by = f", by {title_of(result.method)}" if result.method and result.method != result.model else ""
    alone = (
        result.method and result.method == result.model
    )  # a map from elsewhere, of a model that is not known
    if alone and title is None:
        title = f"What was relied on, by {title_of(result.method)}"
    if isinstance(result, CIS):
        sure = f" {_number(result.confidence)}" if np.isfinite(result.confidence) else ""
        said = f"{result.target}{sure}" if result.method else f"{result.unit}{sure}"
        return (
            f"What the {result.model} model relied on{by}" if title is None else title,
            f"{said}, one face",
        )
    group = f"{result.name}: " if result.name else ""
    if title is None and result.method:
        return f"What the {result.model} model relies on{by}", f"{group}mean of {_faces(result)}"
    if title is None:
        return f"What the {result.unit} relies on", f"{group}mean of {_faces(result)}"
    return title, f"{group}{result.unit}, mean of {_faces(result)}"


def _photo_note(cis: CIS) -> str:
    name = Path(cis.face.path).stem
    return f"{cis.target} {_number(cis.confidence)}" + (f" · {name}" if name else "")


def _pair_note(first: CIS, second: CIS) -> str:
    cosine = float(cosines(first.outputs[None], second.outputs[None])[0])
    return f"{first.target}: cosine {_number(cosine)}"


def _pair_names(first: CIS, second: CIS) -> str:
    return " · ".join(Path(cis.face.path).stem for cis in (first, second) if cis.face.path)


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _faces(cms: CMS, what: str = "face") -> str:
    return f"1 {what}" if cms.faces == 1 else f"{cms.faces:,} {what}s".replace(",", " ")


def _footer(*results: Result) -> str:
    """What the pictures have in common: the patch, the probes, what pale means."""
    first = results[0]
    share = first.canonical_patch * (1 + first.canvas.margin) / min(first.canvas.size_hw)
    what = "value is spread over a square that" if first.method else "patch"
    words = [f"Each {what} is {share:.0%} of the face's height wide"]
    if isinstance(first, CIS):
        words[0] += f", {first.patch:.3g} of the input's {first.input_height} px"
        single = [result for result in results if isinstance(result, CIS)]
        asked = [int(cis.measured.sum()) for cis in single]
        count = f"{asked[0]:,}" if len(asked) == 1 else f"{min(asked):,} to {max(asked):,}"
        taken = "read" if first.method else "asked"
        words.append(f"{count} of {len(first.probes):,} places {taken}".replace(",", " "))
        if errors := [cis.inferred_error for cis in single if np.isfinite(cis.inferred_error)]:
            words.append(f"the others interpolated, their typical error {max(errors):.2g}")
    maps = [result for result in results if isinstance(result, CMS)]
    words += dict.fromkeys(result.note for result in maps if result.note)
    if wide := sorted({result.half_width for result in maps if np.isfinite(result.half_width)}):
        ends = " to ".join(f"±{width:.2g}" for width in dict.fromkeys([wide[0], wide[-1]]))
        words.append(f"95% band {ends} where it is widest")
        if not all(result.trusted for result in maps):
            words[-1] += ", not to be relied on: few faces carry the map"
    if any(result.unseen == "zero" for result in maps):
        words.append("hidden places counted as 0")
    if any(_has_hidden(result) for result in results):
        taken = "read" if first.method else "asked"
        words.append(f"pale: not {taken} (hidden from the camera, or between the probes)")
    return " · ".join(words)


def _has_hidden(result: Result) -> bool:
    inside = drawn_on(result.mesh, result.canvas)
    return bool((inside & (seen_count(result) == 0)).mean() > 0.002)
