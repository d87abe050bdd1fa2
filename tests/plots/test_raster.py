"""The rasteriser against a slow replica, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_raster import slow_raster

from canonface import raster as module
from canonface.mesh import Canvas, load_mesh
from canonface.plots.frontal import canonical_raster
from canonface.raster import rasterise

CANVAS = Canvas((64, 64))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_equals_the_slow_replica(seed):
    rng = np.random.default_rng(seed)
    points, depth = rng.uniform(-4, 20, (12, 2)), rng.uniform(0, 5, 12)
    triangles = rng.integers(0, 12, (8, 3))
    raster = rasterise(points, depth, triangles, (14, 17))
    expected, nearest = slow_raster(points, depth, triangles, (14, 17))
    np.testing.assert_array_equal(raster.inside, expected >= 0)
    np.testing.assert_allclose(raster.interpolate(depth)[raster.inside], nearest[expected >= 0], atol=1e-5)
    assert _only_ties(raster, expected, points, depth, triangles)


def _only_ties(raster, expected, points, depth, triangles):
    """Triangles that differ hold the same depth there: a pixel on a common edge, or the same corners twice."""
    rows, columns = np.nonzero(raster.triangle != expected)
    for row, column in zip(rows, columns, strict=True):
        at = [
            np.linalg.solve(np.vstack([points[triangles[n]].T, np.ones(3)]), [column, row, 1.0])
            @ depth[triangles[n]]
            for n in (raster.triangle[row, column], expected[row, column])
        ]
        if abs(at[0] - at[1]) > 1e-6:
            return False
    return True


def test_weights_are_a_partition_of_unity_and_give_back_the_pixel():
    mesh = load_mesh(1)
    raster = canonical_raster(mesh, CANVAS)
    inside = raster.inside
    np.testing.assert_allclose(raster.weights[inside].sum(axis=1), 1, atol=1e-5)
    assert raster.weights.min() > -1e-5
    rows, columns = np.nonzero(inside)
    there = raster.interpolate(CANVAS.project(mesh))[inside]
    np.testing.assert_allclose(there, np.stack([columns, rows], axis=1), atol=1e-3)
    assert not raster.interpolate(np.ones(len(mesh.vertices)))[~inside].any()


def test_the_canonical_face_has_no_holes_and_keeps_its_place():
    inside = canonical_raster(load_mesh(1), CANVAS).inside
    rows, columns = np.nonzero(inside)
    assert abs(columns.mean() - 31.5) < 0.1  # symmetric about the middle
    for row in range(rows.min(), rows.max() + 1):
        where = np.flatnonzero(inside[row])
        assert len(where) == where[-1] - where[0] + 1


def test_the_nearer_triangle_hides_the_farther_one_in_either_order():
    points = np.array([[0, 0], [8, 0], [0, 8], [0, 0], [8, 0], [0, 8.0]])
    depth = np.array([2, 2, 2, 1, 1, 1.0])
    for triangles in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        raster = rasterise(points, depth, np.array(triangles), (8, 8))
        assert set(raster.corners[1, 1].tolist()) == {3, 4, 5}


def test_chunks_do_not_change_it(monkeypatch):
    mesh = load_mesh(0)
    xy, depth = CANVAS.project(mesh), -mesh.vertices[:, 2]
    whole = rasterise(xy, depth, mesh.triangles, (64, 64))
    monkeypatch.setattr(module, "_PAIRS", 50)
    parts = rasterise(xy, depth, mesh.triangles, (64, 64))
    np.testing.assert_array_equal(whole.triangle, parts.triangle)
    np.testing.assert_array_equal(whole.weights, parts.weights)


def test_points_that_are_not_finite_or_outside_draw_nothing():
    points = np.array([[np.nan, 0], [8, 0], [0, 8], [100, 100], [120, 100], [100, 120]])
    raster = rasterise(points, np.zeros(6), np.array([[0, 1, 2], [3, 4, 5]]), (8, 8))
    assert not raster.inside.any()


def test_the_cached_raster_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        canonical_raster(load_mesh(0), CANVAS).triangle[0, 0] = 3
