"""How each method's map is read, fixed before any trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError, near_names
from canonface.methods import METHODS, Method, make_method

Sign = Literal["signed", "absolute"]
"""``signed``: the highest value is where the method points; ``absolute``: the largest size is."""

CANONICAL = "canonical"
"""canonface's own map: `canonface.explain` with its default settings."""
LOG_ODDS = "canonical, log-odds"
"""The same drops in log-odds: the same questions, read by ``confidence="log-odds"``."""

SIGNS: Mapping[str, Sign] = {
    CANONICAL: "signed",
    LOG_ODDS: "signed",
    "gradient": "absolute",
    "smoothgrad": "absolute",
    "guided-backprop": "absolute",
    "gradcam": "signed",
    "guided-gradcam": "absolute",
    "gradcam++": "signed",
    "guided-gradcam++": "absolute",
    "scorecam": "signed",
    "integrated-gradients": "signed",
    "occlusion": "signed",
    "rise": "signed",
}
"""From each method's own paper. Simonyan et al. and Smilkov et al. draw the size of a gradient; so are guided ones
read, and what they are multiplied into. Class activation maps end in a ReLU and hold nothing negative. Drops (Zeiler
and Fergus), RISE's means and integrated gradients, which add up to the change of the score, say for and against."""

OPTIONS: Mapping[str, Mapping[str, Any]] = {"rise": {"masks": 1000}, "smoothgrad": {"samples": 25}}
"""Where the study gives a method less than its own default, to end in time; the others have their defaults."""


def chosen_methods(names: list[str] | None) -> dict[str, Method | None]:
    """Name -> method; None for canonface's own maps, which come first and are always among them.

    Raises:
        OptionError: there is no such method.
    """
    own: dict[str, Method | None] = {CANONICAL: None, LOG_ODDS: None}
    wanted = list(METHODS) if names is None else [name for name in names if name not in own]
    for name in wanted:
        if name not in METHODS:
            raise OptionError(
                f"A method has a known name; got {name!r}: {near_names(name, [CANONICAL, *METHODS])}"
            )
    made = {name: make_method(name, **OPTIONS.get(name, {})) for name in wanted}
    return own | {name: method for name, method in made.items() if isinstance(method, Method)}


def read_by(sign: Sign, attribution: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Values of which the highest is where the method points."""
    return np.abs(attribution) if sign == "absolute" else attribution
