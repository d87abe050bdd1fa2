"""Engine in half precision: bounds of its error, and faults of its library."""

import os
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_boxes, random_network
from torch import nn

from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.executor import Executor
from canonface.engine.incremental.operators import Convolution
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.traced_network import traced_network
from canonface.occlusions import Occlusions

SIZE = (17, 14)
UNIT = 2.0**-8
"""Relative error of a number rounded to bfloat16."""
ROUNDED = (1 + UNIT) ** 3 - 1
"""Of a product of two rounded numbers, in a sum that is rounded."""
SUMMED = 2.0**-15
"""Far above what single precision adds in a sum of some hundred numbers, far below the roundings."""


def convolved(work, weight, rows):
    """Return a step's convolution in double precision, without the activation that may follow it."""
    operator = replace(work.operator, weight=weight.double())
    delta = Delta(rows.double(), work.inputs[0].windows)
    plain = replace(work.step, operator=operator, activation=None)
    return TorchKernels().step(replace(work, step=plain, inputs=(delta,))).rows


class Watched(TorchKernels):
    """Kernels in half precision that compare each convolution with the same one in double precision."""

    def __init__(self):
        super().__init__("bfloat16")
        self.convolutions = 0

    def step(self, work):
        if isinstance(work.operator, Convolution):
            plain = replace(work, step=replace(work.step, activation=None))
            found = super().step(plain).rows.double()
            rows, weight = work.inputs[0].rows, work.operator.weight
            exact, size = convolved(work, weight, rows), convolved(work, weight.abs(), rows.abs())
            # The double precision of the comparison itself leaves a trace where nothing is summed.
            trace = 1e-12 * float(size.max()) if size.numel() else 0
            assert ((found - exact).abs() <= (ROUNDED + SUMMED) * size + trace).all()
            self.convolutions += 1
        return super().step(work)


def predict(program, kernels, x, occlusions, chunk):
    return (
        Executor(program, kernels, chunk).predict(x, [occlusions], lambda prediction: prediction)[1].detach()
    )


@settings(max_examples=int(os.environ.get("CANONFACE_EXAMPLES", "40")), deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_each_convolution_is_off_by_three_roundings_of_what_it_sums(seed):
    network = random_network(seed).float()
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.normal(size=(1, 3, *SIZE)), dtype=torch.float32)
    occlusions = Occlusions(random_boxes(rng, SIZE), rng.normal(size=(3, 1, 1)))
    program = traced_network(network, x).program
    watched = Watched()
    predict(program, watched, x, occlusions, chunk=3)
    steps = sum(isinstance(step.operator, Convolution) for step in program.steps)
    assert watched.convolutions == 3 * steps, "three chunks"


def test_of_random_networks_nineteen_in_twenty_are_off_by_little():
    within = []
    for seed in range(100):
        network = random_network(seed)
        rng = np.random.default_rng(seed)
        x = torch.tensor(rng.normal(size=(1, 3, *SIZE)))
        occlusions = Occlusions(random_boxes(rng, SIZE), rng.normal(size=(3, 1, 1)))
        exact = predict(traced_network(network, x).program, TorchKernels(), x, occlusions, chunk=9)
        with torch.no_grad():
            delta = float((exact - network(x)).abs().max())
        network.float()
        program = traced_network(network, x.float()).program
        found = predict(program, TorchKernels("bfloat16"), x.float(), occlusions, chunk=9)
        layers = sum(isinstance(step.operator, Convolution) for step in program.steps) + len(program.ends)
        within.append(float((found - exact).abs().max()) <= layers * 2.0**-7 * delta + 1e-6)
    assert np.mean(within) >= 0.95


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (7, 7)])
@pytest.mark.parametrize("stride", [(1, 3), (1, 2), (2, 1)])
def test_filters_of_one_channel_are_right_whatever_the_stride(precision, channels, groups, stride):
    """Guard against a fault of PyTorch 2.13 on processors with AVX-512: both were off by as much as the outputs."""
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
        found = predict(program, TorchKernels(precision), x, occlusions, chunk)
        np.testing.assert_allclose(found, exact, atol=1e-5)
