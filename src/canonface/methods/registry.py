"""Attribution methods by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface._deprecated import warn_renamed
from canonface.confidence import BoundConfidence
from canonface.errors import OptionError, near_names
from canonface.imports import import_attribute, is_attribute
from canonface.methods.attribution_files import AttributionFiles
from canonface.methods.base import Method
from canonface.methods.cams import GradCam, GradCamPlusPlus, ScoreCam
from canonface.methods.function import FunctionMethod, OwnMethod
from canonface.methods.gradients import Gradient, IntegratedGradients, SmoothGrad
from canonface.methods.guided import GuidedBackprop, GuidedGradCam, GuidedGradCamPlusPlus
from canonface.methods.perturbation import Rise, SlidingOcclusion
from canonface.models import Model

METHODS: dict[str, Callable[..., Method]] = {
    made.name: made
    for made in (
        Gradient,
        SmoothGrad,
        GuidedBackprop,
        GradCam,
        GuidedGradCam,
        GradCamPlusPlus,
        GuidedGradCamPlusPlus,
        ScoreCam,
        IntegratedGradients,
        SlidingOcclusion,
        Rise,
    )
}
"""Name -> class, called with the method's options. canonface's own map, ``canonical``, is not among them."""

FILES = "files:"
"""Prefix of a method that reads maps from a folder."""


@runtime_checkable
class HeatMethod(Protocol):
    """A method object written for version 0.1.0, whose map comes from ``heat``."""

    @property
    def name(self) -> str:
        """Short name for pictures, tables and manifests."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        ...

    def check(self, model: Model, question: BoundConfidence | None, /) -> None:
        """Raise if the method cannot explain this model."""
        ...

    def heat(
        self, model: Model, x: Float[np.ndarray, "c h w"], question: BoundConfidence, /
    ) -> Float[np.ndarray, "h w"]:
        """Return the map of one input."""
        ...


def make_method(
    method: str | Method | AttributionFiles | OwnMethod | HeatMethod, **options: Any
) -> Method | AttributionFiles:
    """Return a method by name, with its options; a method object is returned unchanged.

    Args:
        method: a name of `METHODS`; ``files:FOLDER``, maps from a folder (`AttributionFiles`); a function of (model,
            x, confidence_fn); a method object; or ``package.module:attribute``, which names a function or an object.
        **options: its options, e.g. ``layer="features.28"``, ``samples=25``, ``seed=1``; None keeps the default.

    Raises:
        OptionError: there is no such method, or it has no such option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(method, str):
        return _method_of_object(method, given)
    if method.startswith(FILES):
        return _made(
            method.removesuffix("/"), AttributionFiles, {"folder": Path(method[len(FILES) :])} | given
        )
    if method in METHODS:
        return _made(method, METHODS[method], given)
    if is_attribute(method):
        return _method_of_object(import_attribute(method), given)
    if method == "canonical":
        raise OptionError("'canonical' is canonface's own map, the default: leave method out.")
    raise OptionError(
        f"A method has a known name, is files:FOLDER or package.module:attribute; got {method!r}: "
        f"{near_names(method, METHODS)}"
    )


def _made(name: str, maker: Callable[..., Any], options: dict[str, Any]) -> Method | AttributionFiles:
    known = [field.name for field in fields(maker) if field.init]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise OptionError(
                f"An option of {name!r} has a known name; got {option!r}: {near_names(option, known)}"
            )
    made: Method | AttributionFiles = maker(**options)
    return made


def _method_of_object(made: Any, options: dict[str, Any]) -> Method | AttributionFiles:
    if options:
        raise OptionError(
            f"A method that is an object holds its own options; got {', '.join(options)} as well: leave them out."
        )
    if isinstance(made, AttributionFiles) or (isinstance(made, Method) and not isinstance(made, type)):
        return made
    if isinstance(made, HeatMethod) and not isinstance(made, type):
        warn_renamed(f"{type(made).__name__}.heat", f"{type(made).__name__}.attribute")
        return _AdaptedMethod(made)
    if callable(made) and not isinstance(made, type):
        return FunctionMethod(made)
    raise OptionError(
        f"A method is a name ({', '.join(METHODS)}), files:FOLDER, a function of (model, x, confidence_fn), or an "
        f"object with the methods of canonface.methods.Method; got {made!r}."
    )


@dataclass(frozen=True)
class _AdaptedMethod:
    """Adapter from `HeatMethod` to `Method`."""

    method: HeatMethod

    @property
    def name(self) -> str:
        """Return the method's own name."""
        return self.method.name

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result."""
        return self.method.describe()

    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Raise if the method cannot explain this model."""
        self.method.check(model, confidence_fn)

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the map of one input."""
        return self.method.heat(model, x, confidence_fn)
