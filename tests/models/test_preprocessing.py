"""Pixels and vertices go through one map."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from canonface.errors import AlignmentError
from canonface.mesh import load_mesh
from canonface.models.crops import face_matrix, image_matrix
from canonface.models.preprocessing import inside, prepare, resample
from canonface.types import Face, InputSpec, Pose

PLAIN = InputSpec(size_hw=(48, 48), scale=1.0, margin=0.0)


def face_of(image, vertices_xy, visible=None):
    vertices_xy = np.asarray(vertices_xy, float)
    n = len(vertices_xy)
    shown = np.ones(n, bool) if visible is None else np.asarray(visible)
    return Face(image, vertices_xy, np.zeros(n), shown, Pose(0, 0, 0), 1.0, load_mesh(0))


def blob(size_hw, centre_xy, sigma):
    """A bright spot on black, centred on a point between pixels."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    spot = np.exp(-((x - centre_xy[0]) ** 2 + (y - centre_xy[1]) ** 2) / (2 * sigma**2))
    return np.repeat((255 * spot[:, :, None]).round().astype(np.uint8), 3, axis=2)


def centroid(x):
    """Centre of brightness of the first channel, x then y."""
    weight = x[0] / x[0].sum()
    rows, columns = np.mgrid[: x.shape[1], : x.shape[2]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()])


def smooth_photo(height=120, width=160):
    y, x = np.mgrid[:height, :width]
    planes = [127 + 90 * np.sin(x / 17 + y / 29), 127 + 90 * np.cos(y / 13), 127 + 90 * np.sin(x / 11)]
    return np.stack(planes, axis=2).round().astype(np.uint8)


CORNERS = [[40.0, 30.0], [140.0, 30.0], [40.0, 130.0], [140.0, 130.0]]


@pytest.mark.parametrize("size_hw", [(32, 32), (224, 224), (48, 96), (96, 48)])
@pytest.mark.parametrize("crop", ["face", "facenet", "image"])
def test_a_spot_lands_under_its_vertex(size_hw, crop):
    spot_xy = np.array([71.3, 96.8])  # off the middle on both axes, and nearer to the left
    spec = replace(PLAIN, size_hw=size_hw, crop=crop, margin=0.2)
    shown = prepare(face_of(blob((160, 200), spot_xy, 4), [*CORNERS, spot_xy]), spec)
    assert np.abs(centroid(shown.x) - shown.vertices_xy[-1]).max() < 0.1
    assert shown.visible.all()


def test_facenets_box_is_mtcnns_stretched_to_the_input():
    """A mesh 100 wide and 50 high: a box of 97 x 54.5 whose centre lies 2.5 higher, longer by the margin."""
    wide = [[40.0, 30.0], [140.0, 30.0], [40.0, 80.0], [140.0, 80.0]]
    spec = replace(PLAIN, size_hw=(50, 50), crop="facenet", margin=0.5)
    shown = prepare(face_of(np.zeros((160, 200, 3), np.uint8), wide), spec)
    inverse = np.linalg.inv(np.vstack([shown.matrix, [0, 0, 1]]))
    left, top, _ = inverse @ [-0.5, -0.5, 1]
    right, bottom, _ = inverse @ [49.5, 49.5, 1]
    np.testing.assert_allclose([right - left, bottom - top], [97 * 1.5, 54.5 * 1.5])
    np.testing.assert_allclose([(left + right) / 2, (top + bottom) / 2], [90, 52.5])


def test_left_stays_left_and_up_stays_up():
    shown = prepare(face_of(blob((160, 200), (60.0, 110.0), 3), CORNERS), PLAIN)
    x, y = centroid(shown.x)
    assert x < 24 < y


def test_a_single_pixel_keeps_its_place_without_scaling():
    image = np.zeros((64, 64, 3), np.uint8)
    image[20, 33] = 255
    # 40 pixels across: from -1/2 of pixel 10 to +1/2 of pixel 49
    shown = prepare(face_of(image, [[9.5, 9.5], [49.5, 49.5]]), replace(PLAIN, size_hw=(40, 40)))
    assert np.argwhere(shown.x[0] > 200).tolist() == [[10, 23]]
    np.testing.assert_allclose(shown.matrix, [[1, 0, -10], [0, 1, -10]], atol=1e-12)


def test_the_box_is_the_mesh_with_its_margin():
    matrix = face_matrix(
        np.array([[10.0, 20.0], [50.0, 100.0]]), replace(PLAIN, margin=0.25, size_hw=(100, 100))
    )
    # The longer side, 80, grows to 100 around (30, 60): one photo pixel is one input pixel.
    np.testing.assert_allclose(matrix, [[1, 0, 49.5 - 30], [0, 1, 49.5 - 60]], atol=1e-12)


@pytest.mark.parametrize(("size_hw", "seen_wh"), [((50, 100), (160, 80)), ((100, 50), (80, 160))])
def test_an_oblong_input_covers_the_square_and_keeps_the_aspect(size_hw, seen_wh):
    matrix = face_matrix(np.array([[0.0, 0.0], [80.0, 60.0]]), replace(PLAIN, size_hw=size_hw))
    assert matrix[0, 0] == pytest.approx(matrix[1, 1])
    assert (size_hw[1] / matrix[0, 0], size_hw[0] / matrix[1, 1]) == pytest.approx(seen_wh)


def test_the_whole_photo_fills_the_input():
    image = smooth_photo(60, 90)
    matrix = image_matrix(image, replace(PLAIN, size_hw=(30, 30)))
    edges = np.array([[-0.5, -0.5], [89.5, 59.5]]) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(edges, [[-0.5, -0.5], [29.5, 29.5]], atol=1e-12)


def test_the_whole_photo_at_its_own_size_is_itself():
    image = smooth_photo(40, 50)
    shown = prepare(face_of(image, CORNERS), replace(PLAIN, size_hw=(40, 50), crop="image"))
    np.testing.assert_allclose(shown.x, image.transpose(2, 0, 1), atol=1e-3)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (40, 30), (64, 20)])
def test_shrinking_agrees_with_pillow(width, height):
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    photo = np.asarray(Image.fromarray(coarse).resize((250, 200), Image.Resampling.BICUBIC))
    ours = prepare(face_of(photo, CORNERS), replace(PLAIN, size_hw=(height, width), crop="image")).x
    theirs = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR)).transpose(
        2, 0, 1
    )
    assert np.abs(ours - theirs)[:, 2:-2, 2:-2].mean() < 2.0
    naive = np.asarray(photo[:: 200 // height, :: 250 // width])[2 : height - 2, 2 : width - 2].transpose(
        2, 0, 1
    )
    cut = theirs[:, 2 : 2 + naive.shape[1], 2 : 2 + naive.shape[2]]
    assert np.abs(naive - cut).mean() > 8, "the photo has detail that a plain subsampling would alias"


def test_stripes_too_fine_to_show_become_grey():
    stripes = np.zeros((240, 240, 3), np.uint8)
    stripes[:, ::2] = 255
    shown = prepare(face_of(stripes, CORNERS), replace(PLAIN, size_hw=(20, 20), crop="image"))
    np.testing.assert_allclose(shown.x[:, 1:-1, 1:-1], 127.5, atol=1)


def test_beyond_the_photo_the_border_is_repeated():
    image = np.full((50, 50, 3), 200, np.uint8)
    shown = prepare(face_of(image, [[-30.0, -30.0], [20.0, 20.0]]), replace(PLAIN, margin=0.5))
    np.testing.assert_allclose(shown.x, 200, atol=1e-2)


@pytest.mark.parametrize("place", [-500.0, 500.0])
def test_a_crop_wholly_beyond_the_photo_is_its_nearest_corner(place):
    image = smooth_photo()
    shown = prepare(face_of(image, np.array(CORNERS) + place), PLAIN)
    corner = image[0, 0] if place < 0 else image[-1, -1]
    np.testing.assert_allclose(shown.x, np.broadcast_to(corner[:, None, None], shown.x.shape), atol=1e-2)


def test_the_part_of_the_photo_that_is_read_is_enough():
    random = np.random.default_rng(1)
    photo = random.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    matrix = face_matrix(np.array([[90.0, 80.0], [190.0, 180.0]]), replace(PLAIN, size_hw=(16, 16)))
    ours = resample(photo, matrix, (16, 16))
    far = photo.copy()
    far[:40], far[220:], far[:, :50], far[:, 230:] = 0, 0, 0, 0
    np.testing.assert_array_equal(ours, resample(far, matrix, (16, 16)))
    # and all of what it reaches is read: the same from a photo cut on purpose much wider
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ [20, 10]
    np.testing.assert_allclose(ours, resample(photo[10:290, 20:380], shifted, (16, 16)), atol=1e-3)


def test_visible_needs_the_face_and_the_input():
    points = [*CORNERS, [90.0, 80.0], [500.0, 80.0], [90.0, 80.0]]
    face = face_of(smooth_photo(), points, [True] * 5 + [True, False])
    spec = replace(PLAIN, margin=-0.5)
    shown = prepare(face_of(smooth_photo(), points), replace(spec, crop="image"))
    assert shown.visible.tolist() == [True, True, False, False, True, False, True]
    assert prepare(face, replace(spec, crop="image")).visible.tolist()[-1] is False


@pytest.mark.parametrize(
    ("xy", "expected"),
    [((-0.5, -0.5), True), ((-0.51, 3), False), ((3, -0.51), False), ((9.5, 4.5), True), ((9.51, 3), False)],
)
def test_the_edge_of_the_input(xy, expected):
    assert inside(np.array([xy], float), (5, 10)).tolist() == [expected]


def test_the_edge_distinguishes_x_and_y():
    assert inside(np.array([[8.0, 2.0], [2.0, 8.0]]), (5, 10)).tolist() == [True, False]


def test_nothing_of_the_face_is_changed():
    face = face_of(smooth_photo(), CORNERS)
    before = face.image.copy(), face.vertices_xy.copy(), face.visible.copy()
    for array in (face.image, face.vertices_xy, face.visible):
        array.setflags(write=False)
    prepare(face, PLAIN)
    for was, now in zip(before, (face.image, face.vertices_xy, face.visible), strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("vertices", [[[5.0, 5.0], [5.0, 5.0]], [[np.nan, 1.0], [3.0, 4.0]]])
def test_a_face_without_area_is_refused(vertices):
    with pytest.raises(AlignmentError, match="finite vertices that span an area"):
        prepare(face_of(smooth_photo(), vertices), PLAIN)


@given(
    shift=st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
    scale=st.floats(0.3, 3),
    margin=st.floats(-0.5, 2),
    size_hw=st.tuples(st.integers(8, 64), st.integers(8, 64)),
)
def test_a_moved_or_scaled_face_is_seen_alike(shift, scale, margin, size_hw):
    spec = replace(PLAIN, margin=margin, size_hw=size_hw)
    xy = np.array([[10.0, 20.0], [70.0, 25.0], [35.0, 90.0]])
    moved = xy * scale + np.array(shift)

    def seen(points):
        matrix = face_matrix(points, spec)
        return points @ matrix[:, :2].T + matrix[:, 2]

    np.testing.assert_allclose(seen(moved), seen(xy), atol=1e-6)
    centre = (seen(xy).min(axis=0) + seen(xy).max(axis=0)) / 2
    np.testing.assert_allclose(centre, [(size_hw[1] - 1) / 2, (size_hw[0] - 1) / 2], atol=1e-6)


def test_grey_and_bgr_and_normalisation():
    image = np.zeros((20, 20, 3), np.uint8)
    image[...] = (200, 100, 50)
    face = face_of(image, [[2.0, 2.0], [17.0, 17.0]])
    bgr = prepare(face, replace(PLAIN, colour="bgr", mean=(1.0, 2.0, 3.0), std=(2.0,))).x
    np.testing.assert_allclose(bgr[:, 5, 5], [24.5, 49, 98.5], atol=1e-3)
    grey = prepare(face, replace(PLAIN, colour="grey")).x
    np.testing.assert_allclose(grey[:, 5, 5], [0.299 * 200 + 0.587 * 100 + 0.114 * 50], atol=1e-3)
    assert grey.shape == (1, 48, 48)
    assert grey.dtype == np.float32
