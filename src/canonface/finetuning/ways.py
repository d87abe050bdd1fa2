"""The two ways to fit: a head judged by cross-validation over people, or the whole network, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from canonface.finetuning.backbones import Backbone
from canonface.finetuning.gathering import Gathered, Report
from canonface.finetuning.heads import fit_head, logits
from canonface.finetuning.training import Examples, History, Schedule, class_weights, fit
from canonface.models.linear_head import Headed


@dataclass(frozen=True, eq=False)
class Fitted:
    """A module, its history, and the answers to photos of people that it, or its like, has not seen."""

    module: Any
    history: History
    answered: Int[np.ndarray, "n"]
    judged: Int[np.ndarray, "m"]


def fit_heads(
    examples: Gathered,
    classes: Int[np.ndarray, "2 n"],
    parts: Int[np.ndarray, "n"],
    names: Sequence[str],
    base: Backbone,
    schedule: Schedule,
    balance: bool,
    progress: Report | None,
) -> Fitted:
    """A head, and what its like answer to the part that each has not seen."""
    folds = int(parts.max()) + 1
    answered = np.zeros(len(parts), dtype=np.int64)

    def head(training: Any, validation: Any, turn: int) -> tuple[Any, History]:
        after = _ticking(progress, turn * schedule.epochs, (folds + 1) * schedule.epochs)
        return fit_head(
            *(
                examples.predictions,
                classes,
                len(names),
                np.flatnonzero(training),
                np.flatnonzero(validation),
            ),
            *(schedule, balance, after),
        )

    for turn in range(folds):
        judge, stop = parts == turn, parts == (turn + 1) % folds
        found, _ = head(~judge & ~stop, stop, turn)
        answered[judge] = logits(found, examples.predictions[0, judge]).argmax(axis=1)
    kept, history = head(parts != 0, parts == 0, folds)
    if progress:
        progress("fit", (folds + 1) * schedule.epochs, (folds + 1) * schedule.epochs)
    return Fitted(_joined(base, kept), history, answered, np.arange(len(parts)))


def fit_whole(
    examples: Gathered,
    classes: Int[np.ndarray, "2 n"],
    parts: Int[np.ndarray, "n"],
    names: Sequence[str],
    base: Backbone,
    schedule: Schedule,
    balance: bool,
    progress: Report | None,
) -> Fitted:
    """Backbone and head together, from a fitted head on: random logits would first spoil the features."""
    judge, stop = parts == 0, parts == 1
    training, validation = np.flatnonzero(~judge & ~stop), np.flatnonzero(stop)
    start = replace(schedule, epochs=200, patience=20, rate=3e-4, mirror=False)
    head, _ = fit_head(examples.predictions, classes, len(names), training, validation, start, balance)
    module, model, pixels = _joined(base, head), base.model, examples.pixels
    assert pixels is not None

    def shown(photos: Any, mirrored: Any) -> Any:
        x = np.stack([model.spec.from_pixels(pixels[i].astype(np.float64)) for i in photos])
        x[mirrored] = x[mirrored, :, :, ::-1]
        return model.to_device(x)

    weights = class_weights(classes[0, training], len(names), balance)
    history = fit(
        *(module, Examples(shown, classes, weights), training, validation, schedule),
        after_epoch=_ticking(progress, 0, schedule.epochs),
    )
    if progress:
        progress("fit", schedule.epochs, schedule.epochs)
    judged, answered = np.flatnonzero(judge), np.zeros(len(parts), dtype=np.int64)
    for piece in np.array_split(judged, max(1, len(judged) // schedule.batch)):
        with torch.no_grad():
            found = module(shown(piece, np.zeros(len(piece), dtype=bool)))
        answered[piece] = found.argmax(dim=1).cpu().numpy()
    return Fitted(module, history, answered, judged)


def _joined(base: Backbone, head: Any) -> Any:
    module = Headed(base.model.module, head.in_features, head.out_features)
    module.head.load_state_dict(head.state_dict())
    return module.to(base.model.device).eval()


def _ticking(progress: Report | None, done: int, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda epochs: progress("fit", done + epochs, total)
