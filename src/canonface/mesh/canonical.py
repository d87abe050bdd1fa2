"""The canonical mesh: the coordinate system of every map."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

import numpy as np

from canonface.assets import asset_path
from canonface.mesh.geometry_metadata import CanonicalFace, read_canonical_face
from canonface.mesh.regions import base_regions, dense_region
from canonface.mesh.subdivision import check_level, subdivide
from canonface.mesh.symmetry import base_mirror
from canonface.types import Mesh


def load_mesh(level: int = 1) -> Mesh:
    """The canonical mesh at a level of detail; levels are nested, so coarse indices hold in finer ones.

    Args:
        level: 0, 1, 2, 3 or 4: 468, 1833, 7257, 28881 or 115233 vertices.

    Returns:
        The mesh, ``name`` ``"landmarker-468/<level>"``. It is shared: its arrays cannot be written to.

    Raises:
        OptionError: there is no such level.
        AssetError: the file that the mesh comes from is damaged.
    """
    check_level(level)
    return _load(int(level))


@cache
def _canonical_face() -> CanonicalFace:
    return read_canonical_face(asset_path("face_landmarker.task"))


@cache
def _load(level: int) -> Mesh:
    face = _canonical_face()
    mirror = base_mirror(face.vertices)
    dense = subdivide(face.triangles, mirror, level)
    regions = {
        name: dense_region(members, dense.from_base)
        for name, members in base_regions(face.uv, mirror).items()
    }
    for array in (dense.from_base.data, dense.from_base.indices, dense.from_base.indptr):
        array.flags.writeable = False
    return Mesh(
        name=f"landmarker-{len(face.vertices)}/{level}",
        vertices=_frozen(dense.from_base @ face.vertices),
        triangles=_frozen(dense.triangles),
        uv=_frozen(dense.from_base @ face.uv),
        mirror=_frozen(dense.mirror),
        regions=MappingProxyType({name: _frozen(members) for name, members in regions.items()}),
        from_base=dense.from_base,
        procrustes_weights=_frozen(face.procrustes_weights),
    )


def _frozen(array: np.ndarray) -> np.ndarray:
    """The array, its own copy, closed to writing."""
    own = array.copy()
    own.flags.writeable = False
    return own
