"""What a saliency method of others says of a face, at the probes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence import BoundConfidence
from canonface.errors import OptionError
from canonface.methods import AttributionFiles, Method, at_vertices, checked_attribution, counted
from canonface.models import Model
from canonface.types import ModelInput


def attribution_at(
    method: Method | AttributionFiles,
    model: Model,
    shown: ModelInput,
    confidence_fn: BoundConfidence,
    vertices: Int[np.ndarray, "n"],
) -> tuple[Float[np.ndarray, "n"], int]:
    """A method's heat at some vertices, NaN where one is not visible, and how many images the model was shown.

    Raises:
        OptionError: the model or the question does not suit the method.
        AttributionError: the method has no map of this face.
        ModelError: the model failed.
    """
    if isinstance(method, AttributionFiles):
        return method.at(shown)[vertices], 0
    attribution, images = attribution_of(method, model, shown, confidence_fn)
    return at_vertices(attribution, shown)[vertices], images


def attribution_of(
    method: Method, model: Model, shown: ModelInput, confidence_fn: BoundConfidence
) -> tuple[Float[np.ndarray, "h w"], int]:
    """A method's map in pixels of the model's input, and how many images the model was shown."""
    with counted(model) as count:
        attribution = method.attribute(count.model, shown.x.copy(), confidence_fn)
    return checked_attribution(method.name, attribution, shown.spec.size_hw, allow_nan=True), count.images


def refuse_occlusion_options(method: Method | AttributionFiles | None, **given: Any) -> None:
    """Refuse choices of how places are hidden, which a method of others does not do.

    Args:
        method: of `canonface.explanation.Settings.heating`; None refuses nothing.
        **given: option -> its value, where it is not its usual one; None where it is.

    Raises:
        OptionError: one is given.
    """
    for name, value in given.items():
        if method is not None and value is not None:
            raise OptionError(
                f"{name} says how a model is asked about hidden places; got {name}={value!r} and "
                f"method={method.name!r}, whose map is whole at once: leave it out."
            )
