"""What is done to the change that a patch makes: steps on windows, where they end, and what is dense from there."""

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
    """Multiply-adds of one layer, a question.

    Attributes:
        layer: what the user calls it.
        operator: what it does.
        shape: ``(c, h, w)`` of what it makes; of a vector ``(n, 1, 1)``.
        window: mean height and width of what changes of it.
        dense: multiply-adds for the whole of it.
        needed: multiply-adds for what changes.
    """

    layer: str
    operator: str
    shape: Shape
    window: tuple[float, float]
    dense: float
    needed: float


@dataclass(frozen=True, eq=False)
class End:
    """Where a change leaves the windows.

    Attributes:
        kind: ``cells``: a dense layer that reads the flattened map, by its changed cells only; ``mean``: the mean of
            each channel over the map, by the sum of the changes; ``map``: the whole changed map.
        value: name of the value on windows.
        node: of the graph whose value this gives.
        shape: ``(c, h, w)`` of the map.
        weight: ``(n, c * h * w)`` of the dense layer.
        factor: what is multiplied by before: ``(c,)`` of each channel; of a map that was flattened one number, or
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
    """A network as steps on windows and a dense rest.

    Attributes:
        graph: what it was made from.
        source: node of the input.
        in_shape: ``(c, h, w)`` of the input.
        steps: on windows, in order.
        ends: where windows end.
        maps: nodes that are computed on whole maps, in order.
        rest: nodes after them, on what is no map any more.
        read: what the rest reads but for sizes: values at the ends, and what nodes on whole maps make.
        sizes: nodes of which later ones ask nothing but their size, with their shape.
        rest_costs: of the convolutions and linear layers that are computed as a whole.
        uncounted: the other layers among those that multiply.
        dense_because: layers that first needed a whole map, and why.
    """

    graph: fx.GraphModule
    source: fx.Node
    in_shape: Shape
    steps: tuple[Step, ...]
    ends: tuple[End, ...]
    maps: tuple[fx.Node, ...]
    rest: tuple[fx.Node, ...]
    read: tuple[fx.Node, ...]
    sizes: dict[fx.Node, tuple[int, ...]]
    rest_costs: tuple[LayerCost, ...]
    uncounted: tuple[str, ...]
    dense_because: tuple[tuple[str, str], ...]

    @property
    def bases(self) -> frozenset[str]:
        """Names of the values that are kept for each photo."""
        return frozenset(name for step in self.steps for name in step.base_shapes)

    @property
    def made(self) -> tuple[fx.Node, ...]:
        """Nodes on whole maps that the rest reads."""
        return tuple(node for node in self.read if node in self.maps)

    @property
    def shapes(self) -> dict[str, Shape]:
        """``(c, h, w)`` of every value on windows, by name."""
        return {self.source.name: self.in_shape} | {step.output: step.out_shape for step in self.steps}

    def windows(self, boxes: Windows) -> dict[str, Windows]:
        """The windows of every value, from those of the input."""
        found = {self.source.name: boxes}
        for step in self.steps:
            found[step.output] = step.operator.windows(tuple(found[name] for name in step.inputs))
        return found

    def windows_of_a_patch(self, share: int) -> dict[str, Windows]:
        """The windows of every value for a patch in the middle whose side is the input's by ``share``."""
        _, height, width = self.in_shape
        edges = [
            side * (share + way) // (2 * share) + (way > 0) for way in (-1, 1) for side in (height, width)
        ]
        top, left, bottom, right = (np.array([edge]) for edge in edges)
        return self.windows(boxes(top, left, bottom, right, np.array([0]), (height, width)))

    def last_use(self) -> dict[str, int]:
        """Place of the last step that reads each value."""
        ends = {end.value for end in self.ends}
        last = {name: i for i, step in enumerate(self.steps) for name in step.inputs}
        return {name: place for name, place in last.items() if name not in ends}
