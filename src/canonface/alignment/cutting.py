"""Faces that the photo's border cuts: too much of one outside, and it is an error, never silently a bystander."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from canonface.errors import FaceCutError
from canonface.types import Face

logger = logging.getLogger("canonface")


def uncut(faces: Sequence[Face], min_inside: float, path: str = "") -> list[Face]:
    """The faces of which enough lies in the photo, numbered in their order; says so if it leaves out others.

    Args:
        faces: at least one, the largest first; ``quality_parts["inside"]`` is the share of each that the photo shows.
        min_inside: least such share.
        path: of the photo, for messages.

    Raises:
        FaceCutError: all are cut.
    """
    where = path or "the photo"
    shares = [face.quality_parts["inside"] for face in faces]
    kept = [face for face, share in zip(faces, shares, strict=True) if share >= min_inside]
    if not kept:
        raise FaceCutError(
            f"At least {min_inside:.0%} of a face lies within its photo; of the largest face in {where} "
            f"{shares[0]:.0%} does. Use an uncropped copy, or lower min_inside."
        )
    cut = [share for share in shares if share < min_inside]
    if cut:
        logger.warning(
            "At least %.0f%% of a face lies within its photo; left out %d of %d faces in %s, of which %s does. "
            "Use an uncropped copy, or lower min_inside.",
            100 * min_inside,
            len(cut),
            len(faces),
            where,
            ", ".join(f"{share:.0%}" for share in cut),
        )
    return [replace(face, index=index) for index, face in enumerate(kept)]
