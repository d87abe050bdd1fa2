"""Attribution of another saliency method at the probes of a face."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence import BoundConfidence
from canonface.errors import OptionError
from canonface.explanation.settings import Settings
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
    """Return a method's attribution at some vertices ``(n,)``, and the number of images that the model was shown.

    The attribution is NaN where a vertex is not visible.

    Raises:
        OptionError: the model or the confidence does not suit the method.
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
    """Return a method's map ``(h, w)`` of the model's input, and the number of images that the model was shown."""
    with counted(model) as count:
        attribution = method.attribute(count.model, shown.x.copy(), confidence_fn)
    return checked_attribution(method.name, attribution, shown.spec.size_hw, allow_nan=True), count.images


def check_method(settings: Settings, model: Model) -> None:
    """Raise if the settings name a method that does not work for a model; before any face is explained.

    Raises:
        OptionError: the method does not work for the model; the message names what does.
        MissingDependencyError: the method's package is not installed.
    """
    if (method := settings.attribution_method()) is not None:
        method.check(model, None)


def refuse_occlusion_options(method: Method | AttributionFiles | None, **given: Any) -> None:
    """Raise OptionError if options of occlusion are given together with a method that does not use our occlusion.

    Args:
        method: result of `Settings.attribution_method`; None refuses nothing.
        **given: option -> its value; None where it has its usual value.
    """
    for name, value in given.items():
        if method is not None and value is not None:
            raise OptionError(
                f"{name} says how a model is run on occluded faces; got {name}={value!r} and "
                f"method={method.name!r}, whose map is whole at once: leave it out."
            )
