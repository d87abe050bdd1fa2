"""Training loop with early stopping on the validation part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from canonface.errors import OptionError


@dataclass(frozen=True)
class Schedule:
    """Length and step sizes of a fit.

    Attributes:
        epochs: maximum number of passes over the training part.
        patience: passes without a smaller validation loss after which the fit ends.
        batch: photos per step.
        rate: learning rate of AdamW.
        decay: weight decay of AdamW.
        mirror: mirror each photo with probability one half.
        seed: seed of the order of photos and of the mirroring.
    """

    epochs: int
    patience: int
    batch: int
    rate: float
    decay: float
    mirror: bool
    seed: int

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} is a whole number, 1 or more; got {getattr(self, name)}.")
        if not (self.rate > 0 and self.decay >= 0):
            raise OptionError(
                f"A learning rate is above 0 and a weight decay 0 or more; got {self.rate}, {self.decay}."
            )


@dataclass(frozen=True)
class TrainingData:
    """Inputs, classes and class weights of a fit.

    Attributes:
        inputs: ``(indices, mirrored) -> (n, ...)``, the module's inputs for photos, on its device.
        classes: ``(2, n)`` class of each photo, and of its mirror image.
        weights: ``(k,)`` weight of each class in the loss.
    """

    inputs: Callable[[Int[np.ndarray, "b"], Bool[np.ndarray, "b"]], Any]
    classes: Int[np.ndarray, "2 n"]
    weights: Float[np.ndarray, "k"]


@dataclass(frozen=True)
class History:
    """Validation loss after each pass; the module has the parameters of pass ``best``, counted from 0."""

    losses: tuple[float, ...]
    best: int
    stopped_early: bool


def class_weights(classes: Int[np.ndarray, "n"], count: int, balance: bool) -> Float[np.ndarray, "k"]:
    """Return n / (k n_c) for each class, which gives all classes the same weight in the loss; 1 without balance."""
    found = np.bincount(classes, minlength=count)
    return len(classes) / (count * np.maximum(found, 1)) if balance else np.ones(count)


def fit(
    module: nn.Module,
    data: TrainingData,
    training: Int[np.ndarray, "t"],
    validation: Int[np.ndarray, "v"],
    schedule: Schedule,
    after_epoch: Callable[[int], None] | None = None,
) -> History:
    """Fit a module in place by weighted cross-entropy and restore its best parameters.

    The module stays in evaluation mode: batch norms keep their statistics and dropout is off, so the fit draws random
    numbers only from its own generator.

    Args:
        module: its parameters that require a gradient are fitted.
        data: inputs and classes.
        training: indices of the photos to fit to.
        validation: indices of the photos that stop the fit.
        schedule: length and step sizes of the fit.
        after_epoch: called with the number of passes done.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=schedule.rate, weight_decay=schedule.decay)
    device = parameters[0].device
    classes = torch.as_tensor(data.classes, device=device)
    weights = torch.as_tensor(data.weights, dtype=torch.float32, device=device)
    draw = np.random.default_rng(schedule.seed)
    losses: list[float] = []
    best, kept = 0, [p.detach().clone() for p in parameters]
    module.eval()
    for epoch in range(schedule.epochs):
        order = draw.permutation(training)
        for start in range(0, len(order), schedule.batch):
            photos = order[start : start + schedule.batch]
            mirrored = draw.random(len(photos)) < (0.5 if schedule.mirror else 0.0)
            right = classes[torch.as_tensor(mirrored.astype(np.int64)), torch.as_tensor(photos)]
            summed, weight = _loss(module(data.inputs(photos, mirrored)), right, weights)
            optimiser.zero_grad()
            (summed / weight).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        losses.append(_validation_loss(module, data, validation, classes[0], weights, schedule.batch))
        # A gain below a ten-thousandth is noise and would prolong the fit without end.
        if epoch == 0 or losses[-1] < losses[best] - 1e-4:
            best, kept = epoch, [p.detach().clone() for p in parameters]
        if after_epoch:
            after_epoch(epoch + 1)
        if epoch - best >= schedule.patience:
            break
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)
    return History(tuple(losses), best, len(losses) < schedule.epochs)


def _loss(logits: Tensor, right: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of the weighted losses and the sum of the weights."""
    summed = nn.functional.cross_entropy(logits, right, weight=weights, reduction="sum")
    return summed, weights[right].sum()


def _validation_loss(
    module: nn.Module, data: TrainingData, photos: Any, right: Tensor, weights: Tensor, batch: int
) -> float:
    summed = weight = 0.0
    with torch.no_grad():
        for start in range(0, len(photos), batch):
            piece = photos[start : start + batch]
            logits = module(data.inputs(piece, np.zeros(len(piece), dtype=bool)))
            part, part_weight = _loss(logits, right[torch.as_tensor(piece)], weights)
            summed, weight = summed + float(part), weight + float(part_weight)
    if not np.isfinite(summed):
        raise OptionError("The loss is no longer a finite number: take a smaller learning rate.")
    return summed / weight
