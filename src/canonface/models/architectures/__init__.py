"""Plain PyTorch definitions of well-known networks that load the usual public weight files by their usual names."""

from __future__ import annotations

from canonface.models.architectures.architecture import Architecture
from canonface.models.architectures.table import ENTRIES

ARCHITECTURES: dict[str, Architecture] = {entry.name: entry for entry in ENTRIES}

__all__ = ["ARCHITECTURES", "Architecture"]
