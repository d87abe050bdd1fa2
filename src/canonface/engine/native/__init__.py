"""Native kernels: C++ kernels that carry deltas through a network's layers, window by window."""

from canonface.engine.native.arguments import (
    ActivationCode,
    Epilogue,
    PackedCells,
    PackedConv,
    PackedDepthwise,
)
from canonface.engine.native.compilation import build, library
from canonface.engine.native.library import Library

__all__ = [
    "ActivationCode",
    "Epilogue",
    "Library",
    "PackedCells",
    "PackedConv",
    "PackedDepthwise",
    "build",
    "library",
]
