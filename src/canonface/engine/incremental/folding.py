"""Steps that need no pass of their own: factors go into weights, activations into the step before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from canonface.engine.incremental.operators import Add, Convolution, Pointwise, Scale, Step
from canonface.engine.incremental.program import End


def folded(
    steps: Sequence[Step], ends: Sequence[End], dtype: torch.dtype
) -> tuple[tuple[Step, ...], tuple[End, ...]]:
    """The same program with fewer steps; its weights are of ``dtype`` then."""
    program, finish = list(steps), list(ends)
    _factors_into_what_follows(program, finish)
    _factors_into_convolutions(program, finish)
    _activations_into_steps(program, finish)
    return _as_dtype(program, dtype), tuple(finish)


def _factors_into_convolutions(steps: list[Step], ends: list[End]) -> None:
    """A factor of each channel right after a convolution scales its filters."""
    for i, step in enumerate(steps):
        before = _only_source(steps, ends, step)
        if not isinstance(step.operator, Scale) or before is None or before.activation is not None:
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
    """A factor that only convolutions and ends read scales what they take of each channel."""
    for i, step in enumerate(steps):
        if not isinstance(step.operator, Scale) or _only_source_is_convolution(steps, ends, step):
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
    """Weights ``(o, i / groups, kh, kw)``, each filter of which reads its own group of the input's channels."""
    weight, groups = convolution.weight.double(), convolution.groups
    outs, width = weight.shape[:2]
    by_group = factor.to(weight.device).view(groups, 1, width, 1, 1)
    return (weight.view(groups, outs // groups, *weight.shape[1:]) * by_group).view_as(weight)


def _activations_into_steps(steps: list[Step], ends: list[End]) -> None:
    """An activation right after a convolution or a sum is done where their result is still at hand."""
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
    """The step whose change is read by ``step`` and by nothing else."""
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
    """Weights were folded in double precision; the kernels compute in that of the network."""
    result = []
    for step in steps:
        operator = step.operator
        if isinstance(operator, Convolution):
            operator = replace(operator, weight=operator.weight.to(dtype).contiguous())
        if isinstance(operator, Scale):
            operator = replace(operator, factor=operator.factor.to(dtype).contiguous())
        function = step.activation
        if function is not None and function.slope is not None:
            function = replace(function, slope=function.slope.to(dtype))
        result.append(replace(step, operator=operator, activation=function))
    return tuple(result)


_DROPPED = Step(Pointwise(), (), (), "", "", (), (0, 0, 0))


def _forget_dropped(steps: list[Step]) -> None:
    steps[:] = [step for step in steps if step is not _DROPPED]
