"""Dense tail of a program: nodes on whole values, compiled by TorchScript where possible."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from canonface.engine.incremental.activation_cache import ActivationCache
from canonface.engine.incremental.ops import is_altered
from canonface.engine.incremental.program import Program
from canonface.models.base import one_line

logger = logging.getLogger("canonface")

MAPS_AT_ONCE = 32
"""Probes whose whole maps are computed at once: more only take memory."""
CLOSE = 1e-4
"""Allowed error of compiled nodes, as a share of the largest number: above rounding, below a mistake."""
WARM_UP_CALLS = 3
"""Calls that TorchScript profiles before it settles."""

Values = Mapping[fx.Node, Any]


class DenseTail:
    """Outputs of a network, from the values at the ends of the windows."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._compiled_maps: Callable[..., tuple[Tensor, ...]] | None = None

    def read_values(self, ends: Mapping[fx.Node, Tensor], cache: ActivationCache) -> dict[fx.Node, Tensor]:
        """Return the values that the tail reads: those at the ends, and those made from them on whole maps."""
        program = self._program
        known = dict(ends)
        if program.maps:
            known |= zip(program.made, self._made(ends, cache), strict=True)
        return {node: known[node] for node in program.read}

    def _made(self, ends: Mapping[fx.Node, Tensor], cache: ActivationCache) -> list[Tensor]:
        program = self._program
        if self._compiled_maps is None:
            self._compiled_maps = _compiled_maps(program, cache)
        given = zip(*(torch.split(ends[end.node], MAPS_AT_ONCE) for end in program.ends), strict=True)
        parts = [self._compiled_maps(*some) for some in given]
        made, count = (
            [torch.cat(values) for values in zip(*parts, strict=True)],
            len(next(iter(ends.values()))),
        )
        if any(len(values) != count for values in made):
            raise RuntimeError("a value computed from whole maps does not have one row per probe")
        return made

    def prediction(self, read: Values, cache: ActivationCache) -> Any:
        """Return the network's output from the values that the tail reads."""
        return _run(self._program, self._program.tail, read, cache.values)[self._program.tail[-1]]


def _compiled_maps(program: Program, cache: ActivationCache) -> Callable[..., tuple[Tensor, ...]]:
    """Return a function from the values at the ends to the values of the nodes on whole maps.

    Nodes are traced, frozen and optimised for inference: batch norms and activations go into the convolutions before
    them. Where nothing is gained, or compilation fails or gives other numbers, nodes run one by one.
    """
    nodes = _MapNodes(program, cache.values)
    if not any(cost.operator == "dense conv2d" for cost in program.dense_costs) or _is_any_altered(program):
        return nodes
    ends = [cache.values[end.node] for end in program.ends]
    if any(end.device.type != "cpu" or end.dtype != torch.float32 for end in ends):
        return nodes
    try:
        compiled = _compiled(nodes, ends)
        if all(_agree(compiled, nodes, _copies(ends, count)) for count in (3,) * WARM_UP_CALLS + (1,)):
            return compiled
        logger.debug("whole maps are computed node by node: compiled nodes make other numbers")
    except Exception as error:
        logger.debug("whole maps are computed node by node: %s", one_line(error), exc_info=True)
    return nodes


class _MapNodes(nn.Module):
    """Nodes on whole maps, as a module that can be traced."""

    def __init__(self, program: Program, values: Values) -> None:
        super().__init__()
        self.graph = program.graph
        self.training = (
            False  # its layers are in evaluation mode: see `canonface.engine.incremental.executor`
        )
        self._program = program
        changing = {*_ends(program), *program.sizes}
        self._constants = {node: value for node, value in values.items() if node not in changing}

    def forward(self, *ends: Tensor) -> tuple[Tensor, ...]:
        program = self._program
        given = dict(zip(_ends(program), ends, strict=True))
        known = _run(program, program.maps, given, self._constants)
        return tuple(known[node] for node in program.made)


def _ends(program: Program) -> list[fx.Node]:
    return [end.node for end in program.ends]


def _run(program: Program, nodes: Iterable[fx.Node], given: Values, constants: Values) -> dict[fx.Node, Any]:
    """Return the values of nodes, run one by one.

    Args:
        program: program of the nodes.
        nodes: in order.
        given: values of all probes, by node.
        constants: values that do not depend on the input, by node.
    """
    interpreter = fx.Interpreter(program.graph)
    like = next(iter(given.values()), torch.empty(1, 1))
    # Only the size of these values is read, so all their elements may be the same number.
    sizes = {node: like.flatten()[0].expand(like.shape[0], *shape) for node, shape in program.sizes.items()}
    interpreter.env = {**constants, **sizes, **given}
    for node in nodes:
        interpreter.env[node] = interpreter.run_node(node)
    return interpreter.env


def _compiled(nodes: nn.Module, ends: Sequence[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    """Compile nodes by TorchScript, since ``torch.compile`` needs a compiler on the machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", TracerWarning)  # code that branches on values
        traced = torch.jit.trace(nodes, tuple(_copies(ends, 2)), check_trace=False)  # type: ignore[no-untyped-call]
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))


def _agree(
    compiled: Callable[..., tuple[Tensor, ...]],
    nodes: Callable[..., tuple[Tensor, ...]],
    ends: Sequence[Tensor],
) -> bool:
    # Copies: a layer that works in place writes over what it is given.
    pairs = zip(compiled(*(end.clone() for end in ends)), nodes(*(end.clone() for end in ends)), strict=True)
    return all(
        found.shape == made.shape and float((found - made).abs().max()) <= CLOSE * float(made.abs().max())
        for found, made in pairs
    )


def _copies(ends: Sequence[Tensor], count: int) -> list[Tensor]:
    """Return ``count`` copies of the first photo's values, each larger than the last: mixed-up rows would differ."""
    factors = 1 + 0.2 * torch.arange(count, dtype=torch.float32)
    return [end[:1] * factors.view(-1, *(1,) * (end.ndim - 1)) for end in ends]


def _is_any_altered(program: Program) -> bool:
    layers = dict(program.graph.named_modules())
    called = (layers[str(node.target)] for node in program.maps if node.op == "call_module")
    return any(is_altered(inner) for layer in called for inner in layer.modules())
