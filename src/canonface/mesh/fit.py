"""Meshes fitted to the default mesh from the pixels of a frontal image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.geometry import Similarity, similarity
from canonface.mesh.custom import build_mesh, check_name, frontal_uv, make_mesh, nearest_mirrored
from canonface.mesh.probes import every_kth
from canonface.mesh.topology import mesh_edges
from canonface.types import Mesh

_Y_UP = np.array([1.0, -1.0])

REACH_CM = 1.0
"""Largest distance to a vertex of the default mesh at which its name is taken over."""


def fitted_mesh(
    name: str,
    vertices_px: np.ndarray,
    triangles: np.ndarray | None,
    reference: Mesh,
    reference_xy: Float[np.ndarray, "v 2"] | None = None,
    *,
    stride: int = 1,
) -> Mesh:
    """Build a mesh from the pixels of its own frontal face, as PRNet and 3DDFA publish theirs.

    A similarity in the frontal plane maps the pixels to centimetres. It is fitted to the vertices of ``reference`` in
    the same image; without them it maps bounding box to bounding box, which is inaccurate if one mesh extends farther
    up or to the sides than the other. Each vertex takes the regions of the nearest reference vertex, and each
    landmark is the vertex nearest to the reference's landmark, both up to `REACH_CM`.

    Args:
        name: name of the mesh, e.g. ``"prnet-43867"``; the stride is appended: ``"prnet-43867/20"``.
        vertices_px: ``(N, 3)`` pixels of the frontal image: x right, y down, z towards the viewer.
        triangles: ``(T, 3)`` indices into ``vertices_px``, from 0. The winding may be either: it is chosen so that
            most of the area faces the front.
        reference: mesh that provides regions and landmarks, e.g. ``load_mesh(1)``.
        reference_xy: ``(V, 2)`` its vertices in the same image: ``align(image)[0].vertices_xy``.
        stride: keep every stride-th vertex; new triangles are built between the kept ones.

    Raises:
        OptionError: the arguments do not match one another, or the name belongs to a mesh of the package.
    """
    check_name(f"{name}/{stride}")
    given = np.array(vertices_px, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != 3 or not np.isfinite(given).all():
        raise OptionError(
            f"A frontal face has (N, 3) finite vertices: x, y and depth in pixels; got shape {given.shape}. Set "
            "z to 0 if there is no depth."
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
            vertices, build_mesh(name, vertices, triangles, mirror=np.arange(len(vertices))).triangles
        )
        if stride > 1:
            faces = thinned_triangles(vertices, faces, kept)
    thin = vertices[kept]
    regions, landmarks = transfer_names(thin[:, :2], reference, places)
    return make_mesh(
        f"{name}/{stride}",
        thin,
        faces,
        regions=regions,
        landmarks=landmarks,
        uv=frontal_uv(thin),
        mirror=nearest_mirrored(thin),
    )


def transfer_names(
    xy: Float[np.ndarray, "n 2"], reference: Mesh, reference_xy: Float[np.ndarray, "v 2"]
) -> tuple[dict[str, Int[np.ndarray, "_"]], dict[str, Int[np.ndarray, "_"]]]:
    """Return regions and landmarks of a reference mesh for points of the frontal plane, by the nearest face vertex.

    Args:
        xy: ``(N, 2)`` centimetres.
        reference: mesh that provides the names.
        reference_xy: ``(V, 2)`` positions of its vertices in the same frame as the points.

    Returns:
        Point indices by region, and by landmark.
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
    """Return the similarity from image (y up) to centimetres, and the positions of the reference vertices there."""
    own, face = reference.vertices[:, :2], slice(reference.face_count)
    if reference_xy is None:
        return _box_on_box(vertices_px[:, :2] * _Y_UP, own[face]), own
    if len(reference_xy) != len(own):
        raise OptionError(
            f"reference_xy holds the {len(own)} vertices of {reference.name!r}; got "
            f"{len(reference_xy)}. Align the image with that mesh."
        )
    fit = similarity(reference_xy[face] * _Y_UP, own[face])
    return fit, fit(reference_xy * _Y_UP)


def _box_on_box(source: np.ndarray, target: np.ndarray) -> Similarity:
    corners = [np.array([points.min(axis=0), points.max(axis=0)]) for points in (source, target)]
    centres = [box.mean(axis=0) for box in corners]
    scale = float(np.ptp(corners[1], axis=0).max() / max(np.ptp(corners[0], axis=0).max(), 1e-12))
    return Similarity(scale, np.eye(2), centres[1] - scale * centres[0])


def _facing_front(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the triangles in the winding that makes most of the area, seen from the front, counter-clockwise."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    return triangles if np.cross(b - a, c - a)[:, 2].sum() >= 0 else triangles[:, ::-1]


def thinned_triangles(
    vertices: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"], kept: Int[np.ndarray, "k"]
) -> Int[np.ndarray, "s 3"]:
    """Return triangles between the kept vertices of a mesh, along its surface: the dual of their Voronoi cells.

    Each vertex belongs to the kept vertex that is nearest along the mesh's edges. Where the corners of a triangle
    belong to three different kept vertices, these three form a triangle of the same winding. So the thinned mesh has
    the holes of the dense one, and never joins the nose to a cheek behind it.

    Args:
        vertices: ``(V, 3)`` vertices of the dense mesh.
        triangles: ``(T, 3)`` triangles of the dense mesh.
        kept: indices of the kept vertices, each once.

    Returns:
        ``(S, 3)`` positions in ``kept``.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    low, high = mesh_edges(triangles).T
    length = np.maximum(np.linalg.norm(vertices[low] - vertices[high], axis=1), 1e-12)
    graph = csr_array((length, (low, high)), shape=(len(vertices), len(vertices)))
    nearest = dijkstra(graph, directed=False, indices=kept, min_only=True, return_predecessors=True)[2]
    number = np.full(len(vertices) + 1, -1)
    number[kept] = np.arange(len(kept))
    cells = number[np.where(nearest >= 0, nearest, len(vertices))][triangles]  # -1: joined to no kept vertex
    a, b, c = cells.T
    corners = cells[(a != b) & (b != c) & (c != a) & (cells >= 0).all(axis=1)]
    # Several triangles may join the same three vertices: keep one, in the winding of the first.
    first = np.unique(np.sort(corners, axis=1), axis=0, return_index=True)[1]
    return np.asarray(corners[np.sort(first)], dtype=np.int64)
