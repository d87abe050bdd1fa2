"""The protocol of attribution methods, their titles, and checks of their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence
from canonface.errors import OptionError
from canonface.models import Model

ScoreKind = Literal["auto", "logit", "confidence"]
"""The scalar that is differentiated: the logit of the target class, or the confidence itself. ``auto`` takes the
logit where there is one, as the papers of the methods do."""
SCORES = ("auto", "logit", "confidence")

TITLES: Mapping[str, str] = {
    "gradient": "Gradient",
    "smoothgrad": "SmoothGrad",
    "guided-backprop": "Guided backprop",
    "gradcam": "GradCAM",
    "guided-gradcam": "Guided GradCAM",
    "gradcam++": "GradCAM++",
    "guided-gradcam++": "Guided GradCAM++",
    "scorecam": "ScoreCAM",
    "integrated-gradients": "Integrated gradients",
    "occlusion": "Sliding window",
    "rise": "RISE",
}
"""Name of a method -> its spelling in pictures and messages."""


@runtime_checkable
class Method(Protocol):
    """An attribution method other than canonface's own. Can be pickled."""

    @property
    def name(self) -> str:
        """Short name for pictures, tables and manifests."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result, ``name`` among them, as JSON types."""
        ...

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if the method cannot explain this model.

        Args:
            model: the model.
            confidence_fn: the confidence to explain; None before any face is known.

        Raises:
            OptionError: the model or the confidence does not suit the method; the message says why, and what does.
        """
        ...

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the attribution map of one input, ``float64``, in pixels of the input.

        Larger values mean that the model relied more on the pixel. A method with a sign gives evidence against the
        target negative values. The unit is the method's own; the map is not normalised.

        Args:
            model: the model; it is left unchanged, also on failure.
            x: ``(c, h, w)`` the input, as `canonface.models.prepare` makes it.
            confidence_fn: the confidence to explain, with the target of this face.

        Raises:
            OptionError: as for `check`.
            ModelError: the model failed.
        """
        ...


def title_of(name: str) -> str:
    """Return the spelling of a method's name in pictures and messages."""
    return TITLES.get(name, name)


def whole_number(option: str, given: Any, least: int = 1) -> None:
    """Raise OptionError unless an option is a whole number of at least ``least``."""
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < least:
        raise OptionError(f"{option} is a whole number, at least {least}; got {given!r}.")


def number_within(option: str, given: Any, low: float, high: float) -> None:
    """Raise OptionError unless an option is a number above ``low`` and at most ``high``."""
    if not isinstance(given, int | float) or isinstance(given, bool) or not low < given <= high:
        raise OptionError(f"{option} is a number above {low:g} and at most {high:g}; got {given!r}.")
