"""How a model is asked, and why: what was counted, what was measured, what was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from canonface.errors import is_out_of_memory
from canonface.models.base import one_line

if TYPE_CHECKING:
    from canonface.engine.incremental.costs import Costs

ENGINES = ("auto", "dense", "incremental", "native", "bfloat16")
"""``auto`` takes ``native`` (``incremental`` where that cannot be used) if it is measured faster than ``dense``;
``dense`` sends every occluded copy through the whole model; ``incremental`` and ``native`` carry what a patch changes
through the network, by PyTorch's operators or by compiled kernels; ``bfloat16`` is ``incremental`` with convolutions
in half precision, whose error is measured and said.

Its convolutions read and write numbers of eight binary digits: each result is off by at most ``3 * 2**-8`` of the sum
of its products' sizes. Since products may cancel, that is no bound in terms of what a network answers; of random
networks with L convolutions nineteen in twenty are off by at most ``L * 2**-7`` of an output's largest change."""

INEXACT = frozenset({"bfloat16"})
"""Engines whose maps are other maps."""


def noted(engine: str) -> dict[str, str]:
    """What a run writes down of its engine: exact ones answer alike and may take turns, the others may not."""
    return {"engine": engine} if engine in INEXACT else {}


def failed(error: Exception) -> Plan:
    """The plan of a model about which questions by windows failed."""
    what = "out of memory" if is_out_of_memory(error) else one_line(error)
    return Plan("dense", f"questions by windows failed: {what}")


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
        dense_from: layers from which on whole maps are computed, and why: windows cannot follow, or fill them.
    """

    engine: str
    why: str
    costs: Costs | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    error: float | None = None
    dense_from: tuple[tuple[str, str], ...] = ()
