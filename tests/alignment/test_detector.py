"""Detector, squares and crops against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonface.alignment.detector import (
    Detection,
    Detector,
    anchors,
    decode,
    deduplicate,
    fallback_views,
    overlap,
    suppress,
    whole_view,
)
from canonface.alignment.landmarks import Landmarker, crop_of_detection, crop_of_landmarks
from canonface.alignment.square_crop import SquareCrop


def detection(box, score):
    return Detection(np.array(box, dtype=float), np.zeros((6, 2)), score)


def test_anchors_are_cell_centres_two_then_six_per_cell():
    found = anchors()
    assert found.shape == (896, 2)
    assert np.allclose(found[:4], [[1 / 32, 1 / 32]] * 2 + [[3 / 32, 1 / 32]] * 2)  # x runs first
    assert np.allclose(found[32], [1 / 32, 3 / 32])
    assert np.allclose(found[512:518], 1 / 16)
    assert np.allclose(found[-1], 15 / 16)


def test_decoding_one_row():
    row = np.zeros((1, 16))
    row[0, :4] = [12.8, -12.8, 25.6, 51.2]  # centre x, y off the anchor; width, height
    row[0, 4:6] = [6.4, 0]
    found = decode(row, np.array([0.0]), np.array([[0.5, 0.5]]), min_score=0.5)
    assert found[0].score == 0.5
    assert np.allclose(found[0].box_xyxy, [0.5, 0.2, 0.7, 0.6])
    assert np.allclose(found[0].keypoints_xy[0], [0.55, 0.5])
    assert decode(row, np.array([-0.01]), np.array([[0.5, 0.5]]), min_score=0.5) == []


def test_extreme_logits_do_not_overflow():
    rows, centres = np.zeros((2, 16)), np.zeros((2, 2))
    assert [d.score for d in decode(rows, np.array([-1e30, 1e30]), centres, 0.5)] == [1.0]


def test_overlap_by_hand():
    a, b = np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])
    assert overlap(a, b) == pytest.approx((2 / 6, 2 / 4))
    assert overlap(a, a + 5) == (0, 0)


def test_suppression_is_the_weighted_mean_of_a_group():
    group = [detection([0, 0, 10, 10], 0.9), detection([1, 0, 11, 10], 0.6)]
    other = detection([50, 50, 60, 60], 0.7)
    merged, alone = suppress([group[1], other, group[0]])
    assert merged.score == 0.9
    assert np.allclose(merged.box_xyxy, [0.4, 0, 10.4, 10])
    assert np.allclose(alone.box_xyxy, other.box_xyxy)


def test_a_face_in_two_views_counts_once():
    best, again = detection([0, 0, 10, 10], 0.9), detection([1, 1, 11, 11], 0.8)
    half, other = detection([0, 0, 4, 4], 0.7), detection([20, 0, 30, 10], 0.6)
    assert deduplicate([half, again, other, best]) == [best, other]


@pytest.mark.parametrize(("height", "width"), [(480, 640), (100, 3000), (500, 500), (4000, 90)])
def test_tiles_cover_the_photo(height, width):
    views = list(fallback_views(height, width))
    assert whole_view(height, width).side == max(height, width)
    for share in (0.6, 0.4, 0.25):
        tiles = [v for v in views if v.side == pytest.approx(share * max(height, width))]
        corners = np.array([v.to_photo(np.array([[0.0, 0], [1, 1]])) for v in tiles])
        rng = np.random.default_rng(0)
        points = rng.uniform([-0.5, -0.5], [width - 0.5, height - 0.5], size=(300, 2))
        within = (points[:, None] >= corners[:, 0] - 1e-6) & (points[:, None] <= corners[:, 1] + 1e-6)
        assert within.all(axis=2).any(axis=1).all()
        assert len(tiles) <= 25


def test_detections_are_in_photo_pixels():
    seen = []

    def network(x):
        seen.append(x)
        regressors, logits = np.zeros((1, 896, 16), np.float32), np.full((1, 896, 1), -9, np.float32)
        regressors[0, 0, 2:4] = 64  # half the view wide and high, about the first anchor
        logits[0, 0] = 9
        return {"regressors": regressors, "classificators": logits}

    photo = np.full((200, 400, 3), 255, dtype=np.uint8)
    [found] = Detector(network)(photo, whole_view(200, 400))
    # The view is 400 x 400 about the photo, 100 rows of black above it; the anchor lies at 1/32 of it.
    assert np.allclose(found.box_xyxy, [12.5 - 100.5, 12.5 - 200.5, 12.5 + 99.5, 12.5 - 0.5])
    assert seen[0].shape == (1, 128, 128, 3)
    assert seen[0][0, :31].max() == -1  # black beyond the photo
    assert seen[0][0, 34:94].min() == 1


# --- squares --------------------------------------------------------------------------------------


def test_square_coordinates_are_clockwise_and_start_at_the_edges():
    straight = SquareCrop((10.0, 20.0), 8.0)
    assert np.allclose(
        straight.to_photo(np.array([[0.0, 0], [1, 0], [0.5, 0.5]])), [[6, 16], [14, 16], [10, 20]]
    )
    turned = SquareCrop((10.0, 20.0), 8.0, np.pi / 2)
    # Its top edge runs downwards, so its left upper corner is the picture's right upper one.
    assert np.allclose(turned.to_photo(np.array([[0.0, 0], [1, 0]])), [[14, 16], [14, 24]])


def test_sampling_a_square_of_whole_pixels_copies_them():
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    # Pixels 10..25 reach from 9.5 to 25.5.
    assert (SquareCrop((17.5, 19.5), 16.0).sample(photo, 16) == photo[12:28, 10:26]).all()
    turned = SquareCrop((17.5, 19.5), 16.0, np.pi / 2).sample(photo, 16)
    assert (turned == np.rot90(photo[12:28, 10:26])).all()


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_averages_areas(factor):
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (32 * factor, 32 * factor, 3), dtype=np.uint8)
    blocks = photo.reshape(32, factor, 32, factor, 3).mean(axis=(1, 3))
    found = whole_view(*photo.shape[:2]).sample(photo, 32)
    assert np.abs(found - blocks).max() <= 1


@given(
    st.floats(30, 70),
    st.floats(30, 70),
    st.floats(10, 200),
    st.floats(-np.pi, np.pi),
    st.sampled_from([16, 32]),
)
def test_sampled_pixels_lie_at_the_positions_of_to_photo(x, y, side, angle, size):
    """Sample a photo whose values are its coordinates: the square's pixels are their own coordinates.

    Values are 2.5 per pixel and rounded at most twice, so an error of half a pixel would show.
    """
    columns, rows = np.meshgrid(np.arange(100), np.arange(100))
    photo = np.stack([columns, rows, np.zeros_like(rows)], axis=2) * 2.5
    photo = np.rint(photo).astype(np.uint8)
    square = SquareCrop((x, y), side, angle)
    steps = (np.arange(size) + 0.5) / size
    where = square.to_photo(np.stack(np.meshgrid(steps, steps), axis=-1))
    step = max(side / size, 1)
    inner = ((where > 2 * step) & (where < 99 - 2 * step)).all(axis=2)
    found = square.sample(photo, size)[:, :, :2] / 2.5
    assert np.abs(found - where)[inner].max(initial=0) < 0.48


def test_outside_the_photo_is_the_border_or_the_given_value():
    photo = np.full((20, 20, 3), 200, dtype=np.uint8)
    far = SquareCrop((10.0, 10.0), 80.0)
    assert (far.sample(photo, 40) == 200).all()
    assert far.sample(photo, 40, outside=7)[0, 0].tolist() == [7, 7, 7]
    assert not far.is_within(photo)
    assert SquareCrop((9.5, 9.5), 20.0).is_within(photo)
    assert not SquareCrop((9.5, 9.5), 20.0, 0.3).is_within(photo)


# --- crops and landmarks --------------------------------------------------------------------------


def test_crops_are_one_and_a_half_boxes_with_level_eyes():
    points = np.zeros((6, 2))
    points[0], points[1] = (30, 50), (50, 70)  # the subject's right eye at smaller x; eyes fall to the right
    crop = crop_of_detection(Detection(np.array([20.0, 40, 60, 100]), points, 0.9))
    assert crop == SquareCrop((40.0, 70.0), 90.0, np.pi / 4)
    xy = np.full((478, 2), 50.0)
    xy[33], xy[263], xy[0] = (30, 50), (70, 50), (50, 110)
    assert crop_of_landmarks(xy) == SquareCrop((50.0, 80.0), 90.0, 0.0)


def fake_landmarks(presence_logit):
    """Return a network that puts all points at one place of the crop: 3/4 across, half down, one pixel deep."""

    def network(x):
        points = np.tile(np.array([192, 128, 1], np.float32), 478).reshape(1, 1, 1, 1434)
        return {"Identity": points, "Identity_1": np.full((1, 1, 1, 1), presence_logit, np.float32)}

    return network


def test_points_are_in_photo_pixels():
    photo = np.zeros((100, 100, 3), dtype=np.uint8)
    found = Landmarker(fake_landmarks(0.0))(photo, SquareCrop((50.0, 40.0), 64.0))
    assert np.allclose(found.xy, [66, 40])
    assert np.allclose(found.depth, 64 / 256)
    assert found.presence == 0.5


@pytest.mark.parametrize("shift", [0.0, 40.0])
def test_a_face_refused_at_the_border_is_tried_again_on_black(shift):
    """Accept a face refused with repeated border pixels only if the points on black are the same."""
    grid = np.random.default_rng(0).uniform(60, 190, (478, 3)).astype(np.float32)

    def network(x):
        on_black = bool((x[0, 0, 0] == 0).all())
        points = grid + np.float32(shift if on_black else 0)
        return {
            "Identity": points.reshape(1, 1, 1, 1434),
            "Identity_1": np.full((1, 1, 1, 1), 5.0 if on_black else -5.0, np.float32),
        }

    photo = np.full((100, 100, 3), 255, dtype=np.uint8)
    eyes = np.zeros((6, 2))
    eyes[1] = (1, 0)
    at_border = Detection(np.array([0.0, 0, 95, 95]), eyes, 0.9)
    placed = Landmarker(network).place(photo, at_border, 0.5)
    assert (placed is not None) == (shift == 0)
    inside = Detection(np.array([40.0, 40, 60, 60]), eyes, 0.9)
    assert Landmarker(network).place(photo, inside, 0.5) is None
