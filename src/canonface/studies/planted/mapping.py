"""The canonical model map of a network by every method, over the same faces, places and patches."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np
from jaxtyping import UInt8

from canonface.confidence import CleanPrediction
from canonface.engine import ModelRunner
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import make_settings
from canonface.explanation.view import FaceView
from canonface.maps import CMS
from canonface.methods import Method, at_vertices, checked_attribution
from canonface.models import Model
from canonface.studies.planted.network import LABELS
from canonface.studies.planted.portraits import Portraits
from canonface.studies.planted.rules import CANONICAL, LOG_ODDS, SIGNS, read_by


def model_maps(
    portraits: Portraits,
    chosen: list[int],
    pixels: UInt8[np.ndarray, "m s s 3"],
    model: Model,
    methods: Mapping[str, Method | None],
) -> tuple[dict[str, CMS], dict[str, float]]:
    """Why does the network say "with"? One canonical model map a method.

    canonface's own is `canonface.explain`'s by default settings. Every other method's heat is sampled at the same
    probes, spread over the same patch and averaged over the same faces where they show the place, so the maps differ
    in nothing but what stands at a face's probes.

    Args:
        portraits: the faces.
        chosen: indices of those that are asked about.
        pixels: ``(m, s, s, 3)`` as they are painted.
        model: the network.
        methods: name -> method; None for canonface's own.

    Returns:
        The maps, and the seconds that each took; canonface's own two share theirs.
    """
    settings = make_settings(target=LABELS[1])
    odds = make_settings(target=LABELS[1], confidence="log-odds").confidence_fn()
    probes = choose_probes(portraits.mesh, settings, model.spec).vertices
    runner = ModelRunner(model)
    parts: dict[str, list[CMS]] = {name: [] for name in methods}
    seconds = dict.fromkeys(methods, 0.0)
    for index, picture in zip(chosen, pixels, strict=True):
        view = FaceView(portraits.face(index, picture), model, settings)
        original = CleanPrediction(view.original, model.outputs, model.labels, {}, "")
        confidence_fn = settings.confidence_fn().bind(original)
        seen = view.shown.visible[probes]

        def add(name: str, drops: np.ndarray, unit: str, view: FaceView = view) -> None:
            cis = view.cis(probes, drops, 1.0, LABELS[1], unit)
            parts[name].append(CMS.of([cis]))

        start = perf_counter()
        predictions = view.predict(probes[seen], runner)
        for name, asked in ((CANONICAL, confidence_fn), (LOG_ODDS, odds.bind(original))):
            drops = np.full(len(probes), np.nan)
            drops[seen] = asked(view.original)[0] - np.mean([asked(one) for one in predictions], axis=0)
            add(name, drops, asked.unit)
        seconds[CANONICAL] += perf_counter() - start
        for name, method in methods.items():
            if method is None:
                continue
            start = perf_counter()
            attribution = checked_attribution(
                name, method.attribute(model, view.shown.x, confidence_fn), model.spec.size_hw
            )
            add(name, at_vertices(read_by(SIGNS[name], attribution), view.shown)[probes], f"{name} heat")
            seconds[name] += perf_counter() - start
    return {name: _merged(maps) for name, maps in parts.items()}, seconds


def _merged(maps: list[CMS]) -> CMS:
    whole = maps[0]
    for one in maps[1:]:
        whole = whole.merge(one)
    return whole
