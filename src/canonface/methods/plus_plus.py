"""The weights of GradCAM++ as its paper has them, in torchcam's extractor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchcam.methods import GradCAMpp


class PaperGradCamPlusPlus(GradCAMpp):
    r"""torchcam's GradCAM++ with the weights of eq. 19 of the paper.

    $w_k = \sum_{ij} \alpha^k_{ij}\, \mathrm{relu}(g^k_{ij})$ with
    $\alpha^k_{ij} = (g^k_{ij})^2 / (2 (g^k_{ij})^2 + (g^k_{ij})^3 \sum_{ab} A^k_{ab})$.

    torchcam 0.5.0 divides a copy, so that its $\alpha$ stay $(g^k_{ij})^2$. The paper's maps have passed a ReLU: here
    the sum is over the positive parts of $A^k$, which is the same there, and keeps the denominator away from 0 where
    a convolution's own output is taken.
    """

    def _get_weights(self, class_idx: Any, scores: Tensor, eps: float = 0.0, **kwargs: Any) -> list[Tensor]:  # noqa: ARG002
        self._backprop(scores, class_idx, **kwargs)
        return [_weights(grad, kept) for grad, kept in zip(self.hook_g, self.hook_a, strict=True)]


def _weights(grad: Tensor, activation: Tensor) -> Tensor:
    """``(n, k)`` weights of ``(n, k, h, w)`` gradients and activations; in ``float64``, since gradients are cubed."""
    gradient, kept = grad.double(), activation.double()
    total = torch.relu(kept).sum(dim=(2, 3), keepdim=True)
    # relu(g) is a factor of the weight: only where the gradient is positive does alpha count.
    alpha = torch.where(gradient > 0, 1 / (2 + gradient * total), torch.zeros_like(gradient))
    return (alpha * torch.relu(gradient)).sum(dim=(2, 3)).to(activation)
