"""Row indices of window cells: under kernels, on canvases and on larger windows."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.windows import Pair, Sliding, Windows

FRAME = 2
"""Largest difference between the places of windows on their canvases; a stride of two makes one cell."""


def to_index(values: np.ndarray, like: Tensor) -> Tensor:
    """Return row numbers, or a choice of rows, as a tensor on the device of ``like``."""
    plain = values if values.dtype == np.bool_ else values.astype(np.int64)
    return torch.as_tensor(plain, device=like.device)


def take_rows(rows: Float[Tensor, "rows c"], chosen: Int[np.ndarray, "k"]) -> Float[Tensor, "k c"]:
    """Return rows of a delta; an index equal to the number of rows gives zeros."""
    count = len(rows)
    missing = np.flatnonzero(chosen == count)
    if not len(missing):
        return rows.index_select(0, to_index(chosen, rows))
    if not count:
        return rows.new_zeros(len(chosen), rows.shape[1])
    found = rows.index_select(0, to_index(np.minimum(chosen, count - 1), rows))
    return found.index_fill_(0, to_index(missing, rows), 0)


def base_under(values: Float[Tensor, "cells c"], windows: Windows, map_hw: Pair) -> Float[Tensor, "rows c"]:
    """Return a copy of a cached map under each window's cells, one after another; under one if all are equal."""
    channels = values.shape[1]
    if windows.common_size is None:
        return values.index_select(0, to_index(windows.cells(map_hw), values))
    some = slice(1 if windows.is_one else None)
    y, x, photo = (column[some].astype(np.int64) for column in (windows.y, windows.x, windows.photo))
    starts = (photo * map_hw[0] + y) * map_hw[1] + x
    return _boxes(values, map_hw[1], starts, windows.common_size).view(-1, channels)


def _boxes(
    values: Float[Tensor, "cells c"], width: int, starts: Int[np.ndarray, "k"], size: Pair
) -> Float[Tensor, "k h _"]:
    """Return boxes of one size from maps of one width, given the cells at which they start."""
    # A view with one box per cell; boxes at places where none fits are not taken.
    channels, reach = values.shape[1], (size[0] - 1) * width + size[1] - 1
    everywhere = values.as_strided(
        (len(values) - reach, size[0], size[1] * channels), (channels, width * channels, 1)
    )
    return everywhere.index_select(0, to_index(starts, values))


def offset(windows: Windows, top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"]) -> Pair | None:
    """Return how far below and right of given places windows lie; None unless all have one size and offset."""
    if windows.common_size is None:
        return None
    down, right = windows.y - top, windows.x - left
    if (down != down[0]).any() or (right != right[0]).any():
        return None
    return (int(down[0]), int(right[0]))


def blocks(delta: Delta) -> Float[Tensor, "p h w c"]:
    """Return a delta under windows of one size as blocks."""
    height, width = delta.windows.common_size or (0, 0)
    return delta.rows.view(len(delta.windows), height, width, -1)


def on_windows(delta: Delta, out: Windows) -> Float[Tensor, "rows c"]:
    """Return a delta on other windows: zero where it has no cell."""
    if delta.windows.same_cells(out):
        return delta.rows
    below = offset(delta.windows, out.y, out.x)
    if below is not None and out.common_size is not None:
        return _cut(blocks(delta), below, out.common_size).reshape(out.rows, -1)
    return take_rows(delta.rows, delta.windows.rows_at(*out.places()))


def taps(windows: Windows, out: Windows, slides: Sliding) -> Int[np.ndarray, "rows taps"]:
    """Return the rows under a kernel at each output cell."""
    owner, y, x = _tap_places(out, slides)
    return np.asarray(windows.rows_at(owner, y, x))


def map_cells(out: Windows, slides: Sliding, in_hw: Pair) -> Int[np.ndarray, "rows taps"]:
    """Return the cells under a kernel at each output cell, in the maps of all photos; -1 outside the map."""
    owner, y, x = _tap_places(out, slides)
    inside = (y >= 0) & (y < in_hw[0]) & (x >= 0) & (x < in_hw[1])
    photo = out.photo.astype(np.int64)[owner]
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
    delta: Delta, top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"], size: Pair
) -> Float[Tensor, "p h w c"]:
    """Return deltas on canvases of one size, with each canvas's upper left cell at a given place on the map."""
    windows = delta.windows
    below = offset(windows, top, left)
    if below is not None:
        return _cut(blocks(delta), below, size)
    if windows.common_size is not None:
        down, right = windows.y - top, windows.x - left
        framed = _framed_canvas(delta, down, right, size)
        if framed is not None:
            return framed
    y = top[:, None, None] + np.arange(size[0])[:, None]
    x = left[:, None, None] + np.arange(size[1])
    owner = np.arange(len(windows))[:, None, None]
    rows = windows.rows_at(owner, y, x).reshape(-1)
    return take_rows(delta.rows, rows).view(len(windows), *size, -1)


def _framed_canvas(
    delta: Delta, down: Int[np.ndarray, "p"], right: Int[np.ndarray, "p"], size: Pair
) -> Float[Tensor, "p h w c"] | None:
    """Return deltas of windows of one size on canvases, each so far below and right of its canvas's corner.

    All get a frame of zeros in which every canvas lies somewhere; None if that frame would be large.
    """
    block = blocks(delta)
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
    """Return the cells of windows from canvases; zero outside the canvas."""
    height, width = canvas.shape[1:3]
    start = offset(out, top, left)
    if start is not None and out.common_size is not None:
        return _cut(canvas, (-start[0], -start[1]), out.common_size).reshape(out.rows, -1).contiguous()
    owner, y, x = out.places()
    y, x = y - top[owner], x - left[owner]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    places = np.where(inside, (owner * height + y) * width + x, len(canvas) * height * width)
    return take_rows(canvas.reshape(-1, canvas.shape[3]), places)


def _cut(canvas: Float[Tensor, "p h w c"], below: Pair, size: Pair) -> Float[Tensor, "p y x c"]:
    """Shift canvases down and right within canvases of another size: zeros are added around, the rest is cut."""
    if below == (0, 0) and tuple(canvas.shape[1:3]) == size:
        return canvas
    (down, right), (height, width) = below, canvas.shape[1:3]
    if not (-height < down < size[0] and -width < right < size[1]):
        return canvas.new_zeros(len(canvas), *size, canvas.shape[3])
    return F.pad(canvas, (0, 0, right, size[1] - right - width, down, size[0] - down - height))
