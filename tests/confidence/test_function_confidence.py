"""A confidence given as a function: its arguments, its result, its description."""

import doctest
from functools import partial

import numpy as np
import pytest

import canonface.confidence.function as module
from canonface.confidence import BoundPairConfidence, CleanPrediction, FunctionConfidence
from canonface.errors import ModelOutputError, OptionError

OUTPUTS = np.array([[1.0, 2.0], [1.0, 0.0], [4.0, 6.0]])


def how_near(original, occluded):
    return -np.linalg.norm(occluded - original, axis=1)


def how_near_squared(original, occluded):
    return -((occluded - original) ** 2).sum(axis=1)


class Weighted:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, original, occluded):
        return self.weight * occluded[:, 0]


def of(function, outputs=OUTPUTS):
    return FunctionConfidence(function).bind(CleanPrediction(outputs[:1], "values"))(outputs)


def test_a_drop_is_f_of_the_original_minus_f_of_the_occluded():
    got = of(how_near)
    np.testing.assert_allclose(got[0] - got, [0, 2, 5])


def test_the_unit_is_the_name_unless_it_is_given():
    confidence = FunctionConfidence(how_near)
    assert (confidence.unit, confidence.target) == ("how near", "how_near")
    confidence = FunctionConfidence(how_near, unit="nearness", target="both")
    assert confidence.bind(CleanPrediction(OUTPUTS[:1], "values")).unit == "nearness"
    assert (confidence.unit, confidence.target) == ("nearness", "both")
    assert FunctionConfidence(Weighted(2)).target == "Weighted"


def test_the_description_follows_the_source():
    first, second = FunctionConfidence(how_near).describe(), FunctionConfidence(how_near_squared).describe()
    assert first["function"].endswith(":how_near")
    assert first["fingerprint"] != second["fingerprint"]
    assert first == FunctionConfidence(how_near).describe()
    assert FunctionConfidence(Weighted(2)).describe()["function"].endswith(":Weighted")


def closing_over(value):
    def weighted(original, occluded):
        return occluded @ np.asarray(value)

    return weighted


class Slotted:
    __slots__ = ("__weight",)

    def __init__(self, weight):
        self.__weight = weight

    def __call__(self, original, occluded):
        return self.__weight * occluded[:, 0]


def zeros_but(place):
    """Too long for its text to show the one number that differs."""
    array = np.zeros(2000)
    array[place] = 1.0
    return array


@pytest.mark.parametrize(
    "make",
    [
        closing_over,
        Weighted,
        Slotted,
        lambda value: lambda original, occluded: occluded @ np.asarray(value),
        lambda value: partial(Weighted(1), value),
        lambda value: Weighted(value).__call__,
    ],
)
@pytest.mark.parametrize(("one", "other"), [(2, 3), (zeros_but(900), zeros_but(1000))])
def test_the_state_of_a_function_is_described(make, one, other):
    def described(value):
        return FunctionConfidence(make(value), "score", "score").describe()

    assert described(one) != described(other)
    assert described(one) == described(one)


def test_functions_without_a_source_are_distinguished_by_their_code():
    names = {}
    exec("f = lambda a, b: b[:, 0]\ng = lambda a, b: -b[:, 0]\nh = lambda a, b: b[:, 1]", names)
    digests = {FunctionConfidence(names[name]).describe()["fingerprint"] for name in "fgh"}
    assert len(digests) == 3


def test_a_function_that_works_in_place_changes_nothing():
    def in_place(original, occluded):
        occluded -= original
        original += 1
        return occluded.sum(axis=1)

    before = OUTPUTS.copy()
    bound = FunctionConfidence(in_place).bind(CleanPrediction(OUTPUTS[:1], "values"))
    np.testing.assert_array_equal(bound(OUTPUTS), bound(OUTPUTS))
    np.testing.assert_array_equal(OUTPUTS, before)


def test_tensors_and_lists_are_numbers_too():
    torch = pytest.importorskip("torch")
    assert of(lambda a, b: b[:, 0].tolist()).dtype == np.float64
    np.testing.assert_array_equal(of(lambda a, b: torch.tensor(b[:, 0], requires_grad=True)), [1, 1, 4])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a, b: b, r"got shape \(3, 2\) for 3 rows"),
        (lambda a, b: 1.0, r"got shape \(\) for 3 rows"),
        (lambda a, b: b[:, 0] * np.nan, "3 of 3 are NaN or infinite"),
        (lambda a, b: None, "finite numbers|one number for each row"),
        (lambda a, b: "high", "returns numbers; got str"),
    ],
)
def test_invalid_results_are_refused(function, message):
    # An error of one face, not of the run.
    with pytest.raises(ModelOutputError, match=message):
        of(function)


def test_a_class_is_no_function():
    with pytest.raises(OptionError, match="a function of"):
        FunctionConfidence(Weighted)


def test_the_example_in_the_documentation_holds():
    assert doctest.testmod(module).failed == 0


def test_a_failing_function_is_named_with_its_arguments():
    def needs_three(original, occluded):
        return occluded[:, 2]

    outputs = np.ones((1, 2), np.float32)
    bound = FunctionConfidence(needs_three).bind(CleanPrediction(outputs, "logits"))
    with pytest.raises(
        ModelOutputError, match=r"needs_three raised IndexError: .*arrays of \(1, 2\) and \(4, 2\)"
    ):
        bound(np.ones((4, 2), np.float32))


def test_the_old_name_of_the_call_still_works_and_warns():
    outputs = np.array([[1.0, 2.0]])
    one = FunctionConfidence(lambda original, occluded: occluded.sum(axis=1)).bind(
        CleanPrediction(outputs, "values")
    )
    with pytest.warns(DeprecationWarning, match="BoundConfidence.of is now"):
        np.testing.assert_array_equal(one.of(outputs), one(outputs))
    pair = BoundPairConfidence("same", "sum", lambda a, b: (a + b).sum(axis=1))
    with pytest.warns(DeprecationWarning, match="BoundPairConfidence.of is now"):
        np.testing.assert_array_equal(pair.of(outputs, outputs), pair(outputs, outputs))
