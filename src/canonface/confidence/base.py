"""What every confidence is: a question that is made precise for one face, then asked of many outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_names, warn_renamed
from canonface.types import Outputs


@dataclass(frozen=True, eq=False)
class CleanPrediction:
    """What a model answered to a face as it is, and what is known of both.

    Attributes:
        outputs: ``(1, d)`` the model's outputs.
        kind: what these numbers are.
        names: names of the ``d`` outputs; empty if the model has none.
        labels: the face's row of the labels file; empty without one.
        photo: SHA-256 of the face's photo; empty if it came from memory.
        model: which model answered to which input, as in `Gallery.model`; empty if it is not known.
    """

    outputs: Float[np.ndarray, "1 d"]
    kind: Outputs
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    photo: str = ""
    model: str = ""


@dataclass(frozen=True)
class BoundConfidence:
    """A confidence with its target fixed for one face.

    Attributes:
        target: name of what is measured, e.g. the class.
        unit: words for a colour bar, e.g. ``probability of happy``.
        fn: maps outputs ``(n, d)`` to confidences ``(n,)``, ``float64``.
        output: index of the model output that the confidence reads; None if it reads several.
    """

    target: str
    unit: str
    fn: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n"]] = field(repr=False)
    output: int | None = None

    def __call__(self, outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """Return the confidence of each row of outputs ``(n, d)``, as ``(n,)`` ``float64``."""
        return self.fn(outputs)

    @property
    def of(self) -> Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n"]]:
        """Deprecated name of `__call__`."""
        warn_renamed("BoundConfidence.of", "BoundConfidence(...)")
        return self.fn


@runtime_checkable
class Confidence(Protocol):
    """A question to a model about one face. Can be pickled."""

    @property
    def unit(self) -> str:
        """Words for a colour bar over faces with different targets, e.g. ``probability of the predicted class``."""
        ...

    @property
    def label_column(self) -> str | None:
        """Column of the labels that the target of each face is taken from; None if none is."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result, ``name`` among them, as JSON can hold them."""
        ...

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Refuse what no face could be asked, before any is.

        Args:
            kind: what the model's numbers are.
            names: names of its outputs; empty if it has none.

        Raises:
            OptionError: the question does not suit such outputs.
            TargetError: the model has no such target.
        """
        ...

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Fix the target for one face.

        Raises:
            TargetError: what `check` refuses, or the target does not exist for this face; others may have it.
            OptionError: what would be the same for every face, e.g. an index that a model without names lacks.
        """
        ...


@dataclass(frozen=True)
class BoundPairConfidence:
    """A confidence about two faces with its target fixed.

    Attributes:
        target: name of what is measured, e.g. ``same``.
        unit: words for a colour bar.
        fn: maps the outputs ``(n, d)`` for the first and for the second face to confidences ``(n,)``, ``float64``;
            one row of outputs goes with every row of the other face.
    """

    target: str
    unit: str
    fn: Callable[[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]], Float[np.ndarray, "_"]] = field(
        repr=False
    )

    def __call__(
        self, first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]
    ) -> Float[np.ndarray, "_"]:
        """Return the confidence of each pair of rows, ``float64``; one row goes with every row of the other face."""
        return self.fn(first, second)

    @property
    def of(self) -> Callable[[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]], Float[np.ndarray, "_"]]:
        """Deprecated name of `__call__`."""
        warn_renamed("BoundPairConfidence.of", "BoundPairConfidence(...)")
        return self.fn


@runtime_checkable
class PairConfidence(Protocol):
    """A question to a model about two faces. Can be pickled."""

    @property
    def unit(self) -> str:
        """Words for a colour bar over pairs with different targets."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The choices that decide the result, ``name`` among them, as JSON can hold them."""
        ...

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Refuse what no pair could be asked: see `Confidence.check`."""
        ...

    def bind(self, first: CleanPrediction, second: CleanPrediction) -> BoundPairConfidence:
        """Fix the target for one pair; both hold the pair's labels.

        Raises:
            TargetError: the target does not exist for this pair.
        """
        ...


__getattr__ = renamed_names(__name__)
