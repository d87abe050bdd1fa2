"""One face, one model: from the aligned face to its canonical image saliency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.data.photos import digest
from canonface.engine import ModelRunner
from canonface.errors import (
    OptionError,
)
from canonface.explanation.attribution import attribution_at, refuse_occlusion_options
from canonface.explanation.gallery import check_model
from canonface.explanation.probes import choose_probes, patch_in_cm
from canonface.explanation.settings import Settings, make_settings
from canonface.explanation.view import drops_at, prepare_face, require_shown
from canonface.maps import CIS, AttributionMap
from canonface.methods import attribution_unit
from canonface.models import Model, load_model
from canonface.sampling import ask_adaptively, check_limits
from canonface.types import Face

ADAPTIVE_SHARE = 0.4
"""Below it, a single face's map is too far off: `docs/sampling.md` has the figures."""


def explain(
    face: Face,
    model: Any,
    target: str | int | None = None,
    *,
    preset: str = "default",
    face_labels: Mapping[str, str] | None = None,
    batch: int = 64,
    engine: str = "auto",
    design: str | None = None,
    share: float | None = None,
    precision: float | None = None,
    seed: int = 0,
    **options: Any,
) -> CIS:
    """Which parts of one face a model relies on (eq. 1-5).

    Every visible probe of the mesh is hidden in turn and the model is asked again; with ``design="adaptive"`` a part
    of them, coarse to fine, and the others are interpolated (`canonface.sampling.ask_adaptively`).

    Args:
        face: an aligned face, from `canonface.align`.
        model: a `Model`, or whatever `canonface.load_model` takes: a zoo name, a path, a torch module, a callable.
        target: what is asked about: a class by name or index, ``label:COLUMN``, or ``predicted`` (the default of
            class confidences): the model's choice.
        preset: ``default`` or ``paper``.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike.
        design: ``full`` (the default) or ``adaptive``.
        share: of the visible probes that ``adaptive`` asks, at most (but eighteen at least); by default 0.4.
        precision: root mean square error of the interpolated drops at which ``adaptive`` stops earlier.
        seed: of the probes on which ``adaptive`` measures its error.
        **options: the other fields of `Settings`: ``confidence``, ``occluder``, ``patch``, ``fill``, ``stride``,
            ``spacing``, ``normalise``, ``canonical_patch``, ``method`` and ``method_options``.

    Returns:
        The map, with the drop at each probe; NaN at those that the face or the photo's border hides. With a
        ``method`` of others it holds that method's heat there, in its own unit. ``inferred`` says
        which drops were interpolated, ``inferred_error`` how far off these are.

    Raises:
        OptionError: an option cannot be used.
        TargetError: the model has no such class.
        ModelError: the model failed, or answered with the wrong shape or NaN.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"explain takes one aligned face, as canonface.align(photo) gives them in a list; got a "
            f"{type(face).__name__}: canonface.explain(canonface.align(photo)[0], ...)."
        )
    settings = make_settings(preset, target=target, **options)
    adaptive = check_adaptive(design, share, precision)
    refuse_occlusion_options(
        settings.attribution_method(),
        design=None if design == "full" else design,
        engine=None if engine == "auto" else engine,
    )
    loaded = load_model(model)
    check_method(settings, loaded)
    check_model(settings.confidence_fn(), loaded)
    probes = choose_probes(face.mesh, settings, loaded.spec).vertices
    photo = digest(Path(face.path)) if face.path else ""
    known, runner = face_labels or {}, ModelRunner(loaded, engine, batch)
    if not adaptive:
        return explain_face(face, loaded, settings, probes, known, runner, photo)
    view, confidence_fn, confidence = prepare_face(face, loaded, settings, known, photo)
    found = ask_adaptively(
        lambda chosen: drops_at(view, confidence_fn, confidence, probes[chosen], runner),
        face.mesh.vertices[probes].astype(np.float64),
        require_shown(view.shown.visible[probes]),
        patch_in_cm(face.mesh, settings, loaded.spec),
        ADAPTIVE_SHARE if share is None else share,
        precision,
        seed,
    )
    cis = view.cis(probes, found.drops, confidence, confidence_fn.target, confidence_fn.unit)
    return replace(cis, inferred=~found.asked & np.isfinite(found.drops), inferred_error=found.error)


def check_adaptive(design: str | None, share: float | None, precision: float | None) -> bool:
    """Whether one face is asked coarse to fine.

    Raises:
        OptionError: the design is none for a single face, options of ``adaptive`` come without it, or their values
            cannot be used.
    """
    if design not in (None, "full", "adaptive"):
        raise OptionError(
            f"A single face is asked by design='full' or 'adaptive'; got {design!r}: the others are for many faces, "
            "each of which is asked about other places."
        )
    if design != "adaptive" and not (share is None and precision is None):
        raise OptionError(
            f"share and precision of a single face go with design='adaptive'; got share={share!r}, "
            f"precision={precision!r} and design={design!r}."
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
    """`explain` with everything loaded and decided.

    Args:
        face: the face.
        model: the model.
        settings: the choices.
        probes: vertices to ask about.
        face_labels: the face's row of the labels file.
        runner: asks the model, and keeps what it learned of the fastest way.
        photo: SHA-256 of the face's photo, if it is known.
        chosen: positions in ``probes`` that a sampling design asks about; None: all.
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
    asked = candidates[require_shown(view.shown.visible[probes[candidates]])]
    drops = np.full(len(probes), np.nan)
    drops[asked] = drops_at(view, confidence_fn, confidence, probes[asked], runner)
    return view.cis(probes, drops, confidence, confidence_fn.target, confidence_fn.unit)


def check_method(settings: Settings, model: Model) -> None:
    """Refuse a method of others that does not work for a model, before any face is asked about.

    Raises:
        OptionError: it does not; says why, and what does.
        MissingDependencyError: its package is not installed.
    """
    if (method := settings.attribution_method()) is not None:
        method.check(model, None)
