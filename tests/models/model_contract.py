"""The contract of a model: one test class that every kind of model passes."""

import copy
import pickle
import random
from typing import get_args

import numpy as np
import pytest
import torch

from canonface.errors import ModelError, OptionError
from canonface.models import Model, checked_outputs
from canonface.types import InputSpec, Outputs


def pictures(spec, n=5, seed=0):
    """Return model inputs of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, *spec.size_hw, 3))
    x = [spec.from_pixels(picture.astype(np.float64)) for picture in pixels]
    return np.stack(x) if x else np.zeros((0, spec.channels, *spec.size_hw), np.float32)


class ModelContract:
    """A subclass has a fixture ``model``."""

    # What float32 may lose where other numbers of inputs are computed in another order.
    TOLERANCE = 1e-4

    def test_states_name_spec_and_outputs(self, model):
        assert isinstance(model, Model)
        assert model.name
        assert isinstance(model.spec, InputSpec)
        assert model.outputs in get_args(Outputs)
        assert all(isinstance(label, str) for label in model.labels)

    @pytest.mark.parametrize("n", [1, 2, 5])
    def test_returns_one_row_per_input(self, model, n):
        prediction = checked_outputs(model, model.to_device(pictures(model.spec, n)))
        assert prediction.shape[0] == n
        assert prediction.dtype in (np.float32, np.float64)
        assert len(model.labels) in (0, prediction.shape[1])

    def test_pieces_equal_the_whole_batch(self, model):
        x = model.to_device(pictures(model.spec))
        whole = checked_outputs(model, x)
        pieces = np.concatenate([checked_outputs(model, x[i : i + 2]) for i in range(0, 5, 2)])
        np.testing.assert_allclose(pieces, whole, rtol=self.TOLERANCE, atol=self.TOLERANCE)

    def test_rows_follow_the_order_of_inputs(self, model):
        x = pictures(model.spec)
        prediction = checked_outputs(model, model.to_device(x))
        turned = checked_outputs(model, model.to_device(x[::-1]))
        np.testing.assert_allclose(turned, prediction[::-1], rtol=self.TOLERANCE, atol=self.TOLERANCE)
        np.testing.assert_array_equal(checked_outputs(model, model.to_device(x)), prediction)

    def test_an_empty_batch_is_refused(self, model):
        with pytest.raises(OptionError, match="at least one input"):
            checked_outputs(model, model.to_device(pictures(model.spec, 0)))

    def test_a_wrong_input_is_reported(self, model):
        with pytest.raises(ModelError, match=f"{model.name!r} raised"):
            checked_outputs(model, model.to_device(np.zeros((1, 7, 3, 3), np.float32)))

    def test_the_batch_is_not_changed(self, model):
        x = model.to_device(pictures(model.spec))
        before = np.asarray(x).copy()
        checked_outputs(model, x)
        np.testing.assert_array_equal(np.asarray(x), before)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_to_device_copies_into_float32_and_takes_slices(self, model, dtype):
        x = pictures(model.spec).astype(dtype)
        x.setflags(write=False)
        there = model.to_device(x)
        there[0, :, 1:3, 2:5] = 0
        there[1, :, 1:3, 2:5] = model.to_device(x[1] * 2)[:, 1:3, 2:5]
        assert str(there.dtype).endswith("float32")
        expected = x.astype(np.float32)
        expected[0, :, 1:3, 2:5] = 0
        expected[1, :, 1:3, 2:5] *= 2
        np.testing.assert_array_equal(np.asarray(there), expected)
        assert model.to_device(x[0]).shape == x[0].shape

    def test_nobody_elses_random_numbers_are_drawn(self, model):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        checked_outputs(model, model.to_device(pictures(model.spec, 2)))
        assert random.getstate() == states[0]
        np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), states[2])
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_a_copy_predicts_the_same(self, model, copied):
        x = pictures(model.spec, 2)
        before = checked_outputs(model, model.to_device(x))
        twin = copied(model)
        assert twin.fingerprint() == model.fingerprint()
        np.testing.assert_array_equal(checked_outputs(twin, twin.to_device(x)), before)

    def test_the_fingerprint_is_a_sha256(self, model):
        before = model.fingerprint()
        assert len(bytes.fromhex(before.partition(":")[0])) == 32
        checked_outputs(model, model.to_device(pictures(model.spec, 1)))
        assert model.fingerprint() == before
