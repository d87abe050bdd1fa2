"""Named points of the canonical face, by which crops are aligned and meshes compared."""

from __future__ import annotations

LANDMARKS: dict[str, tuple[int, ...]] = {
    "right_eye": (33, 133),
    "left_eye": (263, 362),
    "right_eye_outer": (33,),
    "right_eye_inner": (133,),
    "left_eye_inner": (362,),
    "left_eye_outer": (263,),
    "nose_tip": (1,),
    "nose_base": (2,),
    "right_mouth_corner": (61,),
    "left_mouth_corner": (291,),
}
"""Vertices of the base mesh whose mean each point is; right and left are the subject's. An eye is the middle of its
corners, so that gaze does not move it; the nose's base is where it meets the upper lip."""
