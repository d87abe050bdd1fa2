"""Draw the pictures of ``docs/occluders.md`` with the bundled photos: ``python docs/scripts/draw_occluders.py``.

``occluders.png``: every shape with every fill, on a frontal face and on a turned one;
``occluded_regions.png``: whole regions.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from canonface.alignment import LandmarkerAligner
from canonface.demo import demo_folder
from canonface.mesh import load_mesh, region_mask
from canonface.models import prepare
from canonface.occluders import FILLS, OCCLUDERS, hide_regions, make_occluder
from canonface.types import InputSpec, ModelInput

mpl.use("agg")

IMAGES = Path(__file__).parents[1] / "images"
PHOTOS = ("op_P001_studio.jpg", "op_P001_view_profile_a.jpg")
SPEC = InputSpec(size_hw=(224, 224))
PATCH = "35%"
POINTS = ("left_eye", "nose_tip", "right_mouth_corner")
REGIONS = (("mouth",), ("eyes",), ("eyes", "mouth"), ("nose",), ("forehead",), ("hair",))


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=IMAGES)
    output = parser.parse_args().output
    aligner = LandmarkerAligner(load_mesh(1, halo=True))
    shown = [prepare(aligner(demo_folder() / "photos" / name)[0], SPEC) for name in PHOTOS]
    rows = [(shape, one) for one in shown for shape in OCCLUDERS]
    sheet(
        [[patched(one, shape, fill) for fill in FILLS] for shape, one in rows],
        list(FILLS),
        [shape for shape, _ in rows],
    ).savefig(output / "occluders.png", dpi=100)
    sheet(
        [[without(one, names, "mean") for names in REGIONS] for one in shown],
        [" and ".join(names) for names in REGIONS],
        ["", ""],
    ).savefig(output / "occluded_regions.png", dpi=100)


def patched(shown: ModelInput, shape: str, fill: str) -> np.ndarray:
    """Return the face with patches over a few points and one vertex of its halo."""
    mesh = shown.face.mesh
    hair = [vertex for vertex in mesh.regions["hair"] if shown.visible[vertex]]
    vertices = [int(mesh.landmarks[name][0]) for name in POINTS] + hair[len(hair) // 3 :][:1]
    occluder = make_occluder(shape, PATCH, fill)
    for vertex in vertices:
        if shown.visible[vertex]:
            [occlusions] = occluder.occlusions(shown, np.array([vertex]))
            shown = replace(shown, x=occlusions.hide(shown.x)[0])
    return SPEC.to_pixels(shown.x)


def without(shown: ModelInput, names: tuple[str, ...], fill: str) -> np.ndarray:
    """Return the face with whole regions hidden."""
    for name in names:
        [occlusions] = hide_regions(shown, [np.flatnonzero(region_mask(shown.face.mesh, name))], fill)
        shown = replace(shown, x=occlusions.hide(shown.x)[0])
    return SPEC.to_pixels(shown.x)


def sheet(pictures: list[list[np.ndarray]], columns: list[str], rows: list[str]) -> Figure:
    """Return a grid of pictures with names for columns and rows."""
    figure = Figure(figsize=(1.6 * len(columns) + 0.3, 1.6 * len(rows) + 0.3), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, name, row in zip(axes, rows, pictures, strict=True):
        line[0].set_ylabel(name)
        for place, picture in zip(line, row, strict=True):
            place.imshow(picture)
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
    for place, name in zip(axes[0], columns, strict=True):
        place.set_title(name, fontsize=10)
    return figure


if __name__ == "__main__":
    main()
