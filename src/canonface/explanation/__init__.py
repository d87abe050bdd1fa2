"""One face or one pair of faces, one model: settings, probes, drops and the map of them."""

from canonface.explanation.alignment import align
from canonface.explanation.comparison import MethodComparison, compare_methods, usable_methods
from canonface.explanation.face import explain
from canonface.explanation.gallery import make_gallery
from canonface.explanation.options import Engine, Sampling
from canonface.explanation.pair import explain_pair
from canonface.explanation.regions import RegionEffects, explain_regions
from canonface.explanation.settings import PRESETS, Settings, make_settings

__all__ = [
    "PRESETS",
    "Engine",
    "MethodComparison",
    "RegionEffects",
    "Sampling",
    "Settings",
    "align",
    "compare_methods",
    "explain",
    "explain_pair",
    "explain_regions",
    "make_gallery",
    "make_settings",
    "usable_methods",
]
