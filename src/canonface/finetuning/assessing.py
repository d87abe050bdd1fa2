"""A classifier judged on labelled photos that it was not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.data.photos import Photos
from canonface.errors import OptionError
from canonface.finetuning.gathering import Report, find_cases, gather
from canonface.finetuning.remembering import make_memory
from canonface.finetuning.scores import Scores, make_scores
from canonface.finetuning.tasks import chosen_classes, make_task
from canonface.mesh import load_mesh
from canonface.models import TorchModel, load_model
from canonface.models.finetuned import is_finetuned, read_description


def assess(
    photos: Photos,
    model: Any,
    task: str,
    *,
    labels: str | Path | None = None,
    identity: str | None = None,
    by: Sequence[str] = (),
    means: Mapping[str, str] | None = None,
    aligner: Aligner | None = None,
    batch: int = 64,
    cache: str | Path | None = None,
    progress: Report | None = None,
) -> Scores:
    """How often a classifier's likeliest class is the labelled one.

    Args:
        photos: as `canonface.audit` takes them.
        model: whatever `canonface.load_model` takes; its labels are names of classes.
        task: as of `canonface.finetuning.finetune`.
        labels: CSV file with a ``path`` column. None: ``photos``, if it is a CSV file.
        identity: column that names the person. None: ``identity``, if there is one.
        by: columns whose values the accuracy is told for.
        means: what the model calls a value of the labels, where it calls it otherwise. Where the photos show only a
            part of the model's classes, it chooses among these.
        aligner: places faces; by default the landmarker.
        batch: photos that the model is shown at once.
        cache: folder of `canonface.finetuning.finetune`, for a stored head on a backbone: the photos' features.
        progress: called with ``photos``, how many are done and how many there are.

    Raises:
        OptionError: the model has no named classes.
        LabelsError: a column is missing, or fewer than two of the model's classes occur.
    """
    loaded = load_model(model)
    if loaded.outputs not in ("logits", "probabilities") or not loaded.labels:
        raise OptionError(
            f"A classifier has named classes; {loaded.name!r} returns {loaded.outputs} with {len(loaded.labels)} "
            "labels: load it with labels=[...]."
        )
    cases = find_cases(photos, labels, identity, by)
    what = make_task(task, cases.columns)
    aligner = aligner or LandmarkerAligner(load_mesh(0))
    below, memory = loaded, None
    stored = Path(str(model)) if cache is not None else None
    if cache is not None and stored is not None and is_finetuned(stored) and isinstance(loaded, TorchModel):
        said = read_description(stored)
        # What a network answers that was fitted whole is not its backbone's answer.
        if not said.whole:
            below = replace(loaded, module=loaded.module.backbone, labels=(), outputs="embedding")
            memory = make_memory(cache, said.digest, said.without, said.spec, aligner.mesh.name)
    found = gather(cases, what, below, aligner, by=by, batch=batch, memory=memory, report=progress)
    predictions = found.predictions[0]
    if memory is not None and isinstance(loaded, TorchModel):
        from canonface.finetuning.heads import logits

        predictions = logits(loaded.module.head.cpu(), predictions)
    called = [(means or {}).get(value, value) for value in found.values]
    known = [value if value in loaded.labels else "" for value in called]
    present = set(chosen_classes(what, known, None, 1))
    names = [label for label in loaded.labels if label in present]
    kept = [i for i, value in enumerate(known) if value]
    columns = [loaded.labels.index(name) for name in names]
    return make_scores(
        np.array([names.index(known[i]) for i in kept]),
        predictions[np.ix_(kept, columns)].argmax(axis=1),
        names,
        [found.people[i] for i in kept],
        {column: [values[i] for i in kept] for column, values in found.groups.items()},
    )
