"""What is put over the face at a probe: shape, size and fill."""

from canonface.occluders.base import Occluder
from canonface.occluders.fills import FILLS, check_fill, filler
from canonface.occluders.registry import OCCLUDERS, make_occluder
from canonface.occluders.square import Square, default_patch

__all__ = [
    "FILLS",
    "OCCLUDERS",
    "Occluder",
    "Square",
    "check_fill",
    "default_patch",
    "filler",
    "make_occluder",
]
