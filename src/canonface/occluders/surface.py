"""The surface occluder: a patch on the face, made of all pixels whose canonical place is near the probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.geometry import face_scales
from canonface.occluders.base import PatchOccluder
from canonface.occluders.face_raster import face_raster
from canonface.occluders.fills import hide
from canonface.occlusions import Occlusions
from canonface.types import ModelInput

_Pixels = tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]
"""Columns and rows."""


@dataclass(frozen=True)
class Surface(PatchOccluder):
    """A patch that follows the face's pose and size: it shrinks where the face turns away and ends at its outline.

    A pixel is hidden if the point of the mesh that it shows lies within the radius of the probe, in centimetres of
    the canonical face. The distance is the straight line in space, not a path over the triangles. It therefore does
    not depend on the subdivision of the mesh, and a patch can cover both lips. At the size of a patch it hardly
    differs from the path over the skin, except at the wings of the nose.

    At a probe of the halo no surface is known. The probe hides a disc in the picture, but no pixel of the face. Only
    halo probes hide pixels off the face.

    Attributes:
        patch: its diameter; see `canonface.occluders.Patch`: ``"r0.8cm"`` gives the radius. None: `default_patch`.
        fill: see `Square`.
    """

    def side(self, shown: ModelInput) -> float:
        """Return the side of the square of the patch's area on skin that faces the camera."""
        return float(np.sqrt(np.pi)) / 2 * self.size(shown).pixels(shown)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """Return one patch per vertex; where no pixel is near enough, the pixel that the vertex lies on.

        Raises:
            OptionError: the face's mesh has no triangles.
        """
        found = surface_pixels(shown, vertices, self.size(shown).centimetres(shown) / 2)
        boxes = np.zeros((len(found), 4), dtype=np.int64)
        masks = []
        for i, (x, y) in enumerate(found):
            if len(x):
                boxes[i] = x.min(), y.min(), x.max() + 1, y.max() + 1
            x0, y0, x1, y1 = boxes[i].tolist()
            mask = np.zeros((y1 - y0, x1 - x0), dtype=bool)
            mask[y - y0, x - x0] = True
            masks.append(mask)
        return hide(shown, boxes, masks, self.fill, self.side(shown))


def surface_pixels(shown: ModelInput, vertices: Int[np.ndarray, "n"], radius_cm: float) -> list[_Pixels]:
    """Return the pixels within a radius of each vertex.

    Args:
        shown: the face as the model sees it.
        vertices: vertices of the mesh, ``n`` of them.
        radius_cm: the radius, in centimetres of the canonical face.

    Returns:
        ``n`` pairs of columns and rows; empty only for a vertex that lies outside the input.
    """
    mesh = shown.face.mesh
    raster = face_raster(shown, "A surface patch")
    on_face = vertices < mesh.face_count
    places = raster.interpolate(mesh.vertices)
    found = np.empty(len(vertices), dtype=object)
    found[on_face] = _near(raster.inside, places[raster.inside], mesh.vertices[vertices[on_face]], radius_cm)
    off_face = ~raster.inside
    rows, columns = np.nonzero(off_face)
    scales = face_scales(shown)
    centres = shown.vertices_xy[vertices[~on_face]] / scales
    found[~on_face] = _near(off_face, np.column_stack([columns, rows]) / scales, centres, radius_cm)
    return [
        pixels if len(pixels[0]) else _own_pixel(shown, int(vertex))
        for pixels, vertex in zip(found, vertices, strict=True)
    ]


def _near(
    chosen: Bool[np.ndarray, "h w"],
    places: Float[np.ndarray, "p d"],
    centres: Float[np.ndarray, "m d"],
    radius: float,
) -> np.ndarray:
    """Return the chosen pixels, located at ``places``, near each centre: an object array of column-row pairs."""
    from scipy.spatial import cKDTree

    result = np.empty(len(centres), dtype=object)
    if not len(centres):
        return result
    rows, columns = np.nonzero(chosen)
    near = cKDTree(places).query_ball_point(centres, radius) if len(places) else [[]] * len(centres)
    for i, members in enumerate(near):
        index = np.array(members, dtype=np.int64)
        result[i] = (columns[index], rows[index])
    return result


def _own_pixel(shown: ModelInput, vertex: int) -> _Pixels:
    """Return the pixel that a vertex lies on; none if it lies outside the input."""
    xy = np.rint(shown.vertices_xy[vertex])
    height, width = shown.spec.size_hw
    inside = np.isfinite(xy).all() and 0 <= xy[0] < width and 0 <= xy[1] < height
    x, y = xy[:, None].astype(np.int64) if inside else np.zeros((2, 0), dtype=np.int64)
    return x, y
