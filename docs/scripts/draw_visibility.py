"""Draw the visible vertices and the halo: ``python docs/scripts/draw_visibility.py``.

On bundled photos from frontal to profile: visible vertices of the mesh are green, hidden ones red. The regions of the
halo are drawn on some of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from canonface.alignment import LandmarkerAligner
from canonface.demo import demo_folder
from canonface.mesh import HALO_SOURCES, load_mesh
from canonface.types import Face

IMAGES = Path(__file__).parents[1] / "images"
TURNED = ("op_P005_studio", "nasa_astronaut", "op_P001_view_profile_a", "op_P009_view_profile_a")
WITH_HALO = ("op_P001_studio", "nasa_astronaut", "op_P005_studio", "op_P001_view_profile_a")
COLOURS = {
    "hair": "#e07b00",
    "right_ear": "#d100d1",
    "left_ear": "#d100d1",
    "neck": "#00a5c8",
    "background": "#d8c400",
}


def main() -> None:
    """Write ``visibility.png`` and ``halo.png`` into ``docs/images`` or the given folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=IMAGES)
    output = parser.parse_args().output
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    aligner = LandmarkerAligner(load_mesh(1, halo=True))
    for name, photos, draw in (("visibility", TURNED, draw_seen), ("halo", WITH_HALO, draw_halo)):
        figure, axes = plt.subplots(1, len(photos), figsize=(3.6 * len(photos), 4.0))
        for place, photo in zip(axes, photos, strict=True):
            [face] = aligner(demo_folder() / "photos" / f"{photo}.jpg")
            show(place, face)
            draw(place, face)
        figure.tight_layout()
        figure.savefig(output / f"{name}.png", dpi=75)


def show(axes: Axes, face: Face) -> None:
    """Draw the photo around the face."""
    own = face.vertices_xy[: face.mesh.face_count]
    low, high = own.min(axis=0), own.max(axis=0)
    (x, y), half = (low + high) / 2, 0.85 * (high - low).max()
    axes.imshow(face.image)
    axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))
    axes.axis("off")


def draw_seen(axes: Axes, face: Face) -> None:
    """Draw the face's vertices by visibility, and the share that is visible."""
    count = face.mesh.face_count
    seen, xy = face.visible[:count], face.vertices_xy[:count]
    for visible, colour in ((False, "red"), (True, "lime")):
        axes.plot(*xy[seen == visible].T, ".", color=colour, markersize=1.4)
    axes.set_title(f"yaw {face.pose_deg.yaw:.0f} degrees: {np.mean(seen):.0%} seen", fontsize=11)


def draw_halo(axes: Axes, face: Face) -> None:
    """Draw the halo's visible vertices by region."""
    for name in HALO_SOURCES:
        members = face.mesh.regions[name]
        axes.plot(*face.vertices_xy[members[face.visible[members]]].T, ".", color=COLOURS[name], markersize=3)
    axes.set_title(f"yaw {face.pose_deg.yaw:.0f} degrees", fontsize=11)


if __name__ == "__main__":
    main()
