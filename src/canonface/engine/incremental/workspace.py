"""Memory that is used again: a new array of some megabytes costs more in page faults than what is computed in it."""

from __future__ import annotations

import torch
from torch import Tensor

SPARE = 1.25
"""How much more is taken than asked for, so that the next chunk's windows, a little larger, fit too."""


class Workspace:
    """Arrays that were given back and wait to be taken again; one that is not given back is freed with its reader."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def take(self, count: int) -> Tensor:
        """An array of at least so many numbers, whose values are whatever was there before."""
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
        """An array that was taken and that nobody reads any more."""
        self._free.append(buffer)
