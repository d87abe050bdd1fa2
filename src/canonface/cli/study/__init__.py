"""``canonface study``: one command for each study."""

from __future__ import annotations

import typer

from canonface.cli.study.convergence import convergence
from canonface.cli.study.models import alignment, models, tasks
from canonface.cli.study.planted import planted
from canonface.cli.study.randomize import randomize
from canonface.cli.study.settings import confidence, density, fill, patch

study = typer.Typer(
    help="What a map depends on: photos, settings, alignment, the model's own weights.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(convergence, patch, density, fill, confidence, randomize, alignment, models, tasks),
    planted,
):
    study.command(no_args_is_help=True)(command)
