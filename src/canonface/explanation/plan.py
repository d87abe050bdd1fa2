"""How a model would be asked about a face: what it costs by every engine, before anything is asked."""

from __future__ import annotations

from typing import Any

from canonface.engine import Plan, make_plan
from canonface.errors import OptionError
from canonface.explanation.probes import choose_probes
from canonface.explanation.settings import make_settings
from canonface.explanation.view import FaceView, require_shown
from canonface.models import load_model
from canonface.types import Face


def plan(face: Face, model: Any, *, preset: str = "default", batch: int = 64, **options: Any) -> Plan:
    """How a model would be asked about the probes of a face, and what that costs.

    Multiply-adds and memory are counted layer by layer; a few questions are asked by every exact engine and timed.

    Args:
        face: an aligned face.
        model: a `Model`, or whatever `canonface.load_model` takes.
        preset: ``default`` or ``paper``.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        **options: the other fields of `Settings`.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model failed.
        NothingAskedError: the face shows no probe.
    """
    settings = make_settings(preset, **options)
    if (method := settings.attribution_method()) is not None:
        raise OptionError(
            f"A plan says how hidden places are asked about, and {method.name!r} hides none: leave method out."
        )
    loaded = load_model(model)
    probes = choose_probes(face.mesh, settings, loaded.spec).vertices
    view = FaceView(face, loaded, settings)
    occlusions = view.occlusions(probes[require_shown(view.shown.visible[probes])])[0]
    return make_plan(loaded, loaded.to_device(view.shown.x), occlusions, batch)
