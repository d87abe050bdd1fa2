"""The protocol of occluders, and a base class of occluders with a patch and a fill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from canonface.occluders.fills import check_fill, describe_fill
from canonface.occluders.size import Patch, Size, parse_size, size_or_default
from canonface.occlusions import Occlusions
from canonface.types import InputSpec, ModelInput


@runtime_checkable
class Occluder(Protocol):
    """Source of occlusions at the vertices of the mesh. Can be pickled."""

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result, ``name`` among them, as JSON types."""
        ...

    def check(self, spec: InputSpec) -> None:
        """Raise OptionError if the patch fits no face of a model with such an input."""
        ...

    def side(self, shown: ModelInput) -> float:
        """Return the side, in pixels of the input, of the square with the area of one patch on this face."""
        ...

    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """Return one `Occlusions` of length ``n`` per fill, one patch per vertex; drops are averaged over the fills.

        Args:
            shown: the face as the model sees it; it is not changed.
            vertices: indices of visible vertices of the mesh.
        """
        ...


@dataclass(frozen=True)
class PatchOccluder(ABC):
    """Base class of occluders with a patch and a fill; a subclass defines `occlusions`, and `side` if not a square.

    Attributes:
        patch: width of the patch; see `canonface.occluders.Patch`. None: `default_patch`.
        fill: keys of `canonface.occluders.FILLS` or colours ``#rrggbb``, several joined by ``+``.
    """

    patch: Patch = None
    fill: str = "mean"

    def __post_init__(self) -> None:
        parse_size(self.patch)
        check_fill(self.fill)

    def describe(self) -> Mapping[str, Any]:
        """Return the class's name in lower case and all fields."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"name": type(self).__name__.lower(), **values, **describe_fill(self.fill)}

    def check(self, spec: InputSpec) -> None:
        """Raise OptionError if the patch is larger than the input."""
        if (size := parse_size(self.patch)) is not None:
            size.check(spec)

    def size(self, shown: ModelInput) -> Size:
        """Return the size of the patch, or the default for this input."""
        return size_or_default(self.patch, shown)

    def side(self, shown: ModelInput) -> float:
        """Return the side of the square with the area of the patch; here the patch is that square."""
        return self.size(shown).pixels(shown)

    @abstractmethod
    def occlusions(self, shown: ModelInput, vertices: Int[np.ndarray, "n"]) -> Sequence[Occlusions]:
        """Return one `Occlusions` per fill, one patch per vertex; see `Occluder`."""
