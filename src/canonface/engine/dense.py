"""The dense engine: every occluded copy goes through the whole model. The readable truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from canonface.engine.batching import BatchSize
from canonface.errors import OutOfMemoryError, is_out_of_memory, single_image_too_large
from canonface.functional import Tensor, occlude

Scorer: TypeAlias = Callable[[Tensor], Float[np.ndarray, "n"]]
"""Maps a batch ``(n, c, h, w)`` to confidences ``(n,)``."""


def scores(
    scorer: Scorer,
    x: Tensor,
    boxes: Int[np.ndarray, "n 4"],
    fill: float | Tensor = 0.0,
    batch: BatchSize | None = None,
) -> Float[np.ndarray, "n"]:
    """Confidence of a model when each box is hidden.

    Equal boxes are asked once. When the device runs out of memory the batch is halved, which is said once and
    remembered in ``batch``.

    Args:
        scorer: model and confidence in one.
        x: ``(c, h, w)`` NumPy array or torch tensor on the model's device.
        boxes: ``(n, 4)`` ``x0, y0, x1, y1``, half-open, within the input.
        fill: a number, or an array that broadcasts to ``(c, h, w)``.
        batch: how many copies at once; shared between calls to keep what it learned.

    Returns:
        ``(n,)`` ``float64``.

    Raises:
        OutOfMemoryError: a single copy does not fit.
    """
    batch = batch or BatchSize()
    distinct, place = np.unique(boxes, axis=0, return_inverse=True)
    result = np.empty(len(distinct))
    input_bytes = int(x.nbytes)
    start = 0
    while start < len(distinct):
        size = min(batch.for_input(input_bytes), len(distinct) - start)
        chunk = distinct[start : start + size]
        try:
            result[start : start + size] = scorer(occlude(x, chunk, fill))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise OutOfMemoryError(single_image_too_large()) from error
            batch.halve(size)
        else:
            start += size
    return result[place.reshape(-1)]
