"""Convolutions with filters of a single channel, at which oneDNN is not to be trusted."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from canonface.engine.incremental.executor import Executor
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.traced_network import traced_network
from canonface.occlusions import Occlusions


def predict(program, kernels, x, occlusions, chunk):
    return (
        Executor(program, kernels, chunk).predict(x, [occlusions], lambda prediction: prediction)[1].detach()
    )


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (7, 7)])
@pytest.mark.parametrize("stride", [(1, 3), (1, 2), (2, 1)])
def test_filters_of_one_channel_are_right_whatever_the_stride(channels, groups, stride):
    """Guard against a fault of PyTorch 2.13 on processors with AVX-512: it was off by as much as the outputs."""
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, 14, (5, 4), stride, groups=groups, bias=False)
    cells = len(range(0, 8, stride[0])) * len(range(0, 3, stride[1]))
    network = nn.Sequential(layer, nn.Flatten(), nn.Linear(14 * cells, 4))
    x = torch.randn(1, channels, 12, 6)
    rng = np.random.default_rng(0)
    start = rng.integers(0, 4, size=(30, 2))
    boxes = np.concatenate([start, start + rng.integers(1, 3, size=(30, 2))], axis=1)
    occlusions = Occlusions(boxes, rng.normal(size=(channels, 1, 1)))
    program = traced_network(network, x).program
    double = traced_network(deepcopy(network).double(), x.double()).program
    # Memory that was used before, so that whoever reads beyond an array finds something there.
    junk = [torch.full((count,), 1e3) for count in (64, 256, 1024, 4096) * 8]
    del junk
    exact = predict(double, TorchKernels(), x.double(), occlusions, 30)
    for chunk in (1, 2, 3, 30):
        found = predict(program, TorchKernels(), x, occlusions, chunk)
        np.testing.assert_allclose(found, exact, atol=1e-5)
