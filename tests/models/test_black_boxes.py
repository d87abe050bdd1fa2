"""Models of the zoo that are no PyTorch modules: head pose from geometry, and dlib."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from canonface.assets import asset_path
from canonface.errors import AssetError
from canonface.geometry import rotation_of
from canonface.landmarker.geometry_metadata import read_canonical_face
from canonface.models import checked_outputs, load_model, prepare
from canonface.models.zoo import ZOO
from canonface.models.zoo.head_pose import HeadPose
from canonface.models.zoo.wide_resnet import mean_around
from canonface.templates import DLIB_POINTS
from canonface.types import Pose


def show(model, faces):
    return checked_outputs(model, model.to_device(np.stack([prepare(face, model.spec).x for face in faces])))


@pytest.mark.parametrize("pose", [Pose(0, 0, 0), Pose(40, 0, 0), Pose(0, -20, 0), Pose(5, 10, -30)])
def test_a_turned_canonical_face_has_the_pose_it_was_turned_to(pose):
    """A network that returns the canonical face as a camera would see it, turned and shrunk."""
    path = asset_path("face_landmarker.task")
    canonical = read_canonical_face(path)
    seen = 7 * canonical.vertices @ rotation_of(pose).T * [1, -1, -1] + [128, 128, 0]
    points = np.concatenate([seen, np.zeros((10, 3))]).astype(np.float32)
    prediction = {"Identity": points.reshape(1, 1, 1, 1434), "Identity_1": np.zeros((1, 1, 1, 1), np.float32)}
    model = HeadPose(lambda x: prediction, canonical, path)
    np.testing.assert_allclose(model(np.zeros((2, 3, 256, 256), np.float32)), [pose, pose], atol=1e-3)


def test_head_pose_agrees_with_the_aligner(demo_faces):
    """Its crop is upright and of one pass, the aligner's level with the eyes and of two."""
    model = load_model("head-pose")
    found, aligned = show(model, demo_faces), np.array([face.pose_deg for face in demo_faces])
    assert np.ptp(aligned[:, 0]) > 60, "some faces are turned far"
    assert np.median(np.abs(found - aligned)) < 1
    for axis in range(3):
        assert np.corrcoef(found[:, axis], aligned[:, axis])[0, 1] > 0.9


def test_head_pose_of_a_mirrored_face_is_mirrored(demo_faces):
    model = load_model("head-pose")
    x = np.stack([prepare(face, model.spec).x for face in demo_faces[:6]])
    found, mirrored = model(x), model(x[..., ::-1])
    np.testing.assert_allclose(mirrored * [-1, 1, -1], found, atol=6)


@pytest.fixture(scope="module")
def dlib_face():
    pytest.importorskip("dlib")
    try:
        return load_model("dlib-face")
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")


def test_dlib_receives_the_bytes_of_the_crop(dlib_face, demo_faces):
    import dlib

    network = dlib.face_recognition_model_v1(str(ZOO["dlib-face"].weights()))
    inputs = [prepare(face, dlib_face.spec) for face in demo_faces[:3]]
    chips = [dlib_face.spec.to_pixels(one.x) for one in inputs]
    theirs = np.array([network.compute_face_descriptor(chip) for chip in chips])
    np.testing.assert_allclose(show(dlib_face, demo_faces[:3]), theirs, atol=1e-5)


def test_the_crop_is_dlibs_chip(dlib_face, demo_faces):
    """dlib is given the same five points, rounded to pixels as it wants them; turned and straight faces."""
    import dlib

    for face in demo_faces[::6]:
        points = [face.mesh.landmark_xy(name, face.vertices_xy) for name in DLIB_POINTS]
        found = dlib.full_object_detection(
            dlib.rectangle(0, 0, *face.image.shape[1::-1]),
            [dlib.point(*np.rint(p).astype(int)) for p in points],
        )
        theirs = dlib.get_face_chip(np.ascontiguousarray(face.image), found, size=150, padding=0.25)
        ours = dlib_face.spec.to_pixels(prepare(face, dlib_face.spec).x)
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
        vectors = [np.array(dlib_face.network(chip[None])[0]) for chip in (ours, theirs)]
        assert np.linalg.norm(vectors[0] - vectors[1]) < 0.2, "0.6 is another person"


def test_dlib_can_be_pickled_before_and_after_a_call(dlib_face):
    fresh = replace(dlib_face)
    x = np.random.default_rng(0).uniform(-20, 280, (1, 3, 150, 150)).astype(np.float32)
    prediction = fresh(x)
    again = pickle.loads(pickle.dumps(fresh))
    np.testing.assert_array_equal(again(x), prediction)
    assert again.fingerprint() == fresh.fingerprint() == ZOO["dlib-face"].asset.sha256


@pytest.mark.parametrize("name", ["facenet", "dlib-face"])
def test_photos_of_one_person_are_nearer_than_of_two(name, demo_faces):
    try:
        model = load_model(name)
    except AssetError as error:
        pytest.skip(f"weights cannot be had here: {error}")
    faces = [face for face in demo_faces if "/op_" in face.path and abs(face.pose_deg.yaw) < 30][::2]
    vectors = show(model, faces)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = np.array([face.path.rsplit("/", 1)[-1][:7] for face in faces])
    i, j = np.triu_indices(len(faces), 1)
    scores, same = (vectors[i] * vectors[j]).sum(axis=1), people[i] == people[j]
    assert same.sum() >= 5
    above = (scores[same][:, None] > scores[~same]).mean()
    assert above > 0.95, f"{above:.3f} of the comparisons"


def test_the_mean_around_a_place_excludes_pixels_beyond_the_border():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slow = torch.empty_like(x)
    for row in range(16):
        for column in range(16):
            rows, columns = (slice(max(p - 3, 0), p + 5) for p in (row, column))
            slow[:, :, row, column] = x[:, :, rows, columns].mean(dim=(2, 3))
    assert torch.allclose(mean_around(x), slow)
