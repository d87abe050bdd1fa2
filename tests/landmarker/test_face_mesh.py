"""Decoding of the face mesh network, tested with toy networks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from canonface.assets import asset_path
from canonface.errors import AssetError
from canonface.landmarker.networks import DETECTOR, LANDMARKS, LiteRTNetwork, face_points, read_networks


@pytest.mark.parametrize(("logit", "presence"), [(0.0, 0.5), (-1e30, 0.0), (1e30, 1.0)])
def test_points_are_shares_of_the_square_and_presence_is_a_probability(logit, presence):
    rows = np.zeros((478, 3), np.float32)
    rows[7] = (64, 256, -32)
    prediction = {
        "Identity": rows.reshape(1, 1, 1, 1434),
        "Identity_1": np.full((1, 1, 1, 1), logit, np.float32),
    }
    points, found = face_points(lambda x: prediction, np.zeros((256, 256, 3), np.float32))
    np.testing.assert_allclose(points[7], (0.25, 1, -0.125))
    assert found == pytest.approx(presence, abs=1e-12)


def test_pickled_networks_return_the_same_outputs():
    networks = read_networks(asset_path("face_landmarker.task"))
    assert set(networks) == {DETECTOR, LANDMARKS}
    network = LiteRTNetwork(networks[LANDMARKS])
    grey = np.full((256, 256, 3), 0.5, np.float32)
    points, presence = face_points(network, grey)
    assert presence < 0.5
    again, _ = face_points(pickle.loads(pickle.dumps(network)), grey)
    np.testing.assert_array_equal(points, again)


def test_a_damaged_network_raises():
    with pytest.raises(AssetError, match=r"LiteRT rejected one of 9 bytes.*Reinstall canonface"):
        LiteRTNetwork(b"no tflite")(np.zeros((1, 2), np.float32))


def test_a_file_that_is_not_a_bundle_raises(tmp_path):
    (tmp_path / "text.task").write_text("no archive")
    with pytest.raises(AssetError, match=r"a zip archive of \.tflite networks"):
        read_networks(tmp_path / "text.task")
