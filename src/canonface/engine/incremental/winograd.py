"""Toom-Cook convolution of windows with 3x3 kernels, tiles added where they overlap.

A tile of four cells and a kernel of three are polynomials; their product has degree five and is known from its
values at six points. So 4 x 4 cells cost 36 products where the direct way takes 144. Since tiles of the *input*
are taken and their results overlap, nothing is computed for a rim. A. L. Toom 1963, S. A. Cook 1966; for networks:
A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, arXiv 1509.09308 (which tiles the
output).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from canonface.engine.incremental.windows import SIZE, Pair, Windows

TILES = (2, 3, 4, 5)
"""Sides of tiles. A side of six makes fewer products still, but its transforms cost as much as that saves."""
KERNEL = 3
POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, -0.5)
"""Points at which the polynomials are evaluated, as many as a tile needs; one more point is infinity.

In this order few of them round least: of 128 channels in single precision tiles of two to five are off by 3.6e-7,
1.3e-6, 1.5e-6 and 3.7e-6 of the output (root mean squares). B. Barabasz, A. Anderson, K. M. Soodhalter, D. Gregg,
Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks, ACM TOMS 2020, arXiv
1803.10986.
"""


def padded_sizes(chunks: Sequence[Windows]) -> Int[np.ndarray, "p 2"]:
    """Return the height and width of each window, padded to the largest of its chunk."""
    return np.concatenate(
        [np.broadcast_to(some.table[:, SIZE].max(axis=0), (len(some), 2)) for some in chunks]
    )


def tile_for(sizes: Int[np.ndarray, "p 2"]) -> int:
    """Return the tile side with the fewest products for windows of these heights and widths."""
    return min(TILES, key=lambda tile: products(sizes, tile))


def products(sizes: Int[np.ndarray, "p 2"], tile: int) -> int:
    """Count the products of all windows of these heights and widths, for one input and one output channel."""
    return int((-(-sizes.astype(np.int64) // tile)).prod(axis=1).sum()) * span_of(tile) ** 2


def span_of(tile: int) -> int:
    """Return the number of cells that a tile reaches along an axis, which is the number of its points."""
    return tile + KERNEL - 1


def padded_to_tiles(size: Pair, tile: int) -> Pair:
    """Round a height and width up to multiples of a tile."""
    height, width = (-(-side // tile) * tile for side in size)
    return height, width


def _evaluation(count: int, points: int) -> Float[np.ndarray, "points count"]:
    """Return the matrix from ``count`` coefficients to the values at ``points`` points."""
    at_infinity = np.eye(count)[-1:]
    return np.concatenate([np.vander(POINTS[: points - 1], count, increasing=True), at_infinity])


@cache
def transforms(tile: int) -> tuple[Float[np.ndarray, "ss tt"], Float[np.ndarray, "ss ss"]]:
    """Return the matrices from ``t`` x ``t`` cells to ``s`` x ``s`` points, and from products there back to cells."""
    span = span_of(tile)
    back, tiles = np.linalg.inv(_evaluation(span, span)), _evaluation(tile, span)
    return np.kron(tiles, tiles), np.kron(back, back)


def pack_weights(weight: Float[Tensor, "o i 3 3"], tile: int) -> Float[Tensor, "ss i o"]:
    """Return the kernels' values at the points, computed in double precision, one row of points after another."""
    outs, ins = weight.shape[:2]
    span = span_of(tile)
    axis = _evaluation(KERNEL, span)
    at_points = torch.as_tensor(np.kron(axis, axis), device=weight.device)
    turned = weight.flip(2, 3).permute(2, 3, 1, 0).reshape(KERNEL**2, -1).double()
    made = weight.new_empty(span**2, ins, outs)
    for some, row in zip(torch.split(at_points, span), torch.split(made, span), strict=True):
        row.copy_((some @ turned).view(row.shape))
    return made


def full_convolution(
    canvas: Float[Tensor, "p h w i"], weight: Float[Tensor, "ss i o"]
) -> Float[Tensor, "p h2 w2 o"]:
    """Return every cell that a 3x3 kernel can reach from a window: two more each way.

    Args:
        canvas: height and width are multiples of the tile's side ``t``.
        weight: see `pack_weights`; ``s`` is ``t + 2``.

    Returns:
        ``(p, h + t, w + t, o)``, of which the last ``t - 2`` rows and columns are zero; cell ``(u, v)`` lies
        ``2 - padding`` cells above and left of cell ``(u, v)`` of the canvas.
    """
    span = math.isqrt(len(weight))
    tile = span - KERNEL + 1
    probes, height, width, channels = canvas.shape
    down, across = height // tile, width // tile
    forward, back = (
        torch.as_tensor(matrix, device=canvas.device).to(canvas.dtype) for matrix in transforms(tile)
    )
    outs = weight.shape[2]
    tiles = canvas.view(probes, down, tile, across, tile, channels).permute(2, 4, 0, 1, 3, 5)
    # One variable: each value is several times the canvas and must not outlive its use.
    values = forward @ tiles.reshape(tile**2, -1)
    values = torch.bmm(values.view(span**2, -1, channels), weight)
    values = back @ values.view(span**2, -1)
    return _overlapped(values.view(span, span, probes, down, across, outs))


def _overlapped(cells: Float[Tensor, "s s p down across o"]) -> Float[Tensor, "p h w o"]:
    """Add the outputs of tiles, placed as far apart as the tiles are wide."""
    span, _, probes, down, across, outs = cells.shape
    over = KERNEL - 1
    tile = span - over
    result = cells.new_zeros(probes, down + 1, tile, across + 1, tile, outs)
    ordered = cells.permute(2, 3, 0, 4, 1, 5)
    result[:, :down, :, :across] = ordered[:, :, :tile, :, :tile]
    result[:, 1:, :over, :across] += ordered[:, :, tile:, :, :tile]
    result[:, :down, :, 1:, :over] += ordered[:, :, :tile, :, tile:]
    result[:, 1:, :over, 1:, :over] += ordered[:, :, tile:, :, tile:]
    return result.view(probes, (down + 1) * tile, (across + 1) * tile, outs)
