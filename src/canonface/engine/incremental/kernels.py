"""Protocol of the kernels: every operator of a program, computed on windows of deltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from canonface.engine.incremental.activation_cache import ActivationCache
from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.operators import Step
from canonface.engine.incremental.program import End
from canonface.engine.incremental.windows import Pair, Windows


@dataclass(frozen=True, eq=False)
class Work:
    """Step for some probes.

    Attributes:
        step: the step.
        inputs: deltas that it reads.
        out: windows of the delta that it returns.
        cache: activations of the unchanged photos.
    """

    step: Step
    inputs: tuple[Delta, ...]
    out: Windows
    cache: ActivationCache

    @property
    def operator(self) -> Any:
        """Return the operator of the step."""
        return self.step.operator


@runtime_checkable
class Kernels(Protocol):
    """Implementation of the operators; all implementations agree to float tolerance."""

    def prepare(self, steps: Sequence[Step], chunks: Sequence[Mapping[str, Windows]]) -> None:
        """Prepare for chunks of probes with these windows, by value name; may drop what suited other windows."""
        ...

    def fit_windows(self, windows: Windows, map_hw: Pair, /) -> Windows:
        """Return windows that hold these, one per probe, on a map of this size, and are fastest to compute on."""
        ...

    def step(self, work: Work) -> Delta:
        """Return the delta that a step computes from its inputs."""
        ...

    def release(self, delta: Delta) -> None:
        """Mark a delta as read for the last time, so that its memory can be reused."""
        ...

    def cells(self, end: End, delta: Delta, base: Float[Tensor, "photos n"]) -> Float[Tensor, "p n"]:
        """Return the outputs of a dense layer: its outputs for the photo plus each changed cell times its weights."""
        ...

    def sums(self, delta: Delta, out: Float[Tensor, "p c"]) -> None:
        """Write each probe's sum of its delta over the window to ``out``."""
        ...
