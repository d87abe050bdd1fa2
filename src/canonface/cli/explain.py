"""``canonface explain``: single faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from canonface.cli import console, options
from canonface.cli.audit import Paths
from canonface.cli.loading import chosen_aligner, loaded_model, method_options

LEAST_ASKED = 0.25
"""Share of the places below which a single face's map was found not to be trusted: see docs/sampling.md."""


def explain(
    photos: Paths,
    model: options.ModelName,
    out: options.Out = Path("explained"),
    target: options.Target = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV file with a column path, for a target label:COLUMN.")
    ] = None,
    preset: options.Preset = "default",
    confidence: options.ConfidenceName = None,
    occluder: options.Occluder = None,
    patch: options.Patch = None,
    fill: options.Fill = None,
    stride: options.Stride = None,
    spacing: options.Spacing = None,
    level: options.Level = 1,
    halo: options.Halo = False,
    aligner: options.AlignerName = "landmarker",
    vertices: options.Vertices = None,
    mesh: options.MeshFile = None,
    all_faces: options.AllFaces = False,
    batch: options.Batch = 64,
    engine: options.Engine = "auto",
    device: options.Device = "auto",
    weights: options.Weights = None,
    architecture: options.Architecture = None,
    output: options.Output = None,
    outputs: options.Outputs = None,
    trust: options.Trust = False,
    design: Annotated[
        str | None,
        typer.Option(
            help="full (default), or adaptive: coarse to fine, with the error of what was not asked."
        ),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Share of the places that adaptive asks, at most; default: 0.4.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Typical error of a drop at which adaptive stops earlier.")
    ] = None,
    seed: options.Seed = 0,
    method: options.MethodName = None,
    layer: options.Layer = None,
    method_option: options.MethodOption = None,
    no_normalise: options.NoNormalise = False,
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Show what a model relied on in single photos: on the photo and on the canonical face.

    Example: canonface explain me.jpg --model expression --target happy

    With a method of others: canonface explain me.jpg --model expression --target happy --method gradcam++
    """
    from canonface.cli.pictures import check_format
    from canonface.data import find_photos
    from canonface.data.labels import read_labels
    from canonface.engine import check_engine
    from canonface.errors import CanonfaceError
    from canonface.explanation import explain as explain_face
    from canonface.explanation import make_settings
    from canonface.explanation.face import check_adaptive

    choices: dict[str, Any] = {
        "confidence": confidence,
        "occluder": occluder,
        "patch": patch,
        "fill": fill,
        "stride": stride,
        "spacing": spacing,
        "normalise": False if no_normalise else None,
        "method": method,
        "method_options": method_options(layer, method_option),
    }
    check_format(picture_format)
    check_engine(engine)
    make_settings(preset, target=target, **choices)
    check_adaptive(design, share, precision)
    loaded = loaded_model(
        model,
        device,
        weights=weights,
        architecture=architecture,
        output=output,
        outputs=outputs,
        trust=trust,
    )
    align = chosen_aligner(aligner, level, all_faces, halo, mesh, vertices)
    found = find_photos(photos)
    known = read_labels(labels, found) if labels is not None else {name: {} for name in found.names}
    results: list[dict[str, Any]] = []
    stems: set[str] = set()
    failed = 0
    for name in found.names:
        try:
            for face in align(found.path(name)):
                cis = explain_face(
                    face,
                    loaded,
                    target,
                    preset=preset,
                    batch=batch,
                    engine=engine,
                    face_labels=known[name],
                    design=design,
                    share=share,
                    precision=precision,
                    seed=seed,
                    **choices,
                )
                stem = _free_stem(name, cis.face.index, stems)
                results.append(_save(cis, name, out / stem, picture_format))
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
    """Beginning of the names of a face's pictures; no other face of this command has it."""
    stem = name.replace("/", "-").rsplit(".", 1)[0] + (f"-face{face}" if face else "")
    number, free = 2, stem
    while free in taken:
        number, free = number + 1, f"{stem}-{number}"
    taken.add(free)
    return free


def _save(cis: Any, name: str, place: Path, suffix: str) -> dict[str, Any]:
    from canonface import plots
    from canonface.cli.pictures import has_moved, measured, peak_summary

    place.parent.mkdir(parents=True, exist_ok=True)
    saved = [
        plots.save(plots.overlay(cis), place.with_name(f"{place.name}-photo.{suffix}")),
        plots.save(cis, place.with_name(f"{place.name}-canonical.{suffix}")),
        plots.save(cis, place.with_name(f"{place.name}-canonical.npy")),
    ]
    inferred = {}
    if cis.inferred is not None:
        error = cis.inferred_error if np.isfinite(cis.inferred_error) else None
        share = float(cis.measured.sum() / max(np.isfinite(cis.values).sum(), 1))
        inferred = {"inferred": int(cis.inferred.sum()), "inferred_error": error, "asked_share": share}
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
        if result["asked_share"] < LEAST_ASKED:
            known += f"; only {result['asked_share']:.0%} were asked: too few to trust the map of one face"
        out.print(f"  {result['inferred']} places were not asked but interpolated, {known}", soft_wrap=True)
    for path in result["pictures"]:
        out.print(f"  {path}", markup=False, soft_wrap=True)
