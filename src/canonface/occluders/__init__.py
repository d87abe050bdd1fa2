"""What is put over the face at a probe: shape, size and fill."""

from canonface.occluders.fills import FILLS, check_fill, filler
from canonface.occluders.square import Square, default_patch

__all__ = ["FILLS", "Square", "check_fill", "default_patch", "filler"]
