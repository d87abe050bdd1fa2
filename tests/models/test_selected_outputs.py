"""Selection of one output out of several."""

import pytest

from canonface.errors import OptionError
from canonface.models.outputs import select_output


@pytest.mark.parametrize(
    ("predictions", "output", "picked"),
    [
        ({1: "a", 0: "b"}, 1, "a"),
        ({1: "a", 0: "b"}, "1", "a"),
        ({1: "a", 0: "b"}, "0", "b"),
        ({"1": "a", "0": "b"}, 1, "a"),
        ({1: "a", "1": "b"}, 1, "a"),
        ({1: "a", "1": "b"}, "1", "b"),
        ({"x": "a", "y": "b"}, 1, "b"),
        ({7: "a", 8: "b"}, "1", "b"),
        (("a", "b"), "1", "b"),
    ],
)
def test_a_key_goes_before_its_text_and_both_before_a_position(predictions, output, picked):
    assert select_output("toy", predictions, output) == picked


@pytest.mark.parametrize("output", [2, "2", -1, "-1", "\u00b2"])
def test_any_other_name_is_refused(output):
    with pytest.raises(OptionError, match="by name or position; got"):
        select_output("toy", {1: "a", 0: "b"}, output)
