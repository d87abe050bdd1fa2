"""What a design would have asked of a matrix that was asked in full."""

from dataclasses import replace

import numpy as np


def with_design(whole, design):
    asked = design.asked(whole.places, [(i, 0) for i in range(len(whole.drops))])
    share = design.count(whole.drops.shape[1]) / whole.drops.shape[1]
    return replace(whole, drops=np.where(asked, whole.drops, np.nan), asked=asked, share=share)


def first(whole, rows):
    _, clusters = np.unique(whole.clusters[rows], return_inverse=True)
    return replace(whole, drops=whole.drops[rows], asked=whole.asked[rows], clusters=clusters)
