"""Fewer questions: which probes to ask, the map from what was asked, how far off it may be, when to stop."""

from canonface.sampling.adaptive import Adaptive, ask_adaptively, check_limits
from canonface.sampling.clusters import cluster_numbers
from canonface.sampling.designs import DESIGNS, USUAL_SHARE, Design, Sampler, make_design
from canonface.sampling.estimate import (
    FEW_EFFECTIVE,
    Band,
    MapEstimate,
    Of,
    Sampled,
    estimate_map,
    full_map,
)
from canonface.sampling.stopping import (
    FIRST_LOOK,
    level_of_a_look,
    looks_at,
    order_key,
    positions_of,
    taking_order,
)

__all__ = [
    "DESIGNS",
    "FEW_EFFECTIVE",
    "FIRST_LOOK",
    "USUAL_SHARE",
    "Adaptive",
    "Band",
    "Design",
    "MapEstimate",
    "Of",
    "Sampled",
    "Sampler",
    "ask_adaptively",
    "check_limits",
    "cluster_numbers",
    "estimate_map",
    "full_map",
    "level_of_a_look",
    "looks_at",
    "make_design",
    "order_key",
    "positions_of",
    "taking_order",
]
