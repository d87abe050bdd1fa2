"""``canonface explain``: single faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from canonface.cli import console, options
from canonface.cli.groups import grouped

LEAST_EVALUATED = 0.25
"""Share of the probes below which the map of a single face cannot be trusted: see docs/sampling.md."""
_PANEL = "Fewer forward passes"


@dataclass(frozen=True)
class AdaptiveOptions:
    """Sampling of the probes of one face."""

    design: Annotated[
        str | None,
        typer.Option(
            help="full (default), or adaptive: coarse to fine, the other drops interpolated with their error.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    share: Annotated[
        float | None,
        typer.Option(
            help="Largest share of the probes that adaptive evaluates; default: 0.4.", rich_help_panel=_PANEL
        ),
    ] = None
    precision: Annotated[
        float | None,
        typer.Option(
            help="Typical error of an interpolated drop at which adaptive stops earlier.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    seed: Annotated[
        int, typer.Option(help="Seed of the probes that measure the error.", min=0, rich_help_panel=_PANEL)
    ] = 0


@grouped
def explain(
    *,
    photos: options.Photos,
    model: options.ModelName,
    out: options.Out = Path("explained"),
    target: options.Target = None,
    labels: options.Labels = None,
    confidence: options.ConfidenceName = None,
    preset: options.Preset = "default",
    patch: options.PatchOptions,
    adaptive: AdaptiveOptions,
    method: options.MethodOptions,
    no_normalise: options.NoNormalise = False,
    engine: options.EngineOptions,
    loading: options.LoadOptions,
    aligner: options.AlignerOptions,
    all_faces: options.AllFaces = False,
    look: options.StyleOptions,
    as_json: options.Json = False,
) -> None:
    """Show the parts of single faces that a model relies on: on the photo and on the canonical face.

    Example: canonface explain me.jpg --model expression --target happy

    With another method: canonface explain me.jpg --model expression --target happy --method gradcam++
    """
    from canonface import explanation
    from canonface.data import LabelledPhotos
    from canonface.errors import CanonfaceError
    from canonface.explanation import Sampling, make_settings
    from canonface.explanation.face import is_adaptive

    look.check()
    keywords = patch.keywords() | method.keywords() | {"confidence": confidence}
    settings = make_settings(preset, target=target, normalise=False if no_normalise else None, **keywords)
    sampling = Sampling(adaptive.design, adaptive.share, adaptive.precision, seed=adaptive.seed)
    is_adaptive(sampling)
    runner = engine.value()
    loaded = loading.load(model)
    align = aligner.make(all_faces)
    found = LabelledPhotos.open(photos, labels)
    if (column := settings.confidence_fn().label_column) is not None:
        found.require(column)
    results: list[dict[str, Any]] = []
    stems: set[str] = set()
    failed = 0
    for name in found.names:
        try:
            for face in align(found.path(name)):
                cis = explanation.explain(
                    face,
                    loaded,
                    settings=settings,
                    sampling=sampling,
                    engine=runner,
                    face_labels=found.labels[name],
                )
                stem = _free_stem(name, cis.face.index, stems)
                results.append(_save(cis, name, out / stem, look))
                if not as_json:
                    _show(results[-1])
        except CanonfaceError as error:
            failed += 1
            results.append({"photo": name, "error": error.reason, "message": str(error)})
            console.error(f"{name}: {error}")
    if as_json:
        console.print_json({"faces": results})
    if failed:
        raise typer.Exit(1 if failed < len(results) else 2)


def _free_stem(name: str, face: int, taken: set[str]) -> str:
    """Return the beginning of the names of a face's pictures, unique within this command."""
    stem = name.replace("/", "-").rsplit(".", 1)[0] + (f"-face{face}" if face else "")
    number, free = 2, stem
    while free in taken:
        number, free = number + 1, f"{stem}-{number}"
    taken.add(free)
    return free


def _save(cis: Any, name: str, place: Path, look: options.StyleOptions) -> dict[str, Any]:
    from canonface import plots
    from canonface.cli.pictures import has_moved, measured, peak_summary

    place.parent.mkdir(parents=True, exist_ok=True)
    style, suffix = look.style(), look.picture_format
    drawn: dict[str, Any] = {"cmap": style.cmap, "limit": style.limit, "title": style.title}
    saved = [
        plots.save(
            plots.overlay(cis, dpi=style.dpi, **drawn), place.with_name(f"{place.name}-photo.{suffix}")
        ),
        plots.save(cis, place.with_name(f"{place.name}-canonical.{suffix}"), dpi=style.dpi, **drawn),
        plots.save(cis, place.with_name(f"{place.name}-canonical.npy")),
    ]
    inferred = {}
    if cis.inferred is not None:
        error = cis.inferred_error if np.isfinite(cis.inferred_error) else None
        share = float(cis.measured.sum() / max(np.isfinite(cis.values).sum(), 1))
        inferred = {"inferred": int(cis.inferred.sum()), "inferred_error": error, "evaluated_share": share}
    return inferred | {
        "photo": name,
        "face": cis.face.index,
        "model": cis.model,
        "target": cis.target,
        "confidence": cis.confidence,
        "method": cis.method,
        "unit": measured(cis),
        "peak": peak_summary(cis.peak()),
        "moved": has_moved(cis),
        "pose_deg": cis.face.pose_deg._asdict(),
        "quality": cis.face.quality,
        "model_calls": cis.model_calls,
        "pictures": [str(path) for path in saved],
    }


def _show(result: dict[str, Any]) -> None:
    from canonface.cli.pictures import place_of, still_words

    out = console.stdout()
    out.print(f"[bold]{result['photo']}[/]: {result['target']} ({result['confidence']:.3f})", soft_wrap=True)
    if not result["moved"]:
        out.print(f"  {still_words(result['method'])}", soft_wrap=True)
    elif result["peak"]:
        place, value = place_of(result["peak"]), result["peak"]["value"]
        out.print(f"  relied on most: {place} ({result['unit']}: {value:+.3f})", soft_wrap=True)
    if result.get("inferred"):
        error = result["inferred_error"]
        known = "of unknown error" if error is None else f"typical error {error:.3g}"
        if result["evaluated_share"] < LEAST_EVALUATED:
            known += (
                f"; only {result['evaluated_share']:.0%} were evaluated: too few to trust the map of one face"
            )
        out.print(f"  {result['inferred']} probes were interpolated, not evaluated: {known}", soft_wrap=True)
    for path in result["pictures"]:
        out.print(f"  {path}", markup=False, soft_wrap=True)
