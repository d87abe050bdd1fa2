"""What if a whole region is hidden, and what if two are: region-level occlusion of one face."""

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
from canonface.explanation.settings import Settings, make_settings
from canonface.explanation.view import FaceView
from canonface.mesh import REGION_GROUPS, groups_of, region_mask
from canonface.models import Model, load_model
from canonface.occluders import hide_pixels, region_pixels
from canonface.types import Face, Mesh

MIN_VISIBLE = 0.25
"""A region of whose vertices the camera sees less is not asked about."""

SHARED = 0.1
"""Regions of which more is shared do not interact: they are partly the same place."""


@dataclass(frozen=True, eq=False)
class RegionEffects:
    """How far a model's confidence in one face falls when regions are hidden, alone and two at a time.

    Attributes:
        names: ``k`` regions.
        drops: ``(k,)`` drop with the region hidden as a whole; NaN where the face hides it.
        joint: ``(k, k)`` drop with both hidden; the diagonal is ``drops``; NaN where it was not asked.
        areas: ``(k,)`` pixels hidden, as a share of the pixels of the face in the model's input.
        overlap: ``(k, k)`` pixels that both hide, as a share of the smaller of both.
        visible: ``(k,)`` share of the region's vertices that the camera sees.
        confidence: in the face as it is.
        target: what was asked about.
        unit: of ``confidence`` and drops.
        model: name of the model.
        model_calls: how many images the model was shown.
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
        """``joint - (drop + drop)`` of two regions that share no more than `SHARED` of the smaller one; else NaN.

        Positive: hidden together they cost more than the sum of each, as where either can stand in for the other.
        Negative: they cost less, as where the model needs both, and one hidden has already cost what both can.
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
    preset: str = "default",
    face_labels: Mapping[str, str] | None = None,
    batch: int = 64,
    engine: str = "auto",
    **options: Any,
) -> RegionEffects:
    """How much a model relies on whole regions of one face: each is hidden, and every two of them together.

    Args:
        face: an aligned face, from `canonface.align`.
        model: a `Model`, or whatever `canonface.load_model` takes.
        target: as of `canonface.explain`.
        regions: names of regions or groups; ``groups``: every group of the mesh, and the regions that are in none;
            ``all``: every region by itself.
        interactions: ask about pairs too.
        dilate_cm: hide so much around each region as well, in centimetres of the face.
        preset: ``default`` or ``paper``.
        face_labels: the face's labels, for a target ``label:COLUMN``.
        batch: how many occluded copies the model is shown at once, where it is shown whole ones.
        engine: how it is asked, one of `canonface.engine.ENGINES`; the exact ones answer alike.
        **options: ``confidence`` and ``fill`` of `Settings`; a region has no patch and no probes.

    Raises:
        OptionError: an option cannot be used, or the mesh has no such region.
        TargetError: the model has no such class.
        ModelError: the model failed, or answered with the wrong shape or NaN.
    """
    if not isinstance(face, Face):
        raise OptionError(
            f"explain_regions takes one aligned face, as canonface.align(photo) gives them in a list; got a "
            f"{type(face).__name__}: explain_regions(canonface.align(photo)[0], ...)."
        )
    settings = region_settings(preset, target, options)
    names = region_names(face.mesh, regions)
    loaded = load_model(model)
    check_model(settings.confidence_fn(), loaded)
    return region_effects(
        face,
        loaded,
        settings,
        names,
        interactions,
        dilate_cm,
        face_labels or {},
        ModelRunner(loaded, engine, batch),
    )


def region_settings(preset: str, target: str | int | None, options: Mapping[str, Any]) -> Settings:
    """The settings of a question about regions.

    Raises:
        OptionError: an option is about patches or probes, or cannot be used.
    """
    for name in options:
        if name not in ("confidence", "fill"):
            raise OptionError(
                f"Regions are hidden as they are: the options are confidence and fill; got {name!r}. Leave it out."
            )
    return make_settings(preset, target=target, **options)


def region_names(mesh: Mesh, regions: str | Iterable[str]) -> tuple[str, ...]:
    """The regions and groups that are meant, each once.

    Raises:
        OptionError: the mesh has none, or not that one.
    """
    if not mesh.regions:
        raise OptionError(f"Regions are named sets of a mesh's vertices; {mesh.name!r} has none.")
    if isinstance(regions, str) and regions in ("groups", "all"):
        if regions == "all":
            return tuple(mesh.regions)
        # The ears are a group, and a part of what lies off the face: asked once.
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
        raise OptionError("At least one region is hidden; got none: give names, 'groups' or 'all'.")
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
    """`explain_regions` with everything loaded and decided."""
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
    asked = [*((i, i) for i in seen.tolist()), *pairs]
    confidence = float(confidence_fn(view.original)[0])
    joint = np.full((len(names), len(names)), np.nan)
    if asked:
        first, second = np.array(asked).T
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
    """Pixels that two sets share, as a share of the smaller one; 0 if that is empty."""
    flat = hidden.reshape(len(hidden), -1).astype(np.float64)
    sizes = flat.sum(axis=1)
    return np.asarray(flat @ flat.T / np.maximum(np.minimum(sizes, sizes[:, None]), 1))
