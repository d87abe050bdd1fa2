"""3x3 convolutions by tiles of several sizes: each is right, and the one that costs least is taken."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from canonface.engine.incremental import winograd
from canonface.engine.incremental.bases import Bases
from canonface.engine.incremental.kernels import Change, Work
from canonface.engine.incremental.operators import Convolution, Step
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.windows import Sliding, Windows

CHANNELS, MAP_HW = 16, (24, 24)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def directly(canvas, weight):
    return F.conv2d(canvas.permute(0, 3, 1, 2), weight, padding=2).permute(0, 2, 3, 1)


@pytest.mark.parametrize("tiles", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize("tile", winograd.TILES)
def test_tiles_of_every_size_make_the_convolution(tile, tiles):
    height, width = (tile * count for count in tiles)
    canvas, weight = drawn(2, height, width, 5), drawn(3, 5, 3, 3)
    made = winograd.full_convolution(canvas, winograd.packed(weight, tile))
    assert made.shape == (2, height + tile, width + tile, 3)
    torch.testing.assert_close(made[:, : height + 2, : width + 2], directly(canvas, weight))
    assert not made[:, height + 2 :].any()
    assert not made[:, :, width + 2 :].any()


@pytest.mark.parametrize(("tile", "most"), [(2, 1e-6), (3, 2e-6), (4, 3e-6), (5, 6e-6)])
def test_larger_tiles_round_more_and_by_how_much(tile, most):
    canvas, weight = drawn(8, 2 * tile, 2 * tile, 128), drawn(64, 128, 3, 3)
    exact = directly(canvas, weight)
    made = winograd.full_convolution(canvas.float(), winograd.packed(weight.float(), tile))
    off = made[:, : exact.shape[1], : exact.shape[2]] - exact
    assert off.square().mean().sqrt() <= most * exact.square().mean().sqrt()


@pytest.mark.parametrize(
    ("size", "tile"), [((2, 2), 2), ((3, 3), 3), ((8, 8), 4), ((10, 10), 5), ((12, 12), 4), ((5, 10), 5)]
)
def test_the_tile_with_fewest_products_is_taken(size, tile):
    assert winograd.tile_for(size) == tile
    height, width = winograd.padded_to_tiles(size, tile)
    assert (height % tile, width % tile) == (0, 0)
    assert size[0] <= height < size[0] + tile
    assert size[1] <= width < size[1] + tile


def asked(kernels, operator, side):
    """A convolution of changes under windows of one size, and what it should be."""
    places, sides = np.array([4, 7]), np.full(2, side)
    windows = Windows.of(places, places, sides, sides, np.zeros(2, dtype=int))
    rows = drawn(windows.rows, CHANNELS)
    shape = (CHANNELS, *MAP_HW)
    step = Step(operator, ("read",), ("read",), "made", "layer", (shape,), shape)
    work = Work(step, (Change(rows, windows),), operator.windows((windows,)), Bases(1, {}, {}, None))
    exact = directly(rows.view(2, side, side, CHANNELS), operator.weight)
    return kernels.step(work).rows, exact.reshape(-1, CHANNELS)


def test_weights_are_of_the_tile_for_the_largest_windows_so_far():
    operator = Convolution(
        drawn(CHANNELS, CHANNELS, 3, 3), 1, Sliding((3, 3), (1, 1), (1, 1), (1, 1), MAP_HW)
    )
    kernels, packed = TorchKernels(), []
    for side in (8, 10, 8, 9):
        made, exact = asked(kernels, operator, side)
        torch.testing.assert_close(made, exact)
        [tiled] = kernels._packed.values()
        packed.append(tiled)
    assert [tiled.tile for tiled in packed] == [4, 5, 5, 5]
    assert packed[1] is packed[2] is packed[3], "smaller windows order nothing anew"
