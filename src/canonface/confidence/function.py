"""Confidences given as a function of the original and the occluded outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.errors import ModelOutputError, OptionError
from canonface.fingerprint import object_fingerprint
from canonface.types import Outputs

OwnFunction: TypeAlias = Callable[
    [Float[np.ndarray, "1 d"], Float[np.ndarray, "n d"]], Float[np.ndarray, "n"]
]
"""Original outputs ``(1, d)`` and occluded outputs ``(n, d)`` to ``n`` confidences."""


@dataclass(frozen=True)
class FunctionConfidence:
    """A confidence given as a function f; a drop is ``f(original, original) - f(original, occluded)``.

    >>> import numpy as np
    >>> own = FunctionConfidence(lambda original, occluded: occluded.max(axis=1), unit="highest score")
    >>> bound = own.bind(CleanPrediction(np.array([[0.0, 2.0]]), "logits"))
    >>> bound(np.array([[0.0, 2.0], [1.0, 0.0]]))
    array([2., 1.])

    Attributes:
        function: takes the original outputs ``(1, d)`` and occluded outputs ``(n, d)`` and returns ``n`` finite
            numbers, high for a confident model. Defined at the top of a module, it can be pickled for workers.
        unit: text for a colour bar, e.g. ``distance of both eyes``.
        target: name of the target.
    """

    function: OwnFunction
    unit: str = ""
    target: str = ""

    def __post_init__(self) -> None:
        if not callable(self.function) or isinstance(self.function, type):
            raise OptionError(
                f"A confidence of your own is a function of (original outputs, occluded outputs); got "
                f"{self.function!r}."
            )
        name = getattr(self.function, "__name__", type(self.function).__name__)
        object.__setattr__(self, "unit", self.unit or name.replace("_", " "))
        object.__setattr__(self, "target", self.target or name)

    @property
    def label_column(self) -> None:
        """None: a function sees only outputs."""
        return

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result; the function by its name and its fingerprint.

        The fingerprint covers its source, its closure, its state and the globals that it reads.
        """
        code = self.function if hasattr(self.function, "__code__") else type(self.function)
        return {
            "name": "function",
            "function": f"{code.__module__}:{getattr(code, '__qualname__', '')}",
            "fingerprint": object_fingerprint(self.function),
            "unit": self.unit,
            "target": self.target,
        }

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Accept every model: only the function knows which outputs it can read."""

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the original outputs of one face."""
        function, first = self.function, original.outputs.copy()

        def confidence_fn(outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            # Copies, so that a function that works in place does not change the originals.
            try:
                numbers = function(first.copy(), outputs.copy())
            except Exception as error:
                name = getattr(function, "__name__", type(function).__name__)
                raise ModelOutputError(
                    f"A confidence of your own returns numbers for every model output; {name} raised "
                    f"{type(error).__name__}: {error}. It was given arrays of {first.shape} and {outputs.shape}."
                ) from error
            return _checked(numbers, len(outputs))

        return BoundConfidence(target=self.target, unit=self.unit, fn=confidence_fn)


def _checked(returned: Any, expected: int) -> Float[np.ndarray, "n"]:
    try:
        numbers = np.asarray(
            returned.detach().cpu() if hasattr(returned, "detach") else returned, dtype=np.float64
        )
    except (TypeError, ValueError) as error:
        raise ModelOutputError(
            f"A confidence of your own returns numbers; got {type(returned).__name__}."
        ) from error
    if numbers.shape != (expected,):
        raise ModelOutputError(
            f"A confidence of your own returns one number for each row of occluded outputs; got shape "
            f"{numbers.shape} for {expected} rows."
        )
    if not np.isfinite(numbers).all():
        raise ModelOutputError(
            "A confidence of your own returns finite numbers, since NaN marks places that were not probed; "
            f"{int((~np.isfinite(numbers)).sum())} of {expected} are NaN or infinite."
        )
    return numbers
