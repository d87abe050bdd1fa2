"""Steps that the compiled kernels take in one pass: what lies between them never leaves the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from canonface.engine.incremental.operators import Add, Convolution, Joined, Step
from canonface.engine.incremental.program import Program


def joined(program: Program, fused: frozenset[str]) -> Program:
    """A program whose convolutions take with them what they can.

    That is a convolution of single channels before one of 1x1, and the addition after one.

    Args:
        program: steps one by one.
        fused: activations that kernels apply in the same pass.
    """
    return replace(program, steps=tuple(_Joining(program, fused).steps()))


class _Joining:
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
            together = self._together(step, known)
            taken |= {each for each in (together.depthwise, together.convolution, together.addition) if each}
            made = together.step() if together.depthwise or together.addition else step
            known.add(made.output)
            yield made

    def _together(self, step: Step, known: set[str]) -> Joined:
        depthwise, convolution = None, step
        following = self._only_reader(step)
        if following is not None and self._is_separable(step, following):
            depthwise, convolution = step, following
        addition = self._only_reader(convolution)
        if addition is None or not self._takes(convolution, addition, known):
            addition = None
        return Joined(convolution, depthwise, addition)

    def _only_reader(self, step: Step) -> Step | None:
        return self._reader.get(step.output) if self._readers[step.output] == 1 else None

    def _is_separable(self, first: Step, second: Step) -> bool:
        """Whether each channel is convolved, and then each cell."""
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
        """Whether the sum of a convolution and something that was made before it can be taken with it."""
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
            # What is added must not reach farther: the convolution would be computed where nothing changes.
            and self._windows[step.output].same_cells(self._windows[addition.output])
        )

    def _is_fused(self, step: Step) -> bool:
        return step.activation is None or step.activation.name in self._fused
