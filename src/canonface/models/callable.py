"""Any Python callable as a model: the black box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from canonface.fingerprint import object_fingerprint
from canonface.models.fingerprint import with_choices
from canonface.models.outputs import select_output
from canonface.models.probing import guessed_outputs
from canonface.types import InputSpec, Outputs

Takes = Literal["array", "images"]


@dataclass(frozen=True, eq=False)
class CallableModel:
    """A callable from ``(n, c, h, w)`` float32 NumPy, or from a list of n pictures, to ``(n, d)``.

    Attributes:
        function: the callable; it is given its own copy of each batch.
        name: for messages, tables and manifests.
        spec: how it wants to be shown a face.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        takes: ``array``: the batch as the model's ``spec`` makes it; ``images``: a list of ``(h, w, 3)`` uint8 RGB
            pictures, values outside 0..255 cut off.
        output: which answer is read if the callable returns several: a key or a position; None if it returns one.
    """

    function: Callable[..., Any] = field(repr=False)
    name: str
    spec: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    outputs: Outputs = "logits"
    takes: Takes = "array"
    output: str | int | None = None

    def __call__(self, batch: Any) -> Any:
        """Answer of the callable, whatever it is; ``checked_outputs`` checks it."""
        own = np.array(batch, dtype=np.float32)
        prediction = self.function([self.spec.to_pixels(x) for x in own] if self.takes == "images" else own)
        return prediction if self.output is None else select_output(self.name, prediction, self.output)

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """A copy of ``x`` as float32."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """SHA-256 of the callable's source and of what it reads and holds; what it takes and the output are added."""
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
    """A callable as a model.

    Args:
        outputs: None: ``probabilities`` if the answer to one grey input looks like them, else ``logits``.
    """
    model = CallableModel(function, name, spec, labels, outputs or "logits", takes, output)
    return model if outputs is not None else replace(model, outputs=guessed_outputs(model))
