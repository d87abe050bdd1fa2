"""A mesh out of the pixels of a frontal picture, in centimetres, with the default mesh's names for its places."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.geometry import Similarity, similarity
from canonface.mesh.custom import built_mesh, frontal_uv, make_mesh, nearest_mirrored
from canonface.mesh.reserved import check_free
from canonface.mesh.thinning import every_kth, thinned_triangles
from canonface.types import Mesh

_Y_UP = np.array([1.0, -1.0])

REACH_CM = 1.0
"""How far a place may lie from the nearest one of the default mesh and still take its name."""


def fitted_mesh(
    name: str,
    vertices_px: np.ndarray,
    triangles: np.ndarray | None,
    reference: Mesh,
    reference_xy: Float[np.ndarray, "v 2"] | None = None,
    *,
    stride: int = 1,
) -> Mesh:
    """A mesh from the pixels of its own frontal face, as PRNet's and 3DDFA's are published.

    The picture is carried into centimetres by the similarity in the frontal plane that fits it to ``reference``: by
    the reference's own vertices in the same picture, or, if they are not known, box on box, which is rough where one
    mesh reaches farther up or to the sides than the other. Each vertex takes the regions of the reference's nearest
    vertex, and each landmark is the vertex nearest to the reference's, both up to `REACH_CM`.

    Args:
        name: of the mesh, e.g. ``"prnet-43867"``; the stride is added to it: ``"prnet-43867/20"``.
        vertices_px: ``(N, 3)`` pixels of the frontal picture: x right, y down, z towards the viewer.
        triangles: ``(T, 3)`` of the whole mesh, counted from 0. Either winding is taken: most triangles of a face
            are seen from the front.
        reference: the mesh whose names are taken over, e.g. ``load_mesh(1)``.
        reference_xy: ``(V, 2)`` its vertices in the same picture: ``align(picture)[0].vertices_xy``.
        stride: every stride-th vertex is kept; triangles are drawn anew between them.

    Raises:
        OptionError: the parts do not fit one another, or the name is that of a mesh of the package.
    """
    check_free(f"{name}/{stride}")
    given = np.array(vertices_px, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != 3 or not np.isfinite(given).all():
        raise OptionError(
            f"A frontal face has (N, 3) finite vertices: x, y and depth in pixels; got shape {given.shape}. Give "
            "z of 0 where there is no depth."
        )
    fit, places = _frontal_fit(given, reference, reference_xy)
    depth = (
        fit.scale * (given[:, 2] - given[:, 2].max()) + reference.vertices[: reference.face_count, 2].max()
    )
    vertices = np.column_stack([fit(given[:, :2] * _Y_UP), depth])
    kept = every_kth(len(vertices), stride)
    faces = None
    if triangles is not None:
        faces = _facing_front(
            vertices, built_mesh(name, vertices, triangles, mirror=np.arange(len(vertices))).triangles
        )
        if stride > 1:
            faces = thinned_triangles(vertices, faces, kept)
    thin = vertices[kept]
    regions, landmarks = borrowed_names(thin[:, :2], reference, places)
    return make_mesh(
        f"{name}/{stride}",
        thin,
        faces,
        regions=regions,
        landmarks=landmarks,
        uv=frontal_uv(thin),
        mirror=nearest_mirrored(thin),
    )


def borrowed_names(
    xy: Float[np.ndarray, "n 2"], reference: Mesh, reference_xy: Float[np.ndarray, "v 2"]
) -> tuple[dict[str, Int[np.ndarray, "_"]], dict[str, Int[np.ndarray, "_"]]]:
    """Regions and landmarks of a reference mesh for points of the frontal plane: by the nearest vertex of its face.

    Args:
        xy: ``(N, 2)`` centimetres.
        reference: the mesh whose names are taken over.
        reference_xy: ``(V, 2)`` where its vertices lie among the points.
    """
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(reference_xy[: reference.face_count]).query(xy)
    regions = {
        name: np.flatnonzero(np.isin(nearest, members) & (distance <= REACH_CM))
        for name, members in reference.regions.items()
    }
    points, landmarks = cKDTree(xy), {}
    for name, members in reference.landmarks.items():
        distance_to, vertex = points.query(reference_xy[members].mean(axis=0))
        if distance_to <= REACH_CM:
            landmarks[name] = np.array([vertex])
    return {name: members for name, members in regions.items() if len(members)}, landmarks


def _frontal_fit(
    vertices_px: np.ndarray, reference: Mesh, reference_xy: np.ndarray | None
) -> tuple[Similarity, Float[np.ndarray, "v 2"]]:
    """From the picture, y turned up, to centimetres; and where the reference's vertices lie there."""
    own, face = reference.vertices[:, :2], slice(reference.face_count)
    if reference_xy is None:
        return _box_on_box(vertices_px[:, :2] * _Y_UP, own[face]), own
    if len(reference_xy) != len(own):
        raise OptionError(
            f"The reference's vertices in the picture are {len(own)}, those of {reference.name!r}; got "
            f"{len(reference_xy)}. Align the picture with that mesh."
        )
    fit = similarity(reference_xy[face] * _Y_UP, own[face])
    return fit, fit(reference_xy * _Y_UP)


def _box_on_box(source: np.ndarray, target: np.ndarray) -> Similarity:
    corners = [np.array([points.min(axis=0), points.max(axis=0)]) for points in (source, target)]
    centres = [box.mean(axis=0) for box in corners]
    scale = float(np.ptp(corners[1], axis=0).max() / max(np.ptp(corners[0], axis=0).max(), 1e-12))
    return Similarity(scale, np.eye(2), centres[1] - scale * centres[0])


def _facing_front(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The triangles in the winding under which most of the area seen from the front is counter-clockwise."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return triangles if np.cross(b - a, c - a)[:, 2].sum() >= 0 else triangles[:, ::-1]
