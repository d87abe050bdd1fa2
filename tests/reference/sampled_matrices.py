"""Samples of a full matrix of drops by a design."""

from dataclasses import replace

import numpy as np


def with_design(whole, design):
    probed = design.probed(whole.places, [(i, 0) for i in range(len(whole.drops))])
    share = design.count(whole.drops.shape[1]) / whole.drops.shape[1]
    return replace(whole, drops=np.where(probed, whole.drops, np.nan), probed=probed, share=share)


def first(whole, rows):
    _, clusters = np.unique(whole.clusters[rows], return_inverse=True)
    return replace(whole, drops=whole.drops[rows], probed=whole.probed[rows], clusters=clusters)
