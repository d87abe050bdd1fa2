"""Measured values: signed change of one, distance of one or of all."""

import numpy as np
import pytest

from canonface.confidence import CleanPrediction, ValueConfidence
from canonface.errors import OptionError, TargetError

POSE = ("yaw", "pitch", "roll")
OUTPUTS = np.array([[10.0, 0.0, 5.0], [13.0, 4.0, 5.0], [-2.0, 0.0, 5.0]], np.float32)


def predict(confidence, names=POSE, outputs=OUTPUTS):
    bound = confidence.bind(CleanPrediction(outputs[:1], "values", names))
    return bound, bound(outputs)


@pytest.mark.parametrize("target", ["yaw", "YAW", 0, "0"])
def test_the_change_of_one_output_is_signed(target):
    bound, got = predict(ValueConfidence(target))
    np.testing.assert_allclose(got, [10, 13, -2])
    np.testing.assert_allclose(got[0] - got, [0, -3, 12])
    assert (bound.target, bound.unit) == ("yaw", "yaw")


def test_the_distance_of_one_output_and_of_all():
    bound, got = predict(ValueConfidence("yaw", "distance"))
    np.testing.assert_allclose(got[0] - got, [0, 3, 12])
    assert bound.unit == "closeness to the original yaw"
    # A 3-4-5 triangle in yaw and pitch.
    bound, got = predict(ValueConfidence(form="distance"))
    np.testing.assert_allclose(got[0] - got, [0, 5, 12])
    assert (bound.target, bound.unit) == ("yaw, pitch, roll", "closeness to the original value")


def test_a_single_output_needs_no_name():
    bound, got = predict(ValueConfidence(), names=(), outputs=OUTPUTS[:, :1])
    np.testing.assert_allclose(got, [10, 13, -2])
    assert (bound.target, bound.unit) == ("output 0", "value")


def test_errors():
    with pytest.raises(OptionError, match="form is one of"):
        ValueConfidence(form="signed")
    with pytest.raises(OptionError, match="'value' is about measured values, and this model returns logits"):
        ValueConfidence().check("logits", POSE)
    with pytest.raises(TargetError, match=r"measures 3 values: name one of them.*yaw, pitch, roll"):
        ValueConfidence().check("values", POSE)
    with pytest.raises(OptionError, match="an index from 0 to 2"):
        predict(ValueConfidence(), names=())
    with pytest.raises(TargetError, match=r"no output 'jaw': did you mean 'yaw'"):
        ValueConfidence("jaw").check("values", POSE)
    for target in (3, -1, "yaw"):
        with pytest.raises(OptionError, match="an index from 0 to 2"):
            predict(ValueConfidence(target), names=())
