"""Ending of every study: figures, tables and a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canonface.cli import console

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from canonface.studies.tables import Table


def finish(
    out: Path,
    name: str,
    suffix: str,
    figures: Mapping[str, Figure],
    tables: Mapping[str, Table],
    words: Sequence[str],
    summary: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Write figures and tables into a folder, and print the findings.

    Args:
        out: the folder.
        name: of the study.
        suffix: of the figures: png or svg.
        figures: by file name, without suffix.
        tables: likewise.
        words: the findings, a sentence a line.
        summary: the findings for a script.
        as_json: print those instead of the words.
    """
    from canonface import plots
    from canonface.errors import RunError
    from canonface.studies.tables import write_table

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"A study needs a folder that can be written to; {out} cannot be made: {error.strerror or error}. Name "
            "another one with -o."
        ) from error
    files = [plots.save(figure, out / f"{file}.{suffix}") for file, figure in figures.items()]
    files += [write_table(table, out / f"{file}.csv") for file, table in tables.items()]
    if as_json:
        console.print_json({"study": name} | dict(summary) | {"files": [str(file) for file in files]})
        return
    for line in words:
        console.stdout().print(line, markup=False, soft_wrap=True)
    for file in files:
        console.stdout().print(f"  {file}", markup=False, soft_wrap=True)
