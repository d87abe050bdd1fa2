"""``canonface regions``: whole regions of the face, one and two at a time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped
from canonface.statistics import json_value

if TYPE_CHECKING:
    from canonface.cli.options import ChartOptions
    from canonface.pipeline import RegionSummary

SHOWN = 5
"""Interactions in the table."""


@grouped
def regions(
    *,
    photos: options.Photos,
    model: options.ModelName,
    target: options.Target = None,
    hide: Annotated[
        str,
        typer.Option(
            help="groups (eyes, nose, mouth, ...), all (each region by itself), or names of regions and groups, "
            "separated by commas."
        ),
    ] = "groups",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Directory for the run, regions.json and a picture; default: nothing is written.",
        ),
    ] = None,
    labels: options.Labels = None,
    confidence: options.ConfidenceName = None,
    fill: options.Fill = None,
    dilate: Annotated[
        float,
        typer.Option(help="Occlude this many centimetres of the face around each region as well.", min=0.0),
    ] = 0.0,
    alone: Annotated[bool, typer.Option("--alone", help="Do not occlude two regions together.")] = False,
    preset: options.Preset = "default",
    engine: options.EngineOptions,
    loading: options.LoadOptions,
    aligner: options.AlignerOptions,
    all_faces: options.AllFaces = False,
    failures: options.FailureOptions,
    look: options.ChartOptions,
    as_json: options.Json = False,
) -> None:
    """Occlude whole regions of the face, one and two at a time: the drop without the mouth, or without both eyes.

    With -o the same command continues an interrupted run.

    Example: canonface regions photos/ --model expression --target happy -o my-regions
    """
    from canonface.pipeline import audit_regions

    look.check()
    loaded = loading.load(model)
    with console.photo_progress(loaded.name, kept=out is not None) as progress:
        summary = audit_regions(
            photos,
            loaded,
            target,
            out=out,
            regions=hide if hide in ("groups", "all") else [name.strip() for name in hide.split(",")],
            interactions=not alone,
            dilate_cm=dilate,
            engine=engine.value(),
            labels=labels,
            aligner=aligner.make(all_faces),
            progress=progress,
            preset=preset,
            confidence=confidence,
            fill=fill,
            retry_failed=failures.retry_failed,
        )
    for name, reason in summary.failed:
        console.error(f"{name}: {reason}")
    found = content(summary)
    if out is not None:
        found["files"] = [str(path) for path in _save(summary, found, out, look)]
    if as_json:
        console.print_json(found)
    else:
        _show(summary)
        for path in found.get("files", ()):
            console.stdout().print(f"  {path}", markup=False, soft_wrap=True)
    if summary.failed and not failures.allow_failures:
        raise typer.Exit(1)


def _save(summary: RegionSummary, found: dict[str, Any], out: Path, look: ChartOptions) -> list[Path]:
    """Write the numbers as JSON and draw them."""
    from canonface import plots
    from canonface.files import atomic_write

    path = out / "regions.json"
    atomic_write(path, json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    figure = plots.regions(summary, title=look.title, dpi=look.dpi)
    return [path, plots.save(figure, out / f"regions.{look.picture_format}")]


def content(summary: RegionSummary) -> dict[str, Any]:
    """Return the summary for JSON; null where no face was evaluated."""
    drops, joint = summary.drops, summary.joint.mean
    return {
        "model": summary.model,
        "unit": f"drop in {summary.unit}",
        "faces": summary.faces,
        "regions": [
            {
                "region": name,
                "drop": json_value(drops.mean[i]),
                "standard_error": json_value(drops.sem[i]),
                "area": json_value(summary.areas.mean[i]),
                "faces": int(drops.count[i]),
            }
            for i, name in enumerate(summary.names)
        ],
        "interactions": [
            {
                "regions": [pair.first, pair.second],
                "interaction": pair.mean,
                "standard_error": json_value(pair.sem),
                "joint_drop": json_value(
                    joint[summary.names.index(pair.first), summary.names.index(pair.second)]
                ),
            }
            for pair in summary.strongest(len(summary.names) ** 2)
        ],
        "failed": [{"photo": name, "error": reason} for name, reason in summary.failed],
    }


def _show(summary: RegionSummary) -> None:
    from rich.table import Table

    out = console.stdout()
    faces = "1 face" if summary.faces == 1 else f"{summary.faces} faces"
    title = f"[bold]{summary.model}[/], {faces}: drop in {summary.unit} with a region occluded"
    out.print(title, soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("region")
    for heading in ("drop", "± s.e.", "of the face", "faces"):
        table.add_column(heading, justify="right")
    order = sorted(range(len(summary.names)), key=lambda i: -_or_least(summary.drops.mean[i]))
    for i in order:
        count = int(summary.drops.count[i])
        table.add_row(
            summary.names[i],
            _text(summary.drops.mean[i], "+.3f"),
            _text(summary.drops.sem[i], ".3f"),
            _text(summary.areas.mean[i], ".0%"),
            str(count),
        )
    out.print(table)
    if strongest := summary.strongest(SHOWN):
        out.print()
        out.print(
            "two regions occluded together, minus the sum of each alone (+: either can replace the other)"
        )
        pairs = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for pair in strongest:
            pairs.add_row(
                f"{pair.first} and {pair.second}", _text(pair.mean, "+.3f"), f"± {_text(pair.sem, '.3f')}"
            )
        out.print(pairs)


def _text(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _or_least(value: Any) -> float:
    """Return the value for sorting; minus infinity for NaN, so that regions that no face showed come last."""
    return -math.inf if math.isnan(value) else float(value)
