"""Attribution maps as arrays: checks, one number per pixel, values at the vertices of the mesh."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_parameters
from canonface.errors import ModelOutputError, OptionError
from canonface.functional import sample
from canonface.methods.base import title_of
from canonface.types import ModelInput

REDUCTIONS = ("max-abs", "sum", "mean-abs")


def attribution_unit(name: str, target: str = "") -> str:
    """Return the text for the colour bar of a method's map, e.g. ``GradCAM++ attribution for female``."""
    return f"{title_of(name)} attribution for {target}" if target else f"{title_of(name)} attribution"


def current_unit(unit: str) -> str:
    """Return a unit of version 0.1.0 in the words of this one: ``RISE heat`` becomes ``RISE attribution``.

    Runs of 0.1.0 hold the old text in their manifests and rows.
    """
    return re.sub(r" heat(?=$| for )", " attribution", unit, count=1)


@renamed_parameters(heat="attribution")
def checked_attribution(
    name: str, attribution: Any, size_hw: tuple[int, int], allow_nan: bool = False
) -> Float[np.ndarray, "h w"]:
    """Return a method's result as ``float64``, checked to be a map of the input.

    Args:
        name: name of the method, for messages.
        attribution: what the method returned.
        size_hw: height and width of the input.
        allow_nan: accept NaN, for pixels without a value.

    Raises:
        ModelOutputError: the shape is wrong, or the map holds NaN or infinity.
    """
    try:
        values = np.asarray(
            attribution.detach().cpu() if hasattr(attribution, "detach") else attribution, dtype=np.float64
        )
    except (TypeError, ValueError) as error:
        raise ModelOutputError(
            f"A method returns one number per input pixel; {name!r} returned a {type(attribution).__name__}."
        ) from error
    if values.shape != tuple(size_hw):
        raise ModelOutputError(
            f"A method returns one number for each of the input's {size_hw[0]} x {size_hw[1]} pixels; {name!r} "
            f"returned shape {values.shape}: sum over the channels, and enlarge it to the input."
        )
    bad = int((np.isinf(values) if allow_nan else ~np.isfinite(values)).sum())
    if bad:
        raise ModelOutputError(
            f"A method returns finite numbers; {bad} of the {values.size} of {name!r} are NaN or infinite: check the "
            "weights and the input range."
        )
    return values


def over_channels(values: Float[np.ndarray, "c h w"], reduce: str) -> Float[np.ndarray, "h w"]:
    """Reduce the channels to one number per pixel, ``float64``.

    Args:
        values: ``(c, h, w)`` one number per pixel and channel.
        reduce: ``max-abs``, the largest absolute value over the channels (Simonyan et al. 2014); ``sum``, signed;
            ``mean-abs``, the mean absolute value.
    """
    values = np.asarray(values, dtype=np.float64)
    if reduce == "sum":
        return np.asarray(values.sum(axis=0))
    return np.asarray(np.abs(values).max(axis=0) if reduce == "max-abs" else np.abs(values).mean(axis=0))


@renamed_parameters(heat="attribution")
def at_vertices(attribution: Float[np.ndarray, "h w"], shown: ModelInput) -> Float[np.ndarray, "v"]:
    """Return the bilinear values of a map at the vertices of the mesh; NaN where a vertex is not visible.

    Args:
        attribution: ``(h, w)`` in pixels of the model's input; a vertex next to a NaN is NaN.
        shown: the face as the model sees it.

    Raises:
        OptionError: the map does not have the size of the input.
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
