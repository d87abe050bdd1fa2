"""Explanation of one pair of faces: the parts of both that a verification relies on (eq. 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from canonface.confidence import (
    BoundConfidence,
    BoundPairConfidence,
    CleanPrediction,
    PairConfidence,
    VerificationConfidence,
)
from canonface.engine import ModelRunner
from canonface.errors import NoVisibleProbeError, OptionError
from canonface.explanation.attribution import attribution_at, check_method, refuse_occlusion_options
from canonface.explanation.options import Choices, Engine, gather
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import Settings
from canonface.explanation.view import FaceView
from canonface.functional import cosines
from canonface.maps import CIS, AttributionMap
from canonface.methods import AttributionFiles, Method, attribution_unit
from canonface.models import Model, load_model
from canonface.types import Face

Hide = Literal["both", "first", "second"]


def explain_pair(
    first: Face,
    second: Face,
    model: Any,
    *,
    same: bool | None = None,
    threshold: float | None = None,
    hide: Hide = "both",
    settings: Settings | None = None,
    engine: str | Engine = "auto",
    **options: Any,
) -> tuple[CIS, CIS]:
    """Return the parts of two faces that a model relies on when it decides whether they show one person (eq. 8).

    The confidence is ``c (cos - threshold)``, with ``c = 1`` for a genuine pair and ``-1`` for an impostor pair. A
    drop is positive where occluding a place made the model less right.

    Args:
        first: an aligned face.
        second: an aligned face on the same mesh.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        same: whether both faces show one person. None: the model's own decision at the threshold.
        threshold: least cosine of a pair that the model takes for one person. It shifts the confidence and leaves
            the drops unchanged, unless ``same`` is None: then it decides the sign, and is required.
        hide: occlude the same canonical place in ``both`` photos (the paper), in the ``first`` only, or in the
            ``second`` only. In both, a probe that either photo hides is not evaluated. With another ``method``,
            nothing is occluded: ``hide`` names the face whose attribution is taken while the other stays as it is;
            for both, the sum.
        settings: the choices that define the map, without target and confidence.
        engine: the engine that runs the model, by name or with its batch size.
        **options: fields of `Settings`, and ``preset`` and ``batch``, as keywords. ``preset="paper"`` follows eq. 8
            to the letter, whose sign is the opposite.

    Returns:
        The map of each face; both hold the same drops.

    Raises:
        OptionError: an option cannot be used, the model's outputs are no feature vectors, or the meshes differ.
    """
    choices = pair_choices(options, settings, engine)
    if same is None and threshold is None:
        raise OptionError(
            "A pair of which it is not known whether it shows one person needs threshold=... too."
        )
    loaded = load_model(model)
    check_method(choices.settings, loaded)
    confidence_fn = VerificationConfidence(
        threshold or 0.0, same="predicted" if same is None else "label:same", paper_sign=choices.paper
    )
    confidence_fn.check(loaded.outputs, loaded.labels)
    labels = {} if same is None else {"same": str(int(same))}
    probes = choose_probes(first.mesh, choices.settings, loaded.spec).vertices
    runner = ModelRunner(loaded, choices.engine.name, choices.engine.batch)
    return explain_faces(
        first, second, loaded, choices.settings, confidence_fn, hide, probes, labels, runner
    )[:2]


def pair_choices(
    options: Mapping[str, Any],
    settings: Settings | None,
    engine: str | Engine,
    own: Mapping[str, Any] | None = None,
) -> Choices:
    """Return the choices for pairs, whose confidence and target are fixed.

    Raises:
        OptionError: a confidence or a target is given, or an option cannot be used.
    """
    choices = gather(options, settings=settings, engine=engine, own=own)
    for name, usual in (("confidence", "probability"), ("target", None)):
        given = getattr(choices.settings, name)
        if given != usual or options.get(name) is not None:
            raise OptionError(
                f"The confidence of a pair is that of verification (eq. 8); got {name}={given!r}: leave it out."
            )
    engine_name = choices.engine.name
    refuse_occlusion_options(
        choices.settings.attribution_method(), engine=None if engine_name == "auto" else engine_name
    )
    return choices


def check_hide(hide: str) -> None:
    """Raise OptionError unless ``hide`` is ``both``, ``first`` or ``second``."""
    if hide not in ("both", "first", "second"):
        raise OptionError(f"hide is 'both', 'first' or 'second'; got {hide!r}.")


def explain_faces(
    first: Face,
    second: Face,
    model: Model,
    settings: Settings,
    confidence_fn: PairConfidence,
    hide: Hide,
    probes: Int[np.ndarray, "n"],
    labels: Mapping[str, str],
    runner: ModelRunner,
) -> tuple[CIS, CIS, float]:
    """Return the maps of `explain_pair` from parts that are loaded and checked, and the cosine of both faces."""
    check_hide(hide)
    if first.mesh.name != second.mesh.name:
        raise OptionError(
            f"The same place is occluded in both faces, so both are on one mesh; got {first.mesh.name} and "
            f"{second.mesh.name}: align both photos alike."
        )
    views = (FaceView(first, model, settings), FaceView(second, model, settings))
    originals = [CleanPrediction(view.original, model.outputs, model.labels, labels) for view in views]
    bound = confidence_fn.bind(originals[0], originals[1])
    occluded = [hide in ("both", "first"), hide in ("both", "second")]
    seen = [view.shown.visible[probes] for view, chosen in zip(views, occluded, strict=True) if chosen]
    evaluated = np.flatnonzero(np.logical_and.reduce(seen))
    if not len(evaluated):
        raise NoVisibleProbeError(
            "The probes of a pair are those that both photos show; these two show none in common. Leave it out."
        )
    confidence = float(bound(views[0].original, views[1].original)[0])
    similarity = float(cosines(views[0].original, views[1].original)[0])
    drops = np.full(len(probes), np.nan)
    if (method := settings.attribution_method()) is not None:
        drops[evaluated] = _attribution_of_pair(method, model, views, bound, occluded, probes[evaluated])
        unit = attribution_unit(method.name, bound.target)
        found = [view.cis(probes, drops, confidence, bound.target, unit) for view in views]
        return *_on_one_patch([AttributionMap.of(cis, method.name) for cis in found], occluded), similarity
    drops[evaluated] = _drops_of_pair(views, bound, confidence, occluded, probes[evaluated], runner)
    maps = [view.cis(probes, drops, confidence, bound.target, bound.unit) for view in views]
    return *_on_one_patch(maps, occluded), similarity


def _drops_of_pair(
    views: tuple[FaceView, FaceView],
    bound: BoundPairConfidence,
    confidence: float,
    occluded: list[bool],
    vertices: Int[np.ndarray, "n"],
    runner: ModelRunner,
) -> Float[np.ndarray, "n"]:
    """Return the drop with the same place occluded in the chosen faces, averaged over the fills."""
    predictions = [
        view.predict(vertices, runner) if chosen else None
        for view, chosen in zip(views, occluded, strict=True)
    ]
    fills = len(next(prediction for prediction in predictions if prediction is not None))
    of_fills = []
    for fill in range(fills):
        first, second = (
            np.repeat(view.original, len(vertices), axis=0) if prediction is None else prediction[fill]
            for view, prediction in zip(views, predictions, strict=True)
        )
        of_fills.append(bound(first, second))
    return np.asarray(confidence - np.mean(of_fills, axis=0))


def _attribution_of_pair(
    method: Method | AttributionFiles,
    model: Model,
    views: tuple[FaceView, FaceView],
    bound: BoundPairConfidence,
    chosen: list[bool],
    vertices: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """Return a method's attribution at some vertices, summed over the chosen faces, each with the other unchanged."""
    total = np.zeros(len(vertices))
    confidence_fns = (
        BoundConfidence(bound.target, bound.unit, lambda outputs: bound(outputs, views[1].original)),
        BoundConfidence(bound.target, bound.unit, lambda outputs: bound(views[0].original, outputs)),
    )
    for view, confidence_fn, is_chosen in zip(views, confidence_fns, chosen, strict=True):
        if is_chosen:
            attribution, images = attribution_at(method, model, view.shown, confidence_fn, vertices)
            view.calls += images
            total += attribution
    return total


def _on_one_patch(maps: list[CIS], occluded: list[bool]) -> tuple[CIS, CIS]:
    """Return both maps with the mean canonical patch of the faces that are occluded."""
    shared = float(np.mean([cis.canonical_patch for cis, h in zip(maps, occluded, strict=True) if h]))
    first, second = (replace(cis, canonical_patch=shared) for cis in maps)
    return first, second
