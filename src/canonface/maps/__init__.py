"""From drops to maps: one face (CIS), many faces (CMS), and back onto a face."""

from canonface.maps.canonicalising import canonicalise
from canonface.maps.cis import CIS
from canonface.maps.cms import CMS
from canonface.maps.off_face import off_face_reliance
from canonface.maps.patch import CanonicalPatch, canonical_side
from canonface.maps.peak import Peak, peak_of
from canonface.maps.reprojection import on_face
from canonface.maps.vertices import vertex_values

__all__ = [
    "CIS",
    "CMS",
    "CanonicalPatch",
    "Peak",
    "canonical_side",
    "canonicalise",
    "off_face_reliance",
    "on_face",
    "peak_of",
    "vertex_values",
]
