"""From a photo to faces on the mesh."""

from __future__ import annotations

from canonface.align.base import ALIGNERS, Aligner, make_aligner
from canonface.align.landmarker import LandmarkerAligner
from canonface.align.photo import Photo, read_photo

__all__ = ["ALIGNERS", "Aligner", "LandmarkerAligner", "Photo", "make_aligner", "read_photo"]
