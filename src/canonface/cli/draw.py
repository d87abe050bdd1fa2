"""``canonface draw``: other pictures of a run; no model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options


def draw(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.")],
    by: Annotated[str | None, typer.Option(help="Also one map for each value of this label.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory for the pictures; default: RUN/pictures.")
    ] = None,
    draw_on: options.DrawOn = "shaded",
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Draw a run again, e.g. grouped by another label or as SVG.

    Example: canonface draw my-run --by gender --format svg
    """
    from canonface.cli.pictures import check_draw_on, check_format, draw_run, show_summary, summary
    from canonface.run import Run

    check_format(picture_format)
    check_draw_on(draw_on)
    run = Run.open(folder)
    found = summary(run, draw_run(run, out or folder / "pictures", picture_format, by, draw_on))
    if as_json:
        console.print_json(found)
    else:
        show_summary(found)
