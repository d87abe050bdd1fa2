"""Costs of a program, counted before anything is computed: multiply-adds and memory, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from canonface.engine.incremental import winograd
from canonface.engine.incremental.operators import Convolution, Operator, Step
from canonface.engine.incremental.program import End, LayerCost, Program
from canonface.engine.incremental.windows import SIZE, Windows

FLOAT = 4
"""Bytes per number."""
WHOLE_MAP_MARGIN = 1.1
"""Factor of the multiply-adds of windows that whole maps may take and still replace them: convolutions on whole maps
include batch norms and activations, and read and write one block.
"""


@dataclass(frozen=True)
class Costs:
    """Costs of some probes of one photo.

    Attributes:
        layers: costs by layer, in the network's order.
        base_bytes: activations that are cached per photo.
        weight_bytes: weights of convolutions as PyTorch's operators read them, on top of the network's own.
        native_bytes: the same as the native kernels read them, with up to 64 values for a filter of nine.
        cell_bytes: weights of dense layers by cell, kept by the native kernels.
        probe_bytes: deltas of one probe, at the layer where they are largest; PyTorch's operators, which may give
            neighbours one window or windows of one size, may take half as much again.
        dense_bytes: activations of one whole image, likewise.
        uncounted: layers that multiply and are not among ``layers``; all of them are computed on whole maps.
    """

    layers: tuple[LayerCost, ...]
    base_bytes: int
    weight_bytes: int
    native_bytes: int
    cell_bytes: int
    probe_bytes: int
    dense_bytes: int
    uncounted: tuple[str, ...] = ()

    def kept_bytes(self, engine: str) -> int:
        """Return the bytes of reordered weights that the kernels of an engine keep for all probes."""
        return self.native_bytes + self.cell_bytes if engine == "native" else self.weight_bytes

    @property
    def dense(self) -> float:
        """Return the multiply-adds of the whole network."""
        return sum(layer.dense for layer in self.layers)

    @property
    def needed(self) -> float:
        """Return the multiply-adds for the change of a patch, averaged over the probes."""
        return sum(layer.needed for layer in self.layers)


def costs(program: Program, boxes: Windows) -> Costs:
    """Count the costs of some probes.

    Args:
        program: the network.
        boxes: windows of the input that the probes change.
    """
    windows = program.windows(boxes)
    steps, ends = [*_step_costs(program, windows)], [*_end_costs(program, windows)]
    live = live_bytes(program, windows)
    kept = {name: shape for step in program.steps for name, shape in step.base_shapes.items()}
    return Costs(
        (*steps, *ends, *program.dense_costs),
        FLOAT * sum(map(math.prod, kept.values())),
        FLOAT * sum(_weights(step, windows) for step in program.steps),
        FLOAT * sum(_native_weights(step.operator) for step in program.steps),
        FLOAT * sum(map(_end_weights, program.ends)),
        live,
        FLOAT * max((math.prod(step.out_shape) + sum(map(math.prod, step.in_shapes)) for step in program.steps),
                    default=math.prod(program.in_shape)),
        program.uncounted,
    )  # fmt: skip


def saturated(program: Program) -> str:
    """Return the first value from which on windows save next to nothing and behind which nothing earlier is read.

    This is a property of the network, whatever patches come first: see `Program.windows_of_a_patch`.

    Returns:
        Name of the value; "" if there is none.
    """
    windows = program.windows_of_a_patch(16)
    steps, ends = [*_step_costs(program, windows)], [*_end_costs(program, windows)]
    for place, step in enumerate(program.steps[:-1]):
        later = [*steps[place + 1 :], *ends]
        needed, dense = sum(cost.needed for cost in later), sum(cost.dense for cost in later)
        is_convolved = any(cost.dense for cost in steps[place + 1 :])
        if is_convolved and dense <= WHOLE_MAP_MARGIN * needed and _goes_on_from(program, place):
            return step.output
    return ""


def _goes_on_from(program: Program, place: int) -> bool:
    """Return whether no later step or end reads a value made before a step."""
    later = program.steps[place + 1 :]
    known = {program.steps[place].output} | {step.output for step in later}
    return all(name in known for step in later for name in step.inputs) and all(
        end.value in known for end in program.ends
    )


def _step_costs(program: Program, windows: Mapping[str, Windows]) -> Iterator[LayerCost]:
    for step in program.steps:
        out, before = windows[step.output], windows[step.inputs[0]]
        operator = step.operator
        dense = (
            float(math.prod(step.out_hw) * operator.weight.numel())
            if isinstance(operator, Convolution)
            else 0.0
        )
        needed = operator.multiply_adds(before.rows, out.rows) / max(len(out), 1)
        name = type(operator).__name__.lower()
        if isinstance(operator, Convolution):
            kernel = "x".join(map(str, operator.sliding.kernel))
            name = f"{'depthwise' if operator.is_depthwise else 'convolution'} {kernel}"
        yield LayerCost(step.layer, name, step.out_shape, _mean_size(out), dense, needed)


def _end_costs(program: Program, windows: Mapping[str, Windows]) -> Iterator[LayerCost]:
    for end in program.ends:
        if end.weight is not None:
            out = windows[end.value]
            dense = float(end.weight.numel())
            changed = out.rows / max(len(out), 1) / math.prod(end.shape[1:])
            yield LayerCost(str(end.node.target), "linear by cells", (len(end.weight), 1, 1),
                            _mean_size(out), dense, dense * changed)  # fmt: skip


def _mean_size(windows: Windows) -> tuple[float, float]:
    if not len(windows):
        return (0.0, 0.0)
    height, width = windows.table[:, SIZE].mean(axis=0).tolist()
    return (height, width)


def live_bytes(program: Program, windows: Mapping[str, Windows]) -> int:
    """Return the largest number of bytes of deltas that exist after a step, per probe."""
    channels = {name: shape[0] for name, shape in program.shapes.items()}
    last, found = program.last_use(), []
    live = {program.source.name}
    for place, step in enumerate(program.steps):
        live.add(step.output)
        found.append(FLOAT * sum(windows[name].rows * channels[name] for name in live))
        live -= {name for name in step.inputs if last.get(name) == place}
    return max(found, default=0) // max(len(windows[program.source.name]), 1)


def _weights(step: Step, windows: Mapping[str, Windows]) -> int:
    operator = step.operator
    if not isinstance(operator, Convolution):
        return 0
    if not operator.suits_winograd:
        return operator.weight.numel()
    tile = winograd.tile_for(winograd.padded_sizes([windows[step.inputs[0]]]))
    return operator.weight[:, :, 0, 0].numel() * winograd.span_of(tile) ** 2


def _native_weights(operator: Operator) -> int:
    """Return an upper bound on the weights of a convolution, except that Strassen's products keep some more."""
    if not isinstance(operator, Convolution):
        return 0
    is_small = operator.groups == 1 and operator.sliding.kernel == (3, 3)
    return operator.weight[:, :, 0, 0].numel() * 64 if is_small else operator.weight.numel()


def _end_weights(end: End) -> int:
    return 0 if end.weight is None else end.weight.numel()
