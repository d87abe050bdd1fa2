"""``canonface audit``: many photos, one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options
from canonface.cli.loading import chosen_aligner, loaded_model, made_gallery, method_options

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
    confidence: options.ConfidenceName = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            help="Photos of known people, for a recognition model: a folder for each person, or a CSV file with the "
            "columns path and identity."
        ),
    ] = None,
    identity: Annotated[
        str, typer.Option(help="Column, of the labels and of the gallery, that names the person.")
    ] = "identity",
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
    all_faces: options.AllFaces = False,
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
    design: options.Design = None,
    share: options.Share = None,
    precision: Annotated[
        float | None,
        typer.Option(
            help="Stop as soon as the map is known to within this drop, with 95% certainty; photos are taken in "
            "random order."
        ),
    ] = None,
    precision_of: Annotated[str, typer.Option(help="What is to be that precise: map or regions.")] = "map",
    max_forward_passes: Annotated[
        int | None, typer.Option(help="Stop when the model has been shown so many images.", min=1)
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column of the labels that names the person; default: identity, if there is one."),
    ] = None,
    seed: options.Seed = 0,
    method: options.MethodName = None,
    layer: options.Layer = None,
    method_option: options.MethodOption = None,
    no_normalise: options.NoNormalise = False,
    unseen: options.Unseen = None,
    draw_on: options.DrawOn = "shaded",
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Make the canonical model saliency map of a model over many photos.

    Started again with the same options, it goes on where it stopped.

    Example: canonface audit photos/ --model expression --target happy --labels labels.csv --by gender -o my-run

    With a tenth of the questions: canonface audit photos/ --model gender --share 0.1 -o my-run

    By a method of others: canonface audit photos/ --model gender --method gradcam++ -o my-gradcam-run
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
    place = chosen_aligner(aligner, level, all_faces, halo, mesh, vertices)
    known = None if gallery is None else made_gallery(gallery, loaded, identity, place, confidence)
    with console.photo_progress(loaded.name) as progress:
        result = pipeline.audit(
            photos,
            loaded,
            out,
            target=target,
            labels=labels,
            by=by,
            preset=preset,
            aligner=place,
            batch=batch,
            engine=engine,
            retry_failed=retry_failed,
            design=design,
            share=share,
            precision=precision,
            precision_of=precision_of,  # type: ignore[arg-type]  # checked there, in words
            max_forward_passes=max_forward_passes,
            cluster=cluster,
            seed=seed,
            progress=progress,
            confidence=confidence,
            gallery=known,
            identity=identity,
            occluder=occluder,
            patch=patch,
            fill=fill,
            stride=stride,
            spacing=spacing,
            normalise=False if no_normalise else None,
            unseen=unseen,
            method=method,
            method_options=chosen,
        )
    finish(result, out, picture_format, by, draw_on, as_json, allow_failures)
