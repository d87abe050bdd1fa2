"""Raster of the mesh at the pixels of a model's input."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from canonface.errors import OptionError
from canonface.raster import Raster, rasterise
from canonface.types import ModelInput


def face_raster(shown: ModelInput, purpose: str) -> Raster:
    """Return the nearest triangle of the face at each pixel of the input (z-buffer).

    If the face's depth is not known, overlapping triangles are ordered as on the frontal face.

    Args:
        shown: the face as the model sees it.
        purpose: the feature that needs it, for the message.

    Raises:
        OptionError: the mesh has no triangles.
    """
    mesh = shown.face.mesh
    if not len(mesh.triangles):
        raise OptionError(
            f"{purpose} needs a mesh with triangles, which say which pixels show which part of the face; "
            f"{mesh.name!r} has none: use the occluder square or disc, or give the mesh its triangles."
        )
    return _raster(shown)


@lru_cache(maxsize=2)
def _raster(shown: ModelInput) -> Raster:
    """Return the raster of an input, cached for the next call; its arrays are read-only."""
    mesh = shown.face.mesh
    known = np.isfinite(shown.face.depth[: mesh.face_count]).all()
    depth = shown.face.depth if known else -mesh.vertices[:, 2]
    raster = rasterise(shown.vertices_xy, depth, mesh.triangles, shown.spec.size_hw)
    for array in (raster.triangle, raster.weights, raster.corners):
        array.flags.writeable = False
    return raster
