from __future__ import annotations

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.mesh import load_mesh
from canonface.mesh.canonical import base_mirror

ACROSS = np.array([-1.0, 1.0, 1.0])


@pytest.mark.parametrize("subdivision", [0, 1, 2, 3])
def test_the_mirror_is_the_symmetry_of_the_canonical_face(subdivision):
    mesh = load_mesh(subdivision)
    np.testing.assert_array_equal(mesh.mirror[mesh.mirror], np.arange(len(mesh.vertices)))
    np.testing.assert_allclose(mesh.vertices[mesh.mirror], mesh.vertices * ACROSS, atol=1e-12)


@pytest.mark.parametrize("subdivision", [0, 1, 2])
def test_only_midline_vertices_are_their_own_counterparts(subdivision):
    mesh = load_mesh(subdivision)
    own = mesh.mirror == np.arange(len(mesh.vertices))
    np.testing.assert_array_equal(own, np.abs(mesh.vertices[:, 0]) < 1e-12)


@pytest.mark.parametrize("subdivision", [0, 1, 2])
def test_triangles_mirror_triangles(subdivision):
    mesh = load_mesh(subdivision)
    triangles = {tuple(sorted(triangle)) for triangle in mesh.triangles.tolist()}
    assert {tuple(sorted(triangle)) for triangle in mesh.mirror[mesh.triangles].tolist()} == triangles


def test_known_pairs():
    mirror = load_mesh(0).mirror
    # Outer and inner eye corners, mouth corners, brows: MediaPipe's left and right sets, end for end.
    for right, left in ((33, 263), (133, 362), (61, 291), (46, 276), (107, 336), (234, 454)):
        assert mirror[right] == left
    for midline in (10, 151, 9, 168, 4, 1, 2, 0, 13, 14, 17, 152):
        assert mirror[midline] == midline


def test_left_is_the_subjects_left():
    mesh = load_mesh(0)
    assert mesh.vertices[33, 0] < 0 < mesh.vertices[263, 0]
    assert 33 in mesh.regions["right_eye"]
    assert 33 not in mesh.regions["left_eye"]
    assert 263 in mesh.regions["left_eye"]
    for name, members in mesh.regions.items():
        if name.startswith("right_"):
            assert mesh.vertices[members, 0].max() <= 0
        if name.startswith("left_"):
            assert mesh.vertices[members, 0].min() >= 0


def test_an_asymmetric_mesh_raises():
    vertices = load_mesh(0).vertices.copy()
    vertices[33, 1] += 0.01
    with pytest.raises(OptionError, match=r"A symmetric mesh .* within 1e-06; the farthest is 0\.01 away"):
        base_mirror(vertices)
