"""Where a canonical map is highest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from canonface.mesh import Canvas, groups_of, region_mask, regions_of
from canonface.types import Mesh


@dataclass(frozen=True)
class Peak:
    """The highest place of a canonical map.

    Attributes:
        value: of the map there, in confidence units.
        xy: pixel on the canonical picture.
        vertex: the nearest vertex of the mesh.
        regions: names of the regions that hold the vertex; of the groups, if no region does (an open mouth).
    """

    value: float
    xy: tuple[float, float]
    vertex: int
    regions: tuple[str, ...]


def peak_of(
    image: Float[np.ndarray, "h w"], count: Int[np.ndarray, "h w"], mesh: Mesh, canvas: Canvas
) -> Peak | None:
    """Highest pixel of the face, and of the halo if the mesh has one, that a probe covered; None if there is none.

    Patches of probes at the rim reach past the outline of the face or halo, where few of them overlap and the map is
    least certain: what lies there is no place of the mesh.

    Maps are flat where the same patches cover neighbouring pixels: of equal pixels, the one nearest to their
    common centre is taken, so that the peak does not lean to a corner.
    """
    candidates = (count > 0) & canvas.probed_mask(mesh)
    if not candidates.any():
        return None
    value = image[candidates].max()
    flat = np.argwhere((image >= value - 1e-12 * max(abs(value), 1.0)) & candidates)[:, ::-1]
    xy = flat[np.linalg.norm(flat - flat.mean(axis=0), axis=1).argmin()].astype(np.float64)
    vertex = int(np.linalg.norm(canvas.project(mesh) - xy, axis=1).argmin())
    groups = tuple(name for name in groups_of(mesh) if region_mask(mesh, name)[vertex])
    return Peak(float(value), (float(xy[0]), float(xy[1])), vertex, regions_of(mesh, vertex) or groups)
