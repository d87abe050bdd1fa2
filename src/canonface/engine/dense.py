"""Dense engine: every occluded copy goes through the whole model. The reference for all other engines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError, OutOfMemoryError, is_out_of_memory, single_image_too_large
from canonface.functional import Tensor
from canonface.occlusions import Occlusions

logger = logging.getLogger("canonface")

ForwardFn: TypeAlias = Callable[[Tensor], Float[np.ndarray, "n d"]]
"""Maps a batch of inputs ``(n, c, h, w)`` to a model's outputs ``(n, d)``."""


@dataclass
class BatchSize:
    """Batch size that shrinks when memory runs out and keeps the smaller size for later faces.

    Attributes:
        size: copies per batch.
        max_bytes: bound on the memory of one batch of inputs; the model's own activations come on top.
    """

    size: int = 64
    max_bytes: int = 256 * 2**20

    def __post_init__(self) -> None:
        if not isinstance(self.size, Integral) or self.size < 1:
            raise OptionError(f"A batch holds a whole number of images, at least 1; got {self.size!r}.")

    def for_input(self, input_bytes: int) -> int:
        """Return the number of copies per batch of an input of ``input_bytes``."""
        return max(1, min(self.size, self.max_bytes // max(input_bytes, 1)))

    def halve(self, failed: int) -> None:
        """Halve the size after ``failed`` copies did not fit, and log it."""
        self.size = max(1, failed // 2)
        logger.warning("out of memory with a batch of %d: going on with %d", failed, self.size)


@renamed_parameters(ask="forward")
def predict(
    forward: ForwardFn, x: Tensor, occlusions: Occlusions, batch: BatchSize | None = None
) -> Float[np.ndarray, "n d"]:
    """Return the outputs of a model for each occluded copy of an input.

    Equal occlusions are evaluated once. If the device runs out of memory, the batch is halved; this is logged once
    and kept in ``batch``.

    Args:
        forward: the model.
        x: ``(c, h, w)`` NumPy array or torch tensor on the model's device.
        occlusions: what is hidden in each copy.
        batch: copies per batch; pass the same object to several calls to keep its reduced size.

    Returns:
        ``(n, d)``, of the model's own dtype; ``(0, 0)`` without occlusions.

    Raises:
        OutOfMemoryError: a single copy does not fit.
    """
    batch = batch or BatchSize()
    distinct, place = occlusions.distinct()
    pieces: list[np.ndarray] = []
    start = 0
    while start < len(distinct):
        size = min(batch.for_input(int(x.nbytes)), len(distinct) - start)
        try:
            pieces.append(forward(distinct[start : start + size].hide(x)))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise OutOfMemoryError(single_image_too_large()) from error
            batch.halve(size)
        else:
            start += size
    return np.concatenate(pieces)[place] if pieces else np.empty((0, 0), dtype=np.float32)
