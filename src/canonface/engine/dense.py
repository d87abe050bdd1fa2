"""The dense engine: every occluded copy goes through the whole model. The readable truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from canonface.engine.batching import BatchSize
from canonface.errors import OutOfMemoryError, is_out_of_memory, single_image_too_large
from canonface.functional import Tensor
from canonface.occlusions import Occlusions

Ask: TypeAlias = Callable[[Tensor], Float[np.ndarray, "n d"]]
"""Maps a batch of inputs ``(n, c, h, w)`` to a model's outputs ``(n, d)``."""


def predict(
    ask: Ask, x: Tensor, occlusions: Occlusions, batch: BatchSize | None = None
) -> Float[np.ndarray, "n d"]:
    """Outputs of a model for each occluded copy of an input.

    Equal occlusions are asked once. When the device runs out of memory the batch is halved, which is said once and
    remembered in ``batch``.

    Args:
        ask: the model.
        x: ``(c, h, w)`` NumPy array or torch tensor on the model's device.
        occlusions: what is hidden, one question each.
        batch: how many copies at once; shared between calls to keep what it learned.

    Returns:
        ``(n, d)``, of the model's own dtype; ``(0, 0)`` if nothing is hidden.

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
            pieces.append(ask(distinct[start : start + size].hide(x)))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise OutOfMemoryError(single_image_too_large()) from error
            batch.halve(size)
        else:
            start += size
    return np.concatenate(pieces)[place] if pieces else np.empty((0, 0), dtype=np.float32)
