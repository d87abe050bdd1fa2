"""Every operator on windows by compiled kernels; what they do not know, by PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from canonface.engine.incremental.bases import Bases
from canonface.engine.incremental.kernels import Change, Work
from canonface.engine.incremental.operators import (
    Activation,
    Add,
    AvgPool,
    Concat,
    Convolution,
    Joined,
    MaxPool,
    Operator,
    Pointwise,
    Scale,
    Step,
)
from canonface.engine.incremental.program import End
from canonface.engine.incremental.torch_kernels import TorchKernels, activated
from canonface.engine.incremental.windows import Pair, Windows
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

    def prepare(self, steps: Sequence[Step], chunks: Sequence[Mapping[str, Windows]]) -> None:
        """See `canonface.engine.incremental.kernels.Kernels.prepare`: weights suit windows of every size."""

    def suited(self, windows: Windows, _map_hw: Pair, /) -> Windows:
        """See `canonface.engine.incremental.kernels.Kernels.suited`: each window has its true size."""
        return windows

    def step(self, work: Work) -> Change:
        """See `canonface.engine.incremental.kernels.Kernels.step`."""
        kernel = _KERNELS.get(type(work.operator))
        if kernel is None or (isinstance(work.operator, Convolution) and not work.operator.is_native):
            return self._torch.step(work)
        function = work.step.activation
        fused = function is None or function.name in CODES
        made = kernel(self, work, _epilogue(work.step, work.bases) if fused else None)
        return made if fused else replace(made, rows=activated(made.rows, work))

    def release(self, change: Change) -> None:
        """See `canonface.engine.incremental.kernels.Kernels.release`."""
        if change.memory is not None:
            self._space.give_back(change.memory)

    def cells(self, end: End, change: Change, base: Float[Tensor, "photos n"]) -> Float[Tensor, "p n"]:
        """See `canonface.engine.incremental.kernels.Kernels.cells`."""
        packed = self._once(end, lambda: self._packed_cells(end))
        prediction = base.index_select(0, torch.as_tensor(change.windows.table[:, 5]).long())
        self.library.cells_linear(packed, change.rows, change.windows.table, prediction, _threads())
        return prediction

    def sums(self, change: Change, out: Float[Tensor, "p c"]) -> None:
        """See `canonface.engine.incremental.kernels.Kernels.sums`."""
        self.library.pool_sum(change.rows, change.windows.table, 1.0, out, _threads())

    # ------------------------------------------------------------------ one function an operator

    def _convolution(self, work: Work, epilogue: Epilogue | None) -> Change:
        return self._convolved(work, work.operator, epilogue)

    def _joined(self, work: Work, epilogue: Epilogue | None) -> Change:
        operator: Joined = work.operator
        convolution: Any = operator.convolution.operator
        residual = work.inputs[1] if operator.addition is not None else None
        if operator.depthwise is None:
            return self._convolved(work, convolution, epilogue, residual)
        first: Any = operator.depthwise.operator
        slides, out = first.sliding, self._room(work)
        self.library.separable(
            self._packed_depthwise(first),
            self._once(
                (convolution, "gathered"),
                lambda: self.library.pack_conv(convolution.weight, algorithm="gathered"),
            ),
            work.inputs[0].rows,
            work.inputs[0].windows.table,
            work.out.table,
            out.rows,
            slides.stride,
            slides.padding,
            slides.dilation,
            _epilogue(operator.depthwise, work.bases),
            epilogue,
            _threads(),
            _rows_and_table(residual),
        )
        return out

    def _convolved(
        self, work: Work, operator: Convolution, epilogue: Epilogue | None, residual: Change | None = None
    ) -> Change:
        change, slides, out = work.inputs[0], operator.sliding, self._room(work)
        tables = (change.windows.table, work.out.table)
        if operator.is_depthwise:
            self.library.depthwise(
                self._packed_depthwise(operator),
                change.rows,
                *tables,
                out.rows,
                slides.stride,
                slides.padding,
                slides.dilation,
                epilogue,
                _threads(),
                _rows_and_table(residual),
            )
        else:
            packed = self._once(
                operator, lambda: self.library.pack_conv(operator.weight, slides.stride, slides.dilation)
            )
            self.library.conv(
                packed,
                change.rows,
                *tables,
                out.rows,
                slides.padding,
                epilogue,
                _threads(),
                _rows_and_table(residual),
            )
        return out

    def _packed_depthwise(self, operator: Convolution) -> Any:
        return self._once(operator, lambda: self.library.pack_depthwise(operator.weight))

    def _max_pool(self, work: Work, epilogue: Epilogue | None) -> Change:  # noqa: ARG002
        [change], step, slides = work.inputs, work.step, work.operator.sliding
        out = self._room(work)
        self.library.max_pool(
            change.rows,
            change.windows.table,
            work.out.table,
            out.rows,
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

    def _avg_pool(self, work: Work, epilogue: Epilogue | None) -> Change:  # noqa: ARG002
        [change], step, operator = work.inputs, work.step, work.operator
        slides, out = operator.sliding, self._room(work)
        self.library.avg_pool(
            change.rows,
            change.windows.table,
            work.out.table,
            out.rows,
            step.in_shapes[0][1:],
            slides.kernel,
            slides.stride,
            slides.padding,
            operator.divisor,
            _threads(),
        )
        return out

    def _add(self, work: Work, epilogue: Epilogue | None) -> Change:
        first, second = work.inputs
        out = self._room(work)
        self.library.add(
            first.rows,
            first.windows.table,
            second.rows,
            second.windows.table,
            work.out.table,
            out.rows,
            work.operator.sign,
            epilogue,
            _threads(),
        )
        return out

    def _concat(self, work: Work, epilogue: Epilogue | None) -> Change:  # noqa: ARG002
        out, first = self._room(work), 0
        for change in work.inputs:
            self.library.place(change.rows, change.windows.table, work.out.table, out.rows, first, _threads())
            first += change.rows.shape[1]
        return out

    def _scale(self, work: Work, epilogue: Epilogue | None) -> Change:  # noqa: ARG002
        out = self._room(work)
        self.library.scale(work.inputs[0].rows, work.operator.factor, out.rows, _threads())
        return out

    def _pointwise(self, work: Work, epilogue: Epilogue | None) -> Change:
        [change] = work.inputs
        if epilogue is None:
            return Change(change.rows, work.out)
        out = self._room(work)
        self.library.activate(change.rows, change.windows.table, epilogue, out.rows, _threads())
        return out

    def _room(self, work: Work) -> Change:
        """Where the rows of a step are written."""
        rows, channels = work.out.rows, work.step.out_shape[0]
        memory = self._space.take(rows * channels)
        return Change(memory[: rows * channels].view(rows, channels), work.out, memory)

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


def _epilogue(step: Step, bases: Bases) -> Epilogue | None:
    function: Activation | None = step.activation
    if function is None:
        return None
    return Epilogue(
        CODES[function.name],
        bases.maps[step.before],
        step.out_hw,
        function.low,
        function.high,
        function.slope,
    )


def _rows_and_table(change: Change | None) -> tuple[Tensor, Any] | None:
    return None if change is None else (change.rows, change.windows.table)


def _threads() -> int:
    return torch.get_num_threads()


_Kernel = Callable[[NativeKernels, Work, Epilogue | None], Change]
_KERNELS: dict[type[Operator], _Kernel] = {
    Convolution: NativeKernels._convolution,
    Joined: NativeKernels._joined,
    Pointwise: NativeKernels._pointwise,
    MaxPool: NativeKernels._max_pool,
    AvgPool: NativeKernels._avg_pool,
    Add: NativeKernels._add,
    Concat: NativeKernels._concat,
    Scale: NativeKernels._scale,
}
