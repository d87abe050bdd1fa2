"""From one number a pixel and channel to one a pixel."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

REDUCTIONS = ("max-abs", "sum", "mean-abs")


def over_channels(values: Float[np.ndarray, "c h w"], reduce: str) -> Float[np.ndarray, "h w"]:
    """One number a pixel, ``float64``.

    Args:
        values: ``(c, h, w)`` one number a pixel and channel.
        reduce: ``max-abs``, the largest size of any channel (Simonyan et al. 2014); ``sum``, signed, which keeps what
            the channels add up to; ``mean-abs``.
    """
    values = np.asarray(values, dtype=np.float64)
    if reduce == "sum":
        return np.asarray(values.sum(axis=0))
    return np.asarray(np.abs(values).max(axis=0) if reduce == "max-abs" else np.abs(values).mean(axis=0))
