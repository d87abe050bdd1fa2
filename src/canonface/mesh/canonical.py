"""The canonical mesh: the coordinate system of every map."""

from __future__ import annotations

from functools import cache

from canonface.assets import asset_path
from canonface.landmarker.geometry_metadata import CanonicalFace, read_canonical_face
from canonface.mesh.frozen import FrozenArrays, frozen
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
        vertices=frozen(dense.from_base @ face.vertices),
        triangles=frozen(dense.triangles),
        uv=frozen(dense.from_base @ face.uv),
        mirror=frozen(dense.mirror),
        regions=FrozenArrays(regions),
        from_base=dense.from_base,
        procrustes_weights=frozen(face.procrustes_weights),
    )
