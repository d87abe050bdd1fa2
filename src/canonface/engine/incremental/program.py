"""Program of a network: steps on windows, the ends of the windows, and the dense tail behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor, fx

from canonface.engine.incremental.operators import Step
from canonface.engine.incremental.windows import Windows, boxes

EndKind = Literal["cells", "mean", "map"]
Shape = tuple[int, int, int]


class LayerCost(NamedTuple):
    """Multiply-adds of one layer, per probe.

    Attributes:
        layer: name of the layer in the user's module.
        operator: kind of the layer.
        shape: ``(c, h, w)`` of its output; of a vector ``(n, 1, 1)``.
        window: mean height and width of the output's changed part.
        dense: multiply-adds for the whole output.
        needed: multiply-adds for the changed part.
    """

    layer: str
    operator: str
    shape: Shape
    window: tuple[float, float]
    dense: float
    needed: float


@dataclass(frozen=True, eq=False)
class End:
    """Place where a delta leaves the windows.

    Attributes:
        kind: ``cells``: a dense layer that reads the flattened map, by its changed cells only; ``mean``: the mean of
            each channel over the map, by the sum of the deltas; ``map``: the whole changed map.
        value: name of the value on windows.
        node: graph node whose value this gives.
        shape: ``(c, h, w)`` of the map.
        weight: ``(n, c * h * w)`` of the dense layer.
        factor: multiplied in before: ``(c,)`` per channel; of a map that was flattened one number, or
            ``(c * h * w,)``; None: 1.
    """

    kind: EndKind
    value: str
    node: fx.Node
    shape: Shape
    weight: Tensor | None = field(default=None, repr=False)
    factor: Tensor | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Program:
    """Network as steps on windows and a dense tail.

    Attributes:
        graph: the traced graph.
        source: node of the input.
        in_shape: ``(c, h, w)`` of the input.
        steps: on windows, in order.
        ends: places where windows end.
        maps: nodes that are computed on whole maps, in order.
        tail: nodes after them, on values that are no maps.
        read: values that the tail reads, except sizes: at the ends, and made by nodes on whole maps.
        sizes: nodes of which later ones read only the size, with their shape.
        dense_costs: costs of the convolutions and linear layers that are computed on whole values.
        uncounted: other dense layers that multiply.
        dense_because: layers that first needed a whole map, with the reason.
    """

    graph: fx.GraphModule
    source: fx.Node
    in_shape: Shape
    steps: tuple[Step, ...]
    ends: tuple[End, ...]
    maps: tuple[fx.Node, ...]
    tail: tuple[fx.Node, ...]
    read: tuple[fx.Node, ...]
    sizes: dict[fx.Node, tuple[int, ...]]
    dense_costs: tuple[LayerCost, ...]
    uncounted: tuple[str, ...]
    dense_because: tuple[tuple[str, str], ...]

    @property
    def cached(self) -> frozenset[str]:
        """Return the names of the values that are cached for each photo."""
        return frozenset(name for step in self.steps for name in step.base_shapes)

    @property
    def made(self) -> tuple[fx.Node, ...]:
        """Return the nodes on whole maps that the tail reads."""
        return tuple(node for node in self.read if node in self.maps)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Return ``(c, h, w)`` of every value on windows, by name."""
        return {self.source.name: self.in_shape} | {step.output: step.out_shape for step in self.steps}

    def windows(self, boxes: Windows) -> dict[str, Windows]:
        """Return the windows of every value, from those of the input."""
        found = {self.source.name: boxes}
        for step in self.steps:
            found[step.output] = step.operator.windows(tuple(found[name] for name in step.inputs))
        return found

    def windows_of_a_patch(self, share: int) -> dict[str, Windows]:
        """Return the windows of every value for a patch in the middle of ``1 / share`` of the input's side."""
        _, height, width = self.in_shape
        edges = [
            side * (share + way) // (2 * share) + (way > 0) for way in (-1, 1) for side in (height, width)
        ]
        top, left, bottom, right = (np.array([edge]) for edge in edges)
        return self.windows(boxes(top, left, bottom, right, np.array([0]), (height, width)))

    def last_use(self) -> dict[str, int]:
        """Return the index of the last step that reads each value."""
        ends = {end.value for end in self.ends}
        last = {name: i for i, step in enumerate(self.steps) for name in step.inputs}
        return {name: place for name, place in last.items() if name not in ends}
