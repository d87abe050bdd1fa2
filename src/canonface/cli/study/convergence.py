"""``canonface study convergence``: the number of photos that a map needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options


def convergence(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run of canonface audit.")],
    out: options.Out,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Numbers of photos, e.g. 100,500,1000; default: 5, 10, 20, 50, ... as far as there are."
        ),
    ] = None,
    reliability: Annotated[float, typer.Option(help="Wanted reliability, between 0 and 1.")] = 0.95,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column of the labels that names the person; default: the run's own, or identity."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Random draws for each number of photos.", min=2)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0)] = 0,
    draw_on: options.DrawOn = "shaded",
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Report the reliability of a run's map, and the number of photos at which it is high enough. No model runs.

    Example: canonface study convergence my-run -o convergence
    """
    from canonface import plots
    from canonface.cli.options import check_draw_on, check_format
    from canonface.cli.pictures import face_picture
    from canonface.cli.study.finishing import finish
    from canonface.run import Run
    from canonface.studies import convergence as study

    check_format(picture_format)
    check_draw_on(draw_on)
    run = Run.open(folder)
    with console.working("drawing people"):
        found = study(run, sizes=numbers(sizes), target=reliability, cluster=cluster, draws=draws, seed=seed)
    title = f"How many photos the map of the {run.model_name} model needs"
    figure = plots.convergence_figure(found, face_picture(run, draw_on), title=title)
    name = "convergence"
    finish(
        out,
        name,
        picture_format,
        {name: figure},
        {name: found.table()},
        found.words(),
        found.summary(),
        as_json,
    )


def numbers(text: str | None) -> list[int] | None:
    """Return the whole numbers between commas; None for None.

    Raises:
        OptionError: a part is no whole number.
    """
    from canonface.errors import OptionError

    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"Numbers stand between commas, e.g. 100,500,1000; got {text!r}.") from None
