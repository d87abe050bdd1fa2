"""The canonical mesh, and meshes by name."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Int

from canonface._deprecated import renamed_parameters
from canonface.assets import asset_path
from canonface.errors import OptionError, near_names
from canonface.landmarker.geometry_metadata import CanonicalFace, read_canonical_face
from canonface.mesh.grids import five_point_mesh, pixel_mesh
from canonface.mesh.halo import add_halo
from canonface.mesh.readonly import FrozenArrays, freeze, freeze_sparse
from canonface.mesh.regions import base_regions, subdivide_region
from canonface.mesh.subdivision import MAX_SUBDIVISION, check_subdivision, subdivide
from canonface.types import Mesh

HALO_SPACING_CM = 1.6
"""Distance between halo vertices at subdivision 0; each subdivision halves it."""


LANDMARKS: dict[str, tuple[int, ...]] = {
    "right_eye": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "left_eye": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    "right_outer_eye_corner": (33,),
    "right_inner_eye_corner": (133,),
    "left_inner_eye_corner": (362,),
    "left_outer_eye_corner": (263,),
    "nose_tip": (1,),
    "nose_base": (2,),
    "right_mouth_corner": (61,),
    "left_mouth_corner": (291,),
}
"""Named landmarks -> base vertices; a landmark is their mean. Left and right are the subject's.

An eye is the mean of its contour (MediaPipe's FACEMESH_RIGHT_EYE): this is closer to the pupil than the midpoint of
the eye corners, and does not move with gaze. The nose tip is the vertex for which ArcFace's crop is closest to the
crop by MTCNN's points (`benchmarks/mtcnn_box.py`). The nose base is where the nose meets the upper lip.
"""

_GRIDS = {"five-point": five_point_mesh, "pixels": pixel_mesh}


@renamed_parameters(level="subdivision")
def load_mesh(subdivision: int = 1, *, halo: bool = False) -> Mesh:
    """Return the canonical mesh at a subdivision.

    Subdivisions are nested: the vertices of one are the first vertices of the next.

    Args:
        subdivision: 0, 1, 2, 3 or 4: 468, 1833, 7257, 28881 or 115233 vertices.
        halo: add off-face vertices (hair, ears, neck, background), ``1.6 / 2^subdivision`` centimetres apart.

    Returns:
        The mesh, named ``"landmarker-468/<subdivision>"`` or ``"landmarker-468+halo/<subdivision>"``. All callers
        share it, so its arrays are read-only.

    Raises:
        OptionError: the subdivision is not 0 to 4.
        AssetError: the file of the mesh is damaged.
    """
    check_subdivision(subdivision)
    return _load_with_halo(int(subdivision)) if halo else _load(int(subdivision))


@cache
def _canonical_face() -> CanonicalFace:
    return read_canonical_face(asset_path("face_landmarker.task"))


@cache
def _load_with_halo(subdivision: int) -> Mesh:
    face = _load(subdivision)
    return add_halo(face, HALO_SPACING_CM / 2**subdivision, face.name.replace("/", "+halo/"))


@cache
def _load(subdivision: int) -> Mesh:
    face = _canonical_face()
    mirror = base_mirror(face.vertices)
    dense = subdivide(face.triangles, mirror, subdivision)
    regions = {
        name: subdivide_region(members, dense.from_base)
        for name, members in base_regions(face.uv, mirror).items()
    }
    return Mesh(
        name=f"landmarker-{len(face.vertices)}/{subdivision}",
        vertices=freeze(dense.from_base @ face.vertices),
        triangles=freeze(dense.triangles),
        uv=freeze(dense.from_base @ face.uv),
        mirror=freeze(dense.mirror),
        regions=FrozenArrays(regions),
        from_base=freeze_sparse(dense.from_base),
        procrustes_weights=freeze(face.procrustes_weights),
        landmarks=FrozenArrays({name: np.array(vertices) for name, vertices in LANDMARKS.items()}),
    )


def base_mirror(vertices: Float[np.ndarray, "v 3"], tolerance: float = 1e-6) -> Int[np.ndarray, "v"]:
    """Return the counterpart of every vertex under ``x -> -x``; a midline vertex is its own counterpart.

    The canonical face is exactly symmetric, so the nearest vertex is the exact counterpart. Subdivided meshes derive
    their mirror from this one, edge by edge (`subdivide`).

    Args:
        vertices: ``(V, 3)`` canonical positions, x across the face.
        tolerance: largest distance between a mirrored vertex and its counterpart, in the unit of the vertices.

    Raises:
        OptionError: the mesh is not symmetric.
    """
    from scipy.spatial import cKDTree

    distance, mirror = cKDTree(vertices).query(vertices * (-1.0, 1.0, 1.0))
    mirror = np.asarray(mirror, dtype=np.int64)
    if distance.max(initial=0.0) > tolerance or not np.array_equal(mirror[mirror], np.arange(len(vertices))):
        raise OptionError(
            f"A symmetric mesh has each vertex's mirror image among its vertices, within {tolerance:g}; "
            f"the farthest is {distance.max():g} away. Give a mesh that is symmetric about x = 0."
        )
    return mirror


def is_named(name: str) -> bool:
    """Return True if `mesh_named` can load the mesh; other meshes are stored in files."""
    return name in _names()


def mesh_named(name: str) -> Mesh:
    """Return a mesh of the package by name.

    Names are e.g. ``landmarker-468/1``, ``landmarker-468+halo/1`` (with halo) or ``five-point/33``. Custom meshes are
    stored in files: `canonface.mesh.read_mesh`.

    Raises:
        OptionError: no mesh has that name.
    """
    known = _names()
    grid, _, side = name.partition("/")
    if grid in _GRIDS and side.isdecimal():
        return _GRIDS[grid](int(side))
    if name not in known:
        near = near_names(name, [*known, *(f"{grid}/33" for grid in _GRIDS)])
        raise OptionError(f"A mesh has a known name; got {name!r}: {near}")
    subdivision, halo = known[name]
    return load_mesh(subdivision, halo=halo)


def _names() -> dict[str, tuple[int, bool]]:
    return {
        f"landmarker-468{mark}/{subdivision}": (subdivision, bool(mark))
        for mark in ("", "+halo")
        for subdivision in range(MAX_SUBDIVISION + 1)
    }
