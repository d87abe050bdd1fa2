"""Operators on windows, and their costs.

Each operator returns its output windows and its number of multiply-adds. The kernels (`torch_kernels`,
`native_kernels`, which must agree) compute it.

A delta ``d`` of a map ``b`` becomes ``f(b + d) - f(b)``. Where ``f`` is linear that is ``f(d)`` without its bias and
needs no border and no cached map. Where it is not, the map is read under the window from the activation cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from canonface.engine.incremental.windows import Pair, Sliding, Windows, enclose, shift, slide

Function: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Activation:
    """Function applied to each number; PReLU has a slope per channel.

    Attributes:
        name: as PyTorch names its function.
        function: function of rows ``(..., c)``.
        low, high: bounds of a clamp.
        slope: ``(c,)`` factor of negative numbers, for leaky and parametric ReLU.
    """

    name: str
    function: Function = field(repr=False)
    low: float = 0.0
    high: float = float("inf")
    slope: Tensor | None = field(default=None, repr=False)


def activation(name: str, arguments: Mapping[str, Any], channels: int) -> Activation | None:
    """Return the activation of this PyTorch name; None if there is none."""
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
    """Operator of one step, on windows of deltas."""

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Return the output windows: by default the smallest that hold those of all inputs."""
        result = inputs[0]
        for other in inputs[1:]:
            result = enclose(result, other)
        return result

    def multiply_adds(self, rows_in: int, rows_out: int) -> float:  # noqa: ARG002
        """Count the multiply-adds for so many cells; adding and comparing count nothing."""
        return 0.0


@dataclass(frozen=True, eq=False)
class Convolution(Operator):
    """Convolution without its bias, which a delta does not see; neighbouring batch norms are folded in.

    Attributes:
        weight: ``(out, in / groups, kh, kw)``.
        groups: as PyTorch counts them.
        sliding: geometry of the kernel.
    """

    weight: Tensor
    groups: int
    sliding: Sliding

    @property
    def is_depthwise(self) -> bool:
        """Return whether there is one filter per channel."""
        return self.groups > 1 and self.weight.shape[:2] == (self.groups, 1)

    @property
    def is_native(self) -> bool:
        """Return whether the compiled kernels support this convolution; grouped ones must be depthwise."""
        return self.groups == 1 or self.is_depthwise

    @property
    def suits_winograd(self) -> bool:
        """Return whether the kernel is dense, 3x3 and of stride 1; then most multiplications can be saved."""
        slides = self.sliding
        kind = (slides.kernel, slides.stride, slides.dilation)
        return self.groups == 1 and kind == ((3, 3), (1, 1), (1, 1)) and self.weight.shape[1] >= 16

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Return the output windows: see `slide`."""
        return slide(inputs[0], self.sliding)

    def multiply_adds(self, rows_in: int, rows_out: int) -> float:
        """Count direct products, each weight once per output cell, or Winograd's 36 for 4 x 4 input cells if fewer.

        Windows that are no multiple of four cells, and tiles of another size, need more or fewer.
        """
        direct = float(rows_out * self.weight.numel())
        if not self.suits_winograd:
            return direct
        return min(direct, rows_in / 16 * 36 * self.weight.shape[0] * self.weight.shape[1])


@dataclass(frozen=True, eq=False)
class Pointwise(Operator):
    """Activation that stands alone."""


@dataclass(frozen=True, eq=False)
class MaxPool(Operator):
    """Maximum of the cells under a kernel that lie inside the map."""

    sliding: Sliding

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Return the output windows: see `slide`."""
        return slide(inputs[0], self.sliding)


@dataclass(frozen=True, eq=False)
class AvgPool(Operator):
    """Sum of the cells under a kernel over a divisor.

    Attributes:
        sliding: geometry of the kernel.
        divisor: None: the number of cells that lie inside the map.
    """

    sliding: Sliding
    divisor: float | None

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Return the output windows: see `slide`."""
        return slide(inputs[0], self.sliding)


@dataclass(frozen=True, eq=False)
class Add(Operator):
    """Sum or difference of two maps.

    Attributes:
        sign: sign of the second.
    """

    sign: float = 1.0


@dataclass(frozen=True, eq=False)
class Multiply(Operator):
    """Product of two maps ``a`` and ``b``: ``a db + b da + da db``."""


@dataclass(frozen=True, eq=False)
class Concat(Operator):
    """Concatenation of the channels of several maps."""


@dataclass(frozen=True, eq=False)
class ChannelScale(Operator):
    """Factor per channel: a batch norm or a constant factor, as a delta sees it.

    Attributes:
        factor: ``(c,)``.
    """

    factor: Tensor


@dataclass(frozen=True, eq=False)
class Pad(Operator):
    """Cells added around the map or removed, and channels added before and after.

    Attributes:
        by: cells added above and left.
        out_hw: height and width of the output.
        channels: added before and after.
    """

    by: Pair
    out_hw: Pair
    channels: Pair = (0, 0)

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Return the output windows: see `shift`."""
        return shift(inputs[0], self.by, self.out_hw)


@dataclass(frozen=True, eq=False)
class Step:
    """Operator between named values of a network.

    Attributes:
        operator: the operator.
        inputs: names of the deltas that are read.
        operands: names of the values whose deltas they are: values that differ by a constant have the same delta.
        output: name of the output value, and of its delta.
        layer: name of the layer in the user's module.
        in_shapes: ``(c, h, w)`` of each input.
        out_shape: ``(c, h, w)``.
        activation: applied at the end, in the same pass; None: nothing.
        before: name of the value that the activation is applied to.
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
        """Return the height and width of the output map."""
        return self.out_shape[1:]

    @property
    def base_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Return ``(c, h, w)`` of the photo's values that are read under the windows, by name."""
        needed: dict[str, tuple[int, int, int]] = {}
        if isinstance(self.operator, FusedConv) and self.operator.depthwise is not None:
            needed |= self.operator.depthwise.base_shapes
        if isinstance(self.operator, Multiply):
            needed |= zip(self.operands, self.in_shapes, strict=True)
        if isinstance(self.operator, MaxPool):
            needed |= {self.operands[0]: self.in_shapes[0], self.output: self.out_shape}
        if self.activation is not None:
            needed[self.before] = self.out_shape
        return needed


@dataclass(frozen=True, eq=False)
class FusedConv(Operator):
    """Convolution computed in one pass with the depthwise convolution before it and the addition after it.

    Attributes:
        convolution: the step.
        depthwise: the depthwise convolution whose output only it reads; None: it reads the input.
        addition: the addition of its output and a second input; None: there is none.
    """

    convolution: Step
    depthwise: Step | None = None
    addition: Step | None = None

    def windows(self, inputs: tuple[Windows, ...]) -> Windows:
        """Return the output windows of the last step."""
        result = inputs[0]
        for step in (self.depthwise, self.convolution):
            if step is not None:
                result = step.operator.windows((result,))
        return enclose(result, inputs[1]) if self.addition is not None else result

    def multiply_adds(self, rows_in: int, rows_out: int) -> float:
        """Count the multiply-adds of all steps; each has as many output cells as the last."""
        total = self.convolution.operator.multiply_adds(rows_out if self.depthwise else rows_in, rows_out)
        return total + (self.depthwise.operator.multiply_adds(rows_in, rows_out) if self.depthwise else 0.0)

    def step(self) -> Step:
        """Return the fused operator as one step of a program."""
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
