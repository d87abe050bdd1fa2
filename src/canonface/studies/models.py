"""Studies of several models on the same photos: one task (figures 12, 13), or several tasks (figure 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError
from canonface.models import load_model
from canonface.progress import SettingOption
from canonface.run import Run
from canonface.studies.comparison import SettingComparison, compare
from canonface.studies.reliability import SPLITS
from canonface.studies.sweep import Setting, vary
from canonface.studies.targets import with_confidence

SAME_SIZE = 1.1
"""Largest ratio of two patches' widths that counts as the same size."""


@dataclass(frozen=True)
class ModelTask:
    """A model with its target and its confidence.

    Attributes:
        model: a `canonface.models.Model`, or an argument of `canonface.load_model`.
        target: see `canonface.audit`; None: the study's target, else the model's own prediction.
        confidence: see `canonface.audit`; None: the study's. An embedding model without a gallery is then explained
            by the similarity of the occluded face to the whole face.
        name: for headings and folders; None: the model's name, and the target if there is one.
    """

    model: Any
    target: str | int | None = None
    confidence: Any = None
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> ModelTask:
        """Read ``MODEL``, ``MODEL=TARGET``, ``MODEL/CONFIDENCE`` or ``MODEL=TARGET/CONFIDENCE``.

        A slash is part of a path where a dot occurs in the model.

        Raises:
            OptionError: there is no model.
        """
        model, _, rest = text.partition("=")
        target, _, confidence = rest.partition("/")
        if not rest and "/" in model and "." not in model:
            model, _, confidence = model.rpartition("/")
        if not model:
            raise OptionError(f"A task names a model, e.g. gender=female; got {text!r}.")
        return cls(model, target or None, confidence or None)


@renamed_parameters(told="progress", level="subdivision")
def models(
    photos: Any,
    models: Sequence[Any],
    out: str | Path,
    *,
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> SettingComparison:
    """Compare maps of several models of the same task over the faces that all of them have explained.

    Args:
        photos: as `canonface.audit` takes them.
        models: models, or `ModelTask` values for models with a target or confidence of their own.
        out: folder of the study; one run a model.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits and of a design.
        **options: options of `canonface.audit`: ``target``, ``labels``, ...

    Raises:
        OptionError: fewer than two models, or an option that cannot be used.
    """
    return _compared("models", photos, models, out, progress, cluster, splits, seed, options)


@renamed_parameters(told="progress", level="subdivision")
def tasks(
    photos: Any,
    tasks: Sequence[Any],
    out: str | Path,
    *,
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> SettingComparison:
    """Compare maps of several tasks: heads on one backbone, or any models with their targets.

    Args:
        photos: as `canonface.audit` takes them.
        tasks: `ModelTask` values, models, or texts such as ``gender=female``.
        out: folder of the study; one run a task.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits and of a design.
        **options: options of `canonface.audit`.

    Raises:
        OptionError: fewer than two tasks, or an option that cannot be used.
    """
    parsed = [ModelTask.parse(task) if isinstance(task, str) else task for task in tasks]
    return _compared("tasks", photos, parsed, out, progress, cluster, splits, seed, options)


def _compared(
    study: str,
    photos: Any,
    models: Sequence[Any],
    out: str | Path,
    progress: SettingOption,
    cluster: str | None,
    splits: int,
    seed: int,
    options: Mapping[str, Any],
) -> SettingComparison:
    if len(models) < 2:
        raise OptionError(f"Models are compared with one another: name at least two; got {len(models)}.")
    settings = [
        _setting(item if isinstance(item, ModelTask) else ModelTask(item), options) for item in models
    ]
    common = {
        name: value for name, value in options.items() if name not in ("target", "confidence", "gallery")
    }
    runs = vary(photos, settings, out, progress=progress, cluster=cluster, seed=seed, **common)
    named = [(setting.name, run) for setting, run in zip(settings, runs, strict=True)]
    found = compare(study, named, cluster=cluster, splits=splits, seed=seed)
    return replace(found, notes=_notes(runs))


def _setting(task: ModelTask, options: Mapping[str, Any]) -> Setting:
    """Return the audit of one task: its own target and confidence, else those of the study."""
    model = load_model(task.model)
    own = {"target": task.target, "confidence": task.confidence}
    chosen = {name: options.get(name) if value is None else value for name, value in own.items()}
    if model.outputs == "embedding":
        chosen["gallery"] = options.get("gallery")
    chosen = with_confidence(model, {name: value for name, value in chosen.items() if value is not None})
    target = "" if task.target is None else f", {task.target}"
    return Setting(task.name or f"{model.name}{target}", {"model": model} | chosen)


def _notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the differences between runs that make their maps less comparable."""
    notes = []
    widths = [float(np.mean(run.canonical_patches)) / run.canvas.pixels_per_unit(run.mesh) for run in runs]
    if max(widths) > SAME_SIZE * min(widths):
        notes.append(
            f"Patches are {min(widths):.2g} to {max(widths):.2g} cm wide on the canonical face, each model's "
            "default: a size such as 2cm (--patch) makes them equal."
        )
    if any(run.settings["confidence"]["name"] == "function" for run in runs):
        notes.append(
            "An embedding model without a gallery is explained by the similarity of the occluded face to the whole "
            "face."
        )
    return tuple(notes)
