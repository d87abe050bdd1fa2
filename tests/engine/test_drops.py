"""Refusals of `canonface.engine.drops`, with their messages."""

import jaxtyping
import numpy as np
import pytest
import torch
from torch import nn

from canonface.engine import drops
from canonface.errors import OptionError, TargetError

X, POINTS = torch.rand(3, 12, 10, generator=torch.Generator().manual_seed(0)), [(4, 5), (7, 2)]


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.fixture
def unchecked(monkeypatch):
    """Switch off type checks, which run in tests only."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("centres_xy", (4, 5), r"points of shape \(n, 2\); got shape \(2,\)"),
        ("centres_xy", [(4, 5, 6)], r"points of shape \(n, 2\); got shape \(1, 3\)"),
        ("centres_xy", [(4, 5), (6,)], "centres_xy is made of numbers"),
        ("patch", "15", "patch is made of numbers; got '15'"),
        ("patch", (7, 7), r"patch is one number, a side in pixels; got shape \(2,\)"),
        ("fill", "blur", "fill is made of numbers; got 'blur'"),
        ("fill", np.nan, "fill holds NaN or infinity"),
        ("fill", np.array(["a", "b"]), "fill is made of numbers"),
        ("engine", None, "An engine has a known name; got None"),
        ("batch", 1.5, "a whole number of images, at least 1; got 1.5"),
        ("target", "happy", "one of 5 classes, counted from 0; got 'happy'"),
        ("target", 1.5, "one of 5 classes, counted from 0; got 1.5"),
        ("x", torch.where(X[0, 0, 0] == X, torch.nan, X), "x holds NaN or infinity"),
        ("module", lambda batch: batch, r"module is a torch\.nn\.Module; got a function"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_an_option_that_makes_no_sense_is_named(net, option, value, words):
    given = {"module": net, "x": X, "centres_xy": POINTS, "patch": 3} | {option: value}
    with pytest.raises(TargetError if option == "target" else OptionError, match=words):
        drops(**given)


def test_no_points_have_no_drops(net):
    assert drops(net, X, [], 3).shape == (0,)


@pytest.mark.parametrize("fill", [1, np.array(1), torch.tensor(1.0), np.ones((3, 1, 1), dtype=np.uint8)])
def test_a_fill_is_a_number_of_any_kind(net, fill):
    np.testing.assert_array_equal(drops(net, X, POINTS, 3, fill), drops(net, X, POINTS, 3, 1.0))
