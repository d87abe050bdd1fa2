"""Black-box models: any Python callable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from canonface.fingerprint import object_fingerprint
from canonface.models.fingerprint import with_choices
from canonface.models.outputs import guess_outputs, select_output
from canonface.types import InputSpec, Outputs

Takes = Literal["array", "images"]


@dataclass(frozen=True, eq=False)
class CallableModel:
    """Callable from ``(n, c, h, w)`` float32 NumPy, or from a list of n pictures, to ``(n, d)``.

    Attributes:
        function: the callable; it receives its own copy of each batch.
        name: name in messages, tables and manifests.
        spec: input specification.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        takes: ``array`` for the batch as ``spec`` makes it; ``images`` for a list of ``(h, w, 3)`` uint8 RGB
            pictures, values clipped to 0..255.
        output: key or position of the output to explain if the callable returns several; None if it returns one.
    """

    function: Callable[..., Any] = field(repr=False)
    name: str
    spec: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    outputs: Outputs = "logits"
    takes: Takes = "array"
    output: str | int | None = None

    def __call__(self, batch: Any) -> Any:
        """Return the output of the callable, not checked."""
        own = np.array(batch, dtype=np.float32)
        prediction = self.function([self.spec.to_pixels(x) for x in own] if self.takes == "images" else own)
        return prediction if self.output is None else select_output(self.name, prediction, self.output)

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """Return a copy of ``x`` as float32."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the callable's source and of the values it uses, with ``takes`` and ``output``."""
        takes = self.takes if self.takes != "array" else None
        return with_choices(object_fingerprint(self.function), takes, self.output)


def callable_model(  # noqa: D417
    function: Callable[..., Any],
    name: str,
    spec: InputSpec,
    labels: tuple[str, ...],
    outputs: Outputs | None,
    takes: Takes = "array",
    output: str | int | None = None,
) -> CallableModel:
    """Wrap a callable as a model.

    Args:
        outputs: kind of the outputs; None guesses it from one grey input: `guess_outputs`.
    """
    model = CallableModel(function, name, spec, labels, outputs or "logits", takes, output)
    return model if outputs is not None else replace(model, outputs=guess_outputs(model))
