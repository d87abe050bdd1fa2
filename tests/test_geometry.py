"""Rotation and visibility: signs, round trips, and faces of a cube with known results."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.geometry import covered, facing, head_pose, pose_of, rotation_of, similarity, visible_vertices
from canonface.mesh import load_mesh
from canonface.types import Pose

MESH = load_mesh(1)
BASE = load_mesh(0)
B = BASE.base_count

angles = st.floats(-180, 180)
pitches = st.floats(-89, 89)


def project(pose: Pose, scale: float = 10.0, vertices=MESH.vertices):
    """Project the mesh as a distant camera does: image coordinates and depth."""
    camera = vertices @ rotation_of(pose).T
    return scale * camera[:, :2] * [1, -1] + 200, -scale * camera[:, 2]


@given(angles, pitches, angles)
def test_pose_and_rotation_are_inverse(yaw, pitch, roll):
    rotation = rotation_of(Pose(yaw, pitch, roll))
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(rotation_of(pose_of(rotation)), rotation, atol=1e-9)


@pytest.mark.parametrize(
    ("pose", "row", "axis", "sign"),
    [
        (Pose(30, 0, 0), 2, 0, +1),  # yaw: the face looks towards the right side of the picture
        (Pose(0, 30, 0), 2, 1, -1),  # pitch: it looks up, where y is small
        (Pose(0, 0, 30), 0, 1, +1),  # roll: the picture's right side of the head goes down
    ],
)
def test_signs_of_pose_in_the_picture(pose, row, axis, sign):
    xy, _ = project(pose, vertices=np.eye(3))
    moved = xy[row] - 200
    assert np.sign(moved[axis]) == sign
    assert abs(moved[axis]) == pytest.approx(10 * np.sin(np.radians(30)))


@given(angles, pitches, angles, st.floats(0.1, 100))
def test_head_pose_recovers_a_rotation(yaw, pitch, roll, scale):
    xy, depth = project(Pose(yaw, pitch, roll), scale, BASE.vertices)
    found = head_pose(BASE.vertices, xy, depth + 77, BASE.procrustes_weights)
    assert np.allclose(rotation_of(found), rotation_of(Pose(yaw, pitch, roll)), atol=1e-6)


def test_mirrored_face_flips_yaw_and_roll_and_keeps_pitch():
    xy, depth = project(Pose(25, 10, -15), vertices=BASE.vertices)
    mirrored = (xy * [-1, 1])[BASE.mirror]
    found = head_pose(BASE.vertices, mirrored, depth[BASE.mirror], BASE.procrustes_weights)
    assert np.allclose(found, (-25, 10, 15), atol=0.01)


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]))
def test_similarity_ignores_points_of_zero_weight(seed, d):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(12, d))
    q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    rotation = q * np.where(np.arange(d) == 0, np.linalg.det(q), 1)
    target = 3.5 * source @ rotation.T + rng.normal(size=d)
    weights = rng.uniform(0.1, 1, size=12)
    weights[:3] = 0
    target[:3] = 1e3
    found = similarity(source, target, weights)
    assert found.scale == pytest.approx(3.5)
    assert np.allclose(found.rotation, rotation)
    assert np.allclose(found(source)[3:], target[3:])


def test_similarity_is_the_least_squares_one_and_never_a_reflection():
    rng = np.random.default_rng(0)
    source, target, weights = rng.normal(size=(9, 2)), rng.normal(size=(9, 2)), rng.uniform(size=9)
    found = similarity(source, target, weights)
    # The slow replica: in the plane a similarity is linear in (a, b, tx, ty).
    rows = np.zeros((18, 4))
    rows[0::2] = np.column_stack([source[:, 0], -source[:, 1], np.ones(9), np.zeros(9)])
    rows[1::2] = np.column_stack([source[:, 1], source[:, 0], np.zeros(9), np.ones(9)])
    root = np.repeat(np.sqrt(weights), 2)
    a, b, *shift = np.linalg.lstsq(rows * root[:, None], target.ravel() * root, rcond=None)[0]
    assert np.allclose(found.scale * found.rotation, [[a, -b], [b, a]])
    assert np.allclose(found.translation, shift)
    mirrored = similarity(source, source * [-1, 1])
    assert np.linalg.det(mirrored.rotation) == pytest.approx(1)


@pytest.mark.parametrize(
    ("points", "weights"), [((5, 3), [1, 1, 0, 0, 0]), ((5, 3), [1, 1, 1, 1, -1]), ((2, 3), None)]
)
def test_similarity_refuses_too_few_points(points, weights):
    x = np.random.default_rng(0).normal(size=points)
    with pytest.raises(OptionError, match=r"needs 3 points or more of positive weight.*Give more points"):
        similarity(x, x, None if weights is None else np.array(weights, dtype=float))


def test_similarity_refuses_points_that_coincide():
    with pytest.raises(OptionError, match="all source points coincide"):
        similarity(np.ones((4, 2)), np.arange(8.0).reshape(4, 2))


# Two squares, one behind the other, the nearer one smaller and shifted; depth grows away from the camera.
# In the picture (y down), counter-clockwise from outside means anticlockwise to the eye.
FAR = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
NEAR = np.array([[6.0, 6], [14, 6], [14, 14], [6, 14]])
SQUARES_XY = np.concatenate([FAR, NEAR])
SQUARES_DEPTH = np.repeat([5.0, 1.0], 4)
TOWARDS = np.array([[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]])


def test_only_the_corner_behind_the_nearer_square_is_hidden():
    visible = visible_vertices(SQUARES_XY, SQUARES_DEPTH, TOWARDS)
    assert visible.tolist() == [True, True, False, True, True, True, True, True]


def test_back_facing_triangles_have_no_visible_vertex():
    away = TOWARDS.copy()
    away[2:] = away[2:, ::-1]
    assert facing(SQUARES_XY, SQUARES_DEPTH, away).tolist() == [True] * 4 + [False] * 4
    # They hide what lies behind them all the same.
    assert (
        visible_vertices(SQUARES_XY, SQUARES_DEPTH, away).tolist() == [True, True, False, True] + [False] * 4
    )


def test_a_triangle_within_the_tolerance_hides_nothing():
    depth = np.repeat([5.0, 4.9], 4)
    assert visible_vertices(SQUARES_XY, depth, TOWARDS, tolerance=0.02).all()
    assert not visible_vertices(SQUARES_XY, depth, TOWARDS, tolerance=0.001).all()


def test_a_sloping_triangle_covers_by_its_local_depth():
    triangle = np.array([[0.0, 0], [10, 0], [0, 10]])
    depth = np.array([0.0, 10, 0])  # depth = x
    points = np.array([[4.0, 1], [4.0, 1], [8, 8]])
    found = covered(points, np.array([4.5, 3.5, 99]), triangle, depth, np.array([[0, 1, 2]]), 0.0)
    assert found.tolist() == [True, False, False]


def slow_covered(points_xy, points_depth, xy, depth, triangles, tolerance):
    """Test every ray against every triangle, one by one, by solving for barycentric coordinates."""
    hidden = []
    for point, z in zip(points_xy, points_depth, strict=True):
        hit = False
        for triangle in triangles:
            matrix = np.vstack([xy[triangle].T, np.ones(3)])
            if abs(np.linalg.det(matrix)) < 1e-12:
                continue
            mix = np.linalg.solve(matrix, [*point, 1])
            hit |= bool((mix > -1e-9).all() and mix @ depth[triangle] < z - tolerance)
        hidden.append(hit)
    return np.array(hidden)


def test_covered_equals_the_slow_ray_test():
    xy, depth = project(Pose(50, 10, 5), vertices=BASE.vertices)
    some = np.arange(0, B, 12)
    slow = slow_covered(xy[some], depth[some], xy, depth, BASE.triangles, 1.0)
    fast = covered(xy[some], depth[some], xy, depth, BASE.triangles, 1.0)
    assert 3 < slow.sum() < len(some) - 3
    assert (slow == fast).all()


def test_base_triangles_replace_those_of_the_subdivided_mesh():
    for yaw in (0, 40, -75):
        xy, depth = project(Pose(yaw, 5, 0))
        own = visible_vertices(xy, depth, MESH.triangles)
        assert (own == visible_vertices(xy, depth, MESH.triangles, BASE.triangles)).all()


def test_a_frontal_face_is_almost_entirely_visible():
    visible = visible_vertices(*project(Pose(0, 0, 0)), MESH.triangles, BASE.triangles)
    assert visible.mean() > 0.97
    edges = np.sort(
        np.concatenate([MESH.triangles[:, [0, 1]], MESH.triangles[:, [1, 2]], MESH.triangles[:, [2, 0]]])
    )
    unique, count = np.unique(edges, axis=0, return_counts=True)
    outline = np.unique(unique[count == 1])
    on_oval = outline[np.abs(MESH.vertices[outline, 0]) > 0.8 * MESH.vertices[:, 0].max()]
    assert len(on_oval) > 10
    assert visible[on_oval].all()


@pytest.mark.parametrize("yaw", [70, -70])
def test_a_profile_hides_the_far_half(yaw):
    visible = visible_vertices(*project(Pose(yaw, 0, 0)), MESH.triangles, BASE.triangles)
    # The face looks to the picture's right at positive yaw: its own left half (x > 0) is the far one.
    far = MESH.vertices[:, 0] * np.sign(yaw) > 2
    near = MESH.vertices[:, 0] * np.sign(yaw) < -2
    assert visible[far].mean() < 0.05
    assert visible[near].mean() > 0.95


def test_visibility_does_not_change_the_callers_arrays():
    xy, depth = project(Pose(30, 0, 0))
    before = xy.copy(), depth.copy()
    visible_vertices(xy, depth, MESH.triangles)
    assert (xy == before[0]).all()
    assert (depth == before[1]).all()


def main() -> None:
    """Time the visibility of one face: ``python tests/test_geometry.py``."""
    xy, depth = project(Pose(30, 0, 0))
    start = time.perf_counter()
    for _ in range(20):
        visible_vertices(xy, depth, MESH.triangles, BASE.triangles)
    print(f"{(time.perf_counter() - start) / 20 * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
