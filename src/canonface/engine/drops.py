"""Drops of a torch module's confidence, by any engine."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.confidence.classification import class_confidence
from canonface.engine.runner import ModelRunner
from canonface.errors import OptionError, TargetError
from canonface.functional import PointsXY, Tensor, occlusion_boxes
from canonface.models import TorchModel
from canonface.occlusions import Occlusions
from canonface.types import InputSpec


def drops(
    module: Any,
    x: Tensor,
    centres_xy: PointsXY,
    patch: float,
    fill: float | Tensor = 0.0,
    target: int | None = None,
    engine: str = "auto",
    batch: int = 64,
) -> Float[np.ndarray, "n"]:
    """Return the drop of a class's softmax probability when a patch hides each point (eq. 1).

    Args:
        module: a ``torch.nn.Module`` from ``(n, c, h, w)`` to logits ``(n, d)``; it runs in evaluation mode.
        x: ``(c, h, w)`` the input, a tensor or an array.
        centres_xy: ``(n, 2)`` points in pixels of ``x``; a point that holds NaN is not probed.
        patch: side of the patch in pixels (eq. 2).
        fill: content of the patch, in the values of ``x``: a number, or an array that broadcasts to ``(c, h, w)``.
        target: the class; None: the class predicted for ``x``.
        engine: see `canonface.engine.ENGINES`: ``auto``, ``dense``, ``incremental`` (PyTorch's operators),
            ``native`` (compiled kernels). Where one cannot be used, another one is, and a line of the log says so.
        batch: copies per batch of the dense engine.

    Returns:
        ``(n,)`` ``float64``; positive: the module relied on the hidden pixels; NaN: the point was not probed.

    Raises:
        OptionError: an argument cannot be used; ``x`` or ``fill`` holds NaN or infinity.
        TargetError: there is no such class.
        ModelError: the module failed, or returned something other than ``(n, d)`` numbers.
    """
    if not hasattr(module, "parameters"):
        raise OptionError(f"module is a torch.nn.Module; got a {type(module).__name__}: put it into one.")
    if getattr(x, "ndim", None) != 3:
        raise OptionError(f"x is one input of shape (c, h, w); got shape {tuple(getattr(x, 'shape', ()))}.")
    height_width = (int(x.shape[1]), int(x.shape[2]))
    points = _numbers(centres_xy, "centres_xy").astype(np.float64)
    points = points.reshape(0, 2) if not points.size else points
    if points.ndim != 2 or points.shape[1] != 2:
        raise OptionError(f"centres_xy are points of shape (n, 2); got shape {points.shape}.")
    known = np.isfinite(points).all(axis=1)
    if np.ndim(side := _numbers(patch, "patch")):
        raise OptionError(f"patch is one number, a side in pixels; got shape {side.shape}.")
    content = _checked_fill(fill, tuple(x.shape))
    occlusions = Occlusions(occlusion_boxes(points[known], float(side), height_width), content)
    model = TorchModel(module, type(module).__name__, InputSpec(size_hw=height_width))
    tensor = _on_device(module, x)
    clean, occluded = ModelRunner(model, engine, batch).both(tensor, occlusions)
    index = int(clean[0].argmax()) if target is None else target
    if not isinstance(index, Integral) or not 0 <= index < clean.shape[1]:
        raise TargetError(f"A target is one of {clean.shape[1]} classes, counted from 0; got {target!r}.")
    result = np.full(len(points), np.nan)
    if known.any():
        before, after = (
            class_confidence(values, index, "probability", "logits") for values in (clean, occluded)
        )
        result[known] = before - after
    return result


def _checked_fill(fill: float | Tensor, shape: tuple[int, ...]) -> np.ndarray:
    values = _numbers(fill, "fill")
    if not np.isfinite(values).all():
        raise OptionError("fill holds NaN or infinity: it is shown to the module.")
    try:
        np.broadcast_to(values, shape)
    except ValueError:
        raise OptionError(
            f"fill is a number, or broadcasts to x, of shape {shape}; got shape {values.shape}: a value for each "
            "channel has shape (c, 1, 1)."
        ) from None
    return values


def _numbers(values: Any, name: str) -> Float[np.ndarray, "..."]:
    """Return an argument as an array of its own float type."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        found = np.asarray(values)
        if found.dtype.kind in "biuf":
            return found if found.dtype.kind == "f" else found.astype(np.float64)
    except ValueError:  # rows of several lengths
        pass
    raise OptionError(f"{name} is made of numbers; got {values!r:.60}.")


def _on_device(module: Any, x: Tensor) -> Tensor:
    """Return the input as a tensor on the module's device, in its float type."""
    import torch

    weight = next((p for p in module.parameters() if p.is_floating_point()), None)
    if isinstance(x, np.ndarray):
        x = np.ascontiguousarray(x)  # PyTorch takes no negative strides
    tensor = torch.as_tensor(x).detach()
    if not torch.isfinite(tensor).all():
        raise OptionError("x holds NaN or infinity: a drop of an undefined input is undefined.")
    return tensor.clone() if weight is None else tensor.to(weight.device, weight.dtype, copy=True)
