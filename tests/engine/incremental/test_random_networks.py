"""Random networks: the local engines return the outputs of the dense engine."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from gate import allowed
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_boxes, random_network

from canonface.engine import native
from canonface.engine.incremental.traced_network import traced_network
from canonface.functional import occlude
from canonface.occlusions import Occlusions

SIZE = (17, 14)
EXAMPLES = int(os.environ.get("CANONFACE_EXAMPLES", "40"))
"""Number of random networks."""


def forward_passes(seed, masked, own_fills):
    """Return occlusions of every kind: whole boxes or masks, one fill or one per box."""
    rng = np.random.default_rng(seed)
    boxes = random_boxes(rng, SIZE)
    sizes = [(y1 - y0, x1 - x0) for x0, y0, x1, y1 in boxes.tolist()]
    fill = [rng.normal(size=(3, *size)) for size in sizes] if own_fills else rng.normal(size=(3, 1, 1))
    masks = [rng.random(size) < 0.6 for size in sizes] if masked else None
    return Occlusions(boxes, fill, masks)


def by_windows(network, x, occlusions, engine="incremental", chunk=3):
    executor = traced_network(network, x).executor(engine, 1)
    return replace(executor, chunk=chunk).predict(x, occlusions, lambda prediction: prediction)


def one_by_one(network, x, occlusions):
    with torch.no_grad():
        return torch.cat(
            [
                network(occlude(photo, each.boxes[i : i + 1], each.fill if isinstance(each.fill, np.ndarray) else
                                [each.fill[i]], None if each.masks is None else [each.masks[i]]))
                for photo, each in zip(x, occlusions, strict=True)
                for i in range(len(each))
            ]
        )  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), masked=st.booleans(), own_fills=st.booleans())
def test_pytorch_windows_are_the_dense_engine_in_double_precision(seed, masked, own_fills):
    network = random_network(seed)
    x = torch.tensor(np.random.default_rng(seed).normal(size=(2, 3, *SIZE)))
    occlusions = [forward_passes(seed + i, masked, own_fills) for i in range(2)]
    clean, occluded = by_windows(network, x, occlusions)
    expected = one_by_one(network, x, occlusions)
    with torch.no_grad():
        torch.testing.assert_close(clean, network(x))
    scale = float(expected.abs().max()) + 1
    assert float((occluded - expected).abs().max()) <= 1e-11 * scale


@pytest.fixture(scope="module", params=["incremental", "native"])
def engine(request):
    if request.param == "native" and native.library() is None:
        pytest.skip("no compiler here: the native kernels cannot be built")
    return request.param


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), masked=st.booleans())
def test_windows_in_single_precision_are_the_dense_engine_within_the_gate(engine, seed, masked):
    network = random_network(seed)
    x = np.random.default_rng(seed).normal(size=(1, 3, *SIZE))
    occlusions = [forward_passes(seed, masked, own_fills=False)]
    exact = torch.softmax(one_by_one(network, torch.tensor(x), occlusions), 1)
    single = torch.tensor(x, dtype=torch.float32)
    network.float()
    found = torch.softmax(by_windows(network, single, occlusions, engine)[1].double(), 1)
    own = torch.softmax(one_by_one(network, single, occlusions).double(), 1)
    # Five units in the fifth digit, or twice what PyTorch itself is off in single precision.
    assert float((found - own).abs().max()) <= allowed(own, exact)
