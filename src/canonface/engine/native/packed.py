"""Weights in the order in which the kernels read them, and the algorithm that each convolution takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from canonface.engine.native.arguments import ONE, Pair
from canonface.functional import Tensor


@dataclass(frozen=True)
class PackedConv:
    """Weights of a convolution in the order in which the kernels read them."""

    panels: Tensor = field(repr=False)
    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair
    dilation: Pair
    algorithm: int


@dataclass(frozen=True)
class PackedDepthwise:
    """Weights of a convolution that keeps its channels apart: ``(kernel height * kernel width, c)``."""

    taps: Tensor = field(repr=False)
    channels: int
    kernel: Pair


@dataclass(frozen=True)
class PackedCells:
    """Weights of a fully connected layer on a flattened map, cell by cell."""

    panels: Tensor = field(repr=False)
    channels: int
    outputs: int
    map_hw: Pair


ALGORITHMS = {"gathered": 0, "toom-cook": 1, "strassen": 2, "strassen-twice": 3}
_TOOM_COOK_FROM, _STRASSEN_FROM, _TWICE_FROM = 16, 96, 256
"""Channels and depth from which on an algorithm saves more than it costs (`benchmarks/native_kernels.py`)."""


def algorithm_number(
    asked: str, inputs: int, outputs: int, kernel: Pair, stride: Pair, dilation: Pair
) -> int:
    """Which of `ALGORITHMS` computes a convolution.

    Raises:
        ValueError: the one that is asked for cannot.
    """
    depth = inputs * kernel[0] * kernel[1]
    is_small = kernel == (3, 3) and dilation == ONE and stride in {ONE, (2, 2)}
    possible = {
        "gathered": True,
        "toom-cook": is_small,
        "strassen": depth % 32 == outputs % 32 == 0,
        "strassen-twice": depth % 64 == outputs % 64 == 0,
    }
    if possible.get(asked):
        return ALGORITHMS[asked]
    if asked != "auto":
        raise ValueError(
            f"algorithm is auto, or of {inputs} to {outputs} channels with kernel {kernel}, stride {stride} and "
            f"dilation {dilation} one of {', '.join(name for name in possible if possible[name])}; got {asked!r}."
        )
    if possible["toom-cook"] and min(inputs, outputs) >= _TOOM_COOK_FROM:
        return ALGORITHMS["toom-cook"]
    if possible["strassen-twice"] and min(depth, outputs) >= _TWICE_FROM:
        return ALGORITHMS["strassen-twice"]
    if possible["strassen"] and min(depth, outputs) >= _STRASSEN_FROM:
        return ALGORITHMS["strassen"]
    return ALGORITHMS["gathered"]
