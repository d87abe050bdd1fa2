"""The canonical face, pixel by pixel of the canonical picture."""

from __future__ import annotations

from functools import lru_cache

from canonface.mesh import Canvas
from canonface.raster import Raster, rasterise
from canonface.types import Mesh

__all__ = ["Raster", "canonical_raster", "rasterise"]


@lru_cache(maxsize=4)
def canonical_raster(mesh: Mesh, canvas: Canvas) -> Raster:
    """The canonical mesh on the canonical picture, kept for the next call; its arrays cannot be written to."""
    raster = rasterise(canvas.project(mesh), -mesh.vertices[:, 2], mesh.triangles, canvas.size_hw)
    for array in (raster.triangle, raster.weights, raster.corners):
        array.flags.writeable = False
    return raster
