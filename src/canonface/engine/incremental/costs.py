"""What a program costs, counted before anything is computed: multiply-adds and memory, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from canonface.engine.incremental import winograd
from canonface.engine.incremental.operators import Convolution, Operator, Step
from canonface.engine.incremental.program import End, LayerCost, Program
from canonface.engine.incremental.windows import Windows

FLOAT = 4
"""Bytes of a number."""
HARDLY_MORE = 1.1
"""How many times the multiply-adds of windows whole maps may take where they are computed instead: their convolutions
take batch norms and activations with them, and read and write one block."""


@dataclass(frozen=True)
class Costs:
    """What some questions about one photo cost.

    Attributes:
        layers: in the network's order.
        base_bytes: activations that are kept once a photo.
        weight_bytes: weights of convolutions as PyTorch's operators read them, beside the network's own.
        native_bytes: as the native kernels read them, which have up to 64 values for a filter of nine.
        cell_bytes: weights of dense layers by cell, which the native kernels keep.
        probe_bytes: activations of one question, at the layer where they are largest; PyTorch's operators, which give
            neighbours one window or windows of one size, may take half as much again.
        dense_bytes: activations of one whole image, likewise.
        uncounted: layers that multiply and are not among ``layers``: all of them are computed as a whole.
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
        """Weights in an order of their own, which the kernels of an engine hold for all questions."""
        return self.native_bytes + self.cell_bytes if engine == "native" else self.weight_bytes

    @property
    def dense(self) -> float:
        """Multiply-adds of the whole network."""
        return sum(layer.dense for layer in self.layers)

    @property
    def needed(self) -> float:
        """Multiply-adds of what a patch changes, the mean over the questions."""
        return sum(layer.needed for layer in self.layers)


def costs(program: Program, boxes: Windows) -> Costs:
    """What questions cost.

    Args:
        program: the network.
        boxes: windows of the input that the questions change.
    """
    windows = program.windows(boxes)
    steps, ends = [*_of_steps(program, windows)], [*_of_ends(program, windows)]
    live = live_bytes(program, windows)
    kept = {name: shape for step in program.steps for name, shape in step.base_shapes.items()}
    return Costs(
        (*steps, *ends, *program.rest_costs),
        FLOAT * sum(map(math.prod, kept.values())),
        FLOAT * sum(_weights(step, windows) for step in program.steps),
        FLOAT * sum(_native_weights(step.operator) for step in program.steps),
        FLOAT * sum(map(_end_weights, program.ends)),
        live,
        FLOAT * max((math.prod(step.out_shape) + sum(map(math.prod, step.in_shapes)) for step in program.steps),
                    default=math.prod(program.in_shape)),
        program.uncounted,
    )  # fmt: skip


def filled(program: Program) -> str:
    """The first value that is all that later steps and ends read, and from which on windows save next to nothing.

    That is of the network, whatever patches it is asked about first: see `Program.windows_of_a_patch`. Nothing where
    there is no such value.
    """
    windows = program.windows_of_a_patch(16)
    steps, ends = [*_of_steps(program, windows)], [*_of_ends(program, windows)]
    for place, step in enumerate(program.steps[:-1]):
        later = [*steps[place + 1 :], *ends]
        needed, dense = sum(cost.needed for cost in later), sum(cost.dense for cost in later)
        is_convolved = any(cost.dense for cost in steps[place + 1 :])
        if is_convolved and dense <= HARDLY_MORE * needed and _goes_on_from(program, place):
            return step.output
    return ""


def _goes_on_from(program: Program, place: int) -> bool:
    """Whether nothing that was made before a step is read after it."""
    later = program.steps[place + 1 :]
    known = {program.steps[place].output} | {step.output for step in later}
    return all(name in known for step in later for name in step.inputs) and all(
        end.value in known for end in program.ends
    )


def _of_steps(program: Program, windows: Mapping[str, Windows]) -> Iterator[LayerCost]:
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


def _of_ends(program: Program, windows: Mapping[str, Windows]) -> Iterator[LayerCost]:
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
    height, width = windows.table[:, 2:4].mean(axis=0).tolist()
    return (height, width)


def live_bytes(program: Program, windows: Mapping[str, Windows]) -> int:
    """Bytes of all changes that are at hand after a step, a question: at the step where they are most."""
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
    """At most, but for Strassen's products of halves, which keep some more."""
    if not isinstance(operator, Convolution):
        return 0
    is_small = operator.groups == 1 and operator.sliding.kernel == (3, 3)
    return operator.weight[:, :, 0, 0].numel() * 64 if is_small else operator.weight.numel()


def _end_weights(end: End) -> int:
    return 0 if end.weight is None else end.weight.numel()
