"""Captions of pictures: headings, notes and footers."""

from __future__ import annotations

import numpy as np

from canonface.maps import CIS, CMS
from canonface.methods import title_of
from canonface.plots.panels import Result, drawn_on, seen_count


def heading(result: Result, title: str | None) -> tuple[str, str]:
    """Return the title of a map's picture, and the line under it."""
    by = f", by {title_of(result.method)}" if result.method and result.method != result.model else ""
    if result.method and result.method == result.model and title is None:  # the model is unknown
        title = f"What was relied on, by {title_of(result.method)}"
    if isinstance(result, CIS):
        sure = f" {two_decimals(result.confidence)}" if np.isfinite(result.confidence) else ""
        said = f"{result.target}{sure}" if result.method else f"{result.unit}{sure}"
        return (
            f"What the {result.model} model relied on{by}" if title is None else title,
            f"{said}, one face",
        )
    group = f"{result.name}: " if result.name else ""
    if title is None and result.method:
        return f"What the {result.model} model relies on{by}", f"{group}mean of {count_words(result)}"
    if title is None and not result.model:
        return f"What the {result.unit} relies on", f"{group}mean of {count_words(result)}"
    if title is None:
        title = f"What the {result.model} model relies on"
    return title, f"{group}{result.unit}, mean of {count_words(result)}"


def two_decimals(value: float) -> str:
    """Format a number with two decimals and a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


def count_words(cms: CMS, what: str = "face") -> str:
    """Return the number of faces or pairs behind a map, in words."""
    return f"1 {what}" if cms.faces == 1 else f"{cms.faces:,} {what}s".replace(",", " ")


def footer(*results: Result) -> str:
    """Return the small print of a picture: patch, probes, confidence band, meaning of pale."""
    first = results[0]
    share = first.canonical_patch * (1 + first.canvas.margin) / min(first.canvas.size_hw)
    what = "value is spread over a square that" if first.method else "patch"
    words = [f"Each {what} is {share:.0%} of the face's height wide"]
    if isinstance(first, CIS):
        words[0] += f", {first.patch:.3g} of the input's {first.input_height} px"
        single = [result for result in results if isinstance(result, CIS)]
        measured = [int(cis.measured.sum()) for cis in single]
        count = f"{measured[0]:,}" if len(measured) == 1 else f"{min(measured):,} to {max(measured):,}"
        taken = "read" if first.method else "probed"
        words.append(f"{count} of {len(first.probes):,} places {taken}".replace(",", " "))
        if errors := [cis.inferred_error for cis in single if np.isfinite(cis.inferred_error)]:
            words.append(f"the others interpolated, their typical error {max(errors):.2g}")
    maps = [result for result in results if isinstance(result, CMS)]
    words += dict.fromkeys(result.note for result in maps if result.note)
    if wide := sorted({result.half_width for result in maps if np.isfinite(result.half_width)}):
        ends = " to ".join(f"±{width:.2g}" for width in dict.fromkeys([wide[0], wide[-1]]))
        words.append(f"95% band {ends} where it is widest")
        if not all(result.trusted for result in maps):
            words[-1] += ", not reliable: too few faces"
    if any(result.unseen == "zero" for result in maps):
        words.append("hidden places counted as 0")
    if any(_has_hidden(result) for result in results):
        taken = "read" if first.method else "probed"
        words.append(f"pale: not {taken} (hidden from the camera, or between the probes)")
    return " · ".join(words)


def _has_hidden(result: Result) -> bool:
    """Return whether a visible part of the face has no value."""
    inside = drawn_on(result.mesh, result.canvas)
    return bool((inside & (seen_count(result) == 0)).mean() > 0.002)
