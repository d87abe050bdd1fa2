"""Memory that is used again: a new array of some megabytes costs more in page faults than what is computed in it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SPARE = 1.25
"""How much more is taken than asked for, so that the next chunk's windows, a little larger, fit too."""


class Workspace:
    """Arrays that were given back and wait to be taken again."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []
        self._taken: dict[int, Tensor] = {}

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
        self._taken[buffer.data_ptr()] = buffer
        return buffer[:needed].view(rows, channels)

    def give_back(self, rows: Float[Tensor, "rows c"]) -> None:
        """An array that nobody reads any more; one that was not taken here is left alone."""
        buffer = self._taken.pop(rows.data_ptr(), None)
        if buffer is not None:
            self._free.append(buffer)
