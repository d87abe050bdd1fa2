"""Entry point of the ``canonface`` command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from canonface import __version__
from canonface.cli import console
from canonface.cli.audit import audit
from canonface.cli.build_kernels import build_kernels
from canonface.cli.compare_methods import compare_methods
from canonface.cli.demo import demo
from canonface.cli.draw import draw
from canonface.cli.evaluate import evaluate
from canonface.cli.explain import explain
from canonface.cli.finetune import finetune
from canonface.cli.models import models
from canonface.cli.options import RENAMED
from canonface.cli.plan import plan
from canonface.cli.regions import regions
from canonface.cli.reproduce import reproduce
from canonface.cli.study import study
from canonface.cli.verify import verify
from canonface.errors import CanonfaceError

EPILOG = "Exit codes: 0 every photo was explained; 1 some were not; 2 the command could not be carried out."

app = typer.Typer(
    help="Show the parts of a face that a face model relies on.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(demo, audit, verify, explain, regions, compare_methods, draw),
    *(evaluate, finetune, plan, models, reproduce, build_kernels),
):
    app.command(no_args_is_help=command not in (demo, models, reproduce, build_kernels))(command)
app.add_typer(study, name="study")


def _show_version(wanted: bool | None) -> None:
    if wanted:
        typer.echo(f"canonface {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[  # noqa: ARG001 - read by its own callback
        bool | None,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print debug messages on stderr.")] = False,
) -> None:
    console.start_logging(verbose)


def _with_new_names(arguments: list[str]) -> list[str]:
    """Return the arguments with the options of version 0.1.0 renamed, after a note for each."""
    found = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in RENAMED:
            console.note(f"{name} is now {RENAMED[name]}; the old name is removed in 0.3.")
            argument = RENAMED[name] + equals + value  # noqa: PLW2901
        found.append(argument)
    return found


def main() -> None:
    """Run the command line; an error of canonface becomes one message and exit code 2."""
    # Threads that wait without spinning: spinning threads slow small networks down tenfold on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(_with_new_names(sys.argv[1:]))
    except CanonfaceError as error:
        console.error(str(error))
        sys.exit(2)
    except BrokenPipeError:
        # The reader of the output has gone, e.g. `| head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
