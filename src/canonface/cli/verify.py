"""``canonface verify``: pairs of photos, one recognition model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped


@grouped
def verify(
    *,
    pairs: Annotated[
        Path,
        typer.Argument(help="CSV file with the columns path_a and path_b, and same (1 or 0) if it is known."),
    ],
    model: options.ModelName,
    out: options.Out,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least cosine of a pair that is taken for one person; default: fitted on the pairs."
        ),
    ] = None,
    fmr: Annotated[float, typer.Option(help="False match rate that the threshold is fitted for.")] = 0.01,
    hide: Annotated[
        str,
        typer.Option(
            help="Occlude the same place in both photos (the paper), in the first only, or in the second only."
        ),
    ] = "both",
    by: Annotated[
        str, typer.Option(help="Also one map for each value of this label; target: same or different.")
    ] = "target",
    preset: options.Preset = "default",
    patch: options.PatchOptions,
    method: options.MethodOptions,
    unseen: options.Unseen = None,
    engine: options.EngineOptions,
    loading: options.LoadOptions,
    aligner: options.AlignerOptions,
    pictures: options.PictureOptions,
    failures: options.FailureOptions,
    as_json: options.Json = False,
) -> None:
    """Make the map of the parts of faces that a recognition model compares.

    Genuine pairs (same) and impostor pairs (different) have separate maps. The same command continues an interrupted
    run.

    Example: canonface verify pairs.csv --model facenet -o my-verification
    """
    from canonface import pipeline
    from canonface.cli.pictures import finish

    pictures.check()
    keywords = patch.keywords() | method.keywords() | {"unseen": unseen}
    loaded = loading.load(model)
    with console.photo_progress(loaded.name, "pairs") as progress:
        result = pipeline.verify(
            pairs,
            loaded,
            out,
            threshold=threshold,
            fmr=fmr,
            hide=hide,  # type: ignore[arg-type]  # checked there
            engine=engine.value(),
            aligner=aligner.make(),
            progress=progress,
            preset=preset,
            retry_failed=failures.retry_failed,
            **keywords,
        )
    finish(result, out, pictures, by, as_json, failures.allow_failures)
