"""``canonface study models | tasks | alignment``: the same photos, other models or another alignment."""

from __future__ import annotations

from typing import Annotated

import typer

from canonface.cli import options
from canonface.cli.groups import grouped
from canonface.cli.study.settings import listed
from canonface.cli.study.shared import SettingProgress, Shared, draw_comparison


@grouped
def models(
    shared: Shared,
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="A model, as of canonface audit; once for each."),
    ],
) -> None:
    """Compare models of the same task (the paper's figures 12 and 13).

    Example: canonface study models photos/ -m gender -m gender-wrn -t female --patch 2cm -o two-models
    """
    from canonface import studies

    shared.check()
    loaded = [shared.loaded(name) for name in model]
    with SettingProgress() as report:
        found = studies.models(
            shared.photos, loaded, shared.out, progress=report, splits=shared.splits, **shared.audit_options()
        )
    draw_comparison(found, shared, f"What {len(loaded)} models rely on, on the same photos")


@grouped
def tasks(
    shared: Shared,
    task: Annotated[
        list[str],
        typer.Option(
            help="MODEL, MODEL=TARGET or MODEL=TARGET/CONFIDENCE, e.g. gender=female; once for each."
        ),
    ],
) -> None:
    """Compare tasks, each a model with its own confidence (the paper's figure 1).

    Example: canonface study tasks photos/ --task facenet --task gender=female --task expression=happy -o tasks
    """
    from canonface import studies
    from canonface.studies import ModelTask

    shared.check()
    tasks_given = [ModelTask.parse(text) for text in task]
    loaded = [ModelTask(shared.loaded(item.model), item.target, item.confidence) for item in tasks_given]
    with SettingProgress() as report:
        found = studies.tasks(
            shared.photos, loaded, shared.out, progress=report, splits=shared.splits, **shared.audit_options()
        )
    draw_comparison(found, shared, f"What {len(loaded)} tasks rely on, on the same photos")


@grouped
def alignment(
    shared: Shared,
    model: options.ModelName,
    alignments: Annotated[
        str, typer.Option(help="Alignments between commas: none, five-point, landmarker.")
    ] = "none,five-point,landmarker",
    scored: Annotated[
        int, typer.Option(help="Photos on which the paper's three metrics are measured; 0: none.", min=0)
    ] = 0,
) -> None:
    """Compare maps without alignment, by five points, and on the canonical mesh (the paper's figures 20 and 21).

    Example: canonface study alignment photos/ -m gender -t female --scored 50 -o alignment-study
    """
    from canonface import plots, studies

    shared.check()
    with SettingProgress() as report:
        found = studies.alignment(
            shared.photos,
            shared.loaded(model),
            shared.out,
            alignments=listed(alignments) or [],
            scored=scored,
            progress=report,
            splits=shared.splits,
            **shared.audit_options(),
        )
    # A grid has no face of its own: the mean of the photos, as each alignment lays them over one another, shows it.
    pictures = {column.name: plots.run_face(column.run) for column in found.columns}
    name = found.columns[0].run.model_name
    draw_comparison(found, shared, f"What the {name} model relies on, by the alignment", pictures)
