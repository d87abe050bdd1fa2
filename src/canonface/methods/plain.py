"""Inputs that say nothing: what hides a place where only the model's input is known."""

from __future__ import annotations

import re

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError
from canonface.types import InputSpec

PLAIN = ("mean", "black")
_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def check_plain(option: str, fill: str) -> None:
    """Refuse what is no plain fill.

    Raises:
        OptionError: it is none.
    """
    if fill not in PLAIN and not _HEX_COLOUR.fullmatch(fill):
        raise OptionError(f"{option} is {' or '.join(PLAIN)}, or a colour like #7f7f7f; got {fill!r}.")


def plain(fill: str, x: Float[np.ndarray, "c h w"], spec: InputSpec) -> Float[np.ndarray, "c 1 1"]:
    """One value a channel, ``float32``, in the values of the model's input.

    Args:
        fill: ``black``, pixel value 0; ``mean``, the mean colour that the model was trained on, 0 after
            normalisation, or where the model subtracts none the mean of this input (as the occluders' fill of that
            name); or a colour ``#rrggbb``.
        x: ``(c, h, w)`` the input.
        spec: of the model.
    """
    if fill == "mean":
        if any(spec.mean):
            return np.zeros((len(x), 1, 1), dtype=np.float32)
        return np.asarray(x.mean(axis=(1, 2), keepdims=True, dtype=np.float64), dtype=np.float32)
    code = "#000000" if fill == "black" else fill
    rgb = [float(int(code[i : i + 2], 16)) for i in (1, 3, 5)]
    return spec.from_pixels(np.array(rgb)[None, None])
