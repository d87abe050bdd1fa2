"""The halo on photos: it follows the face, and the head hides part of it."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from canonface.alignment import LandmarkerAligner, read_photo
from canonface.alignment.halo import with_halo
from canonface.geometry import rotation_of
from canonface.mesh import load_mesh
from canonface.types import Pose

MESH = load_mesh(1, halo=True)
GREY = np.full((600, 600, 3), 128, dtype=np.uint8)
FACE = slice(MESH.face_count)
STRAIGHT = Pose(0.0, 0.0, 0.0)


def placed(pose=STRAIGHT, scale=20.0, image=GREY, mesh=MESH):
    """Project the canonical face into an image, rotated."""
    turned = scale * mesh.vertices[: mesh.face_count] @ rotation_of(pose).T * (1, -1, -1) + (300, 300, 0)
    return with_halo(mesh, turned[:, :2], turned[:, 2], np.ones(mesh.face_count, dtype=bool), image)


def ears_seen(pose):
    visible = placed(pose)[2]
    return [visible[MESH.regions[f"{side}_ear"]].mean() for side in ("right", "left")]


def test_the_halo_follows_the_similarity_of_the_face():
    pose = Pose(20.0, -10.0, 5.0)
    xy, depth, _ = placed(pose)
    expected = 20 * MESH.vertices @ rotation_of(pose).T * (1, -1, -1) + (300, 300, 0)
    np.testing.assert_allclose(np.column_stack([xy, depth]), expected, atol=1e-6)


def test_the_whole_halo_of_a_frontal_face_is_visible():
    assert placed()[2].all()


def test_halo_vertices_outside_the_photo_are_hidden():
    xy, _, visible = placed(image=GREY[:, :450])
    np.testing.assert_array_equal(visible[MESH.face_count :], xy[MESH.face_count :, 0] < 449.5)


def test_a_turned_head_hides_its_far_ear():
    assert ears_seen(STRAIGHT) == [1, 1]
    assert ears_seen(Pose(60.0, 0.0, 0.0)) == [
        1,
        0,
    ]  # looks to the right side of the picture: the subject's left
    assert ears_seen(Pose(-60.0, 0.0, 0.0)) == [0, 1]


def test_the_face_hides_what_lies_behind_it():
    xy, _, visible = placed(Pose(70.0, 0.0, 0.0))
    face = xy[FACE]
    middle = (face[:, 0].min() + face[:, 0].max()) / 2
    behind = np.abs(xy[MESH.face_count :] - (middle, 300)).max(axis=1) < 40
    assert behind.any()
    assert not visible[MESH.face_count :][behind].any()


def test_without_depth_the_halo_is_placed_in_the_image_plane():
    xy, depth, visible = with_halo(
        MESH,
        MESH.vertices[FACE, :2] * (20, -20) + 300,
        np.full(MESH.face_count, np.nan),
        np.ones(MESH.face_count, dtype=bool),
        GREY,
    )
    np.testing.assert_allclose(xy, MESH.vertices[:, :2] * (20, -20) + 300, atol=1e-6)
    assert np.isnan(depth).all()
    assert visible.all()


def test_a_mesh_without_halo_is_unchanged():
    plain = load_mesh(1)
    xy, depth, visible = placed(mesh=plain)
    assert len(xy) == len(depth) == len(visible) == len(plain.vertices)


def test_the_landmarker_places_the_halo():
    photo = read_photo((files("canonface.demo") / "photos" / "nasa_astronaut.jpg").read_bytes())
    [face], [plain] = LandmarkerAligner(MESH)(photo), LandmarkerAligner(load_mesh(1))(photo)
    np.testing.assert_array_equal(face.vertices_xy[FACE], plain.vertices_xy)
    np.testing.assert_array_equal(face.visible[FACE], plain.visible)
    assert replace(face, mesh=plain.mesh).pose_deg == plain.pose_deg
    assert face.vertices_xy.shape == (len(MESH.vertices), 2)
    # Read off the photo by eye: brown hair above the forehead, dark suit below the neck's right half.
    hair = face.vertices_xy[MESH.regions["hair"]]
    assert hair[:, 1].max() < plain.vertices_xy[33, 1]
    top = hair[np.abs(hair[:, 0] - plain.vertices_xy[10, 0]) < 15].mean(axis=0).astype(int)
    red, green, blue = photo[top[1] - 5 : top[1] + 6, top[0] - 5 : top[0] + 6].reshape(-1, 3).mean(axis=0)
    assert red > green > blue
    assert pytest.approx(0, abs=0.05) == face.visible[MESH.face_count :].mean() - 1
