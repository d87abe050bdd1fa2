"""Dense engine compared with a readable loop, its savings, and its recovery from full memory."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface import functional
from canonface.engine import BatchSize, predict
from canonface.errors import ModelError, OptionError, OutOfMemoryError
from canonface.occlusions import Occlusions


def scores(scorer, x, boxes, fill=0.0, batch=None, masks=None):
    """Return the outputs of a model with one output, one number per box."""
    fill = np.asarray(fill) if np.isscalar(fill) else fill
    got = predict(lambda b: scorer(b)[:, None], x, Occlusions(np.asarray(boxes), fill, masks), batch)
    return got[:, 0]


def reader(weights):
    return lambda batch: np.tanh((np.asarray(batch) * weights).sum(axis=(1, 2, 3)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 9), patch=st.floats(1, 9))
def test_equals_the_readable_loop_whatever_the_batch(seed, size, patch):
    rng = np.random.default_rng(seed)
    x, weights = rng.normal(size=(2, 3, 12, 10))
    centres = rng.uniform(-2, 13, size=(17, 2))
    boxes = functional.occlusion_boxes(centres, patch, (12, 10))
    got = reader(weights)(x[None])[0] - scores(reader(weights), x, boxes, 0.3, BatchSize(size))
    np.testing.assert_allclose(got, functional.drops(reader(weights), x, centres, patch, 0.3), atol=1e-12)


def test_equal_boxes_are_evaluated_once():
    batches = []

    def scorer(batch):
        batches.append(len(batch))
        return batch[:, 0, 0, 0]

    boxes = np.array([[0, 0, 1, 1], [1, 1, 2, 2], [0, 0, 1, 1]])
    got = scores(scorer, np.full((1, 3, 3), 7.0), boxes, 2.0, BatchSize(8))
    assert batches == [2]
    assert got.tolist() == [2.0, 7.0, 2.0]


def test_no_box_no_forward_pass():
    nothing = Occlusions(np.zeros((0, 4), int), np.zeros(1))
    assert predict(lambda b: 1 / 0, np.zeros((1, 3, 3)), nothing).shape == (0, 0)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_mask_hides_part_of_its_box_and_a_fill_of_its_own_is_put_there(kind):
    x = np.arange(18.0).reshape(2, 3, 3)
    mask = np.array([[True, False], [False, True]])
    occlusions = Occlusions(np.array([[0, 0, 2, 2], [1, 1, 3, 3]]), [-np.ones((2, 2, 2)), 0 * np.ones((2, 2, 2))],
                            [mask, ~mask])  # fmt: skip
    shown = x if kind == "numpy" else pytest.importorskip("torch").tensor(x)
    hidden = np.asarray(occlusions.hide(shown))
    assert hidden[0].tolist() == [
        [[-1, 1, 2], [3, -1, 5], [6, 7, 8]],
        [[-1, 10, 11], [12, -1, 14], [15, 16, 17]],
    ]
    assert hidden[1].tolist() == [[[0, 1, 2], [3, 4, 0], [6, 0, 8]], [[9, 10, 11], [12, 13, 0], [15, 0, 17]]]
    assert np.asarray(shown).tolist() == np.arange(18.0).reshape(2, 3, 3).tolist()


def test_equal_masks_are_evaluated_once_and_others_are_not():
    box, full, half = [0, 0, 2, 1], np.array([[True, True]]), np.array([[True, False]])
    batches = []

    def scorer(batch):
        batches.append(len(batch))
        return batch.sum(axis=(1, 2, 3))

    got = scores(scorer, np.ones((1, 1, 3)), [box] * 3, 0.0, masks=[full, half, full])
    assert batches == [2]
    assert got.tolist() == [1.0, 2.0, 1.0]


def test_a_list_has_one_entry_a_box():
    with pytest.raises(OptionError, match="masks has one entry per box; got 1 for 2 boxes"):
        Occlusions(np.zeros((2, 4), int), np.zeros(1), [np.ones((1, 1), bool)])


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("CUDA out of memory. Tried"), RuntimeError("can't allocate memory: 9")],
)
def test_full_memory_halves_the_batch_and_says_so(error, caplog):
    sizes = []

    def scorer(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise error
        return batch.sum(axis=(1, 2, 3))

    boxes = np.array([[i, 0, i + 1, 1] for i in range(10)])
    batch = BatchSize(16)
    with caplog.at_level(logging.WARNING, logger="canonface"):
        got = scores(scorer, np.arange(10.0).reshape(1, 1, 10), boxes, 0.0, batch)
    np.testing.assert_allclose(got, 45.0 - np.arange(10))
    assert sizes == [10, 5, 2, 2, 2, 2, 2]
    assert batch.size == 2, "the next face starts with what fitted"
    assert "out of memory with a batch of 10: going on with 5" in caplog.text


def test_a_single_image_that_does_not_fit_is_an_error():
    def scorer(batch):
        raise MemoryError

    with pytest.raises(OutOfMemoryError, match="batch of 1"):
        scores(scorer, np.zeros((1, 3, 3)), np.array([[0, 0, 1, 1]]))


def test_other_errors_of_a_model_pass_through():
    def scorer(batch):
        raise ModelError("broken")

    with pytest.raises(ModelError, match="broken"):
        scores(scorer, np.zeros((1, 3, 3)), np.array([[0, 0, 1, 1]]))


def test_a_batch_is_bounded_by_bytes_too():
    assert BatchSize(64, max_bytes=1000).for_input(300) == 3
    assert BatchSize(64, max_bytes=1000).for_input(5000) == 1
    with pytest.raises(OptionError, match="at least 1"):
        BatchSize(0)
