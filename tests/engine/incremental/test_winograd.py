"""3x3 convolutions by tiles of several sizes: each is exact, and the cheapest is chosen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from canonface.engine.incremental import winograd
from canonface.engine.incremental.activation_cache import ActivationCache
from canonface.engine.incremental.deltas import Delta
from canonface.engine.incremental.kernels import Work
from canonface.engine.incremental.operators import Convolution, Step
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.windows import SIZE, Sliding, Windows

CHANNELS, MAP_HW = 16, (24, 24)


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def directly(canvas, weight):
    return F.conv2d(canvas.permute(0, 3, 1, 2), weight, padding=2).permute(0, 2, 3, 1)


@pytest.mark.parametrize("tiles", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize("tile", winograd.TILES)
def test_tiles_of_every_size_give_the_convolution(tile, tiles):
    height, width = (tile * count for count in tiles)
    canvas, weight = drawn(2, height, width, 5), drawn(3, 5, 3, 3)
    made = winograd.full_convolution(canvas, winograd.pack_weights(weight, tile))
    assert made.shape == (2, height + tile, width + tile, 3)
    torch.testing.assert_close(made[:, : height + 2, : width + 2], directly(canvas, weight))
    assert not made[:, height + 2 :].any()
    assert not made[:, :, width + 2 :].any()


@pytest.mark.parametrize(("tile", "most"), [(2, 4.4e-7), (3, 1.6e-6), (4, 1.8e-6), (5, 4.5e-6)])
def test_tiles_round_no_more_than_documented(tile, most):
    canvas, weight = drawn(8, 2 * tile, 2 * tile, 128), drawn(64, 128, 3, 3)
    exact = directly(canvas, weight)
    made = winograd.full_convolution(canvas.float(), winograd.pack_weights(weight.float(), tile))
    off = made[:, : exact.shape[1], : exact.shape[2]] - exact
    assert off.square().mean().sqrt() <= most * exact.square().mean().sqrt()


@pytest.mark.parametrize(
    ("sizes", "tile"),
    [
        ([(2, 2)], 2),
        ([(3, 3)], 3),
        ([(8, 8)], 4),
        ([(10, 10)], 5),
        ([(12, 12)], 4),
        ([(5, 10)], 5),
        ([(10, 10), (12, 12)], 5),
        ([(10, 10), (12, 12), (12, 12)], 4),
        ([(0, 0), (3, 3)], 3),
    ],
)
def test_the_tile_with_fewest_products_of_all_windows_is_taken(sizes, tile):
    assert winograd.tile_for(np.array(sizes, dtype=np.int32)) == tile


def test_windows_are_padded_to_whole_tiles():
    assert winograd.padded_to_tiles((9, 10), 5) == (10, 10)
    assert winograd.padded_to_tiles((1, 11), 5) == (5, 15)


def convolution(padding=1):
    out_hw = tuple(side + 2 * padding - 2 for side in MAP_HW)
    return Convolution(
        drawn(CHANNELS, CHANNELS, 3, 3), 1, Sliding((3, 3), (1, 1), (padding, padding), (1, 1), out_hw)
    )


def step_of(operator):
    shape = (CHANNELS, *MAP_HW)
    made = (CHANNELS, *operator.sliding.out_hw)
    return Step(operator, ("read",), ("read",), "made", "layer", (shape,), made)


def windows_of(*boxes):
    return Windows.of(*np.array(boxes).T)


def assert_right(kernels, operator, windows):
    """Compare deltas under windows with a convolution of the whole map."""
    rows = drawn(windows.rows, CHANNELS)
    out = operator.windows((windows,))
    made = kernels.step(
        Work(step_of(operator), (Delta(rows, windows),), out, ActivationCache(1, {}, {}, None))
    ).rows
    exact = []
    for read, write in zip(windows.table.tolist(), out.table.tolist(), strict=True):
        y, x, height, width, first, _ = read
        whole = torch.zeros(1, *MAP_HW, CHANNELS, dtype=rows.dtype)
        whole[0, y : y + height, x : x + width] = rows[first : first + height * width].view(
            height, width, CHANNELS
        )
        padding = operator.sliding.padding
        prediction = F.conv2d(whole.permute(0, 3, 1, 2), operator.weight, padding=padding).permute(0, 2, 3, 1)
        y, x, height, width, _, _ = write
        exact.append(prediction[0, y : y + height, x : x + width].reshape(-1, CHANNELS))
    torch.testing.assert_close(made, torch.cat(exact))


@pytest.mark.parametrize("tile", winograd.TILES)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_windows_of_many_sizes_at_the_border_too(tile, padding):
    windows = windows_of(
        (0, 0, 4, 7, 0), (5, 9, 6, 3, 0), (0, 0, 0, 0, 0), (19, 21, 5, 3, 0), (23, 0, 1, 9, 0)
    )
    kernels, operator = TorchKernels(), convolution(padding)
    kernels._tiles[operator] = tile
    assert_right(kernels, operator, windows)
    assert len(kernels._packed[operator]) == (tile + 2) ** 2


def test_weights_are_repacked_if_another_tile_makes_many_fewer_products():
    operator, kernels, packed, tiles = convolution(), TorchKernels(), [], []
    for side in (8, 12, 10, 11, 8):
        windows = windows_of((4, 4, side, side, 0), (7, 3, side, side, 0))
        kernels.prepare([step_of(operator)], [{"read": windows}])
        assert_right(kernels, operator, windows)
        [weight] = kernels._packed.values()
        packed.append(weight)
        tiles.append(kernels._tiles[operator])
    assert tiles == [4, 4, 5, 4, 4]
    assert packed[1] is packed[0]
    assert packed[4] is packed[3]


def test_a_few_more_products_do_not_repack_weights():
    operator, kernels = convolution(), TorchKernels()
    tens, twelves = windows_of(*[(0, 0, 10, 10, 0)] * 4), windows_of(*[(0, 0, 12, 12, 0)] * 6)
    kernels.prepare([step_of(operator)], [{"read": tens}])
    assert kernels._tiles[operator] == 5
    kernels.prepare([step_of(operator)], [{"read": tens}, {"read": twelves}])
    assert winograd.tile_for(np.array([(10, 10)] * 4 + [(12, 12)] * 6)) == 4
    assert kernels._tiles[operator] == 5


def test_the_tile_suits_windows_as_they_are_padded():
    operator, kernels = convolution(), TorchKernels()
    mixed = windows_of(*[(0, 0, 8, 8, 0)] * 3, (0, 0, 9, 9, 0))
    assert winograd.tile_for(mixed.table[:, SIZE]) == 4
    kernels.prepare([step_of(operator)], [{"read": mixed}])
    assert kernels._tiles[operator] == 5, "all four are computed as windows of 9 x 9"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_goes_without_tiles(dtype):
    operator, kernels = convolution(), TorchKernels()
    operator = replace(operator, weight=operator.weight.to(dtype))
    for side in (8, 10, 8):
        windows = windows_of((4, 4, side, side, 0))
        kernels.prepare([step_of(operator)], [{"read": windows}])
        rows = drawn(windows.rows, CHANNELS).to(dtype)
        out = operator.windows((windows,))
        kernels.step(Work(step_of(operator), (Delta(rows, windows),), out, ActivationCache(1, {}, {}, None)))
        [weight] = kernels._packed.values()
        assert weight.shape == operator.weight.shape
    assert not kernels._tiles
