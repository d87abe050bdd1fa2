"""Native kernels: what a patch changes is carried through a network's layers, window by window."""

from canonface.engine.native.arguments import Activation, Epilogue
from canonface.engine.native.building import build, library
from canonface.engine.native.library import Library
from canonface.engine.native.packed import PackedCells, PackedConv, PackedDepthwise

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
