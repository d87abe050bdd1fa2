"""Every operator on windows by compiled kernels; what they do not know, by PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from canonface.engine.incremental.kernels import Change, Work
from canonface.engine.incremental.operators import (
    Activation,
    Add,
    AvgPool,
    Concat,
    Convolution,
    MaxPool,
    Operator,
    Pointwise,
    Scale,
)
from canonface.engine.incremental.program import End
from canonface.engine.incremental.torch_kernels import TorchKernels, activated
from canonface.engine.incremental.workspace import Workspace
from canonface.engine.native import Activation as Code
from canonface.engine.native import Epilogue, Library

CODES: dict[str, Code] = {
    "clamp": Code.CLAMP,
    "prelu": Code.PRELU,
    "hardswish": Code.HARD_SWISH,
    "hardsigmoid": Code.HARD_SIGMOID,
}
"""Activations that kernels do in the same pass."""


@dataclass(eq=False)
class NativeKernels:
    """Operators on windows by a compiled library, on the CPU in float32.

    Attributes:
        library: the kernels.
    """

    library: Library
    _torch: TorchKernels = field(default_factory=TorchKernels)
    _space: Workspace = field(default_factory=Workspace)
    _packed: dict[Any, Any] = field(default_factory=dict)

    def step(self, work: Work) -> Change:
        """See `canonface.engine.incremental.kernels.Kernels.step`."""
        kernel = _KERNELS.get(type(work.operator))
        if kernel is None or not _is_known(work.operator):
            return self._torch.step(work)
        function = work.step.activation
        fused = function is None or function.name in CODES
        rows = kernel(self, work, _epilogue(work) if fused else None)
        if not fused:
            rows = activated(rows, work)
        return Change(rows, work.out)

    def release(self, change: Change) -> None:
        """See `canonface.engine.incremental.kernels.Kernels.release`."""
        self._space.give_back(change.rows)

    def cells(self, end: End, change: Change, base: Float[Tensor, "photos n"]) -> Float[Tensor, "p n"]:
        """See `canonface.engine.incremental.kernels.Kernels.cells`."""
        packed = self._once(end, lambda: self._packed_cells(end))
        answer = base.index_select(0, torch.as_tensor(change.windows.table[:, 5]).long())
        self.library.cells_linear(packed, change.rows, change.windows.table, answer, _threads())
        return answer

    def sums(self, change: Change) -> Float[Tensor, "p c"]:
        """See `canonface.engine.incremental.kernels.Kernels.sums`."""
        total = change.rows.new_empty(len(change.windows), change.rows.shape[1])
        self.library.pool_sum(change.rows, change.windows.table, 1.0, total, _threads())
        return total

    # ------------------------------------------------------------------ one function an operator

    def _convolution(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:
        [change], operator = work.inputs, work.operator
        slides, out = operator.sliding, self._out(work)
        tables = (change.windows.table, work.out.table)
        if operator.is_depthwise:
            packed = self._once(operator, lambda: self.library.pack_depthwise(operator.weight))
            self.library.depthwise(
                packed,
                change.rows,
                *tables,
                out,
                slides.stride,
                slides.padding,
                slides.dilation,
                epilogue,
                _threads(),
            )
        else:
            packed = self._once(
                operator, lambda: self.library.pack_conv(operator.weight, slides.stride, slides.dilation)
            )
            self.library.conv(packed, change.rows, *tables, out, slides.padding, epilogue, _threads())
        return out

    def _max_pool(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:  # noqa: ARG002
        [change], step, slides = work.inputs, work.step, work.operator.sliding
        out = self._out(work)
        self.library.max_pool(
            change.rows,
            change.windows.table,
            work.out.table,
            out,
            work.bases.maps[step.operands[0]],
            work.bases.maps[step.output],
            step.in_shapes[0][1:],
            step.out_hw,
            slides.kernel,
            slides.stride,
            slides.padding,
            slides.dilation,
            _threads(),
        )
        return out

    def _avg_pool(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:  # noqa: ARG002
        [change], step, operator = work.inputs, work.step, work.operator
        slides, out = operator.sliding, self._out(work)
        self.library.avg_pool(
            change.rows,
            change.windows.table,
            work.out.table,
            out,
            step.in_shapes[0][1:],
            slides.kernel,
            slides.stride,
            slides.padding,
            operator.divisor,
            _threads(),
        )
        return out

    def _add(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:
        first, second = work.inputs
        out = self._out(work)
        self.library.add(
            first.rows,
            first.windows.table,
            second.rows,
            second.windows.table,
            work.out.table,
            out,
            work.operator.sign,
            epilogue,
            _threads(),
        )
        return out

    def _concat(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:  # noqa: ARG002
        out, first = self._out(work), 0
        for change in work.inputs:
            self.library.place(change.rows, change.windows.table, work.out.table, out, first, _threads())
            first += change.rows.shape[1]
        return out

    def _scale(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:  # noqa: ARG002
        out = self._out(work)
        self.library.scale(work.inputs[0].rows, work.operator.factor, out, _threads())
        return out

    def _pointwise(self, work: Work, epilogue: Epilogue | None) -> Float[Tensor, "rows c"]:
        [change] = work.inputs
        if epilogue is None:
            return change.rows
        out = self._out(work)
        self.library.activate(change.rows, change.windows.table, epilogue, out, _threads())
        return out

    def _out(self, work: Work) -> Float[Tensor, "rows c"]:
        return self._space.take(work.out.rows, work.step.out_shape[0])

    def _packed_cells(self, end: End) -> Any:
        assert end.weight is not None
        weight = end.weight
        if end.factor is not None:
            channels = end.shape[0]
            wide = weight.view(len(weight), channels, -1).double() * end.factor.view(1, -1, 1)
            weight = wide.to(weight.dtype).view_as(weight)
        return self.library.pack_cells(weight, end.shape[0], end.shape[1:])

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What is prepared once a program: packed weights."""
        if key not in self._packed:
            self._packed[key] = make()
        return self._packed[key]


def _is_known(operator: Operator) -> bool:
    """Whether the kernels have it: of convolutions in groups only those with one filter a channel."""
    return not isinstance(operator, Convolution) or operator.groups == 1 or operator.is_depthwise


def _epilogue(work: Work) -> Epilogue | None:
    function: Activation | None = work.step.activation
    if function is None:
        return None
    return Epilogue(
        CODES[function.name],
        work.bases.maps[work.step.before],
        work.step.out_hw,
        function.low,
        function.high,
        function.slope,
    )


def _threads() -> int:
    return torch.get_num_threads()


_Kernel = Callable[[NativeKernels, Work, Epilogue | None], Tensor]
_KERNELS: dict[type[Operator], _Kernel] = {
    Convolution: NativeKernels._convolution,
    Pointwise: NativeKernels._pointwise,
    MaxPool: NativeKernels._max_pool,
    AvgPool: NativeKernels._avg_pool,
    Add: NativeKernels._add,
    Concat: NativeKernels._concat,
    Scale: NativeKernels._scale,
}
