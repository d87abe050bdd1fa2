"""Studies of a map: how much it depends on the photos, the settings, the alignment and the model's own weights.

Each is a function that returns a frozen result with a table, and a command, ``canonface study NAME``.
"""

from canonface.studies.convergence import Convergence, convergence
from canonface.studies.tables import write_table

__all__ = ["Convergence", "convergence", "write_table"]
