"""Pose bins: nine names, soft membership by hand and against the slow replica."""

import numpy as np
import pytest
import slow_confidences as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.confidence import POSE_BINS, CleanPrediction, PoseBinConfidence, pose_bin
from canonface.confidence.pose_bins import pose_memberships
from canonface.errors import OptionError, TargetError

POSE = ("yaw", "pitch", "roll")


def bind(target, poses, labels=None, names=POSE, **options):
    poses = np.asarray(poses, np.float32)
    bound = PoseBinConfidence(target, **options).bind(
        CleanPrediction(poses[:1], "values", names, labels or {})
    )
    return bound, bound(poses)


@pytest.mark.parametrize(
    ("yaw", "pitch", "name"),
    [
        (0, 0, "front-level"),
        (-40, -20, "right-down"),
        (40, 20, "left-up"),
        (15, 10, "left-up"),
        (14.9, 9.9, "front-level"),
        (-15, -10, "front-level"),
        (-15.1, 0, "right-level"),
        (0, -89, "front-down"),
    ],
)
def test_names(yaw, pitch, name):
    assert pose_bin(yaw, pitch) == name


def test_there_are_nine_and_left_is_the_subjects():
    assert len(set(POSE_BINS)) == 9
    # Pose: yaw is positive towards the subject's left.
    assert pose_bin(30, 0) == "left-level"


def test_edges_are_an_option():
    assert pose_bin(20, 0, yaw_edges=(-30, 30)) == "front-level"
    assert pose_bin(0, 12, pitch_edges=(-20, 20)) == "front-level"


@settings(deadline=None)
@given(yaw=st.floats(-90, 90), pitch=st.floats(-90, 90), sigma=st.floats(0.5, 30))
def test_memberships_equal_the_slow_replica_and_sum_to_one(yaw, pitch, sigma):
    got = pose_memberships(np.array([[yaw, pitch]]), (-15.0, 15.0), (-10.0, 10.0), sigma)
    expected = slow.pose_memberships(yaw, pitch, (-15, 15), (-10, 10), sigma)
    np.testing.assert_allclose(got[0], expected, atol=1e-12)
    assert got.sum() == pytest.approx(1.0)


def test_near_one_inside_and_a_half_on_an_edge():
    _, got = bind("left-level", [[60, 0, 0], [15, 0, 0], [-60, 0, 0]], sigma=1.0)
    np.testing.assert_allclose(got, [1.0, 0.5, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    ("target", "labels", "expected"),
    [
        ("predicted", {}, "right-up"),
        ("Front-Level", {}, "front-level"),
        ("label:view", {"view": "left-down"}, "left-down"),
    ],
)
def test_a_target_in_each_form(target, labels, expected):
    bound, _ = bind(target, [[-30, 25, 0]], labels)
    assert (bound.target, bound.unit) == (expected, f"membership of {expected}")


def test_turning_away_is_a_positive_drop():
    _, got = bind("predicted", [[-30, 0, 0], [-40, 0, 0], [5, 0, 0]])
    assert got[0] - got[2] > 0.9
    assert got[0] - got[1] < 0


def test_outputs_by_index():
    bound, _ = bind("predicted", [[0, 25, -30]], names=(), yaw=2, pitch=1)
    assert bound.target == "right-up"


def test_errors():
    with pytest.raises(OptionError, match="finite angles"):
        pose_bin(np.nan, 0.0)
    with pytest.raises(OptionError, match="edges of bins rise"):
        pose_bin(0.0, 0.0, yaw_edges=(10, -10))
    with pytest.raises(OptionError, match="sigma is a number of degrees above 0"):
        PoseBinConfidence(sigma=0.0)
    with pytest.raises(TargetError, match=r"no pose bin 'left-leve': did you mean 'left-level'"):
        PoseBinConfidence("left-leve")
    with pytest.raises(TargetError, match="no pose bin '3'"):
        PoseBinConfidence("3")
    with pytest.raises(
        OptionError, match=r"this model returns logits.*'probability' if its classes are the bins"
    ):
        PoseBinConfidence().check("logits", POSE)
    with pytest.raises(TargetError, match="no output 'yaw'"):
        PoseBinConfidence().check("values", ("age",))
    with pytest.raises(OptionError, match="outputs have no names"):
        bind("predicted", [[0, 0, 0]], names=())
