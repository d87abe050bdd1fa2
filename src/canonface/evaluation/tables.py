"""Tables of an evaluation: CSV, LaTeX, and a dictionary for JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import Any

from canonface.evaluation.intervals import Interval, too_few_to_draw
from canonface.evaluation.metrics import Metric
from canonface.evaluation.result import Difference, Estimate, Evaluation
from canonface.methods import title_of
from canonface.statistics import json_value

COLUMNS = (
    *("group", "metric", "better", "unit", "method", "value", "low", "high", "images", "people"),
    *("difference", "difference_low", "difference_high", "reference"),
)


def rows(evaluation: Evaluation, reference: str = "cms") -> Iterator[dict[str, Any]]:
    """Yield one row per group, metric and method, with its paired difference ``reference - method``."""
    for group in evaluation.group_names:
        part = evaluation.of_group(group)
        compared = {(d.metric.name, d.method): d for d in part.differences(reference)}
        for estimate in part.estimates():
            difference = compared.get((estimate.metric.name, estimate.method))
            yield _row(evaluation, group, estimate, difference)


def _row(
    evaluation: Evaluation, group: str, estimate: Estimate, difference: Difference | None
) -> dict[str, Any]:
    metric, (value, low, high) = estimate.metric, estimate.interval
    row = {
        "group": group or "all",
        "metric": metric.name,
        "better": metric.better,
        "unit": "percent" if metric.scale == "percent" else evaluation.unit,
        "method": estimate.method,
        "value": value,
        "low": low,
        "high": high,
        "images": estimate.images,
        "people": estimate.people,
    }
    if difference is None:
        return row | dict.fromkeys(COLUMNS[10:])
    of, start, end = difference.interval
    numbers = {"difference": of, "difference_low": start, "difference_high": end}
    return row | numbers | {"reference": difference.reference}


def csv_text(evaluation: Evaluation, reference: str = "cms") -> str:
    """Return `rows` as CSV; a field is empty where there is no number."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows(evaluation, reference):
        writer.writerow({name: json_value(value) for name, value in row.items()})
    return buffer.getvalue()


def image_scores_text(evaluation: Evaluation) -> str:
    """Return every score as CSV, one row per image, metric and method."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("image", "person", "group", "confidence", "metric", "method", "score"))
    for i, name in enumerate(evaluation.names):
        about = (name, evaluation.people[i], evaluation.groups[i], repr(float(evaluation.original[i])))
        for metric in evaluation.metrics:
            for k, method in enumerate(evaluation.methods):
                score = json_value(float(evaluation.scores[metric.name][i, k]))
                writer.writerow((*about, metric.name, method, "" if score is None else score))
    return buffer.getvalue()


def content(evaluation: Evaluation, reference: str = "cms") -> dict[str, Any]:
    """Return an evaluation as a dictionary for JSON; null where there is no number."""
    taken = evaluation.taken.mean(axis=0) if len(evaluation) else []
    return {
        "model": evaluation.model,
        "confidence": evaluation.unit,
        "images": len(evaluation),
        "people": len(set(evaluation.people)),
        "resampled": "people" if evaluation.by_identity else "pairs" if evaluation.of_pairs else "photos",
        "level": evaluation.confidence_level,
        "choices": dict(evaluation.choices),
        "ties_percent": {
            group or "all": json_value(evaluation.of_group(group).ties) for group in evaluation.group_names
        },
        "heat_taken": {name: json_value(float(v)) for name, v in zip(evaluation.methods, taken, strict=True)},
        "results": [{k: json_value(v) for k, v in row.items()} for row in rows(evaluation, reference)],
        "failed": [{"photo": name, "reason": reason} for name, reason in evaluation.failed],
    }


def latex_text(evaluation: Evaluation, titles: Mapping[str, str] | None = None) -> str:
    """Return a booktabs table, methods down and metrics across; the best means of each metric are bold.

    Args:
        evaluation: to tabulate.
        titles: titles of the methods; a method without a title keeps its name.
    """
    lines = [f"% {evaluation.model}: {caption(evaluation)}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * len(evaluation.metrics)}}}", r"\toprule"]
    arrows = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}
    heads = [f"{_escaped(metric.title)} {arrows[metric.better]}" for metric in evaluation.metrics]
    lines.append(" & ".join(["method", *heads]) + r" \\")
    for group in evaluation.group_names:
        lines.append(r"\midrule")
        if group:
            lines.append(rf"\multicolumn{{{len(heads) + 1}}}{{l}}{{\emph{{{_escaped(group)}}}}} \\")
        lines += _latex_rows(evaluation.of_group(group), titles or {})
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_rows(part: Evaluation, titles: Mapping[str, str]) -> Iterator[str]:
    found = {(e.metric.name, e.method): e.interval for e in part.estimates()}
    best = {metric.name: best_methods(part, metric) for metric in part.metrics}
    for method in part.methods:
        cells = []
        for metric in part.metrics:
            value, low, high = words(found[metric.name, method], metric)
            bold = rf"\textbf{{{value}}}" if method in best[metric.name] else value
            cells.append(f"{bold} [{low}, {high}]".replace("-", "$-$") if value else "--")
        yield " & ".join([_escaped(titles.get(method, method)), *cells]) + r" \\"


def best_methods(part: Evaluation, metric: Metric) -> tuple[str, ...]:
    """Return the methods whose printed mean is the best."""
    shown = {
        e.method: float(words(e.interval, metric)[0])
        for e in part.estimates()
        if e.metric == metric and math.isfinite(e.interval.value)
    }
    if not shown:
        return ()
    top = (max if metric.better == "higher" else min)(shown.values())
    return tuple(method for method, value in shown.items() if value == top)


def words(interval: Interval, metric: Metric) -> tuple[str, str, str]:
    """Return mean and ends of an interval as printed; empty where there is no number."""
    form = ".1f" if metric.scale == "percent" else ".3f"
    value, low, high = (format(number, form) if math.isfinite(number) else "" for number in interval)
    return value, low, high


def caption(evaluation: Evaluation) -> str:
    """Return one line about the images, people and intervals."""
    count, people = len(evaluation), len(set(evaluation.people))
    kind = "pairs" if evaluation.of_pairs else "photos"
    images = f"{count} {kind} of {people} people" if evaluation.by_identity else f"{count} {kind}"
    drawn = (
        "people"
        if evaluation.by_identity
        else "groups of pairs with no photo in common"
        if evaluation.of_pairs
        else kind
    )
    by = made_by(evaluation)
    few = too_few_to_draw(people, evaluation.confidence_level)
    method = f"Student's t over so few {drawn}" if few else f"bootstrap over {drawn}"
    level = f"{evaluation.confidence_level:.0%} confidence intervals ({method})"
    return f"{images}; {level}" + (f"; CMS and CIS are canonical maps by {by}" if by else "")


def made_by(evaluation: Evaluation) -> str:
    """Return the title of the method whose maps the run holds; empty for canonface's own."""
    by = str(evaluation.choices.get("maps", "canonical"))
    return "" if by == "canonical" else title_of(by)


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "&%$#_{}" else c for c in text)
