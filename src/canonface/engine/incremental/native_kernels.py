"""Kernels by the compiled library; operators that it lacks are computed by PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from canonface.engine.incremental.activation_cache import ActivationCache
from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.kernels import Work
from canonface.engine.incremental.operators import (
    Activation,
    Add,
    AvgPool,
    ChannelScale,
    Concat,
    Convolution,
    FusedConv,
    MaxPool,
    Operator,
    Pointwise,
    Step,
)
from canonface.engine.incremental.program import End
from canonface.engine.incremental.torch_kernels import TorchKernels, apply_activation
from canonface.engine.incremental.windows import Pair, Windows
from canonface.engine.native import ActivationCode, Epilogue, Library

CODES: dict[str, ActivationCode] = {
    "clamp": ActivationCode.CLAMP,
    "prelu": ActivationCode.PRELU,
    "hardswish": ActivationCode.HARD_SWISH,
    "hardsigmoid": ActivationCode.HARD_SIGMOID,
}
"""Activations that kernels apply in the same pass."""
SPARE = 1.25
"""Factor by which more memory is taken than needed, so that the next chunk's windows, a little larger, fit too."""


class Workspace:
    """Pool of arrays for reuse: a new array costs more in page faults than the work on it.

    An array that is not given back is freed with its last reader.
    """

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def take(self, count: int) -> Tensor:
        """Return an array of at least ``count`` numbers, with arbitrary values."""
        fitting = [buffer for buffer in self._free if buffer.numel() >= count]
        if fitting:
            taken = min(fitting, key=Tensor.numel)
            self._free = [other for other in self._free if other is not taken]
            return taken
        if self._free:
            # The largest of those that are too small is replaced: their number does not grow.
            largest = max(self._free, key=Tensor.numel)
            self._free = [other for other in self._free if other is not largest]
        return torch.empty(max(int(count * SPARE), 1))

    def give_back(self, buffer: Tensor) -> None:
        """Put an array back into the pool once nobody reads it any more."""
        self._free.append(buffer)


@dataclass(eq=False)
class NativeKernels:
    """Kernels of a compiled library, on the CPU in float32.

    Attributes:
        library: the compiled kernels.
    """

    library: Library
    _torch: TorchKernels = field(default_factory=TorchKernels)
    _space: Workspace = field(default_factory=Workspace)
    _packed: dict[Any, Any] = field(default_factory=dict)

    def prepare(self, steps: Sequence[Step], chunks: Sequence[Mapping[str, Windows]]) -> None:
        """Do nothing: weights suit windows of every size. See `canonface.engine.incremental.kernels.Kernels`."""

    def fit_windows(self, windows: Windows, _map_hw: Pair, /) -> Windows:
        """Return the windows unchanged: see `canonface.engine.incremental.kernels.Kernels.fit_windows`."""
        return windows

    def step(self, work: Work) -> Delta:
        """Compute a step: see `canonface.engine.incremental.kernels.Kernels.step`."""
        kernel = _KERNELS.get(type(work.operator))
        if kernel is None or (isinstance(work.operator, Convolution) and not work.operator.is_native):
            return self._torch.step(work)
        function = work.step.activation
        fused = function is None or function.name in CODES
        made = kernel(self, work, _epilogue(work.step, work.cache) if fused else None)
        return made if fused else replace(made, rows=apply_activation(made.rows, work))

    def release(self, delta: Delta) -> None:
        """Return memory to the pool: see `canonface.engine.incremental.kernels.Kernels.release`."""
        if delta.memory is not None:
            self._space.give_back(delta.memory)

    def cells(self, end: End, delta: Delta, base: Float[Tensor, "photos n"]) -> Float[Tensor, "p n"]:
        """Compute a dense layer: see `canonface.engine.incremental.kernels.Kernels.cells`."""
        packed = self._cached(end, lambda: self._packed_cells(end))
        prediction = base.index_select(0, torch.as_tensor(delta.windows.photo).long())
        self.library.cells_linear(packed, delta.rows, delta.windows.table, prediction, _threads())
        return prediction

    def sums(self, delta: Delta, out: Float[Tensor, "p c"]) -> None:
        """Sum each probe's delta: see `canonface.engine.incremental.kernels.Kernels.sums`."""
        self.library.pool_sum(delta.rows, delta.windows.table, 1.0, out, _threads())

    # ------------------------------------------------------------------ one function per operator

    def _convolution(self, work: Work, epilogue: Epilogue | None) -> Delta:
        return self._convolved(work, work.operator, epilogue)

    def _fused_conv(self, work: Work, epilogue: Epilogue | None) -> Delta:
        operator: FusedConv = work.operator
        convolution: Any = operator.convolution.operator
        residual = work.inputs[1] if operator.addition is not None else None
        if operator.depthwise is None:
            return self._convolved(work, convolution, epilogue, residual)
        first: Any = operator.depthwise.operator
        slides, out = first.sliding, self._new_delta(work)
        self.library.separable(
            self._packed_depthwise(first),
            self._cached(
                (convolution, "im2col"),
                lambda: self.library.pack_conv(convolution.weight, algorithm="im2col"),
            ),
            work.inputs[0].rows,
            work.inputs[0].windows.table,
            work.out.table,
            out.rows,
            slides.stride,
            slides.padding,
            slides.dilation,
            _epilogue(operator.depthwise, work.cache),
            epilogue,
            _threads(),
            _rows_and_table(residual),
        )
        return out

    def _convolved(
        self, work: Work, operator: Convolution, epilogue: Epilogue | None, residual: Delta | None = None
    ) -> Delta:
        delta, slides, out = work.inputs[0], operator.sliding, self._new_delta(work)
        tables = (delta.windows.table, work.out.table)
        if operator.is_depthwise:
            self.library.depthwise(
                self._packed_depthwise(operator),
                delta.rows,
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
            packed = self._cached(
                operator, lambda: self.library.pack_conv(operator.weight, slides.stride, slides.dilation)
            )
            self.library.conv(
                packed,
                delta.rows,
                *tables,
                out.rows,
                slides.padding,
                epilogue,
                _threads(),
                _rows_and_table(residual),
            )
        return out

    def _packed_depthwise(self, operator: Convolution) -> Any:
        return self._cached(operator, lambda: self.library.pack_depthwise(operator.weight))

    def _max_pool(self, work: Work, epilogue: Epilogue | None) -> Delta:  # noqa: ARG002
        [delta], step, slides = work.inputs, work.step, work.operator.sliding
        out = self._new_delta(work)
        self.library.max_pool(
            delta.rows,
            delta.windows.table,
            work.out.table,
            out.rows,
            work.cache.maps[step.operands[0]],
            work.cache.maps[step.output],
            step.in_shapes[0][1:],
            step.out_hw,
            slides.kernel,
            slides.stride,
            slides.padding,
            slides.dilation,
            _threads(),
        )
        return out

    def _avg_pool(self, work: Work, epilogue: Epilogue | None) -> Delta:  # noqa: ARG002
        [delta], step, operator = work.inputs, work.step, work.operator
        slides, out = operator.sliding, self._new_delta(work)
        self.library.avg_pool(
            delta.rows,
            delta.windows.table,
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

    def _add(self, work: Work, epilogue: Epilogue | None) -> Delta:
        first, second = work.inputs
        out = self._new_delta(work)
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

    def _concat(self, work: Work, epilogue: Epilogue | None) -> Delta:  # noqa: ARG002
        out, first = self._new_delta(work), 0
        for delta in work.inputs:
            self.library.place(delta.rows, delta.windows.table, work.out.table, out.rows, first, _threads())
            first += delta.rows.shape[1]
        return out

    def _scale(self, work: Work, epilogue: Epilogue | None) -> Delta:  # noqa: ARG002
        out = self._new_delta(work)
        self.library.scale(work.inputs[0].rows, work.operator.factor, out.rows, _threads())
        return out

    def _pointwise(self, work: Work, epilogue: Epilogue | None) -> Delta:
        [delta] = work.inputs
        if epilogue is None:
            return Delta(delta.rows, work.out)
        out = self._new_delta(work)
        self.library.activate(delta.rows, delta.windows.table, epilogue, out.rows, _threads())
        return out

    def _new_delta(self, work: Work) -> Delta:
        """Return a delta whose rows a step writes."""
        rows, channels = work.out.rows, work.step.out_shape[0]
        memory = self._space.take(rows * channels)
        return Delta(memory[: rows * channels].view(rows, channels), work.out, memory)

    def _packed_cells(self, end: End) -> Any:
        assert end.weight is not None
        weight = end.weight
        if end.factor is not None:
            channels = end.shape[0]
            wide = weight.view(len(weight), channels, -1).double() * end.factor.view(1, -1, 1)
            weight = wide.to(weight.dtype).view_as(weight)
        return self.library.pack_cells(weight, end.shape[0], end.shape[1:])

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what is prepared once per program, such as packed weights."""
        if key not in self._packed:
            self._packed[key] = make()
        return self._packed[key]


def _epilogue(step: Step, cache: ActivationCache) -> Epilogue | None:
    function: Activation | None = step.activation
    if function is None:
        return None
    return Epilogue(
        CODES[function.name],
        cache.maps[step.before],
        step.out_hw,
        function.low,
        function.high,
        function.slope,
    )


def _rows_and_table(delta: Delta | None) -> tuple[Tensor, Any] | None:
    return None if delta is None else (delta.rows, delta.windows.table)


def _threads() -> int:
    return torch.get_num_threads()


_Kernel = Callable[[NativeKernels, Work, Epilogue | None], Delta]
_KERNELS: dict[type[Operator], _Kernel] = {
    Convolution: NativeKernels._convolution,
    FusedConv: NativeKernels._fused_conv,
    Pointwise: NativeKernels._pointwise,
    MaxPool: NativeKernels._max_pool,
    AvgPool: NativeKernels._avg_pool,
    Add: NativeKernels._add,
    Concat: NativeKernels._concat,
    ChannelScale: NativeKernels._scale,
}
