"""What a zoo file states: a card, the weights' place and how to build the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canonface.models.assets import Asset
from canonface.models.base import ModelCard


@dataclass(frozen=True)
class ZooEntry:
    """One model of the zoo.

    Attributes:
        card: what is known of it.
        asset: its weights.
        build: makes the PyTorch module from the path of the weights.
    """

    card: ModelCard
    asset: Asset
    build: Callable[[Path], Any]
