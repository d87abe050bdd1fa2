from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.errors import OptionError
from canonface.mesh import Canvas, load_mesh


def box_of(xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return xy.min(axis=0), xy.max(axis=0)


def test_x_points_right_and_y_down():
    mesh = load_mesh(0)
    xy = Canvas().project(mesh)
    assert xy.dtype == np.float64
    forehead, chin, right_eye, left_eye = xy[[10, 152, 33, 263]]
    assert forehead[1] < chin[1]
    assert right_eye[0] < left_eye[0]  # the subject's right is at small x
    assert abs(forehead[0] - chin[0]) < 1e-9  # the midline is upright


def test_the_image_is_the_face_box_with_half_the_margin_on_each_side():
    mesh = load_mesh(0)
    low, high = box_of(Canvas(size_hw=(512, 512), margin=0.3).project(mesh))
    # The face is higher than wide, so its height is 1 / 1.3 of the picture, between edges 0 and 512.
    np.testing.assert_allclose(high[1] - low[1], 512 / 1.3)
    np.testing.assert_allclose(low[1] + 0.5, 512 * 0.15 / 1.3)
    np.testing.assert_allclose((low + high) / 2, 255.5)


def test_without_margin_the_face_touches_the_edges():
    low, high = box_of(Canvas(size_hw=(100, 100), margin=0.0).project(load_mesh(0)))
    np.testing.assert_allclose((low[1], high[1]), (-0.5, 99.5))


def test_a_model_input_crop_gives_the_same_image():
    # A photo of the canonical face at 7.3 pixels a centimetre, cropped as models' inputs are: the square box
    # of the vertices with margin, from edge to edge of the input.
    mesh, size, margin = load_mesh(1), 224, 0.3
    photo = mesh.vertices[:, :2] * (7.3, -7.3) + (300.0, 200.0)
    low, high = box_of(photo)
    side = (high - low).max() * (1 + margin)
    corner = (low + high) / 2 - side / 2
    cropped = (photo - corner) / side * size - 0.5
    np.testing.assert_allclose(Canvas((size, size), margin).project(mesh), cropped, atol=1e-9)


@given(st.integers(1, 900), st.integers(1, 900), st.floats(0, 2))
def test_an_oblong_image_shows_the_same_square_centred(height, width, margin):
    mesh, side = load_mesh(0), min(height, width)
    square = Canvas((side, side), margin).project(mesh)
    oblong = Canvas((height, width), margin).project(mesh)
    np.testing.assert_allclose(oblong - ((width - side) / 2, (height - side) / 2), square, atol=1e-9)


@pytest.mark.parametrize("subdivision", [1, 2])
def test_subdivisions_share_the_image(subdivision):
    base = Canvas().project(load_mesh(0))
    np.testing.assert_array_equal(Canvas().project(load_mesh(subdivision))[:468], base)


def test_scale():
    mesh = load_mesh(0)
    canvas = Canvas()
    xy = canvas.project(mesh)
    expected = canvas.pixels_per_unit(mesh) * (mesh.vertices[263, 0] - mesh.vertices[33, 0])
    np.testing.assert_allclose(xy[263, 0] - xy[33, 0], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size_hw": (0, 10)}, "size_hw is"),
        ({"size_hw": (10, -1)}, "size_hw is"),
        ({"margin": -1.0}, "above -1; got -1.0"),
        ({"margin": float("nan")}, "got nan"),
        ({"margin": float("inf")}, "got inf"),
    ],
)
def test_invalid_canvas_options_raise(options, message):
    with pytest.raises(OptionError, match=message):
        Canvas(**options)
