"""Entry of the zoo: a card, the place of the weights and a function that builds the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canonface._deprecated import deprecated_attribute
from canonface.assets import asset_path
from canonface.imports import require
from canonface.models.base import ModelCard
from canonface.models.downloads import Asset, fetch


@dataclass(frozen=True)
class ZooEntry:
    """Model of the zoo.

    Attributes:
        card: its card.
        asset: its weights; a text names a file that ships with canonface.
        build: function from the path of the weights to a PyTorch module or any ``Model``.
        needs: package that it runs on and the extra that installs it; None if canonface's own dependencies suffice.
    """

    card: ModelCard
    asset: Asset | str
    build: Callable[[Path], Any]
    needs: tuple[str, str] | None = ("torch", "zoo")

    built = deprecated_attribute("load")

    def load(self) -> Any:
        """Build the module or model; download its weights if needed.

        Raises:
            AssetError: the weights cannot be fetched, or do not fit.
            MissingDependencyError: an optional package is needed.
        """
        if self.needs:
            require(*self.needs, f"The model {self.card.name!r}")
        return self.build(self.weights())

    def weights(self) -> Path:
        """Return the path of the weights; download them if needed.

        Raises:
            AssetError: they cannot be fetched.
        """
        return asset_path(self.asset) if isinstance(self.asset, str) else fetch(self.asset)
