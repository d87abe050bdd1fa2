"""Steps that the compiled kernels fuse."""

from collections import Counter

import pytest
import torch
from named_networks import named_network
from torch import nn

from canonface.engine.incremental.fusion import fuse_convolutions
from canonface.engine.incremental.lowering import lower
from canonface.engine.incremental.native_kernels import CODES
from canonface.engine.incremental.operators import Add, Convolution, FusedConv
from canonface.engine.incremental.trace import trace_module


def fused_steps(module, x):
    with torch.no_grad():
        program = lower(trace_module(module.eval(), x[None]), x[None])
    return program.steps, fuse_convolutions(program, frozenset(CODES)).steps


def kinds(steps):
    return Counter(type(step.operator) for step in steps)


def test_mobilenet_is_a_first_convolution_and_pairs_of_two():
    before, after = fused_steps(*named_network("mobilenetv2", full=True, device="meta"))
    separable = [
        step.operator for step in after if isinstance(step.operator, FusedConv) and step.operator.depthwise
    ]
    assert len(separable) == 17
    assert sum(each.addition is not None for each in separable) == 10
    assert len(before) - len(after) == 17 + 10
    assert not any(isinstance(s.operator, Convolution) and s.operator.is_depthwise for s in after)


def test_a_sum_is_fused_with_a_convolution_of_equal_windows():
    _, after = fused_steps(*named_network("resnet50", full=True, device="meta"))
    # Of the four shortcuts that are convolutions the last alone reaches as far: its windows fill the map.
    assert kinds(after)[Add] == 3
    assert kinds(after)[FusedConv] == 13


class Block(nn.Module):
    def __init__(self, end, activation=nn.ReLU):
        super().__init__()
        self.first, self.act, self.second = (
            nn.Conv2d(4, 4, 3, 1, 1, groups=4),
            activation(),
            nn.Conv2d(4, 4, 1),
        )
        self.end = end

    def forward(self, x):
        inner = self.act(self.first(x))
        return self.end(x, inner, self.second(inner)).mean((2, 3))


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (lambda x, inner, made: made + x, {"depthwise", "addition"}),
        (lambda x, inner, made: x + made, {"depthwise", "addition"}),
        (lambda x, inner, made: made + inner, {"addition"}),
        (lambda x, inner, made: made - x, {"depthwise"}),
        (lambda x, inner, made: x - made, {"depthwise"}),
        (lambda x, inner, made: made + made, {"depthwise"}),
        (lambda x, inner, made: (made + x) * made, {"depthwise"}),
        (lambda x, inner, made: made * inner, set()),
    ],
    ids=[
        "sum",
        "sum turned",
        "read twice",
        "difference",
        "difference turned",
        "double",
        "sum read",
        "product",
    ],
)
def test_values_with_other_readers_are_not_fused(end, found):
    _, after = fused_steps(Block(end), torch.rand(4, 16, 16))
    inside = set()
    for step in after:
        if isinstance(step.operator, FusedConv):
            inside |= {name for name in ("depthwise", "addition") if getattr(step.operator, name)}
    assert inside == found


def test_an_activation_without_a_kernel_is_not_fused():
    _, after = fused_steps(Block(lambda x, inner, made: made, nn.GELU), torch.rand(4, 16, 16))
    assert kinds(after)[FusedConv] == 0
