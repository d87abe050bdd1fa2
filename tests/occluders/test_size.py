"""Sizes of patches: texts, and lengths that follow the face."""

from dataclasses import replace

import numpy as np
import pytest
from toy_faces import RGB, flat_input, toy_face, toy_input

from canonface.demo import demo_folder
from canonface.errors import OptionError
from canonface.explanation import make_settings
from canonface.geometry import face_scale, face_scales
from canonface.mesh import load_mesh
from canonface.models import prepare
from canonface.occluders import Size, Square, eye_distance, make_occluder, parse_size
from canonface.types import InputSpec


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (15, Size(15)),
        (7.5, Size(7.5)),
        ("15", Size(15)),
        ("15px", Size(15)),
        (" 20 % ", Size(20, "%")),
        ("1.2cm", Size(1.2, "cm")),
        (".5 CM", Size(0.5, "cm")),
        ("r0.6cm", Size(1.2, "cm")),
        ("r4px", Size(8)),
        (None, None),
    ],
)
def test_texts_stand_for_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("wide", "or text like '20%'.*got 'wide'"),
        ("-3px", "got '-3px'"),
        ("20%%", "got '20%%'"),
        ("1,2cm", "got '1,2cm'"),
        ("", "got ''"),
        (True, "got True"),
        (0.5, "at least 1 pixel of the model's input; got 0.5"),
        (float("inf"), "at least 1 pixel"),
        ("0%", "more than 0 and at most 400%; got 0%"),
        ("500%", "got 500%: more than that hides the whole face"),
        ("31cm", "at most 30cm; got 31cm"),
    ],
)
def test_invalid_sizes_are_refused(given, words):
    for build in (parse_size, Square, lambda patch: make_occluder("surface", patch)):
        with pytest.raises(OptionError, match=words):
            build(given)


def test_settings_pass_texts_on():
    assert make_settings(patch="20%").occluder_fn() == Square("20%")
    assert make_settings(patch="1.2cm", occluder="surface").describe()["occluder"] == {
        "name": "surface",
        "patch": "1.2cm",
        "fill": "mean",
    }
    with pytest.raises(OptionError, match="got 'wide'"):
        make_settings(patch="wide")


def test_the_scale_is_that_of_the_drawing():
    # the photo's 120 pixels become 60: 4 pixels a centimetre become 2
    spec = InputSpec(size_hw=(60, 60), crop="image")
    for yaw in (0.0, 30.0, 60.0, 90.0):
        assert face_scale(prepare(toy_face(yaw), spec)) == pytest.approx(2.0, rel=1e-9)


def test_without_depths_a_turn_of_the_head_does_not_shrink_it_much():
    spec = InputSpec(size_hw=(120, 120), crop="image")
    for yaw in (0.0, 30.0, 60.0):
        face = toy_face(yaw)
        shown = prepare(replace(face, depth=np.full(len(face.depth), np.nan)), spec)
        assert face_scale(shown) == pytest.approx(4.0, rel=0.03)
    assert face_scale(flat_input([(3, 4)], scale=5.0)) == pytest.approx(5.0)


def test_a_crop_that_stretches_the_photo_has_a_scale_each_way():
    """A photo of 240 x 120 in an input of 60 x 90: 4 pixels a centimetre become 1 across and 3 down."""
    face = toy_face(40.0)
    wide = replace(face, image=np.concatenate([face.image, face.image], axis=1))
    shown = prepare(wide, InputSpec(size_hw=(90, 60), crop="image"))
    np.testing.assert_allclose(face_scales(shown), [1.0, 3.0], rtol=1e-9)
    assert face_scale(shown) == pytest.approx(np.sqrt(3), rel=1e-9)


def test_percent_is_of_the_distance_between_the_eyes():
    mesh = load_mesh(1)
    assert 5.5 < eye_distance(mesh) < 7.0
    right, left = (mesh.landmark_xy(name, mesh.vertices[:, :2]) for name in ("right_eye", "left_eye"))
    assert eye_distance(mesh) == pytest.approx(np.hypot(*(left - right)), rel=1e-3)
    shown = toy_input(RGB)
    assert Size(50, "%").pixels(shown) == pytest.approx(eye_distance(mesh) / 2 * face_scale(shown), rel=1e-6)
    assert Size(50, "%").centimetres(shown) == pytest.approx(eye_distance(mesh) / 2)
    assert Size(face_scale(shown)).centimetres(shown) == pytest.approx(1.0)


def test_a_patch_is_at_least_one_pixel():
    assert Size(0.01, "cm").pixels(toy_input(RGB)) == 1.0


def test_a_mesh_without_eyes_knows_no_percent():
    with pytest.raises(OptionError, match="names the points right_eye and left_eye; 'flat/1' names none"):
        Square("20%").side(flat_input([(3, 4)]))


def test_profiles_and_frontal_photos_of_one_person_get_patches_of_one_size(aligner):
    """Two photos of one person at like distance: the boxes of the faces differ by a fifth, the patch does not."""
    photos = demo_folder() / "photos"
    spec = InputSpec(size_hw=(224, 224), crop="image")
    scales = []
    for name in ("op_P001_studio.jpg", "op_P001_view_profile_a.jpg"):
        [face] = aligner(photos / name)
        shown = prepare(face, spec)
        head = np.ptp(face.vertices_xy[:, 1]) * 224 / face.image.shape[0]
        scales.append(Square("20%").side(shown) / head)
    assert scales[1] == pytest.approx(scales[0], rel=0.05)
