"""Columns of a row: the position of a face, its result, or its failure."""

from __future__ import annotations

from typing import Any

import numpy as np

from canonface.errors import CanonfaceError
from canonface.maps import CIS
from canonface.models import Model
from canonface.types import Face

Row = dict[str, Any]


def placed(face: Face) -> Row:
    """Return the columns of a face's position."""
    return pose(face) | {
        "vertices": face.vertices_xy.astype(np.float32).ravel(),
        "visible": face.visible,
    }


def pose(face: Face) -> Row:
    """Return the columns of a face's pose and alignment quality."""
    yaw, pitch, roll = face.pose_deg
    return {"yaw": yaw, "pitch": pitch, "roll": roll, "quality": face.quality}


def success(cis: CIS, model: Model, seconds: float) -> Row:
    """Return the columns of a face that was explained."""
    return {
        "status": "ok",
        "target": cis.target,
        "unit": cis.unit,
        "predicted": predicted(cis, model),
        "confidence": cis.confidence,
        "outputs": cis.outputs,
        "drops": cis.values.astype(np.float32),
        "patch": cis.patch,
        "patch_in_photo": cis.patch_in_photo,
        "canonical_patch": cis.canonical_patch,
        "model_calls": cis.model_calls,
        "seconds": seconds,
    }


def predicted(cis: CIS, model: Model) -> str | None:
    """Return the class of the largest output; None if the outputs are not scores of classes."""
    if model.outputs not in ("logits", "probabilities"):
        return None
    chosen = int(cis.outputs.argmax())
    return model.labels[chosen] if chosen < len(model.labels) else f"class {chosen}"


def failure(error: CanonfaceError) -> Row:
    """Return the columns of a photo or face that failed."""
    return {"status": "failed", "reason": error.reason, "message": str(error)}
