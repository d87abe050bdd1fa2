"""One pair of faces, one model: the parts of both faces that a verification relies on (eq. 8)."""

from __future__ import annotations

import logging
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
from canonface.errors import (
    NothingAskedError,
    OptionError,
)
from canonface.explanation.attribution import attribution_at, refuse_occlusion_options
from canonface.explanation.face import check_method
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import Settings, make_settings
from canonface.explanation.view import FaceView
from canonface.functional import cosines
from canonface.maps import CIS, AttributionMap
from canonface.methods import AttributionFiles, Method, attribution_unit
from canonface.models import Model, load_model
from canonface.types import Face

logger = logging.getLogger("canonface")
Hide = Literal["both", "first", "second"]


def explain_pair(
    first: Face,
    second: Face,
    model: Any,
    *,
    same: bool | None = None,
    threshold: float | None = None,
    hide: Hide = "both",
    preset: str = "default",
    batch: int = 64,
    engine: str = "auto",
    **options: Any,
) -> tuple[CIS, CIS]:
    """Which parts of two faces a model relies on when it says whether they are one person (eq. 8).

    The confidence is ``c (cos - threshold)``, with ``c = 1`` for a genuine pair and ``-1`` for an impostor pair; a
    drop is positive where hiding a place made the model less right.

    Args:
        first: an aligned face.
        second: an aligned face on the same mesh.
        model: whatever `canonface.load_model` takes; its outputs are feature vectors.
        same: whether both show one person. None: what the model says, at the threshold.
        threshold: least cosine of a pair that the model takes for one person. It moves the confidence, not the
            drops, unless ``same`` is None: then it decides what is asked, and is needed.
        hide: the same canonical place in ``both`` photos (the paper), in the ``first`` only, or in the ``second``
            only. In both, a place that either photo hides is not asked. With a ``method`` of others nothing is
            hidden: it says whose heat is taken, the other face staying as it is; of both, the sum.
        preset: ``default``, or ``paper``: eq. 8 to the letter, whose sign is the opposite.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike.
        **options: ``occluder``, ``patch``, ``fill``, ``stride``, ``spacing``, ``normalise``, ``canonical_patch``,
            ``method`` and ``method_options``.

    Returns:
        The map of each face; their drops are the same numbers.

    Raises:
        OptionError: an option cannot be used, the model's outputs are no feature vectors, or the meshes differ.
    """
    settings = pair_settings(preset, options, engine)
    if same is None and threshold is None:
        raise OptionError(
            "A pair of which it is not known whether it shows one person needs threshold=... too."
        )
    loaded = load_model(model)
    check_method(settings, loaded)
    confidence_fn = VerificationConfidence(
        threshold or 0.0, same="predicted" if same is None else "label:same", paper_sign=preset == "paper"
    )
    confidence_fn.check(loaded.outputs, loaded.labels)
    labels = {} if same is None else {"same": str(int(same))}
    probes = choose_probes(first.mesh, settings, loaded.spec).vertices
    return explain_faces(
        first,
        second,
        loaded,
        settings,
        confidence_fn,
        hide,
        probes,
        labels,
        ModelRunner(loaded, engine, batch),
    )[:2]


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
    """`explain_pair` with everything loaded and decided; and the cosine of both faces."""
    check_hide(hide)
    if first.mesh.name != second.mesh.name:
        raise OptionError(
            f"The same place is hidden in both faces, so both are on one mesh; got {first.mesh.name} and "
            f"{second.mesh.name}: align both photos alike."
        )
    views = (FaceView(first, model, settings), FaceView(second, model, settings))
    originals = [CleanPrediction(view.original, model.outputs, model.labels, labels) for view in views]
    bound = confidence_fn.bind(originals[0], originals[1])
    hidden = [hide in ("both", "first"), hide in ("both", "second")]
    seen = [view.shown.visible[probes] for view, is_hidden in zip(views, hidden, strict=True) if is_hidden]
    asked = np.flatnonzero(np.logical_and.reduce(seen))
    if not len(asked):
        raise NothingAskedError(
            "A pair is asked about places that both photos show; these two show none in common. Leave it out."
        )
    confidence = float(bound(views[0].original, views[1].original)[0])
    drops = np.full(len(probes), np.nan)
    similarity = float(cosines(views[0].original, views[1].original)[0])
    if (method := settings.attribution_method()) is not None:
        drops[asked] = _attribution_of_pair(method, model, views, bound, hidden, probes[asked])
        unit = attribution_unit(method.name, bound.target)
        heated = [view.cis(probes, drops, confidence, bound.target, unit) for view in views]
        first_map, second_map = _on_one_patch([AttributionMap.of(cis, method.name) for cis in heated], hidden)
        return first_map, second_map, similarity
    answered = [
        view.predict(probes[asked], runner) if is_hidden else None
        for view, is_hidden in zip(views, hidden, strict=True)
    ]
    fills = len(next(prediction for prediction in answered if prediction is not None))
    of_fills = [bound(*_both(views, answered, fill, len(asked))) for fill in range(fills)]
    drops[asked] = confidence - np.mean(of_fills, axis=0)
    maps = [view.cis(probes, drops, confidence, bound.target, bound.unit) for view in views]
    first_map, second_map = _on_one_patch(maps, hidden)
    return first_map, second_map, similarity


def _on_one_patch(maps: list[CIS], hidden: list[bool]) -> tuple[CIS, CIS]:
    """Both maps with the mean patch of the faces that are hidden."""
    shared = float(np.mean([cis.canonical_patch for cis, h in zip(maps, hidden, strict=True) if h]))
    first, second = (replace(cis, canonical_patch=shared) for cis in maps)
    return first, second


def _attribution_of_pair(
    method: Method | AttributionFiles,
    model: Model,
    views: tuple[FaceView, FaceView],
    bound: BoundPairConfidence,
    asked: list[bool],
    vertices: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "n"]:
    """A method's heat at some vertices: of the faces that are asked about, each with the other as it is, the sum."""
    total = np.zeros(len(vertices))
    forward_passes = (
        BoundConfidence(bound.target, bound.unit, lambda outputs: bound(outputs, views[1].original)),
        BoundConfidence(bound.target, bound.unit, lambda outputs: bound(views[0].original, outputs)),
    )
    for view, confidence_fn, is_asked in zip(views, forward_passes, asked, strict=True):
        if is_asked:
            attribution, images = attribution_at(method, model, view.shown, confidence_fn, vertices)
            view.calls += images
            total += attribution
    return total


def check_hide(hide: str) -> None:
    """Raise OptionError unless ``hide`` is ``both``, ``first`` or ``second``."""
    if hide not in ("both", "first", "second"):
        raise OptionError(f"hide is 'both', 'first' or 'second'; got {hide!r}.")


def pair_settings(preset: str, options: Mapping[str, Any], engine: str) -> Settings:
    """Settings of a question about pairs, which is always the same one."""
    for name in ("confidence", "target"):
        if options.get(name) is not None:
            raise OptionError(
                f"A pair is asked whether it shows one person; got {name}={options[name]!r}: leave it out."
            )
    settings = make_settings(preset, **options)
    refuse_occlusion_options(settings.attribution_method(), engine=None if engine == "auto" else engine)
    return settings


def _both(
    views: tuple[FaceView, FaceView], answered: list[list[np.ndarray] | None], fill: int, count: int
) -> list[Float[np.ndarray, "n d"]]:
    """Outputs for both faces with one fill; a face that is not hidden answers as it is."""
    return [
        np.repeat(view.original, count, axis=0) if prediction is None else prediction[fill]
        for view, prediction in zip(views, answered, strict=True)
    ]
