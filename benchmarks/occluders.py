"""Dependence of a model map on the occluder: its shape, its fill and its size.

    python benchmarks/occluders.py                                    # the bundled photos of smiling people
    python benchmarks/occluders.py --model gender --target predicted --limit 40
    python benchmarks/occluders.py --speed                            # time of the occluders themselves

Every occluder is put over the same vertices of the same photos. A map is the mean drop at each vertex, over the
photos that show it. Each map is compared with that of the default occluder by Spearman's rank correlation over the
vertices. The next column is the correlation of the maps of two halves of the photos (alternate ones), corrected to
the full number by Spearman and Brown: two maps can hardly agree better than one agrees with itself.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import canonface
from canonface.demo import demo_folder
from canonface.mesh import regions_of
from canonface.models import prepare
from canonface.occluders import FILLS, make_occluder
from canonface.occluders import OCCLUDERS as SHAPES

OCCLUDERS = (
    [("square", None, fill) for fill in ("mean", "black", "blur", "noise", "inpaint", "average")]
    + [("square", None, "mean+blur+noise")]
    + [(shape, None, "mean") for shape in ("disc", "surface")]
    + [("square", size, "mean") for size in ("15%", "25%", "40%")]
    + [("surface", size, "mean") for size in ("r0.8cm", "r1.2cm")]
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="expression")
    parser.add_argument("--target", default="happy")
    parser.add_argument("--limit", type=int, default=20, help="number of photos")
    parser.add_argument("--stride", type=int, default=3)
    parser.add_argument("--speed", action="store_true", help="time the occluders without a model")
    options = parser.parse_args()
    if options.speed:
        speed()
        return
    model = canonface.load_model(options.model)
    photos = [path for path, mood in bundled() if options.target in (mood, "predicted")]
    faces = [face for path in photos[: options.limit] for face in canonface.align(path)]
    print(f"{len(faces)} bundled photos, every {options.stride}. vertex, log-odds of {options.target}, "
          f"{model.name}, canonface {canonface.__version__}, {platform.machine()}")  # fmt: skip
    print(
        "| shape | patch | fill | side, px | rank correlation | split halves | largest mean drop | there | s/face |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    first: np.ndarray | None = None
    for shape, patch, fill in OCCLUDERS:
        start = time.perf_counter()
        results = [
            canonface.explain(
                face, model, options.target, confidence="log-odds", stride=options.stride,
                occluder=shape, patch=patch, fill=fill,
            )
            for face in faces
        ]  # fmt: skip
        seconds = (time.perf_counter() - start) / len(faces)
        drops = np.array([result.drops for result in results])
        values = mean_drop(drops)
        first = values if first is None else first
        half = rank_correlation(mean_drop(drops[::2]), mean_drop(drops[1::2]))
        top = int(results[0].probes[np.nanargmax(values)])
        place = ", ".join(regions_of(results[0].mesh, top)) or "opening of the mouth"
        side = np.median([result.patch for result in results])
        print(
            f"| {shape} | {patch or 'default'} | {fill} | {side:.1f} | {rank_correlation(first, values):.2f} "
            f"| {2 * half / (1 + half):.2f} | {np.nanmax(values):.2f} | {place} "
            f"| {seconds:.2f} |",
            flush=True,
        )


def speed() -> None:
    """Print the processor time of each occluder for all visible vertices of a face in an input of 224 x 224."""
    [face] = canonface.align(bundled()[0][0])
    shown = prepare(face, canonface.InputSpec(size_hw=(224, 224)))
    vertices = np.flatnonzero(shown.visible)
    print(f"{len(vertices)} vertices, input of 224 x 224, patch of 15; median of 9, milliseconds")
    for shape, fill in [*((shape, "mean") for shape in SHAPES), *(("square", fill) for fill in FILLS)]:
        occluder, times = make_occluder(shape, 15, fill), []
        for _ in range(9):
            fresh = replace(shown)  # no cached raster
            start = time.process_time()
            occluder.occlusions(fresh, vertices)
            times.append(1000 * (time.process_time() - start))
        print(f"{shape}, {fill}: {np.median(times):.0f}")


def bundled() -> list[tuple[Path, str]]:
    """Return the bundled photos and their labelled expressions."""
    with (demo_folder() / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [(demo_folder() / row["path"], row["expression"]) for row in csv.DictReader(file)]


def mean_drop(drops: np.ndarray) -> np.ndarray:
    """Return the mean over the faces that show each vertex; NaN for fewer than two faces."""
    count = np.isfinite(drops).sum(axis=0)
    total = np.nansum(drops, axis=0)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 1)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's correlation over the vertices that both maps show."""
    both = np.isfinite(a) & np.isfinite(b)
    return float(spearmanr(a[both], b[both]).statistic)


if __name__ == "__main__":
    main()
