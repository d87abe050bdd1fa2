"""A heat map at the vertices of the mesh: what makes any method's map canonical."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError
from canonface.functional import sample
from canonface.types import ModelInput


def at_vertices(attribution: Float[np.ndarray, "h w"], shown: ModelInput) -> Float[np.ndarray, "v"]:
    """Bilinear values of a map in pixels of the model's input; NaN where a vertex is not visible.

    Args:
        attribution: ``(h, w)``; a vertex next to a NaN is NaN.
        shown: the face as the model sees it.

    Raises:
        OptionError: the map has another size than the input.
    """
    values = np.asarray(attribution, dtype=np.float64)
    if values.shape != tuple(shown.spec.size_hw):
        raise OptionError(
            f"A map of the model's input has its {shown.spec.size_hw[0]} x {shown.spec.size_hw[1]} pixels; got shape "
            f"{values.shape}."
        )
    found = np.full(len(shown.vertices_xy), np.nan)
    found[shown.visible] = sample(values, shown.vertices_xy[shown.visible])
    return found
