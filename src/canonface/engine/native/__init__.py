"""Native kernels: what a patch changes is carried through a network's layers, window by window."""

from canonface.engine.native.building import build, library
from canonface.engine.native.library import (
    Activation,
    Epilogue,
    Library,
    PackedCells,
    PackedConv,
    PackedDepthwise,
)

__all__ = [
    "Activation",
    "Epilogue",
    "Library",
    "PackedCells",
    "PackedConv",
    "PackedDepthwise",
    "build",
    "library",
]
