"""Pictures of results: maps on faces, as figures and files. Nothing here asks a model.

``canonical``, ``overlay``, ``reprojection``, ``figure6`` and ``groups`` make matplotlib figures, ``bars`` one of an
evaluation; ``save`` writes a map or a figure; ``shaded_face``, ``average_face``, ``photo_face`` and ``run_face`` make
faces to draw on.
"""

from __future__ import annotations

from canonface.plots.bars import bars
from canonface.plots.comparing import methods
from canonface.plots.comparison import comparison_figure
from canonface.plots.convergence import convergence_figure
from canonface.plots.files import save
from canonface.plots.frontal import shaded_face
from canonface.plots.pictures import canonical, figure6, groups, overlay, pairs, reprojection, scale_of
from canonface.plots.planted import planted_maps_figure, planted_rates_figure
from canonface.plots.randomization import randomization_figure
from canonface.plots.regions import regions
from canonface.plots.style import Scale
from canonface.plots.warp import average_face, photo_face, run_face

__all__ = [
    "Scale",
    "average_face",
    "bars",
    "canonical",
    "comparison_figure",
    "convergence_figure",
    "figure6",
    "groups",
    "methods",
    "overlay",
    "pairs",
    "photo_face",
    "planted_maps_figure",
    "planted_rates_figure",
    "randomization_figure",
    "regions",
    "reprojection",
    "run_face",
    "save",
    "scale_of",
    "shaded_face",
]
