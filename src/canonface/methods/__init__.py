"""Saliency methods of others, each from a model and a question to a heat map that can be read at the mesh."""

from canonface.methods.base import TITLES, Method, ScoreKind, checked_heat, heat_unit, title_of
from canonface.methods.borrowing import FOR_ANY_MODEL
from canonface.methods.counting import Counted, counted
from canonface.methods.function import FunctionMethod, OwnMethod
from canonface.methods.heat_files import HeatFiles
from canonface.methods.registry import METHODS, make_method
from canonface.methods.vertices import at_vertices

__all__ = [
    "FOR_ANY_MODEL",
    "METHODS",
    "TITLES",
    "Counted",
    "FunctionMethod",
    "HeatFiles",
    "Method",
    "OwnMethod",
    "ScoreKind",
    "at_vertices",
    "checked_heat",
    "counted",
    "heat_unit",
    "make_method",
    "title_of",
]
