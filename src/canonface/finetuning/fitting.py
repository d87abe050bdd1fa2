"""Fit a head, or a whole network, judge it on people it has not seen, and store it."""

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
from canonface.finetuning.cards import make_card, write_card
from canonface.finetuning.commands import command_line, words_of
from canonface.finetuning.folds import identity_folds
from canonface.finetuning.gathering import Gathered, Report, find_cases, gather
from canonface.finetuning.remembering import make_memory
from canonface.finetuning.scores import Scores, make_scores
from canonface.finetuning.tasks import Task, chosen_classes, make_task
from canonface.imports import require
from canonface.mesh import load_mesh
from canonface.models.finetuned import Description, is_finetuned, write_finetuned

if TYPE_CHECKING:
    from canonface.finetuning.training import History
    from canonface.models import TorchModel

LEAST = 10
"""Photos of a class, at least."""


@dataclass(frozen=True, eq=False)
class Finetuned:
    """What was fitted, and what it is worth.

    Attributes:
        model: ready to be asked; `canonface.load_model` makes one that answers alike of where it was saved.
        scores: on people whose photos it was neither fitted to nor stopped by.
        history: of the fit that ``model`` is of.
        description: what is stored beside the weights, the card with all that was measured in it.
    """

    model: TorchModel
    scores: Scores
    history: History
    description: Description

    @property
    def card(self) -> Mapping[str, Any]:
        """Everything that was measured, and on what."""
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
    whole: bool = False,
    without: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    folds: int = 5,
    epochs: int | None = None,
    patience: int | None = None,
    batch: int = 64,
    rate: float | None = None,
    decay: float = 0.01,
    mirror: bool | None = None,
    balance: bool = True,
    least: int = LEAST,
    seed: int = 0,
    device: str = "auto",
    trust: bool = False,
    name: str | None = None,
    data: str = "",
    licence: str = "",
    command: str = "",
    aligner: Aligner | None = None,
    cache: str | Path | None = None,
    progress: Report | None = None,
) -> Finetuned:
    """Fit a linear head on a backbone's features, or backbone and head together, and judge it on other people.

    People are dealt into ``folds`` parts (`identity_folds`). A head is judged by cross-validation: of each part by a
    head that was fitted to the others, except for one that said when to stop. The head that is kept is the one of
    which part 0 said when to stop; it was fitted to all others. A network that is fitted whole is fitted once, from
    such a head on: part 0 judges it, part 1 says when to stop.

    Args:
        photos: as `canonface.audit` takes them.
        backbone: whatever `canonface.load_model` takes and makes a PyTorch module of, whose outputs are features. It
            is copied, never changed.
        task: ``gender``, ``age`` (ranges), ``expression``: columns of these names; ``pose``: the nine bins of
            `canonface.confidence.pose_bins`, read off the mesh; or the name of another column, whose values are the
            classes.
        out: directory to store it in; made if it is missing. None: it is not stored.
        labels: CSV file with a ``path`` column. None: ``photos``, if it is a CSV file.
        identity: column that names the person. None: ``identity``, if there is one. A photo without a name is of a
            person of its own.
        by: columns whose values the accuracy is told for.
        whole: fit the backbone too. Its batch norms keep their statistics, its dropout is off.
        without: layers of the backbone that hand on what they are given, such as the last one, so that the features
            are those before it.
        classes: which to tell apart, in this order. None: all that occur.
        folds: parts that share no person, 3 or more.
        epochs: passes over the photos at most; None: 200 for a head, 10 for a whole network.
        patience: passes without gain after which it ends; None: 20 for a head, 3 for a whole network.
        batch: photos a step.
        rate: learning rate; None: 3e-4 for a head, 1e-4 for a whole network.
        decay: weight decay.
        mirror: fit to mirror images too; a pose changes sides with its photo. None: for ``pose`` and for a whole
            network; of heads for other tasks it was measured to do nothing, and it asks the backbone twice.
        balance: let each class weigh alike in the loss, however many photos it has.
        least: photos that each class needs.
        seed: of parts, order and mirroring; the same seed gives the same bits on a CPU.
        device: where the network computes.
        trust: as of `canonface.load_model`.
        name: of the model; None: the backbone's and the task's.
        data: what the photos are, for the card.
        licence: of the photos, for the card.
        command: that makes this model, for the card; empty: the one that says these options.
        aligner: places faces; by default the landmarker.
        cache: folder for what the backbone answers to each photo, so that another head on it, or the same command
            after an interruption, asks only what is new. None: it is kept in memory, for this fit alone. A whole
            network is fitted to photos, and takes nothing from there.
        progress: called with what is done (``photos``, ``fit``), how much of it, and of how much.

    Raises:
        OptionError: an option cannot be used, the backbone is no PyTorch module or has no features, or no gradients
            for ``whole``.
        LabelsError: a column is missing, or there are too few classes, photos or people.
        ModelError: the backbone fails.
    """
    require("torch", "torch", "Fitting a model")
    from canonface.finetuning.backbones import check_gradients, load_backbone
    from canonface.finetuning.training import Schedule
    from canonface.finetuning.ways import fit_heads, fit_whole

    if out is not None:
        free_folder(out)
    if folds < 3:
        raise OptionError(
            f"One part judges, one says when to stop, one is fitted to: folds is 3 or more; got {folds}."
        )
    schedule = Schedule(
        epochs=epochs if epochs is not None else (10 if whole else 200),
        patience=patience if patience is not None else (3 if whole else 20),
        batch=batch,
        rate=rate if rate is not None else (1e-4 if whole else 3e-4),
        decay=decay,
        mirror=(whole or task == "pose") if mirror is None else mirror,
        seed=seed,
    )
    cases = find_cases(photos, labels, identity, by)
    what = make_task(task, cases.columns)
    if what.column is not None:
        chosen_classes(
            what, [what.read(row.get(what.column, "")) for row in cases.known.values()], classes, least
        )
    base = load_backbone(backbone, tuple(without), device, trust)
    if whole:
        check_gradients(base)
    aligner = aligner or LandmarkerAligner(load_mesh(0))
    gathered = gather(
        *(cases, what, base.model, aligner),
        by=by,
        mirror=schedule.mirror and not whole,
        keep_pixels=whole,
        batch=batch,
        memory=make_memory(cache, base.digest, base.left_out, base.model.spec, aligner.mesh.name)
        if cache
        else None,
        report=progress,
    )
    names = chosen_classes(what, gathered.values, classes, least)
    examples = gathered.only(names)
    numbers = _numbers(examples, names, what, schedule.mirror)
    parts = identity_folds(examples.people, numbers[0], folds, seed)
    _check_parts(parts, numbers[0], names, folds)
    fitted = (fit_whole if whole else fit_heads)(
        *(examples, numbers, parts, names, base, schedule, balance, progress)
    )
    judged = fitted.judged
    scores = make_scores(
        numbers[0][judged],
        fitted.answered[judged],
        names,
        [examples.people[i] for i in judged],
        {column: [values[i] for i in judged] for column, values in examples.groups.items()},
    )
    title = name or f"{base.model.name}-{task}"
    model = replace(base.model, module=fitted.module, name=title, labels=names, outputs="logits")
    told = command or command_line(
        *(photos, base, task, labels, identity, by, whole, classes, folds, schedule, balance, out)
    )
    card = make_card(
        *(title, what, base, whole, examples, parts, names, scores, fitted.history, schedule),
        balance=balance,
        data=data or words_of(photos),
        licence=licence,
        command=told,
    )
    said = Description(
        *(title, task, base.text, base.digest, base.left_out, whole, model.spec, names),
        card=card,
    )
    result = Finetuned(model, scores, fitted.history, said)
    if out is not None:
        result.save(out)
    return result


def _numbers(examples: Gathered, names: Sequence[str], task: Task, mirror: bool) -> Int[np.ndarray, "2 n"]:
    """Number of each photo's class, and of its mirror image's.

    Raises:
        OptionError: a mirror image is of a class that is left out.
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


def _check_parts(
    parts: Int[np.ndarray, "n"], classes: Int[np.ndarray, "n"], names: Sequence[str], folds: int
) -> None:
    for number, name in enumerate(names):
        found = len(set(parts[classes == number].tolist()))
        if found < min(3, folds):
            raise LabelsError(
                f"Each class is to be fitted to, stopped by and judged, on different people; the photos of {name!r} "
                f"lie in {found} of {folds} parts: they show too few people. Add some, or leave the class out "
                "(--classes)."
            )


def free_folder(out: str | Path) -> Path:
    """Where a model may be stored.

    Raises:
        OptionError: there is a model already, or a file.
    """
    folder = Path(out)
    if is_finetuned(folder):
        raise OptionError(
            f"A fitted model is never written over; {folder} holds one: choose another directory."
        )
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"A model is stored in a directory; {folder} is a file: choose another name.")
    return folder
