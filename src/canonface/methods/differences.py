"""The slope of a confidence in the model's outputs, by central differences: any confidence has one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

_STEP = float(np.finfo(np.float64).eps) ** (1 / 3)
# Numbers that are computed at once, as float64: 16 MB.
_AT_ONCE = 2**21


def slopes(
    of: Callable[[Float[np.ndarray, "m d"]], Float[np.ndarray, "m"]], outputs: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "n d"]:
    r"""Derivative of a confidence in each output: $(f(z + h e_j) - f(z - h e_j)) / 2h$.

    The step is the cube root of float64's resolution times the size of the outputs, so that the error is about
    1e-10 of a smooth confidence's. A confidence that computes in float32 loses most of that.

    Args:
        of: from outputs to confidences, each row for itself.
        outputs: ``(n, d)``.

    Returns:
        ``(n, d)`` ``float64``.
    """
    values = np.asarray(outputs, dtype=np.float64)
    n, d = values.shape
    size = np.sqrt((values**2).mean(axis=1, keepdims=True))
    steps = _STEP * np.maximum(np.abs(values), np.where(size > 0, size, 1.0))
    found = np.empty((n, d))
    columns = max(1, _AT_ONCE // (2 * d))
    for row in range(n):
        for start in range(0, d, columns):
            chosen = np.arange(start, min(start + columns, d))
            moved = np.repeat(values[row][None], 2 * len(chosen), axis=0)
            up, down = moved[: len(chosen)], moved[len(chosen) :]
            place = np.arange(len(chosen))
            up[place, chosen] += steps[row, chosen]
            down[place, chosen] -= steps[row, chosen]
            # The step that was truly taken, after rounding.
            taken = up[place, chosen] - down[place, chosen]
            predictions = of(moved)
            found[row, chosen] = (predictions[: len(chosen)] - predictions[len(chosen) :]) / taken
    return found
