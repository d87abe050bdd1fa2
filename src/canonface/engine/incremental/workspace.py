"""Memory that is used again: a new array of some megabytes costs more in page faults than what is computed in it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

SPARE = 1.25
"""How much more is taken than asked for, so that the next chunk's windows, a little larger, fit too."""


class Workspace:
    """Arrays that were given back and wait to be taken again; one that is not given back is freed with its reader."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._taken = WeakTensorKeyDictionary()

    def take(self, rows: int, channels: int) -> Float[Tensor, "rows c"]:
        """An array whose values are whatever was there before."""
        needed = rows * channels
        fitting = [buffer for buffer in self._free if buffer.numel() >= needed]
        if fitting:
            buffer = min(fitting, key=Tensor.numel)
            self._free = [other for other in self._free if other is not buffer]
        else:
            if self._free:
                # The largest of those that are too small is replaced: their number does not grow.
                largest = max(self._free, key=Tensor.numel)
                self._free = [other for other in self._free if other is not largest]
            buffer = torch.empty(max(int(needed * SPARE), 1))
        taken = buffer[:needed].view(rows, channels)
        self._taken[taken] = buffer
        return taken

    def give_back(self, rows: Float[Tensor, "rows c"]) -> None:
        """An array that nobody reads any more; one that was not taken here is left alone."""
        if rows in self._taken:
            self._free.append(self._taken[rows])
            del self._taken[rows]
