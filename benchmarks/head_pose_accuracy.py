"""Accuracy of the zoo's head pose: `python benchmarks/head_pose_accuracy.py DATA`.

DATA is the folder of the data sets (see docs/zoo.md). No set at hand states angles, so known
facts are checked: studio portraits look straight into the camera; synthetic heads were made as fronts or profiles; a
turned photo turns the roll by the same angle; a mirrored photo has the opposite yaw and roll.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from zoo_accuracy import Row, aligned, rows_of

import canonface
from canonface.alignment import LandmarkerAligner, read_photo
from canonface.models import Model, checked_outputs, prepare

TURNS = (-30, -15, 15, 30)
# The synthetic profiles that look to the left side of the picture, judged by eye; the others look to the right.
LOOKING_LEFT = {
    *("P006_view_profile_a", "P009_view_profile_a"),
    *("P003_view_profile_b", "P004_view_profile_b", "P007_view_profile_b"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class PredictedPose:
    """Labelled photo with the predicted pose, None if no face was found."""

    row: Row
    pose: np.ndarray | None


def pose_of(model: Model, face: canonface.Face | None) -> np.ndarray | None:
    """Return yaw, pitch and roll in degrees."""
    if face is None:
        return None
    return checked_outputs(model, model.to_device(prepare(face, model.spec).x[None]))[0]


def predict(
    model: Model, aligner: LandmarkerAligner, folder: Path, keep: Callable[[Row], bool]
) -> list[PredictedPose]:
    """Return the photos of a set with their predicted poses."""
    return [
        PredictedPose(row, pose_of(model, aligned(aligner, folder / row["path"])))
        for row in rows_of(folder, keep)
    ]


def pose_row(title: str, photos: Sequence[PredictedPose]) -> str:
    """Return a Markdown row: mean and spread of each angle, and the mean of its size."""
    poses = np.array([photo.pose for photo in photos if photo.pose is not None])
    if not len(poses):
        return f"| {title} | {len(photos)} | 0 | - | - | - |"
    angles = (f"{a.mean():+.1f} ± {a.std():.1f} ({np.abs(a).mean():.1f})" for a in poses.T)
    return f"| {title} | {len(photos)} | {len(poses)} | {' | '.join(angles)} |"


def views(model: Model, aligner: LandmarkerAligner, data: Path) -> list[str]:
    """Return the poses by set, group and stated view."""
    london = predict(model, aligner, data / "london_frl", bool)
    synthetic = predict(model, aligner, data / "openpeople_synth", bool)
    lines = [pose_row("London", london)]
    for column in ("gender", "ethnicity"):
        for value in sorted({photo.row[column] for photo in london}):
            chosen = [photo for photo in london if photo.row[column] == value]
            lines.append(pose_row(f"London: {column} {value}", chosen))
    for view in ("front", "selfie"):
        chosen = [photo for photo in synthetic if photo.row["view"] == view]
        lines.append(pose_row(f"openpeople: {view}", chosen))
    profiles = [photo for photo in synthetic if photo.row["view"].startswith("profile")]
    left = [photo for photo in profiles if Path(photo.row["path"]).stem in LOOKING_LEFT]
    right = [photo for photo in profiles if photo not in left]
    return [
        *lines,
        pose_row("openpeople: profile to the left", left),
        pose_row("openpeople: profile to the right", right),
    ]


def turned(model: Model, aligner: LandmarkerAligner, folder: Path, count: int) -> list[str]:
    """Return the errors of the angles of turned photos, and of mirrored ones."""
    import cv2

    photos = [read_photo(folder / row["path"]) for row in rows_of(folder, limit=count)]
    lines = []
    straight = [pose_of(model, aligned(aligner, photo)) for photo in photos]
    for turn in TURNS:
        errors = []
        for photo, before in zip(photos, straight, strict=True):
            height, width = photo.shape[:2]
            # OpenCV turns anticlockwise for positive angles, as seen in the picture.
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -turn, 0.8)
            picture = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
            after = pose_of(model, aligned(aligner, picture))
            if before is not None and after is not None:
                errors.append(after - before - np.array([0, 0, turn]))
        lines.append(error_row(f"turned by {turn:+d} degrees", errors))
    mirrored = []
    for photo, before in zip(photos, straight, strict=True):
        after = pose_of(model, aligned(aligner, np.ascontiguousarray(photo[:, ::-1])))
        if before is not None and after is not None:
            mirrored.append(after - before * np.array([-1, 1, -1]))
    return [*lines, error_row("mirrored", mirrored)]


def error_row(title: str, errors: Sequence[np.ndarray]) -> str:
    """Return a Markdown row: photos, mean absolute error of each angle."""
    sizes = " | ".join(f"{size:.1f}" for size in np.abs(np.array(errors)).mean(axis=0))
    return f"| {title} | {len(errors)} | {sizes} |"


def seconds_per_input(model: Model) -> float:
    """Return the median time for an input of noise, in seconds."""
    x = np.random.default_rng(0).uniform(0, 1, (1, 3, *model.spec.size_hw)).astype(np.float32)
    times = []
    for _ in range(30):
        start = time.perf_counter()
        checked_outputs(model, x)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print the tables and the versions they were made with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    aligner = LandmarkerAligner(canonface.load_mesh(0))
    model = canonface.load_model("head-pose")
    print(f"canonface {canonface.__version__}, Python {platform.python_version()}, {platform.machine()}")
    print(f"{1000 * seconds_per_input(model):.0f} ms per input\n")
    print(
        "| photos | n | aligned | yaw: mean ± spread (mean size) | pitch | roll |\n|---|---|---|---|---|---|"
    )
    print("\n".join(views(model, aligner, options.data)))
    print("\n| London | photos | yaw, mean abs. error | pitch | roll |\n|---|---|---|---|---|")
    print("\n".join(turned(model, aligner, options.data / "london_frl", 42)))


if __name__ == "__main__":
    main()
