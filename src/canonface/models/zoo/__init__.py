"""Zoo of pretrained models, one file each; add a new one to ``ENTRIES``."""

from __future__ import annotations

from canonface.models.zoo import (
    age,
    age_gender_wrn,
    dlib_face,
    expression,
    facenet,
    facenet_heads,
    gender,
    head_pose,
)
from canonface.models.zoo.entry import ZooEntry

ENTRIES = (
    *(gender.ENTRY, age.ENTRY, expression.ENTRY, facenet.ENTRY, dlib_face.ENTRY, head_pose.ENTRY),
    *(age_gender_wrn.GENDER, age_gender_wrn.AGE),
    *facenet_heads.ENTRIES,
)
ZOO: dict[str, ZooEntry] = {entry.card.name: entry for entry in ENTRIES}

__all__ = ["ZOO", "ZooEntry"]
