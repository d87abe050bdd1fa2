"""Several models on the same photos: of one task side by side (figures 12, 13), or several tasks (figure 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from canonface.errors import OptionError
from canonface.models import load_model
from canonface.run import Run
from canonface.studies.comparison import Comparison, compare
from canonface.studies.fixing import with_confidence_fn
from canonface.studies.reliability import SPLITS
from canonface.studies.varying import Setting, Told, vary

SAME_SIZE = 1.1
"""Patches whose widths differ by a factor above it are said to be of different size."""


@dataclass(frozen=True)
class Asked:
    """A model and what it is asked.

    Attributes:
        model: a `canonface.models.Model`, or whatever `canonface.load_model` takes.
        target: see `canonface.audit`; None: what the study says for all, else the model's own choice.
        confidence: likewise; an embedding model without a gallery is asked how like itself the face stays.
        name: for headings and folders; None: the model's, and the target if one is given.
    """

    model: Any
    target: str | int | None = None
    confidence: Any = None
    name: str | None = None

    @classmethod
    def parse(cls, text: str) -> Asked:
        """``MODEL``, ``MODEL=TARGET``, ``MODEL/CONFIDENCE`` or ``MODEL=TARGET/CONFIDENCE``.

        A slash belongs to a path where what follows it is no word.

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


def models(
    photos: Any,
    models: Sequence[Any],
    out: str | Path,
    *,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """Maps of several models of the same task, of the faces that all of them could be asked about.

    Args:
        photos: as `canonface.audit` takes them.
        models: models, or `Asked` where one is asked otherwise than the others.
        out: folder of the study; a run a model.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves and of a design.
        **options: of `canonface.audit`: ``target``, ``labels``, ...

    Raises:
        OptionError: fewer than two models, or an option that cannot be used.
    """
    return _side_by_side("models", photos, models, out, told, cluster, splits, seed, options)


def tasks(
    photos: Any,
    tasks: Sequence[Any],
    out: str | Path,
    *,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """Maps of several tasks, each a model with its own question: heads on one backbone, or any list of models.

    Args:
        photos: as `canonface.audit` takes them.
        tasks: `Asked` values, models, or texts such as ``gender=female``.
        out: folder of the study; a run a task.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves and of a design.
        **options: of `canonface.audit`.

    Raises:
        OptionError: fewer than two tasks, or an option that cannot be used.
    """
    asked = [Asked.parse(task) if isinstance(task, str) else task for task in tasks]
    return _side_by_side("tasks", photos, asked, out, told, cluster, splits, seed, options)


def _side_by_side(
    study: str,
    photos: Any,
    forward_passes: Sequence[Any],
    out: str | Path,
    told: Told | None,
    cluster: str | None,
    splits: int,
    seed: int,
    options: Mapping[str, Any],
) -> Comparison:
    if len(forward_passes) < 2:
        raise OptionError(
            f"Models are compared with one another: name at least two; got {len(forward_passes)}."
        )
    asked = [item if isinstance(item, Asked) else Asked(item) for item in forward_passes]
    settings = [_setting(item, options) for item in asked]
    common = {
        name: value for name, value in options.items() if name not in ("target", "confidence", "gallery")
    }
    runs = vary(photos, settings, out, told=told, cluster=cluster, seed=seed, **common)
    named = [(setting.name, run) for setting, run in zip(settings, runs, strict=True)]
    found = compare(study, named, cluster=cluster, splits=splits, seed=seed)
    return replace(found, notes=_notes(runs))


def _setting(asked: Asked, options: Mapping[str, Any]) -> Setting:
    """The audit of one model: its own question, else the study's."""
    model = load_model(asked.model)
    own = {"target": asked.target, "confidence": asked.confidence}
    given = {name: options.get(name) for name in ("target", "confidence")}
    confidence_fn = {name: own[name] if own[name] is not None else given[name] for name in own}
    if model.outputs == "embedding":
        confidence_fn["gallery"] = options.get("gallery")
    confidence_fn = with_confidence_fn(
        model, {name: value for name, value in confidence_fn.items() if value is not None}
    )
    target = "" if asked.target is None else f", {asked.target}"
    return Setting(asked.name or f"{model.name}{target}", {"model": model} | confidence_fn)


def _notes(runs: Sequence[Run]) -> tuple[str, ...]:
    """What keeps maps from being compared like with like."""
    notes = []
    widths = [float(np.mean(run.canonical_patches)) / run.canvas.pixels_per_unit(run.mesh) for run in runs]
    if max(widths) > SAME_SIZE * min(widths):
        notes.append(
            f"Patches are {min(widths):.2g} to {max(widths):.2g} cm wide on the canonical face, each model's usual "
            "one: a size such as 2cm (--patch) makes them equal."
        )
    if any(run.settings["confidence"]["name"] == "function" for run in runs):
        notes.append(
            "Without a gallery an embedding model is asked how like itself the face stays when a place is hidden."
        )
    return tuple(notes)
