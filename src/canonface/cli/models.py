"""``canonface models``: the zoo."""

from __future__ import annotations

from dataclasses import asdict

from canonface.cli import console
from canonface.cli.options import Json


def models(as_json: Json = False) -> None:
    """List the models that canonface can fetch: source, licence, input, labels, accuracy.

    Example: canonface models --json
    """
    from rich.table import Table

    from canonface.models import available_models

    cards = available_models()
    if as_json:
        console.print_json({"models": [asdict(card) for card in cards]})
        return
    for card in cards:
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for name, value in asdict(card).items():
            if name == "spec":
                table.add_row("input", card.input)
            elif name != "name":
                text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
                table.add_row(name.replace("_", " "), text)
        console.stdout().print(f"[bold]{card.name}[/]")
        console.stdout().print(table)
        console.stdout().print()
