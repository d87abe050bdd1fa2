"""Each crop: where it lays the face, against its template, a plain least-squares fit, dlib and insightface."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.alignment import LandmarkerAligner
from canonface.alignment.flat_aligners import FIVE_POINTS
from canonface.errors import AlignmentError, OptionError
from canonface.mesh import five_point_mesh, load_mesh, make_mesh, pixel_mesh
from canonface.models import ModelCard, prepare
from canonface.models.crops import arcface_matrix, crop_matrix, dlib_matrix
from canonface.templates import ARCFACE_POINTS, DLIB_POINTS
from canonface.types import USUAL_MARGIN, Face, InputSpec, Pose

TEMPLATE = np.array(list(ARCFACE_POINTS.values()))
UNIT = np.array(list(DLIB_POINTS.values()))
ARCFACE = InputSpec(size_hw=(112, 112), crop="arcface", scale=1.0)
DLIB = InputSpec(size_hw=(150, 150), crop="dlib", scale=1.0)
# Grey levels: OpenCV before 5 rounds coordinates to 1/32 pixel, at most 1/64 off on two axes.
ROUNDED = 0 if int(cv2.__version__.split(".")[0]) >= 5 else 2 * 255 / 64
PHOTO = np.random.default_rng(0).integers(0, 256, (200, 240, 3), dtype=np.uint8)


@cache
def mesh_of(names):
    """A mesh of nothing but named points."""
    corners = np.random.default_rng(1).normal(size=(len(names), 3))
    return make_mesh(
        "points", corners, np.array([[0, 1, 2]]), landmarks={name: [i] for i, name in enumerate(names)}
    )


def face_of(points, names=ARCFACE_POINTS, image=PHOTO):
    n = len(points)
    seen = np.ones(n, bool)
    return Face(
        image, np.asarray(points, float), np.zeros(n), seen, Pose(0, 0, 0), 1.0, mesh_of(tuple(names))
    )


def carried(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def plain_fit(source, target):
    """(a, -b; b, a) and an offset by least squares: a similarity of the plane without any theory of rotations."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, p, q = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return np.array([[a, -b, p], [b, a, q]])


def spread(size):
    return st.lists(st.tuples(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15)), min_size=size, max_size=size)


def turned(points, degrees, scale, centre_xy):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * (points - points.mean(axis=0)) @ turn.T + centre_xy


def test_a_face_that_is_the_template_is_shown_as_it_is():
    np.testing.assert_allclose(arcface_matrix(face_of(TEMPLATE), ARCFACE), [[1, 0, 0], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("degrees", [0, 30, -100, 180])
@pytest.mark.parametrize("scale", [0.3, 2.5])
def test_a_turned_template_is_turned_back(degrees, scale):
    points = turned(TEMPLATE, degrees, scale, (130.0, 90.0))
    np.testing.assert_allclose(carried(arcface_matrix(face_of(points), ARCFACE), points), TEMPLATE, atol=1e-9)


@given(wrong=spread(5), degrees=st.floats(-180, 180), scale=st.floats(0.1, 8))
def test_the_fit_is_the_plain_least_squares_one(wrong, degrees, scale):
    points = turned(TEMPLATE + 112 * np.array(wrong), degrees, scale, (130.0, 90.0))
    matrix = arcface_matrix(face_of(points), ARCFACE)
    np.testing.assert_allclose(matrix, plain_fit(points, TEMPLATE), rtol=1e-6, atol=1e-6)
    assert np.linalg.det(matrix[:, :2]) > 0


@given(wrong=spread(5), degrees=st.floats(-180, 180), scale=st.floats(0.1, 8))
def test_dlibs_fit_goes_from_the_mean_face_to_the_photo(wrong, degrees, scale):
    points = turned(150 * (UNIT + np.array(wrong)), degrees, scale, (130.0, 90.0))
    to_photo = plain_fit((UNIT + 0.25) / 1.5 * 150, points)
    matrix = dlib_matrix(face_of(points, DLIB_POINTS), DLIB)
    np.testing.assert_allclose(
        carried(matrix, carried(to_photo, np.array([[75.0, 75.0]]))), [[74.5, 74.5]], atol=1e-6
    )
    # as many photo pixels as 150 chip pixels cover, corner pixels counted whole
    corners = carried(np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2], np.array([[0.0, 0.0], [149.0, 0.0]]))
    covered = 150 * np.hypot(*to_photo[:, 0])
    assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(covered - 1, rel=1e-6)
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize("side", [40, 90, 130])
@pytest.mark.parametrize("degrees", [0, 25])
def test_the_map_is_dlibs_own(side, degrees):
    """Its chip of a picture whose red is x and green y says which photo pixel each chip pixel shows."""
    dlib = pytest.importorskip("dlib")
    y, x = np.mgrid[:256, :256]
    places = np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)
    wrong = np.random.default_rng(2).normal(scale=0.02, size=UNIT.shape)
    points = np.rint(turned(side * (UNIT + wrong), degrees, 1.0, (128.0, 126.0)))
    found = dlib.full_object_detection(
        dlib.rectangle(0, 0, 255, 255), [dlib.point(int(x), int(y)) for x, y in points]
    )
    chip = (
        dlib.get_face_chip(places, found, size=150, padding=0.25)[..., :2].astype(float) + 0.5
    )  # it cuts decimals
    matrix = dlib_matrix(face_of(points, DLIB_POINTS), DLIB)
    rows, columns = np.nonzero(((chip > 8) & (chip < 248)).all(axis=2))
    ours = carried(matrix, chip[rows, columns]) - np.column_stack([columns, rows])
    fit = np.linalg.lstsq(np.column_stack([columns, rows, np.ones(len(rows))]), ours, rcond=None)[0]
    corners = np.array([[0, 0, 1], [149, 0, 1], [0, 149, 1], [149, 149, 1]])
    assert np.abs(corners @ fit).max() < 0.1, "chip pixels"


def test_insightfaces_crop_where_nothing_shrinks():
    """What `norm_crop` does: the least-squares similarity, then plain `cv2.warpAffine`, here within the photo."""
    wrong = np.random.default_rng(3).normal(scale=2, size=TEMPLATE.shape)
    points = turned(TEMPLATE + wrong, 15, 0.8, (120.0, 105.0))
    theirs = cv2.warpAffine(PHOTO, plain_fit(points, TEMPLATE), (112, 112), borderValue=0.0)
    ours = prepare(face_of(points), ARCFACE).x.transpose(1, 2, 0)
    assert np.abs(ours - theirs).max() < 0.51 + ROUNDED, "but for their rounding"


@pytest.mark.parametrize(("size_hw", "margin"), [((224, 224), 0.0), ((160, 160), 0.2), ((100, 140), 0.0)])
def test_templates_grow_around_their_middle(size_hw, margin):
    spec = replace(ARCFACE, size_hw=size_hw, margin=margin)
    shown = carried(arcface_matrix(face_of(TEMPLATE), spec), np.array([[-0.5, -0.5], [111.5, 111.5]]))
    middle, half = (np.array(size_hw[::-1]) - 1) / 2, min(size_hw) / (1 + margin) / 2
    np.testing.assert_allclose(shown, [middle - half, middle + half])


@pytest.mark.parametrize("crop", ["arcface", "dlib"])
def test_a_mesh_without_the_points_is_refused_by_name(crop):
    face = face_of(TEMPLATE, ("a", "b", "c", "d", "e"))
    with pytest.raises(
        OptionError, match=r"'points' has no landmark '(right_eye|left_outer_eye_corner)'.*Use a crop"
    ):
        prepare(face, InputSpec(crop=crop))
    assert "right_outer_eye_corner" not in five_point_mesh().landmarks
    assert not pixel_mesh().landmarks


@pytest.mark.parametrize("crop", ["arcface", "dlib"])
@pytest.mark.parametrize("points", [np.full((5, 2), np.nan), np.ones((5, 2))], ids=["nan", "one place"])
def test_points_that_say_nothing_are_refused(crop, points):
    names = ARCFACE_POINTS if crop == "arcface" else DLIB_POINTS
    with pytest.raises(AlignmentError, match=f"'{crop}' needs finite, distinct points of the face; got"):
        prepare(face_of(points, names), InputSpec(crop=crop))


def test_points_that_no_turn_brings_to_the_template_are_refused():
    """Mirrored, and stretched so that every turn fits equally badly: the best similarity shrinks to nothing."""
    centred = TEMPLATE - TEMPLATE.mean(axis=0)
    points = 40 * centred @ np.linalg.inv(centred.T @ centred) * [-1, 1] * 100 + 100
    with pytest.raises(AlignmentError, match="needs points arranged as in a face, not mirrored"):
        prepare(face_of(points), ARCFACE)


@pytest.mark.parametrize("crop", USUAL_MARGIN)
def test_vertices_follow_the_pixels_and_nothing_is_mirrored(demo_faces, crop):
    spec = InputSpec(size_hw=(96, 96), crop=crop)
    for face in demo_faces[::5]:
        shown = prepare(face, spec)
        np.testing.assert_array_equal(shown.matrix, crop_matrix(face, spec))
        np.testing.assert_allclose(shown.vertices_xy, carried(shown.matrix, face.vertices_xy))
        assert np.linalg.det(shown.matrix[:, :2]) > 0


@pytest.mark.parametrize(("crop", "template"), [("arcface", ARCFACE_POINTS), ("dlib", DLIB_POINTS)])
def test_real_faces_lie_on_the_template(demo_faces, crop, template):
    """Upright or turned by a quarter; points within 6% of the input on the mean."""
    spec = InputSpec(size_hw=(100, 100), crop=crop)
    places = np.array(list(template.values()))
    wanted = (places + 0.5) / 112 * 100 - 0.5 if crop == "arcface" else (places + 0.25) / 1.5 * 100 - 0.5
    frontal = [face for face in demo_faces if abs(face.pose_deg.yaw) < 20]
    assert len(frontal) > 10
    for face in frontal:
        side = replace(
            face,
            image=np.ascontiguousarray(np.rot90(face.image)),
            vertices_xy=np.column_stack(
                [face.vertices_xy[:, 1], face.image.shape[1] - 1 - face.vertices_xy[:, 0]]
            ),
        )
        xs = []
        for one in (face, side):
            shown = prepare(one, spec)
            points = np.array([one.mesh.landmark_xy(name, shown.vertices_xy) for name in template])
            assert np.linalg.norm(points - wanted, axis=1).mean() < 6
            xs.append(shown.x)
        np.testing.assert_allclose(xs[0], xs[1], atol=0.02 + ROUNDED / 255)


def test_named_points_are_one_place_at_every_level():
    base = load_mesh(0)
    assert {*ARCFACE_POINTS, *DLIB_POINTS} == set(base.landmarks)
    for mesh in (load_mesh(2), load_mesh(1, halo=True)):
        for name, members in base.landmarks.items():
            np.testing.assert_array_equal(mesh.landmarks[name], members)


def test_named_points_are_the_subjects_and_mirrored_in_pairs():
    mesh = load_mesh(0)
    place = {name: mesh.landmark_xy(name, mesh.vertices[:, :2]) for name in mesh.landmarks}
    row = ["right_outer_eye_corner", "right_eye", "right_inner_eye_corner"]
    row += [name.replace("right", "left") for name in reversed(row)]
    assert np.diff([place[name][0] for name in row]).min() > 0, "from the left of the picture to its right"
    for name, (x, y) in place.items():
        if name.startswith("right"):
            np.testing.assert_allclose(place[name.replace("right", "left")], [-x, y], atol=1e-3)
        members = mesh.landmarks[name]
        other = name.replace("right", "L").replace("left", "right").replace("L", "left")
        assert set(mesh.mirror[members].tolist()) == set(mesh.landmarks[other].tolist())
    assert (
        place["right_eye"][1] > place["nose_tip"][1] > place["nose_base"][1] > place["right_mouth_corner"][1]
    )


def test_the_five_point_aligner_means_the_same_points():
    mesh = load_mesh(0)
    assert {name: tuple(mesh.landmarks[name].tolist()) for name in FIVE_POINTS} == FIVE_POINTS


LONDON = {
    "right_eye": (0, 3.0), "left_eye": (1, 3.4),
    "right_outer_eye_corner": (18, 2.0), "right_inner_eye_corner": (22, 1.7),
    "left_inner_eye_corner": (23, 2.4), "left_outer_eye_corner": (27, 2.4),
    "nose_base": (55, 2.3), "right_mouth_corner": (87, 2.4), "left_mouth_corner": (93, 2.2),
}  # fmt: skip
"""Points that others placed by hand (eyes: the pupils), and the most that ours may lie off on the mean, percent
of the pupils' distance."""


@pytest.mark.data
def test_named_points_against_points_placed_by_hand(data):
    """Measured, percent: eyes 2.8 (by their corners 4.7), eye corners 1.9, nose base 2.1, mouth corners 2.1."""
    folder, aligner = data / "london_frl", LandmarkerAligner(load_mesh(0))
    errors = {name: [] for name in LONDON}
    templates = np.load(folder / "landmarks189.npz")
    for photo in templates:
        truth = templates[photo]
        [face] = aligner(folder / "images" / photo)
        for name, (index, _) in LONDON.items():
            off = np.linalg.norm(face.mesh.landmark_xy(name, face.vertices_xy) - truth[index])
            errors[name].append(100 * off / np.linalg.norm(truth[1] - truth[0]))
    assert len(errors["right_eye"]) == 42
    means = {name: float(np.mean(off)) for name, off in errors.items()}
    assert all(means[name] < most for name, (_, most) in LONDON.items()), means


def test_margins_default_to_the_crops_own():
    assert InputSpec() == InputSpec(crop="face", margin=0.3)
    assert InputSpec(crop="dlib") == InputSpec(crop="dlib", margin=0.5)
    assert InputSpec(crop="arcface").margin == 0
    assert InputSpec(crop="arcface", margin=0.2).margin == 0.2
    assert replace(InputSpec(crop="dlib"), size_hw=(64, 64)).margin == 0.5


@pytest.mark.parametrize("margin", [-1.0, np.nan, np.inf])
def test_margins_that_show_nothing_are_refused(margin):
    with pytest.raises(OptionError, match="margin is a fraction of the face's size, above -1; got"):
        InputSpec(margin=margin)


def test_an_unknown_crop_lists_near_names():
    with pytest.raises(
        OptionError, match=r"there is no 'arcfce': did you mean 'arcface'.*Known: face, arcface, face"
    ):
        InputSpec(crop="arcfce")


def test_cards_say_the_crop_in_words():
    words = {
        "face": "face crop, margin 0.3", "arcface": "ArcFace's crop, margin 0",
        "facenet": "MTCNN's box, margin 0.3", "dlib": "dlib's chip, margin 0.5", "image": "whole photo",
    }  # fmt: skip
    assert set(words) == set(USUAL_MARGIN)
    for crop, text in words.items():
        card = ModelCard("m", "t", "s", "l", "l", InputSpec(crop=crop), (), "logits", "a", "c")
        assert card.input == f"224 x 224 rgb, {text}"
