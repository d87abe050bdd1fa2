"""Comparison of canonface's map of one face with those of other methods (the paper's figure 2)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface._deprecated import deprecated_attribute, renamed_parameters
from canonface.data.photos import digest
from canonface.engine import ModelRunner
from canonface.errors import CanonfaceError, OptionError, near_names
from canonface.explanation.attribution import attribution_of
from canonface.explanation.face import explain_face
from canonface.explanation.gallery import check_model
from canonface.explanation.options import Engine, gather
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import Settings
from canonface.explanation.view import prepare_face
from canonface.maps import CIS, AttributionMap
from canonface.methods import (
    METHODS,
    AttributionFiles,
    Method,
    at_vertices,
    attribution_unit,
    make_method,
    title_of,
)
from canonface.models import Model, load_model
from canonface.statistics import spearman
from canonface.types import Face

Options = Mapping[str, Mapping[str, Any]]
"""Name of a method -> its options."""


@renamed_parameters(heat="attribution")
@dataclass(frozen=True, eq=False)
class MethodMap:
    """Map of one face by one method.

    Attributes:
        attribution: ``(h, w)`` in pixels of the model's input.
        cis: the attribution at the probes of the mesh.
        seconds: wall time.
    """

    attribution: Float[np.ndarray, "h w"] = field(repr=False)
    cis: CIS
    seconds: float

    heat = deprecated_attribute("attribution")


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """Maps of one face by canonface and by other methods.

    Attributes:
        cis: canonface's own map.
        matrix: ``(2, 3)`` affine map from pixels of the photo to pixels of the model's input.
        maps: name of a method -> its map, in the requested order.
        failed: name of a method -> reason that it has no map of this face.
        seconds: wall time of canonface's own map.
    """

    cis: CIS
    matrix: Float[np.ndarray, "2 3"] = field(repr=False)
    maps: Mapping[str, MethodMap]
    failed: Mapping[str, str]
    seconds: float

    def agreement(self, name: str) -> float:
        """Return Spearman's rank correlation of a method with canonface's own map, over the probes that both have.

        NaN where one of them is constant.

        Raises:
            OptionError: there is no map by that method.
        """
        if name not in self.maps:
            why = f" It made none: {self.failed[name]}" if name in self.failed else ""
            raise OptionError(f"This comparison has no map by {name!r}: {near_names(name, self.maps)}{why}")
        return spearman(self.cis.values, self.maps[name].cis.values)


def usable_methods(
    model: Model, names: Sequence[str] | None = None, options: Options | None = None
) -> tuple[dict[str, Method], dict[str, str]]:
    """Return the methods that work for a model, and the reason for each that does not.

    Args:
        model: the model.
        names: names of `canonface.methods.METHODS`, or ``package.module:attribute``; None: all that have names.
        options: options of some of them.

    Returns:
        Name -> method, and name -> reason, in the requested order.

    Raises:
        OptionError: a method has no known name, is named twice, or has no such option.
    """
    chosen = list(METHODS) if names is None else list(names)
    for name in options or {}:
        if name not in chosen:
            raise OptionError(
                f"Options are those of a method that is compared; got {name!r}: {near_names(name, chosen)}"
            )
    if len(set(chosen)) < len(chosen):
        raise OptionError(f"A method is compared once; got {', '.join(chosen)}.")
    works: dict[str, Method] = {}
    left_out: dict[str, str] = {}
    for name in chosen:
        method = make_method(name, **(options or {}).get(name, {}))
        if isinstance(method, AttributionFiles):
            raise OptionError(
                "Methods are compared by running the model; maps from files are shown by canonface explain or "
                f"audit --method {name}."
            )
        try:
            method.check(model, None)
        except CanonfaceError as error:
            left_out[name] = str(error)
        else:
            works[name] = method
    return works, left_out


def reasons_in_words(left_out: Mapping[str, str]) -> list[str]:
    """Return the reasons that methods are left out, one text for each reason: ``GradCAM, ScoreCAM: needs ...``.

    Args:
        left_out: name of a method -> reason, from `usable_methods`.
    """
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why.removeprefix(title_of(name)).strip(), []).append(title_of(name))
    return [f"{', '.join(titles)}: {why}" for why, titles in reasons.items()]


def compare_methods(
    face: Face,
    model: Any,
    target: str | int | None = None,
    *,
    methods: Sequence[str] | Mapping[str, Method] | None = None,
    method_options: Options | None = None,
    settings: Settings | None = None,
    engine: str | Engine = "auto",
    face_labels: Mapping[str, str] | None = None,
    **options: Any,
) -> MethodComparison:
    """Return the maps of canonface and of other methods for one face and one target.

    Args:
        face: an aligned face.
        model: a `Model`, or whatever `canonface.load_model` takes.
        target: as in `canonface.explain`.
        methods: names, or name -> method as `usable_methods` returns them. None: all that work for the model.
        method_options: name -> options, where ``methods`` are names.
        settings: the choices that define canonface's own map; ``stride`` and ``spacing`` choose the probes of all.
        engine: the engine of canonface's own map, by name or with its batch size.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        **options: fields of `Settings`, and ``preset`` and ``batch``, as keywords.

    Raises:
        OptionError: an option cannot be used.
        CanonfaceError: canonface's own map cannot be made.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"Methods are compared on an aligned face; got {type(face).__name__}: canonface.align(photo) finds "
            "the faces."
        )
    if "method" in options or "method_options" in options:
        raise OptionError("Methods are compared by methods=[...]; got method= as well: leave it out.")
    given = {"target": target} | options if target is not None else options
    choices = gather(given, settings=settings, engine=engine)
    loaded = load_model(model)
    check_model(choices.settings.confidence_fn(), loaded)
    left_out: dict[str, str] = {}
    if isinstance(methods, Mapping):
        works = dict(methods)
    else:
        works, left_out = usable_methods(loaded, methods, method_options)
    probes = choose_probes(face.mesh, choices.settings, loaded.spec).vertices
    photo, known = digest(Path(face.path)) if face.path else "", face_labels or {}
    start = time.perf_counter()
    runner = ModelRunner(loaded, choices.engine.name, choices.engine.batch)
    own = explain_face(face, loaded, choices.settings, probes, known, runner, photo)
    seconds = time.perf_counter() - start
    view, confidence_fn, confidence = prepare_face(face, loaded, choices.settings, known, photo)
    maps: dict[str, MethodMap] = {}
    # A method that was named and left out is reported; of all methods, only those that work were requested.
    failed: dict[str, str] = {} if methods is None else left_out
    for name, method in works.items():
        start = time.perf_counter()
        try:
            attribution, images = attribution_of(method, loaded, view.shown, confidence_fn)
        except CanonfaceError as error:
            failed[name] = str(error)
            continue
        values = at_vertices(attribution, view.shown)[probes]
        cis = view.cis(
            probes,
            values,
            confidence,
            confidence_fn.target,
            attribution_unit(method.name, confidence_fn.target),
        )
        cis = replace(AttributionMap.of(cis, method.name), model_calls=images)
        maps[name] = MethodMap(attribution, cis, time.perf_counter() - start)
    return MethodComparison(own, view.shown.matrix, maps, failed, seconds)
