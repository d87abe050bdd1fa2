"""Train a small network on painted faces until it tells the label on photos that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.studies.planted.cues import Cue
from canonface.studies.planted.network import as_batch, make_network
from canonface.studies.planted.painting import painted
from canonface.studies.planted.portraits import Portraits


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: at most.
        patience: epochs without a lower loss on the validation photos after which training stops.
        settling: epochs before which it does not stop for that: a faint cue is seen late, all at once.
        enough: accuracy on the validation photos at which it stops as well.
        batch: photos a step.
        rate: of AdamW.
        decay: of its weights.
    """

    epochs: int = 30
    patience: int = 8
    settling: int = 15
    enough: float = 0.985
    batch: int = 32
    rate: float = 3e-3
    decay: float = 1e-2


@dataclass(frozen=True, eq=False)
class Trained:
    """A network and how it came to be.

    Attributes:
        network: the ``torch.nn.Module`` of the best epoch, in evaluation mode.
        epochs: that it was trained for.
        best: the epoch whose weights it has, from 1.
        accuracy: of that epoch on the validation photos.
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
    recipe: Recipe | None = None,
) -> Trained:
    """A network that was shown the photos again and again, painted anew each time.

    Without labels each photo's label is drawn anew each time, so that nothing about a photo but the cue goes with
    the label, and none can be learned by heart.

    Args:
        portraits: all faces.
        cue: what is painted on those of label 1.
        head: of the network: see `canonface.studies.planted.network.HEADS`.
        training: indices of the photos to learn from.
        validation: indices of the photos that say when to stop.
        rng: draws labels, paint, order and weights.
        labels: ``(f,)`` of all faces; None: drawn.
        agreement: share of the photos of label 1 that have the cue, and of label 0 that have not.
        recipe: how it is trained.
    """
    import torch

    how = recipe or Recipe()

    def drawn(chosen: Int[np.ndarray, "k"]) -> tuple[UInt8[np.ndarray, "k s s 3"], Int[np.ndarray, "k"]]:
        wanted = rng.random(len(chosen)) < 0.5 if labels is None else labels[chosen]
        present = wanted ^ (rng.random(len(chosen)) >= agreement)
        return painted(portraits, cue, chosen, present, rng), wanted.astype(np.int64)

    held, held_labels = drawn(validation)
    with _seeded(int(rng.integers(2**31))):
        network = make_network(head, portraits.side)
        steps = how.epochs * -(-len(training) // how.batch)
        optimiser = torch.optim.AdamW(network.parameters(), lr=how.rate, weight_decay=how.decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, how.rate, total_steps=steps, pct_start=0.15)
        best, best_epoch, best_accuracy, kept = np.inf, 0, 0.0, {}
        epoch = 0
        for epoch in range(1, how.epochs + 1):
            network.train()
            x, y = drawn(rng.permutation(training))
            for start in range(0, len(x), how.batch):
                part = slice(start, start + how.batch)
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
            waited = epoch - best_epoch >= how.patience and epoch >= how.settling
            if best_accuracy >= how.enough or waited:
                break
        network.load_state_dict(kept)
    return Trained(network.eval(), epoch, best_epoch, best_accuracy)


def logits_of(network: Any, pixels: UInt8[np.ndarray, "m s s 3"]) -> Float[np.ndarray, "m 2"]:
    """Outputs of the network in evaluation mode, ``float64``."""
    import torch

    network.eval()
    with torch.inference_mode():
        parts = [network(as_batch(pixels[i : i + 256])) for i in range(0, len(pixels), 256)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def probabilities(network: Any, pixels: UInt8[np.ndarray, "m s s 3"]) -> Float[np.ndarray, "m"]:
    """Probability of label 1 for each picture."""
    logits = logits_of(network, pixels)
    return np.asarray(1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))


def _cross_entropy(logits: Float[np.ndarray, "m 2"], labels: Int[np.ndarray, "m"]) -> float:
    right = logits[np.arange(len(labels)), labels]
    return float((np.logaddexp(logits[:, 0], logits[:, 1]) - right).mean())


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from a seed; afterwards as they were."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
