"""Saliency methods of others, each from a model and a question to a heat map that can be read at the mesh."""

from canonface.methods.attribution_files import AttributionFiles
from canonface.methods.base import TITLES, Method, ScoreKind, attribution_unit, checked_attribution, title_of
from canonface.methods.borrowing import FOR_ANY_MODEL
from canonface.methods.counting import Counted, counted
from canonface.methods.function import FunctionMethod, OwnMethod
from canonface.methods.registry import METHODS, make_method
from canonface.methods.vertices import at_vertices

__all__ = [
    "FOR_ANY_MODEL",
    "METHODS",
    "TITLES",
    "AttributionFiles",
    "Counted",
    "FunctionMethod",
    "Method",
    "OwnMethod",
    "ScoreKind",
    "at_vertices",
    "attribution_unit",
    "checked_attribution",
    "counted",
    "make_method",
    "title_of",
]
