"""Pictures and summary at the end of a run, and the drawing options that commands share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from jaxtyping import UInt8

from canonface.cli import console, options
from canonface.errors import OptionError

if TYPE_CHECKING:
    from canonface.maps import CIS, CMS, Peak
    from canonface.run import Run

STILL = 5e-4
"""Largest drop that is printed as 0.000: a smaller peak means nothing."""
NOTHING_MOVED = (
    "no occlusion changed the prediction. Where a model is sure, --confidence log-odds still shows what it relies "
    "on; a model with the same output for every face may have the wrong weights or input."
)


def face_picture(run: Run, draw_on: str) -> UInt8[np.ndarray, "h w 4"]:
    """Return the face that a run's maps are drawn on, by name or from a photo.

    Raises:
        PhotoError, AlignmentError: it names a photo that cannot be used.
    """
    from canonface import align, plots

    if draw_on == "shaded":
        return plots.shaded_face(run.mesh, run.canvas)
    if draw_on == "average":
        return plots.run_face(run)
    if not run.mesh.name.startswith("landmarker"):
        raise OptionError(
            f"A map can be drawn on a photo where its mesh is the landmarker's; this run's is {run.mesh.name!r}: "
            "draw it on 'shaded' or 'average'."
        )
    subdivision = int(run.mesh.name.rpartition("/")[2])
    return plots.photo_face(align(Path(draw_on), subdivision=subdivision)[0], run.mesh, run.canvas)


def finish(
    run: Run, out: Path, pictures: options.PictureOptions, by: str | None, as_json: bool, allow_failures: bool
) -> None:
    """Draw a run and print its summary; exit with 1 if rows failed and failures are not allowed."""
    found = summary(run, draw_run(run, out / "pictures", pictures, by) if run.faces.num_rows else [])
    if as_json:
        console.print_json(found)
    else:
        show_summary(found)
    named = "face_id" if run.of_pairs else "path"
    for row in run.failures.select([named, "message"]).slice(0, 5).to_pylist():
        console.note(f"{row[named]}: {row['message']}")
    if run.failures.num_rows and not allow_failures:
        raise typer.Exit(1)


def draw_run(run: Run, folder: Path, pictures: options.PictureOptions, by: str | None) -> list[Path]:
    """Draw a run's map, the map of each group, and examples in the four columns of figure 6; return the files."""
    from canonface import plots

    style, suffix = pictures.look.style(), pictures.look.picture_format
    cms, picture = run.cms(), face_picture(run, pictures.draw_on)
    folder.mkdir(parents=True, exist_ok=True)
    title = _title(run) if style.title is None else style.title
    look: dict[str, Any] = {"cmap": style.cmap, "dpi": style.dpi}
    scaled = look | {"limit": style.limit}
    files = [
        plots.save(cms, folder / f"cms.{suffix}", title=title, face_picture=picture, **scaled),
        plots.save(cms, folder / "cms.npy"),
        plots.save(cms, folder / "cms.glb", cmap=style.cmap, limit=style.limit),
    ]
    if by:
        maps = run.cms(by=by)
        if not maps:
            console.note(f"no explained face has a value for {by!r}: no map by {by} was drawn.")
        else:
            of = "pair" if run.of_pairs else "face"
            page = plots.groups(maps, picture, title=_joined(title, f"by {by}"), of=of, **scaled)
            files.append(plots.save(page, folder / f"cms-by-{by}.{suffix}"))
    most = "the strongest attribution" if run.method else "the largest drop or rise"
    if run.of_pairs and (examples_of_pairs := run.pair_examples()):
        heading = _joined(title, f"the pairs with {most}", ": ")
        page = plots.pairs(examples_of_pairs, run.cms(by="target"), picture, title=heading, **scaled)
        files.append(plots.save(page, folder / f"examples.{suffix}"))
    elif not run.of_pairs and (examples := run.examples()):
        heading = _joined(title, f"the faces with {most}", ": ")
        page = plots.figure6(examples, cms, picture, title=heading, limits=(None, style.limit), **look)
        files.append(plots.save(page, folder / f"examples.{suffix}"))
    return files


def _title(run: Run) -> str:
    """Return the default title of a run's pictures."""
    from canonface.methods import title_of

    return f"What the {run.model_name} model relies on" + (
        f", by {title_of(run.method)}" if run.method else ""
    )


def _joined(title: str, part: str, between: str = ", ") -> str:
    return f"{title}{between}{part}" if title else part


def summary(run: Run, pictures: list[Path]) -> dict[str, Any]:
    """Return the results of a run, for people and for scripts."""
    failures = Counter(run.failures.column("reason").to_pylist())
    result: dict[str, Any] = {
        "run": str(run.folder),
        "model": run.model_name,
        "method": run.method,
        "photos": len(set(run.table.column("photo").to_pylist())),
        "photos_in_all": run.manifest.configuration["photos"]["count"],
        "of": "pairs" if run.of_pairs else "faces",
        "faces": run.faces.num_rows,
        "failed": dict(failures.most_common()),
    }
    if run.faces.num_rows:
        cms = run.cms()
        result |= {
            "unit": measured(cms),
            "moved": has_moved(cms),
            "peak": peak_summary(cms.peak()),
            "regions": cms.region_values(),
        }
        if sampling := sampling_summary(run):
            result["sampling"] = sampling
        if np.isfinite(cms.off_face):
            result["off_face"] = cms.off_face
    return result | {"pictures": [str(path) for path in pictures]}


def sampling_summary(run: Run) -> dict[str, Any] | None:
    """Return the sample and the precision of a run that probed a part of the places; None if it probed all."""
    reached = run.stopping_state
    if run.design.is_full and reached is None:
        return None
    found = run.estimate()
    width = found.map.widest
    result: dict[str, Any] = {
        "design": run.design.describe(),
        "probed": found.probed,
        "inferred": found.inferred,
        "half_width": width if np.isfinite(width) else None,
        "trusted": found.map.trusted,
        "bandwidth_cm": found.bandwidth,
        "faces": found.faces,
        "clusters": found.clusters,
    }
    if reached is not None:
        result |= {
            "precision": reached.precision,
            "precision_of": reached.precision_of,
            "stopped": reached.stopped,
            "forward_passes": reached.looks[-1].forward_passes if reached.looks else 0,
        }
    return result


def sampling_words(sampling: dict[str, Any]) -> list[str]:
    """Return `sampling_summary` in words."""
    words = []
    if sampling["inferred"]:
        words.append(
            f"{sampling['design']['name']} design: {sampling['probed']:,} drops measured, the map inferred from them"
        )
    if (width := sampling["half_width"]) is None:
        words.append("too few faces for a band")
    else:
        unsure = "" if sampling["trusted"] else ", not reliable: the map rests on few faces"
        words.append(f"95% band of the map: ±{width:.3g}{unsure}")
    if "stopped" in sampling:
        why = {
            "precision": f"stopped: precise to ±{sampling['precision']} ({sampling['precision_of']})",
            "max-forward-passes": "stopped: the budget of forward passes is spent",
            "all-photos": "every photo was taken",
        }.get(
            sampling["stopped"],
            f"not finished: the map is of the {sampling['faces']} faces of the last interim look",
        )
        why += f", after {sampling['forward_passes']:,} forward passes"
        if sampling["precision"] is not None and sampling["stopped"] in ("max-forward-passes", "all-photos"):
            why += f"; the precision of ±{sampling['precision']} was not reached"
            why += "" if sampling["trusted"] else ": a band that rests on few faces does not count"
        words.append(why)
    return words


def measured(result: CIS | CMS) -> str:
    """Return the quantity of a map in words."""
    return result.unit if result.method else f"drop in {result.unit}"


def has_moved(result: CIS | CMS) -> bool:
    """Return whether a map shows anything: drops of at least `STILL`, attributions of any size."""
    largest = float(np.abs(np.nan_to_num(result.map)).max())
    return largest > 0 if result.method else largest >= STILL


def still_words(method: str) -> str:
    """Return the message for a map that shows nothing."""
    return "the method's map is 0 everywhere: it says nothing about this model." if method else NOTHING_MOVED


def peak_summary(peak: Peak | None) -> dict[str, Any] | None:
    """Return a peak for a script."""
    if peak is None:
        return None
    return {"value": peak.value, "regions": list(peak.regions), "vertex": peak.vertex}


def place_of(peak: dict[str, Any]) -> str:
    """Return the place of a peak in words."""
    return " / ".join(name.replace("_", " ") for name in peak["regions"]) or "between the named regions"


def show_summary(result: dict[str, Any]) -> None:
    """Print a summary, on stdout."""
    from rich.table import Table

    out = console.stdout()
    failed = sum(result["failed"].values())
    out.print(
        f"[bold]{result['model']}[/]: {result['faces']} {result['of']} explained, {failed} failed",
        soft_wrap=True,
    )
    for reason, count in result["failed"].items():
        out.print(f"  {count} x {reason}")
    for line in sampling_words(result["sampling"]) if "sampling" in result else []:
        out.print(f"  {line}", soft_wrap=True)
    if result["photos"] < result["photos_in_all"] and not result.get("sampling", {}).get("stopped"):
        out.print(f"  unfinished: {result['photos']} of {result['photos_in_all']} so far")
    if result.get("peak") and not result["moved"]:
        out.print(f"  {still_words(result['method'])}", soft_wrap=True)
    elif result.get("peak"):
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("relied on most")
        table.add_column(result["unit"], justify="right")
        positive = [(name, value) for name, value in result["regions"].items() if value > 0]
        for name, value in positive[:5]:
            table.add_row(name.replace("_", " "), f"{value:+.4f}")
        if positive:
            out.print(table)
        else:
            none = (
                "no region has an attribution above 0"
                if result["method"]
                else "occluding no region lowered the confidence"
            )
            out.print(f"  {none} on average ({result['unit']})", soft_wrap=True)
        out.print(f"highest point of the map: {place_of(result['peak'])} ({result['peak']['value']:+.4f})")
        if "off_face" in result:
            out.print(
                f"off the face (hair, ears, neck, background): {result['off_face']:.0%} of what was relied on"
            )
    for path in result["pictures"]:
        out.print(f"  {path}", markup=False, soft_wrap=True)
