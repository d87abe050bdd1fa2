"""Algorithm 1 of the paper, pixel by pixel, as slowly and as plainly as it can be written."""

import math

import numpy as np


def covered(centre, patch, length):
    """Pixels of one axis that a patch covers: eq. 2 with their count rounded, clipped, never shifted."""
    first = math.floor(centre - patch / 2) + 1
    return [j for j in range(first, first + round(patch)) if 0 <= j < length]


def drops(score, x, centres, patch, fill):
    """Eq. 1, one occluded copy at a time; `fill` is a number or an array of the shape of x."""
    _, height, width = x.shape
    original = score(x[None])[0]
    result = []
    for cx, cy in centres:
        if math.isnan(cx) or math.isnan(cy):
            result.append(math.nan)
            continue
        hidden = x.copy()
        for row in covered(cy, patch, height):
            for column in covered(cx, patch, width):
                hidden[:, row, column] = fill if np.isscalar(fill) else fill[:, row, column]
        result.append(original - score(hidden[None])[0])
    return np.array(result)


def cis(drops, canonical, size_hw, patch, normalise=True):
    """Eq. 4-5: P sums the drops under each canonical patch, N counts them."""
    height, width = size_hw
    total = np.zeros(size_hw)
    count = np.zeros(size_hw, dtype=int)
    for drop, (cx, cy) in zip(drops, canonical, strict=True):
        if math.isnan(drop):
            continue
        for row in covered(cy, patch, height):
            for column in covered(cx, patch, width):
                total[row, column] += drop
                count[row, column] += 1
    if normalise:
        for row in range(height):
            for column in range(width):
                if count[row, column] > 0:
                    total[row, column] /= count[row, column]
    return total, count


def cms(maps, counts, unseen):
    """Eq. 6 pixel by pixel."""
    height, width = maps[0].shape
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            values = [m[row, column] for m, c in zip(maps, counts, strict=True) if c[row, column] > 0]
            divisor = len(maps) if unseen == "zero" else len(values)
            if divisor:
                result[row, column] = sum(values) / divisor
    return result
