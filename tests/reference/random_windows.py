"""Random deltas on random windows, for the tests of the kernels."""

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

PHOTOS = 2
CHANNELS = st.sampled_from([1, 3, 5, 16, 17, 33])
"""Fewer than a vector, one vector, and not quite whole numbers of vectors, whatever their width."""


@dataclass
class RandomDeltas:
    """Rows and their windows table on a map."""

    rows: np.ndarray
    windows: np.ndarray
    map_hw: tuple[int, int]

    @property
    def tensor(self):
        return torch.from_numpy(self.rows)


def random_table(rng, probes, map_hw):
    """Return windows of any size from empty to the whole map, with rows in order."""
    table = np.zeros((probes, 6), np.int32)
    first = int(rng.integers(3))  # the rows of other probes may lie before
    for line in table:
        height, width = (int(rng.integers(side + 1)) for side in map_hw)
        if height * width == 0:
            height = width = 0
        y, x = rng.integers(map_hw[0] - height + 1), rng.integers(map_hw[1] - width + 1)
        line[:] = y, x, height, width, first, rng.integers(PHOTOS)
        first += height * width
    return table


def rows_needed(table):
    return int((table[:, 4] + table[:, 2] * table[:, 3]).max(initial=0))


def values(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def random_deltas(rng, probes, map_hw, channels):
    table = random_table(rng, probes, map_hw)
    return RandomDeltas(values(rng, rows_needed(table), channels), table, map_hw)


def room_for(rng, deltas, map_hw, channels):
    """Return deltas for an output, of the same photos; rows are NaN until they are written."""
    table = random_table(rng, len(deltas.windows), map_hw)
    table[:, 5] = deltas.windows[:, 5]
    return RandomDeltas(np.full((rows_needed(table), channels), np.nan, np.float32), table, map_hw)


def base_map(rng, map_hw, channels):
    return values(rng, PHOTOS * map_hw[0] * map_hw[1], channels)


def written(out):
    """Return which rows belong to a window."""
    mask = np.zeros(len(out.rows), dtype=bool)
    for _, _, height, width, first, _ in out.windows:
        mask[first : first + height * width] = True
    return mask


def assert_rows_close(got, expected, out, tolerance=1e-5):
    """Compare the rows of the windows, relative to the largest; all others must be unchanged."""
    mask = written(out)
    got = np.asarray(got)
    assert np.isnan(got[~mask]).all()
    scale = max(1.0, np.abs(expected[mask]).max(initial=0))
    np.testing.assert_allclose(got[mask] / scale, expected[mask] / scale, rtol=0, atol=tolerance)


@st.composite
def layers(draw, longest_kernel=7, longest_dilation=2):
    """Draw kernel, stride, padding, dilation, and the maps of the input and of the output."""

    def pair(longest):
        return draw(st.integers(1, longest)), draw(st.integers(1, longest))

    kernel, stride, dilation = pair(longest_kernel), pair(3), pair(longest_dilation)
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    map_hw = tuple(draw(st.integers(max(1, r - 2 * p), 13)) for r, p in zip(reach, padding, strict=True))
    out_hw = tuple((map_hw[i] + 2 * padding[i] - reach[i]) // stride[i] + 1 for i in (0, 1))
    return kernel, stride, padding, dilation, map_hw, out_hw
