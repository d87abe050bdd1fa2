"""Deltas: how occluded activations differ from the photo's, and the deltas of the input that occlusions make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from canonface.engine.incremental.activation_cache import rows_of_map
from canonface.engine.incremental.windows import Pair, Windows, boxes
from canonface.occlusions import Occlusions


@dataclass(frozen=True, eq=False)
class Delta:
    """Change of a map under each probe's window.

    Attributes:
        rows: ``(windows.rows, c)`` values added to each cell.
        windows: places of the cells.
        memory: reusable memory that holds the rows; None: the rows are freed with their last reader.
    """

    rows: Float[Tensor, "rows c"]
    windows: Windows
    memory: Tensor | None = None

    def some(self, first: int, count: int) -> Delta:
        """Return the delta of ``count`` neighbouring probes from ``first`` on."""
        windows = self.windows[first : first + count]
        start = int(self.windows.first[first])
        return Delta(self.rows[start : start + windows.rows], windows)


@dataclass(frozen=True, eq=False)
class InputDeltas:
    """Deltas of the network's input for the occlusions of some photos, in the order in which they are evaluated.

    Attributes:
        windows: windows of the input, one per occlusion.
        order: ``(n,)`` index of each among all occlusions, one photo's after another's.
    """

    windows: Windows
    order: Int[np.ndarray, "n"]
    _x: Float[Tensor, "cells c"]
    _occlusions: Sequence[Occlusions]
    _first: Int[np.ndarray, "photos"]
    _whole: dict[int, Float[Tensor, "_ c"]]
    _hw: Pair

    def of(self, chosen: slice) -> Delta:
        """Return the delta of the input for some occlusions."""
        windows = self.windows[chosen]
        parts = [
            self._photo(int(photo), chosen, windows, np.flatnonzero(windows.photo == photo))
            for photo in dict.fromkeys(windows.photo.tolist())
        ]
        # Photos are evaluated one after another, so their rows follow one another too.
        return Delta(torch.cat(parts) if len(parts) != 1 else parts[0], windows)

    def _photo(
        self, photo: int, chosen: slice, windows: Windows, members: Int[np.ndarray, "k"]
    ) -> Float[Tensor, "rows c"]:
        occlusions, own = self._occlusions[photo], windows[members]
        places = self.order[chosen][members] - self._first[photo]
        cells = torch.as_tensor(own.cells(self._hw), device=self._x.device)
        if photo in self._whole:
            inside = cells - photo * self._hw[0] * self._hw[1]
            rows = self._whole[photo].index_select(0, inside)
        else:
            filled = [np.asarray(occlusions.fill[i]).reshape(self._x.shape[1], -1).T for i in places]
            content = torch.as_tensor(np.ascontiguousarray(np.concatenate(filled))).to(self._x)
            rows = content - self._x.index_select(0, cells)
        if occlusions.masks is not None:
            hidden = np.concatenate([occlusions.masks[i].reshape(-1) for i in places])
            rows = rows * torch.as_tensor(hidden, device=rows.device).to(rows)[:, None]
        return rows


def input_deltas(x: Float[Tensor, "photos c h w"], occlusions: Sequence[Occlusions]) -> InputDeltas:
    """Return the deltas that occlusions make of their photos.

    Args:
        x: the photos.
        occlusions: one entry per photo.
    """
    hw = (int(x.shape[2]), int(x.shape[3]))
    found = windows_of(x.shape[1:], occlusions)
    y, left, photo = (column.astype(np.int64) for column in (found.y, found.x, found.photo))
    order = np.lexsort((_morton_code(y, left), photo))
    first = np.cumsum([0, *(len(each) for each in occlusions[:-1])])
    whole = {
        number: rows_of_map((torch.as_tensor(each.fill).to(x).expand(x.shape[1:]) - x[number])[None])
        for number, each in enumerate(occlusions)
        if isinstance(each.fill, np.ndarray)
    }
    return InputDeltas(found[order], order, rows_of_map(x), occlusions, first, whole, hw)


def windows_of(shape: tuple[int, ...], occlusions: Sequence[Occlusions]) -> Windows:
    """Return the windows of inputs ``(c, h, w)`` that occlusions change, in the order of the occlusions."""
    _, height, width = shape
    left, top, right, bottom = np.concatenate([each.boxes for each in occlusions]).astype(np.int64).T
    photo = np.repeat(np.arange(len(occlusions)), [len(each) for each in occlusions])
    return boxes(top, left, bottom, right, photo, (int(height), int(width)))


def _morton_code(y: Int[np.ndarray, "n"], x: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """Return each place's position on a curve that fills the plane (G. M. Morton 1966).

    Neighbours on it lie close together: they read the same part of the cached maps, and their windows hardly differ.
    """
    place = np.zeros(len(y), dtype=np.int64)
    for bit in range(16):
        place |= ((x >> bit & 1) << 2 * bit) | ((y >> bit & 1) << 2 * bit + 1)
    return place
