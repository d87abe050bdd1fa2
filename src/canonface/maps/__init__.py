"""Canonical maps of one face (CIS), of many faces (CMS), and their reprojection onto a face."""

from canonface.maps.attribution import AttributionMap, canonicalise
from canonface.maps.cis import CIS
from canonface.maps.cms import CMS
from canonface.maps.patch import CanonicalPatch, canonical_side
from canonface.maps.readout import Peak, off_face_reliance, peak_of, vertex_values
from canonface.maps.reprojection import on_face

__all__ = [
    "CIS",
    "CMS",
    "AttributionMap",
    "CanonicalPatch",
    "Peak",
    "canonical_side",
    "canonicalise",
    "off_face_reliance",
    "on_face",
    "peak_of",
    "vertex_values",
]
