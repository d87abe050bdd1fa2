"""Fusion of steps: factors go into weights, activations and additions into the convolution before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from canonface.engine.incremental.operators import Add, ChannelScale, Convolution, FusedConv, Pointwise, Step
from canonface.engine.incremental.program import End, Program


def fold_steps(
    steps: Sequence[Step], ends: Sequence[End], dtype: torch.dtype
) -> tuple[tuple[Step, ...], tuple[End, ...]]:
    """Return the same program with fewer steps, with weights of ``dtype``."""
    program, finish = list(steps), list(ends)
    _factors_into_what_follows(program, finish)
    _factors_into_convolutions(program, finish)
    _activations_into_steps(program, finish)
    return _as_dtype(program, dtype), tuple(finish)


def _factors_into_convolutions(steps: list[Step], ends: list[End]) -> None:
    """Fold a factor per channel right after a convolution into its filters."""
    for i, step in enumerate(steps):
        before = _only_source(steps, ends, step)
        if not isinstance(step.operator, ChannelScale) or before is None or before.activation is not None:
            continue
        if not isinstance(convolution := before.operator, Convolution):
            continue
        weight = convolution.weight.double() * step.operator.factor.to(convolution.weight.device).view(
            -1, 1, 1, 1
        )
        place = steps.index(before)
        steps[place] = replace(before, operator=replace(convolution, weight=weight), output=step.output)
        steps[i] = _DROPPED
    _forget_dropped(steps)


def _factors_into_what_follows(steps: list[Step], ends: list[End]) -> None:
    """Fold a factor that only convolutions and ends read into their weights."""
    for i, step in enumerate(steps):
        if not isinstance(step.operator, ChannelScale) or _only_source_is_convolution(steps, ends, step):
            continue
        readers = [reader for reader in steps if step.output in reader.inputs]
        finals = [end for end in ends if end.value == step.output]
        if any(not isinstance(reader.operator, Convolution) for reader in readers):
            continue
        if any(step.output in reader.base_shapes for reader in steps) or any(
            end.kind == "map" for end in finals
        ):
            continue
        factor, source = step.operator.factor, step.inputs[0]
        for place, reader in enumerate(steps):
            if step.output in reader.inputs and isinstance(reader.operator, Convolution):
                weight = _scaled_inputs(reader.operator, factor)
                steps[place] = replace(
                    reader, operator=replace(reader.operator, weight=weight), inputs=(source,)
                )
        for place, end in enumerate(ends):
            if end.value == step.output:
                both = factor if end.factor is None else factor * end.factor
                ends[place] = replace(end, value=source, factor=both)
        steps[i] = _DROPPED
    _forget_dropped(steps)


def _scaled_inputs(convolution: Convolution, factor: Tensor) -> Tensor:
    """Scale weights ``(o, i / groups, kh, kw)`` by a factor per input channel; each filter reads its own group."""
    weight, groups = convolution.weight.double(), convolution.groups
    outs, width = weight.shape[:2]
    by_group = factor.to(weight.device).view(groups, 1, width, 1, 1)
    return (weight.view(groups, outs // groups, *weight.shape[1:]) * by_group).view_as(weight)


def _activations_into_steps(steps: list[Step], ends: list[End]) -> None:
    """Attach an activation to the convolution or sum before it, whose result is then still at hand."""
    for i, step in enumerate(steps):
        before = _only_source(steps, ends, step)
        if not isinstance(step.operator, Pointwise) or before is None or before.activation is not None:
            continue
        if isinstance(before.operator, Convolution | Add):
            steps[steps.index(before)] = replace(
                before, output=step.output, activation=step.activation, before=step.before
            )
            steps[i] = _DROPPED
    _forget_dropped(steps)


def _only_source(steps: list[Step], ends: list[End], step: Step) -> Step | None:
    """Return the step whose delta only ``step`` reads, or None."""
    if len(step.inputs) != 1:
        return None
    [name] = step.inputs
    readers = [other for other in steps if name in other.inputs]
    if len(readers) != 1 or any(end.value == name for end in ends):
        return None
    return next((other for other in steps if other.output == name), None)


def _only_source_is_convolution(steps: list[Step], ends: list[End], step: Step) -> bool:
    before = _only_source(steps, ends, step)
    return before is not None and isinstance(before.operator, Convolution) and before.activation is None


def _as_dtype(steps: list[Step], dtype: torch.dtype) -> tuple[Step, ...]:
    """Cast weights, which were folded in double precision, to the network's dtype."""
    result = []
    for step in steps:
        operator = step.operator
        if isinstance(operator, Convolution):
            operator = replace(operator, weight=operator.weight.to(dtype).contiguous())
        if isinstance(operator, ChannelScale):
            operator = replace(operator, factor=operator.factor.to(dtype).contiguous())
        function = step.activation
        if function is not None and function.slope is not None:
            function = replace(function, slope=function.slope.to(dtype))
        result.append(replace(step, operator=operator, activation=function))
    return tuple(result)


_DROPPED = Step(Pointwise(), (), (), "", "", (), (0, 0, 0))


def _forget_dropped(steps: list[Step]) -> None:
    steps[:] = [step for step in steps if step is not _DROPPED]


def fuse_convolutions(program: Program, fused: frozenset[str]) -> Program:
    """Return a program with fused convolutions.

    A depthwise convolution is fused with the 1x1 convolution behind it, an addition with the convolution before it.

    Args:
        program: steps one by one.
        fused: names of activations that kernels apply in the same pass.
    """
    return replace(program, steps=tuple(_ConvFuser(program, fused).steps()))


class _ConvFuser:
    def __init__(self, program: Program, fused: frozenset[str]) -> None:
        self._program, self._fused = program, fused
        self._readers = Counter(name for step in program.steps for name in step.inputs)
        self._readers.update(end.value for end in program.ends)
        self._reader = {name: step for step in program.steps for name in step.inputs}
        self._windows = program.windows_of_a_patch(8)

    def steps(self) -> Iterator[Step]:
        known, taken = {self._program.source.name}, set()
        for step in self._program.steps:
            if step in taken:
                continue
            together = self._group(step, known)
            taken |= {each for each in (together.depthwise, together.convolution, together.addition) if each}
            made = together.step() if together.depthwise or together.addition else step
            known.add(made.output)
            yield made

    def _group(self, step: Step, known: set[str]) -> FusedConv:
        depthwise, convolution = None, step
        following = self._only_reader(step)
        if following is not None and self._is_separable(step, following):
            depthwise, convolution = step, following
        addition = self._only_reader(convolution)
        if addition is None or not self._takes(convolution, addition, known):
            addition = None
        return FusedConv(convolution, depthwise, addition)

    def _only_reader(self, step: Step) -> Step | None:
        return self._reader.get(step.output) if self._readers[step.output] == 1 else None

    def _is_separable(self, first: Step, second: Step) -> bool:
        """Return whether a depthwise convolution is followed by a 1x1 convolution."""
        one, other = first.operator, second.operator
        return (
            isinstance(one, Convolution)
            and isinstance(other, Convolution)
            and one.is_depthwise
            and one.weight.shape[0] == other.weight.shape[1]
            and other.groups == 1
            and other.sliding.is_pointwise
            and self._is_fused(first)
        )

    def _takes(self, step: Step, addition: Step, known: set[str]) -> bool:
        """Return whether an addition of an earlier value can be fused with a convolution."""
        if not isinstance(step.operator, Convolution) or not isinstance(addition.operator, Add):
            return False
        others = [name for name in addition.inputs if name != step.output]
        return (
            step.operator.is_native
            and step.activation is None
            and self._is_fused(addition)
            and addition.operator.sign == 1
            and len(others) == 1
            and others[0] in known
            # The added map must not reach farther: the convolution would be computed where nothing changes.
            and self._windows[step.output].same_cells(self._windows[addition.output])
        )

    def _is_fused(self, step: Step) -> bool:
        return step.activation is None or step.activation.name in self._fused
