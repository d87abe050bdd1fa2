"""Studies of a map: how much it depends on the photos, the settings, the alignment and the model's own weights.

Each is a function that returns a frozen result with a table, and a command, ``canonface study NAME``.
"""

from canonface.studies.alignment import AlignmentComparison, alignment
from canonface.studies.comparison import Comparison, compare
from canonface.studies.convergence import Convergence, convergence
from canonface.studies.models import Asked, models, tasks
from canonface.studies.randomizing import Randomization, Verdict, randomize
from canonface.studies.settings import confidence, density, fill, patch
from canonface.studies.tables import write_table
from canonface.studies.varying import Setting, vary

__all__ = [
    "AlignmentComparison",
    "Asked",
    "Comparison",
    "Convergence",
    "Randomization",
    "Setting",
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
