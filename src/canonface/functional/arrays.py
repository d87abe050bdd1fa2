"""Array types of the formulas, and the check that they share."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from canonface.errors import OptionError

Tensor: TypeAlias = Any
"""A NumPy array or a torch tensor."""
PointsXY: TypeAlias = Annotated[ArrayLike, "(n, 2) x, y in pixels"]


def points(name: str, given: PointsXY) -> Float[np.ndarray, "n 2"]:
    """Return points as ``float64`` rows of x and y.

    Raises:
        OptionError: the shape is wrong; the message names the argument ``name``.
    """
    array = np.asarray(given, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise OptionError(f"{name} is an array of x, y rows, shape (n, 2); got shape {array.shape}.")
    return array
