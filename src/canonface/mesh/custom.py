"""Meshes of others: any fixed vertices that mean the same place on every face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.mesh.frozen import FrozenArrays, frozen
from canonface.mesh.reserved import check_free
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
    """A mesh of your own. `canonface.mesh.fitted_mesh` makes one from a frontal picture's pixels.

    Args:
        name: stable identifier, e.g. ``"my-mesh/1"``, none that `canonface.mesh.mesh_named` knows; faces and maps on
            meshes of one name are taken to agree.
        vertices: ``(V, 3)`` frontal positions in centimetres: x right in the frontal picture, y up, z to the viewer.
        triangles: ``(T, 3)`` counter-clockwise as seen from outside. None: there are none, and nothing is known
            to hide anything.
        regions: named sets of vertices; left and right are the subject's.
        landmarks: named points, each the mean of a few vertices.
        uv: ``(V, 2)`` texture coordinates; None: the frontal picture itself, in [0, 1], v downwards.
        mirror: ``(V,)`` left-right counterparts; None: the vertex nearest to each one's mirror image.

    Raises:
        OptionError: the parts do not fit one another, or the name is that of a mesh of the package.
    """
    check_free(name)
    return built_mesh(name, vertices, triangles, regions=regions, landmarks=landmarks, uv=uv, mirror=mirror)


def built_mesh(
    name: str,
    vertices: np.ndarray,
    triangles: np.ndarray | None = None,
    *,
    regions: Members | None = None,
    landmarks: Members | None = None,
    uv: np.ndarray | None = None,
    mirror: np.ndarray | None = None,
) -> Mesh:
    """`make_mesh` under any name: the package's own flat meshes are made so too."""
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
        vertices=frozen(xyz),
        triangles=frozen(faces.astype(np.int64)),
        uv=frozen(places),
        mirror=frozen(counterparts.astype(np.int64)),
        regions=FrozenArrays(_members("region", regions or {}, count)),
        from_base=closed(eye_array(count, format="csr")),
        procrustes_weights=frozen(np.ones(count)),
        landmarks=FrozenArrays(_members("landmark", landmarks or {}, count)),
    )


def nearest_mirrored(vertices: Float[np.ndarray, "v 3"]) -> Int[np.ndarray, "v"]:
    """The vertex nearest to each one's image under ``x -> -x``, about the middle of the mesh's width."""
    from scipy.spatial import cKDTree

    middle = (vertices[:, 0].min() + vertices[:, 0].max()) / 2
    centred = vertices - (middle, 0.0, 0.0)
    return np.asarray(cKDTree(centred).query(centred * (-1.0, 1.0, 1.0))[1], dtype=np.int64)


def frontal_uv(vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 2"]:
    """The frontal picture as a texture: the box of the vertices is [0, 1] x [0, 1], v downwards."""
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    share = (vertices[:, :2] - low) / np.maximum(high - low, 1e-12)
    return np.column_stack([share[:, 0], 1 - share[:, 1]])


def closed(matrix: Any) -> Any:
    """A sparse matrix whose arrays cannot be written to."""
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    return matrix


def _members(kind: str, members: Members, count: int) -> dict[str, np.ndarray]:
    """Sorted indices by name."""
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
