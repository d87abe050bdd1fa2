"""Many faces: settings, photos, labels, the run on disk and the loop that writes it."""

from canonface.run.aligning import align
from canonface.run.auditing import audit
from canonface.run.comparing import Comparison, compare_methods, usable_methods
from canonface.run.explaining import explain
from canonface.run.galleries import make_gallery
from canonface.run.photos import find_photos
from canonface.run.region_audit import RegionSummary, audit_regions
from canonface.run.regions import RegionEffects, explain_regions
from canonface.run.run import Run
from canonface.run.settings import PRESETS, Settings, make_settings
from canonface.run.verifying import explain_pair, verify
from canonface.run.writing import Progress

__all__ = [
    "PRESETS",
    "Comparison",
    "Progress",
    "RegionEffects",
    "RegionSummary",
    "Run",
    "Settings",
    "align",
    "audit",
    "audit_regions",
    "compare_methods",
    "explain",
    "explain_pair",
    "explain_regions",
    "find_photos",
    "make_gallery",
    "make_settings",
    "usable_methods",
    "verify",
]
