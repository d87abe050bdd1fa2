"""Canonical model maps of a network by every method, and the rules by which each method's map is read."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from canonface.confidence import CleanPrediction
from canonface.engine import ModelRunner
from canonface.errors import OptionError, near_names
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import make_settings
from canonface.explanation.view import FaceView
from canonface.maps import CMS
from canonface.methods import METHODS, Method, at_vertices, checked_attribution, make_method
from canonface.models import Model
from canonface.studies.planted.network import LABELS
from canonface.studies.planted.portraits import Portraits

Sign = Literal["signed", "absolute"]
"""``signed``: the method points to the highest value; ``absolute``: to the largest absolute value."""

CANONICAL = "canonical"
"""canonface's own map: `canonface.explain` with its default settings."""
LOG_ODDS = "canonical, log-odds"
"""The map of the same forward passes with ``confidence="log-odds"``."""

SIGNS: Mapping[str, Sign] = {
    CANONICAL: "signed",
    LOG_ODDS: "signed",
    "gradient": "absolute",
    "smoothgrad": "absolute",
    "guided-backprop": "absolute",
    "gradcam": "signed",
    "guided-gradcam": "absolute",
    "gradcam++": "signed",
    "guided-gradcam++": "absolute",
    "scorecam": "signed",
    "integrated-gradients": "signed",
    "occlusion": "signed",
    "rise": "signed",
}
"""Rule of each method, from its own paper, fixed before any trial. Simonyan et al. and Smilkov et al. draw the
absolute gradient; guided gradients and their products are read in the same way. Class activation maps end in a ReLU
and have no negative values. Drops (Zeiler and Fergus), RISE's means and integrated gradients (which add up to the
change of the score) have signs."""

OPTIONS: Mapping[str, Mapping[str, Any]] = {"rise": {"masks": 1000}, "smoothgrad": {"samples": 25}}
"""Reduced options of slow methods; all others have their defaults."""


def chosen_methods(names: list[str] | None) -> dict[str, Method | None]:
    """Return the chosen methods by name; canonface's own maps come first, are always included, and have None.

    Raises:
        OptionError: a name is unknown.
    """
    own: dict[str, Method | None] = {CANONICAL: None, LOG_ODDS: None}
    wanted = list(METHODS) if names is None else [name for name in names if name not in own]
    for name in wanted:
        if name not in METHODS:
            raise OptionError(
                f"A method has a known name; got {name!r}: {near_names(name, [CANONICAL, *METHODS])}"
            )
    made = {name: make_method(name, **OPTIONS.get(name, {})) for name in wanted}
    return own | {name: method for name, method in made.items() if isinstance(method, Method)}


def read_by(sign: Sign, attribution: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return values whose highest is the place that the method points to."""
    return np.abs(attribution) if sign == "absolute" else attribution


def model_maps(
    portraits: Portraits,
    chosen: list[int],
    pixels: UInt8[np.ndarray, "m s s 3"],
    model: Model,
    methods: Mapping[str, Method | None],
) -> tuple[dict[str, CMS], dict[str, float]]:
    """Return one canonical model map for each method, of the network's class "with".

    canonface's own map is that of `canonface.explain` with default settings. Every other method's attribution is
    sampled at the same probes, spread over the same patch and averaged over the same faces where they show the place,
    so the maps differ only in the values at a face's probes.

    Args:
        portraits: all faces.
        chosen: indices of the faces to explain.
        pixels: ``(m, s, s, 3)`` their painted pictures.
        model: the network.
        methods: name -> method; None for canonface's own.

    Returns:
        The maps, and the seconds that each took; canonface's two maps share the time under ``canonical``.
    """
    settings = make_settings(target=LABELS[1])
    odds = make_settings(target=LABELS[1], confidence="log-odds").confidence_fn()
    probes = choose_probes(portraits.mesh, settings, model.spec).vertices
    runner = ModelRunner(model)
    parts: dict[str, list[CMS]] = {name: [] for name in methods}
    seconds = dict.fromkeys(methods, 0.0)
    for index, picture in zip(chosen, pixels, strict=True):
        view = FaceView(portraits.face(index, picture), model, settings)
        clean = CleanPrediction(view.original, model.outputs, model.labels, {}, "")
        confidence_fn = settings.confidence_fn().bind(clean)
        seen = view.shown.visible[probes]

        def add(name: str, drops: np.ndarray, unit: str, view: FaceView = view) -> None:
            cis = view.cis(probes, drops, 1.0, LABELS[1], unit)
            parts[name].append(CMS.of([cis]))

        start = perf_counter()
        predictions = view.predict(probes[seen], runner)
        for name, measure in ((CANONICAL, confidence_fn), (LOG_ODDS, odds.bind(clean))):
            drops = np.full(len(probes), np.nan)
            drops[seen] = measure(view.original)[0] - np.mean([measure(one) for one in predictions], axis=0)
            add(name, drops, measure.unit)
        seconds[CANONICAL] += perf_counter() - start
        for name, method in methods.items():
            if method is None:
                continue
            start = perf_counter()
            attribution = checked_attribution(
                name, method.attribute(model, view.shown.x, confidence_fn), model.spec.size_hw
            )
            add(
                name,
                at_vertices(read_by(SIGNS[name], attribution), view.shown)[probes],
                f"{name} attribution",
            )
            seconds[name] += perf_counter() - start
    return {name: _merged(maps) for name, maps in parts.items()}, seconds


def _merged(maps: list[CMS]) -> CMS:
    whole = maps[0]
    for one in maps[1:]:
        whole = whole.merge(one)
    return whole
