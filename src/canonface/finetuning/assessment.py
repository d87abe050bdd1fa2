"""Accuracy of a classifier on labelled photos that it was not fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.data.photos import Photos
from canonface.errors import OptionError
from canonface.finetuning.examples import ProgressCallback, collect_examples, find_candidates
from canonface.finetuning.feature_cache import make_feature_cache
from canonface.finetuning.scores import ClassifierScores, make_scores
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
    progress: ProgressCallback | None = None,
) -> ClassifierScores:
    """Compare a classifier's likeliest class with the label of each photo.

    Args:
        photos: as `canonface.audit` takes them.
        model: anything that `canonface.load_model` accepts; its labels are names of classes.
        task: as of `canonface.finetuning.finetune`.
        labels: CSV file with a ``path`` column. None: ``photos``, if it is a CSV file.
        identity: column that names the person. None: ``identity``, if there is one.
        by: columns for whose values the accuracy is reported.
        means: value in the labels -> the model's name of the class, where they differ. If the photos show only some
            of the model's classes, the likeliest of these counts.
        aligner: places faces; by default the landmarker.
        batch: photos per forward pass.
        cache: folder of features, as of `canonface.finetuning.finetune`; used for a stored head on a backbone.
        progress: called with ``photos``, the number done and the total.

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
    candidates = find_candidates(photos, labels, identity, by)
    target = make_task(task, candidates.columns)
    aligner = aligner or LandmarkerAligner(load_mesh(0))
    features, store = loaded, None
    stored = Path(str(model)) if cache is not None else None
    if cache is not None and stored is not None and is_finetuned(stored) and isinstance(loaded, TorchModel):
        description = read_description(stored)
        # A network that was fitted whole does not share its backbone's features.
        if not description.whole:
            features = replace(loaded, module=loaded.module.backbone, labels=(), outputs="embedding")
            store = make_feature_cache(
                cache, description.digest, description.without, description.spec, aligner.mesh.name
            )
    found = collect_examples(
        *(candidates, target, features, aligner), by=by, batch=batch, cache=store, progress=progress
    )
    predictions = found.predictions[0]
    if store is not None and isinstance(loaded, TorchModel):
        from canonface.finetuning.heads import logits

        predictions = logits(loaded.module.head.cpu(), predictions)
    values = [(means or {}).get(value, value) for value in found.values]
    known = [value if value in loaded.labels else "" for value in values]
    present = set(chosen_classes(target, known, None, 1))
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
