"""Lowering of a traced graph to a program: steps on windows, and a dense tail where windows end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from canonface.engine.incremental.fusion import fold_steps
from canonface.engine.incremental.local_operators import NotLocalError, Place, local_operator
from canonface.engine.incremental.operators import Step
from canonface.engine.incremental.ops import OpCall, name_of, op_call, where_of
from canonface.engine.incremental.program import End, LayerCost, Program, Shape

SIZES = frozenset({"size", "shape", "dim", "getattr", "ndim"})
"""Ops that read only the shape of a value, if their result is a number."""
SATURATED = "a patch changes nearly all that it reads"
MULTIPLYING = ("conv", "matmul", "mm", "einsum", "attention", "linear")
"""Parts of the names of functions that multiply maps other than number by number."""
PASSING = frozenset({"identity", "dropout"})
FLATTENING = frozenset({"flatten", "view", "reshape", "squeeze"})


def lower(graph: fx.GraphModule, x: Tensor, saturated: str = "") -> Program:
    """Return the program of a graph.

    Args:
        graph: see `canonface.engine.incremental.trace.trace_module`; in evaluation mode.
        x: ``(1, c, h, w)`` an input, for whose shape the program is made.
        saturated: name of a value from which on all is dense: see `canonface.engine.incremental.costs.saturated`.
    """
    known = _ShapeRecorder(graph)
    with torch.inference_mode():
        # A copy: a first layer that works in place would write over it.
        known.run(x.clone())
    lowering = _Lowering(graph, dict(graph.named_modules()), known, saturated)
    for node in graph.graph.nodes:
        lowering.take(node)
    steps, ends = fold_steps(lowering.steps, lowering.ends(), x.dtype)
    maps, tail = lowering.maps_and_tail()
    return Program(
        graph=graph,
        source=lowering.source,
        in_shape=(int(x.shape[1]), int(x.shape[2]), int(x.shape[3])),
        steps=steps,
        ends=ends,
        maps=tuple(maps),
        tail=tuple(tail),
        read=tuple(lowering.read(tail)),
        sizes=lowering.sizes(tail),
        dense_costs=tuple(lowering.dense_costs()),
        uncounted=tuple(lowering.uncounted()),
        dense_because=tuple(lowering.reasons),
    )


def _has_cells(value: Any) -> bool:
    """Return whether a value is a map, tokens, or several of them."""
    if isinstance(value, list | tuple):
        return any(map(_has_cells, value))
    return isinstance(value, Tensor) and value.ndim > 2 and math.prod(value.shape[2:]) > 1


def _is_numbers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_numbers, value))
    return isinstance(value, int | float | str | torch.dtype | torch.device | type(None))


class _ShapeRecorder(fx.Interpreter):
    """Interpreter that runs the graph once and records kinds and shapes of its values.

    Attributes:
        shapes: shapes of tensors.
        maps: nodes whose values have cells.
        numbers: sizes, and numbers computed from them.
        constants: values that do not depend on the input.
    """

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        self.constants: dict[fx.Node, Any] = {}
        self.maps: set[fx.Node] = set()
        self.numbers: set[fx.Node] = set()

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n] = tuple(value.shape)
        if _has_cells(value):
            self.maps.add(n)
        if _is_numbers(value):
            self.numbers.add(n)
        inputs = n.all_input_nodes
        # An argument other than the input has the network's default.
        is_given = n.op == "get_attr" or (n.op == "placeholder" and bool(n.args))
        if is_given or (inputs and all(node in self.constants for node in inputs)):
            self.constants[n] = value
        return value

    def shape(self, node: fx.Node) -> Shape:
        """Return ``(c, h, w)`` of a map."""
        _, channels, height, width = self.shapes[node]
        return (int(channels), int(height), int(width))


@dataclass(eq=False)
class _Lowering:
    """Lowering of the nodes one by one, each after all that it reads.

    Attributes:
        steps: on windows, so far.
        deltas: nodes whose value is a map on windows, with the name of its delta.
        flat: nodes that are such a map, flattened.
        flat_factors: factors of a flattened map's numbers, where they are not 1.
        finals: dense layers of a flattened map and means over a map, with the map.
        dense: nodes that are computed on whole values.
        reasons: places where windows end, with the reason.
    """

    graph: fx.GraphModule
    layers: Mapping[str, Any]
    known: _ShapeRecorder
    saturated: str
    steps: list[Step] = field(default_factory=list)
    deltas: dict[fx.Node, str] = field(default_factory=dict)
    flat: dict[fx.Node, fx.Node] = field(default_factory=dict)
    flat_factors: dict[fx.Node, Any] = field(default_factory=dict)
    finals: list[tuple[fx.Node, fx.Node, Tensor | None]] = field(default_factory=list)
    dense: list[fx.Node] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def source(self) -> fx.Node:
        """Return the input node."""
        first: fx.Node = next(iter(self.graph.graph.find_nodes(op="placeholder")))
        return first

    def take(self, node: fx.Node) -> None:
        """Lower one node."""
        if node is self.source:
            self.deltas[node] = node.name
            return
        if node in self.known.constants:
            return
        read = [given for given in node.all_input_nodes if given not in self.known.constants]
        on_windows = any(given in self.deltas or given in self.flat for given in read)
        if on_windows and any(given.name == self.saturated for given in read):
            self.dense.append(node)
            if SATURATED not in dict(self.reasons).values():
                self.reasons.append((where_of(node), SATURATED))
            return
        if node.op in ("output", "placeholder") or not on_windows or self._reads_size(node):
            self.dense.append(node)
            return
        call = op_call(node, self.layers)
        try:
            if call is None:
                raise NotLocalError(f"{self._kind(node)} is no layer that windows can follow")
            self._follow(node, call, read)
        except NotLocalError as error:
            self.dense.append(node)
            self.reasons.append((call.layer if call else where_of(node), str(error)))

    def ends(self) -> list[End]:
        """Return the ends of the windows."""
        ends = [
            End("mean" if w is None else "cells", self.deltas[m], node, self.known.shape(m), w)
            for node, m, w in self.finals
        ]
        read = dict.fromkeys(
            given for node in self.dense if not self._reads_size(node) for given in node.all_input_nodes
        )
        for node in read:
            if node in self.deltas or node in self.flat:
                source = self.flat.get(node, node)
                factor = self.flat_factors.get(node)
                ends.append(End("map", self.deltas[source], node, self.known.shape(source), factor=factor))
        return ends

    def maps_and_tail(self) -> tuple[list[fx.Node], list[fx.Node]]:
        """Return the dense nodes up to the last that reads a map, and those that follow.

        A size that both read is in both. If a later node reads something that is not one tensor with a row per probe,
        all dense nodes are in the tail.
        """
        last = max((place for place, node in enumerate(self.dense) if self._reads_a_map(node)), default=-1)
        maps, tail = self.dense[: last + 1], self.dense[last + 1 :]
        for node in reversed(maps):
            is_read = any(node in later.all_input_nodes and not self._reads_size(later) for later in tail)
            if is_read and node in self.known.numbers:
                tail.insert(0, node)
            elif is_read and (len(shape := self.known.shapes.get(node, ())) < 2 or shape[0] != 1):
                return [], self.dense
        return maps, tail

    def read(self, tail: Sequence[fx.Node]) -> Iterator[fx.Node]:
        """Return the values that the tail reads, except sizes."""
        needed = {
            given for node in tail if not self._reads_size(node) for given in node.all_input_nodes
        } - set(tail)
        return (
            node for node in self.graph.graph.nodes if node in needed and node not in self.known.constants
        )

    def _reads_size(self, node: fx.Node) -> bool:
        """Return whether a node reads only the shape of a value; an attribute may also be a transpose."""
        return _operator(node) in SIZES and node in self.known.numbers

    def _reads_a_map(self, node: fx.Node) -> bool:
        if node.op == "output" or self._reads_size(node):
            return False
        return any(
            given in self.known.maps and given not in self.known.constants for given in node.all_input_nodes
        )

    def sizes(self, tail: Sequence[fx.Node]) -> dict[fx.Node, tuple[int, ...]]:
        """Return the shapes of values of which only the size is known: on windows, or before ``tail``."""
        needed: dict[fx.Node, tuple[int, ...]] = {}
        for node in self.dense:
            for given in node.all_input_nodes if self._reads_size(node) else ():
                if given in self.deltas or given in self.flat or (node in tail and given not in tail):
                    needed[given] = self.known.shapes[given][1:]
        return needed

    def dense_costs(self) -> Iterator[LayerCost]:
        """Return the costs of the dense convolutions and linear layers."""
        for node, call, weight in self._weighted():
            shape, cells = self._made(node, call.name)
            cost = float(cells * weight.numel())
            yield LayerCost(call.layer, f"dense {call.name}", shape, (shape[1], shape[2]), cost, cost)

    def uncounted(self) -> Iterator[str]:
        """Return the other dense layers that multiply, as far as their parameters or names show it."""
        counted = {node for node, _, _ in self._weighted()}
        for node in self.dense:
            if node in counted:
                continue
            if node.op == "call_module":
                layer = self.layers[str(node.target)]
                if any(parameter.ndim > 1 for parameter in layer.parameters()):
                    yield f"{node.target} ({type(layer).__name__})"
            elif any(word in _operator(node) for word in MULTIPLYING):
                yield where_of(node)

    def _weighted(self) -> Iterator[tuple[fx.Node, OpCall, Tensor]]:
        """Return the dense convolutions and linear layers, with their weights."""
        for node in self.dense:
            call = op_call(node, self.layers)
            weight = self._constant(call.arguments.get("weight")) if call else None
            if call is not None and call.name in ("conv2d", "linear") and isinstance(weight, Tensor):
                yield node, call, weight

    def _made(self, node: fx.Node, name: str) -> tuple[Shape, int]:
        """Return ``(c, h, w)`` of a layer's output and its number of places; tokens are cells in a column."""
        made = [int(size) for size in self.known.shapes[node][1:]]
        if name == "linear":
            tokens = math.prod(made[:-1])
            return (made[-1], tokens, 1), tokens
        return (made[0], made[1], made[2]), made[1] * made[2]

    def _follow(self, node: fx.Node, call: OpCall, read: list[fx.Node]) -> None:
        if any(given in self.flat for given in read):
            self._follow_flat(node, call)
        elif not all(given in self.deltas for given in read):
            raise NotLocalError(f"{call.name} combines a map with a value that changes everywhere")
        elif call.name in PASSING:
            self.deltas[node] = self.deltas[_passed(call, read[0])]
        elif call.name in FLATTENING and self._flattens(node, read[0]):
            self.flat[node] = read[0]
        elif self._is_mean(node, call):
            self.finals.append((node, read[0], None))
        else:
            self._step(node, call, read)

    def _follow_flat(self, node: fx.Node, call: OpCall) -> None:
        source = call.arguments.get("input")
        if source not in self.flat:
            raise NotLocalError(f"{call.name} combines a flattened map with something else")
        if call.name in PASSING:
            self.flat[node] = self.flat[_passed(call, source)]
            if source in self.flat_factors:
                self.flat_factors[node] = self.flat_factors[source]
            return
        factor = self._flat_factor(call)
        weight = self._constant(call.arguments.get("weight"))
        if factor is not None:
            self.flat[node] = self.flat[source]
            self.flat_factors[node] = factor * self.flat_factors.get(source, 1.0)
        elif call.name == "linear" and isinstance(weight, Tensor):
            plain = weight.detach()
            if (scale := self.flat_factors.get(source)) is not None:
                plain = (plain.double() * scale).to(plain.dtype)
            self.finals.append((node, self.flat[source], plain))
        else:
            raise NotLocalError(f"{call.name} reads a flattened map as a whole")

    def _flat_factor(self, call: OpCall) -> Tensor | None:
        """Return the factor of a flattened map's numbers, if multiplying is all that is done to its delta."""
        if call.name in ("mul", "div") and call.arguments.get("rounding_mode") is None:
            other = self._constant(call.arguments.get("other"))
            if isinstance(other, int | float | Tensor):
                factor = torch.as_tensor(other, dtype=torch.float64).detach()
                return 1 / factor if call.name == "div" else factor
        variance, weight = (self._constant(call.arguments.get(name)) for name in ("running_var", "weight"))
        if call.name == "batch_norm" and variance is not None and call.arguments.get("training") is not True:
            factor = torch.rsqrt(variance.detach().double() + float(call.get("eps", 1e-5)))
            return factor if weight is None else factor * weight.detach().double()
        return None

    def _constant(self, value: Any) -> Any:
        return self.known.constants.get(value, value) if isinstance(value, fx.Node) else value

    def _step(self, node: fx.Node, call: OpCall, read: list[fx.Node]) -> None:
        if len(self.known.shapes.get(node, ())) != 4:
            raise NotLocalError(f"{call.name} makes something other than a map")
        shapes = {given: self.known.shape(given) for given in self.deltas}
        at = Place(call, tuple(read), shapes, self.known.shape(node), self.known.constants)
        operator, function = local_operator(at)
        operands = at.operands
        if operator is None:
            self.deltas[node] = self.deltas[operands[0]]
            return
        self.steps.append(
            Step(
                operator,
                tuple(self.deltas[given] for given in operands),
                tuple(given.name for given in operands),
                node.name,
                call.layer,
                tuple(shapes[given] for given in operands),
                at.out_shape,
                function,
                before=operands[0].name if function is not None else "",
            )
        )
        self.deltas[node] = node.name

    def _flattens(self, node: fx.Node, source: fx.Node) -> bool:
        return self.known.shapes.get(node, ())[1:] == (math.prod(self.known.shape(source)),)

    def _is_mean(self, node: fx.Node, call: OpCall) -> bool:
        """Return whether a node is the mean of every channel over the whole map."""
        if call.name == "adaptive_avg_pool2d":
            return self.known.shapes[node][2:] == (1, 1)
        dims = call.arguments.get("dim")
        return (
            call.name == "mean" and isinstance(dims, list | tuple) and sorted(d % 4 for d in dims) == [2, 3]
        )

    def _kind(self, node: fx.Node) -> str:
        return type(self.layers[str(node.target)]).__name__ if node.op == "call_module" else str(node.target)


def _passed(call: OpCall, source: fx.Node) -> fx.Node:
    if call.arguments.get("training") is True:
        raise NotLocalError("a dropout that is switched on is random")
    return source


def _operator(node: fx.Node) -> str:
    """Return the op name of a function or method; "" for other nodes."""
    return name_of(node) if node.op in ("call_function", "call_method") else ""
