"""Tensors and tables as the kernels take them: the structures that both sides share, and what is checked first."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, TypeAlias

import numpy as np

from canonface.functional import Tensor

Windows: TypeAlias = Annotated[np.ndarray, "(p, 6) int32: y, x, height, width, first, photo"]
Pair: TypeAlias = tuple[int, int]
ONE: Pair = (1, 1)


class Activation(IntEnum):
    """A non-linear function that can be applied as its inputs are computed."""

    NONE = 0
    CLAMP = 1
    """min(max(v, low), high): ReLU, ReLU6."""
    PRELU = 2
    """v where it is positive, slope * v elsewhere; a slope for each channel."""
    HARD_SWISH = 3
    HARD_SIGMOID = 4


@dataclass(frozen=True)
class Epilogue:
    """An activation ``g`` in the domain of changes: ``g(before + change) - g(before)``.

    Attributes:
        activation: which function.
        before: base map ``(photos * height * width, c)`` of the values *before* the activation; None for NONE.
        map_hw: height and width of that map.
        low: lower bound of CLAMP.
        high: upper bound of CLAMP.
        slope: ``(c,)`` slopes of PRELU.
    """

    activation: Activation = Activation.NONE
    before: Tensor | None = None
    map_hw: Pair = (0, 0)
    low: float = 0.0
    high: float = float("inf")
    slope: Tensor | None = None


class Deltas(ctypes.Structure):
    """Rows and their windows."""

    _fields_ = (
        ("rows", ctypes.c_void_p),
        ("row_count", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("windows", ctypes.c_void_p),
        ("window_count", ctypes.c_int64),
    )


class Map(ctypes.Structure):
    """A base map."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("row_count", ctypes.c_int64),
        ("height", ctypes.c_int64),
        ("width", ctypes.c_int64),
    )


class EpilogueArgument(ctypes.Structure):
    """An `Epilogue`."""

    _fields_ = (
        ("before", Map),
        ("slope", ctypes.c_void_p),
        ("low", ctypes.c_float),
        ("high", ctypes.c_float),
        ("activation", ctypes.c_int32),
    )


class FilterArgument(ctypes.Structure):
    """How a kernel slides."""

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


def floats(tensor: Tensor, name: str) -> Tensor:
    """The tensor itself, if the kernels can read it.

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
    """Where a tensor begins."""
    return ctypes.c_void_p(tensor.data_ptr())


def deltas(rows: Tensor, windows: Windows, channels: int, name: str) -> Deltas:
    """Rows ``(r, channels)`` and their windows.

    Raises:
        ValueError: a shape or a kind of number is another one.
    """
    floats(rows, name)
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
    return Deltas(rows.data_ptr(), rows.shape[0], channels, windows.ctypes.data, len(windows))


def in_out(
    rows: Tensor, windows: Windows, channels: int, out: Tensor, out_windows: Windows, out_channels: int
) -> tuple[object, object]:
    """What is read and what is written, as pointers: see `deltas`."""
    return (
        ctypes.byref(deltas(rows, windows, channels, "rows")),
        ctypes.byref(deltas(out, out_windows, out_channels, "out")),
    )


def base_map(values: Tensor | None, map_hw: Pair, channels: int, name: str) -> Map:
    """A base map, or one of no cells.

    Raises:
        ValueError: it has other channels.
    """
    if values is None:
        return Map(None, 0, 0, 0)
    floats(values, name)
    if values.ndim != 2 or values.shape[1] != channels:
        raise ValueError(f"{name} must have {channels} channels; got shape {tuple(values.shape)}.")
    return Map(values.data_ptr(), values.shape[0], *map_hw)


def epilogue_argument(epilogue: Epilogue | None, channels: int) -> EpilogueArgument:
    """An activation with all that it needs.

    Raises:
        ValueError: something is missing.
    """
    if epilogue is None or epilogue.activation == Activation.NONE:
        return EpilogueArgument(Map(None, 0, 0, 0), None, 0.0, 0.0, int(Activation.NONE))
    if epilogue.before is None:
        raise ValueError(f"{epilogue.activation.name} needs the base map before it.")
    slope = epilogue.slope
    if epilogue.activation == Activation.PRELU and (slope is None or tuple(slope.shape) != (channels,)):
        raise ValueError(
            f"PRELU needs {channels} slopes; got {None if slope is None else tuple(slope.shape)}."
        )
    return EpilogueArgument(
        base_map(epilogue.before, epilogue.map_hw, channels, "before"),
        None if slope is None else floats(slope, "slope").data_ptr(),
        epilogue.low,
        epilogue.high,
        int(epilogue.activation),
    )


def filter_argument(kernel: Pair, stride: Pair, dilation: Pair, padding: Pair = (0, 0)) -> FilterArgument:
    """How a kernel slides.

    Raises:
        ValueError: a number is below 1.
    """
    if min(*kernel, *stride, *dilation) < 1:
        raise ValueError(f"Kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1.")
    return FilterArgument(*kernel, *stride, *padding, *dilation)
