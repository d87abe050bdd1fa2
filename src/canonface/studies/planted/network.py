"""Small networks that are trained to use a cue on painted faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.models import Model, load_model
from canonface.studies.planted.cues import Cue, painted
from canonface.studies.planted.portraits import Portraits
from canonface.types import InputSpec

LABELS = ("without", "with")
"""Names of the two classes: faces without and with the cue."""
SPEC_OPTIONS: Mapping[str, Any] = {"crop": "image", "mean": (0.5,), "std": (0.25,)}
HEADS = ("pooled", "flat")
"""Heads between the last convolution and the classes: ``pooled``, the mean over the picture; ``flat``, each place."""


def make_network(head: str, side: int) -> Any:
    """Build a ``torch.nn.Sequential`` of six convolutions with batch norm and ReLU, and a linear layer to two logits.

    The last map has a sixteenth of the input's side. A ``flat`` head distinguishes places by its weights; a
    ``pooled`` head by the receptive field of the last convolution, 95 pixels, more than a face at the default size.

    Args:
        head: one of `HEADS`.
        side: side of the input in pixels.
    """
    from torch import nn

    layers: list[nn.Module] = []
    widths = ((3, 12, 2), (12, 24, 2), (24, 48, 2), (48, 64, 2), (64, 64, 1), (64, 64, 1))
    for before, after, stride in widths:
        layers += [
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    last = -(-side // 16)
    if head == "pooled":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2)]
    else:
        layers += [nn.Flatten(), nn.Dropout(0.2), nn.Linear(64 * last * last, 2)]
    return nn.Sequential(*layers)


def as_batch(pixels: UInt8[np.ndarray, "m s s 3"]) -> Any:
    """Return pictures as a normalised tensor ``(m, 3, s, s)``, as `SPEC_OPTIONS` describes it."""
    import torch

    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255).sub_(0.5).div_(0.25)


def as_model(network: Any, side: int, name: str) -> Model:
    """Return the network as a canonface model whose input is a whole picture."""
    spec = InputSpec(size_hw=(side, side), **SPEC_OPTIONS)
    return load_model(network, spec=spec, labels=LABELS, outputs="logits", name=name, device="cpu")


@dataclass(frozen=True)
class TrainingRecipe:
    """Recipe of a training.

    Attributes:
        epochs: largest number of epochs.
        patience: number of epochs without a lower validation loss after which training stops.
        settling: epochs before which training does not stop for lack of progress: faint cues are learned late.
        enough: validation accuracy at which training stops.
        batch: photos per step.
        rate: learning rate of AdamW.
        decay: weight decay of AdamW.
    """

    epochs: int = 30
    patience: int = 8
    settling: int = 15
    enough: float = 0.985
    batch: int = 32
    rate: float = 3e-3
    decay: float = 1e-2


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained network with the record of its training.

    Attributes:
        network: the ``torch.nn.Module`` of the best epoch, in evaluation mode.
        epochs: number of epochs of the training.
        best: epoch of its weights, from 1.
        accuracy: validation accuracy of that epoch.
    """

    network: Any = field(repr=False)
    epochs: int
    best: int
    accuracy: float


def train(
    portraits: Portraits,
    cue: Cue,
    head: str,
    training: Int[np.ndarray, "n"],
    validation: Int[np.ndarray, "m"],
    rng: np.random.Generator,
    *,
    labels: Bool[np.ndarray, "f"] | None = None,
    agreement: float = 1.0,
    recipe: TrainingRecipe | None = None,
) -> TrainedNetwork:
    """Train a network on photos that are painted anew in each epoch.

    Without labels, each photo's label is drawn anew in each epoch. So only the cue correlates with the label, and no
    photo can be memorised.

    Args:
        portraits: all faces.
        cue: paint of the photos with label 1.
        head: one of `HEADS`.
        training: indices of the training photos.
        validation: indices of the photos for early stopping.
        rng: draws labels, paint, order and weights.
        labels: ``(f,)`` labels of all faces; None: drawn.
        agreement: share of the photos of label 1 that have the cue, and of label 0 that do not.
        recipe: the recipe; None: its defaults.
    """
    import torch

    recipe = recipe or TrainingRecipe()

    def drawn(chosen: Int[np.ndarray, "k"]) -> tuple[UInt8[np.ndarray, "k s s 3"], Int[np.ndarray, "k"]]:
        wanted = rng.random(len(chosen)) < 0.5 if labels is None else labels[chosen]
        present = wanted ^ (rng.random(len(chosen)) >= agreement)
        return painted(portraits, cue, chosen, present, rng), wanted.astype(np.int64)

    held, held_labels = drawn(validation)
    with _seeded(int(rng.integers(2**31))):
        network = make_network(head, portraits.side)
        steps = recipe.epochs * -(-len(training) // recipe.batch)
        optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.rate, total_steps=steps, pct_start=0.15
        )
        best, best_epoch, best_accuracy, kept = np.inf, 0, 0.0, {}
        epoch = 0
        for epoch in range(1, recipe.epochs + 1):
            network.train()
            x, y = drawn(rng.permutation(training))
            for start in range(0, len(x), recipe.batch):
                part = slice(start, start + recipe.batch)
                loss = torch.nn.functional.cross_entropy(
                    network(as_batch(x[part])), torch.from_numpy(y[part])
                )
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
            logits = logits_of(network, held)
            value = _cross_entropy(logits, held_labels)
            if value < best:
                best, best_epoch = value, epoch
                best_accuracy = float((logits.argmax(axis=1) == held_labels).mean())
                kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            waited = epoch - best_epoch >= recipe.patience and epoch >= recipe.settling
            if best_accuracy >= recipe.enough or waited:
                break
        network.load_state_dict(kept)
    return TrainedNetwork(network.eval(), epoch, best_epoch, best_accuracy)


def logits_of(network: Any, pixels: UInt8[np.ndarray, "m s s 3"]) -> Float[np.ndarray, "m 2"]:
    """Return the network's logits in evaluation mode, ``float64``."""
    import torch

    network.eval()
    with torch.inference_mode():
        parts = [network(as_batch(pixels[i : i + 256])) for i in range(0, len(pixels), 256)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def probabilities(network: Any, pixels: UInt8[np.ndarray, "m s s 3"]) -> Float[np.ndarray, "m"]:
    """Return the probability of label 1 for each picture."""
    logits = logits_of(network, pixels)
    return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))


def _cross_entropy(logits: Float[np.ndarray, "m 2"], labels: Int[np.ndarray, "m"]) -> float:
    right = logits[np.arange(len(labels)), labels]
    return float((np.logaddexp(logits[:, 0], logits[:, 1]) - right).mean())


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's random numbers inside the block; restore their state afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
