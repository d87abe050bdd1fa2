"""Which steps the compiled kernels take in one pass."""

from collections import Counter

import pytest
import torch
from named_networks import named_network
from torch import nn

from canonface.engine.incremental.joining import joined
from canonface.engine.incremental.lowering import lowered
from canonface.engine.incremental.native_kernels import CODES
from canonface.engine.incremental.operators import Add, Convolution, Joined
from canonface.engine.incremental.tracing import traced


def joined_steps(module, x):
    with torch.no_grad():
        program = lowered(traced(module.eval(), x[None]), x[None])
    return program.steps, joined(program, frozenset(CODES)).steps


def kinds(steps):
    return Counter(type(step.operator) for step in steps)


def test_mobilenet_is_a_first_convolution_and_pairs_of_two():
    before, after = joined_steps(*named_network("mobilenetv2", full=True, device="meta"))
    separable = [
        step.operator for step in after if isinstance(step.operator, Joined) and step.operator.depthwise
    ]
    assert len(separable) == 17
    assert sum(each.addition is not None for each in separable) == 10
    assert len(before) - len(after) == 17 + 10
    assert not any(isinstance(s.operator, Convolution) and s.operator.is_depthwise for s in after)


def test_a_sum_is_taken_by_the_convolution_that_reaches_as_far():
    _, after = joined_steps(*named_network("resnet50", full=True, device="meta"))
    # Of the four shortcuts that are convolutions the last alone reaches as far: its windows fill the map.
    assert kinds(after)[Add] == 3
    assert kinds(after)[Joined] == 13


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
def test_only_what_nobody_else_reads_stays_inside(end, found):
    _, after = joined_steps(Block(end), torch.rand(4, 16, 16))
    inside = set()
    for step in after:
        if isinstance(step.operator, Joined):
            inside |= {name for name in ("depthwise", "addition") if getattr(step.operator, name)}
    assert inside == found


def test_an_activation_that_kernels_do_not_have_stays_outside():
    _, after = joined_steps(Block(lambda x, inner, made: made, nn.GELU), torch.rand(4, 16, 16))
    assert kinds(after)[Joined] == 0
