"""Explanation of one face: the canonical image saliency map of one model (eq. 1-5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.data.photos import digest
from canonface.engine import ModelRunner
from canonface.errors import OptionError
from canonface.explanation.attribution import attribution_at, check_method, refuse_occlusion_options
from canonface.explanation.gallery import check_model
from canonface.explanation.options import Choices, Engine, Sampling, gather
from canonface.explanation.probes import choose_probes, patch_in_cm
from canonface.explanation.settings import Settings
from canonface.explanation.view import drops_at, prepare_face, require_shown
from canonface.maps import CIS, AttributionMap
from canonface.methods import attribution_unit
from canonface.models import Model, load_model
from canonface.sampling import check_limits, probe_adaptively
from canonface.types import Face

ADAPTIVE_SHARE = 0.4
"""Usual share of the probes that an adaptive design evaluates; `docs/sampling.md` has the error at smaller shares."""


def explain(
    face: Face,
    model: Any,
    target: str | int | None = None,
    *,
    settings: Settings | None = None,
    sampling: Sampling | None = None,
    engine: str | Engine = "auto",
    face_labels: Mapping[str, str] | None = None,
    **options: Any,
) -> CIS:
    """Return the map of the parts of one face that a model relies on (eq. 1-5).

    The model runs once with a patch over each visible probe of the mesh. With ``design="adaptive"`` it runs on a part
    of the probes, coarse to fine, and the other drops are interpolated (`canonface.sampling.probe_adaptively`).

    Args:
        face: an aligned face, from `canonface.align`.
        model: a `Model`, or whatever `canonface.load_model` takes: a zoo name, a path, a torch module, a callable.
        target: a class by name or index, ``label:COLUMN``, or ``predicted``, the class that the model predicts (the
            default of class confidences).
        settings: the choices that define the map.
        sampling: the probes that are evaluated: ``design`` (``full`` or ``adaptive``), ``share``, ``precision`` and
            ``seed``.
        engine: the engine that runs the model, by name or with its batch size.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        **options: fields of `Settings` and `Sampling`, and ``preset`` and ``batch``, as keywords.

    Returns:
        The map, with the drop at each probe; NaN where the face or the photo's border hides the probe. With another
        ``method`` the map holds that method's attribution, in its own unit. ``inferred`` marks the drops that were
        interpolated, and ``inferred_error`` is their root mean square error.

    Raises:
        OptionError: an option cannot be used.
        TargetError: the model has no such class.
        ModelError: the model failed, or returned the wrong shape or NaN.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"explain takes one aligned face, as canonface.align(photo) gives them in a list; got a "
            f"{type(face).__name__}: canonface.explain(canonface.align(photo)[0], ...)."
        )
    choices = gather(
        {"target": target} | options if target is not None else options,
        settings=settings,
        sampling=sampling,
        engine=engine,
        sampled=("design", "share", "precision", "seed"),
    )
    adaptive = is_adaptive(choices.sampling)
    _refuse_for_methods(choices)
    loaded = load_model(model)
    check_method(choices.settings, loaded)
    check_model(choices.settings.confidence_fn(), loaded)
    probes = choose_probes(face.mesh, choices.settings, loaded.spec).vertices
    photo = digest(Path(face.path)) if face.path else ""
    runner = ModelRunner(loaded, choices.engine.name, choices.engine.batch)
    if adaptive:
        return _explain_adaptively(face, loaded, choices, probes, face_labels or {}, runner, photo)
    return explain_face(face, loaded, choices.settings, probes, face_labels or {}, runner, photo)


def is_adaptive(sampling: Sampling) -> bool:
    """Return whether the probes of one face are evaluated coarse to fine.

    Raises:
        OptionError: the design is for many faces, ``share`` or ``precision`` is given without ``adaptive``, or a
            value cannot be used.
    """
    design, share, precision = sampling.design, sampling.share, sampling.precision
    if design not in (None, "full", "adaptive"):
        raise OptionError(
            f"A single face is sampled by design='full' or 'adaptive'; got {design!r}: the others are for "
            "many faces, with other probes on each."
        )
    if design != "adaptive" and not (share is None and precision is None):
        raise OptionError(
            f"share and precision of a single face go with design='adaptive'; got share={share!r}, "
            f"precision={precision!r} and design={design!r}."
        )
    for name, usual in (("cluster", None), ("max_forward_passes", None), ("precision_of", "map")):
        if getattr(sampling, name) != usual:
            raise OptionError(
                f"{name} is for many faces; got {name}={getattr(sampling, name)!r}: leave it out."
            )
    check_limits(ADAPTIVE_SHARE if share is None else share, precision)
    return design == "adaptive"


def explain_face(
    face: Face,
    model: Model,
    settings: Settings,
    probes: Int[np.ndarray, "n"],
    face_labels: Mapping[str, str],
    runner: ModelRunner,
    photo: str = "",
    chosen: Int[np.ndarray, "k"] | None = None,
) -> CIS:
    """Return the map of `explain`, from parts that are loaded and checked.

    Args:
        face: the face.
        model: the model.
        settings: the choices that define the map.
        probes: vertices of the probes.
        face_labels: the face's row of the labels file.
        runner: runs the model; it remembers the fastest engine from face to face.
        photo: SHA-256 of the face's photo, if it is known.
        chosen: positions in ``probes`` that a sampling design evaluates; None: all.
    """
    view, confidence_fn, confidence = prepare_face(face, model, settings, face_labels, photo)
    method = settings.attribution_method()
    if method is not None:
        require_shown(view.shown.visible[probes])
        attribution, images = attribution_at(method, model, view.shown, confidence_fn, probes)
        view.calls += images
        unit = attribution_unit(method.name, confidence_fn.target)
        return AttributionMap.of(
            view.cis(probes, attribution, confidence, confidence_fn.target, unit), method.name
        )
    candidates = np.arange(len(probes)) if chosen is None else chosen
    evaluated = candidates[require_shown(view.shown.visible[probes[candidates]])]
    drops = np.full(len(probes), np.nan)
    drops[evaluated] = drops_at(view, confidence_fn, confidence, probes[evaluated], runner)
    return view.cis(probes, drops, confidence, confidence_fn.target, confidence_fn.unit)


def _explain_adaptively(
    face: Face,
    model: Model,
    choices: Choices,
    probes: Int[np.ndarray, "n"],
    face_labels: Mapping[str, str],
    runner: ModelRunner,
    photo: str,
) -> CIS:
    settings, sampling = choices.settings, choices.sampling
    view, confidence_fn, confidence = prepare_face(face, model, settings, face_labels, photo)
    found = probe_adaptively(
        lambda chosen: drops_at(view, confidence_fn, confidence, probes[chosen], runner),
        face.mesh.vertices[probes].astype(np.float64),
        require_shown(view.shown.visible[probes]),
        patch_in_cm(face.mesh, settings, model.spec),
        ADAPTIVE_SHARE if sampling.share is None else sampling.share,
        sampling.precision,
        sampling.seed,
    )
    cis = view.cis(probes, found.drops, confidence, confidence_fn.target, confidence_fn.unit)
    return replace(cis, inferred=~found.probed & np.isfinite(found.drops), inferred_error=found.error)


def _refuse_for_methods(choices: Choices) -> None:
    design, engine = choices.sampling.design, choices.engine.name
    refuse_occlusion_options(
        choices.settings.attribution_method(),
        design=None if design == "full" else design,
        engine=None if engine == "auto" else engine,
    )
