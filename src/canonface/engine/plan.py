"""How a model is asked, and why: what was counted, what was measured, what was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from canonface.engine.incremental.costs import Costs

ENGINES = ("auto", "dense", "incremental", "native", "bfloat16")
"""``auto`` takes the fastest exact one; ``dense`` sends every occluded copy through the whole model; ``incremental``
and ``native`` carry what a patch changes through the network, by PyTorch's operators or by compiled kernels;
``bfloat16`` is ``incremental`` with convolutions in half precision, whose error is measured and said."""


class NoLocalEngineError(Exception):
    """Windows cannot follow a model; the text says why, in words for the user."""


@dataclass(frozen=True)
class Plan:
    """The way in which one model is asked.

    Attributes:
        engine: one of `ENGINES`, never ``auto``.
        why: in words.
        costs: multiply-adds and memory; None where there are no layers to count.
        seconds: a question, measured, by engine.
        error: largest difference of an output from the dense engine's, on the questions that were asked both ways.
        dense_from: layers that windows cannot follow, and why.
    """

    engine: str
    why: str
    costs: Costs | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    error: float | None = None
    dense_from: tuple[tuple[str, str], ...] = ()
