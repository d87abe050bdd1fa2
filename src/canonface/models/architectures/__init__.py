"""PyTorch definitions of well-known networks whose parameters are named as in the usual public weights files."""

from __future__ import annotations

from canonface.models.architectures.architecture import Architecture
from canonface.models.architectures.table import ENTRIES

ARCHITECTURES: dict[str, Architecture] = {entry.name: entry for entry in ENTRIES}

__all__ = ["ARCHITECTURES", "Architecture"]
