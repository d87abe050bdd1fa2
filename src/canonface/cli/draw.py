"""``canonface draw``: other pictures of a run; no model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped


@grouped
def draw(
    *,
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.")],
    by: Annotated[str | None, typer.Option(help="Also one map for each value of this label.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory for the pictures; default: RUN/pictures.")
    ] = None,
    pictures: options.PictureOptions,
    as_json: options.Json = False,
) -> None:
    """Draw a run again, e.g. grouped by another label, as PDF or in other colours.

    Example: canonface draw my-run --by gender --format pdf --cmap PuOr_r
    """
    from canonface.cli.pictures import draw_run, show_summary, summary
    from canonface.run import Run

    pictures.check()
    run = Run.open(folder)
    found = summary(run, draw_run(run, out or folder / "pictures", pictures, by))
    if as_json:
        console.print_json(found)
    else:
        show_summary(found)
