"""Self-occlusion on photos: profiles hide their far half, frontal faces the vertices behind the nose."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from canonface.demo import demo_folder
from canonface.errors import NoFaceError
from canonface.mesh import load_mesh, region_mask

MESH = load_mesh(1)
NOSE = region_mask(MESH, "nose") | region_mask(MESH, "philtrum")
MOUTH = region_mask(MESH, "mouth")
EYES = region_mask(MESH, "eyes") | region_mask(MESH, "eyelids")
RIGHT, LEFT = MESH.vertices[:, 0] < -3, MESH.vertices[:, 0] > 3


def halves_seen(face):
    """Return the visible share of vertices on the side turned away, and on the side towards the camera."""
    far, near = (LEFT, RIGHT) if face.pose_deg.yaw > 0 else (RIGHT, LEFT)
    return face.visible[far].mean(), face.visible[near].mean()


def test_profiles_hide_their_far_half(demo_faces):
    profiles = [face for face in demo_faces if abs(face.pose_deg.yaw) > 45]
    assert len(profiles) >= 2
    for face in profiles:
        far, near = halves_seen(face)
        assert far < 0.25, face.path
        assert near > 0.9, face.path


def test_frontal_faces_hide_only_vertices_at_nose_and_lips(demo_faces):
    frontal = [face for face in demo_faces if abs(face.pose_deg.yaw) < 6 and abs(face.pose_deg.pitch) < 8]
    assert len(frontal) >= 10
    for face in frontal:
        inside = ((face.vertices_xy >= 0) & (face.vertices_xy < face.image.shape[1::-1])).all(axis=1)
        lost = inside & ~face.visible
        assert lost.mean() < 0.06, face.path
        elsewhere = lost & ~(NOSE | MOUTH | EYES)
        rim = np.linalg.norm(MESH.vertices[:, :2] * (1 / 7.7, 1 / 9), axis=1) > 0.85
        assert (elsewhere & ~rim).sum() <= 4, face.path


@pytest.mark.data
def test_the_far_half_disappears_as_a_face_turns(data, aligner):
    """Compare all profiles and turned views of the synthetic people that can be aligned."""
    folder = data / "openpeople_synth"
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if "profile" in row["view"] or "three" in row["view"]]
    faces = []
    for row in rows:
        try:
            faces += aligner(folder / row["path"])
        except NoFaceError:
            continue
    assert len(faces) >= 5
    demo = [face for path in sorted((demo_folder() / "photos").glob("*studio*")) for face in aligner(path)]
    yaw = np.array([abs(face.pose_deg.yaw) for face in faces + demo])
    far, near = np.array([halves_seen(face) for face in faces + demo]).T
    assert np.corrcoef(yaw, far)[0, 1] < -0.8
    assert far[yaw > 45].max() < 0.25
    assert near.min() > 0.85
