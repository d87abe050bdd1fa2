"""Fitted models with their scores and card, and the function that fits, scores and stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.data.photos import Photos
from canonface.errors import LabelsError, OptionError
from canonface.finetuning.cards import command_line, make_card, photo_words, write_card
from canonface.finetuning.examples import (
    CandidatePhotos,
    ExampleSet,
    ProgressCallback,
    collect_examples,
    find_candidates,
)
from canonface.finetuning.feature_cache import make_feature_cache
from canonface.finetuning.folds import identity_folds
from canonface.finetuning.options import FinetuneOptions, finetune_options
from canonface.finetuning.scores import ClassifierScores, make_scores
from canonface.finetuning.tasks import Task, chosen_classes, make_task
from canonface.imports import require
from canonface.mesh import load_mesh
from canonface.models.finetuned import Description, is_finetuned, write_finetuned
from canonface.progress import StageOption, stage_callback

if TYPE_CHECKING:
    from canonface.finetuning.backbones import Backbone
    from canonface.finetuning.strategies import FitResult
    from canonface.finetuning.training_loop import History, Schedule
    from canonface.models import TorchModel


@dataclass(frozen=True, eq=False)
class Finetuned:
    """Fitted model and its scores.

    Attributes:
        model: ready to use; `canonface.load_model` of a saved folder makes a model with the same outputs.
        scores: on people whose photos were used neither for the fit nor for stopping it.
        history: history of the fit of ``model``.
        description: stored next to the weights; contains the card with all measurements.
    """

    model: TorchModel
    scores: ClassifierScores
    history: History
    description: Description

    @property
    def card(self) -> Mapping[str, Any]:
        """Return measurements, data and settings of the fit."""
        return self.description.card

    def save(self, folder: str | Path) -> Path:
        """Store the model and its card in a directory; made if it is missing.

        Args:
            folder: holds no model yet.

        Raises:
            OptionError: it holds a model, or cannot be written.
        """
        place = free_folder(folder)
        try:
            write_finetuned(place, self.description, self.model.module)
            write_card(place, self.card)
        except OSError as error:
            raise OptionError(
                f"A model is stored in a directory that can be written; {place}: {error}"
            ) from error
        return place


def finetune(
    photos: Photos,
    backbone: Any = "facenet",
    task: str = "gender",
    out: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    identity: str | None = None,
    by: Sequence[str] = (),
    options: FinetuneOptions | None = None,
    aligner: Aligner | None = None,
    cache: str | Path | None = None,
    progress: StageOption = None,
    **keywords: Any,
) -> Finetuned:
    """Fit a linear head on a backbone's features, or backbone and head together, and score it on other people.

    People are split into ``folds`` parts (`identity_folds`). A head is scored by cross-validation: each part by a
    head fitted to the others, except for one part that stops the fit. The stored head is stopped by part 0 and fitted
    to all other parts. A whole network is fitted once, starting from such a head: part 0 scores it, part 1 stops it.

    Args:
        photos: as `canonface.audit` takes them.
        backbone: anything of which `canonface.load_model` makes a PyTorch module whose outputs are features. It is
            copied, never changed.
        task: ``gender``, ``age`` (ranges), ``expression``: columns of these names; ``pose``: the nine bins of
            `canonface.confidence.pose_bins`, computed from the mesh; or the name of another column, whose values are
            the classes.
        out: directory to store the model in; made if it is missing. None: it is not stored.
        labels: CSV file with a ``path`` column. None: ``photos``, if it is a CSV file.
        identity: column that names the person. None: ``identity``, if there is one. A photo without a name counts as
            a person of its own.
        by: columns for whose values the accuracy is reported.
        options: options of the fit; None: the defaults.
        aligner: places faces; by default the landmarker.
        cache: folder for the features of each photo, so that another head on the same backbone, or the same command
            after an interruption, shows only new photos to the backbone. None: features are kept in memory for this
            fit. A whole network is fitted to photos and does not use the cache.
        progress: True for bars on stderr, or a function of the stage (``photos``, ``fit``), the number done and the
            total.
        **keywords: single fields of `FinetuneOptions`, e.g. ``whole=True``; they replace those of ``options``.

    Raises:
        OptionError: an option cannot be used, the backbone is no PyTorch module or has no features, or no gradients
            for ``whole``.
        LabelsError: a column is missing, or there are too few classes, photos or people.
        ModelError: the backbone fails.
    """
    require("torch", "torch", "Fitting a model")
    from canonface.finetuning.backbones import check_gradients, load_backbone
    from canonface.finetuning.strategies import fit_heads, fit_whole

    if out is not None:
        free_folder(out)
    chosen = finetune_options(options, keywords)
    schedule = chosen.schedule(task)
    candidates = find_candidates(photos, labels, identity, by)
    target = make_task(task, candidates.columns)
    _check_labels(candidates, target, chosen)
    base = load_backbone(backbone, tuple(chosen.without), chosen.device, chosen.trust)
    if chosen.whole:
        check_gradients(base)
    with stage_callback(progress) as report:
        collected = _collect(candidates, target, base, by, schedule, chosen, aligner, cache, report)
        names = chosen_classes(target, collected.values, chosen.classes, chosen.least)
        examples = collected.only(names)
        numbers = _class_numbers(examples, names, target, schedule.mirror)
        parts = identity_folds(examples.people, numbers[0], chosen.folds, chosen.seed)
        _check_parts(parts, numbers[0], names, chosen.folds)
        fit = (fit_whole if chosen.whole else fit_heads)(
            *(examples, numbers, parts, names, base, schedule, chosen.balance, report)
        )
    scores = _held_out_scores(fit, numbers[0], names, examples)
    title = chosen.name or f"{base.model.name}-{task}"
    model = replace(base.model, module=fit.module, name=title, labels=names, outputs="logits")
    command = chosen.command or command_line(photos, base, task, out, labels, identity, by, schedule, chosen)
    card = make_card(
        *(title, target, base, examples, parts, names, scores, fit.history, schedule, chosen),
        data=chosen.data or photo_words(photos),
        command=command,
    )
    description = Description(
        *(title, task, base.text, base.digest, base.left_out, chosen.whole, model.spec, names), card=card
    )
    result = Finetuned(model, scores, fit.history, description)
    if out is not None:
        result.save(out)
    return result


def _check_labels(candidates: CandidatePhotos, task: Task, options: FinetuneOptions) -> None:
    """Raise before any photo is opened if the labels show too few classes or photos."""
    if task.column is not None:
        values = [task.read(row.get(task.column, "")) for row in candidates.known.values()]
        chosen_classes(task, values, options.classes, options.least)


def _collect(
    candidates: CandidatePhotos,
    task: Task,
    base: Backbone,
    by: Sequence[str],
    schedule: Schedule,
    options: FinetuneOptions,
    aligner: Aligner | None,
    cache: str | Path | None,
    progress: ProgressCallback | None,
) -> ExampleSet:
    placed = aligner or LandmarkerAligner(load_mesh(0))
    features = (
        make_feature_cache(cache, base.digest, base.left_out, base.model.spec, placed.mesh.name)
        if cache
        else None
    )
    return collect_examples(
        *(candidates, task, base.model, placed),
        by=by,
        mirror=schedule.mirror and not options.whole,
        keep_pixels=options.whole,
        batch=options.batch,
        cache=features,
        progress=progress,
    )


def _class_numbers(
    examples: ExampleSet, names: Sequence[str], task: Task, mirror: bool
) -> Int[np.ndarray, "2 n"]:
    """Return the number of each photo's class, and of its mirror image's.

    Raises:
        OptionError: a mirror image has a class that is left out.
    """
    number = {name: i for i, name in enumerate(names)}
    if mirror and (lost := [name for name in names if task.mirrored(name) not in number]):
        raise OptionError(
            f"A mirror image of {lost[0]!r} is of class {task.mirrored(lost[0])!r}, which is left out: keep both or "
            "neither (--classes), or fit without mirror images (--no-mirror)."
        )
    same = [number[value] for value in examples.values]
    turned = [number[task.mirrored(value)] for value in examples.values] if mirror else same
    return np.array([same, turned])


def _held_out_scores(
    fit: FitResult, classes: Int[np.ndarray, "n"], names: Sequence[str], examples: ExampleSet
) -> ClassifierScores:
    """Return the scores of the predictions that were made without the photo's person."""
    scored = fit.held_out
    return make_scores(
        classes[scored],
        fit.predicted[scored],
        names,
        [examples.people[i] for i in scored],
        {column: [values[i] for i in scored] for column, values in examples.groups.items()},
    )


def _check_parts(
    parts: Int[np.ndarray, "n"], classes: Int[np.ndarray, "n"], names: Sequence[str], folds: int
) -> None:
    """Raise LabelsError if a class occurs in fewer than three parts."""
    for number, name in enumerate(names):
        found = len(set(parts[classes == number].tolist()))
        if found < min(3, folds):
            raise LabelsError(
                f"Fitting, stopping and scoring need each class on different people; the photos of {name!r} lie in "
                f"{found} of {folds} parts: they show too few people. Add some, or leave the class out (--classes)."
            )


def free_folder(out: str | Path) -> Path:
    """Return the directory in which a model can be stored.

    Raises:
        OptionError: it holds a model already, or is a file.
    """
    folder = Path(out)
    if is_finetuned(folder):
        raise OptionError(
            f"A fitted model is never written over; {folder} holds one: choose another directory."
        )
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"A model is stored in a directory; {folder} is a file: choose another name.")
    return folder
