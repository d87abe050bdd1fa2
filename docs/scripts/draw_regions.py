"""Draw the named regions on the canonical face: ``python docs/scripts/draw_regions.py``.

With ``--numbers`` the base vertices carry their numbers, to check a contour.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from scipy.optimize import linear_sum_assignment

from canonface.mesh import Canvas, load_mesh, region_triangles, vertex_normals
from canonface.types import Mesh

ON_TOP = ("inner_eye_corner", "outer_eye_corner", "mouth_corner")  # they overlap their neighbours on purpose
INK = "#222222"


def main() -> None:
    """Write ``docs/images/regions.png``, or the given file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", action="store_true", help="number the base vertices")
    parser.add_argument("--side", type=int, default=1000, help="side of the picture, in pixels")
    default = Path(__file__).parents[1] / "images" / "regions.png"
    parser.add_argument("-o", "--output", type=Path, default=default)
    options = parser.parse_args()
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mesh, canvas = load_mesh(0), Canvas(size_hw=(1000, 1000), margin=0.08)
    figure, axes = plt.subplots(figsize=(options.side * 1.3 / 100, options.side / 100), dpi=100)
    draw_regions(axes, mesh, canvas.project(mesh))
    label_regions(axes, mesh, canvas.project(mesh))
    if options.numbers:
        for vertex, (x, y) in enumerate(canvas.project(mesh)):
            axes.text(x, y, str(vertex), fontsize=5, ha="center", va="center")
    axes.set(xlim=(-150, 1149), ylim=(999, 0), aspect="equal")
    axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    figure.savefig(options.output)


def draw_regions(axes: Axes, mesh: Mesh, xy: np.ndarray) -> None:
    """Draw every region in its own colour, left and right alike, shaded by the mesh's normals."""
    axes.add_collection(polygons(xy[mesh.triangles], np.array([[0.85, 0.85, 0.85]])))  # the mouth's opening
    light = vertex_normals(mesh.vertices, mesh.triangles) @ (0.1, 0.35, 0.93)
    for name, colour in sorted(region_colours(mesh).items(), key=lambda item: plain(item[0]) in ON_TOP):
        triangles = region_triangles(mesh, name)
        shade = 0.6 + 0.4 * light[triangles].mean(axis=1, keepdims=True)
        axes.add_collection(polygons(xy[triangles], np.clip(shade * colour, 0, 1)))
        axes.add_collection(outline(xy, triangles))


def label_regions(axes: Axes, mesh: Mesh, xy: np.ndarray) -> None:
    """Label the regions in the margins: pairs in the left one (the subject's right), midline regions in the other."""
    for pair, margin_x, align in ((True, -140, "left"), (False, 1140, "right")):
        shown = [name for name in mesh.regions if name.startswith("right_" if pair else plain(name))]
        ends = np.array([area_centre(xy, region_triangles(mesh, name)) for name in shown])
        starts = np.stack([np.full(len(shown), margin_x), np.linspace(90, 910, len(shown))], axis=1)
        # Lines of the least total length do not cross.
        slots = linear_sum_assignment(np.linalg.norm(ends[:, None] - starts, axis=2))[1]
        for name, (end_x, end_y), (x, y) in zip(shown, ends, starts[slots], strict=True):
            axes.text(x, y, plain(name).replace("_", " "), ha=align, va="center", size=10, color=INK)
            axes.plot((x + (130 if pair else -100), end_x), (y, end_y), color=INK, lw=0.6)
            axes.plot(end_x, end_y, ".", color=INK, ms=5)


def area_centre(xy: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the centroid of the triangles' area."""
    corners = xy[triangles]
    area = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1]))
    return area @ corners.mean(axis=1) / area.sum()


def region_colours(mesh: Mesh) -> dict[str, np.ndarray]:
    """Return hues by the golden ratio, so that neighbours in the list differ; both sides of a pair share one."""
    kinds = list(dict.fromkeys(plain(name) for name in mesh.regions))
    hue = {kind: (0.618034 * number) % 1 for number, kind in enumerate(kinds)}
    depth = {kind: (0.25, 0.4, 0.55)[number % 3] for number, kind in enumerate(kinds)}
    return {name: hsv_to_rgb((hue[plain(name)], depth[plain(name)], 0.97)) for name in mesh.regions}


def plain(name: str) -> str:
    """Return the region's name without its side."""
    return name.removeprefix("right_").removeprefix("left_")


def polygons(corners: np.ndarray, colours: np.ndarray) -> mpl.collections.PolyCollection:
    """Return filled triangles without seams."""
    return mpl.collections.PolyCollection(corners, facecolors=colours, edgecolors=colours, linewidths=0.3)


def outline(xy: np.ndarray, triangles: np.ndarray) -> mpl.collections.LineCollection:
    """Return the edges that belong to only one of the triangles."""
    halves = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1
    )
    edges, count = np.unique(halves, axis=0, return_counts=True)
    return mpl.collections.LineCollection(xy[edges[count == 1]], colors="#333333", linewidths=0.8)


if __name__ == "__main__":
    main()
