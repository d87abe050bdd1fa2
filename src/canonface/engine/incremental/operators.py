"""What can be carried through a network as a change on a window, and what it costs.

Each operator says which windows it makes of others and how many multiply-adds that takes. What it computes is the
business of the kernels (`torch_kernels`, `native_kernels`), which must agree.

A change ``d`` of a map ``b`` becomes ``f(b + d) - f(b)``. Where ``f`` is linear that is ``f(d)`` without its bias: no
halo, no base. Where it is not, the base is read at the window, which is kept once a photo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from canonface.engine.incremental.windows import Pair, Sliding, Windows, joined, moved, slid

Function: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Activation:
    """A function of each number; PReLU has a slope for each channel.

    Attributes:
        name: as PyTorch calls its function.
        function: of rows ``(..., c)``.
        low, high: bounds of a clamp.
        slope: ``(c,)`` of what is negative, for leaky and parametric ReLU.
    """

    name: str
    function: Function = field(repr=False)
    low: float = 0.0
    high: float = float("inf")
    slope: Tensor | None = field(default=None, repr=False)


def activation(name: str, arguments: Mapping[str, Any], channels: int) -> Activation | None:
    """The activation that PyTorch calls so; None if there is none of that name."""
    given = {key: value for key, value in arguments.items() if value is not None}
    if name in ("relu", "relu6", "hardtanh", "clamp"):
        low, high = _bounds(name, given)
        return Activation("clamp", lambda x: x.clamp(low, high), low, high)
    if name in ("leaky_relu", "prelu"):
        slope = given.get("weight", given.get("negative_slope", 0.01))
        slopes = (
            torch.as_tensor(slope, dtype=torch.float64).detach().reshape(-1).expand(channels).contiguous()
        )
        return Activation("prelu", lambda x: torch.where(x >= 0, x, x * slopes.to(x)), slope=slopes)
    if name in _OPTIONS:
        options = {key: given[key] for key in _OPTIONS[name] if key in given}
        function = getattr(F, name)
        return Activation(name, lambda x: function(x, **options))
    if name in ("sigmoid", "tanh", "abs", "exp", "square", "sqrt", "erf", "neg") and "rest" not in given:
        return Activation(name, getattr(torch, name))
    return None


_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "silu": (),
    "mish": (),
    "selu": (),
    "hardswish": (),
    "hardsigmoid": (),
    "softsign": (),
    "logsigmoid": (),
    "elu": ("alpha",),
    "gelu": ("approximate",),
    "softplus": ("beta", "threshold"),
}


def _bounds(name: str, given: Mapping[str, Any]) -> tuple[float, float]:
    if name == "relu":
        return 0.0, float("inf")
    if name == "relu6":
        return 0.0, 6.0
    if name == "hardtanh":
        return float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))
    return float(given.get("min", -float("inf"))), float(given.get("max", float("inf")))


@dataclass(frozen=True, eq=False)
class Operator:
    """What one step does to windows of changes."""

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """The windows that it makes: by default the smallest that hold those of all its inputs."""
        result = inputs[0]
        for other in inputs[1:]:
            result = joined(result, other)
        return result

    def multiply_adds(self, rows_in: int, rows_out: int) -> float:  # noqa: ARG002
        """Of one call whose windows hold so many cells; what only adds or compares counts nothing."""
        return 0.0


@dataclass(frozen=True, eq=False)
class Convolution(Operator):
    """A convolution without its bias, which a change does not see; batch norms beside it are folded in.

    Attributes:
        weight: ``(out, in / groups, kh, kw)``.
        groups: as PyTorch counts them.
        sliding: how it slides.
    """

    weight: Tensor
    groups: int
    sliding: Sliding

    @property
    def is_depthwise(self) -> bool:
        """One filter a channel."""
        return self.groups > 1 and self.weight.shape[:2] == (self.groups, 1)

    @property
    def is_native(self) -> bool:
        """Whether the compiled kernels have it: of convolutions in groups only those with one filter a channel."""
        return self.groups == 1 or self.is_depthwise

    @property
    def suits_winograd(self) -> bool:
        """A dense 3x3 kernel that steps by one: most of its multiplications can be saved."""
        slides = self.sliding
        kind = (slides.kernel, slides.stride, slides.dilation)
        return self.groups == 1 and kind == ((3, 3), (1, 1), (1, 1)) and self.weight.shape[1] >= 16

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """See `slid`."""
        return slid(inputs[0], self.sliding)

    def multiply_adds(self, rows_in: int, rows_out: int) -> float:
        """Direct: each weight once a cell that is made; Winograd: 36 products for 4 x 4 cells that are read.

        Of windows that are no multiple of four cells, and by tiles of another size, there are more, or fewer.
        """
        direct = float(rows_out * self.weight.numel())
        if not self.suits_winograd:
            return direct
        return min(direct, rows_in / 16 * 36 * self.weight.shape[0] * self.weight.shape[1])


@dataclass(frozen=True, eq=False)
class Pointwise(Operator):
    """An activation that stands alone."""


@dataclass(frozen=True, eq=False)
class MaxPool(Operator):
    """The largest of the cells under a kernel that lie inside the map."""

    sliding: Sliding

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """See `slid`."""
        return slid(inputs[0], self.sliding)


@dataclass(frozen=True, eq=False)
class AvgPool(Operator):
    """The sum of the cells under a kernel over a divisor.

    Attributes:
        sliding: how it slides.
        divisor: None: the number of cells that lie inside the map.
    """

    sliding: Sliding
    divisor: float | None

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """See `slid`."""
        return slid(inputs[0], self.sliding)


@dataclass(frozen=True, eq=False)
class Add(Operator):
    """The sum of two maps, or their difference.

    Attributes:
        sign: of the second.
    """

    sign: float = 1.0


@dataclass(frozen=True, eq=False)
class Multiply(Operator):
    """The product of two maps ``a`` and ``b``: ``a db + b da + da db``."""


@dataclass(frozen=True, eq=False)
class Concat(Operator):
    """The channels of several maps, one after another."""


@dataclass(frozen=True, eq=False)
class Scale(Operator):
    """Each channel times a number of its own: what a batch norm or a constant factor does to a change.

    Attributes:
        factor: ``(c,)``.
    """

    factor: Tensor


@dataclass(frozen=True, eq=False)
class Pad(Operator):
    """Cells added around the map, or taken away; channels before and after.

    Attributes:
        by: added above and left.
        out_hw: height and width then.
        channels: added before and after.
    """

    by: Pair
    out_hw: Pair
    channels: Pair = (0, 0)

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """See `moved`."""
        return moved(inputs[0], self.by, self.out_hw)


@dataclass(frozen=True, eq=False)
class Step:
    """One operator of a network, between named values.

    Attributes:
        operator: what is done.
        inputs: names of the changes that are read.
        operands: names of the values whose changes they are: one that only differs by a constant has the same change.
        output: name of the value that is made, and of its change.
        layer: what the user calls it.
        in_shapes: ``(c, h, w)`` of each input.
        out_shape: ``(c, h, w)``.
        activation: done at the end, in the same pass; None: nothing.
        before: name of the value that the activation is done to.
    """

    operator: Operator
    inputs: tuple[str, ...]
    operands: tuple[str, ...]
    output: str
    layer: str
    in_shapes: tuple[tuple[int, int, int], ...]
    out_shape: tuple[int, int, int]
    activation: Activation | None = None
    before: str = ""

    @property
    def out_hw(self) -> Pair:
        """Height and width of the map it makes."""
        return self.out_shape[1:]

    @property
    def base_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Values of the whole photo that are read under the windows, and their ``(c, h, w)``."""
        needed: dict[str, tuple[int, int, int]] = {}
        if isinstance(self.operator, Joined) and self.operator.depthwise is not None:
            needed |= self.operator.depthwise.base_shapes
        if isinstance(self.operator, Multiply):
            needed |= zip(self.operands, self.in_shapes, strict=True)
        if isinstance(self.operator, MaxPool):
            needed |= {self.operands[0]: self.in_shapes[0], self.output: self.out_shape}
        if self.activation is not None:
            needed[self.before] = self.out_shape
        return needed


@dataclass(frozen=True, eq=False)
class Joined(Operator):
    """A convolution with what is done right before and after it, in one pass.

    Attributes:
        convolution: the step.
        depthwise: a convolution of single channels that it alone reads; None: it reads the input.
        addition: of what it alone makes and a second input; None: there is none.
    """

    convolution: Step
    depthwise: Step | None = None
    addition: Step | None = None

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Those of the last step."""
        result = inputs[0]
        for step in (self.depthwise, self.convolution):
            if step is not None:
                result = step.operator.windows((result,))
        return joined(result, inputs[1]) if self.addition is not None else result

    def multiply_adds(self, rows_in: int, rows_out: int) -> float:
        """Of all steps; the cells that the last one makes are those of all."""
        total = self.convolution.operator.multiply_adds(rows_out if self.depthwise else rows_in, rows_out)
        return total + (self.depthwise.operator.multiply_adds(rows_in, rows_out) if self.depthwise else 0.0)

    def step(self) -> Step:
        """As one step of a program."""
        first, last = self.depthwise or self.convolution, self.addition or self.convolution
        read = list(zip(first.inputs, first.operands, first.in_shapes, strict=True))
        if self.addition is not None:
            second = zip(self.addition.inputs, self.addition.operands, self.addition.in_shapes, strict=True)
            read += [each for each in second if each[0] != self.convolution.output]
        inputs, operands, shapes = zip(*read, strict=True)
        return Step(
            self, inputs, operands, last.output, self.convolution.layer, shapes, last.out_shape,
            last.activation, last.before,
        )  # fmt: skip
