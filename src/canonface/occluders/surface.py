"""A patch on the face itself: all pixels whose place on the canonical face is near the probe's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.geometry import face_scales
from canonface.occluders.face_raster import face_raster
from canonface.occluders.fills import check_fill, describe_fill
from canonface.occluders.hiding import hide
from canonface.occluders.size import Patch, parse_size
from canonface.occluders.square import size_or_default
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput

_Pixels = tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]
"""Columns and rows."""


@dataclass(frozen=True)
class Surface:
    """A patch that follows the face's pose and size: it shrinks where the face turns away, and ends where it ends.

    A pixel is hidden if the point of the mesh that it shows lies within the radius of the probe, in centimetres of
    the canonical face. The distance is the straight one in space: it needs no path over the triangles, so it does not
    depend on the level of the mesh, passes from lip to lip as a patch over a mouth has to, and at the size of a patch
    it hardly differs from the way over the skin, except at the wings of the nose.

    A probe of the halo, where no surface is known, hides a ball around itself: a disc in the picture from wherever it
    is seen, less the face. Pixels beside the face are hidden by such probes only.

    Attributes:
        patch: its diameter; see `canonface.occluders.Patch`: ``"r0.8cm"`` gives the radius. None: `default_patch`.
        fill: as of a `Square`.
    """

    patch: Patch = None
    fill: str = "mean"

    def __post_init__(self) -> None:
        parse_size(self.patch)
        check_fill(self.fill)

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide what is hidden."""
        return {"name": "surface", "patch": self.patch, **describe_fill(self.fill)}

    def check(self, spec: InputSpec) -> None:
        """Refuse a patch that is larger than the input."""
        if (size := parse_size(self.patch)) is not None:
            size.check(spec)

    def side(self, shown: ModelInput) -> float:
        """Side of the square of the area that the patch has on a part of the face that looks into the camera."""
        return float(np.sqrt(np.pi)) / 2 * size_or_default(self.patch, shown).pixels(shown)

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """One patch a vertex. Where no pixel is near enough, the pixel that the vertex lies on is hidden.

        Raises:
            OptionError: the face's mesh has no triangles.
        """
        found = surface_pixels(shown, vertices, size_or_default(self.patch, shown).centimetres(shown) / 2)
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
    """Pixels that lie within a radius of each vertex.

    Args:
        shown: the face as the model sees it.
        vertices: of the mesh, ``n`` of them.
        radius_cm: on the canonical face.

    Returns:
        ``n`` pairs of columns and rows; empty only for a vertex that lies outside the input.
    """
    mesh = shown.face.mesh
    raster = face_raster(shown, "A surface patch")
    on_face = vertices < mesh.face_count
    places = raster.interpolate(mesh.vertices)
    found = np.empty(len(vertices), dtype=object)
    found[on_face] = _near(raster.inside, places[raster.inside], mesh.vertices[vertices[on_face]], radius_cm)
    beside = ~raster.inside
    rows, columns = np.nonzero(beside)
    scales = face_scales(shown)
    centres = shown.vertices_xy[vertices[~on_face]] / scales
    found[~on_face] = _near(beside, np.column_stack([columns, rows]) / scales, centres, radius_cm)
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
    """Of the chosen pixels, which lie at ``places``, those near each centre: an object array of column-row pairs."""
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
    """The pixel that a vertex lies on; none if it lies outside the input."""
    xy = np.rint(shown.vertices_xy[vertex])
    height, width = shown.spec.size_hw
    inside = np.isfinite(xy).all() and 0 <= xy[0] < width and 0 <= xy[1] < height
    x, y = xy[:, None].astype(np.int64) if inside else np.zeros((2, 0), dtype=np.int64)
    return x, y
