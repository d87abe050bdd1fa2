"""Probes of a run: every k-th vertex, or as many as the patch needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from canonface.errors import RunError
from canonface.explanation.settings import Settings
from canonface.maps import canonical_side
from canonface.mesh import Canvas, poisson_probes, probe_vertices
from canonface.models import without_pixels
from canonface.types import Face, InputSpec, Mesh, Pose

PROBES_A_PATCH = 4
"""Probe spacings per side of the patch: a place lies under about sixteen patches (`docs/method.md`)."""


@dataclass(frozen=True, eq=False)
class Probes:
    """Vertices that are probed, and the rule that chose them.

    Attributes:
        vertices: ``(n,)`` ascending indices.
        rule: for the manifest; with the mesh it gives the same vertices again.
    """

    vertices: Int[np.ndarray, "n"]
    rule: Mapping[str, Any]


def choose_probes(mesh: Mesh, settings: Settings, spec: InputSpec) -> Probes:
    """Return the probes of a mesh, by stride or spacing; without either, a quarter of the patch's side apart.

    Raises:
        OptionError: the stride is larger than the mesh.
    """
    if settings.stride is not None:
        rule: dict[str, Any] = {"stride": settings.stride}
    else:
        spacing = settings.spacing
        if spacing is None:
            spacing = patch_in_cm(mesh, settings, spec) / PROBES_A_PATCH
        rule = {"spacing_cm": round(float(spacing), 4)}
    vertices = _by_rule(mesh, rule)
    return Probes(vertices, rule | {"count": len(vertices)})


def probes_of(mesh: Mesh, rule: Mapping[str, Any]) -> Int[np.ndarray, "n"]:
    """Return the vertices that a rule gives on a mesh.

    Raises:
        RunError: their number is not the one in the rule.
    """
    vertices = _by_rule(mesh, rule)
    if len(vertices) != rule["count"]:
        raise RunError(
            f"A run's probe rule gives the probes that were evaluated; {dict(rule)} gives {len(vertices)} on "
            f"{mesh.name}: the run was made with another version of canonface, read it with that one."
        )
    return vertices


def _by_rule(mesh: Mesh, rule: Mapping[str, Any]) -> Int[np.ndarray, "n"]:
    if "stride" in rule:
        return probe_vertices(mesh, rule["stride"])
    return poisson_probes(mesh, rule["spacing_cm"])


def patch_in_cm(mesh: Mesh, settings: Settings, spec: InputSpec) -> float:
    """Return the side of the patch in centimetres, with the canonical face as the model's input."""
    canvas = Canvas.of(mesh)
    shown = without_pixels(_canonical_face(mesh, canvas), spec)
    side = canonical_side(settings.occluder_fn().side(shown), shown, canvas)
    return side / canvas.pixels_per_unit(mesh)


def _canonical_face(mesh: Mesh, canvas: Canvas) -> Face:
    return Face(
        image=np.full((*canvas.size_hw, 3), 127, dtype=np.uint8),
        vertices_xy=canvas.project(mesh),
        depth=-mesh.vertices[:, 2] * canvas.pixels_per_unit(mesh),
        visible=np.ones(len(mesh.vertices), dtype=bool),
        pose_deg=Pose(0.0, 0.0, 0.0),
        quality=1.0,
        mesh=mesh,
    )
