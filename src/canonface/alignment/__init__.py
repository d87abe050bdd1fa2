"""From a photo to faces on the mesh."""

from __future__ import annotations

from canonface.alignment.base import ALIGNERS, Aligner, make_aligner
from canonface.alignment.landmarker import LandmarkerAligner
from canonface.alignment.photo import Photo, read_photo

__all__ = ["ALIGNERS", "Aligner", "LandmarkerAligner", "Photo", "make_aligner", "read_photo"]
