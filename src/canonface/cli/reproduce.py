"""``canonface reproduce``: the paper's figures from photos of your own."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console


def reproduce(
    figure: Annotated[
        str | None, typer.Argument(help="Number of the paper's figure; without it, all are listed.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="CelebA's or LFW's folder as it is distributed, a CSV file with a column path, or any folder of "
            "photos; default: the bundled photos."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory for the result; default: figure-NUMBER.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Model, where the figure is about one.")
    ] = "gender",
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            "-t",
            help="Target of the model; default: female of gender; else, and in figure 2, predicted.",
        ),
    ] = None,
    photos: Annotated[int, typer.Option(help="Largest number of photos, drawn at random.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Of the photos drawn.", min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and run nothing.")] = False,
) -> None:
    """Make a figure of the paper from your photos, and report what is missing.

    Exit code 2 where the figure cannot be made here.

    Example: canonface reproduce 5 ~/CelebA --photos 1000 -o figure-5
    """
    from canonface.demo import demo_folder
    from canonface.models import available_models, check_model_name
    from canonface.studies.figures import FIGURES, FigureRequest, figure_of
    from canonface.studies.photo_sets import open_photo_set

    if figure is None:
        for item in FIGURES.values():
            console.stdout().print(
                f"figure {item.number:>2}  {item.shows}: canonface {item.command}", soft_wrap=True
            )
        return
    chosen = figure_of(figure)
    check_model_name(model)
    place = data or demo_folder() / "labels.csv"
    photo_set = open_photo_set(place)
    if target is None and model == "gender" and not chosen.by_photo:
        target = "female"
    folder = out or Path(f"figure-{chosen.number}")
    zoo = [card.name for card in available_models()]
    wanted = FigureRequest(photo_set, folder, model, target, photos, seed, zoo)
    plan = chosen.plan(wanted)
    say = console.stdout().print
    say(f"Figure {chosen.number}: {chosen.shows}.", soft_wrap=True)
    taken = "LFW or CelebA would be the paper's data" if photo_set.kind in ("table", "folder") else ""
    say(
        f"  {place} was recognised as: {photo_set.kind}, {len(photo_set.rows):,} photos. {taken}",
        soft_wrap=True,
    )
    for line in (chosen.differs, *photo_set.missing, *plan.missing):
        say(f"  missing: {line}", markup=False, soft_wrap=True)
    if not plan.lines:
        console.error(f"figure {chosen.number} cannot be made of this: {'; '.join(plan.missing)}.")
        raise typer.Exit(2)
    for words in plan.lines:
        say(f"  canonface {shlex.join(words)}", markup=False, soft_wrap=True)
        if not dry_run and (code := run_line(words)) not in (0, 1):
            raise typer.Exit(code)


def run_line(words: tuple[str, ...]) -> int:
    """Run one command as a user would, and return its exit code."""
    return subprocess.run([sys.executable, "-m", "canonface", *words], check=False).returncode
