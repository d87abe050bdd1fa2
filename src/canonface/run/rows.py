"""What a row of a run holds: where a face lies, and what came out."""

from __future__ import annotations

from typing import Any

import numpy as np

from canonface.errors import CanonfaceError
from canonface.maps import CIS
from canonface.models import Model
from canonface.types import Face

Row = dict[str, Any]


def placed(face: Face) -> Row:
    """The columns of a row that say where a face lies."""
    yaw, pitch, roll = face.pose_deg
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "quality": face.quality,
        "vertices": face.vertices_xy.astype(np.float32).ravel(),
        "visible": face.visible,
    }


def success(cis: CIS, model: Model, seconds: float) -> Row:
    """The columns of a row that was explained."""
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
    """The class of the largest output; None if the outputs are not about classes."""
    if model.outputs not in ("logits", "probabilities"):
        return None
    chosen = int(cis.outputs.argmax())
    return model.labels[chosen] if chosen < len(model.labels) else f"class {chosen}"


def failure(error: CanonfaceError) -> Row:
    """The columns of a row that failed."""
    return {"status": "failed", "reason": error.reason, "message": str(error)}
