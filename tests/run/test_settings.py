"""Choices: presets, defaults, and refusals in words."""

import json
import subprocess
import sys

import pytest

from canonface.confidence import ClassConfidence
from canonface.errors import OptionError
from canonface.explanation import Settings, make_settings
from canonface.occluders import Square
from canonface.types import InputSpec


def test_the_papers_preset_follows_the_paper():
    paper = make_settings("paper")
    assert (paper.fill, paper.unseen, paper.confidence, paper.normalise) == (
        "black",
        "zero",
        "probability",
        True,
    )


def test_an_option_replaces_the_presets_and_none_keeps_it():
    assert make_settings("paper", fill="blur", patch=None, target=None).fill == "blur"
    assert make_settings(target="happy").target == "happy"
    assert make_settings() == Settings()


def test_settings_describe_what_decides_a_map():
    described = make_settings("paper", target="happy", patch=9).describe()
    assert json.loads(json.dumps(described)) == {
        "confidence": {"name": "probability", "target": "happy"},
        "occluder": {"name": "square", "patch": 9, "fill": "black"},
        "stride": 1,
        "spacing": None,
        "normalise": True,
        "unseen": "zero",
        "canonical_patch": "equation",
    }


def test_objects_take_the_place_of_names():
    square, confidence_fn = Square(7, "blur"), ClassConfidence("happy", "logit")
    made = make_settings("paper", occluder=square, confidence=confidence_fn)
    assert made.occluder_fn() is square
    assert made.confidence_fn() is confidence_fn
    with pytest.raises(OptionError, match="holds its own target"):
        make_settings(confidence=confidence_fn, target="sad")
    with pytest.raises(OptionError, match="holds its own patch and fill"):
        make_settings(occluder=square, patch=3)


def test_numbers_of_numpy_are_numbers():
    """In a process of its own: here the annotations themselves would refuse them."""
    code = (
        "import json, dataclasses, numpy as np; from canonface.run import make_settings\n"
        "made = make_settings(target=np.int64(1), patch=np.float32(5), stride=np.int64(40))\n"
        "print(json.dumps(dataclasses.asdict(made)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    assert (made["target"], made["patch"], made["stride"]) == (1, 5.0, 40)


def test_a_patch_larger_than_the_input_is_refused():
    with pytest.raises(OptionError, match="at most the input's height, 64"):
        Settings(patch=65).occluder_fn().check(InputSpec(size_hw=(64, 64)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_settings("papr"), "did you mean 'paper'"),
        (lambda: make_settings(pathc=3), "did you mean 'patch'"),
        (lambda: make_settings(fill="grey"), "A fill is one of"),
        (lambda: make_settings(confidence="softmax"), "A confidence has a known name"),
        (lambda: make_settings(unseen="never"), "unseen is 'omit' or 'zero'"),
        (lambda: make_settings(stride=0), "stride is a whole number"),
        (lambda: make_settings(patch=0.2), "at least 1 pixel"),
    ],
)
def test_what_cannot_be_used_is_refused(call, words):
    with pytest.raises(OptionError, match=words):
        call()
