"""Cells of windows under kernels, on canvases and on larger windows: places as arrays of row numbers."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from canonface.engine.incremental.kernels import Change
from canonface.engine.incremental.windows import Pair, Sliding, Windows


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
    if not windows.is_one:
        return values.index_select(0, index(windows.cells(map_hw), values))
    y, x, height, width, _, photo = windows.table[0].tolist()
    maps = values.view(-1, *map_hw, values.shape[1])
    block = maps[photo, y : y + height, x : x + width]
    return block.clone(memory_format=torch.contiguous_format).view(-1, values.shape[1])


def on(change: Change, out: Windows) -> Float[Tensor, "rows c"]:
    """A change on larger windows: zero where it has no cell."""
    if change.windows.same_cells(out):
        return change.rows
    if change.windows.is_one and out.is_one:
        top, left, height, width, *_ = out.table[0].tolist()
        return _moved(change, top, left, (height, width)).reshape(out.rows, -1)
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
    if bool(
        np.array_equal(windows.table[:, 0], top)
        and np.array_equal(windows.table[:, 1], left)
        and (windows.table[:, 2:4] == size).all()
    ):
        return change.rows.view(len(windows), *size, -1)
    if windows.is_one and (top == top[0]).all() and (left == left[0]).all():
        return _moved(change, int(top[0]), int(left[0]), size)
    y = top[:, None, None] + np.arange(size[0])[:, None]
    x = left[:, None, None] + np.arange(size[1])
    owner = np.arange(len(windows))[:, None, None]
    rows = windows.rows_at(owner, y, x).reshape(-1)
    return taken(change.rows, rows).view(len(windows), *size, -1)


def rows_of_canvas(
    canvas: Float[Tensor, "p h w c"], top: Int[np.ndarray, "p"], left: Int[np.ndarray, "p"], out: Windows
) -> Float[Tensor, "rows c"]:
    """The cells of windows out of canvases; zero where they reach beyond."""
    height, width = canvas.shape[1:3]
    if bool(
        np.array_equal(out.table[:, 0], top)
        and np.array_equal(out.table[:, 1], left)
        and (out.table[:, 2:4] == (height, width)).all()
    ):
        return canvas.reshape(out.rows, -1)
    if out.is_one and (top == top[0]).all() and (left == left[0]).all():
        y0, x0, down, across, *_ = out.table[0].tolist()
        y0, x0 = y0 - int(top[0]), x0 - int(left[0])
        edges = (0, 0, -x0, x0 + across - width, -y0, y0 + down - height)
        return F.pad(canvas, edges).reshape(out.rows, -1)
    owner, y, x = out.places()
    y, x = y - top[owner], x - left[owner]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    places = np.where(inside, (owner * height + y) * width + x, len(canvas) * height * width)
    return taken(canvas.reshape(-1, canvas.shape[3]), places)


def _moved(change: Change, top: int, left: int, size: Pair) -> Float[Tensor, "p h w c"]:
    """Changes of one window on larger or smaller ones of one place."""
    y, x, height, width, *_ = change.windows.table[0].tolist()
    above, before = y - top, x - left
    below, behind = size[0] - above - height, size[1] - before - width
    rows = change.rows.view(len(change.windows), height, width, -1)
    return F.pad(rows, (0, 0, before, behind, above, below))
