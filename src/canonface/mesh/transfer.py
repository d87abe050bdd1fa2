"""Values at the vertices of one mesh, on another: nearest point after alignment in the frontal plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from canonface.errors import OptionError
from canonface.geometry import Similarity, similarity
from canonface.types import Mesh

REACH_CM = 1.0
"""How far the nearest point may lie: beyond it the other mesh has no such place."""


def transfer(
    values: Float[np.ndarray, "v"], source: Mesh, target: Mesh, reach: float = REACH_CM
) -> Float[np.ndarray, "w"]:
    """Values at the vertices of a mesh, taken over by another mesh's vertices.

    Each target vertex takes the value of the source vertex nearest to it in the frontal plane, after the similarity
    that lays one mesh on the other (`frontal_alignment`); vertices without a value (NaN) are passed over, the face's
    take from the face and the halo's from the halo. A map is transferred by its values at the vertices:
    ``transfer(cms.vertex_values, cms.mesh, target)``.

    Args:
        values: ``(V,)`` one a source vertex; NaN where unknown.
        source: the mesh they lie on.
        target: the mesh they are wanted on.
        reach: largest distance in centimetres of the target mesh; what lies farther is NaN.

    Raises:
        OptionError: there are not as many values as source vertices.
    """
    if len(values) != len(source.vertices):
        raise OptionError(
            f"There is one value a vertex; got {len(values)} for the {len(source.vertices)} of {source.name!r}. Give "
            "the values at all vertices, NaN where they are not known."
        )
    nearest = nearest_vertices(source, target, reach, known=np.isfinite(values))
    return np.where(nearest >= 0, np.append(values, np.nan)[nearest], np.nan)


def nearest_vertices(
    source: Mesh, target: Mesh, reach: float = REACH_CM, known: np.ndarray | None = None
) -> Int[np.ndarray, "w"]:
    """For each target vertex the nearest source vertex in the frontal plane, -1 where none lies within ``reach``.

    Args:
        source: the mesh that is laid on the target.
        target: the mesh whose vertices ask.
        reach: largest distance in centimetres of the target.
        known: ``(V,)`` which source vertices may be taken; None: all.
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
    """The similarity in the frontal plane that lays one mesh on another.

    By the landmarks that both name, if there are three or more; else box on box of the faces, without a rotation.
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
    """What is lost of values that are transferred to another mesh and back.

    Args:
        values: ``(V,)`` one a source vertex; NaN where unknown.
        source: the mesh they lie on.
        target: the mesh in between.

    Returns:
        ``correlation`` (Pearson) of the values before and after, ``error`` (root mean square of the difference, as a
        share of the values' standard deviation), ``covered`` (share of the known values that came back).
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
