"""Occlusion of whole regions of one face, one and two at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from canonface.confidence import CleanPrediction
from canonface.data.photos import digest
from canonface.engine import ModelRunner
from canonface.errors import OptionError, near_names
from canonface.explanation.gallery import check_model
from canonface.explanation.options import RENAMED_OPTIONS, Choices, Engine, gather
from canonface.explanation.settings import Settings
from canonface.explanation.view import FaceView
from canonface.mesh import REGION_GROUPS, groups_of, region_mask
from canonface.models import Model, load_model
from canonface.occluders import hide_pixels, region_pixels
from canonface.types import Face, Mesh

MIN_VISIBLE = 0.25
"""Least share of a region's vertices that is visible for the region to be evaluated."""

SHARED = 0.1
"""Largest shared area of two regions whose interaction is defined."""


@dataclass(frozen=True, eq=False)
class RegionEffects:
    """Drops of a model's confidence in one face with regions occluded, alone and two at a time.

    Attributes:
        names: ``k`` regions.
        drops: ``(k,)`` drop with the region occluded as a whole; NaN where the face hides it.
        joint: ``(k, k)`` drop with both occluded; the diagonal is ``drops``; NaN where not evaluated.
        areas: ``(k,)`` occluded pixels, as a share of the pixels of the face in the model's input.
        overlap: ``(k, k)`` pixels of both, as a share of the smaller one.
        visible: ``(k,)`` share of the region's vertices that the camera sees.
        confidence: confidence of the face as it is.
        target: name of what is measured, e.g. the class.
        unit: unit of ``confidence`` and drops.
        model: name of the model.
        model_calls: number of images that the model was shown.
    """

    names: tuple[str, ...]
    drops: Float[np.ndarray, "k"] = field(repr=False)
    joint: Float[np.ndarray, "k k"] = field(repr=False)
    areas: Float[np.ndarray, "k"] = field(repr=False)
    overlap: Float[np.ndarray, "k k"] = field(repr=False)
    visible: Float[np.ndarray, "k"] = field(repr=False)
    confidence: float
    target: str
    unit: str
    model: str
    model_calls: int

    @property
    def interactions(self) -> Float[np.ndarray, "k k"]:
        """Interaction ``joint - (drop + drop)`` of two regions; NaN if they share more than `SHARED` of the smaller.

        Positive: together they cost more than the sum of each, as where either can replace the other. Negative: they
        cost less, as where the model needs both.
        """
        value = self.joint - (self.drops[:, None] + self.drops[None])
        return np.where(self.overlap > SHARED, np.nan, value)


def explain_regions(
    face: Face,
    model: Any,
    target: str | int | None = None,
    *,
    regions: str | Iterable[str] = "groups",
    interactions: bool = True,
    dilate_cm: float = 0.0,
    engine: str | Engine = "auto",
    face_labels: Mapping[str, str] | None = None,
    **options: Any,
) -> RegionEffects:
    """Return the drop with each whole region of one face occluded, and with every two of them occluded together.

    Args:
        face: an aligned face, from `canonface.align`.
        model: a `Model`, or whatever `canonface.load_model` takes.
        target: as in `canonface.explain`.
        regions: names of regions or groups; ``groups``: every group of the mesh, and the regions that are in none;
            ``all``: every region by itself.
        interactions: occlude pairs of regions too.
        dilate_cm: width of the band around each region that is occluded too, in centimetres of the face.
        engine: the engine that runs the model, by name or with its batch size.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        **options: ``confidence`` and ``fill`` of `Settings`, ``preset`` and ``batch``. A region has no patch and no
            probes.

    Raises:
        OptionError: an option cannot be used, or the mesh has no such region.
        TargetError: the model has no such class.
        ModelError: the model failed, or returned the wrong shape or NaN.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"explain_regions takes one aligned face, as canonface.align(photo) gives them in a list; got a "
            f"{type(face).__name__}: explain_regions(canonface.align(photo)[0], ...)."
        )
    choices = region_choices(target, options, engine)
    names = region_names(face.mesh, regions)
    loaded = load_model(model)
    check_model(choices.settings.confidence_fn(), loaded)
    runner = ModelRunner(loaded, choices.engine.name, choices.engine.batch)
    return region_effects(
        face, loaded, choices.settings, names, interactions, dilate_cm, face_labels or {}, runner
    )


def region_choices(
    target: str | int | None,
    options: Mapping[str, Any],
    engine: str | Engine,
    own: Mapping[str, Any] | None = None,
) -> Choices:
    """Return the choices for whole regions.

    Raises:
        OptionError: an option is about patches or probes, or cannot be used.
    """
    for name in options:
        if name not in ("confidence", "fill", "preset", "batch", *(own or {}), *RENAMED_OPTIONS):
            raise OptionError(
                f"Whole regions have no patch and no probes: the options are confidence and fill; got {name!r}. "
                "Leave it out."
            )
    return gather({"target": target} | dict(options), engine=engine, own=own)


def region_names(mesh: Mesh, regions: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of the chosen regions and groups, each once.

    Raises:
        OptionError: the mesh has no regions, or no region of that name.
    """
    if not mesh.regions:
        raise OptionError(f"Regions are named sets of a mesh's vertices; {mesh.name!r} has none.")
    if isinstance(regions, str) and regions in ("groups", "all"):
        if regions == "all":
            return tuple(mesh.regions)
        # The ears are a group and a part of the halo: evaluated once.
        groups = [name for name in groups_of(mesh) if name != "ears"]
        grouped = {part for name in groups for part in REGION_GROUPS[name]}
        return (*groups, *(name for name in mesh.regions if name not in grouped))
    names = tuple(dict.fromkeys([regions] if isinstance(regions, str) else regions))
    known = [*mesh.regions, *groups_of(mesh)]
    for name in names:
        if name not in known:
            raise OptionError(
                f"A region must exist in the mesh; there is no {name!r}: {near_names(name, known)}"
            )
    if not names:
        raise OptionError("At least one region is occluded; got none: give names, 'groups' or 'all'.")
    return names


def region_effects(
    face: Face,
    model: Model,
    settings: Settings,
    names: Sequence[str],
    interactions: bool,
    dilate_cm: float,
    face_labels: Mapping[str, str],
    runner: ModelRunner,
) -> RegionEffects:
    """Return the drops of `explain_regions`, from parts that are loaded and checked."""
    view = FaceView(face, model, settings)
    shown = view.shown
    # Recognition leaves the face's own photo out of the gallery.
    photo = digest(Path(face.path)) if face.path else ""
    original = CleanPrediction(view.original, model.outputs, model.labels, face_labels, photo)
    confidence_fn = settings.confidence_fn().bind(original)
    members = [np.flatnonzero(region_mask(face.mesh, name)) for name in names]
    hidden = region_pixels(shown, members, dilate_cm)
    [whole_face] = region_pixels(shown, [np.arange(face.mesh.face_count)])
    visible = np.array([shown.visible[region].mean() for region in members])
    seen = np.flatnonzero((visible >= MIN_VISIBLE) & hidden.any(axis=(1, 2)))
    pairs = list(combinations(seen.tolist(), 2)) if interactions else []
    evaluated = [*((i, i) for i in seen.tolist()), *pairs]
    confidence = float(confidence_fn(view.original)[0])
    joint = np.full((len(names), len(names)), np.nan)
    if evaluated:
        first, second = np.array(evaluated).T
        fills = hide_pixels(shown, hidden[first] | hidden[second], settings.fill or "mean")
        of_fills = [confidence_fn(occluded) for occluded in view.predict_occluded(fills, runner)]
        joint[first, second] = joint[second, first] = confidence - np.mean(of_fills, axis=0)
    return RegionEffects(
        names=tuple(names),
        drops=np.diagonal(joint).copy(),
        joint=joint,
        areas=hidden.sum(axis=(1, 2)) / max(whole_face.sum(), 1),
        overlap=overlaps(hidden),
        visible=visible,
        confidence=confidence,
        target=confidence_fn.target,
        unit=confidence_fn.unit,
        model=model.name,
        model_calls=view.calls,
    )


def overlaps(hidden: Bool[np.ndarray, "k h w"]) -> Float[np.ndarray, "k k"]:
    """Return the pixels that two sets share, as a share of the smaller one; 0 if that is empty."""
    flat = hidden.reshape(len(hidden), -1).astype(np.float64)
    sizes = flat.sum(axis=1)
    return np.asarray(flat @ flat.T / np.maximum(np.minimum(sizes, sizes[:, None]), 1))
