"""Which pictures a run ends with, and the words beside them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from canonface.cli import console
from canonface.errors import OptionError

if TYPE_CHECKING:
    from canonface.maps import Peak
    from canonface.run import Run

FORMATS = ("png", "svg")


def check_format(suffix: str) -> str:
    """The format itself, if pictures can be saved in it.

    Raises:
        OptionError: they cannot.
    """
    if suffix not in FORMATS:
        raise OptionError(f"Pictures are saved as {' or '.join(FORMATS)}; got {suffix!r}.")
    return suffix


def face_picture(run: Run, draw_on: str) -> UInt8[np.ndarray, "h w 4"]:
    """The face that a run's maps are drawn on, by name or from a photo.

    Raises:
        PhotoError, AlignmentError: it names a photo that cannot be used.
    """
    from canonface import align, plots

    if draw_on == "shaded":
        return plots.shaded_face(run.mesh, run.canvas)
    if draw_on == "average":
        return plots.run_face(run)
    level = int(run.mesh.name.rpartition("/")[2])
    return plots.photo_face(align(Path(draw_on), level=level)[0], run.mesh, run.canvas)


def draw_run(run: Run, folder: Path, suffix: str, by: str | None, draw_on: str) -> list[Path]:
    """Draw what a run shows: its map, the map of each group, and examples in the four columns of figure 6."""
    from canonface import plots

    cms = run.cms()
    picture = face_picture(run, draw_on)
    folder.mkdir(parents=True, exist_ok=True)
    title = f"What {run.model_name} relies on"
    drawn = [
        plots.save(cms, folder / f"cms.{suffix}", title=title, face_picture=picture),
        plots.save(cms, folder / "cms.npy"),
        plots.save(cms, folder / "cms.glb"),
    ]
    if by:
        groups = plots.groups(run.cms(by=by), picture, title=f"{title}, by {by}")
        drawn.append(plots.save(groups, folder / f"cms-by-{by}.{suffix}"))
    if examples := run.examples():
        page = plots.figure6(examples, cms, picture, title=f"{title}: the faces whose confidence moved most")
        drawn.append(plots.save(page, folder / f"examples.{suffix}"))
    return drawn


def summary(run: Run, pictures: list[Path]) -> dict[str, Any]:
    """What a run found, for people and for scripts."""
    failures = Counter(run.failures.column("reason").to_pylist())
    result: dict[str, Any] = {
        "run": str(run.folder),
        "model": run.model_name,
        "faces": run.faces.num_rows,
        "failed": dict(failures.most_common()),
    }
    if run.faces.num_rows:
        cms = run.cms()
        result |= {
            "unit": f"drop in {cms.unit}",
            "peak": peak_summary(cms.peak()),
            "regions": cms.region_values(),
        }
    return result | {"pictures": [str(path) for path in pictures]}


def peak_summary(peak: Peak | None) -> dict[str, Any] | None:
    """A peak for a script."""
    if peak is None:
        return None
    return {"value": peak.value, "regions": list(peak.regions), "vertex": peak.vertex}


def place_of(peak: dict[str, Any]) -> str:
    """The place of a peak in words."""
    return " / ".join(name.replace("_", " ") for name in peak["regions"]) or "between the named regions"


def show_summary(result: dict[str, Any]) -> None:
    """Print a summary, on stdout."""
    from rich.table import Table

    out = console.stdout()
    failed = sum(result["failed"].values())
    out.print(
        f"[bold]{result['model']}[/]: {result['faces']} faces explained, {failed} failed", soft_wrap=True
    )
    for reason, count in result["failed"].items():
        out.print(f"  {count} x {reason}")
    if result.get("peak"):
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("relied on most")
        table.add_column(result["unit"], justify="right")
        for name, value in list(result["regions"].items())[:5]:
            table.add_row(name.replace("_", " "), f"{value:+.4f}")
        out.print(table)
        out.print(f"highest point of the map: {place_of(result['peak'])} ({result['peak']['value']:+.4f})")
    for path in result["pictures"]:
        out.print(f"  {path}", markup=False, soft_wrap=True)
