"""Kernels by PyTorch's operators: available on any device, in any float type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from canonface.engine.incremental import winograd
from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.indexing import (
    base_under,
    blocks,
    canvas_of,
    map_cells,
    offset,
    on_windows,
    rows_of_canvas,
    take_rows,
    taps,
    to_index,
)
from canonface.engine.incremental.kernels import Work
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
    Step,
)
from canonface.engine.incremental.program import End
from canonface.engine.incremental.windows import Pair, Windows, equalize

CELLS_BYTES = 32 * 2**20
"""Bound on the weights of a dense layer that are reordered at once, and on the whole maps that it reads at once."""
ORDERED_MAPS = 256
"""Whole maps that a dense layer reads in the time it takes to reorder its weights by cell."""
BLOCK_BYTES = 2 * 2**20
"""Deltas that an activation is applied to at once."""
RETILE_RATIO = 1.3
"""Factor of products, compared with the best tile, above which another tile is chosen."""
MAX_PADDING = 1.5
"""Largest growth of windows in cells to give all the same size."""
MAX_PADDING_SHARED = 1.15
"""Largest growth of windows in cells to make all the same window, which saves little more."""


@dataclass(eq=False)
class TorchKernels:
    """Kernels by PyTorch's operators."""

    _packed: dict[Any, Any] = field(default_factory=dict)
    _tiles: dict[Convolution, int] = field(default_factory=dict)

    def prepare(self, steps: Sequence[Step], chunks: Sequence[Mapping[str, Windows]]) -> None:
        """Choose the tiles of 3x3 convolutions: see `canonface.engine.incremental.kernels.Kernels.prepare`."""
        for step in steps:
            if isinstance(step.operator, Convolution) and self._uses_winograd(step.operator):
                self._take_tile(step.operator, [windows[step.inputs[0]] for windows in chunks])

    def _uses_winograd(self, operator: Convolution) -> bool:
        """Return whether Toom-Cook applies. Half precision is too coarse: tiles multiply by up to 16, twice."""
        return operator.suits_winograd and operator.weight.element_size() > 2

    def _take_tile(self, operator: Convolution, chunks: Sequence[Windows]) -> None:
        """Choose the tile for the windows that a convolution reads.

        Weights for one kind of tile are kept: all kinds would take three times the memory. They are reordered for
        another only if the current one makes many more products.
        """
        sizes = winograd.padded_sizes(chunks)
        best, tile = winograd.tile_for(sizes), self._tiles.get(operator)
        if tile is None or winograd.products(sizes, tile) > RETILE_RATIO * winograd.products(sizes, best):
            self._tiles[operator] = best
            self._packed.pop(operator, None)

    def fit_windows(self, windows: Windows, map_hw: Pair, /) -> Windows:
        """Give windows one size, to be read and written as blocks: see `canonface.engine.incremental.kernels`."""
        return equalize(windows, map_hw, MAX_PADDING_SHARED, MAX_PADDING)

    def step(self, work: Work) -> Delta:
        """Compute a step: see `canonface.engine.incremental.kernels.Kernels.step`."""
        rows = _KERNELS[type(work.operator)](self, work)
        if work.step.activation is not None:
            rows = apply_activation(rows, work)
        return Delta(rows, work.out)

    def release(self, delta: Delta) -> None:
        """Do nothing: PyTorch frees memory itself. See `canonface.engine.incremental.kernels.Kernels.release`."""

    def cells(self, end: End, delta: Delta, base: Float[Tensor, "photos n"]) -> Float[Tensor, "p n"]:
        """Compute a dense layer: see `canonface.engine.incremental.kernels.Kernels.cells`."""
        assert end.weight is not None
        windows, (channels, height, width) = delta.windows, end.shape
        prediction = base.index_select(0, to_index(windows.photo, base))
        if len(windows) * height * width <= ORDERED_MAPS * height * width + windows.rows:
            self._whole_maps(end, delta, prediction)
            return prediction
        owner, y, x = windows.places()
        cell = y * width + x
        order = np.argsort(cell, kind="stable")
        starts = np.searchsorted(cell[order], np.arange(height * width + 1))
        rows, owners = (
            delta.rows.index_select(0, to_index(order, prediction)),
            to_index(owner[order], prediction),
        )
        if end.factor is not None:
            rows.mul_(end.factor.to(rows))
        # Reordered by cell each time: a copy of the layer may be as large as the rest of the network.
        outputs = max(1, CELLS_BYTES // (end.weight[0].numel() * end.weight.element_size()))
        for weight, part in zip(
            torch.split(end.weight, outputs), torch.split(prediction, outputs, dim=1), strict=True
        ):
            by_cell = weight.view(len(weight), channels, -1).permute(2, 1, 0).contiguous()
            made = torch.zeros_like(part, memory_format=torch.contiguous_format)
            for number in np.flatnonzero(np.diff(starts)):
                here = slice(starts[number], starts[number + 1])
                made.index_add_(0, owners[here], rows[here] @ by_cell[number])
            part.add_(made)
        return prediction

    def _whole_maps(self, end: End, delta: Delta, prediction: Float[Tensor, "p n"]) -> None:
        """Add a dense layer's output for the deltas of whole maps, with its weights in their own order."""
        assert end.weight is not None
        _, height, width = end.shape
        together = max(1, CELLS_BYTES // (end.weight[0].numel() * delta.rows.element_size()))
        for first in range(0, len(delta.windows), together):
            part = delta.some(first, together)
            if end.factor is not None:
                part = Delta(part.rows * end.factor.to(part.rows), part.windows)
            corner = np.zeros(len(part.windows), dtype=np.int64)
            maps = canvas_of(part, corner, corner, (height, width)).permute(0, 3, 1, 2)
            prediction[first : first + together].addmm_(maps.reshape(len(maps), -1), end.weight.t())

    def sums(self, delta: Delta, out: Float[Tensor, "p c"]) -> None:
        """Sum each probe's delta: see `canonface.engine.incremental.kernels.Kernels.sums`."""
        if delta.windows.is_one:
            torch.sum(delta.rows.view(len(out), -1, out.shape[1]), 1, out=out)
        else:
            out.zero_().index_add_(0, to_index(delta.windows.owners(), out), delta.rows)

    # ------------------------------------------------------------------ one function per operator

    def _convolution(self, work: Work) -> Float[Tensor, "rows c"]:
        [delta], out, operator = work.inputs, work.out, work.operator
        slides = operator.sliding
        if operator.groups == 1 and slides.kernel == (1, 1):
            return self._one_cell(operator, delta, out)
        if self._uses_winograd(operator):
            return self._winograd(operator, delta, out)
        return self._canvas(operator, delta, out)

    def _one_cell(self, operator: Convolution, delta: Delta, out: Windows) -> Float[Tensor, "rows c"]:
        rows = delta.rows
        if not delta.windows.same_cells(out) or not operator.sliding.is_pointwise:
            rows = take_rows(rows, taps(delta.windows, out, operator.sliding)[:, 0])
        weight = self._cached(operator, lambda: operator.weight.flatten(1).t().contiguous().to(rows.dtype))
        made: Tensor = rows @ weight
        return made

    def _winograd(self, operator: Convolution, delta: Delta, out: Windows) -> Float[Tensor, "rows c"]:
        windows = delta.windows
        if not windows.rows or not out.rows:
            return delta.rows.new_zeros(out.rows, operator.weight.shape[0])
        height, width = (int(side.max()) for side in (windows.height, windows.width))
        if operator not in self._tiles:
            self._take_tile(operator, [windows])
        tile = self._tiles[operator]
        weight = self._cached(
            operator, lambda: winograd.pack_weights(operator.weight.to(delta.rows.dtype), tile)
        )
        size = winograd.padded_to_tiles((height, width), tile)
        canvas = canvas_of(delta, windows.y, windows.x, size)
        made = winograd.full_convolution(canvas, weight)
        padding = operator.sliding.padding
        top = windows.y + padding[0] - 2
        left = windows.x + padding[1] - 2
        return rows_of_canvas(made, top, left, out)

    def _canvas(self, operator: Convolution, delta: Delta, out: Windows) -> Float[Tensor, "rows c"]:
        slides = operator.sliding
        outs = operator.weight.shape[0]
        if not out.rows:
            return delta.rows.new_zeros(0, outs)
        steps = [int(side.max()) for side in (out.height, out.width)]
        size = tuple(
            (steps[axis] - 1) * slides.stride[axis] + slides.dilation[axis] * (slides.kernel[axis] - 1) + 1
            for axis in (0, 1)
        )
        top = out.y * slides.stride[0] - slides.padding[0]
        left = out.x * slides.stride[1] - slides.padding[1]
        padding = _padding(delta.windows, top, left, (size[0], size[1]))
        if padding is None:
            canvas, padding = canvas_of(delta, top, left, (size[0], size[1])), (0, 0)
        else:
            canvas = blocks(delta)
        dtype = delta.rows.dtype
        weight = self._cached(
            operator, lambda: _maps(operator.weight.to(dtype).permute(0, 2, 3, 1).contiguous())
        )
        made = F.conv2d(_maps(canvas), weight, None, slides.stride, padding, slides.dilation, operator.groups)
        made = made[:, :, : steps[0], : steps[1]]
        return rows_of_canvas(made.permute(0, 2, 3, 1), out.y, out.x, out)

    def _max_pool(self, work: Work) -> Float[Tensor, "rows c"]:
        [delta], out, step, slides = work.inputs, work.out, work.step, work.operator.sliding
        in_hw, before = step.in_shapes[0][1:], work.cache.maps[step.operands[0]]
        rows = taps(delta.windows, out, slides)
        cells = map_cells(out, slides, in_hw)
        largest: Tensor | None = None
        for tap in range(rows.shape[1]):
            inside = to_index(cells[:, tap] >= 0, before)
            value = before.index_select(0, to_index(np.maximum(cells[:, tap], 0), before))
            value = value + take_rows(delta.rows, rows[:, tap])
            value = torch.where(inside[:, None], value, -torch.inf)
            largest = value if largest is None else torch.maximum(largest, value)
        assert largest is not None
        return largest - work.cache.maps[step.output].index_select(
            0, to_index(out.cells(step.out_hw), before)
        )

    def _avg_pool(self, work: Work) -> Float[Tensor, "rows c"]:
        [delta], out, slides = work.inputs, work.out, work.operator.sliding
        rows = taps(delta.windows, out, slides)
        total = delta.rows.new_zeros(out.rows, delta.rows.shape[1])
        for tap in range(rows.shape[1]):
            total += take_rows(delta.rows, rows[:, tap])
        if work.operator.divisor is not None:
            return total / float(work.operator.divisor)
        inside = (map_cells(out, slides, work.step.in_shapes[0][1:]) >= 0).sum(axis=1)
        mean: Tensor = total / torch.as_tensor(inside, device=total.device).to(total.dtype)[:, None]
        return mean

    def _add(self, work: Work) -> Float[Tensor, "rows c"]:
        first, second = (on_windows(delta, work.out) for delta in work.inputs)
        return torch.add(first, second, alpha=work.operator.sign)

    def _multiply(self, work: Work) -> Float[Tensor, "rows c"]:
        first, second = (on_windows(delta, work.out) for delta in work.inputs)
        hw = work.step.out_hw
        a, b = (base_under(work.cache.maps[name], work.out, hw) for name in work.step.operands)
        if len(first):
            first, second = first.view(-1, *a.shape), second.view(-1, *b.shape)
        return (a * second + b * first + first * second).view(work.out.rows, work.step.out_shape[0])

    def _concat(self, work: Work) -> Float[Tensor, "rows c"]:
        return torch.cat([on_windows(delta, work.out) for delta in work.inputs], dim=1)

    def _scale(self, work: Work) -> Float[Tensor, "rows c"]:
        rows = work.inputs[0].rows
        scaled: Tensor = rows * work.operator.factor.to(rows)
        return scaled

    def _pad(self, work: Work) -> Float[Tensor, "rows c"]:
        [delta], by = work.inputs, work.operator.by
        owner, y, x = work.out.places()
        rows = take_rows(delta.rows, delta.windows.rows_at(owner, y - by[0], x - by[1]))
        return F.pad(rows, work.operator.channels) if any(work.operator.channels) else rows

    def _pointwise(self, work: Work) -> Float[Tensor, "rows c"]:
        return work.inputs[0].rows

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what is prepared once per program, such as packed weights."""
        if key not in self._packed:
            self._packed[key] = make()
        return self._packed[key]


def _maps(canvas: Float[Tensor, "p h w c"]) -> Float[Tensor, "p c h w"]:
    """Return canvases as PyTorch's maps, channels last.

    Canvases of one channel are the same in either order and get the plain one: in the other oneDNN 3.12 reads beyond
    them if the strides across and down differ. https://github.com/pytorch/pytorch/issues/163347 is akin.
    """
    return canvas.squeeze(3).unsqueeze(1) if canvas.shape[3] == 1 else canvas.permute(0, 3, 1, 2)


def _padding(
    windows: Windows, top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"], size: Pair
) -> Pair | None:
    """Return the padding above and left that makes canvases of the windows; None if they need more below or right."""
    if (start := offset(windows, top, left)) is None or windows.common_size is None:
        return None
    (above, before), (height, width) = start, windows.common_size
    below, behind = size[0] - above - height, size[1] - before - width
    return (above, before) if above >= below >= 0 and before >= behind >= 0 else None


def apply_activation(rows: Float[Tensor, "rows c"], work: Work) -> Float[Tensor, "rows c"]:
    """Return the delta after a step's activation, from the delta before it; ``rows`` may be overwritten.

    Rows that belong to an input of the step are kept, since other steps may read them.
    """
    function = work.step.activation
    assert function is not None
    borrowed = any(delta.rows.data_ptr() == rows.data_ptr() for delta in work.inputs)
    made = torch.empty_like(rows) if borrowed else rows
    before = base_under(work.cache.maps[work.step.before], work.out, work.step.out_hw)
    if not work.out.is_one:
        torch.add(rows, before, out=made)
        return _activated(function, made).sub_(_activated(function, before))
    # Block by block: each is read again while it is still in the cache.
    unchanged = _activated(function, before.clone())
    probes = max(1, BLOCK_BYTES // before.nbytes)
    some = (torch.split(each.view(-1, *before.shape), probes) for each in (rows, made))
    for delta, to in zip(*some, strict=True):
        torch.add(delta, before, out=to)
        changed = _activated(function, to)
        torch.sub(changed, unchanged, out=to)
    return made


def _activated(function: Activation, values: Tensor) -> Tensor:
    """Apply an activation, in place if possible: new memory for millions of numbers costs more than clamping them."""
    return (
        values.clamp_(function.low, function.high) if function.name == "clamp" else function.function(values)
    )


_Kernel = Callable[[TorchKernels, Work], Tensor]
_KERNELS: dict[type[Operator], _Kernel] = {
    Convolution: TorchKernels._convolution,
    Pointwise: TorchKernels._pointwise,
    MaxPool: TorchKernels._max_pool,
    AvgPool: TorchKernels._avg_pool,
    Add: TorchKernels._add,
    Multiply: TorchKernels._multiply,
    Concat: TorchKernels._concat,
    ChannelScale: TorchKernels._scale,
    Pad: TorchKernels._pad,
}
