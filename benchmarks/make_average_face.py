"""Make ``src/canonface/assets/average_face.png``, the texture of the fill ``average``.

    python benchmarks/make_average_face.py src/canonface/assets/average_face.png

Every bundled photo of a neutral face whose licence is MIT or CC0 is warped to the mesh's texture coordinates,
together with its mirror image. First the photos of one person are averaged, then the people, each weighing alike,
over the texels that they show.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

import canonface
from canonface.demo import demo_folder
from canonface.models import prepare
from canonface.raster import Raster, rasterise
from canonface.types import Face, InputSpec

SPEC = InputSpec(size_hw=(384, 384))
LEVEL = 2


def main() -> None:
    """Write the texture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="PNG file to write")
    parser.add_argument("--size", type=int, default=128, help="texels a side")
    options = parser.parse_args()
    people = faces_by_person()
    print(f"{sum(map(len, people.values()))} photos of {len(people)} people: {', '.join(people)}")
    mesh = canonface.load_mesh(LEVEL)
    size_hw = (options.size, options.size)
    raster = rasterise(mesh.uv * options.size - 0.5, -mesh.vertices[:, 2], mesh.triangles, size_hw)
    texture, shown = weighted_mean([person(faces, raster) for faces in people.values()])
    picture = np.rint(grown(texture, shown)).astype(np.uint8)
    cv2.imwrite(str(options.out), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{options.out}: {options.size} x {options.size}, {options.out.stat().st_size} bytes")


def faces_by_person() -> dict[str, list[Face]]:
    """Align the bundled photos that may be used."""
    people: dict[str, list[Face]] = defaultdict(list)
    with (demo_folder() / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["licence"] in ("MIT", "CC0") and row["expression"] == "neutral":
                people[row["identity"]] += canonface.align(demo_folder() / row["path"], subdivision=LEVEL)
    return people


def person(faces: list[Face], raster: Raster) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean texture of one person's photos and their mirror images, and the texels that show the face."""
    pieces = []
    for face in faces:
        seen = prepare(face, SPEC)
        picture = seen.spec.to_pixels(seen.x).astype(np.float32)
        for order in (np.arange(len(face.mesh.vertices)), face.mesh.mirror):
            places = raster.interpolate(seen.vertices_xy[order]).astype(np.float32)
            x, y = (np.ascontiguousarray(places[..., axis]) for axis in (0, 1))
            shown = raster.select(seen.visible[order][face.mesh.triangles].all(axis=1))
            # Less weight near the edge of what a photo shows, so that no seam is seen.
            edge = cv2.distanceTransform(shown.astype(np.uint8), cv2.DIST_L2, 3)
            pieces.append((cv2.remap(picture, x, y, cv2.INTER_AREA), np.clip(edge / 6, 0, 1)))
    return weighted_mean(pieces)


def weighted_mean(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of textures, per texel over those with weight there, and the texels that have a mean."""
    weights = sum(weight.astype(np.float64) for _, weight in pieces)
    total = sum(colours * weight[..., None] for colours, weight in pieces)
    mean = np.divide(total, weights[..., None], out=np.zeros_like(total), where=weights[..., None] > 0)
    return mean, (weights > 0).astype(np.float64)


def grown(texture: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Fill the texels off the face with the colour of the nearest one on it, so that sampling meets no black edge."""
    _, labels = cv2.distanceTransformWithLabels(
        (shown == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((labels.max() + 1, 3))
    colours[labels[shown > 0]] = texture[shown > 0]
    return colours[labels]


if __name__ == "__main__":
    main()
