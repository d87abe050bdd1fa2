"""Protocols of confidences: bound to the target of one face or pair, then computed from many outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from canonface._deprecated import renamed_parameters, warn_renamed
from canonface.types import Outputs


@dataclass(frozen=True, eq=False)
class CleanPrediction:
    """A model's prediction for the face without occlusion, with the data that a target may depend on.

    Attributes:
        outputs: ``(1, d)`` the model's outputs.
        kind: meaning of the outputs, e.g. ``logits``.
        names: names of the ``d`` outputs; empty if the model has none.
        labels: the face's row of the labels file; empty without one.
        photo: SHA-256 of the face's photo; empty if it came from memory.
        model: the model and its input, as in `Gallery.model`; empty if not known.
    """

    outputs: Float[np.ndarray, "1 d"]
    kind: Outputs
    names: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    photo: str = ""
    model: str = ""


@renamed_parameters(of="fn")
@dataclass(frozen=True)
class BoundConfidence:
    """A confidence with the target of one face.

    Attributes:
        target: name of the target, e.g. the class.
        unit: text for a colour bar, e.g. ``probability of happy``.
        fn: maps outputs ``(n, d)`` to confidences ``(n,)``, ``float64``.
        output: index of the only model output that the confidence reads; None if it reads several.
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
    """A confidence about one face. Can be pickled."""

    @property
    def unit(self) -> str:
        """Text for a colour bar over faces with different targets, e.g. ``probability of the predicted class``."""
        ...

    @property
    def label_column(self) -> str | None:
        """Column of the labels that holds the target of each face; None if the target is no label."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result, ``name`` among them, as JSON types."""
        ...

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the confidence fits no face of a model with such outputs.

        Args:
            kind: meaning of the model's outputs.
            names: names of its outputs; empty if it has none.

        Raises:
            OptionError: the confidence does not suit such outputs.
            TargetError: the model has no such target.
        """
        ...

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the target of one face.

        Raises:
            TargetError: as for `check`, or this face lacks the target; other faces may have it.
            OptionError: every face lacks the target, e.g. an index that a model without names does not have.
        """
        ...


@renamed_parameters(of="fn")
@dataclass(frozen=True)
class BoundPairConfidence:
    """A confidence about two faces with the target of one pair.

    Attributes:
        target: name of the target, e.g. ``same``.
        unit: text for a colour bar.
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
    """A confidence about two faces. Can be pickled."""

    @property
    def unit(self) -> str:
        """Text for a colour bar over pairs with different targets."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result, ``name`` among them, as JSON types."""
        ...

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:
        """Raise if the confidence fits no pair: see `Confidence.check`."""
        ...

    def bind(self, first: CleanPrediction, second: CleanPrediction) -> BoundPairConfidence:
        """Return the confidence with the target of one pair; both predictions hold the pair's labels.

        Raises:
            TargetError: the target does not exist for this pair.
        """
        ...
