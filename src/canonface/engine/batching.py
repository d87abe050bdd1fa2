"""How many occluded copies are shown to a model at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from numbers import Integral

from canonface.errors import OptionError

logger = logging.getLogger("canonface")


@dataclass
class BatchSize:
    """A batch size that remembers, over faces, what fitted into memory.

    Attributes:
        size: copies a batch.
        max_bytes: bound on the memory of one batch of inputs; the model's own activations come on top.
    """

    size: int = 64
    max_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        if not isinstance(self.size, Integral) or self.size < 1:
            raise OptionError(f"A batch holds a whole number of images, at least 1; got {self.size!r}.")

    def for_input(self, input_bytes: int) -> int:
        """Copies of an input of so many bytes that make one batch."""
        return max(1, min(self.size, self.max_bytes // max(input_bytes, 1)))

    def halve(self, failed: int) -> None:
        """Note that ``failed`` copies did not fit, and say so."""
        self.size = max(1, failed // 2)
        logger.warning("out of memory with a batch of %d: going on with %d", failed, self.size)
