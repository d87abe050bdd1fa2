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
    """Side on the canonical picture of a patch in a model's input.

    ``equation``: ``patch * H_F / H_I`` (eq. 3), which holds where both pictures show as much around the face.
    ``measured``: ``patch`` times the ratio of the sides of the face's bounding boxes in both, which is eq. 3
    without that condition.

    Args:
        patch: side in pixels of the model's input.
        shown: the face as the model sees it.
        canvas: the canonical picture.
        how: which of both.
    """
    if how == "equation":
        return functional.canonical_patch(patch, canvas.size_hw[0], shown.spec.size_hw[0])
    mesh = shown.face.mesh
    there, here = canvas.project(mesh)[: mesh.face_count], shown.vertices_xy[: mesh.face_count]
    return patch * float(np.ptp(there, axis=0).max() / np.ptp(here, axis=0).max())
