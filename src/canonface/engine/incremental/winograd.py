"""Toom-Cook convolution of windows with 3x3 kernels, tiles added where they overlap.

A tile of four cells and a kernel of three are polynomials; their product has degree five and is known from its
values at six points. So 4 x 4 cells cost 36 products where the direct way takes 144, and since tiles of the *input*
are taken and their results overlap, nothing is computed for a rim. A. L. Toom 1963, S. A. Cook 1966; for networks:
A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016, arXiv 1509.09308 (which tiles the
output).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

TILE = 4
KERNEL = 3
SPAN = TILE + KERNEL - 1
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
"""Where the polynomials are evaluated; the sixth point is infinity."""


def _evaluation(count: int) -> Float[np.ndarray, "6 count"]:
    """Matrix that takes ``count`` coefficients to the values at the six points."""
    at_infinity = np.eye(count)[-1:]
    return np.concatenate([np.vander(POINTS, count, increasing=True), at_infinity])


@cache
def transforms() -> tuple[Float[np.ndarray, "36 16"], Float[np.ndarray, "36 36"], Float[np.ndarray, "6 3"]]:
    """Of tiles, of products back to cells, and of one axis of a kernel."""
    back = np.linalg.inv(_evaluation(SPAN))
    tiles = _evaluation(TILE)
    return np.kron(tiles, tiles), np.kron(back, back), _evaluation(KERNEL)


def packed(weight: Float[Tensor, "o i 3 3"]) -> Float[Tensor, "36 i o"]:
    """Values of the kernels at the points, computed in double precision."""
    axis = torch.as_tensor(transforms()[2], device=weight.device)
    turned = weight.double().flip(2, 3)
    values = torch.einsum("ya,xb,oiab->yxio", axis, axis, turned)
    return values.reshape(SPAN**2, *values.shape[2:]).to(weight.dtype).contiguous()


def full_convolution(
    canvas: Float[Tensor, "p h w i"], weight: Float[Tensor, "36 i o"]
) -> Float[Tensor, "p h2 w2 o"]:
    """Every cell that a 3x3 kernel can reach from a window: two more each way.

    Args:
        canvas: height and width are multiples of `TILE`.
        weight: see `packed`.

    Returns:
        ``(p, h + 4, w + 4, o)``, of which the last two rows and columns are zero; cell ``(u, v)`` of the result lies
        ``2 - padding`` cells above and left of cell ``(u, v)`` of the canvas.
    """
    probes, height, width, channels = canvas.shape
    down, across = height // TILE, width // TILE
    forward, back, _ = (
        torch.as_tensor(matrix, device=canvas.device).to(canvas.dtype) for matrix in transforms()
    )
    outs = weight.shape[2]
    tiles = canvas.view(probes, down, TILE, across, TILE, channels).permute(2, 4, 0, 1, 3, 5)
    # One name: each is several times the canvas, and the one before it must not outlive its use.
    values = forward @ tiles.reshape(TILE**2, -1)
    values = torch.bmm(values.view(SPAN**2, -1, channels), weight)
    values = back @ values.view(SPAN**2, -1)
    return _overlapped(values.view(SPAN, SPAN, probes, down, across, outs))


def _overlapped(cells: Float[Tensor, "6 6 p down across o"]) -> Float[Tensor, "p h w o"]:
    """Tiles of 6 x 6 cells laid every four cells and added."""
    probes, down, across, outs = cells.shape[2:]
    result = cells.new_zeros(probes, down + 1, TILE, across + 1, TILE, outs)
    over = SPAN - TILE
    ordered = cells.permute(2, 3, 0, 4, 1, 5)
    result[:, :down, :, :across] = ordered[:, :, :TILE, :, :TILE]
    result[:, 1:, :over, :across] += ordered[:, :, TILE:, :, :TILE]
    result[:, :down, :, 1:, :over] += ordered[:, :, :TILE, :, TILE:]
    result[:, 1:, :over, 1:, :over] += ordered[:, :, TILE:, :, TILE:]
    return result.view(probes, (down + 1) * TILE, (across + 1) * TILE, outs)


def padded_to_tiles(size: int) -> int:
    """The next multiple of `TILE`."""
    return -(-size // TILE) * TILE
