"""Pretrained models, one file each; a new one is added to ``ENTRIES``."""

from __future__ import annotations

from canonface.models.zoo import age, expression, gender
from canonface.models.zoo.entry import ZooEntry

ENTRIES = (gender.ENTRY, age.ENTRY, expression.ENTRY)
ZOO: dict[str, ZooEntry] = {entry.card.name: entry for entry in ENTRIES}

__all__ = ["ZOO", "ZooEntry"]
