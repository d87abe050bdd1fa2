"""What a zoo file states: a card, the weights' place and how to build the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canonface.assets import asset_path
from canonface.models.assets import Asset, fetch
from canonface.models.base import ModelCard
from canonface.models.dependencies import require


@dataclass(frozen=True)
class ZooEntry:
    """One model of the zoo.

    Attributes:
        card: what is known of it.
        asset: its weights; a text is the name of a file that ships with canonface.
        build: makes a PyTorch module, or any ``Model``, from the path of the weights.
        needs: the package that it computes with and the extra that brings it; None: canonface's own dependencies do.
    """

    card: ModelCard
    asset: Asset | str
    build: Callable[[Path], Any]
    needs: tuple[str, str] | None = ("torch", "zoo")

    def built(self) -> Any:
        """The module or model, its weights fetched if need be.

        Raises:
            AssetError: the weights cannot be had, or do not fit.
            MissingDependencyError: an optional package is needed.
        """
        if self.needs:
            require(*self.needs, f"The model {self.card.name!r}")
        return self.build(self.weights())

    def weights(self) -> Path:
        """Path of the weights, fetched if need be.

        Raises:
            AssetError: they cannot be had.
        """
        return asset_path(self.asset) if isinstance(self.asset, str) else fetch(self.asset)
