"""Aligners: from a photo to faces on the mesh."""

from __future__ import annotations

from canonface.alignment.base import ALIGNERS, Aligner, make_aligner
from canonface.alignment.flat_aligners import FivePointAligner, NoAligner
from canonface.alignment.landmarker import LandmarkerAligner
from canonface.alignment.photo import Photo, read_photo
from canonface.alignment.placement import placed_face
from canonface.alignment.position_map import PositionMapAligner
from canonface.alignment.precomputed import PrecomputedAligner

__all__ = [
    "ALIGNERS",
    "Aligner",
    "FivePointAligner",
    "LandmarkerAligner",
    "NoAligner",
    "Photo",
    "PositionMapAligner",
    "PrecomputedAligner",
    "make_aligner",
    "placed_face",
    "read_photo",
]
