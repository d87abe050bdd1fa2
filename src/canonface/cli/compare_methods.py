"""``canonface compare-methods``: several methods on the same photos."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped
from canonface.cli.loading import made_gallery, options_by_method
from canonface.statistics import json_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from canonface.explanation.comparison import MethodComparison
    from canonface.methods import Method
    from canonface.models import Model


@grouped
def compare_methods(
    *,
    photos: options.Photos,
    model: options.ModelName,
    out: options.Out = Path("compared"),
    methods: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between, e.g. gradcam,rise; default: all that work for the model."
        ),
    ] = None,
    target: options.Target = None,
    labels: options.Labels = None,
    confidence: options.ConfidenceName = None,
    preset: options.Preset = "default",
    patch: options.PatchOptions,
    people: options.GalleryOptions,
    layer: options.Layer = None,
    method_option: Annotated[
        list[str] | None,
        typer.Option(
            "--method-option",
            metavar="METHOD.NAME=VALUE",
            help="An option of a method, e.g. rise.masks=1000; may be repeated.",
        ),
    ] = None,
    engine: options.EngineOptions,
    loading: options.LoadOptions,
    aligner: options.AlignerOptions,
    look: options.StyleOptions,
    as_json: options.Json = False,
) -> None:
    """Compare saliency methods on the same photos: one row per photo, one column per method (the paper's figure 2).

    methods.npz holds every map, methods.csv one line per map.

    Example: canonface compare-methods me.jpg you.jpg --model expression --methods gradcam,gradcam++,rise -o compared
    """
    from canonface import explanation, plots
    from canonface.confidence import RecognitionConfidence
    from canonface.data import LabelledPhotos
    from canonface.errors import CanonfaceError, OptionError, TargetError
    from canonface.pipeline import Progress
    from canonface.pipeline.photos import check_form

    look.check()
    chosen = None if methods is None else [name.strip() for name in methods.split(",") if name.strip()]
    own_options = options_by_method(layer, method_option, chosen)
    loaded = loading.load(model)
    works, left_out = _usable(loaded, chosen, own_options)
    place = aligner.make()
    measured: Any = confidence
    if people.gallery is not None:
        check_form(confidence)
        known = made_gallery(people.gallery, loaded, people.identity, place, confidence)
        form = "margin" if confidence == "recognition-margin" else "closest"
        measured, target = RecognitionConfidence(known, target or "predicted", form), None
    settings = explanation.make_settings(preset, target=target, confidence=measured, **patch.keywords())
    runner = engine.value()
    found = LabelledPhotos.open(photos, labels)
    rows: list[MethodComparison] = []
    failed: dict[str, str] = {}
    with console.photo_progress(loaded.name, kept=False) as progress:
        for number, name in enumerate(found.names, start=1):
            try:
                rows.append(
                    explanation.compare_methods(
                        place(found.path(name))[0],
                        loaded,
                        methods=works,
                        settings=settings,
                        engine=runner,
                        face_labels=found.labels[name],
                    )
                )
            except CanonfaceError as error:
                if isinstance(error, TargetError | OptionError) and not str(target).startswith("label:"):
                    raise  # every other photo would fail alike
                failed[name] = str(error)
                console.error(f"{name}: {error}")
            progress(Progress(number, len(found.names), len(failed), 0))
    if not rows:
        raise typer.Exit(2)
    no_map = [
        {"photo": row.cis.face.path, "method": method, "reason": why}
        for row in rows
        for method, why in row.failed.items()
    ]
    for one in no_map:
        console.error(f"{Path(one['photo']).name}: no map by {one['method']}: {one['reason']}")
    out.mkdir(parents=True, exist_ok=True)
    table = [line for row in rows for line in _lines(row)]
    saved = [
        plots.save(_figure(rows, left_out, look), out / f"methods.{look.picture_format}"),
        _save_csv(table, out / "methods.csv"),
        _save_npz(rows, out / "methods.npz"),
    ]
    if as_json:
        shown = [{key: json_value(value) for key, value in line.items()} for line in table]
        files = [str(path) for path in saved]
        console.print_json(
            {"maps": shown, "left_out": left_out, "no_map": no_map, "failed": failed, "files": files}
        )
    else:
        _show(table, saved)
    if failed or no_map:
        raise typer.Exit(1)


def _figure(rows: list[MethodComparison], left_out: dict[str, str], look: options.StyleOptions) -> Figure:
    from canonface import plots

    style = look.style()
    return plots.methods(rows, left_out, title=style.title, cmap=style.cmap, dpi=style.dpi)


def _usable(
    model: Model, chosen: list[str] | None, own_options: dict[str, dict[str, Any]]
) -> tuple[dict[str, Method], dict[str, str]]:
    """Return the methods that work for a model, and the reasons of the others; exit if none of the named works."""
    from canonface import explanation
    from canonface.explanation.comparison import reasons_in_words

    works, left_out = explanation.usable_methods(model, chosen, own_options)
    for why in reasons_in_words(left_out):
        console.note(f"left out: {why}")
    if chosen and not works:
        console.error(f"none of the methods named works for {model.name!r}: there is nothing to compare.")
        raise typer.Exit(2)
    return works, left_out


def _lines(row: MethodComparison) -> list[dict[str, Any]]:
    """Return a line for each map of a face, canonface's own first."""
    from canonface.cli.pictures import measured, peak_summary, place_of

    maps = {"canonical": (row.cis, row.seconds)}
    maps |= {name: (found.cis, found.seconds) for name, found in row.maps.items()}
    lines = []
    for name, (cis, seconds) in maps.items():
        peak = peak_summary(cis.peak()) if np.any(cis.map) else None
        lines.append(
            {
                "photo": cis.face.path,
                "target": cis.target,
                "confidence": cis.confidence,
                "method": name,
                "unit": measured(cis),
                "highest": None if peak is None else peak["value"],
                "place": "0 everywhere on the face" if peak is None else place_of(peak),
                "rank_correlation": 1.0 if name == "canonical" else row.agreement(name),
                "model_calls": cis.model_calls,
                "seconds": seconds,
            }
        )
    return lines


def _save_csv(table: list[dict[str, Any]], path: Path) -> Path:
    from canonface.files import atomic_write

    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    atomic_write(path, text.getvalue().encode())
    return path


def _save_npz(rows: list[MethodComparison], path: Path) -> Path:
    """Write the values at the probes ``(photos, methods, probes)``, NaN where missing, and every map of the input."""
    from canonface.files import atomic_write

    names = list(dict.fromkeys(name for row in rows for name in row.maps))
    first = rows[0].cis
    none = np.full(len(first.probes), np.nan)
    values = [
        [row.cis.values, *(row.maps[name].cis.values if name in row.maps else none for name in names)]
        for row in rows
    ]
    content: dict[str, Any] = {
        "photos": np.array([row.cis.face.path for row in rows]),
        "methods": np.array(["canonical", *names]),
        "mesh": np.array(first.mesh.name),
        "vertices": first.probes,
        "values": np.array(values),
        "matrices": np.array([row.matrix for row in rows]),
    }
    for name in names:
        blank = np.full_like(next(row.maps[name].attribution for row in rows if name in row.maps), np.nan)
        content[f"heat_{name}"] = np.array(
            [row.maps[name].attribution if name in row.maps else blank for row in rows]
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **content)
    atomic_write(path, buffer.getvalue())
    return path


def _show(table: list[dict[str, Any]], saved: list[Path]) -> None:
    from rich.table import Table

    out = console.stdout()
    for photo in dict.fromkeys(line["photo"] for line in table):
        lines = [line for line in table if line["photo"] == photo]
        sure = f"{lines[0]['target']} ({lines[0]['confidence']:.3f})"
        out.print(f"[bold]{Path(photo).name}[/]: {sure}", soft_wrap=True)
        shown = Table(box=None, padding=(0, 2, 0, 0))
        shown.add_column("method")
        shown.add_column("highest at")
        for heading in ("rank r", "images", "s"):
            shown.add_column(heading, justify="right")
        for line in lines:
            r = line["rank_correlation"]
            like = "" if line["method"] == "canonical" else "-" if np.isnan(r) else f"{r:+.2f}"
            cost = (f"{line['model_calls']:,}", f"{line['seconds']:.1f}")
            shown.add_row(line["method"], line["place"], like, *cost)
        out.print(shown)
    out.print("rank r: Spearman's correlation with canonface's own map at the probes", style="dim")
    for path in saved:
        out.print(f"  {path}", markup=False, soft_wrap=True)
