"""Contours of the face regions on the base mesh, with their sources.

A contour is a closed path along the edges of the mesh; its region is everything on or inside it. Paired regions are
written for the subject's right, and the left one is the mirror image. A region on the midline is written as the path
from the top of the midline down the subject's right; the way back is the mirror image.

Two published sets of indices are used as far as they go, both under the Apache License 2.0:

- MediaPipe, ``mediapipe/python/solutions/face_mesh_connections.py``: ``FACEMESH_RIGHT_EYE``, ``..._EYEBROW``,
  ``FACEMESH_LIPS``, ``FACEMESH_NOSE``, ``FACEMESH_FACE_OVAL``;
- tfjs-models, ``face-landmarks-detection/src/mediapipe-facemesh/keypoints.ts``: ``MESH_ANNOTATIONS``, rows of
  vertices around the eyes such as ``rightEyeLower2``.

All other contours were drawn on the canonical mesh by the rule given in their source.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

_MEDIAPIPE = "MediaPipe face_mesh_connections.py"
_TFJS = "tfjs-models keypoints.ts"
_OWN = "canonface, drawn on the canonical mesh"


class Contour(NamedTuple):
    """Outline of one region on the base mesh.

    Attributes:
        name: name without ``right_`` or ``left_``.
        side: ``pair`` for a region on the subject's right and its mirror image, ``midline`` for a region of both
            halves.
        walk: vertex indices along mesh edges; a closed path for a pair, from midline to midline otherwise.
        source: origin of the outline and its rule.
    """

    name: str
    side: Literal["pair", "midline"]
    walk: tuple[int, ...]
    source: str


_EYE_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
_EYE_UPPER = (133, 173, 157, 158, 159, 160, 161, 246, 33)
_BROW_LOWER = (55, 65, 52, 53, 46)
_BROW_UPPER = (70, 63, 105, 66, 107)
_LOWER_LID_END = (244, 233, 232, 231, 230, 229, 228, 31)
_BESIDE_NOSE = (128, 114, 217, 126, 209, 129, 98)
_MOUTH_TO_EAR = (212, 214, 192, 213, 177, 132)
_LIPS_UPPER_OUTER = (0, 37, 39, 40, 185, 61)
_LIPS_UPPER_INNER = (78, 191, 80, 81, 82, 13)
_LIPS_LOWER_INNER = (14, 87, 178, 88, 95, 78)
_LIPS_LOWER_OUTER = (61, 146, 91, 181, 84, 17)
_LIPS_CORNER = (76, 62)

CONTOURS: tuple[Contour, ...] = (
    Contour("eye", "pair", _EYE_LOWER + _EYE_UPPER[1:-1], f"{_MEDIAPIPE}, FACEMESH_RIGHT_EYE: lid margins"),
    Contour(
        "inner_eye_corner",
        "pair",
        (173, 190, 189, 193, 245, 128, 233, 112, 155),
        f"{_OWN}: triangles around 133, the inner end of FACEMESH_RIGHT_EYE, and on to the side of the nose",
    ),
    Contour(
        "outer_eye_corner",
        "pair",
        (161, 247, 113, 226, 31, 25, 7, 163),
        f"{_OWN}: triangles around 33, the outer end of FACEMESH_RIGHT_EYE, and around its neighbour 130",
    ),
    Contour(
        "upper_eyelid",
        "pair",
        (*_EYE_UPPER[:0:-1], 190, 189, 193, *_BROW_LOWER, 113, 247),
        f"{_MEDIAPIPE}: from the upper half of FACEMESH_RIGHT_EYE to the lower row of FACEMESH_RIGHT_EYEBROW",
    ),
    Contour(
        "lower_eyelid",
        "pair",
        (*_EYE_LOWER, 243, *_LOWER_LID_END, 25),
        f"{_MEDIAPIPE}, lower half of FACEMESH_RIGHT_EYE, to {_TFJS}, rightEyeLower2: the rim of the orbit",
    ),
    Contour(
        "eyebrow", "pair", _BROW_LOWER + _BROW_UPPER, f"{_MEDIAPIPE}, FACEMESH_RIGHT_EYEBROW: its two rows"
    ),
    Contour(
        "glabella",
        "midline",
        (9, 107, 55, 8),
        f"{_OWN}: between the inner ends of FACEMESH_RIGHT_EYEBROW and FACEMESH_LEFT_EYEBROW",
    ),
    Contour(
        "nose_bridge",
        "midline",
        (8, 55, 193, 245, 128, 114, 217, 198, 134, 51, 5),
        f"{_OWN}: around the bridge of FACEMESH_NOSE (168 to 5), from the brows to the tip, with its side walls "
        "as far as the inner eye corners and the cheeks",
    ),
    Contour(
        "nose_tip",
        "midline",
        (5, 51, 134, 220, 237, 241, 242, 97, 2),
        f"{_OWN}: tip and columella, 5 to 2 of FACEMESH_NOSE, between the wings",
    ),
    Contour(
        "nose_wing",
        "pair",
        (217, 126, 209, 129, 98, 97, 242, 241, 237, 220, 134, 198),
        f"{_OWN}: wing, nostril and lower side wall; 48, 64 and 98 of FACEMESH_NOSE lie in it",
    ),
    Contour(
        "cheek",
        "pair",
        (234, 127, 34, 143, 35, 226, *_LOWER_LID_END[:0:-1], *_BESIDE_NOSE, 165, 92, 216, *_MOUTH_TO_EAR, 93),
        f"{_OWN}: from rightEyeLower2 and the line from the outer eye corner to the ear down to the level of "
        "the mouth, from the nose and one strip beyond the nasolabial fold out to FACEMESH_FACE_OVAL",
    ),
    Contour(
        "upper_lip",
        "midline",
        _LIPS_UPPER_OUTER + _LIPS_CORNER + _LIPS_UPPER_INNER,
        f"{_MEDIAPIPE}, FACEMESH_LIPS: between outer and inner contour, upper half",
    ),
    Contour(
        "lower_lip",
        "midline",
        _LIPS_LOWER_INNER + _LIPS_CORNER[::-1] + _LIPS_LOWER_OUTER,
        f"{_MEDIAPIPE}, FACEMESH_LIPS: between outer and inner contour, lower half",
    ),
    Contour(
        "mouth_corner",
        "pair",
        (40, 92, 216, 212, 43, 146, 77, 96, 95, 191, 183, 184),
        f"{_OWN}: ends of the lips and the skin around 57, next to 61, the outer end of FACEMESH_LIPS",
    ),
    Contour(
        "philtrum",
        "midline",
        (2, 97, 98, 165, 92, 40, 39, 37, 0),
        f"{_OWN}: skin between the nose and the upper lip, as far as the nasolabial folds",
    ),
    Contour(
        "chin",
        "midline",
        (17, 84, 181, 91, 146, 43, 106, 204, 211, 170, 140, 176, 148, 152),
        f"{_OWN}: from the lower lip down to FACEMESH_FACE_OVAL, as wide as the mouth",
    ),
    Contour(
        "jaw",
        "pair",
        (132, 58, 172, 136, 150, 149, 176, 140, 170, 211, 204, 106, 43, *_MOUTH_TO_EAR[:-1]),
        f"{_OWN}: along FACEMESH_FACE_OVAL from below the ear to the chin, up to the level of the mouth",
    ),
    Contour(
        "forehead",
        "midline",
        (10, 109, 67, 103, 54, 68, *_BROW_UPPER, 9),
        f"{_OWN}: from FACEMESH_FACE_OVAL down to the upper row of the eyebrows, out to the temporal line (68)",
    ),
    Contour(
        "temple",
        "pair",
        (54, 21, 162, 127, 34, 143, 35, 226, 113, 46, 70, 68),
        f"{_OWN}: next to eye and eyebrow, from FACEMESH_FACE_OVAL to the temporal line, down to the line from "
        "the outer eye corner to the ear",
    ),
)
