"""Interleaved timing of several methods: each once per round, medians and spread over the rounds."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Timing(NamedTuple):
    """Seconds per forward pass over the rounds."""

    median: float
    least: float
    most: float
    rounds: int


@dataclass(frozen=True)
class Way:
    """Method to be timed.

    Attributes:
        run: runs so many forward passes.
        count: forward passes per round.
    """

    run: Callable[[int], object]
    count: int


def timed(ways: Mapping[str, Way], rounds: int) -> dict[str, Timing]:
    """Time every method once per round, after a warm-up round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            gc.collect()
            start = time.perf_counter()
            way.run(way.count)
            if number:
                seconds[name].append((time.perf_counter() - start) / way.count)
    return {
        name: Timing(statistics.median(values), min(values), max(values), rounds)
        for name, values in seconds.items()
    }
