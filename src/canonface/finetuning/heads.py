"""Linear heads on stored features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import nn

from canonface.finetuning.training_loop import History, Schedule, TrainingData, class_weights, fit


def fit_head(
    features: Float[np.ndarray, "s n d"],
    classes: Int[np.ndarray, "2 n"],
    count: int,
    training: Int[np.ndarray, "t"],
    validation: Int[np.ndarray, "v"],
    schedule: Schedule,
    balance: bool,
    after_epoch: Callable[[int], None] | None = None,
) -> tuple[nn.Linear, History]:
    """Fit a softmax regression from zero weights on standardised features.

    Mean and standard deviation are those of the training part; they are folded into the returned head, which takes
    raw features.

    Args:
        features: features of each photo, and of its mirror image where mirroring is on.
        classes: classes of each photo, and of its mirror image.
        count: number of classes.
        training: indices of the photos to fit to.
        validation: indices of the photos that stop the fit.
        schedule: length and step sizes of the fit.
        balance: give all classes the same weight.
        after_epoch: called with the number of passes done.
    """
    fitted = features[:, training] if schedule.mirror else features[:1, training]
    mean = fitted.mean(axis=(0, 1), dtype=np.float64)
    deviation = fitted.std(axis=(0, 1), dtype=np.float64)
    deviation[deviation < 1e-12] = 1.0
    scaled = torch.as_tensor(((features - mean) / deviation).astype(np.float32))

    def inputs(photos: Int[np.ndarray, "b"], mirrored: Bool[np.ndarray, "b"]) -> torch.Tensor:
        return scaled[torch.as_tensor(mirrored.astype(np.int64)), torch.as_tensor(photos)]

    head = zero_head(features.shape[2], count)
    data = TrainingData(inputs, classes, class_weights(classes[0, training], count, balance))
    history = fit(head, data, training, validation, schedule, after_epoch)
    with torch.no_grad():
        weight = head.weight.double() / torch.as_tensor(deviation)
        head.bias.copy_(head.bias.double() - weight @ torch.as_tensor(mean))
        head.weight.copy_(weight)
    return head, history


def zero_head(features: int, count: int) -> nn.Linear:
    """Return a linear layer of zeros without drawing random numbers."""
    with torch.device("meta"):
        head = nn.Linear(features, count)
    head = head.to_empty(device="cpu")
    with torch.no_grad():
        head.weight.zero_(), head.bias.zero_()
    return head


def logits(head: nn.Linear, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    """Return the logits of a head for features."""
    with torch.no_grad():
        return np.asarray(head(torch.as_tensor(features, dtype=torch.float32)).numpy())
