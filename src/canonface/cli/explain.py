"""``canonface explain``: single faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from canonface.cli import console, options
from canonface.cli.audit import Paths


def explain(
    photos: Paths,
    model: options.ModelName,
    out: options.Out = Path("explained"),
    target: options.Target = None,
    preset: options.Preset = "default",
    confidence: options.ConfidenceScale = None,
    patch: options.Patch = None,
    fill: options.Fill = None,
    stride: options.Stride = None,
    level: options.Level = 1,
    all_faces: options.AllFaces = False,
    batch: options.Batch = 64,
    device: options.Device = "auto",
    no_normalise: options.NoNormalise = False,
    picture_format: options.Format = "png",
    as_json: options.Json = False,
) -> None:
    """Show what a model relied on in single photos: on the photo and on the canonical face.

    Example: canonface explain me.jpg --model expression --target happy
    """
    from canonface.alignment import LandmarkerAligner
    from canonface.cli.pictures import check_format
    from canonface.errors import CanonfaceError
    from canonface.mesh import load_mesh
    from canonface.models import load_model
    from canonface.run import explain as explain_face
    from canonface.run import find_photos, make_settings

    choices: dict[str, Any] = {
        "confidence": confidence,
        "patch": patch,
        "fill": fill,
        "stride": stride,
        "normalise": False if no_normalise else None,
    }
    check_format(picture_format)
    make_settings(preset, target=target, **choices)
    loaded = load_model(model, device=device)
    aligner = LandmarkerAligner(load_mesh(level), faces="all" if all_faces else "largest")
    found = find_photos(photos)
    results, failed = [], 0
    for name in found.names:
        try:
            for face in aligner(found.path(name)):
                cis = explain_face(face, loaded, target, preset=preset, batch=batch, **choices)
                results.append(_save(cis, name, out, picture_format))
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


def _save(cis: Any, name: str, out: Path, suffix: str) -> dict[str, Any]:
    from canonface import plots
    from canonface.cli.pictures import peak_summary

    stem = name.replace("/", "-").rsplit(".", 1)[0] + (f"-face{cis.face.index}" if cis.face.index else "")
    out.mkdir(parents=True, exist_ok=True)
    saved = [
        plots.save(plots.overlay(cis), out / f"{stem}-photo.{suffix}"),
        plots.save(cis, out / f"{stem}-canonical.{suffix}"),
        plots.save(cis, out / f"{stem}-canonical.npy"),
    ]
    return {
        "photo": name,
        "face": cis.face.index,
        "model": cis.model,
        "target": cis.target,
        "confidence": cis.confidence,
        "unit": f"drop in {cis.unit}",
        "peak": peak_summary(cis.peak()),
        "pose_deg": cis.face.pose_deg._asdict(),
        "quality": cis.face.quality,
        "model_calls": cis.model_calls,
        "pictures": [str(path) for path in saved],
    }


def _show(result: dict[str, Any]) -> None:
    from canonface.cli.pictures import place_of

    out = console.stdout()
    out.print(f"[bold]{result['photo']}[/]: {result['target']} ({result['confidence']:.3f})", soft_wrap=True)
    if result["peak"]:
        place, value = place_of(result["peak"]), result["peak"]["value"]
        out.print(f"  relied on most: {place} ({result['unit']}: {value:+.3f})", soft_wrap=True)
    for path in result["pictures"]:
        out.print(f"  {path}", markup=False, soft_wrap=True)
