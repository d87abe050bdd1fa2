"""What the face mesh network answers to one square of pixels: 478 points and a presence.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", arXiv 1907.06724; with
Grishchenko et al., "Attention Mesh", arXiv 2006.10962.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32

INPUT_SIZE = 256
POINTS = 478
"""468 of the canonical mesh, then 5 of each iris."""

FaceMeshNetwork = Callable[[Float32[np.ndarray, "1 256 256 3"]], dict[str, Float32[np.ndarray, "..."]]]
"""From pixels in 0..1 to 478 x 3 values in input pixels and a presence logit, by name."""

_LANDMARKS, _PRESENCE = "Identity", "Identity_1"


def face_points(
    network: FaceMeshNetwork, pixels: Float32[np.ndarray, "256 256 3"]
) -> tuple[Float[np.ndarray, "478 3"], float]:
    """Points of the one face in a square, and the probability that there is one.

    Args:
        network: the face mesh network.
        pixels: the square, RGB in 0..1.

    Returns:
        ``(478, 3)`` x, y and depth as shares of the square's side, x and y counted from its left and top edge, a
        larger depth farther away with zero near the head's centre; and the presence.
    """
    outputs = network(pixels[None])
    # The network counts from the square's edge: 0 is its left edge, 256 its right one.
    points = outputs[_LANDMARKS].reshape(POINTS, 3).astype(np.float64) / INPUT_SIZE
    logit = float(np.clip(outputs[_PRESENCE].item(), -100, 100))
    return points, float(1 / (1 + np.exp(-logit)))
