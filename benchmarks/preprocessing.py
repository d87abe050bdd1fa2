"""Preprocessing by OpenCV compared with PyTorch: `python benchmarks/preprocessing.py [FOLDER]`.

Milliseconds a face on one thread, the two interleaved, and how far they differ in grey levels of 255. FOLDER holds
photos; without it the bundled ones are taken.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

import canonface
from canonface.alignment import LandmarkerAligner
from canonface.demo import demo_folder
from canonface.models.crops import crop_matrix
from canonface.models.preprocessing import resample
from canonface.models.torch_preprocessing import resample_tensor
from canonface.types import Face, InputSpec

SPECS = (
    InputSpec(size_hw=(224, 224), crop="face"),
    InputSpec(size_hw=(64, 64), crop="face"),
    InputSpec(size_hw=(112, 112), crop="arcface"),
    InputSpec(size_hw=(160, 160), crop="facenet"),
    InputSpec(size_hw=(150, 150), crop="dlib"),
    InputSpec(size_hw=(224, 224), crop="image"),
)
ROUNDS = 7


def row(faces: list[Face], spec: InputSpec) -> str:
    """Return the median time per face, largest and mean difference, and the median shrink."""
    photos = [torch.from_numpy(face.image.transpose(2, 0, 1).astype(np.float32)) for face in faces]
    matrices = [crop_matrix(face, spec) for face in faces]
    times: dict[str, list[float]] = {"opencv": [], "torch": []}
    with torch.inference_mode():
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            ours = [resample(f.image, m, spec.size_hw) for f, m in zip(faces, matrices, strict=True)]
            between = time.perf_counter()
            theirs = [
                resample_tensor(photo, torch.from_numpy(matrix), spec.size_hw)
                for photo, matrix in zip(photos, matrices, strict=True)
            ]
            times["opencv"].append(between - start)
            times["torch"].append(time.perf_counter() - between)
    off = [np.abs(a - b.numpy().transpose(1, 2, 0)) for a, b in zip(ours, theirs, strict=True)]
    each = {name: 1000 * np.array(taken[1:]) / len(faces) for name, taken in times.items()}
    cells = " | ".join(f"{np.median(ms):.2f} ± {ms.std():.2f}" for ms in each.values())
    shrink = np.median([1 / np.linalg.norm(matrix[0, :2]) for matrix in matrices])
    return (
        f"| {spec.crop}, {spec.size_hw[0]} | {len(faces)} | {shrink:.1f} | {cells} | "
        f"{max(o.max() for o in off):.3f} | {np.mean([o.mean() for o in off]):.5f} |"
    )


def main() -> None:
    """Print the table and the versions it was made with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=demo_folder() / "photos")
    folder: Path = parser.parse_args().folder
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    aligner = LandmarkerAligner(canonface.load_mesh(0))
    faces = [aligner(path)[0] for path in sorted(folder.iterdir())]
    print(
        f"canonface {canonface.__version__}, OpenCV {cv2.__version__}, PyTorch {torch.__version__}, "
        f"Python {platform.python_version()}, {platform.machine()}, one thread\n\n"
        "| crop | photos | shrink | OpenCV ms | PyTorch ms | largest difference | mean |\n"
        "|---|---|---|---|---|---|---|"
    )
    for spec in SPECS:
        print(row(faces, spec), flush=True)


if __name__ == "__main__":
    main()
