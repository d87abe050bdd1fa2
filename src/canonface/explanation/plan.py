"""Cost of explaining a face by each engine, counted and timed before a run."""

from __future__ import annotations

from typing import Any

from canonface.engine import Plan, make_plan
from canonface.errors import OptionError
from canonface.explanation.options import Engine, gather
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import Settings
from canonface.explanation.view import FaceView, require_shown
from canonface.models import load_model
from canonface.types import Face


def plan(
    face: Face,
    model: Any,
    *,
    settings: Settings | None = None,
    engine: str | Engine = "auto",
    **options: Any,
) -> Plan:
    """Return the engine that would run a model on the occlusions of a face, and the cost of each engine.

    Multiply-adds and memory are counted layer by layer; each exact engine is timed on a few probes.

    Args:
        face: an aligned face.
        model: a `Model`, or whatever `canonface.load_model` takes.
        settings: the choices that define the map.
        engine: an `Engine` with the batch size.
        **options: fields of `Settings`, and ``preset`` and ``batch``, as keywords.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model failed.
        NoVisibleProbeError: no probe of the face is visible.
    """
    choices = gather(options, settings=settings, engine=engine)
    if (method := choices.settings.attribution_method()) is not None:
        raise OptionError(
            f"A plan is about forward passes on occluded faces, and {method.name!r} occludes none: leave method out."
        )
    loaded = load_model(model)
    probes = choose_probes(face.mesh, choices.settings, loaded.spec).vertices
    view = FaceView(face, loaded, choices.settings)
    occlusions = view.occlusions(probes[require_shown(view.shown.visible[probes])])[0]
    return make_plan(loaded, loaded.to_device(view.shown.x), occlusions, choices.engine.batch)
