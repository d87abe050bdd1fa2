"""Eq. 1-6 as pure functions: values by hand, the slow replica, laws."""

import algorithm1
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface import functional as F
from canonface.errors import OptionError


def test_box_of_an_odd_patch_is_centred():
    np.testing.assert_array_equal(F.occlusion_boxes(np.array([[10, 20]]), 5, (40, 30)), [[8, 18, 13, 23]])


def test_box_of_an_even_patch_leans_right_and_down():
    # floor(10 - 2) + 1 = 9: pixels 9, 10, 11, 12
    np.testing.assert_array_equal(F.occlusion_boxes(np.array([[10.0, 10.0]]), 4, (40, 40)), [[9, 9, 13, 13]])


def test_box_of_a_fractional_patch_rounds_only_the_pixel_count():
    # floor(10.2 - 2.7) + 1 = 8; round(5.4) = 5
    np.testing.assert_array_equal(F.occlusion_boxes(np.array([[10.2, 3.0]]), 5.4, (40, 40)), [[8, 1, 13, 6]])


def test_box_is_clipped_at_the_border_and_never_shifted():
    boxes = F.occlusion_boxes(np.array([[0.0, 0.0], [29.0, 39.0], [-50.0, 5.0]]), 5, (40, 30))
    np.testing.assert_array_equal(boxes[0], [0, 0, 3, 3])
    np.testing.assert_array_equal(boxes[1], [27, 37, 30, 40])
    assert boxes[2][0] == boxes[2][2] == 0


def test_x_and_y_are_not_swapped():
    """A model that reads pixel (x=7, y=2) falls only where a patch covers that pixel."""
    x = np.ones((1, 10, 20))
    centres = np.array([[7.0, 2.0], [2.0, 7.0]])
    np.testing.assert_array_equal(F.drops(lambda b: b[:, 0, 2, 7], x, centres, 3), [1.0, 0.0])
    image, count = F.cis(np.array([1.0]), np.array([[7.0, 2.0]]), (10, 20), 1)
    assert np.argwhere(count).tolist() == [[2, 7]]
    assert image[2, 7] == 1.0


def test_the_drop_is_positive_where_the_model_relied_on_the_pixel():
    x = np.full((1, 5, 5), 3.0)
    centre = np.array([[2.0, 2.0]])
    assert F.drops(lambda b: b[:, 0, 2, 2], x, centre, 1) == 3.0
    assert F.drops(lambda b: -b[:, 0, 2, 2], x, centre, 1) == -3.0


def test_four_pixels_by_hand():
    # Two patches of 2 pixels' side on a 2 x 3 picture: columns 0-1 and 1-2; the middle column holds both.
    image, count = F.cis(np.array([1.0, 3.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), (2, 3), 2)
    np.testing.assert_allclose(image, [[1, 2, 3], [1, 2, 3]])
    np.testing.assert_array_equal(count, [[1, 2, 1], [1, 2, 1]])
    total, _ = F.cis(np.array([1.0, 3.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), (2, 3), 2, normalise=False)
    np.testing.assert_allclose(total, [[1, 4, 3], [1, 4, 3]])


def test_a_nan_drop_is_not_a_zero():
    drops = np.array([2.0, np.nan])
    image, count = F.cis(drops, np.array([[1.0, 1.0], [1.0, 1.0]]), (3, 3), 3)
    np.testing.assert_allclose(image, 2.0)
    assert count.max() == 1


def test_cms_omits_unseen_pixels_or_counts_them_as_zero():
    maps = np.array([[[1.0, 0.0]], [[3.0, 4.0]]])
    counts = np.array([[[2, 0]], [[1, 5]]])
    np.testing.assert_allclose(F.cms(maps, counts), [[2.0, 4.0]])
    np.testing.assert_allclose(F.cms(maps, counts, unseen="zero"), [[2.0, 2.0]])
    np.testing.assert_allclose(F.cms(maps), [[2.0, 2.0]])


def test_a_pixel_that_no_face_shows_is_zero():
    assert F.cms(np.zeros((2, 1, 1)), np.zeros((2, 1, 1), int)).tolist() == [[0.0]]


def test_reprojecting_onto_the_canonical_face_itself_gives_the_map_back():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(12, 9))
    yy, xx = np.mgrid[:12, :9]
    every_pixel = np.stack([xx.ravel(), yy.ravel()], axis=1).astype(float)
    np.testing.assert_allclose(F.reproject(image, every_pixel, every_pixel, (12, 9), 1), image)


def test_reprojecting_skips_hidden_vertices_and_keeps_left_and_right():
    image = np.array([[1.0, 0.0, -1.0]])
    canonical = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    face = np.array([[6.0, 1.0], [np.nan, np.nan], [2.0, 1.0]])
    drawn = F.reproject(image, canonical, face, (3, 9), 1)
    assert drawn[1, 6] == 1.0
    assert drawn[1, 2] == -1.0
    assert np.count_nonzero(drawn) == 2


def test_sample_is_bilinear_and_clamps():
    image = np.array([[0.0, 1.0], [2.0, 3.0]])
    points = np.array([[0.5, 0.5], [1.0, 0.0], [-3.0, 9.0], [np.nan, 0.0]])
    np.testing.assert_allclose(F.sample(image, points), [1.5, 1.0, 2.0, np.nan])


def test_canonical_patch_is_eq_3():
    assert F.canonical_patch(15, 512, 224) == pytest.approx(34.2857142857)


def quadratic(seed, shape):
    """A model with interactions between pixels, so that a wrong box cannot hide in a linear sum."""
    weights = np.random.default_rng(seed).normal(size=shape)

    def score(batch):
        linear = (np.asarray(batch) * weights).sum(axis=(1, 2, 3))
        return np.tanh(linear / 10)

    return score


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    patch=st.floats(0.6, 12.0),
    size=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    batch=st.integers(1, 7),
    normalise=st.booleans(),
    unseen=st.sampled_from(["omit", "zero"]),
    filled=st.booleans(),
)
def test_drops_cis_and_cms_equal_the_slow_replica(seed, patch, size, batch, normalise, unseen, filled):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *size))
    fill = rng.normal(size=x.shape) if filled else 0.25
    score = quadratic(seed, x.shape)
    maps, counts, slow_maps, slow_counts = [], [], [], []
    canonical = rng.uniform(-3, 16, size=(6, 2))
    for _ in range(2):
        centres = rng.uniform(-4, 18, size=(6, 2))
        centres[rng.integers(6)] = np.nan
        fast, slow = (
            F.drops(score, x, centres, patch, fill, batch),
            algorithm1.drops(score, x, centres, patch, fill),
        )
        np.testing.assert_allclose(fast, slow, atol=1e-12)
        for result, got in (
            ((maps, counts), F.cis(fast, canonical, (11, 13), patch * 1.3, normalise)),
            ((slow_maps, slow_counts), algorithm1.cis(slow, canonical, (11, 13), patch * 1.3, normalise)),
        ):
            result[0].append(got[0])
            result[1].append(got[1])
    np.testing.assert_array_equal(counts, slow_counts)
    np.testing.assert_allclose(maps, slow_maps, atol=1e-12)
    got = F.cms(maps, counts, unseen=unseen)
    np.testing.assert_allclose(got, algorithm1.cms(slow_maps, slow_counts, unseen), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_probes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    drops, points = rng.normal(size=20), rng.uniform(0, 30, size=(20, 2))
    order = rng.permutation(20)
    image, count = F.cis(drops, points, (30, 30), 7)
    again, count_again = F.cis(drops[order], points[order], (30, 30), 7)
    np.testing.assert_array_equal(count, count_again)
    np.testing.assert_allclose(image, again, atol=1e-12)


def test_torch_and_numpy_give_the_same_drops_and_x_is_not_changed():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 9, 8))
    weights = rng.normal(size=x.shape)
    centres = rng.uniform(0, 8, size=(10, 2))
    for fill in (0.5, rng.normal(size=(3, 1, 1)), rng.normal(size=x.shape)):
        before = x.copy()
        by_numpy = F.drops(lambda b: (b * weights).sum((1, 2, 3)), x, centres, 3, fill)
        by_torch = F.drops(
            lambda b: (b * torch.tensor(weights)).sum((1, 2, 3)), torch.tensor(x), centres, 3, fill
        )
        np.testing.assert_allclose(by_numpy, by_torch, atol=1e-12)
        np.testing.assert_array_equal(x, before)


def test_a_tensor_that_requires_gradients_is_accepted():
    torch = pytest.importorskip("torch")
    x = torch.ones(1, 3, 3, requires_grad=True)
    assert F.drops(lambda b: b.sum((1, 2, 3)), x, np.array([[1.0, 1.0]]), 1).tolist() == [1.0]
    assert F.occlude(x, [[0, 0, 1, 1]]).sum() == 8


def test_a_score_that_works_in_place_changes_neither_x_nor_the_drops():
    def in_place(batch):
        batch *= 2
        return batch.sum(axis=(1, 2, 3))

    x = np.arange(9.0).reshape(1, 3, 3)
    centres = np.array([[0.0, 1.0], [2.0, 2.0]])
    np.testing.assert_allclose(F.drops(in_place, x, centres, 1), [6.0, 16.0])
    np.testing.assert_array_equal(x, np.arange(9.0).reshape(1, 3, 3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: F.occlusion_boxes(np.zeros((1, 2)), 0.3, (5, 5)), "at least one pixel"),
        (lambda: F.occlusion_boxes(np.zeros((1, 2)), float("nan"), (5, 5)), "at least one pixel"),
        (lambda: F.occlusion_boxes(np.full((1, 2), np.nan), 3, (5, 5)), "1 of 1 hold NaN"),
        (
            lambda: F.drops(lambda b: b[:, 0], np.zeros((1, 2, 2)), np.zeros((1, 2)), 1),
            "one number per image",
        ),
        (lambda: F.drops(lambda b: b, np.zeros((2, 2)), np.zeros((1, 2)), 1), r"shape \(c, h, w\)"),
        (lambda: F.drops(lambda b: b, np.zeros((1, 2, 2)), np.zeros((1, 2)), 1, batch=0), "at least 1"),
        (lambda: F.cis(np.zeros(2), np.zeros((3, 2)), (5, 5), 3), "one drop per probe"),
        (lambda: F.cis(np.array([np.inf]), np.zeros((1, 2)), (5, 5), 3), "1 of 1 are infinite"),
        (
            lambda: F.drops(lambda b: b[:, 0, 0, 0] * np.nan, np.zeros((1, 2, 2)), np.zeros((1, 2)), 1),
            "finite numbers",
        ),
        (lambda: F.cms(np.zeros((0, 2, 2))), "at least one map"),
        (lambda: F.cms(np.zeros((2, 2, 2)), np.zeros((1, 2, 2), int)), "one count per pixel"),
        (lambda: F.cms(np.zeros((1, 2, 2)), unseen="maybe"), "'omit' or 'zero'"),
        (
            lambda: F.reproject(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((3, 2)), (2, 2), 1),
            "same vertices",
        ),
    ],
)
def test_errors_state_the_rule(call, words):
    with pytest.raises(OptionError, match=words):
        call()
