"""The flat aligners of the alignment study: five points, and no alignment."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from canonface.alignment import FivePointAligner, LandmarkerAligner, NoAligner, read_photo
from canonface.alignment.flat_aligners import FIVE_POINTS
from canonface.errors import OptionError
from canonface.mesh import five_point_mesh, load_mesh, mesh_named, pixel_mesh
from canonface.templates import ARCFACE_POINTS

PHOTOS = files("canonface.demo") / "photos"
STUDIO = read_photo((PHOTOS / "op_P001_studio.jpg").read_bytes())
ASTRONAUT = read_photo((PHOTOS / "nasa_astronaut.jpg").read_bytes())


def similarity_of(mesh, face):
    """Return scale and residual of the best x -> s R x + t, y up, from mesh to photo, by linear least squares."""
    x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]
    one, zero = np.ones_like(x), np.zeros_like(x)
    system = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    goal = np.concatenate([face.vertices_xy[:, 0], -face.vertices_xy[:, 1]])
    solution, *_ = np.linalg.lstsq(system, goal, rcond=None)
    return float(np.hypot(*solution[:2])), float(np.abs(system @ solution - goal).max())


def test_the_mesh_is_the_crop_of_face_recognition():
    mesh = five_point_mesh(9)
    assert mesh_named("five-point/9") is mesh
    assert len(mesh.vertices) == 86
    xy = mesh.vertices[:, :2]
    pixels = np.array([mesh.landmark_xy(name, xy) for name in ARCFACE_POINTS])
    template = np.array(list(ARCFACE_POINTS.values())) * (1, -1)
    scale = np.linalg.norm(pixels[1] - pixels[0]) / np.linalg.norm(template[1] - template[0])
    np.testing.assert_allclose(pixels - pixels[0], scale * (template - template[0]), atol=1e-12)
    assert np.linalg.norm(pixels[1] - pixels[0]) == pytest.approx(6.3)
    np.testing.assert_allclose(mesh.vertices[mesh.mirror][:81], mesh.vertices[:81] * (-1, 1, 1), atol=1e-12)
    a, b, c = xy[mesh.triangles].transpose(1, 0, 2)
    assert np.linalg.det(np.stack([b - a, c - a], axis=1)).min() > 0


def test_five_points_follow_only_position_size_and_roll():
    mesh = five_point_mesh()
    [face] = FivePointAligner(mesh)(ASTRONAUT)
    [dense] = LandmarkerAligner(load_mesh(1))(ASTRONAUT)
    _, residual = similarity_of(mesh, face)
    assert residual < 1e-9
    side = np.ptp(dense.vertices_xy, axis=0).max()
    for name, members in FIVE_POINTS.items():
        truth = dense.vertices_xy[list(members)].mean(axis=0)
        assert np.linalg.norm(mesh.landmark_xy(name, face.vertices_xy) - truth) < 0.1 * side, name
    assert np.isnan(face.pose_deg[:2]).all()
    assert face.pose_deg.roll == pytest.approx(dense.pose_deg.roll, abs=3)


def test_the_five_points_are_those_that_the_default_mesh_names():
    for name, members in FIVE_POINTS.items():
        assert sorted(load_mesh(0).landmarks[name]) == sorted(members), name


def test_roll_is_clockwise():
    tilted = np.asarray(Image.fromarray(STUDIO).rotate(-20, fillcolor=(128, 128, 128)))
    rolls = [FivePointAligner(five_point_mesh(5))(photo)[0].pose_deg.roll for photo in (STUDIO, tilted)]
    assert rolls[1] - rolls[0] == pytest.approx(20, abs=2)


def test_any_mesh_with_the_landmarks_can_be_placed():
    with pytest.raises(OptionError, match=r"'pixels/3' lacks right_eye.*five_point_mesh"):
        FivePointAligner(pixel_mesh(3))
    with pytest.raises(OptionError, match="min_inside is above 0"):
        FivePointAligner(five_point_mesh(3), min_inside=-1.0)


def test_no_aligner_covers_the_photo_with_equal_cells():
    mesh = pixel_mesh(4)
    photo = np.zeros((80, 160, 3), dtype=np.uint8)
    [face] = NoAligner(mesh)(photo)
    grid = face.vertices_xy.reshape(4, 4, 2)
    np.testing.assert_allclose(grid[0, :, 0], [19.5, 59.5, 99.5, 139.5])
    np.testing.assert_allclose(grid[:, 0, 1], [9.5, 29.5, 49.5, 69.5])
    assert face.visible.all()
    assert face.quality == 1
    assert mesh_named("pixels/4") is mesh


@pytest.mark.parametrize("side", [1, 513, True])
def test_an_invalid_grid_raises(side):
    for make in (five_point_mesh, pixel_mesh):
        with pytest.raises(OptionError, match="2 to 512 vertices per side"):
            make(side)
