"""``canonface verify``: pairs of photos, one recognition model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options
from canonface.cli.loading import chosen_aligner, loaded_model, method_options


def verify(
    pairs: Annotated[
        Path,
        typer.Argument(help="CSV file with the columns path_a and path_b, and same (1 or 0) if it is known."),
    ],
    model: options.ModelName,
    out: options.Out,
    hide: Annotated[
        str,
        typer.Option(
            help="Hide the same place in both photos (the paper), in the first only, or in the second only."
        ),
    ] = "both",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least cosine of a pair that is taken for one person; default: fitted on the pairs."
        ),
    ] = None,
    fmr: Annotated[float, typer.Option(help="False match rate that the threshold is fitted for.")] = 0.01,
    by: Annotated[
        str, typer.Option(help="Also one map for each value of this label; target: same or different.")
    ] = "target",
    preset: options.Preset = "default",
    occluder: options.Occluder = None,
    patch: options.Patch = None,
    fill: options.Fill = None,
    stride: options.Stride = None,
    spacing: options.Spacing = None,
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
    retry_failed: options.RetryFailed = False,
    method: options.MethodName = None,
    layer: options.Layer = None,
    method_option: options.MethodOption = None,
    unseen: options.Unseen = None,
    draw_on: options.DrawOn = "shaded",
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Make the map of what a recognition model relies on when it compares two faces.

    Genuine pairs (same) and impostor pairs (different) have maps of their own. Started again with the same options,
    it goes on where it stopped.

    Example: canonface verify pairs.csv --model facenet -o my-verification
    """
    from canonface import pipeline
    from canonface.cli.pictures import check_draw_on, check_format, finish

    check_format(picture_format)
    check_draw_on(draw_on)
    chosen = method_options(layer, method_option)
    loaded = loaded_model(
        model,
        device,
        weights=weights,
        architecture=architecture,
        output=output,
        outputs=outputs,
        trust=trust,
    )
    with console.photo_progress(loaded.name, "pairs") as progress:
        result = pipeline.verify(
            pairs,
            loaded,
            out,
            threshold=threshold,
            fmr=fmr,
            hide=hide,  # type: ignore[arg-type]
            preset=preset,
            aligner=chosen_aligner(aligner, level, False, halo, mesh, vertices),
            batch=batch,
            engine=engine,
            retry_failed=retry_failed,
            progress=progress,
            occluder=occluder,
            patch=patch,
            fill=fill,
            stride=stride,
            spacing=spacing,
            unseen=unseen,
            method=method,
            method_options=chosen,
        )
    finish(result, out, picture_format, by, draw_on, as_json, allow_failures)
