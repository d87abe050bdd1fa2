"""Named points of the canonical face, by which crops are aligned and meshes compared."""

from __future__ import annotations

LANDMARKS: dict[str, tuple[int, ...]] = {
    "right_eye": (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    "left_eye": (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    "right_outer_eye_corner": (33,),
    "right_inner_eye_corner": (133,),
    "left_inner_eye_corner": (362,),
    "left_outer_eye_corner": (263,),
    "nose_tip": (1,),
    "nose_base": (2,),
    "right_mouth_corner": (61,),
    "left_mouth_corner": (291,),
}
"""Vertices of the base mesh whose mean each point is; right and left are the subject's.

An eye is the mean of its contour (MediaPipe's FACEMESH_RIGHT_EYE), which lies nearer to the pupil than the middle of
its corners and does not move with gaze. The nose's tip is the vertex by which ArcFace's crop lies nearest to the one
by MTCNN's points (`benchmarks/mtcnn_box.py`); its base is where it meets the upper lip.
"""
