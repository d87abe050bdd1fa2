from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from canonface.errors import OptionError
from canonface.mesh import load_mesh
from canonface.mesh.subdivision import subdivide

COUNTS = {0: 468, 1: 1833, 2: 7257, 3: 28881}


@cache
def split_points_slowly(subdivision: int) -> tuple[list[tuple[float, ...]], list[tuple[int, int, int]]]:
    """Subdivide the canonical vertices the slow way: no matrix, one midpoint at a time."""
    base = load_mesh(0)
    points = [tuple(point) for point in base.vertices.tolist()]
    triangles = [tuple(triangle) for triangle in base.triangles.tolist()]
    for _ in range(subdivision):
        edges = sorted({tuple(sorted((t[i], t[i - 1]))) for t in triangles for i in range(3)})
        middle = {edge: len(points) + number for number, edge in enumerate(edges)}
        points += [tuple((p + q) / 2 for p, q in zip(points[a], points[b], strict=True)) for a, b in edges]
        smaller = []
        for a, b, c in triangles:
            ab, bc, ca = (middle[tuple(sorted(edge))] for edge in ((a, b), (b, c), (c, a)))
            smaller += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = smaller
    return points, triangles


def as_set(triangles) -> set[tuple[int, ...]]:
    """Return the triangles in canonical form: the first corner does not matter, the winding does."""
    return {tuple(np.roll(t, -int(np.argmin(t))).tolist()) for t in np.asarray(triangles)}


@pytest.mark.parametrize("subdivision", [1, 2])
def test_it_equals_the_slow_replica(subdivision):
    points, triangles = split_points_slowly(subdivision)
    mesh = load_mesh(subdivision)
    np.testing.assert_allclose(mesh.vertices, points, atol=1e-12)
    assert as_set(mesh.triangles) == as_set(triangles)


@pytest.mark.parametrize("subdivision", COUNTS)
def test_counts_and_weights(subdivision):
    mesh = load_mesh(subdivision)
    assert mesh.name == f"landmarker-468/{subdivision}"
    assert mesh.vertices.shape == (COUNTS[subdivision], 3)
    assert mesh.triangles.shape == (898 * 4**subdivision, 3)
    assert mesh.base_count == 468
    matrix = mesh.from_base
    assert matrix.shape == (COUNTS[subdivision], 468)
    np.testing.assert_array_equal(matrix.sum(axis=1), 1.0)  # dyadic weights: exact
    assert matrix.data.min() > 0
    assert np.diff(matrix.indptr).max() == min(subdivision + 1, 3)
    np.testing.assert_array_equal(matrix[:468].toarray(), np.eye(468))


@pytest.mark.parametrize("subdivision", [0, 1, 2])
def test_subdivisions_are_nested(subdivision):
    coarse, fine = load_mesh(subdivision), load_mesh(subdivision + 1)
    count = len(coarse.vertices)
    np.testing.assert_array_equal(fine.vertices[:count], coarse.vertices)
    np.testing.assert_array_equal(fine.uv[:count], coarse.uv)
    np.testing.assert_array_equal(fine.mirror[:count], coarse.mirror)
    assert (fine.from_base[:count] != coarse.from_base).nnz == 0
    for name, members in coarse.regions.items():
        finer = fine.regions[name]
        np.testing.assert_array_equal(finer[finer < count], members)


@given(arrays(float, (3, 2), elements=st.floats(-9, 9)), arrays(float, 2, elements=st.floats(-99, 99)))
def test_subdivision_commutes_with_affine_maps(linear, shift):
    base, dense = load_mesh(0), load_mesh(2)
    moved_then_split = dense.from_base @ (base.vertices @ linear + shift)
    np.testing.assert_allclose(moved_then_split, dense.vertices @ linear + shift, atol=1e-9)


@pytest.mark.parametrize("subdivision", [-1, 5, True])
def test_an_invalid_subdivision_raises(subdivision):
    with pytest.raises(OptionError, match=r"whole number from 0 .* to 4 .*; got (-1|5|True)\. Subdivision 1"):
        load_mesh(subdivision)


def test_a_mirror_that_breaks_edges_raises():
    path = np.array([[0, 1, 2], [1, 3, 2]])
    with pytest.raises(OptionError, match="have no counterpart"):
        subdivide(path, np.array([1, 0, 2, 3]), 1)


def test_the_mesh_is_shared_and_read_only():
    mesh = load_mesh(1)
    assert load_mesh(1) is mesh
    assert load_mesh() is mesh
    arrays_of = [mesh.vertices, mesh.triangles, mesh.uv, mesh.mirror, mesh.procrustes_weights]
    arrays_of += [mesh.from_base.data, mesh.from_base.indices, mesh.from_base.indptr, *mesh.regions.values()]
    for array in arrays_of:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(TypeError):
        mesh.regions["new"] = mesh.mirror


def test_the_mesh_can_be_pickled():
    mesh = load_mesh(1)
    arrived = pickle.loads(pickle.dumps(mesh))
    assert arrived.name == mesh.name
    np.testing.assert_array_equal(arrived.vertices, mesh.vertices)
    assert (arrived.from_base != mesh.from_base).nnz == 0
    assert list(arrived.regions) == list(mesh.regions)
    np.testing.assert_array_equal(arrived.regions["right_eye"], mesh.regions["right_eye"])


def test_the_old_keyword_level_warns():
    with pytest.warns(DeprecationWarning, match="subdivision="):
        assert load_mesh(level=2) is load_mesh(subdivision=2)
