"""The canonical mesh: the coordinate system of every map."""

from __future__ import annotations

from functools import cache

import numpy as np

from canonface.assets import asset_path
from canonface.landmarker.geometry_metadata import CanonicalFace, read_canonical_face
from canonface.mesh.frozen import FrozenArrays, frozen
from canonface.mesh.halo import add_halo
from canonface.mesh.landmarks import LANDMARKS
from canonface.mesh.regions import base_regions, dense_region
from canonface.mesh.subdivision import check_level, subdivide
from canonface.mesh.symmetry import base_mirror
from canonface.types import Mesh

HALO_SPACING_CM = 1.6
"""Between the vertices of the halo at level 0; each level halves it."""


def load_mesh(level: int = 1, *, halo: bool = False) -> Mesh:
    """The canonical mesh at a level of detail; levels are nested, so coarse indices hold in finer ones.

    Args:
        level: 0, 1, 2, 3 or 4: 468, 1833, 7257, 28881 or 115233 vertices.
        halo: add vertices around the face (hair, ears, neck, background), ``1.6 / 2^level`` centimetres apart.

    Returns:
        The mesh, ``name`` ``"landmarker-468/<level>"`` or ``"landmarker-468+halo/<level>"``. It is shared: its arrays
        cannot be written to.

    Raises:
        OptionError: there is no such level.
        AssetError: the file that the mesh comes from is damaged.
    """
    check_level(level)
    return _load_with_halo(int(level)) if halo else _load(int(level))


@cache
def _canonical_face() -> CanonicalFace:
    return read_canonical_face(asset_path("face_landmarker.task"))


@cache
def _load_with_halo(level: int) -> Mesh:
    face = _load(level)
    return add_halo(face, HALO_SPACING_CM / 2**level, face.name.replace("/", "+halo/"))


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
        vertices=frozen(dense.from_base @ face.vertices),
        triangles=frozen(dense.triangles),
        uv=frozen(dense.from_base @ face.uv),
        mirror=frozen(dense.mirror),
        regions=FrozenArrays(regions),
        from_base=dense.from_base,
        procrustes_weights=frozen(face.procrustes_weights),
        landmarks=FrozenArrays({name: np.array(vertices) for name, vertices in LANDMARKS.items()}),
    )
