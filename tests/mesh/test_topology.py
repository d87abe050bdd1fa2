from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.mesh import adjacency, boundary_loop, load_mesh, mesh_edges, vertex_normals

SQUARE = np.array([[0, 1, 2], [0, 2, 3]])
SQUARE_POINTS = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
OCTAHEDRON = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=float)
OCTAHEDRON_FACES = np.array([[i, (i + 1) % 4, 4] for i in range(4)] + [[(i + 1) % 4, i, 5] for i in range(4)])


def test_a_square_by_hand():
    np.testing.assert_array_equal(mesh_edges(SQUARE), [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]])
    np.testing.assert_array_equal(boundary_loop(SQUARE), [0, 1, 2, 3])
    neighbours = adjacency(SQUARE, 4).toarray()
    np.testing.assert_array_equal(neighbours, [[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0]])
    np.testing.assert_array_equal(vertex_normals(SQUARE_POINTS, SQUARE), np.tile((0.0, 0.0, 1.0), (4, 1)))


def test_the_boundary_follows_the_winding():
    np.testing.assert_array_equal(boundary_loop(SQUARE[:, ::-1]), [0, 3, 2, 1])


def test_normals_of_a_closed_body_point_outwards():
    normals = vertex_normals(2.5 * OCTAHEDRON, OCTAHEDRON_FACES)
    np.testing.assert_allclose(normals, OCTAHEDRON, atol=1e-12)


def test_normals_are_weighted_by_area():
    # Two triangles share an edge: one of area 1/2 facing z, one of area 1 facing x.
    points = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -2.0]])
    normals = vertex_normals(points, np.array([[0, 1, 2], [0, 3, 1]]))
    np.testing.assert_allclose(normals[0], np.array([2.0, 0.0, 1.0]) / np.sqrt(5), atol=1e-12)


def test_a_vertex_without_area_has_no_normal():
    points = np.vstack([SQUARE_POINTS, [[9.0, 9.0, 9.0]]])
    np.testing.assert_array_equal(vertex_normals(points, SQUARE)[4], 0.0)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 10))
def test_normals_rotate_with_the_face_and_ignore_its_size(yaw, pitch, scale):
    mesh = load_mesh(0)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turned = vertex_normals(scale * mesh.vertices @ turn.T + 5.0, mesh.triangles)
    np.testing.assert_allclose(turned, vertex_normals(mesh.vertices, mesh.triangles) @ turn.T, atol=1e-9)


@pytest.mark.parametrize("subdivision", [0, 1, 2])
def test_the_canonical_mesh_is_a_disc(subdivision):
    mesh = load_mesh(subdivision)
    edges, rim = mesh_edges(mesh.triangles), boundary_loop(mesh.triangles)
    assert len(rim) == 36 * 2**subdivision
    assert len(mesh.triangles) == 2 * len(mesh.vertices) - 2 - len(rim)  # eyes and mouth are covered too
    assert len(mesh.vertices) - len(edges) + len(mesh.triangles) == 1  # Euler characteristic of a disc
    from scipy.sparse.csgraph import connected_components

    assert connected_components(adjacency(mesh.triangles, len(mesh.vertices)))[0] == 1


def test_the_rim_is_the_published_face_oval():
    # MediaPipe, face_mesh_connections.py, FACEMESH_FACE_OVAL; clockwise in the picture, so it is turned round.
    oval = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148]
    oval += [176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
    np.testing.assert_array_equal(boundary_loop(load_mesh(0).triangles), [10, *oval[:0:-1]])


def test_triangles_face_the_viewer():
    mesh = load_mesh(0)
    a, b, c = (mesh.vertices[mesh.triangles[:, corner]] for corner in range(3))
    towards = np.cross(b - a, c - a)[:, 2]
    assert (towards > 0).sum() == 888  # the other ten lie in folds: lips and nostrils
    (au, bu, cu) = (mesh.uv[mesh.triangles[:, corner]] * (1, -1) for corner in range(3))  # v points down
    side, other = bu - au, cu - au
    assert (side[:, 0] * other[:, 1] - side[:, 1] * other[:, 0] > 0).all()


@pytest.mark.parametrize(
    "triangles",
    [OCTAHEDRON_FACES, np.array([[0, 1, 2], [3, 4, 5]]), np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])],
    ids=["closed body", "two pieces", "three triangles on an edge"],
)
def test_a_mesh_that_is_not_a_disc_raises(triangles):
    with pytest.raises(OptionError, match="A disc has one boundary"):
        boundary_loop(triangles)
