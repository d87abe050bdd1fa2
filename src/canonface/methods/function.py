"""Methods given as a function of a model, an input and a confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.confidence import BoundConfidence
from canonface.errors import CanonfaceError, ModelError, OptionError
from canonface.fingerprint import object_fingerprint
from canonface.methods.attribution import checked_attribution
from canonface.models import Model
from canonface.models.base import one_line

OwnMethod: TypeAlias = Callable[[Any, Any, BoundConfidence], Any]
"""Function from a model, its input ``(c, h, w)`` and the confidence of this face to a map ``(h, w)``."""


@dataclass(frozen=True)
class FunctionMethod:
    """An attribution method given as a function.

    Attributes:
        function: takes the model, a copy of the input ``(c, h, w)`` and the confidence of this face; returns one
            number for each pixel of the input, ``(h, w)``: larger where the model relied on the pixel more, NaN where
            it is not known.
        name: for pictures and manifests; empty: the function's own.
    """

    function: OwnMethod
    name: str = ""

    heat = deprecated_attribute("attribute", question="confidence_fn")

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise OptionError(
                f"A method of your own is a function of (model, x, confidence_fn); got {self.function!r}."
            )
        own = getattr(self.function, "__name__", type(self.function).__name__)
        object.__setattr__(self, "name", self.name or own.replace("_", " "))

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result; the function by its name and its fingerprint."""
        code = self.function if hasattr(self.function, "__code__") else type(self.function)
        return {
            "name": self.name,
            "function": f"{code.__module__}:{getattr(code, '__qualname__', '')}",
            "fingerprint": object_fingerprint(self.function),
        }

    @renamed_parameters(question="confidence_fn")
    def check(self, model: Model, confidence_fn: BoundConfidence | None) -> None:
        """Accept every model: only the function knows which models it can explain."""

    def attribute(
        self, model: Model, x: Float[np.ndarray, "c h w"], confidence_fn: BoundConfidence
    ) -> Float[np.ndarray, "h w"]:
        """Return the function's map; see `canonface.methods.Method.attribute`."""
        try:
            found = self.function(model, np.array(x), confidence_fn)
        except CanonfaceError:
            raise
        except Exception as error:
            raise ModelError(
                f"A method of your own returns a map for every input; {self.name!r} raised {one_line(error)}."
            ) from error
        return checked_attribution(self.name, found, x.shape[1:], allow_nan=True)
