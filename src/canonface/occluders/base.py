"""What an occluder is: from a face as a model sees it to what is hidden in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput


@runtime_checkable
class Occluder(Protocol):
    """Puts a patch over a vertex of the mesh. Can be pickled."""

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide what is hidden, ``name`` among them, as JSON can hold them."""
        ...

    def check(self, spec: InputSpec) -> None:
        """Refuse a patch that no face of such a model could be given.

        Raises:
            OptionError: the patch does not fit the model's input.
        """
        ...

    def side(self, shown: ModelInput) -> float:
        """Side in pixels of the input of the square that hides as much as one patch on this face."""
        ...

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """What is hidden at each vertex: one `Occlusions` of length ``n`` a fill; drops are averaged over the fills.

        Args:
            shown: the face as the model sees it; it is not changed.
            vertices: of the mesh, visible ones.
        """
        ...
