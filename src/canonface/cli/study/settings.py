"""``canonface study patch | density | fill | confidence``: one setting varied, the same photos audited under each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from canonface.cli import options
from canonface.cli.groups import grouped
from canonface.cli.study.convergence import numbers
from canonface.cli.study.shared import SettingProgress, Shared, draw_comparison

if TYPE_CHECKING:
    from canonface.studies.comparison import SettingComparison


@grouped
def patch(
    shared: Shared,
    model: options.ModelName,
    sizes: Annotated[
        str | None,
        typer.Option(
            help="Sizes between commas, in pixels of the input or as 50% or 3cm; default: 0.5, 1, 1.5 and 2.5 times "
            "the usual one."
        ),
    ] = None,
    strides: Annotated[
        str | None, typer.Option(help="Also the usual size at every k-th vertex, e.g. 5,20.")
    ] = None,
) -> None:
    """Compare sizes of the occluder, and how many vertices are probed (the paper's figure 18).

    Example: canonface study patch photos/ -m gender -t female --sizes 5,7,11 --strides 5,20 -o patch-study
    """
    from canonface import studies

    shared.check()
    with SettingProgress() as report:
        found = studies.patch(
            shared.photos,
            shared.loaded(model),
            shared.out,
            sizes=listed(sizes),
            strides=numbers(strides) or (),
            progress=report,
            splits=shared.splits,
            **shared.audit_options("patch"),
        )
    draw_comparison(found, shared, f"What the {_name(found)} model relies on, by the size of the patch")


@grouped
def density(shared: Shared, model: options.ModelName) -> None:
    """Compare maps with and without division by the density of probes (eq. 5; the paper's figure 4).

    Example: canonface study density photos/ -m gender -t female -o density-study
    """
    from canonface import studies

    shared.check()
    with SettingProgress() as report:
        found = studies.density(
            shared.photos,
            shared.loaded(model),
            shared.out,
            progress=report,
            splits=shared.splits,
            **shared.audit_options(),
        )
    draw_comparison(found, shared, f"What the {_name(found)} model relies on, with and without normalisation")


@grouped
def fill(
    shared: Shared,
    model: options.ModelName,
    fills: Annotated[
        str | None,
        typer.Option(help="Fills between commas; default: mean,black,blur,noise,inpaint,average."),
    ] = None,
) -> None:
    """Compare fills of the occluder: a finding worth reporting holds with more than one fill.

    Example: canonface study fill photos/ -m gender -t female --fills mean,black,blur -o fill-study
    """
    from canonface import studies
    from canonface.studies.settings import FILLS

    shared.check()
    with SettingProgress() as report:
        found = studies.fill(
            shared.photos,
            shared.loaded(model),
            shared.out,
            fills=listed(fills) or FILLS,
            progress=report,
            splits=shared.splits,
            **shared.audit_options("fill"),
        )
    draw_comparison(found, shared, f"What the {_name(found)} model relies on, by the fill")


@grouped
def confidence(
    shared: Shared,
    model: options.ModelName,
    confidences: Annotated[
        str | None,
        typer.Option(help="Confidences between commas; default: probability,logit,log-odds."),
    ] = None,
) -> None:
    """Compare confidences: probability, logit, log-odds.

    Example: canonface study confidence photos/ -m gender -t female -o confidence-study
    """
    from canonface import studies

    shared.check()
    with SettingProgress() as report:
        found = studies.confidence(
            shared.photos,
            shared.loaded(model),
            shared.out,
            confidences=listed(confidences),
            progress=report,
            splits=shared.splits,
            **shared.audit_options("confidence"),
        )
    draw_comparison(found, shared, f"What the {_name(found)} model relies on, by the confidence")


def listed(text: str | None) -> list[str] | None:
    """Return the parts between commas; None for None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _name(found: SettingComparison) -> str:
    return found.columns[0].run.model_name
