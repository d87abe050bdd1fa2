"""Transfer of vertex values between meshes, by the nearest vertex in the frontal plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.geometry import Similarity, similarity
from canonface.types import Mesh

REACH_CM = 1.0
"""Largest distance to the nearest vertex; farther away the other mesh has no corresponding place."""


def transfer(
    values: Float[np.ndarray, "v"], source: Mesh, target: Mesh, reach: float = REACH_CM
) -> Float[np.ndarray, "w"]:
    """Return values at the vertices of another mesh.

    Each target vertex takes the value of the nearest source vertex in the frontal plane, after the similarity that
    maps one mesh to the other (`frontal_alignment`). Vertices without a value (NaN) are skipped. Face vertices take
    values from the face, halo vertices from the halo. To transfer a map, transfer its vertex values:
    ``transfer(cms.vertex_values, cms.mesh, target)``.

    Args:
        values: ``(V,)`` one per source vertex; NaN where unknown.
        source: mesh of the values.
        target: mesh of the result.
        reach: largest distance in centimetres of the target mesh; farther vertices get NaN.

    Raises:
        OptionError: the number of values is not the number of source vertices.
    """
    if len(values) != len(source.vertices):
        raise OptionError(
            f"Values are one per vertex; got {len(values)} for the {len(source.vertices)} of {source.name!r}. Give "
            "the values at all vertices, NaN where they are not known."
        )
    nearest = nearest_vertices(source, target, reach, known=np.isfinite(values))
    return np.where(nearest >= 0, np.append(values, np.nan)[nearest], np.nan)


def nearest_vertices(
    source: Mesh, target: Mesh, reach: float = REACH_CM, known: np.ndarray | None = None
) -> Int[np.ndarray, "w"]:
    """Return the nearest source vertex of each target vertex in the frontal plane; -1 if none lies within ``reach``.

    Args:
        source: mesh that is mapped to the target.
        target: mesh whose vertices are looked up.
        reach: largest distance in centimetres of the target.
        known: ``(V,)`` True for the source vertices that may be used; None: all.
    """
    from scipy.spatial import cKDTree

    placed = frontal_alignment(source, target)(source.vertices[:, :2])
    usable = np.ones(len(placed), dtype=bool) if known is None else known
    nearest = np.full(len(target.vertices), -1, dtype=np.int64)
    faces = slice(0, source.face_count), slice(0, target.face_count)
    halos = slice(source.face_count, len(placed)), slice(target.face_count, len(nearest))
    for theirs, ours in (faces, halos):
        candidates = np.arange(len(placed))[theirs]
        candidates = candidates[usable[candidates]]
        points = target.vertices[ours, :2]
        if len(candidates) and len(points):
            distance, index = cKDTree(placed[candidates]).query(points)
            nearest[ours] = np.where(distance <= reach, candidates[index], -1)
    return nearest


def frontal_alignment(source: Mesh, target: Mesh) -> Similarity:
    """Return the similarity in the frontal plane that maps one mesh to another.

    It is fitted to the landmarks that both meshes have, if there are three or more; otherwise it maps the bounding
    box of one face to the other, without rotation.
    """
    shared = [name for name in source.landmarks if name in target.landmarks]
    if len(shared) >= 3:
        return similarity(*(_landmarks_of(mesh, shared) for mesh in (source, target)))
    boxes = []
    for mesh in (source, target):
        face = mesh.vertices[: mesh.face_count, :2]
        boxes.append(np.array([face.min(axis=0), face.max(axis=0)]))
    scale = float(np.ptp(boxes[1], axis=0).max() / np.ptp(boxes[0], axis=0).max())
    return Similarity(scale, np.eye(2), boxes[1].mean(axis=0) - scale * boxes[0].mean(axis=0))


def round_trip_loss(values: Float[np.ndarray, "v"], source: Mesh, target: Mesh) -> dict[str, float]:
    """Measure the loss of a transfer to another mesh and back.

    Args:
        values: ``(V,)`` one per source vertex; NaN where unknown.
        source: mesh of the values.
        target: mesh in between.

    Returns:
        ``correlation``: Pearson correlation of the values before and after; ``error``: root mean square difference as
        a share of the values' standard deviation; ``covered``: share of the known values that came back.
    """
    back = transfer(transfer(values, source, target), target, source)
    known, both = np.isfinite(values), np.isfinite(values) & np.isfinite(back)
    spread = float(values[both].std()) if both.any() else 0.0
    alike = both.sum() > 1 and spread > 0 and back[both].std() > 0
    return {
        "correlation": float(np.corrcoef(values[both], back[both])[0, 1]) if alike else float("nan"),
        "error": float(np.sqrt(np.mean((values[both] - back[both]) ** 2))) / spread
        if spread
        else float("nan"),
        "covered": float(both.sum() / known.sum()) if known.any() else float("nan"),
    }


def _landmarks_of(mesh: Mesh, names: list[str]) -> Float[np.ndarray, "n 2"]:
    return np.array([mesh.landmark_xy(name, mesh.vertices[:, :2]) for name in names])
