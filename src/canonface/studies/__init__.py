"""Studies of the choices that a map depends on: photos, settings, alignment, model and weights.

Each study is a function that returns a frozen result with a table, and a command, ``canonface study NAME``.
"""

from canonface.studies.alignment import AlignmentComparison, alignment
from canonface.studies.comparison import SettingComparison, compare
from canonface.studies.convergence import Convergence, convergence
from canonface.studies.models import ModelTask, models, tasks
from canonface.studies.randomization import Randomization, Verdict, randomize
from canonface.studies.settings import confidence, density, fill, patch
from canonface.studies.sweep import Setting, vary
from canonface.studies.tables import write_table

__all__ = [
    "AlignmentComparison",
    "Convergence",
    "ModelTask",
    "Randomization",
    "Setting",
    "SettingComparison",
    "Verdict",
    "alignment",
    "compare",
    "confidence",
    "convergence",
    "density",
    "fill",
    "models",
    "patch",
    "randomize",
    "tasks",
    "vary",
    "write_table",
]
