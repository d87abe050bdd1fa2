"""Eq. 7 and 8: by hand, against the slow replica, laws, error messages."""

import doctest

import numpy as np
import pytest
import slow_confidences as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from canonface import functional as F
from canonface.errors import OptionError

vectors = arrays(np.float64, 4, elements=st.floats(-5, 5)).filter(lambda v: np.linalg.norm(v) > 1e-3)


def test_closest_gallery_image_by_hand():
    # 3-4-5 triangle: cosines 4/5 and 3/5, whatever the lengths.
    query, gallery = np.array([3.0, 4.0]), np.array([[0.0, 20.0], [0.1, 0.0]])
    assert F.recognition_confidence(query, gallery) == pytest.approx(0.8)
    assert F.recognition_confidence(query, gallery[1:]) == pytest.approx(0.6)
    assert F.recognition_confidence(query, -gallery) == pytest.approx(-0.6)
    assert isinstance(F.recognition_confidence(query, gallery), float)


@pytest.mark.parametrize(
    ("same", "paper_sign", "expected"),
    [(True, False, 0.3), (False, False, -0.3), (True, True, -0.3), (False, True, 0.3)],
)
def test_verification_by_hand(same, paper_sign, expected):
    got = F.verification_confidence(np.array([2.0, 0.0]), np.array([4.0, 3.0]), same, 0.5, paper_sign)
    assert got == pytest.approx(expected)
    assert isinstance(got, float)


def test_it_rises_with_the_cosine_of_a_genuine_pair_and_the_papers_sign_falls():
    still, near, far = np.array([1.0, 0.0]), np.array([1.0, 0.1]), np.array([1.0, 2.0])
    for same, rises in ((True, True), (False, False)):
        ours = [F.verification_confidence(still, other, same, 0.4) for other in (far, near)]
        paper = [F.verification_confidence(still, other, same, 0.4, paper_sign=True) for other in (far, near)]
        assert (ours[1] > ours[0]) is rises
        assert (paper[1] < paper[0]) is rises


@settings(deadline=None)
@given(query=vectors, gallery=st.lists(vectors, min_size=1, max_size=4))
def test_recognition_equals_the_slow_replica(query, gallery):
    assert F.recognition_confidence(query, np.array(gallery)) == pytest.approx(
        slow.recognition(query.tolist(), [image.tolist() for image in gallery]), abs=1e-9
    )


@settings(deadline=None)
@given(a=vectors, b=vectors, same=st.booleans(), threshold=st.floats(-1, 1), paper_sign=st.booleans())
def test_verification_equals_the_slow_replica(a, b, same, threshold, paper_sign):
    expected = slow.verification(a.tolist(), b.tolist(), same, threshold, paper_sign)
    assert F.verification_confidence(a, b, same, threshold, paper_sign) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(a=vectors, b=vectors, factor=st.floats(1e-3, 1e3))
def test_length_and_order_do_not_matter(a, b, factor):
    one = F.verification_confidence(a, b, True, 0.2)
    assert F.verification_confidence(b * factor, a, True, 0.2) == pytest.approx(one, abs=1e-9)


def test_very_small_and_very_large_features_have_a_direction():
    tiny, huge = np.array([3e-200, 4e-200]), np.array([3e200, 4e200])
    assert F.recognition_confidence(tiny, huge[None]) == pytest.approx(1.0)


def test_a_photo_compared_with_itself_is_never_above_one():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 512)).astype(np.float32)
    assert F.cosines(vectors, vectors).max() <= 1.0
    assert F.closest_cosines(vectors, vectors).max() <= 1.0
    np.testing.assert_allclose(F.cosines(vectors, vectors), 1.0, atol=1e-12)


def test_tensors_lists_and_numpy_bools_are_accepted():
    torch = pytest.importorskip("torch")
    query = torch.tensor([3.0, 4.0], requires_grad=True)
    assert F.recognition_confidence(query, torch.eye(2)) == pytest.approx(0.8)
    assert F.verification_confidence([3.0, 4.0], [0.0, 1.0], np.True_, 0.5) == pytest.approx(0.3)


def test_arguments_are_not_changed():
    query, gallery = np.array([3.0, 4.0]), np.array([[0.0, 2.0]])
    F.recognition_confidence(query, gallery)
    F.verification_confidence(query, gallery[0], True, 0.5)
    assert query.tolist() == [3.0, 4.0]
    assert gallery.tolist() == [[0.0, 2.0]]


ONE, TWO = np.array([1.0, 0.0]), np.eye(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.recognition_confidence(0 * ONE, TWO), "1 of 1 in queries are zero"),
        (lambda: F.recognition_confidence(ONE, 0 * TWO), "2 of 2 in gallery are zero"),
        (lambda: F.recognition_confidence(ONE * np.nan, TWO), "1 of 1 in queries hold NaN"),
        (lambda: F.recognition_confidence(TWO, TWO), r"query is one feature vector.*\(2, 2\)"),
        (lambda: F.recognition_confidence(ONE, ONE), r"gallery is an array of vectors.*\(2,\)"),
        (lambda: F.recognition_confidence(ONE, np.eye(3)), "queries of 2 numbers and a gallery of 3"),
        (lambda: F.recognition_confidence(ONE, TWO[:0]), "at least one image of the true identity"),
        (lambda: F.verification_confidence(ONE, 0 * ONE, True, 0.5), "1 of 1 in b are zero"),
        (
            lambda: F.verification_confidence(ONE, np.array([np.inf, 0.0]), True, 0.5),
            "in b hold NaN or infinity",
        ),
        (lambda: F.verification_confidence(ONE, TWO, True, 0.5), "b is one feature vector"),
        (lambda: F.verification_confidence(ONE, np.ones(3), True, 0.5), "one length"),
        (lambda: F.verification_confidence(ONE, ONE, True, np.nan), "threshold is a finite number"),
        (lambda: F.cosines(np.ones((2, 3)), np.ones((4, 3))), "row by row"),
    ],
)
def test_errors_state_the_value_received(call, message):
    with pytest.raises(OptionError, match=message):
        call()


def test_the_examples_in_the_documentation_hold():
    assert doctest.testmod(F).failed == 0
