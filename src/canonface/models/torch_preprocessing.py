"""Differentiable preprocessing in PyTorch, with gradients to the photo and to the crop's matrix.

`prepare` uses OpenCV, which needs no PyTorch; both agree within the tolerance stated in
`tests/models/test_torch_preprocessing.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from canonface.errors import OptionError
from canonface.models.crops import crop_matrix
from canonface.models.preprocessing import TRIANGLE_VARIANCE, needed_window
from canonface.types import Face, InputSpec

if TYPE_CHECKING:
    from torch import Tensor

ITU_R_601 = (0.299, 0.587, 0.114)


def prepare_tensor(face: Face, spec: InputSpec, photo: Tensor | None = None) -> Tensor:
    """Return the model's input for a face, as a differentiable function of the photo.

    Args:
        face: aligned face; gives the place of the crop.
        spec: input specification of the model.
        photo: ``(3, h, w)`` or ``(n, 3, h, w)``, RGB in 0..255, floating point, on any device; None takes the
            face's own, as ``float32`` on the CPU.

    Returns:
        ``x``, ``(c, oh, ow)`` or ``(n, c, oh, ow)``, with the photo's dtype, device and gradient.

    Raises:
        AlignmentError: the face spans no area.
        OptionError: the mesh lacks the points of the crop, or the photo has another size or dtype.
    """
    import torch

    if photo is None:
        photo = torch.from_numpy(face.image.transpose(2, 0, 1).astype(np.float32))
    wanted = (3, *face.image.shape[:2])
    if photo.ndim not in (3, 4) or tuple(photo.shape[-3:]) != wanted or not photo.is_floating_point():
        raise OptionError(
            f"The photo is a floating-point tensor (3, h, w) or (n, 3, h, w) of the face's photo, {wanted} here; got "
            f"{tuple(photo.shape)} of {photo.dtype}. Align the photo that you pass."
        )
    matrix = torch.from_numpy(crop_matrix(face, spec))
    return _values(resample_tensor(photo, matrix, spec.size_hw), spec)


def resample_tensor(image: Tensor, matrix: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Resample as `resample` does: bilinear, antialiased where the image shrinks, border repeated.

    Args:
        image: ``(c, h, w)`` or ``(n, c, h, w)``, floating point.
        matrix: ``(2, 3)`` affine map from image pixels to input pixels, invertible; one for all images.
        size_hw: height and width of the input in pixels.

    Returns:
        ``(c, oh, ow)`` or ``(n, c, oh, ow)``, with the image's dtype and device.
    """
    import torch
    from torch.nn import functional

    batch = image if image.ndim == 4 else image[None]
    matrix = matrix.to(
        device=batch.device, dtype=torch.float64 if batch.device.type != "mps" else torch.float32
    )
    rows, columns, low = needed_window(batch.shape[-2:], _array(matrix), size_hw)
    batch = batch[..., rows, columns]
    linear = matrix[:, :2]
    offset = matrix[:, 2] + linear @ torch.as_tensor(low, dtype=matrix.dtype, device=matrix.device)
    variances = (linear.norm(dim=1) ** -2 - 1) * TRIANGLE_VARIANCE
    for axis, variance in ((3, variances[0]), (2, variances[1])):
        batch = _blur(batch, variance, axis)
    height, width = size_hw
    y, x = torch.meshgrid(
        torch.arange(height, dtype=matrix.dtype, device=matrix.device),
        torch.arange(width, dtype=matrix.dtype, device=matrix.device),
        indexing="ij",
    )
    seen = (torch.stack([x, y], dim=-1) - offset) @ torch.linalg.inv(linear).T
    # Without align_corners -1 and 1 are the outer edges of the border pixels: one formula for one pixel and many.
    sides = torch.tensor(batch.shape[:-3:-1], dtype=matrix.dtype, device=matrix.device)
    grid = ((2 * seen + 1) / sides - 1).to(batch.dtype)
    shown = functional.grid_sample(
        batch,
        grid.expand(len(batch), -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return shown if image.ndim == 4 else shown[0]


def _blur(batch: Tensor, variance: Tensor, axis: int) -> Tensor:
    """Blur along an axis with a Gaussian cut at 4 sigma, border repeated: OpenCV's kernel for floating point."""
    import torch
    from torch.nn import functional

    sigma = max(float(variance.detach()), 0.0) ** 0.5
    reach = (round(8 * sigma + 1) | 1) // 2
    if reach == 0:
        return batch
    place = torch.arange(-reach, reach + 1, dtype=variance.dtype, device=variance.device)
    weights = torch.softmax(-(place**2) / (2 * variance), dim=0).to(batch.dtype)
    n, c, h, w = batch.shape
    sides = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
    padded = functional.pad(batch.reshape(n * c, 1, h, w), sides, mode="replicate")
    kernel = weights.reshape((1, 1, 1, -1) if axis == 3 else (1, 1, -1, 1))
    return functional.conv2d(padded, kernel).reshape(n, c, h, w)


def _values(pixels: Tensor, spec: InputSpec) -> Tensor:
    """Convert RGB pixels in 0..255 to input values, as `InputSpec.from_pixels`."""

    def channelwise(values: tuple[float, ...]) -> Tensor:
        return pixels.new_tensor(values).reshape(-1, 1, 1)

    if spec.colour == "grey":
        pixels = (pixels * channelwise(ITU_R_601)).sum(dim=-3, keepdim=True)
    elif spec.colour == "bgr":
        pixels = pixels.flip(-3)
    return (pixels * spec.scale - channelwise(spec.mean)) / channelwise(spec.std)


def _array(matrix: Tensor) -> Float[np.ndarray, "2 3"]:
    return np.asarray(matrix.detach().cpu().numpy(), dtype=np.float64)
