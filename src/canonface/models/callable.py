"""Any Python callable as a model: the black box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.models.fingerprint import object_fingerprint
from canonface.models.probing import guessed_outputs
from canonface.types import InputSpec, Outputs


@dataclass(frozen=True, eq=False)
class CallableModel:
    """A callable from ``(n, c, h, w)`` float32 NumPy to ``(n, d)``.

    Attributes:
        function: the callable; it is given its own copy of each batch.
        name: for messages, tables and manifests.
        spec: how it wants to be shown a face.
        labels: name of each output, in order.
        outputs: kind of its outputs.
    """

    function: Callable[..., Any] = field(repr=False)
    name: str
    spec: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    outputs: Outputs = "logits"

    def __call__(self, batch: Any) -> Any:
        """Answer of the callable, whatever it is; ``checked_outputs`` checks it."""
        return self.function(np.array(batch, dtype=np.float32))

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Float[np.ndarray, "*batch c h w"]:
        """A copy of ``x`` as float32."""
        return np.array(x, dtype=np.float32)

    def fingerprint(self) -> str:
        """SHA-256 of the callable's source and of what it reads and holds."""
        return object_fingerprint(self.function)


def callable_model(  # noqa: D417
    function: Callable[..., Any], name: str, spec: InputSpec, labels: tuple[str, ...], outputs: Outputs | None
) -> CallableModel:
    """A callable as a model.

    Args:
        outputs: None: ``probabilities`` if the answer to one grey input looks like them, else ``logits``.
    """
    model = CallableModel(function, name, spec, labels, outputs or "logits")
    return model if outputs is not None else replace(model, outputs=guessed_outputs(model))
