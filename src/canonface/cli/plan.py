"""``canonface plan``: the engine for a model, and the cost of a forward pass."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped

if TYPE_CHECKING:
    from rich.table import Table

    from canonface.engine import Plan

MEBI = 2**20
NOTICEABLE = 1.1
"""Ratio of times from which a faster engine is named."""


@grouped
def plan(
    *,
    photo: Annotated[Path, typer.Argument(help="A photo of a face.")],
    model: options.ModelName,
    patch: options.PatchOptions,
    loading: options.LoadOptions,
    subdivision: options.Subdivision = 1,
    halo: options.Halo = False,
    batch: options.Batch = 64,
    as_json: options.Json = False,
) -> None:
    """Show the cost of explaining a photo: each layer, memory, time of a forward pass, and the engine that is chosen.

    Example: canonface plan me.jpg --model gender
    """
    from canonface.cli.loading import chosen_aligner
    from canonface.explanation.plan import plan as planned

    loaded = loading.load(model)
    face = chosen_aligner("landmarker", subdivision, False, halo, None, None)(photo)[0]
    found = planned(face, loaded, batch=batch, **patch.keywords())
    if as_json:
        console.print_json(asdict(found))
        return
    out = console.stdout()
    if found.costs is not None:
        out.print(_layers(found, out.width))
        if found.costs.uncounted:
            out.print(
                f"not counted, and computed as a whole: {', '.join(found.costs.uncounted)}", soft_wrap=True
            )
        out.print(_memory(found), soft_wrap=True)
    for layer, why in found.dense_from:
        out.print(f"whole maps from [bold]{layer}[/] on: {why}", soft_wrap=True)
    for engine, seconds in sorted(found.seconds.items(), key=lambda item: -item[1]):
        out.print(f"{engine}: {seconds * 1e3:.2f} ms per forward pass")
    out.print(f"[bold]{loaded.name} would run on the {found.engine} engine[/]: {found.why}", soft_wrap=True)
    fastest = min(found.seconds, key=lambda engine: found.seconds[engine], default=found.engine)
    if found.seconds.get(found.engine, 0.0) > NOTICEABLE * found.seconds.get(fastest, 0.0):
        out.print(f"{fastest} was faster just now: [bold]--engine {fastest}[/] uses it")


def _layers(found: Plan, width: int) -> Table:
    """Return a table with a row for each layer with weights; a narrow screen cuts layer names, not numbers."""
    from rich.table import Table

    assert found.costs is not None
    rows = []
    for cost in found.costs.layers:
        if cost.dense:
            shape = "x".join(map(str, cost.shape if cost.shape[1:] != (1, 1) else cost.shape[:1]))
            window = f"{cost.window[0]:.0f}x{cost.window[1]:.0f}"
            rows.append((cost.layer, cost.operator, shape, window, *_adds(cost.dense, cost.needed)))
    rows.append(("all", "", "", "", *_adds(found.costs.dense, found.costs.needed)))
    title = "Multiply-adds of a forward pass, in millions: of the whole layer, and of what a patch changes"
    table = Table(title=title, box=None, padding=(0, 2, 0, 0), title_justify="left")
    names = ("layer", "what", "map", "changed", "whole", "needed", "share")
    widest = [max(len(name), *(len(row[place]) for row in rows)) for place, name in enumerate(names)]
    widest[0] = max(9, min(widest[0], width - sum(widest[1:]) - 2 * len(names)))
    for place, name in enumerate(names):
        table.add_column(name, no_wrap=True, justify="right" if place > 1 else "left", width=widest[place])
    for row in rows:
        table.add_row(*row)
    return table


def _adds(whole: float, needed: float) -> tuple[str, str, str]:
    return f"{whole / 1e6:.2f}", f"{needed / 1e6:.2f}", f"{needed / max(whole, 1):.0%}"


def _memory(found: Plan) -> str:
    costs = found.costs
    assert costs is not None
    weights = costs.kept_bytes(found.engine)
    return (
        f"memory: {weights / MEBI:.0f} MiB of weights in an order of their own, "
        f"{costs.base_bytes / MEBI:.0f} MiB per photo, {costs.probe_bytes / MEBI:.2f} MiB per forward pass; "
        f"whole images: {costs.dense_bytes / MEBI:.2f} MiB each"
    )
