"""Confidences by name, by package.module:attribute, as objects; what is refused."""

import sys

import pytest

from canonface.confidence import (
    CONFIDENCES,
    PREDICTED,
    BinConfidence,
    ClassConfidence,
    ExpectedValue,
    FunctionConfidence,
    PoseBinConfidence,
    ValueConfidence,
    describe_confidence,
    make_confidence,
)
from canonface.errors import OptionError, TargetError

OWN = """
import numpy as np
from canonface.confidence import ClassConfidence, ValueConfidence

def nearness(original, occluded):
    return -np.abs(occluded - original).sum(axis=1)

class Scored(ValueConfidence):
    def describe(self):
        return {"name": "scored"}

happy = ClassConfidence("happy", "log-odds")
number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a module into the current directory, which is on no path."""
    (tmp_path / "own_confidences.py").write_text(OWN)
    (tmp_path / "broken_confidences.py").write_text("1 / 0")
    (tmp_path / "needy_confidences.py").write_text("import not_there_at_all")
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("own_confidences", "broken_confidences", "needy_confidences"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("probability", None, ClassConfidence(PREDICTED)),
        ("logit", 3, ClassConfidence(3, "logit")),
        ("expected-value", None, ExpectedValue()),
        ("expected-distance", None, ExpectedValue("distance")),
        ("value", "yaw", ValueConfidence("yaw")),
        ("value-distance", None, ValueConfidence(None, "distance")),
        ("age-bin", None, BinConfidence()),
        ("age-bin", "label:age", BinConfidence(target="label:age")),
        ("age-bin", 35, BinConfidence(target="35")),
        ("pose-bin", "left-up", PoseBinConfidence("left-up")),
    ],
)
def test_by_name(name, target, expected):
    assert make_confidence(name, target) == expected


@pytest.mark.parametrize("name", CONFIDENCES)
def test_a_name_equals_the_name_in_the_description(name):
    assert make_confidence(name).describe()["name"] == name


@pytest.mark.usefixtures("own")
def test_by_attribute():
    path = list(sys.path)
    confidence = make_confidence("own_confidences:nearness")
    assert isinstance(confidence, FunctionConfidence)
    assert confidence.describe()["function"] == "own_confidences:nearness"
    assert make_confidence("own_confidences:happy") == ClassConfidence("happy", "log-odds")
    assert make_confidence("own_confidences:ClassConfidence") == ClassConfidence()
    assert make_confidence("own_confidences:ValueConfidence", "yaw") == ValueConfidence("yaw")
    assert sys.path == path


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("own_confidences:nearnes", None, r"no attribute 'nearnes': did you mean 'nearness'"),
        ("own_confidences:number", None, "an object with the methods of .*; got 3"),
        ("own_confidences:happy", "sad", "holds its own target; got target='sad'"),
        ("own_confidences:nearness", "sad", "holds its own target; got target='sad'"),
        ("no_such_module:f", None, "There is no module 'no_such_module'"),
        ("canonface.no_such_part:f", None, "There is no module 'canonface.no_such_part'"),
        ("broken_confidences:f", None, "broken_confidences fails while it is imported: ZeroDivisionError"),
        ("needy_confidences:f", None, "needy_confidences needs the module 'not_there_at_all'"),
        ("age_bin", None, r"has a known name.*did you mean 'age-bin'"),
        ("recognition", None, r"takes more than a name: give .*RecognitionConfidence\(gallery\)"),
        ("verification", None, "VerificationConfidence"),
        ("expected-value", "30", "all classes together; got target='30'"),
    ],
)
def test_what_is_refused(text, target, message):
    with pytest.raises(OptionError, match=message):
        make_confidence(text, target)


def test_a_target_that_does_not_exist_is_refused_at_once():
    for name, target in (("age-bin", "30-40"), ("pose-bin", "up")):
        with pytest.raises(TargetError, match="There is no"):
            make_confidence(name, target)


def test_an_object_is_returned_unchanged():
    confidence = ValueConfidence("yaw")
    assert make_confidence(confidence) is confidence
    with pytest.raises(OptionError, match="holds its own target"):
        make_confidence(confidence, "pitch")


def test_a_plain_function_is_a_confidence():
    def highest(original, occluded):
        return occluded.max(axis=1)

    assert make_confidence(highest) == FunctionConfidence(highest)
    with pytest.raises(OptionError, match="holds its own target"):
        make_confidence(highest, "yaw")
    with pytest.raises(OptionError, match="or an object with the methods"):
        make_confidence(ValueConfidence)


@pytest.mark.usefixtures("own")
def test_a_users_class_is_distinguished_by_its_state():
    yaw, pitch = (make_confidence("own_confidences:Scored", name) for name in ("yaw", "pitch"))
    assert yaw.describe() == pitch.describe()
    assert describe_confidence(yaw) != describe_confidence(pitch)
    assert describe_confidence(yaw) == describe_confidence(make_confidence("own_confidences:Scored", "yaw"))
    happy = make_confidence("own_confidences:happy")
    assert describe_confidence(happy) == happy.describe()
