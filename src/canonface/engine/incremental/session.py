"""A network asked about the occlusions of some photos, window by window."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, fx

from canonface.engine.incremental.bases import Bases, bases_of, rows_of_map
from canonface.engine.incremental.changes import Changes, changes_of
from canonface.engine.incremental.costs import FLOAT, live_bytes
from canonface.engine.incremental.kernels import Change, Kernels, Work
from canonface.engine.incremental.program import End, Program
from canonface.engine.incremental.rest import Rest
from canonface.engine.incremental.windows import Windows
from canonface.models.torch_module import evaluating
from canonface.occlusions import Occlusions

VECTORS = 512
"""Probes that go through the dense rest together, where that takes vectors: each weight is read once for all."""
CHUNK_BYTES = 192 * 2**20
"""Bound on the changes of the probes that go through the steps together, and on the whole maps that they become."""
READ_BYTES = 64 * 2**20
"""Vectors that wait for others at most."""


@dataclass(frozen=True, eq=False)
class Session:
    """A program with its kernels.

    Attributes:
        program: what is done.
        kernels: how.
        chunk: probes that go through the steps together at most.
        rest: what is dense of the program.
        lock: one caller at a time: kernels use their memory again.
    """

    program: Program
    kernels: Kernels
    chunk: int = 64
    rest: Rest = field(default=None, repr=False)  # type: ignore[assignment]
    lock: AbstractContextManager[Any] = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.rest is None:
            object.__setattr__(self, "rest", Rest(self.program))

    def predict(
        self,
        x: Float[Tensor, "photos c h w"],
        occlusions: Sequence[Occlusions],
        pick: Callable[[Any], Tensor],
    ) -> tuple[Float[Tensor, "photos d"], Float[Tensor, "n d"]]:
        """What the network returns for photos as they are, and for every occlusion, one photo's after another's.

        Args:
            x: the photos.
            occlusions: one a photo.
            pick: which of the network's answers is read.
        """
        with self.lock, evaluating(self.program.graph), torch.inference_mode():
            bases = bases_of(self.program, x)
            original = pick(bases.prediction)
            changes = changes_of(x, occlusions)
            if not len(changes.windows):
                return original, original[:0]
            if not all(map(_is_finite, occlusions)):
                raise ValueError("a fill is not finite")  # comparisons of kernels would lose it
            predictions = torch.cat([pick(prediction) for prediction in self._answered(changes, bases)])
            ordered = torch.empty_like(predictions)
            ordered[torch.as_tensor(changes.order, device=predictions.device)] = predictions
        return original, ordered

    def _answered(self, changes: Changes, bases: Bases) -> Iterator[Any]:
        """What the network returns, some probes after others."""
        finish = _Finish(self.program, self.kernels, bases)
        count, windows = len(changes.windows), self.program.windows(changes.windows)
        chunk, piece_size = self._together(windows)
        pieces = [
            [(some, self._chosen(windows, some)) for some in _pieces(piece, chunk)]
            for piece in _pieces(slice(0, count), piece_size)
        ]
        self.kernels.prepare(self.program.steps, [suited for chunks in pieces for _, suited in chunks])
        enough = VECTORS if self.program.maps or piece_size > chunk else piece_size
        parts: list[dict[fx.Node, Tensor]] = []
        first = 0
        for chunks in pieces:
            piece = slice(chunks[0][0].start, chunks[-1][0].stop)
            left = [_Left(end, windows[end.value][piece]) for end in self.program.ends]
            self._gather(left, changes.of(piece), chunks, bases)
            parts.append(self.rest.after_maps(finish.ends(left), bases))
            size = sum(value.nbytes for part in parts for value in part.values())
            if piece.stop == count or piece.stop - first >= enough or size >= READ_BYTES:
                read = {node: torch.cat([part[node] for part in parts]) for node in parts[0]}
                yield self.rest.prediction(read, bases)
                first = piece.stop
                parts.clear()

    def _together(self, windows: Mapping[str, Windows]) -> tuple[int, int]:
        """How many probes go through the steps together, and how many leave them before something dense is done."""
        chunk = min(self.chunk, CHUNK_BYTES // max(live_bytes(self.program, windows), 1))
        whole = [FLOAT * math.prod(end.shape) for end in self.program.ends if end.kind == "map"]
        if whole:
            chunk = min(chunk, CHUNK_BYTES // sum(whole))
            return max(chunk, 1), max(chunk, 1)
        source = windows[self.program.source.name]
        # Changes of the input, and the places of their cells.
        each = source.rows * (FLOAT * self.program.in_shape[0] + 40) // max(len(source), 1)
        return max(chunk, 1), max(chunk, 1, min(VECTORS, CHUNK_BYTES // max(each, 1)))

    def _gather(
        self,
        gathered: Sequence[_Left],
        change: Change,
        chunks: Sequence[tuple[slice, Mapping[str, Windows]]],
        bases: Bases,
    ) -> None:
        """What some probes leave the windows with, one an end, chunk by chunk.

        Args:
            gathered: takes it.
            change: of the input, by all of them at once: PyTorch's threads go on waiting for a while, in the way of
                the kernels'.
            chunks: which of them go through the steps together, and their windows.
            bases: activations of the photos.
        """
        first = chunks[0][0].start
        for some, windows in chunks:
            parts = self._ends(change.some(some.start - first, some.stop - some.start), windows, bases)
            for left, part in zip(gathered, parts, strict=True):
                left.add(part, self.kernels)
            # Two ends may read one change: it is given back once.
            for part in dict.fromkeys(parts):
                self.kernels.release(part)

    def _chosen(self, windows: Mapping[str, Windows], chunk: slice) -> dict[str, Windows]:
        """The windows of some probes, as the kernels like them; values that share their windows still do."""
        # Those of the input are the occlusions', and cells at the ends are gathered with other probes'.
        ends = {end.value for end in self.program.ends if end.kind != "mean"}
        as_they_are = {id(windows[name]) for name in {self.program.source.name} | ends}
        found: dict[int, Windows] = {}
        for name, (_, height, width) in self.program.shapes.items():
            each = windows[name]
            if id(each) not in found:
                some = each[chunk]
                found[id(each)] = (
                    some if id(each) in as_they_are else self.kernels.suited(some, (height, width))
                )
        return {name: found[id(each)] for name, each in windows.items()}

    def _ends(self, change: Change, windows: Mapping[str, Windows], bases: Bases) -> list[Change]:
        """The changes with which a chunk of probes leaves the windows, one an end."""
        program = self.program
        last = program.last_use()
        live = {program.source.name: change}
        for place, step in enumerate(program.steps):
            inputs = tuple(live[name] for name in step.inputs)
            live[step.output] = self.kernels.step(Work(step, inputs, windows[step.output], bases))
            for name in set(step.inputs):
                if last.get(name) == place:
                    self.kernels.release(live.pop(name))
        return [live[end.value] for end in program.ends]


def _pieces(whole: slice, size: int) -> Iterator[slice]:
    """A slice as several, one after another, of so many at most."""
    for start in range(whole.start, whole.stop, size):
        yield slice(start, min(start + size, whole.stop))


def _is_finite(occlusions: Occlusions) -> bool:
    fills = [occlusions.fill] if isinstance(occlusions.fill, np.ndarray) else occlusions.fill
    return all(bool(np.isfinite(fill).all()) for fill in fills)


@dataclass(eq=False)
class _Left:
    """What some probes leave the windows with, at one end.

    Attributes:
        end: where.
        windows: of the changes.
        values: of each changed cell its row; of a mean one sum a probe, which is all that it needs.
    """

    end: End
    windows: Windows
    values: Float[Tensor, "n c"] = field(init=False)
    _filled: int = 0

    def add(self, change: Change, kernels: Kernels) -> None:
        """The next probes' change; what is needed of it is copied."""
        is_mean = self.end.kind == "mean"
        if not self._filled:
            count = len(self.windows) if is_mean else self.windows.rows
            self.values = change.rows.new_empty(count, change.rows.shape[1])
        room = self.values[self._filled :][: len(change.windows) if is_mean else len(change.rows)]
        if is_mean:
            kernels.sums(change, room)
        else:
            room.copy_(change.rows)
        self._filled += len(room)


class _Finish:
    """From the changes at the ends to the values that the dense rest reads."""

    def __init__(self, program: Program, kernels: Kernels, bases: Bases) -> None:
        self._kernels, self._bases = kernels, bases
        self._maps = {
            end.node: rows_of_map(bases.values[end.node].reshape(bases.photos, *end.shape))
            for end in program.ends
            if end.kind == "map"
        }

    def ends(self, gathered: Sequence[_Left]) -> dict[fx.Node, Tensor]:
        """Values by node, of all probes."""
        return {left.end.node: self._value(left) for left in gathered}

    def _value(self, left: _Left) -> Tensor:
        end, windows = left.end, left.windows
        base = self._bases.values[end.node]
        if end.kind == "cells":
            return self._kernels.cells(end, Change(left.values, windows), base)
        if end.kind == "map":
            return self._whole(end, Change(left.values, windows)).view(-1, *base.shape[1:])
        sums = left.values * (1 / (end.shape[1] * end.shape[2]))
        if end.factor is not None:
            sums = sums * end.factor.to(sums)
        photos = torch.as_tensor(windows.table[:, 5], device=base.device).long()
        prediction: Tensor = base.index_select(0, photos) + sums.view(-1, *base.shape[1:])
        return prediction

    def _whole(self, end: End, change: Change) -> Float[Tensor, "n c h w"]:
        """The changed map of each probe."""
        channels, height, width = end.shape
        windows = change.windows
        base = self._maps[end.node].view(-1, height * width, channels)
        photos = torch.as_tensor(windows.table[:, 5], device=base.device).long()
        cells = base.index_select(0, photos).view(-1, channels)
        owner, y, x = windows.places()
        places = torch.as_tensor((owner * height + y) * width + x, device=base.device)
        rows = change.rows
        if end.factor is not None:
            factor = end.factor.to(rows).expand(channels * height * width).view(channels, -1).t()
            rows = rows * factor.index_select(0, torch.as_tensor(y * width + x, device=base.device).long())
        cells.index_add_(0, places, rows)
        return cells.view(-1, height, width, channels).permute(0, 3, 1, 2).contiguous()
