"""Accuracy of the default aligner: error against published templates, rates and poses on labelled sets.

    python benchmarks/alignment.py [--data FOLDER] [--sets NAME ...] [--pictures FOLDER]

Prints Markdown tables to stdout and progress to stderr. The ground truth is the 189-point template of each neutral
photo of the Face Research Lab London Set (DeBruine & Jones 2017), which its authors placed by hand.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from canonface.alignment import LandmarkerAligner, read_photo
from canonface.alignment.detector import Detector, whole_view
from canonface.alignment.landmarks import Landmarker, crop_of_detection, crop_of_landmarks
from canonface.alignment.square_crop import SquareCrop
from canonface.assets import asset_path
from canonface.errors import CanonfaceError
from canonface.landmarker.networks import LiteRTNetwork, read_networks
from canonface.mesh import load_mesh
from canonface.types import Face

TEMPLATE_POINTS = {
    "right eye, outer corner": (18, 33),
    "right eye, inner corner": (22, 133),
    "left eye, inner corner": (23, 362),
    "left eye, outer corner": (27, 263),
    "right mouth corner": (87, 61),
    "left mouth corner": (93, 291),
    "nose, lower end of the tip": (55, 2),
    "upper lip, middle of its edge": (90, 0),
    "lower lip, middle of its edge": (106, 17),
    "chin": (129, 152),
}
"""What -> (index in the 189-point template, vertex of the mesh)."""

CORNERS = tuple(TEMPLATE_POINTS)[:7]
"""Points that are points in the photo too; lips' edges and chin are lines, along which a place is a convention."""

RIGHT_PUPIL, LEFT_PUPIL = 0, 1
"""Template indices of the pupils; their distance is the unit of the errors."""

SETS = {
    "london_frl": (),
    "csm_celeba100": ("gender",),
    "openpeople_synth": ("view",),
    "congress_pd": ("gender",),
    "lfw_eval": ("gender",),
    "fairface_val980": ("race", "gender"),
    "fairface_train1600": ("race", "gender"),
    "demo_shippable": ("kind",),
}
"""Set -> columns of its labels by which the rate is reported."""


@dataclass(frozen=True)
class Outcome:
    """Photo of a set: its labels, and its face or the reason why it has none."""

    labels: dict[str, str]
    face: Face | None
    reason: str = ""


def template_errors(aligner: LandmarkerAligner, folder: Path) -> dict[str, np.ndarray]:
    """Return offsets (n, 2) of vertices from the template points, in percent of the distance between the pupils.

    Photos that cannot be aligned have rows of NaN.
    """
    templates = np.load(folder / "landmarks189.npz")
    offsets: dict[str, list[np.ndarray]] = defaultdict(list)
    for name in templates:
        truth = templates[name].astype(np.float64)
        unit = np.linalg.norm(truth[LEFT_PUPIL] - truth[RIGHT_PUPIL]) / 100
        try:
            vertices_xy = aligner(folder / "images" / name)[0].vertices_xy
        except CanonfaceError:
            vertices_xy = np.full((len(aligner.mesh.vertices), 2), np.nan)
        for what, (point, vertex) in TEMPLATE_POINTS.items():
            offsets[what].append((vertices_xy[vertex] - truth[point]) / unit)
    return {what: np.array(rows) for what, rows in offsets.items()}


def error_row(offsets: np.ndarray) -> str:
    """Return median, mean, 95th percentile of the distance, and the mean offset, as cells of a table."""
    found = offsets[~np.isnan(offsets).any(axis=1)]
    distance = np.linalg.norm(found, axis=1)
    x, y = found.mean(axis=0)
    return (
        f"{np.median(distance):.2f} | {distance.mean():.2f} | {np.percentile(distance, 95):.2f} | "
        f"{x:+.2f}, {y:+.2f}"
    )


def print_errors(offsets: dict[str, np.ndarray]) -> None:
    """Print the table of errors, point by point and over the corner points."""
    failed = int(np.isnan(next(iter(offsets.values()))).any(axis=1).sum())
    print(f"\n{len(next(iter(offsets.values())))} photos, {failed} not aligned\n")
    print(
        "| point | template | vertex | median | mean | 95% | mean offset x, y |\n|---|---|---|---|---|---|---|"
    )
    for what, (point, vertex) in TEMPLATE_POINTS.items():
        print(f"| {what} | {point} | {vertex} | {error_row(offsets[what])} |")
    together = np.concatenate([offsets[what] for what in CORNERS])
    print(f"| **the first {len(CORNERS)}** | | | {error_row(together)} |")


def print_passes(folder: Path) -> None:
    """Print the mean error of the corner points after one and two passes, from randomly displaced crops."""
    networks = {
        name: LiteRTNetwork(content)
        for name, content in read_networks(asset_path("face_landmarker.task")).items()
    }
    detector = Detector(networks["face_detector.tflite"])
    landmarker = Landmarker(networks["face_landmarks_detector.tflite"])
    templates = np.load(folder / "landmarks189.npz")
    points, vertices = map(list, zip(*(TEMPLATE_POINTS[what] for what in CORNERS), strict=True))
    rng = np.random.default_rng(0)
    print("\n| shift, scale, turn of the first crop | 1 pass: mean, 95% | 2 passes |\n|---|---|---|")
    for shift, scale, turn in ((0, 0, 0), (0.05, 0.1, 5), (0.1, 0.2, 10), (0.15, 0.3, 20)):
        errors = []
        for name in templates:
            truth, image = templates[name], read_photo(folder / "images" / name)
            unit = np.linalg.norm(truth[LEFT_PUPIL] - truth[RIGHT_PUPIL]) / 100
            crop = crop_of_detection(detector(image, whole_view(*image.shape[:2]))[0])
            x, y = np.array(crop.centre_xy) + rng.normal(size=2) * shift * crop.side / 1.5
            side, angle = (
                crop.side * np.exp(rng.normal() * scale),
                crop.angle + np.radians(rng.normal() * turn),
            )
            first = landmarker(image, SquareCrop((float(x), float(y)), float(side), float(angle)))
            second = landmarker(image, crop_of_landmarks(first.xy))
            errors.append(
                [
                    np.linalg.norm(p.xy[vertices] - truth[points], axis=1).mean() / unit
                    for p in (first, second)
                ]
            )
        cells = (f"{np.mean(e):.2f}, {np.percentile(e, 95):.2f}" for e in np.array(errors).T)
        print(f"| {shift:.0%}, {scale:.0%}, {turn} degrees | {' | '.join(cells)} |")


def align_set(aligner: LandmarkerAligner, folder: Path) -> list[Outcome]:
    """Align every labelled photo of a set."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    outcomes = []
    for row in rows:
        try:
            outcomes.append(Outcome(row, aligner(folder / row["path"])[0]))
        except CanonfaceError as error:
            outcomes.append(Outcome(row, None, error.reason))
    return outcomes


def rate(outcomes: list[Outcome]) -> str:
    """Return the share of photos with a face, with its 95% Wilson interval."""
    n, k, z = len(outcomes), sum(o.face is not None for o in outcomes), 1.96
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return f"{k} of {n} | {100 * p:.1f}% | {100 * (middle - half):.0f}..{100 * (middle + half):.0f}%"


def print_set(name: str, outcomes: list[Outcome]) -> None:
    """Print rate, reasons, poses, and the rate of each labelled group."""
    reasons = Counter(o.reason for o in outcomes if o.face is None)
    pose = np.array([o.face.pose_deg for o in outcomes if o.face is not None])
    quartiles = np.percentile(pose, [5, 50, 95], axis=0).round().astype(int)
    spread = "; ".join(
        f"{w} {a}, {b}, {c}" for w, (a, b, c) in zip(("yaw", "pitch", "roll"), quartiles.T, strict=True)
    )
    print(f"\n**{name}**: {rate(outcomes)}; {dict(reasons) or 'no failures'}; 5%, 50%, 95% of {spread}")
    if not SETS[name]:
        return
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[", ".join(outcome.labels[column] or "not labelled" for column in SETS[name])].append(outcome)
    print(f"\n| {', '.join(SETS[name])} | aligned | rate | 95% interval |\n|---|---|---|---|")
    for group in sorted(groups):
        print(f"| {group} | {rate(groups[group])} |")


def draw(photos: list[Path], target: Path) -> None:
    """Draw photos with their vertices, visible ones green, hidden ones red."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    aligner = LandmarkerAligner(load_mesh(1))
    figure, axes = plt.subplots(1, len(photos), figsize=(4 * len(photos), 4.4))
    for axis, photo in zip(np.atleast_1d(axes), photos, strict=True):
        [face] = aligner(photo)
        axis.imshow(face.image)
        for visible, colour in ((False, "red"), (True, "lime")):
            axis.plot(*face.vertices_xy[face.visible == visible].T, ".", color=colour, markersize=1.2)
        low, high = face.vertices_xy.min(axis=0), face.vertices_xy.max(axis=0)
        centre, half = (low + high) / 2, 0.75 * (high - low).max()
        axis.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] + half, centre[1] - half))
        axis.set_title("yaw {:.0f}, pitch {:.0f}, roll {:.0f} degrees".format(*face.pose_deg), fontsize=10)
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(target, dpi=80)


def time_of_a_face(aligner: LandmarkerAligner, photo: Path, repeats: int = 30) -> str:
    """Return median and spread of the time to align a decoded photo."""
    image = read_photo(photo)
    aligner(image)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        aligner(image)
        seconds.append(time.perf_counter() - start)
    low, middle, high = np.percentile(seconds, [5, 50, 95]) * 1e3
    return f"{middle:.0f} ms a photo of {image.shape[1]} x {image.shape[0]} (5%..95%: {low:.0f}..{high:.0f})"


def main() -> None:
    """Run the selected measurements."""
    default = os.environ.get("CANONFACE_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    import canonface.demo

    photos = Path(canonface.demo.__file__).parent / "photos"
    packages = ", ".join(f"{p} {version(p)}" for p in ("ai-edge-litert", "opencv-python-headless", "numpy"))
    aligner = LandmarkerAligner(load_mesh(1))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread; Python {platform.python_version()}, {packages}"
    )
    print(time_of_a_face(aligner, photos / "op_P001_studio.jpg"))
    if options.pictures:
        names = ("nasa_astronaut", "op_P001_view_profile_a", "op_P009_view_profile_a")
        draw([photos / f"{name}.jpg" for name in names], options.pictures / "alignment.png")
    print_errors(template_errors(aligner, options.data / "london_frl"))
    print_passes(options.data / "london_frl")
    for name in options.sets:
        print(f"aligning {name}", file=sys.stderr)
        print_set(name, align_set(aligner, options.data / name))


if __name__ == "__main__":
    main()
