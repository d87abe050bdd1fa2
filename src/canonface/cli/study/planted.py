"""``canonface study planted``: networks trained to use one region, and the maps that point to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canonface.cli import console, options
from canonface.cli.study.settings import listed
from canonface.cli.study.shared import SettingProgress

if TYPE_CHECKING:
    from canonface.studies.planted import Planted


def planted(
    photos: options.Photos,
    out: options.Out,
    labels: Annotated[
        Path | None, typer.Option(help="CSV file with a column path and the person shown.")
    ] = None,
    identity: Annotated[str, typer.Option(help="Column of the labels that names the person.")] = "identity",
    trials: Annotated[int, typer.Option(help="Networks that learn a coloured mark.", min=0)] = 40,
    make_up: Annotated[
        int | None,
        typer.Option(
            "--make-up", help="Networks that learn eye make-up; default: a fourth of the trials.", min=0
        ),
    ] = None,
    make_up_label: Annotated[
        str | None,
        typer.Option(
            "--make-up-label",
            help="Column of two values that the make-up goes with, e.g. gender; default: labels are drawn.",
        ),
    ] = None,
    most_photos: Annotated[
        int | None,
        typer.Option("--photos", help="Number of photos, drawn at random; default: all.", min=1),
    ] = None,
    faces: Annotated[int, typer.Option(help="Held-out faces that each map is made of.", min=1)] = 30,
    methods: Annotated[
        str | None,
        typer.Option(help="Other methods between commas; default: all. The canonical map is always made."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.", min=0)] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A try: 400 photos, short training, maps of 12 faces.")
    ] = False,
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Train small networks to use one region of the face each, and count the methods whose maps point to it.

    Needs no model: it trains its own on your photos, with a coloured mark painted on one region, or eye make-up.

    Give several hundred photos. Each finished trial is kept: the same command goes on, also with more trials.

    Example: canonface study planted photos/ --trials 40 -o planted
    """
    from canonface import plots
    from canonface.cli.options import check_format
    from canonface.cli.study.finishing import finish
    from canonface.studies.planted import planted as study

    check_format(picture_format)
    with SettingProgress() as report:
        found = study(
            photos,
            out,
            labels=labels,
            identity=identity,
            trials=trials,
            make_up=make_up,
            make_up_label=make_up_label,
            most_photos=most_photos,
            faces=faces,
            methods=listed(methods),
            seed=seed,
            quick=quick,
            progress=report,
        )
    figures = {
        "planted-rates": plots.planted_rates_figure(found),
        "planted-maps": plots.planted_maps_figure(found),
    }
    tables = {
        "planted": found.table(),
        "planted-trials": found.trial_table(),
        "planted-groups": found.groups(),
    }
    if not as_json:
        print_table(found)
    finish(out, "planted", picture_format, figures, tables, found.words(), found.summary(), as_json)


def print_table(found: Planted) -> None:
    """Return the tables of the study, one for each kind of cue."""
    from rich.table import Table

    from canonface.plots.planted import name_of

    for kind in ("mark", "make-up"):
        rows = [row for row in found.rows() if row.kind == kind]
        if not rows:
            continue
        hit, mass = found.chance(kind)
        table = Table(title=f"{kind}: {rows[0].hits.trials} trials", title_justify="left", title_style="bold")
        table.add_column("method", no_wrap=True)
        for heading in ("hits", "95%", "inside", "mass", "AUC", "cm", "s"):
            table.add_column(heading, justify="right")
        table.add_row("[dim]chance[/]", f"{hit:.0%}", "", f"{mass:.0%}", f"{mass:.0%}", "0.50", "", "")
        for row in rows:
            low, high = row.hits.interval
            table.add_row(
                name_of(row.method),
                f"{row.hits.hits}/{row.hits.trials}",
                f"{100 * low:.0f}-{high:.0%}",
                f"{row.inside.share:.0%}",
                f"{row.mass:.0%}",
                f"{row.auc:.2f}",
                f"{row.distance_cm:.1f}",
                f"{row.seconds:.2f}" if row.seconds == row.seconds else "",
            )
        console.stdout().print(table)
