"""What every method of others is: from a model, an input and a question to a heat map in pixels of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface.confidence import BoundConfidence
from canonface.errors import ModelOutputError, OptionError
from canonface.models import Model

ScoreKind = Literal["auto", "logit", "confidence"]
"""What a gradient is taken of: the logit of the class that is asked about, or the confidence itself. ``auto`` takes
the logit where there is one, as the papers of the methods do."""
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
"""Name of a method -> how pictures and messages write it."""


@runtime_checkable
class Method(Protocol):
    """A way to say which pixels a model relies on that is not canonface's own. Can be pickled."""

    @property
    def name(self) -> str:
        """Short name for pictures, tables and manifests."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result, ``name`` among them, as JSON can hold them."""
        ...

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Refuse what no photo could be asked.

        Args:
            model: the model.
            confidence_fn: what is asked; None: before any face is known.

        Raises:
            OptionError: the model or the question does not suit the method; says why, and what does.
        """
        ...

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """The map of one input, ``float64``, in pixels of the input.

        Larger means relied on more; where a method tells for from against, what spoke against is negative. Its unit
        is the method's own, and it is not normalised.

        Args:
            model: the model; it is left as it was, also on failure.
            x: ``(c, h, w)`` the input, as `canonface.models.prepare` makes it.
            confidence_fn: what is asked about this face.

        Raises:
            OptionError: as of `check`.
            ModelError: the model failed.
        """
        ...


def title_of(name: str) -> str:
    """How pictures and messages write the name of a method."""
    return TITLES.get(name, name)


def attribution_unit(name: str, target: str = "") -> str:
    """Words for a colour bar over a method's map, e.g. ``GradCAM++ heat for female``."""
    return f"{title_of(name)} heat for {target}" if target else f"{title_of(name)} heat"


def checked_attribution(
    name: str, attribution: Any, size_hw: tuple[int, int], allow_nan: bool = False
) -> Float[np.ndarray, "h w"]:
    """A method's answer as ``float64``, if it is a map of the input.

    Args:
        name: of the method, for messages.
        attribution: what it returned.
        size_hw: height and width of the input.
        allow_nan: whether NaN, for pixels of which nothing is known, may stand in it.

    Raises:
        ModelOutputError: the shape is wrong, or the map holds NaN or infinity.
    """
    try:
        values = np.asarray(
            attribution.detach().cpu() if hasattr(attribution, "detach") else attribution, dtype=np.float64
        )
    except (TypeError, ValueError) as error:
        raise ModelOutputError(
            f"A method returns one number an input pixel; {name!r} returned a {type(attribution).__name__}."
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


def whole_number(option: str, given: Any, least: int = 1) -> None:
    """Refuse an option that is no whole number, or too small.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < least:
        raise OptionError(f"{option} is a whole number, at least {least}; got {given!r}.")


def number_within(option: str, given: Any, low: float, high: float) -> None:
    """Refuse an option that is no number above ``low`` and up to ``high``.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(given, int | float) or isinstance(given, bool) or not low < given <= high:
        raise OptionError(f"{option} is a number above {low:g} and at most {high:g}; got {given!r}.")


def one_of(option: str, given: Any, known: tuple[str, ...]) -> None:
    """Refuse an option that is not among the known ones.

    Raises:
        OptionError: it is not.
    """
    if given not in known:
        raise OptionError(f"{option} is one of {', '.join(known)}; got {given!r}.")
