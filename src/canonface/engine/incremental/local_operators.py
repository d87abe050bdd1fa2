"""Conversion of traced ops to operators on windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from canonface.engine.incremental.operators import (
    Activation,
    Add,
    AvgPool,
    ChannelScale,
    Concat,
    Convolution,
    MaxPool,
    Multiply,
    Operator,
    Pad,
    Pointwise,
    activation,
)
from canonface.engine.incremental.ops import OpCall
from canonface.engine.incremental.program import Shape
from canonface.engine.incremental.windows import Pair, Sliding


class NotLocalError(Exception):
    """Op that windows cannot follow; the text tells the user why."""


@dataclass(frozen=True, eq=False)
class Place:
    """Op with its inputs and output.

    Attributes:
        call: the op.
        read: the maps on windows that it reads.
        in_shapes: ``(c, h, w)`` of every map on windows.
        out_shape: ``(c, h, w)`` of its output.
        constants: values that do not depend on the picture.
    """

    call: OpCall
    read: tuple[fx.Node, ...]
    in_shapes: Mapping[fx.Node, Shape]
    out_shape: Shape
    constants: Mapping[fx.Node, Any]

    def argument(self, name: str, default: Any = None) -> Any:
        """Return an argument, as its value if that does not depend on the picture."""
        value = self.call.get(name, default)
        return self.constants.get(value, value) if isinstance(value, fx.Node) else value

    def is_map(self, value: Any) -> bool:
        """Return whether an argument is a map on windows."""
        return isinstance(value, fx.Node) and value in self.in_shapes

    @property
    def operands(self) -> tuple[fx.Node, ...]:
        """Return the maps that it reads, with repetitions."""
        if self.call.name == "cat":
            return tuple(self.call.arguments["tensors"])
        both = [self.call.arguments.get(name) for name in ("input", "other")]
        return (
            tuple(value for value in both if isinstance(value, fx.Node) and self.is_map(value)) or self.read
        )


def local_operator(at: Place) -> tuple[Operator | None, Activation | None]:
    """Return the operator of an op and the activation it ends in; no operator if the delta passes unchanged.

    Raises:
        NotLocalError: windows cannot follow the op.
    """
    handler = _HANDLERS.get(at.call.name)
    try:
        if handler is not None:
            return handler(at), None
        plain = {name: at.argument(name) for name in at.call.arguments}
        function = activation(at.call.name, plain, at.out_shape[0])
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise NotLocalError(f"{at.call.name} has arguments that are computed from the picture") from error
    if function is None or len(at.read) > 1:
        raise NotLocalError(f"{at.call.name} is no operator that windows can follow")
    return Pointwise(), function


def _conv2d(at: Place) -> Operator:
    weight = at.argument("weight")
    if not isinstance(weight, Tensor):
        raise NotLocalError("a convolution whose weights are computed from the picture")
    if (mode := at.argument("padding_mode", "zeros")) != "zeros":
        raise NotLocalError(f"a convolution that pads with {mode} reads distant cells")
    dilation = _pair(at.argument("dilation", 1))
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    padding = at.argument("padding", 0)
    if padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    padding = 0 if padding == "valid" else padding
    sliding = Sliding(kernel, _pair(at.argument("stride", 1)), _pair(padding), dilation, at.out_shape[1:])
    return Convolution(weight.detach(), int(at.argument("groups", 1)), sliding)


def _batch_norm(at: Place) -> Operator:
    variance, weight = at.argument("running_var"), at.argument("weight")
    if variance is None or at.argument("training") is True:
        raise NotLocalError("a batch norm without running statistics reads the whole batch")
    factor = (variance.detach().double() + float(at.argument("eps", 1e-5))).rsqrt()
    return ChannelScale(factor if weight is None else factor * weight.detach().double())


def _max_pool2d(at: Place) -> Operator:
    if at.argument("return_indices", False):
        raise NotLocalError("a pooling that also returns indices")
    return MaxPool(_pooling(at))


def _avg_pool2d(at: Place) -> Operator:
    sliding = _pooling(at)
    override = at.argument("divisor_override")
    if override is not None:
        return AvgPool(sliding, float(override))
    includes_rim = bool(at.argument("count_include_pad", True))
    hangs_over = bool(at.argument("ceil_mode", False)) and _hangs_over(at, sliding)
    if hangs_over and includes_rim and sliding.padding != (0, 0):
        raise NotLocalError("an average pooling that counts only part of its padding")
    constant = not hangs_over and (includes_rim or sliding.padding == (0, 0))
    return AvgPool(sliding, float(math.prod(sliding.kernel)) if constant else None)


def _hangs_over(at: Place, sliding: Sliding) -> bool:
    """Return whether the last step of a kernel ends outside the map."""
    for axis, size in enumerate(at.in_shapes[at.read[0]][1:]):
        last = (sliding.out_hw[axis] - 1) * sliding.stride[axis] - sliding.padding[axis]
        if last + sliding.kernel[axis] > size:
            return True
    return False


def _pooling(at: Place) -> Sliding:
    kernel, stride = _pair(at.argument("kernel_size")), at.argument("stride")
    return Sliding(
        kernel,
        _pair(stride) if stride not in (None, [], ()) else kernel,
        _pair(at.argument("padding", 0)),
        _pair(at.argument("dilation", 1)),
        at.out_shape[1:],
    )


def _adaptive(at: Place) -> Operator | None:
    inner, outer = at.in_shapes[at.read[0]][1:], at.out_shape[1:]
    if at.argument("return_indices", False):
        raise NotLocalError("a pooling that also returns indices")
    if inner == outer:
        return None
    if inner[0] % outer[0] or inner[1] % outer[1]:
        raise NotLocalError(f"{at.call.name} from {inner} to {outer} cells pools cells of several sizes")
    step = (inner[0] // outer[0], inner[1] // outer[1])
    sliding = Sliding(step, step, (0, 0), (1, 1), outer)
    if at.call.name == "adaptive_max_pool2d":
        return MaxPool(sliding)
    return AvgPool(sliding, float(math.prod(step)))


def _add(at: Place) -> Operator | None:
    sign = (-1.0 if at.call.name == "sub" else 1.0) * float(at.argument("alpha", 1.0))
    _refuse_stretching(at)
    if len(at.operands) == 2:
        return Add(sign)
    # The delta of a constant is zero; the map may be the one that is subtracted.
    return ChannelScale(_all(at, sign)) if at.is_map(at.call.get("other")) and sign != 1.0 else None


def _mul(at: Place) -> Operator:
    divides = at.call.name == "div"
    _refuse_stretching(at)
    if divides and (at.is_map(at.call.get("other")) or at.argument("rounding_mode") is not None):
        raise NotLocalError("a division by a map, or one that rounds")
    if len(at.operands) == 2:
        return Multiply()
    other = at.argument("input" if at.is_map(at.call.get("other")) else "other")
    factor = torch.as_tensor(other, dtype=torch.float64).detach()
    factor = factor.reshape((1,) * (4 - factor.dim()) + tuple(factor.shape))
    if factor.shape[0] != 1 or factor.shape[2:] != (1, 1):
        raise NotLocalError("a factor that is not the same all over the map")
    factor = factor.reshape(-1).expand(at.out_shape[0])
    return ChannelScale(1 / factor if divides else factor.clone())


def _neg(at: Place) -> Operator:
    return ChannelScale(_all(at, -1.0))


def _cat(at: Place) -> Operator:
    if int(at.argument("dim", 0)) % 4 != 1 or not all(map(at.is_map, at.call.arguments["tensors"])):
        raise NotLocalError("a concatenation of anything but channels of maps")
    return Concat()


def _pad(at: Place) -> Operator:
    if (mode := at.argument("mode", "constant")) != "constant":
        raise NotLocalError(f"padding by {mode} reads distant cells")
    amounts = _several(at.argument("pad"))
    amounts = amounts * 4 if len(amounts) == 1 else amounts
    left, _, top, _, front, back, *further = [*map(int, amounts), *[0] * 6][: max(6, len(amounts))]
    if any(further):
        raise NotLocalError("padding of the batch dimension")
    return Pad((top, left), at.out_shape[1:], (front, back))


def _refuse_stretching(at: Place) -> None:
    if any(at.in_shapes[operand] != at.out_shape for operand in at.operands):
        raise NotLocalError("maps of different shapes are combined")


def _all(at: Place, value: float) -> Tensor:
    return torch.full((at.out_shape[0],), value, dtype=torch.float64)


_HANDLERS: Mapping[str, Callable[[Place], Operator | None]] = {
    "conv2d": _conv2d,
    "batch_norm": _batch_norm,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "add": _add,
    "sub": _add,
    "mul": _mul,
    "div": _mul,
    "neg": _neg,
    "cat": _cat,
    "pad": _pad,
}


def _pair(value: Any) -> Pair:
    several = _several(value)
    return (int(several[0]), int(several[-1]))


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
