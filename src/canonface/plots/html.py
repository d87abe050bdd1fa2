"""HTML of results in notebooks: a picture, and the numbers that matter, in one small table.

The HTML holds no script and no style sheet, its text is escaped, and its colours are the notebook's own.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from canonface.errors import RunError
from canonface.evaluation.result import Estimate, Evaluation
from canonface.maps import CIS, CMS
from canonface.methods import title_of
from canonface.plots.bars import TITLES
from canonface.plots.captions import count_words
from canonface.plots.files import picture_bytes
from canonface.plots.pictures import canonical
from canonface.plots.sheet import number
from canonface.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is loaded when a figure is drawn, not before
    Figure = Any

Numbers: TypeAlias = dict[str, str]
"""Name of a number -> the number in words; neither is escaped."""

MOST_METRICS = 5
_WIDTH, _HEIGHT, _DPI = 2.9, 3.4, 110
_ROW = (
    "border-top:1px solid rgba(128,128,128,.35);padding:.25em .9em .25em 0;text-align:left;vertical-align:top"
)


def render(result: CIS | CMS | Run | Evaluation) -> str:
    """Return a result as HTML."""
    if isinstance(result, CIS):
        return _page(_picture(result), _heading(result), numbers_of_face(result))
    if isinstance(result, CMS):
        return _page(_picture(result), _heading(result), numbers_of_faces(result))
    if isinstance(result, Run):
        heading = f"Run of the {result.model_name} model"
        try:
            cms = result.cms() if result.faces.num_rows else None
            return _page(_picture(cms) if cms else None, heading, numbers_of_run(result, cms))
        except RunError as error:
            # A run without a finished photo, or before its first interim look, has no map yet.
            return _page(None, heading, {"no map yet": str(error)})
    return _page(None, f"Evaluation of maps of the {result.model} model", numbers_of_evaluation(result))


def numbers_of_face(cis: CIS) -> Numbers:
    """Return confidence, probes and extremes of one face's map."""
    measured = int(cis.measured.sum())
    probes = f"{measured} of {len(cis.probes)}"
    if cis.inferred is not None and cis.inferred.any():
        probes += f", {int(cis.inferred.sum())} interpolated"
    confidence = f"{cis.confidence:.3g}" if math.isfinite(cis.confidence) else ""
    return {
        "photo": Path(cis.face.path).name,
        "target": cis.target,
        "confidence": confidence,
        **_extremes(cis),
        "values read at" if cis.method else "probes measured": probes,
    }


def numbers_of_faces(cms: CMS) -> Numbers:
    """Return faces, extremes and confidence band of a model's map."""
    band = ""
    if math.isfinite(cms.half_width):
        band = f"±{cms.half_width:.2g} where widest" + (
            "" if cms.trusted else ", not reliable: too few faces"
        )
    return {
        "mean of": count_words(cms) + (f" of {cms.name}" if cms.name else ""),
        **_extremes(cms),
        "off the face": f"{cms.off_face:.0%}" if math.isfinite(cms.off_face) else "",
        "95% band": band,
        "note": cms.note,
    }


def numbers_of_run(run: Run, cms: CMS | None) -> Numbers:
    """Return the numbers of faces and failures, and the extremes of a run's map.

    Args:
        run: the run.
        cms: map of all its faces; None if no face was explained.
    """
    failed = Counter(run.failures.column("reason").to_pylist())
    reasons = ", ".join(f"{count} {reason}" for reason, count in failed.most_common(3))
    confidence = run.settings.get("confidence", "")
    return {
        "pairs explained" if run.of_pairs else "faces explained": f"{run.faces.num_rows}",
        "failed": f"{run.failures.num_rows}" + (f" ({reasons})" if reasons else ""),
        "method" if run.method else "confidence": title_of(run.method) if run.method else _words(confidence),
        "unit": cms.unit if cms else "",
        **(_extremes(cms) if cms else {}),
        "folder": str(run.folder),
    }


def numbers_of_evaluation(evaluation: Evaluation) -> Numbers:
    """Return images, and the best method by each of the first few metrics."""
    count, people = len(evaluation), len(set(evaluation.people))
    what = "pairs" if evaluation.of_pairs else "photos"
    numbers = {
        what: f"{count}" + (f" of {people} people" if evaluation.by_identity else ""),
        "methods": ", ".join(TITLES.get(name, title_of(name)) for name in evaluation.methods),
        "failed": f"{len(evaluation.failed)}" if evaluation.failed else "",
    }
    for group in evaluation.group_names:
        found = evaluation.of_group(group).estimates()
        for metric in evaluation.metrics[:MOST_METRICS]:
            known = [e for e in found if e.metric == metric and math.isfinite(e.interval.value)]
            if known:
                pick = max if metric.better == "higher" else min
                best = pick(known, key=lambda estimate: estimate.interval.value)
                name = f"{metric.title} {metric.arrow}" + (f", {group}" if group else "")
                numbers[name] = _best_words(best, evaluation)
    return numbers


def _best_words(best: Estimate, evaluation: Evaluation) -> str:
    value, low, high = best.interval
    interval = ""
    if math.isfinite(low) and math.isfinite(high):
        interval = f" ({evaluation.confidence_level:.0%}: {low:.3g} to {high:.3g})"
    return f"best {TITLES.get(best.method, title_of(best.method))}: {value:.3g}{interval}"


def _extremes(result: CIS | CMS) -> Numbers:
    """Return the peak and the most negative region of a map."""
    peak = result.peak()
    regions = result.region_values()
    lowest = min(regions, key=lambda name: regions[name]) if regions else ""
    negative = bool(lowest) and regions[lowest] < 0
    return {
        "highest at": f"{_place(peak.regions)}, {number(peak.value)}" if peak else "",
        "most negative region": f"{_place((lowest,))}, {number(regions[lowest])}" if negative else "none",
    }


def _place(regions: tuple[str, ...]) -> str:
    return " / ".join(name.replace("_", " ") for name in regions) or "between the named regions"


def _words(described: Any) -> str:
    """Return the name in a described setting."""
    return str(described.get("name", "") if isinstance(described, dict) else described)


def _heading(result: CIS | CMS) -> str:
    """Return the quantity of a map, and the model or method it is of."""
    what = result.unit if result.method else f"Drop in {result.unit}"
    return what if result.model in ("", result.method) else f"{what}, {result.model} model"


def _picture(result: CIS | CMS) -> bytes:
    """Return a small PNG of a map on the canonical face."""
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout="constrained", facecolor="white")
    canonical(result, ax=figure.add_subplot(), title="")
    return picture_bytes(figure, ".png")


def _page(picture: bytes | None, heading: str, numbers: Numbers) -> str:
    """Set a picture and numbers side by side; numbers without a value are left out."""
    rows = "".join(
        f'<tr style="background:none"><th style="{_ROW};font-weight:normal;opacity:.75">{escape(name)}</th>'
        f'<td style="{_ROW}">{escape(value)}</td></tr>'
        for name, value in numbers.items()
        if value
    )
    image = ""
    if picture is not None:
        data = base64.b64encode(picture).decode()
        image = (
            f'<img alt="{escape(heading)}" width="{round(_WIDTH * 96)}" style="border-radius:4px" '
            f'src="data:image/png;base64,{data}">'
        )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.2em;align-items:flex-start">'
        f'{image}<div><div style="font-weight:bold;margin:.3em 0 .6em">{escape(heading)}</div>'
        f'<table style="border-collapse:collapse;margin:0">{rows}</table></div></div>'
    )
