"""What is put over the face at a probe: shape, size and fill."""

from canonface.occluders.base import Occluder
from canonface.occluders.disc import Disc
from canonface.occluders.fills import FILLS, check_fill, content, describe_fill
from canonface.occluders.hiding import hide, hide_pixels
from canonface.occluders.regions import hide_regions, region_pixels
from canonface.occluders.registry import OCCLUDERS, make_occluder
from canonface.occluders.size import Patch, Size, eye_distance, parse_size
from canonface.occluders.square import Square, default_patch
from canonface.occluders.surface import Surface, surface_pixels

__all__ = [
    "FILLS",
    "OCCLUDERS",
    "Disc",
    "Occluder",
    "Patch",
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
