"""Transfer of values between meshes: by position, not by index, with a known loss."""

from __future__ import annotations

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.mesh import (
    five_point_mesh,
    frontal_alignment,
    load_mesh,
    make_mesh,
    pixel_mesh,
    round_trip_loss,
    transfer,
)

FINE, COARSE, HALO = load_mesh(2), load_mesh(1), load_mesh(1, halo=True)


def smooth(mesh):
    """Return a smooth map with a peak next to the mouth."""
    return np.exp(-((mesh.vertices[:, :2] - (2, -4)) ** 2).sum(axis=1) / 18)


def test_nested_subdivisions_lose_nothing():
    values = smooth(COARSE)
    np.testing.assert_array_equal(transfer(transfer(values, COARSE, FINE), FINE, COARSE), values)
    loss = round_trip_loss(values, COARSE, FINE)
    assert (loss["correlation"], loss["error"], loss["covered"]) == (pytest.approx(1), 0, 1)


def test_a_coarse_mesh_in_between_loses_a_little():
    loss = round_trip_loss(smooth(FINE), FINE, COARSE)
    assert 0.99 < loss["correlation"] < 1
    assert 0 < loss["error"] < 0.1
    assert loss["covered"] == 1


def test_transfer_is_independent_of_vertex_order_and_frame():
    order = np.random.default_rng(0).permutation(len(COARSE.vertices))
    landmarks = {name: [i] for name, i in (("a", 33), ("b", 263), ("c", 1), ("d", 152))}
    here = make_mesh("here", COARSE.vertices, landmarks=landmarks)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    moved = np.column_stack([COARSE.vertices[:, :2] @ turn.T * 3 + (7, 9), COARSE.vertices[:, 2]])
    place = np.argsort(order)
    there = make_mesh("there", moved[order], landmarks={name: place[i] for name, i in landmarks.items()})
    assert frontal_alignment(here, there).scale == pytest.approx(3)
    values = smooth(COARSE)
    np.testing.assert_array_equal(transfer(values, here, there), values[order])


def test_without_shared_landmarks_bounding_boxes_are_matched():
    there = make_mesh("there", COARSE.vertices * 2 + (5, 1, 0))
    values = smooth(COARSE)
    np.testing.assert_array_equal(transfer(values, make_mesh("here", COARSE.vertices), there), values)


def test_nan_values_are_skipped_and_far_vertices_get_nan():
    here = make_mesh("here", np.array([[-4.0, 0, 0], [0, 0, 0], [4, 0, 0]]))
    there = make_mesh("there", np.array([[-4.0, 0, 0], [-3.2, 0, 0], [0.4, 0, 0], [4, 0, 0]]))
    values = np.array([1.0, np.nan, 3.0])
    np.testing.assert_array_equal(transfer(values, here, there), [1, 1, np.nan, 3])
    np.testing.assert_array_equal(transfer(values, here, there, reach=10), [1, 1, 3, 3])


def test_halo_vertices_take_values_from_the_halo_only():
    values = np.where(np.arange(len(HALO.vertices)) < HALO.face_count, 1.0, 5.0)
    np.testing.assert_array_equal(transfer(values, HALO, load_mesh(2, halo=True))[-1], 5.0)
    assert (transfer(values, HALO, COARSE) == 1).all()
    back = transfer(np.ones(len(COARSE.vertices)), COARSE, HALO)
    assert np.isnan(back[HALO.face_count :]).all()


def test_transfer_to_flat_meshes():
    flat = five_point_mesh()
    there = transfer(smooth(flat), flat, COARSE)
    assert 0.2 < np.isfinite(there).mean() <= 1
    assert np.isfinite(transfer(smooth(COARSE), COARSE, pixel_mesh())).any()


def test_a_constant_has_no_correlation():
    loss = round_trip_loss(np.ones(len(COARSE.vertices)), COARSE, load_mesh(0))
    assert np.isnan(loss["correlation"])
    assert 0.99 < loss["covered"] < 1  # level 0 has gaps wider than the reach


def test_a_wrong_number_of_values_raises():
    with pytest.raises(OptionError, match=r"got 468 for the 1833 of 'landmarker-468/1'"):
        transfer(np.zeros(468), COARSE, FINE)
