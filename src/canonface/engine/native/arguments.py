"""Arguments of the native kernels: checked tensors and tables, packed weights, and the structures shared with C++."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated, TypeAlias

import numpy as np

from canonface.functional import Tensor

Windows: TypeAlias = Annotated[np.ndarray, "(p, 6) int32: y, x, height, width, first, photo"]
Pair: TypeAlias = tuple[int, int]
ONE: Pair = (1, 1)


class ActivationCode(IntEnum):
    """Activation that a kernel can apply while its inputs are computed."""

    NONE = 0
    CLAMP = 1
    """min(max(v, low), high): ReLU, ReLU6."""
    PRELU = 2
    """v where it is positive, slope * v elsewhere; one slope per channel."""
    HARD_SWISH = 3
    HARD_SIGMOID = 4


@dataclass(frozen=True)
class Epilogue:
    """Activation ``g`` in the domain of deltas: ``g(before + delta) - g(before)``.

    Attributes:
        activation: code of the function.
        before: base map ``(photos * height * width, c)`` of the values *before* the activation; None for NONE.
        map_hw: height and width of that map.
        low: lower bound of CLAMP.
        high: upper bound of CLAMP.
        slope: ``(c,)`` slopes of PRELU.
    """

    activation: ActivationCode = ActivationCode.NONE
    before: Tensor | None = None
    map_hw: Pair = (0, 0)
    low: float = 0.0
    high: float = float("inf")
    slope: Tensor | None = None


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
    """Weights of a depthwise convolution: ``(kernel height * kernel width, c)``."""

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


ALGORITHMS = {"im2col": 0, "toom-cook": 1, "strassen": 2, "strassen-twice": 3}
_TOOM_COOK_FROM, _STRASSEN_FROM, _TWICE_FROM = 16, 96, 256
"""Channels and depth from which on an algorithm saves more than it costs (`benchmarks/native_kernels.py`)."""


def algorithm_number(
    requested: str, inputs: int, outputs: int, kernel: Pair, stride: Pair, dilation: Pair
) -> int:
    """Return the number of the algorithm that computes a convolution.

    Args:
        requested: one of `ALGORITHMS`, or ``auto``.
        inputs: channels that are read.
        outputs: channels that are written.
        kernel: height and width.
        stride: stride of rows and columns.
        dilation: dilation of rows and columns.

    Raises:
        ValueError: the requested algorithm cannot compute it.
    """
    depth = inputs * kernel[0] * kernel[1]
    is_small = kernel == (3, 3) and dilation == ONE and stride in {ONE, (2, 2)}
    possible = {
        "im2col": True,
        "toom-cook": is_small,
        "strassen": depth % 32 == outputs % 32 == 0,
        "strassen-twice": depth % 64 == outputs % 64 == 0,
    }
    if possible.get(requested):
        return ALGORITHMS[requested]
    if requested != "auto":
        raise ValueError(
            f"algorithm is auto, or of {inputs} to {outputs} channels with kernel {kernel}, stride {stride} and "
            f"dilation {dilation} one of {', '.join(name for name in possible if possible[name])}; got {requested!r}."
        )
    if possible["toom-cook"] and min(inputs, outputs) >= _TOOM_COOK_FROM:
        return ALGORITHMS["toom-cook"]
    if possible["strassen-twice"] and min(depth, outputs) >= _TWICE_FROM:
        return ALGORITHMS["strassen-twice"]
    if possible["strassen"] and min(depth, outputs) >= _STRASSEN_FROM:
        return ALGORITHMS["strassen"]
    return ALGORITHMS["im2col"]


class DeltasArgument(ctypes.Structure):
    """Rows and their windows, for C++."""

    _fields_ = (
        ("rows", ctypes.c_void_p),
        ("row_count", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("windows", ctypes.c_void_p),
        ("window_count", ctypes.c_int64),
    )


class MapArgument(ctypes.Structure):
    """Base map, for C++."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("row_count", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
    )


class EpilogueArgument(ctypes.Structure):
    """`Epilogue`, for C++."""

    _fields_ = (
        ("before", MapArgument),
        ("slope", ctypes.c_void_p),
        ("low", ctypes.c_float),
        ("high", ctypes.c_float),
        ("activation", ctypes.c_int32),
    )


class FilterArgument(ctypes.Structure):
    """Geometry of a sliding kernel, for C++."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            "kernel_y",
            "kernel_x",
            "stride_y",
            "stride_x",
            "top",
            "left",
            "dilation_y",
            "dilation_x",
        )
    )


def checked_floats(tensor: Tensor, name: str) -> Tensor:
    """Return the tensor itself if the kernels can read it.

    Raises:
        ValueError: it is not contiguous ``float32`` on the CPU.
    """
    import torch

    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise ValueError(
            f"{name} must be a contiguous float32 tensor on the CPU; got {tensor.dtype} on {tensor.device}"
            f"{'' if tensor.is_contiguous() else ', not contiguous'}."
        )
    return tensor


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    """Return the address of a tensor's first value."""
    return ctypes.c_void_p(tensor.data_ptr())


def deltas_argument(rows: Tensor, windows: Windows, channels: int, name: str) -> DeltasArgument:
    """Return rows ``(r, channels)`` and their windows for C++.

    Raises:
        ValueError: a shape or dtype is wrong.
    """
    checked_floats(rows, name)
    if rows.ndim != 2 or rows.shape[1] != channels:
        raise ValueError(f"{name} must have {channels} channels; got shape {tuple(rows.shape)}.")
    if (
        windows.dtype != np.int32
        or windows.ndim != 2
        or windows.shape[1] != 6
        or not windows.flags.c_contiguous
    ):
        raise ValueError(
            f"A windows table is a contiguous int32 array (p, 6); {name} came with {windows.dtype} "
            f"{windows.shape}{'' if windows.flags.c_contiguous else ', not contiguous'}."
        )
    return DeltasArgument(rows.data_ptr(), rows.shape[0], channels, windows.ctypes.data, len(windows))


def in_out_arguments(
    rows: Tensor, windows: Windows, channels: int, out: Tensor, out_windows: Windows, out_channels: int
) -> tuple[object, object]:
    """Return the deltas that are read and written, as pointers: see `deltas_argument`."""
    return (
        ctypes.byref(deltas_argument(rows, windows, channels, "rows")),
        ctypes.byref(deltas_argument(out, out_windows, out_channels, "out")),
    )


def map_argument(values: Tensor | None, map_hw: Pair, channels: int, name: str) -> MapArgument:
    """Return a base map for C++; one without cells for None.

    Raises:
        ValueError: the number of channels is wrong.
    """
    if values is None:
        return MapArgument(None, 0, 0, 0)
    checked_floats(values, name)
    if values.ndim != 2 or values.shape[1] != channels:
        raise ValueError(f"{name} must have {channels} channels; got shape {tuple(values.shape)}.")
    return MapArgument(values.data_ptr(), values.shape[0], *map_hw)


def epilogue_argument(epilogue: Epilogue | None, channels: int) -> EpilogueArgument:
    """Return an activation with all that it needs, for C++.

    Raises:
        ValueError: the base map or the slopes are missing.
    """
    if epilogue is None or epilogue.activation == ActivationCode.NONE:
        return EpilogueArgument(MapArgument(None, 0, 0, 0), None, 0.0, 0.0, int(ActivationCode.NONE))
    if epilogue.before is None:
        raise ValueError(f"{epilogue.activation.name} needs the base map before it.")
    slope = epilogue.slope
    if epilogue.activation == ActivationCode.PRELU and (slope is None or tuple(slope.shape) != (channels,)):
        raise ValueError(
            f"PRELU needs {channels} slopes; got {None if slope is None else tuple(slope.shape)}."
        )
    return EpilogueArgument(
        map_argument(epilogue.before, epilogue.map_hw, channels, "before"),
        None if slope is None else checked_floats(slope, "slope").data_ptr(),
        epilogue.low,
        epilogue.high,
        int(epilogue.activation),
    )


def filter_argument(kernel: Pair, stride: Pair, dilation: Pair, padding: Pair = (0, 0)) -> FilterArgument:
    """Return the geometry of a sliding kernel for C++.

    Raises:
        ValueError: a number is below 1.
    """
    if min(*kernel, *stride, *dilation) < 1:
        raise ValueError(f"Kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1.")
    return FilterArgument(*kernel, *stride, *padding, *dilation)
