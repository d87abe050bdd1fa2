"""Windows of deltas: one rectangle per probe on each map of a network.

A patch changes a rectangle of the input, and every layer turns that rectangle into the smallest one that holds all
it can change of the next map. The cells of all windows lie one after another, row by row, in one array ``(rows, c)``,
each window at its own size; strides, borders and saturation are ordinary cases of interval arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

Pair = tuple[int, int]

Y, X, HEIGHT, WIDTH, FIRST, PHOTO = range(6)
"""Columns of a windows table, in the order of ``Window`` in native/source/windows.hpp."""
PLACE = slice(Y, X + 1)
SIZE = slice(HEIGHT, WIDTH + 1)


@dataclass(frozen=True)
class Sliding:
    """Geometry of a kernel that slides over a map, for convolutions and pooling.

    Attributes:
        kernel: height and width of the kernel.
        stride: stride of its steps.
        padding: cells above and left of the map.
        dilation: distance of its taps.
        out_hw: height and width of the output map.
    """

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    out_hw: Pair

    @property
    def is_pointwise(self) -> bool:
        """Return whether each output cell reads the input cell at the same place only."""
        return self.kernel == self.stride == (1, 1) and self.padding == (0, 0)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows on maps of one size, one per probe, always inside the map; a window may be empty.

    Attributes:
        table: ``(p, 6)`` ``int32``, C-contiguous, with the columns `Y`, `X`, `HEIGHT`, `WIDTH`, `FIRST`, `PHOTO`:
            place of the window's upper left cell on the map, its size, the row of its first cell, and the photo whose
            map it lies on.
        rows: number of cells of all windows together.
    """

    table: Int[np.ndarray, "p 6"]
    rows: int

    @classmethod
    def of(
        cls,
        y: Int[np.ndarray, "p"],
        x: Int[np.ndarray, "p"],
        height: Int[np.ndarray, "p"],
        width: Int[np.ndarray, "p"],
        photo: Int[np.ndarray, "p"],
    ) -> Windows:
        """Return windows of these places and sizes; one without height or width gets neither."""
        area = np.maximum(height, 0) * np.maximum(width, 0)
        some = area > 0
        first = np.zeros(len(area), dtype=np.int64)
        np.cumsum(area[:-1], out=first[1:])
        table = np.empty((len(area), 6), dtype=np.int32)
        for column, values in enumerate((y * some, x * some, height * some, width * some, first, photo)):
            table[:, column] = values
        return cls(table, int(area.sum()))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def y(self) -> Int[np.ndarray, "p"]:
        """Return the row of each window's upper left cell on the map."""
        return self.table[:, Y]

    @property
    def x(self) -> Int[np.ndarray, "p"]:
        """Return the column of each window's upper left cell on the map."""
        return self.table[:, X]

    @property
    def height(self) -> Int[np.ndarray, "p"]:
        """Return the height of each window."""
        return self.table[:, HEIGHT]

    @property
    def width(self) -> Int[np.ndarray, "p"]:
        """Return the width of each window."""
        return self.table[:, WIDTH]

    @property
    def first(self) -> Int[np.ndarray, "p"]:
        """Return the row of each window's first cell."""
        return self.table[:, FIRST]

    @property
    def photo(self) -> Int[np.ndarray, "p"]:
        """Return the number of the photo whose map each window lies on."""
        return self.table[:, PHOTO]

    @property
    def sizes(self) -> Int[np.ndarray, "p"]:
        """Return the number of cells of each window."""
        return np.asarray(self.height * self.width)

    def __getitem__(self, chosen: slice | Int[np.ndarray, "k"]) -> Windows:
        """Return some of the windows, with rows counted anew."""
        if isinstance(chosen, slice) and chosen.step in (None, 1):
            # Neighbours keep the distances of their rows.
            table = self.table[chosen].copy()
            if not len(table):
                return Windows(table, 0)
            table[:, FIRST] -= table[0, FIRST]
            last = table[-1].tolist()
            return Windows(table, last[FIRST] + last[HEIGHT] * last[WIDTH])
        y, x, height, width, _, photo = self.table[chosen].T
        return Windows.of(y, x, height, width, photo)

    @cached_property
    def common_size(self) -> Pair | None:
        """Return the height and width of all windows if they are equal and hold a cell, else None."""
        sizes = self.table[:, SIZE]
        if not self.rows or (sizes != sizes[0]).any():
            return None
        return (int(sizes[0, 0]), int(sizes[0, 1]))

    @cached_property
    def is_one(self) -> bool:
        """Return whether all are the same window of the same photo, and hold a cell."""
        places = self.table[:, [Y, X, HEIGHT, WIDTH, PHOTO]]
        return self.rows > 0 and bool((places == places[0]).all())

    def same_cells(self, other: Windows) -> bool:
        """Return whether both hold the same cells in the same order."""
        return self is other or bool(np.array_equal(self.table, other.table))

    def owners(self) -> Int[np.ndarray, "rows"]:
        """Return the probe of each row."""
        return np.repeat(np.arange(len(self)), self.sizes)

    def places(self) -> tuple[Int[np.ndarray, "rows"], Int[np.ndarray, "rows"], Int[np.ndarray, "rows"]]:
        """Return the owner, y and x of each row's cell on the map."""
        owner = self.owners()
        y, x, _, width, first, _ = self.table.T
        within = np.arange(self.rows) - first[owner]
        return owner, y[owner] + within // width[owner], x[owner] + within % width[owner]

    def cells(self, map_hw: Pair) -> Int[np.ndarray, "rows"]:
        """Return the index of each row's cell in the maps of all photos, written one after another."""
        owner, y, x = self.places()
        return np.asarray((self.photo[owner].astype(np.int64) * map_hw[0] + y) * map_hw[1] + x)

    def rows_at(
        self, owner: Int[np.ndarray, "..."], y: Int[np.ndarray, "..."], x: Int[np.ndarray, "..."]
    ) -> Int[np.ndarray, "..."]:
        """Return the row of a probe's cell at a place of the map; outside its window, the number of all rows."""
        top, left, height, width, first, _ = (column[owner] for column in self.table.T)
        down, right = y - top, x - left
        inside = (down >= 0) & (down < height) & (right >= 0) & (right < width)
        return np.where(inside, first + down * width + right, self.rows)


def slide(windows: Windows, sliding: Sliding) -> Windows:
    """Return the windows that a sliding kernel makes of others: every cell with a tap inside the old window."""
    y, x, height, width, _, photo = windows.table.T
    starts, sizes = [], []
    for axis, (start, size) in enumerate(((y, height), (x, width))):
        reach = sliding.dilation[axis] * (sliding.kernel[axis] - 1)
        stride, padding = sliding.stride[axis], sliding.padding[axis]
        # Cell o reads o * stride - padding + (0 .. reach): the first and the last o that touch the window.
        low = np.maximum(-((reach - padding - start) // stride), 0)
        high = np.minimum((start + size - 1 + padding) // stride, sliding.out_hw[axis] - 1)
        starts.append(low)
        sizes.append(np.where((height > 0) & (width > 0), np.maximum(high - low + 1, 0), 0))
    return Windows.of(starts[0], starts[1], sizes[0], sizes[1], photo)


def shift(windows: Windows, by: Pair, out_hw: Pair) -> Windows:
    """Return windows on a map with ``by`` more cells above and left (fewer if negative), cut to its size."""
    y, x, height, width, _, photo = windows.table.T
    return boxes(y + by[0], x + by[1], y + by[0] + height, x + by[1] + width, photo, out_hw)


def boxes(
    top: Int[np.ndarray, "p"],
    left: Int[np.ndarray, "p"],
    bottom: Int[np.ndarray, "p"],
    right: Int[np.ndarray, "p"],
    photo: Int[np.ndarray, "p"],
    map_hw: Pair,
) -> Windows:
    """Return half-open boxes as windows, cut to the map."""
    top, bottom = np.clip(top, 0, map_hw[0]), np.clip(bottom, 0, map_hw[0])
    left, right = np.clip(left, 0, map_hw[1]), np.clip(right, 0, map_hw[1])
    return Windows.of(top, left, bottom - top, right - left, photo)


def equalize(windows: Windows, map_hw: Pair, most_one: float, most: float) -> Windows:
    """Return the same window for all, or the smallest windows of one size that hold them.

    Args:
        windows: windows of some probes.
        map_hw: height and width of the map.
        most_one: largest growth in cells for which all get the same window.
        most: largest growth in cells for which all get one size; beyond it the windows stay as they are.
    """
    if windows.is_one or not windows.rows:
        return windows
    some = windows.table[windows.sizes > 0].astype(np.int64)
    start, end = some[:, PLACE].min(axis=0), (some[:, PLACE] + some[:, SIZE]).max(axis=0)
    of_one_photo = not (windows.photo != windows.photo[0]).any()
    if of_one_photo and (end - start).prod() * len(windows) <= most_one * windows.rows:
        all_alike = np.broadcast_to([*start, *(end - start), some[0, PHOTO]], (len(windows), 5)).T
        return Windows.of(*all_alike)
    size = some[:, SIZE].max(axis=0)
    if windows.common_size is not None or size.prod() * len(windows) > most * windows.rows:
        return windows
    y, x = (np.minimum(corner, map_hw[i] - size[i]) for i, corner in enumerate((windows.y, windows.x)))
    height, width = (np.full(len(windows), side) for side in size)
    return Windows.of(y, x, height, width, windows.photo)


def enclose(first: Windows, second: Windows) -> Windows:
    """Return the smallest windows that hold both."""
    if first is second:
        return first
    a, b = first.table.astype(np.int64), second.table.astype(np.int64)
    empty_a, empty_b = first.sizes == 0, second.sizes == 0
    start, end = a[:, PLACE].copy(), a[:, PLACE] + a[:, SIZE]
    both = ~empty_a & ~empty_b
    start[both] = np.minimum(start[both], b[both, PLACE])
    end[both] = np.maximum(end[both], b[both, PLACE] + b[both, SIZE])
    start[empty_a], end[empty_a] = b[empty_a, PLACE], b[empty_a, PLACE] + b[empty_a, SIZE]
    size = end - start
    return Windows.of(start[:, 0], start[:, 1], size[:, 0], size[:, 1], a[:, PHOTO])
