"""Pictures of results: maps on faces, as figures and files. No model is run.

``canonical``, ``overlay`` and ``reprojection`` draw one map, as a figure or into axes (``ax=``). ``figure6``,
``pairs``, ``groups``, ``methods`` and ``bars`` make whole figures. ``save`` writes a map or a figure.
``shaded_face``, ``average_face``, ``photo_face`` and ``run_face`` make faces to draw on. ``Style`` holds the drawing
options.
"""

from __future__ import annotations

from canonface.plots.bars import bars
from canonface.plots.convergence import convergence_figure
from canonface.plots.files import save
from canonface.plots.frontal import shaded_face
from canonface.plots.method_comparison import methods
from canonface.plots.pages import figure6, groups, pairs
from canonface.plots.pictures import canonical, overlay, reprojection, scale_of
from canonface.plots.planted import planted_maps_figure, planted_rates_figure
from canonface.plots.randomization import randomization_figure
from canonface.plots.regions import regions
from canonface.plots.setting_comparison import comparison_figure
from canonface.plots.style import Scale, Style
from canonface.plots.warp import average_face, photo_face, run_face

__all__ = [
    "Scale",
    "Style",
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
