"""Entry of the table of architectures: recognition by parameter names, naming and construction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from canonface._deprecated import deprecated_attribute
from canonface.types import InputSpec, Outputs

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Network whose public weights files are recognised by the names in them.

    Attributes:
        name: name for ``architecture=``.
        source: library that names the parameters, and the paper.
        spec: usual input specification of such weights.
        outputs: kind of its outputs.
        network: function that builds the PyTorch module; without options the published one.
        options: function from shapes by network name to options for ``network``.
        has: names in such a file that other architectures' files lack; in the file's spelling.
        lacks: names that such a file does not hold.
        head: network name of the last layer, the classifier; empty if the network ends in an embedding. A file
            without it gives a network that ends before it.
        layers: file name to network name of each layer, where they differ.
        ignored: prefixes of names that only training needs.
        small: options of a narrow network for tests and benchmarks.
    """

    name: str
    source: str
    spec: InputSpec
    outputs: Outputs
    network: Callable[..., Any]
    options: Callable[[Shapes], dict[str, Any]]
    has: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    head: str = ""
    layers: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    small: Mapping[str, Any] = field(default_factory=dict)

    ours = deprecated_attribute("network_name")
    theirs = deprecated_attribute("file_name")

    def matches(self, names: Iterable[str]) -> bool:
        """Return True if a file with these names holds this architecture."""
        known = set(names)
        return known.issuperset(self.has) and known.isdisjoint(self.lacks)

    def network_name(self, name: str) -> str:
        """Return the network's name of a file's parameter."""
        return _renamed(name, self.layers)

    def file_name(self, name: str) -> str:
        """Return the file's name of a network's parameter."""
        return _renamed(name, self._inverse)

    @cached_property
    def _inverse(self) -> dict[str, str]:
        return {ours: theirs for theirs, ours in self.layers.items()}


def _renamed(name: str, layers: Mapping[str, str]) -> str:
    layer, dot, parameter = name.rpartition(".")
    return layers.get(layer, layer) + dot + parameter
