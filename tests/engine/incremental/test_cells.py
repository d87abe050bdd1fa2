"""Dense layers that read a flattened map: by changed cells, or all of it where that costs less."""

import math

import numpy as np
import pytest
import torch
from torch import fx

from canonface.engine.incremental import torch_kernels
from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.program import End
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.windows import Windows

SHAPE, OUTS, PHOTOS = (3, 4, 5), 6, 2
ALL = [(0, 0, 4, 5, 0), (0, 0, 4, 5, 1), (0, 0, 4, 5, 0), (0, 0, 4, 5, 1)]
MOST = [(0, 0, 4, 5, 0), (0, 1, 4, 4, 1), (0, 0, 3, 5, 0), (1, 0, 3, 5, 1)]
FEW = [(0, 0, 4, 5, 0), (2, 3, 1, 2, 1), (1, 1, 2, 2, 0), (0, 0, 0, 0, 1)]


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    "factor", [None, 2.0, [0.5, -1.0, 3.0]], ids=["plain", "a number", "of each channel"]
)
@pytest.mark.parametrize("together", [1, 3, 10**6], ids=["one by one", "three", "at once"])
@pytest.mark.parametrize(
    ("boxes", "ordered", "whole"),
    [(ALL, 0, True), (MOST, 0, False), (MOST, 1, True), (FEW, 2, False), (FEW, 3, True)],
    ids=["all of the map", "most of it", "most, dear to order", "few cells", "few probes"],
)
def test_cells_times_their_weights_are_added(boxes, ordered, whole, together, factor, monkeypatch):
    windows, seen = Windows.of(*np.array(boxes).T), []
    plain = TorchKernels._whole_maps
    monkeypatch.setattr(torch_kernels, "ORDERED_MAPS", ordered)
    monkeypatch.setattr(TorchKernels, "_whole_maps", lambda *given: seen.append(given) or plain(*given))
    monkeypatch.setattr(torch_kernels, "CELLS_BYTES", together * math.prod(SHAPE) * 8)
    weight, base, rows = drawn(OUTS, math.prod(SHAPE)), drawn(PHOTOS, OUTS), drawn(windows.rows, SHAPE[0])
    given = rows.clone()
    scale = None if factor is None else torch.tensor(factor, dtype=torch.float64)
    end = End("cells", "value", fx.Graph().placeholder("value"), SHAPE, weight, scale)
    made = TorchKernels().cells(end, Delta(rows, windows), base)
    assert bool(seen) == whole
    maps = torch.zeros(len(boxes), *SHAPE, dtype=torch.float64)
    scaled = given if scale is None else given * scale
    for each, (y, x, height, width, first, _) in zip(maps, windows.table.tolist(), strict=True):
        part = scaled[first : first + height * width].view(height, width, SHAPE[0])
        each[:, y : y + height, x : x + width] = part.permute(2, 0, 1)
    photos = torch.as_tensor(windows.photo).long()
    torch.testing.assert_close(made, base[photos] + maps.flatten(1) @ weight.t())
    assert torch.equal(rows, given), "what is read is not written to"
