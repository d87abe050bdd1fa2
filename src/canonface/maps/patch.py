"""Size of a patch on the canonical picture."""

from __future__ import annotations

from typing import Literal

import numpy as np

from canonface import functional
from canonface.mesh import Canvas
from canonface.types import ModelInput

CanonicalPatch = Literal["measured", "equation"]


def canonical_side(
    patch: float, shown: ModelInput, canvas: Canvas, how: CanonicalPatch = "measured"
) -> float:
    """Return the side on the canonical picture of a patch in a model's input (eq. 3).

    ``equation``: ``patch * H_F / H_I``, eq. 3 to the letter; exact only if the face fills the same share of both
    pictures. ``measured``: ``patch`` times the ratio of the face's bounding boxes in both pictures, exact always.

    Args:
        patch: side in pixels of the model's input.
        shown: the face as the model sees it.
        canvas: the canonical picture.
        how: ``measured`` or ``equation``.
    """
    if how == "equation":
        return functional.canonical_patch(patch, canvas.size_hw[0], shown.spec.size_hw[0])
    mesh = shown.face.mesh
    on_canvas, on_input = canvas.project(mesh)[: mesh.face_count], shown.vertices_xy[: mesh.face_count]
    return patch * float(np.ptp(on_canvas, axis=0).max() / np.ptp(on_input, axis=0).max())
