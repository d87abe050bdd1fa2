"""What kernels are: every operator of a program, computed on windows of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from canonface.engine.incremental.bases import Bases
from canonface.engine.incremental.operators import Step
from canonface.engine.incremental.program import End
from canonface.engine.incremental.windows import Pair, Windows


@dataclass(frozen=True, eq=False)
class Change:
    """How a map changes under each probe's window.

    Attributes:
        rows: ``(windows.rows, c)`` what is added to each cell.
        windows: where.
        memory: what the rows lie in, where that is to be used again; None: the rows go with their last reader.
    """

    rows: Float[Tensor, "rows c"]
    windows: Windows
    memory: Tensor | None = None

    def some(self, first: int, count: int) -> Change:
        """Those of some neighbouring probes."""
        windows = self.windows[first : first + count]
        start = int(self.windows.table[first, 4])
        return Change(self.rows[start : start + windows.rows], windows)


@dataclass(frozen=True, eq=False)
class Work:
    """One step, for some probes.

    Attributes:
        step: what is done.
        inputs: the changes that are read.
        out: the windows of the change that is made.
        bases: the unchanged network.
    """

    step: Step
    inputs: tuple[Change, ...]
    out: Windows
    bases: Bases

    @property
    def operator(self) -> Any:
        """Of the step."""
        return self.step.operator


@runtime_checkable
class Kernels(Protocol):
    """One way to compute the operators; all ways agree to float tolerance."""

    def prepare(self, steps: Sequence[Step], chunks: Sequence[Mapping[str, Windows]]) -> None:
        """Get ready for chunks of probes with these windows, by name of the value; what suited others may go."""
        ...

    def suited(self, windows: Windows, map_hw: Pair, /) -> Windows:
        """Windows that hold these of some probes on a map of this size, one each, and are fastest to compute on."""
        ...

    def step(self, work: Work) -> Change:
        """The change that a step makes of others."""
        ...

    def release(self, change: Change) -> None:
        """Note that nobody reads a change any more, so that its memory can be used again."""
        ...

    def cells(self, end: End, change: Change, base: Float[Tensor, "photos n"]) -> Float[Tensor, "p n"]:
        """Answers of a dense layer to a changed map, each changed cell times its weights added to the base answer."""
        ...

    def sums(self, change: Change, out: Float[Tensor, "p c"]) -> None:
        """Write the sum of each probe's changes over its window."""
        ...
