"""``canonface regions``: whole regions of the face, one and two at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonface.cli import console, options
from canonface.cli.audit import Paths
from canonface.cli.loading import chosen_aligner, loaded_model

if TYPE_CHECKING:
    from canonface.pipeline import RegionSummary

SHOWN = 5
"""Interactions in the table."""


def regions(
    photos: Paths,
    model: options.ModelName,
    target: options.Target = None,
    hide: Annotated[
        str,
        typer.Option(
            help="groups (eyes, nose, mouth, ...), all (each region by itself), or names of regions and groups, "
            "separated by commas."
        ),
    ] = "groups",
    labels: Annotated[
        Path | None, typer.Option(help="CSV file with a column path and labels of the photos.")
    ] = None,
    dilate: Annotated[
        float, typer.Option(help="Hide so many centimetres of the face around each region as well.", min=0.0)
    ] = 0.0,
    alone: Annotated[bool, typer.Option("--alone", help="Do not ask about two regions at once.")] = False,
    preset: options.Preset = "default",
    confidence: options.ConfidenceName = None,
    fill: options.Fill = None,
    level: options.Level = 1,
    halo: options.Halo = False,
    aligner: options.AlignerName = "landmarker",
    vertices: options.Vertices = None,
    mesh: options.MeshFile = None,
    batch: options.Batch = 64,
    engine: options.Engine = "auto",
    device: options.Device = "auto",
    weights: options.Weights = None,
    architecture: options.Architecture = None,
    output: options.Output = None,
    outputs: options.Outputs = None,
    trust: options.Trust = False,
    allow_failures: options.AllowFailures = False,
    as_json: options.Json = False,
) -> None:
    """Hide whole regions of the face, one and two at a time: what does the model lose with the mouth, or both eyes?

    Example: canonface regions photos/ --model expression --target happy
    """
    from canonface.pipeline import audit_regions

    loaded = loaded_model(
        model,
        device,
        weights=weights,
        architecture=architecture,
        output=output,
        outputs=outputs,
        trust=trust,
    )
    with console.photo_progress(loaded.name) as progress:
        summary = audit_regions(
            photos,
            loaded,
            target,
            regions=hide if hide in ("groups", "all") else [name.strip() for name in hide.split(",")],
            interactions=not alone,
            dilate_cm=dilate,
            labels=labels,
            preset=preset,
            aligner=chosen_aligner(aligner, level, False, halo, mesh, vertices),
            batch=batch,
            engine=engine,
            progress=progress,
            confidence=confidence,
            fill=fill,
        )
    for name, reason in summary.failed:
        console.error(f"{name}: {reason}")
    if as_json:
        console.print_json(content(summary))
    else:
        _show(summary)
    if summary.failed and not allow_failures:
        raise typer.Exit(1)


def content(summary: RegionSummary) -> dict[str, Any]:
    """The summary as JSON can hold it; null where no face was asked."""
    drops, joint = summary.drops, summary.joint.mean
    return {
        "model": summary.model,
        "unit": f"drop in {summary.unit}",
        "faces": summary.faces,
        "regions": [
            {
                "region": name,
                "drop": _number(drops.mean[i]),
                "standard_error": _number(drops.sem[i]),
                "area": _number(summary.areas.mean[i]),
                "faces": int(drops.count[i]),
            }
            for i, name in enumerate(summary.names)
        ],
        "interactions": [
            {
                "regions": [pair.first, pair.second],
                "interaction": pair.mean,
                "standard_error": _number(pair.sem),
                "joint_drop": _number(
                    joint[summary.names.index(pair.first), summary.names.index(pair.second)]
                ),
            }
            for pair in summary.strongest(len(summary.names) ** 2)
        ],
        "failed": [{"photo": name, "error": reason} for name, reason in summary.failed],
    }


def _number(value: float) -> float | None:
    return float(value) if value == value else None  # noqa: PLR0124 - NaN


def _show(summary: RegionSummary) -> None:
    from rich.table import Table

    out = console.stdout()
    faces = "1 face" if summary.faces == 1 else f"{summary.faces} faces"
    title = f"[bold]{summary.model}[/], {faces}: drop in {summary.unit} when a region is hidden"
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
            "two regions hidden at once, against the sum of each alone (+: either can stand in for the other)"
        )
        pairs = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for pair in strongest:
            pairs.add_row(
                f"{pair.first} and {pair.second}", _text(pair.mean, "+.3f"), f"± {_text(pair.sem, '.3f')}"
            )
        out.print(pairs)


def _text(value: float, form: str) -> str:
    return format(value, form) if value == value else "-"  # noqa: PLR0124 - NaN


def _or_least(value: Any) -> float:
    """Regions that no face showed come last."""
    return float(value) if value == value else float("-inf")  # noqa: PLR0124 - NaN
