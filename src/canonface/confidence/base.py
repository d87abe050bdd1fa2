"""What every confidence is: a question that is made precise for one face, then asked of many outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from jaxtyping import Float

from canonface.types import Outputs


@dataclass(frozen=True)
class BoundConfidence:
    """A confidence with its target fixed for one face.

    Attributes:
        target: name of what is measured, e.g. the class.
        unit: words for a colour bar, e.g. ``probability of happy``.
        of: maps outputs ``(n, d)`` to confidences ``(n,)``, ``float64``.
    """

    target: str
    unit: str
    of: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n"]] = field(repr=False)


class Confidence(Protocol):
    """A question to a model about a face."""

    def bind(
        self,
        original: Float[np.ndarray, "1 d"],
        outputs: Outputs,
        class_names: tuple[str, ...],
        face_labels: Mapping[str, str],
    ) -> BoundConfidence:
        """Fix the target for one face.

        Args:
            original: ``(1, d)`` the model's outputs for the face as it is.
            outputs: what these numbers are.
            class_names: names of the ``d`` outputs; empty if the model has none.
            face_labels: the face's row of the labels file; empty without one.

        Raises:
            TargetError: the target does not exist for this model or this face.
        """
        ...
