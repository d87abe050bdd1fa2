"""Models, aligners and galleries from the options of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canonface.cli import console
from canonface.errors import OptionError, near_names

if TYPE_CHECKING:
    from canonface.alignment import Aligner
    from canonface.confidence import Gallery
    from canonface.models import Model

ALIGNERS = ("landmarker", "precomputed", "five-point", "none")
"""Aligners that the command line has options for; Python has position-map too."""

SUBDIVISION = 1
"""Subdivision of the mesh if none is given."""


def loaded_model(model: str, device: str, **options: Any) -> Model:
    """Return the model that the options name, after printing its assumed input and outputs on stderr."""
    from canonface.models import load_model

    loaded = load_model(model, device=device, **options)
    console.note(shown_as(loaded))
    return loaded


def shown_as(model: Model) -> str:
    """Return the model's input and the assumed meaning of its outputs in words: a wrong one makes a wrong map."""
    height, width = model.spec.size_hw
    crop = (
        f"the face with margin {model.spec.margin:g}"
        if model.spec.crop == "face"
        else f"crop {model.spec.crop!r}"
    )
    low, high = (model.spec.from_pixels(np.full((1, 1, 3), value)).ravel() for value in (0.0, 255.0))
    values = f"values {low.min():.3g} to {high.max():.3g}"
    names = ", ".join(model.labels[:8]) + (", ..." if len(model.labels) > 8 else "") or "without names"
    kinds = {"embedding": "a feature vector", "values": f"measured values: {names}"}
    kind = kinds.get(model.outputs, f"{model.outputs} of classes {names}")
    return (
        f"{model.name} is shown {crop}, {height} x {width} {model.spec.colour}, {values}; its outputs are read as "
        f"{kind}"
    )


def chosen_aligner(
    aligner: str, subdivision: int, all_faces: bool, halo: bool, mesh: Path | None, vertices: Path | None
) -> Aligner:
    """Return the aligner that the options name.

    Raises:
        OptionError: there is no aligner of that name, or options are given that it does not have.
    """
    from canonface.alignment import make_aligner
    from canonface.mesh import five_point_mesh, load_mesh, pixel_mesh, read_mesh

    if vertices is not None and aligner == "landmarker":
        aligner = "precomputed"
    if aligner == "position-map":
        raise OptionError(
            "The command line has the aligners that need no network of yours; position-map needs one. Use Python: "
            "canonface.audit(..., aligner=canonface.alignment.PositionMapAligner(mesh, network, indices))."
        )
    if aligner not in ALIGNERS:
        raise OptionError(f"An aligner has a known name; got {aligner!r}: {near_names(aligner, ALIGNERS)}")
    if halo and aligner != "landmarker":
        raise OptionError(f"--halo belongs to the landmarker's mesh; got --aligner {aligner}.")
    if subdivision != SUBDIVISION and aligner != "landmarker":
        raise OptionError(
            f"--subdivision belongs to the landmarker's mesh; got --aligner {aligner}: leave it out."
        )
    faces = "all" if all_faces else "largest"
    if aligner == "precomputed":
        if mesh is None or vertices is None:
            raise OptionError(
                "Precomputed vertices need the folder of their files (--vertices) and their mesh "
                "(--mesh FILE.npz, as canonface.mesh.save_mesh writes it)."
            )
        return make_aligner(aligner, read_mesh(mesh), vertices=vertices)
    if mesh is not None:
        raise OptionError("--mesh is the mesh of --vertices: give both, or neither.")
    if aligner == "landmarker":
        return make_aligner(aligner, load_mesh(subdivision, halo=halo), faces=faces)
    if aligner == "five-point":
        return make_aligner(aligner, five_point_mesh(), faces=faces)
    return make_aligner(aligner, pixel_mesh())


def method_options(layer: str | None, given: list[str] | None) -> dict[str, Any] | None:
    """Return the options of a saliency method, from ``--layer`` and ``NAME=VALUE`` texts; None if there are none.

    Raises:
        OptionError: a text has another form, or an option is given twice.
    """
    found: dict[str, Any] = {} if layer is None else {"layer": layer}
    for text in given or []:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise OptionError(f"--method-option is NAME=VALUE, e.g. masks=1000; got {text!r}.")
        if name in found:
            raise OptionError(f"An option of a method is given once; got {name!r} twice.")
        found[name] = _value(value.strip())
    return found or None


def options_by_method(
    layer: str | None, given: list[str] | None, chosen: list[str] | None
) -> dict[str, dict[str, Any]]:
    """Return the options of several methods: ``--layer`` for each that has a layer, and ``METHOD.NAME=VALUE`` texts.

    Raises:
        OptionError: a text has another form, or an option is given twice.
    """
    from dataclasses import fields

    from canonface.methods import METHODS

    found: dict[str, dict[str, Any]] = {}
    if layer is not None:
        for name in METHODS if chosen is None else [name for name in chosen if name in METHODS]:
            if any(option.name == "layer" for option in fields(METHODS[name])):  # type: ignore[arg-type]
                found[name] = {"layer": layer}
    for text in given or []:
        method, dot, rest = text.partition(".")
        if not dot or "=" in method:
            raise OptionError(f"--method-option is METHOD.NAME=VALUE, e.g. rise.masks=1000; got {text!r}.")
        option = method_options(None, [rest]) or {}
        if set(option) & set(found.get(method, {})):
            raise OptionError(f"An option of a method is given once; got {text!r} again.")
        found[method] = found.get(method, {}) | option
    return found


def _value(text: str) -> Any:
    """Return a text as the number or truth value that it spells; else the text."""
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def made_gallery(
    photos: Path, model: Model, identity: str, aligner: Aligner, confidence: str | None
) -> Gallery:
    """Return a gallery of known people, with a progress bar."""
    from canonface.explanation import make_gallery
    from canonface.pipeline import Progress
    from canonface.pipeline.photos import check_form

    check_form(confidence)
    with console.photo_progress("gallery") as report:
        return make_gallery(
            photos,
            model,
            identity=identity,
            aligner=aligner,
            progress=lambda done, total: report(Progress(done, total, failed=0, resumed=0)),
        )
