"""``canonface audit``: many photos, one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options

Paths = Annotated[
    list[str], typer.Argument(help="Folders, files, patterns in quotes, or CSV files with a column path.")
]


def audit(
    photos: Paths,
    model: options.ModelName,
    out: options.Out,
    labels: Annotated[
        Path | None, typer.Option(help="CSV file with a column path and labels of the photos.")
    ] = None,
    target: options.Target = None,
    by: Annotated[str | None, typer.Option(help="Also one map for each value of this label.")] = None,
    preset: options.Preset = "default",
    confidence: options.ConfidenceScale = None,
    patch: options.Patch = None,
    fill: options.Fill = None,
    stride: options.Stride = None,
    level: options.Level = 1,
    all_faces: options.AllFaces = False,
    batch: options.Batch = 64,
    device: options.Device = "auto",
    allow_failures: Annotated[
        bool, typer.Option("--allow-failures", help="Exit with 0 even if some photos failed.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again about photos that failed.")
    ] = False,
    no_normalise: options.NoNormalise = False,
    unseen: Annotated[
        str | None,
        typer.Option(help="What a face hides: omit (left out of the mean, default) or zero (the paper)."),
    ] = None,
    draw_on: options.DrawOn = "shaded",
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Make the canonical model saliency map of a model over many photos.

    Started again with the same options, it goes on where it stopped.

    Example: canonface audit photos/ --model expression --target happy --labels labels.csv --by gender -o my-run
    """
    from canonface import run
    from canonface.cli.pictures import check_draw_on, check_format, draw_run, show_summary, shown_as, summary
    from canonface.models import load_model

    check_format(picture_format)
    check_draw_on(draw_on)
    loaded = load_model(model, device=device)
    console.note(shown_as(loaded))
    with console.photo_progress(loaded.name) as progress:
        result = run.audit(
            photos,
            loaded,
            out,
            target=target,
            labels=labels,
            by=by,
            preset=preset,
            level=level,
            faces="all" if all_faces else "largest",
            batch=batch,
            retry_failed=retry_failed,
            progress=progress,
            confidence=confidence,
            patch=patch,
            fill=fill,
            stride=stride,
            normalise=False if no_normalise else None,
            unseen=unseen,
        )
    pictures = (
        draw_run(result, out / "pictures", picture_format, by, draw_on) if result.faces.num_rows else []
    )
    found = summary(result, pictures)
    if as_json:
        console.print_json(found)
    else:
        show_summary(found)
    for row in result.failures.select(["path", "message"]).slice(0, 5).to_pylist():
        console.note(f"{row['path']}: {row['message']}")
    if result.failures.num_rows and not allow_failures:
        raise typer.Exit(1)
