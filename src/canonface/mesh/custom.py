"""Custom meshes, built from vertices, triangles and regions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.mesh.readonly import FrozenArrays, freeze, freeze_sparse
from canonface.types import Mesh

Members = Mapping[str, Sequence[int] | np.ndarray]
"""Vertex indices by name."""


def make_mesh(
    name: str,
    vertices: np.ndarray,
    triangles: np.ndarray | None = None,
    *,
    regions: Members | None = None,
    landmarks: Members | None = None,
    uv: np.ndarray | None = None,
    mirror: np.ndarray | None = None,
) -> Mesh:
    """Build a custom mesh. To build one from the pixels of a frontal image, use `canonface.mesh.fitted_mesh`.

    Args:
        name: identifier, e.g. ``"my-mesh/1"``. Names of the package's own meshes (`canonface.mesh.mesh_named`) are
            refused. Faces and maps on meshes of the same name are assumed to match.
        vertices: ``(V, 3)`` frontal positions in centimetres: x right in the frontal image, y up, z towards the
            viewer.
        triangles: ``(T, 3)`` vertex indices, counter-clockwise when seen from outside. None: the mesh has no surface,
            so self-occlusion cannot be computed.
        regions: vertex indices of each named region; left and right are the subject's.
        landmarks: vertex indices of each named point; the point is their mean.
        uv: ``(V, 2)`` texture coordinates; None: frontal x and y scaled to [0, 1], v down.
        mirror: ``(V,)`` left-right counterparts; None: the vertex nearest to the mirror image of each vertex.

    Raises:
        OptionError: the arguments do not match one another, or the name belongs to a mesh of the package.
    """
    check_name(name)
    return build_mesh(name, vertices, triangles, regions=regions, landmarks=landmarks, uv=uv, mirror=mirror)


def build_mesh(
    name: str,
    vertices: np.ndarray,
    triangles: np.ndarray | None = None,
    *,
    regions: Members | None = None,
    landmarks: Members | None = None,
    uv: np.ndarray | None = None,
    mirror: np.ndarray | None = None,
) -> Mesh:
    """Build a mesh under any name; `make_mesh` and the package's grid meshes use it."""
    from scipy.sparse import eye_array

    xyz = np.array(vertices, dtype=np.float64)
    _require(
        bool(name) and xyz.ndim == 2 and xyz.shape[1:] == (3,) and len(xyz) >= 3 and np.isfinite(xyz).all(),
        f"A mesh has a name and (V, 3) finite vertices, three or more; got {name!r} with shape {xyz.shape}"
        f"{'' if np.isfinite(xyz).all() else ', some of them NaN or infinite'}.",
    )
    count = len(xyz)
    faces = np.zeros((0, 3), dtype=np.int64) if triangles is None else np.array(triangles)
    _require(
        faces.ndim == 2 and faces.shape[1] == 3 and _are_indices(faces, count),
        f"Triangles are (T, 3) vertex indices, counted from 0, below {count}; got shape {faces.shape}, "
        f"{faces.dtype}, {_span(faces)}. Subtract 1 if yours are counted from 1.",
    )
    counterparts = nearest_mirrored(xyz) if mirror is None else np.array(mirror)
    _require(
        counterparts.shape == (count,) and _are_indices(counterparts, count),
        f"A mirror gives each of the {count} vertices its counterpart; got shape {counterparts.shape}, "
        f"{_span(counterparts)}.",
    )
    places = frontal_uv(xyz) if uv is None else np.array(uv, dtype=np.float64)
    _require(
        places.shape == (count, 2) and np.isfinite(places).all(),
        f"uv holds two finite numbers for each of {count} vertices; got {places.shape}"
        f"{'' if np.isfinite(places).all() else ', some of them NaN or infinite'}.",
    )
    return Mesh(
        name=name,
        vertices=freeze(xyz),
        triangles=freeze(faces.astype(np.int64)),
        uv=freeze(places),
        mirror=freeze(counterparts.astype(np.int64)),
        regions=FrozenArrays(_members("region", regions or {}, count)),
        from_base=freeze_sparse(eye_array(count, format="csr")),
        procrustes_weights=freeze(np.ones(count)),
        landmarks=FrozenArrays(_members("landmark", landmarks or {}, count)),
    )


def nearest_mirrored(vertices: Float[np.ndarray, "v 3"]) -> Int[np.ndarray, "v"]:
    """Return the vertex nearest to the mirror image of each vertex, mirrored at the middle of the mesh's width."""
    from scipy.spatial import cKDTree

    middle = (vertices[:, 0].min() + vertices[:, 0].max()) / 2
    centred = vertices - (middle, 0.0, 0.0)
    return np.asarray(cKDTree(centred).query(centred * (-1.0, 1.0, 1.0))[1], dtype=np.int64)


def frontal_uv(vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 2"]:
    """Return frontal texture coordinates: the bounding box of the vertices becomes [0, 1] x [0, 1], v down."""
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    share = (vertices[:, :2] - low) / np.maximum(high - low, 1e-12)
    return np.column_stack([share[:, 0], 1 - share[:, 1]])


def _members(kind: str, members: Members, count: int) -> dict[str, np.ndarray]:
    """Return sorted vertex indices by name."""
    result = {}
    for name, given in members.items():
        indices = np.unique(np.asarray(given))
        _require(
            indices.ndim == 1 and len(indices) > 0 and _are_indices(indices, count),
            f"A {kind} is one vertex index or more, each from 0 to {count - 1}; {name!r} has {_span(indices)}.",
        )
        result[name] = indices.astype(np.int64)
    return result


def _are_indices(array: np.ndarray, count: int) -> bool:
    return array.size == 0 or (
        np.issubdtype(array.dtype, np.integer) and bool(array.min() >= 0) and bool(array.max() < count)
    )


def _span(array: np.ndarray) -> str:
    return f"values from {array.min()} to {array.max()}" if array.size else "no values"


def _require(holds: object, message: str) -> None:
    if not holds:
        raise OptionError(message)


_OWN = re.compile(r"(landmarker-468|landmarker-468\+halo|five-point|pixels)/\d+")


def check_name(name: str) -> None:
    """Raise OptionError if `canonface.mesh.mesh_named` may know the name."""
    if _OWN.fullmatch(name):
        raise OptionError(
            f"A custom mesh needs a name of its own; {name!r} belongs to a mesh of canonface. Use "
            f"e.g. 'my-{name}'."
        )
