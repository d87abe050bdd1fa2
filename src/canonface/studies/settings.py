"""Studies of one setting: patch size, density of probes, fill, confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from canonface._deprecated import renamed_parameters
from canonface.errors import OptionError
from canonface.models import load_model
from canonface.occluders import default_patch
from canonface.progress import SettingOption
from canonface.run import Run
from canonface.studies.comparison import SettingComparison, compare
from canonface.studies.reliability import SPLITS
from canonface.studies.sweep import Setting, vary

SIZES = (0.5, 1.0, 1.5, 2.5)
"""Default sides of the patch, as multiples of the model's default patch."""
FILLS = ("mean", "black", "blur", "noise", "inpaint", "average")
SCALES = {"logits": ("probability", "logit", "log-odds"), "probabilities": ("probability", "log-odds")}
"""Confidences of a class by the kind of a model's outputs: softmax probabilities have no logits."""
EVERY_VERTEX, SUMMED, EVEN = "every vertex, divided", "every vertex, a sum", "evenly spaced"


@renamed_parameters(told="progress", level="subdivision")
def patch(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    sizes: Sequence[str | float] | None = None,
    strides: Sequence[int] = (),
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> SettingComparison:
    """Compare sizes of the patch, and numbers of probes (the paper's figure 18).

    Args:
        photos: as `canonface.audit` takes them.
        model: as `canonface.audit` takes it.
        out: folder of the study; one run a setting.
        sizes: sizes of the patch, as `canonface.occluders.Patch` writes them; None: 0.5, 1, 1.5 and 2.5 times the
            model's default. Probes are a quarter of the size apart, unless ``options`` say otherwise.
        strides: additional settings: the default size with every k-th vertex probed, for each k.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits and of a design.
        **options: options of `canonface.audit`.

    Raises:
        OptionError: fewer than two settings, or an option that cannot be used.
    """
    loaded = load_model(model)
    default = default_patch(loaded.spec.size_hw[0])
    widths = [max(round(default * factor), 1) for factor in SIZES] if sizes is None else list(sizes)
    settings = [Setting(_size(width), {"patch": width}) for width in widths]
    named = _size(default)
    settings += [
        Setting(f"{named}, every {_ordinal(k)} vertex", {"patch": default, "stride": k, "spacing": None})
        for k in strides
    ]
    shared = {"model": loaded, "cluster": cluster, "seed": seed} | options
    return _compared("patch", photos, settings, out, progress, splits, shared)


@renamed_parameters(told="progress", level="subdivision")
def fill(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    fills: Sequence[str] = FILLS,
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> SettingComparison:
    """Compare fills of the occluder.

    Args:
        photos: as `canonface.audit` takes them.
        model: as `canonface.audit` takes it.
        out: folder of the study; one run a fill.
        fills: names of fills, colours, or several joined by ``+``.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits and of a design.
        **options: options of `canonface.audit`.

    Raises:
        OptionError: an option cannot be used.
    """
    settings = [Setting(name, {"fill": name}) for name in fills]
    shared = {"model": load_model(model), "cluster": cluster, "seed": seed} | options
    return _compared("fill", photos, settings, out, progress, splits, shared)


@renamed_parameters(told="progress", level="subdivision")
def confidence(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    confidences: Sequence[str] | None = None,
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> SettingComparison:
    """Compare confidences: probability, logit, log-odds.

    Args:
        photos: as `canonface.audit` takes them.
        model: as `canonface.audit` takes it.
        out: folder of the study; one run a confidence.
        confidences: names of `canonface.confidence.CONFIDENCES`; None: those of a class that fit the model's
            outputs.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits and of a design.
        **options: options of `canonface.audit`.

    Raises:
        OptionError: the model has no classes and no confidences are named, or an option cannot be used.
    """
    loaded = load_model(model)
    notes = []
    if confidences is None:
        if loaded.outputs not in SCALES:
            raise OptionError(
                f"Probability, logit and log-odds belong to a class, and {loaded.name!r} returns {loaded.outputs}: "
                "name the confidences to compare, e.g. recognition,recognition-margin with a gallery."
            )
        confidences = SCALES[loaded.outputs]
        if "logit" not in confidences:
            notes.append(f"No logit: {loaded.name} returns probabilities, which have none.")
    settings = [Setting(name, {"confidence": name}) for name in confidences]
    shared = {"model": loaded, "cluster": cluster, "seed": seed} | options
    return _compared("confidence", photos, settings, out, progress, splits, shared, notes)


@renamed_parameters(told="progress", level="subdivision")
def density(
    photos: Any,
    model: Any,
    out: str | Path,
    *,
    progress: SettingOption = None,
    cluster: str | None = None,
    splits: int = SPLITS,
    seed: int = 0,
    **options: Any,
) -> SettingComparison:
    """Compare maps with and without division by the density of probes (eq. 5, the paper's figure 4).

    Every vertex is probed, so probes are dense where the mesh is dense (eyes, lips). The same drops are mapped once
    with the division and once without. A third map has evenly spaced probes, which need no division.

    Args:
        photos: as `canonface.audit` takes them.
        model: as `canonface.audit` takes it.
        out: folder of the study; two runs, since both maps of the same drops share one.
        progress: True for a bar on stderr, or a function that is called after each photo.
        cluster: column of the labels that names the person.
        splits: random splits into halves for the reliability.
        seed: seed of the splits.
        **options: options of `canonface.audit`, but not ``stride``, ``spacing``, ``normalise`` or a design.

    Raises:
        OptionError: an option cannot be used.
    """
    taken = sorted(
        {"stride", "spacing", "normalise", "share", "design"} & {k for k, v in options.items() if v}
    )
    if taken:
        raise OptionError(f"The study of density sets the probes itself; leave out {', '.join(taken)}.")
    settings = [Setting(EVERY_VERTEX, {"stride": 1, "spacing": None}), Setting(EVEN)]
    shared = {"model": load_model(model), "cluster": cluster, "seed": seed} | options
    every, even = vary(photos, settings, out, progress=progress, **shared)
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
    """Return a run with the same drops whose maps are not divided by the density of probes."""
    stated = run.manifest.configuration
    settings = stated["settings"] | {"normalise": False}
    return Run(run.folder, replace(run.manifest, configuration=stated | {"settings": settings}))


def _compared(
    study: str,
    photos: Any,
    settings: Sequence[Setting],
    out: str | Path,
    progress: SettingOption,
    splits: int,
    shared: dict[str, Any],
    notes: Sequence[str] = (),
) -> SettingComparison:
    if len(settings) < 2:
        raise OptionError(f"A study compares at least two settings; got {len(settings)}.")
    runs = vary(photos, settings, out, progress=progress, **shared)
    named = [(setting.name, run) for setting, run in zip(settings, runs, strict=True)]
    cluster, seed = shared.get("cluster"), shared.get("seed", 0)
    return compare(study, named, cluster=cluster, splits=splits, seed=seed, notes=notes)


def _size(width: str | float) -> str:
    text = str(width) if isinstance(width, str) else f"{width:g}"
    return f"{text} px" if text.replace(".", "", 1).isdigit() else text


def _ordinal(k: int) -> str:
    ending = "th" if 10 <= k % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(k % 10, "th")
    return f"{k}{ending}"
