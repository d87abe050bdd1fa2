"""Occluders: the shape, size and fill of the patch over the face at a probe."""

from canonface.occluders.base import Occluder, PatchOccluder
from canonface.occluders.disc import Disc
from canonface.occluders.fills import FILLS, check_fill, content, describe_fill, hide
from canonface.occluders.regions import hide_pixels, hide_regions, region_pixels
from canonface.occluders.registry import OCCLUDERS, make_occluder
from canonface.occluders.size import Patch, Size, default_patch, eye_distance, parse_size
from canonface.occluders.square import Square
from canonface.occluders.surface import Surface, surface_pixels

__all__ = [
    "FILLS",
    "OCCLUDERS",
    "Disc",
    "Occluder",
    "Patch",
    "PatchOccluder",
    "Size",
    "Square",
    "Surface",
    "check_fill",
    "content",
    "default_patch",
    "describe_fill",
    "eye_distance",
    "hide",
    "hide_pixels",
    "hide_regions",
    "make_occluder",
    "parse_size",
    "region_pixels",
    "surface_pixels",
]
