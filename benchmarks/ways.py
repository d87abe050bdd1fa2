"""Occlusion by other implementations, as functions of the number of patches: the baselines of canonface's timings."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np


class _EnoughError(Exception):
    """Raised when captum has reached the number of forward passes."""


def captum_occlusion(
    score: Callable[[Any], Any], x: Any, patch: int, fill: float, batch: int
) -> Callable[[int], object]:
    """Return captum's occlusion by a sliding window."""
    import torch
    from captum.attr import Occlusion

    def run(count: int) -> None:
        passes = 0

        def counted(batch_of_copies: Any) -> Any:
            nonlocal passes
            if passes >= count:
                raise _EnoughError
            passes += len(batch_of_copies)
            return score(batch_of_copies)

        with torch.inference_mode(), contextlib.suppress(_EnoughError):
            Occlusion(counted).attribute(x[None], (x.shape[0], patch, patch), (x.shape[0], 4, 4), baselines=fill,
                                         perturbations_per_eval=batch)  # fmt: skip

    return run


def paper_loop(
    score: Callable[[Any], Any], x: Any, boxes: np.ndarray, fill: float, batch: int
) -> Callable[[int], object]:
    """Return the loop of the paper's code: a clone of the input for each patch, and a forward pass for each batch."""
    import torch

    def run(count: int) -> None:
        with torch.inference_mode():
            for start in range(0, count, batch):
                copies = torch.stack([x.clone() for _ in range(batch)])
                for copy_, (x0, y0, x1, y1) in zip(
                    copies, boxes[start : start + batch].tolist(), strict=False
                ):
                    copy_[:, y0:y1, x0:x1] = fill
                score(copies)

    return run


def frozen(
    module: Any, x: Any, boxes: np.ndarray, fill: float, target: int, batch: int
) -> Callable[[int], object]:
    """Return full forward passes of a network that is traced, frozen and optimised for inference."""
    import torch

    from canonface.functional import occlude

    example = x.repeat(batch, 1, 1, 1)
    with torch.inference_mode():
        frozen = torch.jit.optimize_for_inference(
            torch.jit.freeze(torch.jit.trace(copy.deepcopy(module), example))
        )

    def run(count: int) -> None:
        with torch.inference_mode():
            for start in range(0, count, batch):
                torch.softmax(frozen(occlude(x, boxes[start : start + batch], fill)), 1)[:, target]

    return run


def matrix_product(size: int) -> Callable[[int], object]:
    """Return a product of two square matrices, the upper limit of the processor's speed."""
    import torch

    a, b = (torch.randn(size, size) for _ in range(2))

    def run(count: int) -> None:
        for _ in range(count):
            torch.matmul(a, b)

    return run
