"""Templates of recognition networks: standard positions of facial points, used by crops and flat meshes.

Right and left are the subject's; x right, y down.
"""

from __future__ import annotations

ARCFACE_SIZE = 112
ARCFACE_POINTS: dict[str, tuple[float, float]] = {
    "right_eye": (38.2946, 51.6963),
    "left_eye": (73.5318, 51.5014),
    "nose_tip": (56.0252, 71.7366),
    "right_mouth_corner": (41.5493, 92.3655),
    "left_mouth_corner": (70.7299, 92.2041),
}
"""Pixels of the frontal crop of 112 x 112 that face recognition aligns to: J. Deng et al., "ArcFace", CVPR 2019, the
template of its released code (insightface, ``face_align.py``)."""

DLIB_POINTS: dict[str, tuple[float, float]] = {
    "left_outer_eye_corner": (0.8595674595992, 0.2134981538014),
    "left_inner_eye_corner": (0.6460604764104, 0.2289674387677),
    "right_outer_eye_corner": (0.1205750620789, 0.2137274526848),
    "right_inner_eye_corner": (0.3340850613712, 0.2290642403242),
    "nose_base": (0.4901123135679, 0.6277975316475),
}
"""dlib's mean face in its unit square: D. E. King's dlib, ``image_transforms/interpolation.h``,
``get_face_chip_details``, the case of five points, in dlib's order."""
