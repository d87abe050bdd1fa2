"""From occlusions of photos to the changes that they make of the network's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from canonface.engine.incremental.bases import rows_of_map
from canonface.engine.incremental.kernels import Change
from canonface.engine.incremental.windows import Pair, Windows, boxes
from canonface.occlusions import Occlusions


@dataclass(frozen=True, eq=False)
class Changes:
    """The occlusions of some photos, in the order in which they are asked.

    Attributes:
        windows: of the input, one an occlusion.
        order: ``(n,)`` place of each among all occlusions, one photo's after another's.
    """

    windows: Windows
    order: Int[np.ndarray, "n"]
    _x: Float[Tensor, "cells c"]
    _occlusions: Sequence[Occlusions]
    _first: Int[np.ndarray, "photos"]
    _whole: dict[int, Float[Tensor, "_ c"]]
    _hw: Pair

    def of(self, chosen: slice) -> Change:
        """The change of the input that some of them make."""
        windows = self.windows[chosen]
        photos = windows.table[:, 5]
        parts = [
            self._photo(int(photo), chosen, windows, np.flatnonzero(photos == photo))
            for photo in dict.fromkeys(photos.tolist())
        ]
        # Photos are asked one after another, so their rows are too.
        return Change(torch.cat(parts) if len(parts) != 1 else parts[0], windows)

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


def changes_of(x: Float[Tensor, "photos c h w"], occlusions: Sequence[Occlusions]) -> Changes:
    """The changes that occlusions make of their photos.

    Args:
        x: the photos.
        occlusions: one a photo.
    """
    hw = (int(x.shape[2]), int(x.shape[3]))
    found = windows_of(x.shape[1:], occlusions)
    y, x_left, _, _, _, photo = found.table.T.astype(np.int64)
    order = np.lexsort((_along_a_curve(y, x_left), photo))
    first = np.cumsum([0, *(len(each) for each in occlusions[:-1])])
    whole = {
        number: rows_of_map((torch.as_tensor(each.fill).to(x).expand(x.shape[1:]) - x[number])[None])
        for number, each in enumerate(occlusions)
        if isinstance(each.fill, np.ndarray)
    }
    return Changes(found[order], order, rows_of_map(x), occlusions, first, whole, hw)


def windows_of(shape: tuple[int, ...], occlusions: Sequence[Occlusions]) -> Windows:
    """The windows of inputs ``(c, h, w)`` that occlusions change, in their own order."""
    _, height, width = shape
    left, top, right, bottom = np.concatenate([each.boxes for each in occlusions]).astype(np.int64).T
    photo = np.repeat(np.arange(len(occlusions)), [len(each) for each in occlusions])
    return boxes(top, left, bottom, right, photo, (int(height), int(width)))


def _along_a_curve(y: Int[np.ndarray, "n"], x: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """Places along a curve that fills the plane (G. M. Morton 1966): any few neighbours on it lie close together.

    They read the same part of the base maps, and their windows hardly differ.
    """
    place = np.zeros(len(y), dtype=np.int64)
    for bit in range(16):
        place |= ((x >> bit & 1) << 2 * bit) | ((y >> bit & 1) << 2 * bit + 1)
    return place
