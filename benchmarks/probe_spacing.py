"""Difference between maps of spaced probes and the map of all vertices, by the spacing.

    python benchmarks/probe_spacing.py                                # the bundled photos
    python benchmarks/probe_spacing.py --photos FOLDER --limit 20 --subdivisions 1 2

Every vertex is probed once. Maps are then made from the drops of the probes that `poisson_probes` chooses with a
spacing of the patch's side divided by 2, 3, 4 and 6, and compared with the map of all vertices over the canonical
pixels that both show: Pearson correlation of each face's map (mean, lowest) and of the mean map, and the distance
between the mean maps' peaks.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import numpy as np

import canonface
from canonface import functional
from canonface.data import find_photos
from canonface.demo import demo_folder
from canonface.maps import CIS, CMS
from canonface.mesh import poisson_probes

TASKS = (("expression", "predicted"), ("gender", "predicted"), ("age", "predicted"))
SHARES = (2, 3, 4, 6)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=demo_folder() / "photos")
    parser.add_argument("--limit", type=int, default=20, help="number of photos, spread over the folder")
    parser.add_argument(
        "--subdivisions", "--levels", dest="subdivisions", type=int, nargs="+", default=[1, 2]
    )
    options = parser.parse_args()
    found = find_photos(options.photos)
    chosen = np.unique(np.linspace(0, len(found) - 1, min(options.limit, len(found))).round().astype(int))
    print(
        f"canonface {canonface.__version__}, {platform.machine()}; {options.photos.name}, up to {len(chosen)} photos"
    )
    print(
        "| model | subdivision | faces | patch, cm | spacing | probes | CIS r: mean, lowest | CMS r | CMS peak, cm |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for subdivision in options.subdivisions:
        faces = []
        for index in chosen:
            try:
                faces += canonface.align(found.path(found.names[index]), level=subdivision)
            except canonface.CanonfaceError as error:
                print(f"left out: {found.names[index]} ({error.reason})")
        for name, target in TASKS:
            model = canonface.load_model(name)
            whole = [
                canonface.explain(face, model, target, confidence="log-odds", stride=1) for face in faces
            ]
            for share in SHARES:
                print(row(name, subdivision, whole, share), flush=True)


def row(model: str, subdivision: int, whole: list[CIS], share: int) -> str:
    """Return one row: maps of fewer probes against maps of all vertices."""
    first = whole[0]
    side = float(np.median([cis.canonical_patch for cis in whole])) / first.canvas.pixels_per_unit(first.mesh)
    probes = poisson_probes(first.mesh, side / share)
    many = CMS.empty(first.mesh, first.unit, canvas=first.canvas)
    few, correlations = many, []
    xy = first.canvas.project(first.mesh)[probes]
    for cis in whole:
        thin, count = functional.cis(
            cis.drops[probes], xy, cis.canvas.size_hw, cis.canonical_patch, cis.normalise
        )
        correlations.append(correlation(cis.map, cis.count, thin, count))
        many, few = (
            many.add(cis.map, cis.count, cis.canonical_patch),
            few.add(thin, count, cis.canonical_patch),
        )
    peaks = [cms.peak() for cms in (many, few)]
    apart = np.subtract(*(np.array(peak.xy) for peak in peaks if peak))
    return (
        f"| {model} | {subdivision} | {len(whole)} | {side:.2f} | patch / {share} "
        f"| {len(probes)} of {len(first.mesh.vertices)} "
        f"| {np.mean(correlations):.3f}, {np.min(correlations):.3f} "
        f"| {correlation(many.map, many.seen, few.map, few.seen):.4f} "
        f"| {np.linalg.norm(apart) / first.canvas.pixels_per_unit(first.mesh):.2f} |"
    )


def correlation(a: np.ndarray, a_count: np.ndarray, b: np.ndarray, b_count: np.ndarray) -> float:
    """Return the Pearson correlation over the pixels that both show."""
    both = (a_count > 0) & (b_count > 0)
    return float(np.corrcoef(a[both], b[both])[0, 1])


if __name__ == "__main__":
    main()
