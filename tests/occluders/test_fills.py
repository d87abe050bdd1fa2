"""What each fill puts into the boxes, in the model's own values."""

import numpy as np
import pytest

from canonface.errors import OptionError
from canonface.occluders import FILLS, Square, default_patch, filler
from canonface.types import InputSpec

IMAGENET = InputSpec(size_hw=(8, 8), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
PLAIN = InputSpec(size_hw=(8, 8))
BGR = InputSpec(size_hw=(8, 8), colour="bgr", scale=1, mean=(1.0, 2.0, 3.0), std=(2.0,))
GREY = InputSpec(size_hw=(8, 8), colour="grey", scale=1 / 127.5, mean=(1.0,))


def an_input(spec, seed=0):
    rgb = np.random.default_rng(seed).uniform(0, 255, size=(8, 8, 3))
    return spec.from_pixels(rgb)


@pytest.mark.parametrize("spec", [IMAGENET, PLAIN, BGR, GREY])
@pytest.mark.parametrize("fill", [*FILLS, "#102030"])
class TestEveryFill:
    def test_it_broadcasts_to_the_input_and_leaves_it_alone(self, fill, spec):
        x = an_input(spec)
        before = x.copy()
        got = filler(fill, x, spec, 3)
        assert np.broadcast_to(got, x.shape).shape == x.shape
        assert got.dtype == np.float32
        assert np.isfinite(got).all()
        np.testing.assert_array_equal(x, before)


def test_black_is_pixel_value_zero_in_every_normalisation():
    for spec in (IMAGENET, PLAIN, BGR, GREY):
        shown = spec.to_pixels(
            np.broadcast_to(filler("black", an_input(spec), spec, 3), (spec.channels, 2, 2))
        )
        assert shown.max() == 0


def test_a_colour_is_rgb_whatever_the_order_of_the_channels():
    for spec in (IMAGENET, PLAIN, BGR):
        shown = spec.to_pixels(np.broadcast_to(filler("#ff8000", an_input(spec), spec, 3), (3, 1, 1)))
        assert shown[0, 0].tolist() == [255, 128, 0]


def test_mean_is_zero_after_normalisation_or_else_the_mean_of_the_input():
    assert not filler("mean", an_input(IMAGENET), IMAGENET, 3).any()
    x = an_input(PLAIN)
    np.testing.assert_allclose(filler("mean", x, PLAIN, 3)[:, 0, 0], x.mean(axis=(1, 2)), rtol=1e-6)


def test_blur_keeps_the_mean_of_a_flat_input_and_smooths_a_point():
    x = np.zeros((3, 31, 31), np.float32)
    x[:, 15, 15] = 1
    got = filler("blur", x, PLAIN, 4)
    assert got.shape == x.shape
    np.testing.assert_allclose(got.sum(), 3, rtol=1e-4)
    # a Gaussian of sigma 2: centre 1/(2 pi 4)
    assert got[0, 15, 15] == pytest.approx(1 / (8 * np.pi), rel=0.03)
    assert filler("blur", x[:1], GREY, 4).shape == (1, 31, 31)


def test_unknown_fill_and_patch_are_refused_in_words():
    with pytest.raises(OptionError, match=r"did you mean 'black'\?.*Known: mean, black, blur"):
        Square(3, "balck")
    with pytest.raises(OptionError, match="at least 1 pixel"):
        Square(0)
    with pytest.raises(OptionError, match="at least 1 pixel"):
        Square(float("nan"))


def test_the_default_patch_is_15_pixels_a_sixth_of_small_inputs_and_grows_with_large_ones():
    assert [default_patch(h) for h in (8, 32, 64, 112, 160, 224, 448)] == [3, 5, 11, 15, 15, 15, 29]
