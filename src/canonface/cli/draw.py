"""``canonface draw``: pictures of a finished run; no model is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options, pictures


def draw(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.")],
    by: Annotated[str | None, typer.Option(help="Also one map for each value of this label.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory for the pictures; default: RUN/pictures.")
    ] = None,
    draw_on: options.DrawOn = "shaded",
    picture_format: pictures.Format = "png",
    cmap: pictures.Cmap = None,
    limit: pictures.Limit = None,
    dpi: pictures.Dpi = None,
    title: pictures.Title = None,
    as_json: options.Json = False,
) -> None:
    """Draw a run again, e.g. grouped by another label, as PDF or in other colours.

    Example: canonface draw my-run --by gender --format pdf --cmap PuOr_r
    """
    from canonface.run import Run

    drawing = pictures.Drawing(draw_on, picture_format, cmap, limit, dpi, title)
    drawing.check()
    run = Run.open(folder)
    place = out or folder / "pictures"
    files = pictures.draw_run(run, place, picture_format, by, draw_on, drawing.style())
    found = pictures.summary(run, files)
    if as_json:
        console.print_json(found)
    else:
        pictures.show_summary(found)
