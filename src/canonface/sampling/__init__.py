"""Fewer forward passes: sampling designs, estimated maps with confidence bands, interim looks."""

from canonface.sampling.adaptive import AdaptiveSample, check_limits, probe_adaptively
from canonface.sampling.band import FEW_EFFECTIVE, Band
from canonface.sampling.designs import DESIGNS, USUAL_SHARE, Design, Sampler, make_design
from canonface.sampling.estimate import MapEstimate, Of, Sampled, estimate_map, full_map
from canonface.sampling.influence import cluster_numbers
from canonface.sampling.interim_looks import (
    FIRST_LOOK,
    look_confidence_level,
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
    "AdaptiveSample",
    "Band",
    "Design",
    "MapEstimate",
    "Of",
    "Sampled",
    "Sampler",
    "check_limits",
    "cluster_numbers",
    "estimate_map",
    "full_map",
    "look_confidence_level",
    "looks_at",
    "make_design",
    "order_key",
    "positions_of",
    "probe_adaptively",
    "taking_order",
]
