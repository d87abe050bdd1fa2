"""Strategies of fitting: a head with cross-validation over people, or the whole network once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.finetuning.backbones import Backbone
from canonface.finetuning.examples import ExampleSet, ProgressCallback
from canonface.finetuning.heads import fit_head, logits
from canonface.finetuning.training_loop import History, Schedule, TrainingData, class_weights, fit
from canonface.models.linear_head import Headed


@renamed_parameters(answered="predicted", judged="held_out")
@dataclass(frozen=True, eq=False)
class FitResult:
    """Module, history and held-out predictions of a fit.

    Attributes:
        module: backbone and head.
        history: history of its fit.
        predicted: ``(n,)`` number of the predicted class of each photo.
        held_out: ``(m,)`` indices of the photos whose prediction was made without their person.
    """

    module: Any
    history: History
    predicted: Int[np.ndarray, "n"]
    held_out: Int[np.ndarray, "m"]

    answered = deprecated_attribute("predicted")
    judged = deprecated_attribute("held_out")


def fit_heads(
    examples: ExampleSet,
    classes: Int[np.ndarray, "2 n"],
    parts: Int[np.ndarray, "n"],
    names: Sequence[str],
    base: Backbone,
    schedule: Schedule,
    balance: bool,
    progress: ProgressCallback | None,
) -> FitResult:
    """Fit the head to keep, and one head per part for cross-validated predictions."""
    folds = int(parts.max()) + 1
    predicted = np.zeros(len(parts), dtype=np.int64)

    def head(training: Any, validation: Any, turn: int) -> tuple[Any, History]:
        after = _epoch_progress(progress, turn * schedule.epochs, (folds + 1) * schedule.epochs)
        indices = np.flatnonzero(training), np.flatnonzero(validation)
        return fit_head(*(examples.predictions, classes, len(names), *indices), *(schedule, balance, after))

    for turn in range(folds):
        scored, stopping = parts == turn, parts == (turn + 1) % folds
        found, _ = head(~scored & ~stopping, stopping, turn)
        predicted[scored] = logits(found, examples.predictions[0, scored]).argmax(axis=1)
    kept, history = head(parts != 0, parts == 0, folds)
    if progress:
        progress("fit", (folds + 1) * schedule.epochs, (folds + 1) * schedule.epochs)
    return FitResult(_with_head(base, kept), history, predicted, np.arange(len(parts)))


def fit_whole(
    examples: ExampleSet,
    classes: Int[np.ndarray, "2 n"],
    parts: Int[np.ndarray, "n"],
    names: Sequence[str],
    base: Backbone,
    schedule: Schedule,
    balance: bool,
    progress: ProgressCallback | None,
) -> FitResult:
    """Fit backbone and head together, starting from a fitted head: random logits would damage the features."""
    scored, stopping = parts == 0, parts == 1
    training, validation = np.flatnonzero(~scored & ~stopping), np.flatnonzero(stopping)
    start = replace(schedule, epochs=200, patience=20, rate=3e-4, mirror=False)
    head, _ = fit_head(examples.predictions, classes, len(names), training, validation, start, balance)
    module, model, pixels = _with_head(base, head), base.model, examples.pixels
    assert pixels is not None

    def inputs(photos: Any, mirrored: Any) -> Any:
        x = np.stack([model.spec.from_pixels(pixels[i].astype(np.float64)) for i in photos])
        x[mirrored] = x[mirrored, :, :, ::-1]
        return model.to_device(x)

    weights = class_weights(classes[0, training], len(names), balance)
    history = fit(
        *(module, TrainingData(inputs, classes, weights), training, validation, schedule),
        after_epoch=_epoch_progress(progress, 0, schedule.epochs),
    )
    if progress:
        progress("fit", schedule.epochs, schedule.epochs)
    held_out, predicted = np.flatnonzero(scored), np.zeros(len(parts), dtype=np.int64)
    for piece in np.array_split(held_out, max(1, len(held_out) // schedule.batch)):
        with torch.no_grad():
            found = module(inputs(piece, np.zeros(len(piece), dtype=bool)))
        predicted[piece] = found.argmax(dim=1).cpu().numpy()
    return FitResult(module, history, predicted, held_out)


def _with_head(base: Backbone, head: Any) -> Any:
    """Return a module of the backbone and a copy of the head."""
    module = Headed(base.model.module, head.in_features, head.out_features)
    module.head.load_state_dict(head.state_dict())
    return module.to(base.model.device).eval()


def _epoch_progress(progress: ProgressCallback | None, done: int, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda epochs: progress("fit", done + epochs, total)
