"""Cells of windows under kernels, on canvases and on larger windows: places as arrays of row numbers."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from canonface.engine.incremental.kernels import Change
from canonface.engine.incremental.windows import Pair, Sliding, Windows

FRAME = 2
"""Cells by which places of windows on their canvases may differ: by one with a stride of two."""


def index(values: np.ndarray, like: Tensor) -> Tensor:
    """Row numbers, or a choice of rows, as a tensor on the device of another."""
    plain = values if values.dtype == np.bool_ else values.astype(np.int64)
    return torch.as_tensor(plain, device=like.device)


def taken(rows: Float[Tensor, "rows c"], chosen: Int[np.ndarray, "k"]) -> Float[Tensor, "k c"]:
    """Rows of a change; the one past the last is zero."""
    count = len(rows)
    missing = np.flatnonzero(chosen == count)
    if not len(missing):
        return rows.index_select(0, index(chosen, rows))
    if not count:
        return rows.new_zeros(len(chosen), rows.shape[1])
    found = rows.index_select(0, index(np.minimum(chosen, count - 1), rows))
    return found.index_fill_(0, index(missing, rows), 0)


def base_under(values: Float[Tensor, "cells c"], windows: Windows, map_hw: Pair) -> Float[Tensor, "rows c"]:
    """A copy of a base map under each window's cells, one after another; if all are one window, under that alone."""
    channels = values.shape[1]
    if windows.common_size is None:
        return values.index_select(0, index(windows.cells(map_hw), values))
    y, x, photo = (
        windows.table[: 1 if windows.is_one else None, column].astype(np.int64) for column in (0, 1, 5)
    )
    starts = (photo * map_hw[0] + y) * map_hw[1] + x
    return _boxes(values, map_hw[1], starts, windows.common_size).view(-1, channels)


def _boxes(
    values: Float[Tensor, "cells c"], width: int, starts: Int[np.ndarray, "k"], size: Pair
) -> Float[Tensor, "k h _"]:
    """Boxes of one size out of maps of one width, from the cells at which they start."""
    # A view that holds one box a cell; those at places where none fits are not taken.
    channels, reach = values.shape[1], (size[0] - 1) * width + size[1] - 1
    everywhere = values.as_strided(
        (len(values) - reach, size[0], size[1] * channels), (channels, width * channels, 1)
    )
    return everywhere.index_select(0, index(starts, values))


def offset(windows: Windows, top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"]) -> Pair | None:
    """How far below and right of places windows lie, where all have one size and lie alike."""
    if windows.common_size is None:
        return None
    down, right = windows.table[:, 0] - top, windows.table[:, 1] - left
    if (down != down[0]).any() or (right != right[0]).any():
        return None
    return (int(down[0]), int(right[0]))


def blocks(change: Change) -> Float[Tensor, "p h w c"]:
    """A change under windows of one size."""
    height, width = change.windows.common_size or (0, 0)
    return change.rows.view(len(change.windows), height, width, -1)


def on(change: Change, out: Windows) -> Float[Tensor, "rows c"]:
    """A change on other windows: zero where it has no cell."""
    if change.windows.same_cells(out):
        return change.rows
    below = offset(change.windows, out.table[:, 0], out.table[:, 1])
    if below is not None and out.common_size is not None:
        return _cut(blocks(change), below, out.common_size).reshape(out.rows, -1)
    return taken(change.rows, change.windows.rows_at(*out.places()))


def taps(windows: Windows, out: Windows, slides: Sliding) -> Int[np.ndarray, "rows taps"]:
    """Rows under a kernel at each cell that is made."""
    owner, y, x = _tap_places(out, slides)
    return np.asarray(windows.rows_at(owner, y, x))


def map_cells(out: Windows, slides: Sliding, in_hw: Pair) -> Int[np.ndarray, "rows taps"]:
    """Cells of the maps of all photos under a kernel at each cell that is made; -1 outside the map."""
    owner, y, x = _tap_places(out, slides)
    inside = (y >= 0) & (y < in_hw[0]) & (x >= 0) & (x < in_hw[1])
    photo = out.table[:, 5].astype(np.int64)[owner]
    return np.where(inside, (photo * in_hw[0] + y) * in_hw[1] + x, -1)


def _tap_places(
    out: Windows, slides: Sliding
) -> tuple[Int[np.ndarray, "rows 1"], Int[np.ndarray, "rows taps"], Int[np.ndarray, "rows taps"]]:
    owner, y, x = out.places()
    steps = [np.arange(k) * d for k, d in zip(slides.kernel, slides.dilation, strict=True)]
    down, across = (grid.reshape(-1) for grid in np.meshgrid(*steps, indexing="ij"))
    tops = y[:, None] * slides.stride[0] - slides.padding[0] + down
    lefts = x[:, None] * slides.stride[1] - slides.padding[1] + across
    return owner[:, None], tops, lefts


def canvas_of(
    change: Change, top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"], size: Pair
) -> Float[Tensor, "p h w c"]:
    """Changes on canvases of one size, each with its upper left cell at a place of its own on the map."""
    windows = change.windows
    below = offset(windows, top, left)
    if below is not None:
        return _cut(blocks(change), below, size)
    if windows.common_size is not None:
        down, right = windows.table[:, 0] - top, windows.table[:, 1] - left
        framed = _framed(change, down, right, size)
        if framed is not None:
            return framed
    y = top[:, None, None] + np.arange(size[0])[:, None]
    x = left[:, None, None] + np.arange(size[1])
    owner = np.arange(len(windows))[:, None, None]
    rows = windows.rows_at(owner, y, x).reshape(-1)
    return taken(change.rows, rows).view(len(windows), *size, -1)


def _framed(
    change: Change, down: Int[np.ndarray, "p"], right: Int[np.ndarray, "p"], size: Pair
) -> Float[Tensor, "p h w c"] | None:
    """Changes of windows of one size on canvases, each so far below and right of its canvas's corner.

    All get a frame of zeros in which every canvas lies somewhere; None where that frame would be large.
    """
    block = blocks(change)
    least, most = (int(down.min()), int(right.min())), (int(down.max()), int(right.max()))
    if max(most[0] - least[0], most[1] - least[1]) > FRAME:
        return None
    tall, wide = size[0] + most[0] - least[0], size[1] + most[1] - least[1]
    frame = _cut(block, most, (tall, wide))
    starts = (np.arange(len(block)) * tall + most[0] - down) * wide + most[1] - right
    return _boxes(frame.reshape(-1, block.shape[3]), wide, starts, size).view(len(block), *size, -1)


def rows_of_canvas(
    canvas: Float[Tensor, "p h w c"], top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"], out: Windows
) -> Float[Tensor, "rows c"]:
    """The cells of windows out of canvases; zero where they reach beyond."""
    height, width = canvas.shape[1:3]
    start = offset(out, top, left)
    if start is not None and out.common_size is not None:
        return _cut(canvas, (-start[0], -start[1]), out.common_size).reshape(out.rows, -1).contiguous()
    owner, y, x = out.places()
    y, x = y - top[owner], x - left[owner]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    places = np.where(inside, (owner * height + y) * width + x, len(canvas) * height * width)
    return taken(canvas.reshape(-1, canvas.shape[3]), places)


def _cut(canvas: Float[Tensor, "p h w c"], below: Pair, size: Pair) -> Float[Tensor, "p y x c"]:
    """Canvases on others, so far below and right of their corners: with zeros around, and cut."""
    if below == (0, 0) and tuple(canvas.shape[1:3]) == size:
        return canvas
    (down, right), (height, width) = below, canvas.shape[1:3]
    if not (-height < down < size[0] and -width < right < size[1]):
        return canvas.new_zeros(len(canvas), *size, canvas.shape[3])
    return F.pad(canvas, (0, 0, right, size[1] - right - width, down, size[0] - down - height))
