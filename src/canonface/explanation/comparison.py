"""One face explained by several methods beside canonface's own (the paper's figure 2)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.data.photos import digest
from canonface.engine import ModelRunner
from canonface.errors import CanonfaceError, OptionError, near_names
from canonface.explanation.attribution import attribution_of
from canonface.explanation.face import explain_face
from canonface.explanation.gallery import check_model
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import make_settings
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
from canonface.types import Face

Options = Mapping[str, Mapping[str, Any]]
"""Name of a method -> its options."""


@dataclass(frozen=True, eq=False)
class MethodMap:
    """What one method says of one face.

    Attributes:
        attribution: ``(h, w)`` in pixels of the model's input.
        cis: the same at the probes of the mesh.
        seconds: that it took.
    """

    attribution: Float[np.ndarray, "h w"] = field(repr=False)
    cis: CIS
    seconds: float


@dataclass(frozen=True, eq=False)
class MethodComparison:
    """One face, explained by canonface and by other methods.

    Attributes:
        cis: canonface's own map.
        matrix: ``(2, 3)`` affine map from pixels of the photo to pixels of the model's input.
        maps: name of a method -> its map, in the order asked for.
        failed: name of a method -> why it has no map of this face.
        seconds: that canonface's own map took.
    """

    cis: CIS
    matrix: Float[np.ndarray, "2 3"] = field(repr=False)
    maps: Mapping[str, MethodMap]
    failed: Mapping[str, str]
    seconds: float

    def agreement(self, name: str) -> float:
        """Spearman's rank correlation of a method with canonface's own map, over the probes that both know.

        NaN where one of them is the same everywhere.

        Raises:
            OptionError: there is no map by that method.
        """
        if name not in self.maps:
            why = f" It made none: {self.failed[name]}" if name in self.failed else ""
            raise OptionError(f"This comparison has no map by {name!r}: {near_names(name, self.maps)}{why}")
        mine, theirs = self.cis.values, self.maps[name].cis.values
        both = np.isfinite(mine) & np.isfinite(theirs)
        if both.sum() < 3 or np.ptp(mine[both]) == 0 or np.ptp(theirs[both]) == 0:
            return float("nan")
        from scipy.stats import spearmanr

        return float(spearmanr(mine[both], theirs[both]).statistic)


def usable_methods(
    model: Model, names: Sequence[str] | None = None, options: Options | None = None
) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods that work for a model, and why the others do not.

    Args:
        model: the model.
        names: of `canonface.methods.METHODS`, or ``package.module:attribute``; None: all that have names.
        options: of some of them.

    Returns:
        Name -> method, and name -> reason, in the order asked for.

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
                "Methods are compared by asking the model; maps from files are looked at with canonface explain or "
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
    """Why methods are left out, one sentence for those that share a reason: ``GradCAM, ScoreCAM: needs ...``.

    Args:
        left_out: name of a method -> why, as `usable_methods` says it.
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
    preset: str = "default",
    face_labels: Mapping[str, str] | None = None,
    batch: int = 64,
    engine: str = "auto",
    **options: Any,
) -> MethodComparison:
    """What canonface and other methods say of one face and one question.

    Args:
        face: an aligned face.
        model: a `Model`, or whatever `canonface.load_model` takes.
        target: as of `canonface.explain`.
        methods: names, or name -> method, as `usable_methods` gives them. None: all that work for the model.
        method_options: name -> options, where ``methods`` are names.
        preset: ``default`` or ``paper``, of canonface's own map.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        batch: how many occluded copies the model is shown at once for canonface's own map.
        engine: as of `canonface.explain`, for canonface's own map.
        **options: as of `canonface.explain`, for canonface's own map; ``stride`` and ``spacing`` choose the probes of
            all.

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
        raise OptionError("Methods are compared by methods=[...]; got method= beside it: leave it out.")
    settings = make_settings(preset, target=target, **options)
    loaded = load_model(model)
    check_model(settings.confidence_fn(), loaded)
    left_out: dict[str, str] = {}
    if isinstance(methods, Mapping):
        works = dict(methods)
    else:
        works, left_out = usable_methods(loaded, methods, method_options)
    probes = choose_probes(face.mesh, settings, loaded.spec).vertices
    photo, known = digest(Path(face.path)) if face.path else "", face_labels or {}
    start = time.perf_counter()
    own = explain_face(face, loaded, settings, probes, known, ModelRunner(loaded, engine, batch), photo)
    seconds = time.perf_counter() - start
    view, confidence_fn, confidence = prepare_face(face, loaded, settings, known, photo)
    maps: dict[str, MethodMap] = {}
    # Of those that were asked for by name it is said; of all that there are, those that work were asked for.
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
