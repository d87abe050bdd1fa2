"""Rotation, scale and visibility of a mesh in an image: pure functions.

Camera coordinates: x right, y up, z towards the viewer; these are the axes of the mesh for a face that looks straight
into the camera. Image coordinates: x right, y down, depth grows with distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from canonface.errors import OptionError
from canonface.types import ModelInput, Pose

PICTURE_TO_CAMERA = np.array([1.0, -1.0, -1.0])
"""Signs that convert image coordinates with depth to camera coordinates, and back."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """Similarity transform ``y = scale * rotation @ x + translation``.

    Attributes:
        scale: positive.
        rotation: ``(d, d)``, determinant 1.
        translation: ``(d,)``.
    """

    scale: float
    rotation: Float[np.ndarray, "d d"]
    translation: Float[np.ndarray, "d"]

    def __call__(self, points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Transform points."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)


def similarity(
    source: Float[np.ndarray, "n d"],
    target: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, "n"] | None = None,
) -> Similarity:
    """Fit the similarity that maps ``source`` to ``target`` with the smallest weighted sum of squared distances.

    It minimises ``sum_i w_i |target_i - (s R source_i + t)|^2`` over s > 0, rotations R and t: S. Umeyama,
    "Least-Squares Estimation of Transformation Parameters Between Two Point Patterns", IEEE TPAMI 13(4), 1991, eq.
    40-42, with weights in the means and the covariance. It is never a reflection.

    Args:
        source: ``(n, d)`` points.
        target: ``(n, d)`` corresponding points.
        weights: ``(n,)`` non-negative; None gives all points the same weight.

    Raises:
        OptionError: fewer than ``d`` points have weight, or they coincide.
    """
    n, d = source.shape
    w = np.ones(n) if weights is None else weights.astype(np.float64)
    if (w < 0).any() or np.count_nonzero(w) < d:
        raise OptionError(
            f"A similarity in {d} dimensions needs {d} points or more of positive weight, none negative; got "
            f"{np.count_nonzero(w > 0)} positive and {np.count_nonzero(w < 0)} negative. Give more points."
        )
    w = w / w.sum()
    source_mean, target_mean = w @ source, w @ target
    x, y = source - source_mean, target - target_mean
    variance = float(w @ (x**2).sum(axis=1))
    if not variance > 0:
        raise OptionError("A similarity needs points that differ; all source points coincide. Check them.")
    u, singular, vt = np.linalg.svd((w[:, None] * y).T @ x)
    signs = np.ones(d)
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * signs) @ vt
    scale = float(singular @ signs) / variance
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def face_scale(shown: ModelInput) -> float:
    """Return the size of a centimetre of the canonical face in pixels of the model's input, without foreshortening.

    If the crop stretches the photo, it is the geometric mean of `face_scales`, so areas are right.
    """
    return float(np.sqrt(face_scales(shown).prod()))


def face_scales(shown: ModelInput) -> Float[np.ndarray, "2"]:
    """Return the size of a centimetre of the canonical face in pixels of the model's input, across and down.

    The two differ if the crop changes the photo's aspect ratio. With known depth, the scale in the photo is that of
    the similarity from the canonical to the aligned face in space: a profile has the scale of a frontal face. Without
    depth, it is the larger singular value of the least-squares affine map from the frontal to the aligned image: a
    head that turns about one axis is shortened only along the other.

    Source: S. Umeyama, IEEE TPAMI 13(4), 1991, as in `similarity`.
    """
    face, mesh = shown.face, shown.face.mesh
    base = slice(mesh.base_count)
    xy, depth = face.vertices_xy[base], face.depth[base]
    # A crop may rotate the photo, then stretch it along the input's axes: the row norms are the stretch factors.
    per_photo_pixel = np.linalg.norm(shown.matrix[:, :2], axis=1)
    if np.isfinite(depth).all() and np.ptp(mesh.vertices[base, 2]) > 0:
        camera = np.column_stack([xy, depth]) * PICTURE_TO_CAMERA
        scale = similarity(mesh.vertices[base], camera, mesh.procrustes_weights).scale
    else:
        flat = mesh.vertices[base, :2]
        affine = np.linalg.lstsq(flat - flat.mean(axis=0), xy - xy.mean(axis=0))[0]
        scale = float(np.linalg.svd(affine, compute_uv=False)[0])
    return np.asarray(per_photo_pixel * scale)


def rotation_of(pose_deg: Pose) -> Float[np.ndarray, "3 3"]:
    """Return the rotation of a head from looking straight into the camera to ``pose_deg``, in camera coordinates.

    ``R = R_y(yaw) R_x(-pitch) R_z(-roll)``: yaw and pitch give the direction of the face,
    ``(sin yaw cos pitch, sin pitch, cos yaw cos pitch)``; roll turns it about that direction.
    """
    (sy, sp, sr), (cy, cp, cr) = np.sin(np.radians(pose_deg)), np.cos(np.radians(pose_deg))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def pose_of(rotation: Float[np.ndarray, "3 3"]) -> Pose:
    """Return yaw, pitch and roll in degrees of a rotation in camera coordinates: the inverse of `rotation_of`.

    The order of the angles keeps profiles (yaw of 90 degrees) unambiguous; only a face that looks straight up or down
    is ambiguous.
    """
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(rotation[1, 2], -1, 1))
    roll = np.arctan2(-rotation[1, 0], rotation[1, 1])
    return Pose(*(float(angle) for angle in np.degrees([yaw, pitch, roll])))


def head_pose(
    vertices: Float[np.ndarray, "b 3"],
    vertices_xy: Float[np.ndarray, "b 2"],
    depth: Float[np.ndarray, "b"],
    weights: Float[np.ndarray, "b"],
) -> Pose:
    """Return the pose of a face: the rotation of the similarity from the canonical mesh to the aligned one.

    Args:
        vertices: ``(b, 3)`` canonical positions: x right, y up, z towards the viewer.
        vertices_xy: ``(b, 2)`` the same vertices in image coordinates, pixels.
        depth: ``(b,)`` pixels, larger is farther; any origin.
        weights: ``(b,)`` weight of each vertex.
    """
    camera = np.column_stack([vertices_xy, depth]) * PICTURE_TO_CAMERA
    return pose_of(similarity(vertices, camera, weights).rotation)


def facing(
    vertices_xy: Float[np.ndarray, "v 2"], depth: Float[np.ndarray, "v"], triangles: Int[np.ndarray, "t 3"]
) -> Bool[np.ndarray, "v"]:
    """Return True for each vertex whose normal points towards the camera; False for a vertex without triangles.

    The normal is the sum of the normals of the vertex's triangles, weighted by their areas. Triangles are
    counter-clockwise when seen from outside.
    """
    camera = np.column_stack([vertices_xy, depth]) * PICTURE_TO_CAMERA
    a, b, c = camera[triangles[:, 0]], camera[triangles[:, 1]], camera[triangles[:, 2]]
    towards_camera = np.cross(b - a, c - a)[:, 2]
    sums = np.bincount(triangles.ravel(), weights=np.repeat(towards_camera, 3), minlength=len(vertices_xy))
    return np.asarray(sums > 0)


def covered(
    points_xy: Float[np.ndarray, "p 2"],
    points_depth: Float[np.ndarray, "p"],
    vertices_xy: Float[np.ndarray, "v 2"],
    depth: Float[np.ndarray, "v"],
    triangles: Int[np.ndarray, "t 3"],
    tolerance: float,
) -> Bool[np.ndarray, "p"]:
    """Return True for each point that a triangle separates from the camera (orthographic).

    The ray of a point is tested against every triangle whose bounding box contains it. The triangle covers the point
    if its depth there is less than the point's by more than ``tolerance`` pixels.
    """
    corners = np.column_stack([vertices_xy, depth])[triangles]
    low, high = corners.min(axis=1), corners.max(axis=1)
    nearer = np.argsort(low[:, 2], kind="stable")
    corners, low, high = corners[nearer], low[nearer], high[nearer]
    hidden = np.zeros(len(points_xy), dtype=bool)
    chunk = max(1, 2_000_000 // max(len(triangles), 1))  # pairs at a time: a few megabytes
    for start in range(0, len(points_xy), chunk):
        xy, z = points_xy[start : start + chunk, None], points_depth[start : start + chunk, None]
        near = low[:, 2] < z - tolerance
        for axis in (0, 1):
            near &= (low[:, axis] <= xy[..., axis]) & (xy[..., axis] <= high[:, axis])
        point, triangle = np.nonzero(near)
        hit = _depth_at(corners[triangle], xy[point, 0]) < z[point, 0] - tolerance
        hidden[start + point[hit]] = True
    return hidden


def _depth_at(corners: Float[np.ndarray, "n 3 3"], xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """Return the depth of each triangle at a point of the image; infinite outside it or if it is seen edge-on.

    Edges count as inside, with a small tolerance, so that no ray passes between two triangles.
    """
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners.transpose(1, 2, 0)
    x, y = xy.T
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    seen = np.abs(area) > 1e-9
    safe = np.where(seen, area, 1.0)
    to_b = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / safe
    to_c = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / safe
    inside = seen & (to_b >= -1e-9) & (to_c >= -1e-9) & (to_b + to_c <= 1 + 1e-9)
    return np.where(inside, az + to_b * (bz - az) + to_c * (cz - az), np.inf)


def visible_vertices(
    vertices_xy: Float[np.ndarray, "v 2"],
    depth: Float[np.ndarray, "v"],
    triangles: Int[np.ndarray, "t 3"],
    occluders: Int[np.ndarray, "o 3"] | None = None,
    tolerance: float = 0.01,
) -> Bool[np.ndarray, "v"]:
    """Return True for each vertex that the camera sees (orthographic).

    Such a vertex faces the camera, and no triangle is in front of it.

    Args:
        vertices_xy: ``(V, 2)`` image coordinates.
        depth: ``(V,)`` in the same unit, larger is farther.
        triangles: ``(T, 3)`` whole surface, counter-clockwise from outside; used for the normals.
        occluders: ``(O, 3)`` coarser triangles of the same surface, e.g. those of the base mesh of a subdivided mesh;
            the result is the same in less time. None: ``triangles``.
        tolerance: smallest distance of a triangle in front of a vertex that hides it, as a share of the face's extent
            (the longer side of its box); lips that touch do not hide each other.
    """
    extent = float(np.ptp(vertices_xy, axis=0).max())
    front = facing(vertices_xy, depth, triangles)
    visible = front.copy()
    hidden = covered(
        vertices_xy[front],
        depth[front],
        vertices_xy,
        depth,
        triangles if occluders is None else occluders,
        tolerance * extent,
    )
    visible[front] = ~hidden
    return visible
