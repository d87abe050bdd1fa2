"""``canonface finetune``: a head on a backbone, or the whole network, for labels of your own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped

if TYPE_CHECKING:
    from canonface.finetuning import Finetuned

STAGES = {"photos": "photos", "fit": "passes"}
_FIT = "Fit"
_CARD = "Model card"


@dataclass(frozen=True)
class FitOptions:
    """The fit: which layers, which photos, how long."""

    whole: Annotated[
        bool, typer.Option("--whole/--head", help="Fit the backbone too, or a linear head alone.")
    ] = False
    without: Annotated[
        str | None,
        typer.Option(
            help="Layers of the backbone to leave out, separated by commas, e.g. its last: features lie before it.",
            rich_help_panel=_FIT,
        ),
    ] = None
    classes: Annotated[
        str | None,
        typer.Option(
            help="Classes to tell apart, separated by commas; default: all that occur.", rich_help_panel=_FIT
        ),
    ] = None
    folds: Annotated[int, typer.Option(help="Parts that share no person.", min=3, rich_help_panel=_FIT)] = 5
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Largest number of passes; default: 200, for a whole network 10.",
            min=1,
            rich_help_panel=_FIT,
        ),
    ] = None
    patience: Annotated[
        int | None,
        typer.Option(
            help="Passes without gain that end the fit; default: 20, for a whole network 3.",
            min=1,
            rich_help_panel=_FIT,
        ),
    ] = None
    batch: Annotated[int, typer.Option(help="Photos a step.", min=1, rich_help_panel=_FIT)] = 64
    rate: Annotated[
        float | None,
        typer.Option(
            help="Learning rate; default: 0.0003, for a whole network 0.0001.", rich_help_panel=_FIT
        ),
    ] = None
    decay: Annotated[float, typer.Option(help="Weight decay.", rich_help_panel=_FIT)] = 0.01
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Fit to mirror images too; default: for pose and with --whole.",
            rich_help_panel=_FIT,
        ),
    ] = None
    balance: Annotated[
        bool,
        typer.Option(
            "--balance/--no-balance",
            help="Give each class the same weight in the loss.",
            rich_help_panel=_FIT,
        ),
    ] = True
    seed: Annotated[
        int, typer.Option(help="Seed of folds, order and mirroring.", min=0, rich_help_panel=_FIT)
    ] = 0

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of `canonface.finetune`."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return given | {"without": _listed(self.without) or (), "classes": _listed(self.classes)}


@dataclass(frozen=True)
class CardOptions:
    """The name and the card of the model."""

    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the model; default: the backbone's and the task's.", rich_help_panel=_CARD
        ),
    ] = None
    data: Annotated[
        str, typer.Option(help="Description of the photos, for the card.", rich_help_panel=_CARD)
    ] = ""
    licence: Annotated[
        str, typer.Option(help="Licence of the photos, for the card.", rich_help_panel=_CARD)
    ] = ""


@grouped
def finetune(
    *,
    photos: options.Photos,
    task: Annotated[
        str,
        typer.Option(
            help="gender, age, expression (columns of the labels), pose (read off the mesh), or another column."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the model, made if missing.")],
    backbone: Annotated[
        str,
        typer.Option(
            help="Network whose outputs are features: facenet, a file of weights, or "
            "[bold]package.module:attribute[/], a torch module or a function that makes one."
        ),
    ] = "facenet",
    labels: options.Labels = None,
    identity: Annotated[
        str | None,
        typer.Option(help="Column that names the person; default: identity, if there is one."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Report the accuracy for each value of this column; may be repeated."),
    ] = None,
    fit: FitOptions,
    card: CardOptions,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the photos' features: another head on this backbone then takes seconds."
        ),
    ] = None,
    device: options.Device = "auto",
    trust: options.Trust = False,
    as_json: options.Json = False,
) -> None:
    """Fit a head for labels of your own, and report its accuracy on people that it has not seen.

    The directory holds the model (use it as --model DIRECTORY) and card.md.

    Example: canonface finetune photos/ --task gender --labels labels.csv --by race -o my-gender
    """
    from canonface.finetuning import finetune as fitted

    with console.interruptible(kept=cache is not None), _progress() as progress:
        result = fitted(
            photos,
            backbone,
            task,
            out,
            labels=labels,
            identity=identity,
            by=by or (),
            device=device,
            trust=trust,
            name=card.name,
            data=card.data,
            licence=card.licence,
            cache=cache,
            progress=progress,
            **fit.keywords(),
        )
    if as_json:
        console.print_json(dict(result.card))
    else:
        _show(result, out)


def _listed(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",") if part.strip()] if text is not None else None


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for the photos and one for the passes."""
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console.stderr(), speed_estimate_period=120) as bar:
        tasks: dict[str, Any] = {"photos": bar.add_task(STAGES["photos"], total=None)}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(STAGES[stage], total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield advance


def _show(result: Finetuned, out: Path) -> None:
    from rich.table import Table

    scores, card = result.scores, result.card
    screen = console.stdout()
    screen.print(
        f"[bold]{result.model.name}[/], {card['fitted']} on {card['backbone']}: {scores.accuracy} right on people "
        "that it has not seen",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("photos")
    for heading in ("n", "people", "right", "95%"):
        table.add_column(heading, justify="right")
    rows = [("all", scores.accuracy)]
    rows += [(f"class {label}", share) for label, share in scores.by_class.items()]
    rows += [
        (f"{column} {value}", share)
        for column, shares in scores.by_group.items()
        for value, share in shares.items()
    ]
    for title, share in rows:
        ends = f"{100 * share.low:.1f}-{100 * share.high:.1f}"
        table.add_row(title, str(share.photos), str(share.people), f"{100 * share.value:.1f}%", ends)
    screen.print(table)
    screen.print(
        f"always predicting {scores.commonest}: {100 * scores.baseline:.1f}%; mean over the classes: "
        f"{100 * scores.balanced:.1f}%",
        soft_wrap=True,
    )
    if card["left_out"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in card["left_out"].items())
        console.note(f"left out: {reasons}")
    if card["best_epoch"] == 1 < card["epochs"]:
        console.note(
            "the first pass was the best on the part that stops the fit: the head has hardly learned anything. More "
            "photos of more people help, or a smaller --batch."
        )
    console.note(f"use it as --model {out}; its card: {out / 'card.md'}")
