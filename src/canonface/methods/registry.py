"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from canonface.errors import OptionError, near_names
from canonface.imports import import_attribute, is_attribute
from canonface.methods.attribution_files import AttributionFiles
from canonface.methods.base import Method
from canonface.methods.cams import GradCam, GradCamPlusPlus, ScoreCam
from canonface.methods.function import FunctionMethod, OwnMethod
from canonface.methods.gradients import Gradient, IntegratedGradients, SmoothGrad
from canonface.methods.guided import GuidedBackprop, GuidedGradCam, GuidedGradCamPlusPlus
from canonface.methods.rise import Rise
from canonface.methods.sliding import SlidingOcclusion

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
"""Name -> maker, called with the method's options. canonface's own map, ``canonical``, is none of them."""

FILES = "files:"
"""Beginning of a method that reads maps from a folder."""


def make_method(
    method: str | Method | AttributionFiles | OwnMethod, **options: Any
) -> Method | AttributionFiles:
    """A method by name, with its options; an object that is one already is returned as it is.

    Args:
        method: a name of `METHODS`; ``files:FOLDER``, maps that were made elsewhere (`HeatFiles`); a function of
            (model, x, question); ``package.module:attribute``, which is one of these; or a method.
        **options: of the method, e.g. ``layer="features.28"``, ``samples=25``, ``seed=1``; those that are None are
            left to it.

    Raises:
        OptionError: there is no such method, or it has no such option.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(method, str):
        return _of_object(method, given)
    if method.startswith(FILES):
        return _made(
            method.removesuffix("/"), AttributionFiles, {"folder": Path(method[len(FILES) :])} | given
        )
    if method in METHODS:
        return _made(method, METHODS[method], given)
    if is_attribute(method):
        return _of_object(import_attribute(method), given)
    if method == "canonical":
        raise OptionError(
            "'canonical' is canonface's own map, which is made where no method is named: leave method out."
        )
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


def _of_object(made: Any, options: dict[str, Any]) -> Method | AttributionFiles:
    if options:
        raise OptionError(
            f"A method that is an object holds its own options; got {', '.join(options)} beside it: leave them out."
        )
    if isinstance(made, AttributionFiles) or (isinstance(made, Method) and not isinstance(made, type)):
        return made
    if callable(made) and not isinstance(made, type):
        return FunctionMethod(made)
    raise OptionError(
        f"A method is a name ({', '.join(METHODS)}), files:FOLDER, a function of (model, x, question), or an object "
        f"with the methods of canonface.methods.Method; got {made!r}."
    )
