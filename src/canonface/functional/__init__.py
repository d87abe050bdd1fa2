"""Equations 1-13 as pure functions on arrays, without a mesh, a model or a photo.

``occlusion`` holds eq. 1-2, ``canonical`` eq. 3-6, ``comparison`` eq. 7-8, ``faithfulness``
eq. 9-13.

Source of every equation number: T. A. John, V. N. Balasubramanian, C. V. Jawahar, "Canonical Saliency Maps:
Decoding Deep Face Models", IEEE T-BIOM 3(4), 2021, arXiv 2105.01386.

Everywhere: pixel ``j`` has its centre at coordinate ``j``; points are ``(x, y)``, sizes ``(height, width)``;
a *drop* is positive where the model relied on the hidden pixels, and NaN where no patch was probed.

Maps are finite everywhere: a pixel that no probe covered has the value 0 and the count 0.
"""

from canonface.functional.arrays import PointsXY, Tensor
from canonface.functional.canonical import Unseen, canonical_patch, cis, cms, reproject, sample
from canonface.functional.comparison import (
    closest_cosines,
    cosines,
    recognition_confidence,
    unit_rows,
    verification_confidence,
    verification_confidences,
)
from canonface.functional.faithfulness import (
    average_drop,
    increase_in_confidence,
    negative_explanation,
    normalised_attribution,
    relative_drops,
    win_rate,
    wins,
)
from canonface.functional.occlusion import drops, occlude, occlusion_boxes

__all__ = [
    "PointsXY",
    "Tensor",
    "Unseen",
    "average_drop",
    "canonical_patch",
    "cis",
    "closest_cosines",
    "cms",
    "cosines",
    "drops",
    "increase_in_confidence",
    "negative_explanation",
    "normalised_attribution",
    "occlude",
    "occlusion_boxes",
    "recognition_confidence",
    "relative_drops",
    "reproject",
    "sample",
    "unit_rows",
    "verification_confidence",
    "verification_confidences",
    "win_rate",
    "wins",
]
