"""What the table of architectures states of each: whose names its files use, how it is told apart and built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from canonface.types import InputSpec, Outputs

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """A network whose public weights files are recognised by the names in them.

    Attributes:
        name: what ``architecture=`` calls it.
        source: whose names the files use, and the paper.
        spec: how such a network is usually shown a face.
        outputs: kind of its outputs.
        network: builds the PyTorch module; without options the published one.
        options: options for ``network``, read from the shapes of a file whose names are already ours.
        has: names that such a file holds and other architectures' files do not; in the file's spelling.
        lacks: names that it does not hold.
        head: our name of the last layer, the classifier; empty where the network ends in an embedding. A file
            without it gives a network that ends before it.
        layers: the file's name of each layer and ours, where they differ.
        ignored: what such names begin with that belong to training alone.
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

    def matches(self, names: Iterable[str]) -> bool:
        """Whether a file with these names holds this architecture."""
        known = set(names)
        return known.issuperset(self.has) and known.isdisjoint(self.lacks)

    def ours(self, name: str) -> str:
        """Our name of a file's parameter."""
        return _renamed(name, self.layers)

    def theirs(self, name: str) -> str:
        """The file's name of one of our parameters."""
        return _renamed(name, self._inverse)

    @cached_property
    def _inverse(self) -> dict[str, str]:
        return {ours: theirs for theirs, ours in self.layers.items()}


def _renamed(name: str, layers: Mapping[str, str]) -> str:
    layer, dot, parameter = name.rpartition(".")
    return layers.get(layer, layer) + dot + parameter
