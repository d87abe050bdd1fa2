"""Eq. 9-13 on four-pixel images worked out by hand, and on maps that cannot be used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from canonface import functional as F
from canonface.errors import OptionError

IMAGE = np.array([[[1.0, 0.5, 0.0], [0.8, 0.8, 0.8]], [[0.4, 0.4, 0.4], [1.0, 1.0, 1.0]]])
MAP = np.array([[0.0, 2.0], [4.0, 8.0]])  # normalised: 0, 1/4, 1/2, 1; its sum is 7/4


def test_the_maximum_is_black_and_the_minimum_unchanged():
    expected = [[[1, 0.5, 0], [0.6, 0.6, 0.6]], [[0.2, 0.2, 0.2], [0, 0, 0]]]
    np.testing.assert_allclose(F.negative_explanation(IMAGE, MAP), expected)


def test_a_total_scales_the_normalised_map():
    # 7/8 is half of 7/4: 0, 1/8, 1/4, 1/2
    expected = [[[1, 0.5, 0], [0.7, 0.7, 0.7]], [[0.3, 0.3, 0.3], [0.5, 0.5, 0.5]]]
    np.testing.assert_allclose(F.negative_explanation(IMAGE, MAP, total=7 / 8), expected)
    np.testing.assert_allclose(
        F.negative_explanation(IMAGE, MAP, total=7 / 4), F.negative_explanation(IMAGE, MAP)
    )
    np.testing.assert_array_equal(F.negative_explanation(IMAGE, MAP, total=0), IMAGE)


def test_a_total_beyond_the_maps_own_is_clipped_and_never_wraps():
    # 7/2 is twice 7/4: 0, 1/2, 1, 2: the last pixel would be -1
    expected = [[[1, 0.5, 0], [0.4, 0.4, 0.4]], [[0, 0, 0], [0, 0, 0]]]
    np.testing.assert_allclose(F.negative_explanation(IMAGE, MAP, total=7 / 2), expected)


def test_two_maps_with_one_total_remove_the_same_from_a_white_image():
    white = np.ones((2, 2, 3))
    narrow = np.array([[0.0, 0.0], [0.0, 3.0]])
    taken = [
        3 * 4 - F.negative_explanation(white, attribution, total=1.0).sum() for attribution in (MAP, narrow)
    ]
    np.testing.assert_allclose(taken, [3, 3])


def test_negative_values_are_part_of_the_range():
    # -1 .. 3: 0, 1/4, 1/2, 1
    np.testing.assert_allclose(F.normalised_attribution([[-1.0, 0.0], [1.0, 3.0]]), [[0, 0.25], [0.5, 1]])
    # all negative: -8 .. -4
    np.testing.assert_allclose(F.normalised_attribution([[-8.0, -7.0], [-6.0, -4.0]]), [[0, 0.25], [0.5, 1]])


def test_nan_hides_nothing_and_moves_no_other_pixel():
    scaled = F.normalised_attribution([[np.nan, 2.0], [4.0, 6.0]])
    np.testing.assert_allclose(scaled, [[0, 0], [0.5, 1]])
    np.testing.assert_array_equal(
        F.negative_explanation(IMAGE, [[np.nan, 2.0], [4.0, 6.0]])[0, 0], IMAGE[0, 0]
    )


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, np.nan])
@pytest.mark.parametrize("total", [None, 0.0, 2.0])
def test_a_map_that_prefers_no_pixel_hides_nothing(value, total):
    np.testing.assert_array_equal(F.negative_explanation(IMAGE, np.full((2, 2), value), total), IMAGE)


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e300])
def test_very_small_and_very_large_values_are_scaled(scale):
    np.testing.assert_allclose(
        F.normalised_attribution(np.array([[-1.0, 0.0], [1.0, 1.0]]) * scale), [[0, 0.5], [1, 1]], atol=1e-3
    )


def test_neither_image_nor_map_is_changed():
    image, attribution = IMAGE.copy(), MAP.copy()
    F.negative_explanation(image, attribution, total=3)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(attribution, MAP)


@pytest.mark.parametrize(
    ("image", "attribution", "total", "words"),
    [
        (np.zeros((2, 2, 3), np.uint8), MAP, None, "divide pixels of 0..255 by 255"),
        (IMAGE * 2, MAP, None, r"floats in \[0, 1\]"),
        (IMAGE * np.nan, MAP, None, r"floats in \[0, 1\]"),
        (IMAGE[..., 0], MAP, None, "three colours"),
        (IMAGE, MAP[:1], None, r"got \(1, 2\) for \(2, 2\)"),
        (IMAGE, MAP[None], None, r"shape \(h, w\)"),
        (IMAGE, np.array([[0, 1], [np.inf, 2]]), None, "1 of 4 are infinite"),
        (IMAGE, MAP, -1.0, "not negative; got -1"),
        (IMAGE, MAP, np.nan, "finite"),
    ],
)
def test_invalid_images_maps_and_totals_are_refused(image, attribution, total, words):
    with pytest.raises(OptionError, match=words):
        F.negative_explanation(image, attribution, total)


attributions = hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6) | st.just(np.nan))


@given(attributions, st.floats(0, 50) | st.none())
def test_an_image_stays_an_image_and_grows_no_brighter(attribution, total):
    image = np.linspace(0, 1, 36).reshape(3, 4, 3)
    result = F.negative_explanation(image, attribution, total)
    assert ((result >= 0) & (result <= image + 1e-12)).all()


@given(attributions, st.floats(0.1, 10), st.integers(-5, 5))
def test_scale_and_offset_of_a_map_do_not_matter(attribution, factor, offset):
    # A range far below the offset would drown in rounding.
    if np.isnan(attribution).all() or 0 < np.nanmax(attribution) - np.nanmin(attribution) < 1e-3:
        return
    np.testing.assert_allclose(
        F.normalised_attribution(attribution * factor + offset),
        F.normalised_attribution(attribution),
        atol=1e-6,
    )


def test_average_drop_by_hand():
    # (0.5 - 0.25)/0.5 = 0.5; rises: 0; (0.8 - 0)/0.8 = 1; equal: 0
    assert F.average_drop([0.5, 0.4, 0.8, 0.3], [0.25, 0.9, 0.0, 0.3]) == pytest.approx(37.5)


def test_an_image_with_confidence_zero_counts_as_zero():
    assert F.average_drop([0.0, 1.0], [0.0, 0.5]) == pytest.approx(25)
    assert F.average_drop([0.0], [0.7]) == 0
    assert F.average_drop([5e-324], [0.0]) == 100


def test_a_confidence_that_falls_below_zero_loses_more_than_all():
    assert F.average_drop([0.5], [-0.5]) == pytest.approx(200)


def test_increase_counts_strict_rises():
    assert F.increase_in_confidence([0.5, 0.4, 0.8, 0.3], [0.25, 0.9, 0.0, 0.3]) == 25
    assert F.increase_in_confidence([-1.0, 0.0], [-0.5, 0.0]) == 50


def test_the_larger_drop_wins_and_ties_share():
    hidden = {"a": [0.1, 0.5, 0.5, 0.0], "b": [0.2, 0.4, 0.5, 0.0], "c": [0.3, 0.6, 0.5, 0.9]}
    # a; b; a, b, c a third each; a, b a half each
    rates = F.win_rate(hidden)
    assert rates == pytest.approx(
        {"a": 100 * (1 + 1 / 3 + 1 / 2) / 4, "b": 100 * (1 + 1 / 3 + 1 / 2) / 4, "c": 100 / 12}
    )
    assert sum(rates.values()) == pytest.approx(100)
    assert list(rates) == ["a", "b", "c"]


def test_a_method_alone_wins_always():
    assert F.win_rate({"only": [0.5, 0.9]}) == {"only": 100.0}


@pytest.mark.parametrize("metric", [F.average_drop, F.increase_in_confidence])
@pytest.mark.parametrize(
    ("original", "hidden", "words"),
    [
        ([np.nan, 1.0], [0.5, 0.5], "1 of 2 in 'original' are NaN"),
        ([1.0, 1.0], [0.5, np.inf], "in 'hidden' are NaN or infinite"),
        ([1.0], [0.5, 0.5], r"got \(1,\) and \(2,\)"),
        ([], [], "at least one image"),
        ([[1.0]], [[1.0]], r"shape \(n,\)"),
    ],
)
def test_invalid_confidences_are_refused(metric, original, hidden, words):
    with pytest.raises(OptionError, match=words):
        metric(original, hidden)


def test_a_share_of_a_negative_confidence_is_refused():
    with pytest.raises(OptionError, match="1 of 2 are negative: use a probability"):
        F.average_drop([-0.1, 0.5], [0.0, 0.0])


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ({}, "no method"),
        ({"a": []}, "at least one image"),
        ({"a": [0.1], "b": [0.1, 0.2]}, r"a \(1,\), b \(2,\)"),
        ({"a": [0.1], "b": [np.nan]}, "1 of 1 in 'b' are NaN"),
        ({"a": 0.1}, r"a \(\)"),
    ],
)
def test_methods_with_different_images_are_refused(hidden, words):
    with pytest.raises(OptionError, match=words):
        F.win_rate(hidden)


def test_the_old_names_of_the_attribution_warn():
    with pytest.warns(DeprecationWarning, match="attribution="):
        np.testing.assert_array_equal(F.normalised_attribution(heat=MAP), F.normalised_attribution(MAP))
    with pytest.warns(DeprecationWarning, match="attribution="):
        np.testing.assert_array_equal(
            F.negative_explanation(IMAGE, heat=MAP), F.negative_explanation(IMAGE, MAP)
        )
    with pytest.warns(DeprecationWarning, match="normalised_attribution"):
        assert F.normalised_heat is F.normalised_attribution
