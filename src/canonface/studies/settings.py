"""Studies of one setting: the occluder's size, the density of probes, the fill, the confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from canonface.errors import OptionError
from canonface.models import load_model
from canonface.occluders import default_patch
from canonface.run import Run
from canonface.studies.comparison import Comparison, compare
from canonface.studies.reliability import SPLITS
from canonface.studies.varying import Setting, Told, vary

SIZES = (0.5, 1.0, 1.5, 2.5)
"""Sides of the patch if none are given, as multiples of the usual one."""
FILLS = ("mean", "black", "blur", "noise", "inpaint", "average")
SCALES = {"logits": ("probability", "logit", "log-odds"), "probabilities": ("probability", "log-odds")}
"""Confidences of a class by the kind of a model's outputs: softmax probabilities have no logits."""
EVERY_VERTEX, SUMMED, EVEN = "every vertex, divided", "every vertex, a sum", "evenly spaced"


def patch(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    sizes: Sequence[str | float] | None = None,
    strides: Sequence[int] = (),
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """Maps by the size of the occluder, and by how many vertices are probed (the paper's figure 18).

    Args:
        photos: as `canonface.audit` takes them.
        model: likewise.
        out: folder of the study; a run a setting.
        sizes: of the occluder, as `canonface.occluders.Patch` writes them; None: a half, one, one and a half and two
            and a half times the usual one. Probes lie a quarter of each apart, unless ``options`` say otherwise.
        strides: also the usual size with every k-th vertex probed, for each k.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves and of a design.
        **options: of `canonface.audit`.

    Raises:
        OptionError: fewer than two settings, or an option that cannot be used.
    """
    loaded = load_model(model)
    usual = default_patch(loaded.spec.size_hw[0])
    widths = [max(round(usual * factor), 1) for factor in SIZES] if sizes is None else list(sizes)
    settings = [Setting(_size(width), {"patch": width}) for width in widths]
    named = _size(usual)
    settings += [
        Setting(f"{named}, every {_ordinal(k)} vertex", {"patch": usual, "stride": k, "spacing": None})
        for k in strides
    ]
    shared = {"model": loaded, "cluster": cluster, "seed": seed} | options
    return _compared("patch", photos, settings, out, told, splits, shared)


def fill(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    fills: Sequence[str] = FILLS,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """Maps by what the occluder is filled with.

    Args:
        photos: as `canonface.audit` takes them.
        model: likewise.
        out: folder of the study; a run a fill.
        fills: names of fills, colours, or several joined by ``+``.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves and of a design.
        **options: of `canonface.audit`.

    Raises:
        OptionError: an option cannot be used.
    """
    settings = [Setting(name, {"fill": name}) for name in fills]
    shared = {"model": load_model(model), "cluster": cluster, "seed": seed} | options
    return _compared("fill", photos, settings, out, told, splits, shared)


def confidence(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    confidences: Sequence[str] | None = None,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """Maps by the number that is asked for: probability, logit, log-odds.

    Args:
        photos: as `canonface.audit` takes them.
        model: likewise.
        out: folder of the study; a run a confidence.
        confidences: names of `canonface.confidence.CONFIDENCES`; None: those of a class that the model can be asked.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves and of a design.
        **options: of `canonface.audit`.

    Raises:
        OptionError: the model has no classes and no confidences are named, or an option cannot be used.
    """
    loaded = load_model(model)
    notes = []
    if confidences is None:
        if loaded.outputs not in SCALES:
            raise OptionError(
                f"Probability, logit and log-odds are of a class, and {loaded.name!r} gives {loaded.outputs}: name "
                "the confidences to compare, e.g. recognition,recognition-margin with a gallery."
            )
        confidences = SCALES[loaded.outputs]
        if "logit" not in confidences:
            notes.append(f"No logit: {loaded.name} returns probabilities, which have none.")
    settings = [Setting(name, {"confidence": name}) for name in confidences]
    shared = {"model": loaded, "cluster": cluster, "seed": seed} | options
    return _compared("confidence", photos, settings, out, told, splits, shared, notes)


def density(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    told: Told | None = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """Maps with and without division by the density of probes (eq. 5, the paper's figure 4).

    Every vertex is asked, so that probes crowd where the mesh is dense (eyes, lips): the same drops are drawn once
    divided and once not. Beside them stands the map of evenly spaced probes, which needs no division.

    Args:
        photos: as `canonface.audit` takes them.
        model: likewise.
        out: folder of the study; two runs, since drawing asks no model.
        told: is told of the progress.
        cluster: column of the labels that names the person.
        splits: random halves for the reliability.
        seed: of the halves.
        **options: of `canonface.audit`, but not ``stride``, ``spacing``, ``normalise`` or a design.

    Raises:
        OptionError: an option cannot be used.
    """
    taken = sorted(
        {"stride", "spacing", "normalise", "share", "design"} & {k for k, v in options.items() if v}
    )
    if taken:
        raise OptionError(
            f"The study of density says itself which vertices are asked; leave out {', '.join(taken)}."
        )
    settings = [Setting(EVERY_VERTEX, {"stride": 1, "spacing": None}), Setting(EVEN)]
    shared = {"model": load_model(model), "cluster": cluster, "seed": seed} | options
    every, even = vary(photos, settings, out, told=told, **shared)
    runs = [(EVERY_VERTEX, every), (SUMMED, not_normalised(every)), (EVEN, even)]
    found = compare("density", runs, cluster=cluster, splits=splits, seed=seed)
    first, second, third = found.columns
    summed = replace(second, map=replace(second.map, unit=f"{second.map.unit}, summed"))
    with_divided, with_sum = found.correlations[2, :2]
    note = (
        f"The evenly spaced map correlates with r = {with_divided:.2f} with the divided one and {with_sum:.2f} with "
        "the sum, whose values grow with the number of probes."
    )
    return replace(found, columns=(first, summed, third), notes=(note,))


def not_normalised(run: Run) -> Run:
    """A run as it would be had its maps not been divided by the density of probes; its drops are the same."""
    stated = run.manifest.configuration
    settings = stated["settings"] | {"normalise": False}
    return Run(run.folder, replace(run.manifest, configuration=stated | {"settings": settings}))


def _compared(
    study: str,
    photos: Any,
    settings: Sequence[Setting],
    out: str | Path,
    told: Told | None,
    splits: int,
    shared: dict[str, Any],
    notes: Sequence[str] = (),
) -> Comparison:
    if len(settings) < 2:
        raise OptionError(f"A study compares at least two settings; got {len(settings)}.")
    runs = vary(photos, settings, out, told=told, **shared)
    named = [(setting.name, run) for setting, run in zip(settings, runs, strict=True)]
    cluster, seed = shared.get("cluster"), shared.get("seed", 0)
    return compare(study, named, cluster=cluster, splits=splits, seed=seed, notes=notes)


def _size(width: str | float) -> str:
    text = str(width) if isinstance(width, str) else f"{width:g}"
    return f"{text} px" if text.replace(".", "", 1).isdigit() else text


def _ordinal(k: int) -> str:
    ending = "th" if 10 <= k % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(k % 10, "th")
    return f"{k}{ending}"
