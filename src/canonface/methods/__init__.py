"""Attribution methods of other authors: a model, an input and a confidence in, an attribution map out."""

from canonface.methods.attribution import at_vertices, attribution_unit, checked_attribution, current_unit
from canonface.methods.attribution_files import AttributionFiles
from canonface.methods.autograd_context import FOR_ANY_MODEL
from canonface.methods.base import TITLES, Method, ScoreKind, title_of
from canonface.methods.counter import Counted, counted
from canonface.methods.function import FunctionMethod, OwnMethod
from canonface.methods.registry import METHODS, make_method

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
    "current_unit",
    "make_method",
    "title_of",
]
