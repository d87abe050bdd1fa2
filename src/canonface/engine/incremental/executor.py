"""Executor: runs a program on the occlusions of some photos, window by window."""

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

from canonface.engine.incremental.activation_cache import ActivationCache, cache_activations, rows_of_map
from canonface.engine.incremental.costs import FLOAT, live_bytes
from canonface.engine.incremental.deltas import Delta, InputDeltas, input_deltas
from canonface.engine.incremental.dense_tail import DenseTail
from canonface.engine.incremental.kernels import Kernels, Work
from canonface.engine.incremental.program import End, Program
from canonface.engine.incremental.windows import Windows
from canonface.models.torch_module import evaluating
from canonface.occlusions import Occlusions

VECTORS = 512
"""Probes that go through the dense tail together if it reads vectors: each weight is read once for all."""
CHUNK_BYTES = 192 * 2**20
"""Bound on the deltas of the probes that go through the steps together, and on the whole maps that they become."""
READ_BYTES = 64 * 2**20
"""Bound on the vectors that wait for the dense tail."""


@dataclass(frozen=True, eq=False)
class Executor:
    """Program with the kernels that compute it.

    Attributes:
        program: the steps.
        kernels: implementation of the steps.
        chunk: largest number of probes that go through the steps together.
        dense_tail: dense part of the program.
        lock: admits one caller at a time, since kernels reuse their memory.
    """

    program: Program
    kernels: Kernels
    chunk: int = 64
    dense_tail: DenseTail = field(default=None, repr=False)  # type: ignore[assignment]
    lock: AbstractContextManager[Any] = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.dense_tail is None:
            object.__setattr__(self, "dense_tail", DenseTail(self.program))

    def predict(
        self,
        x: Float[Tensor, "photos c h w"],
        occlusions: Sequence[Occlusions],
        pick: Callable[[Any], Tensor],
    ) -> tuple[Float[Tensor, "photos d"], Float[Tensor, "n d"]]:
        """Return the network's outputs for the clean photos, and for every occlusion, one photo's after another's.

        Args:
            x: the photos.
            occlusions: one entry per photo.
            pick: selects one of the network's outputs.
        """
        with self.lock, evaluating(self.program.graph), torch.inference_mode():
            cache = cache_activations(self.program, x)
            clean = pick(cache.prediction)
            deltas = input_deltas(x, occlusions)
            if not len(deltas.windows):
                return clean, clean[:0]
            if not all(map(_is_finite, occlusions)):
                raise ValueError("a fill is not finite")  # comparisons of kernels would lose it
            predictions = torch.cat([pick(prediction) for prediction in self._predictions(deltas, cache)])
            ordered = torch.empty_like(predictions)
            ordered[torch.as_tensor(deltas.order, device=predictions.device)] = predictions
        return clean, ordered

    def _predictions(self, deltas: InputDeltas, cache: ActivationCache) -> Iterator[Any]:
        """Yield the network's outputs for some probes after others."""
        finish = _EndValues(self.program, self.kernels, cache)
        count, windows = len(deltas.windows), self.program.windows(deltas.windows)
        chunk, piece_size = self._chunk_sizes(windows)
        pieces = [
            [(some, self._fitted_windows(windows, some)) for some in _pieces(piece, chunk)]
            for piece in _pieces(slice(0, count), piece_size)
        ]
        self.kernels.prepare(self.program.steps, [fitted for chunks in pieces for _, fitted in chunks])
        batch = VECTORS if self.program.maps or piece_size > chunk else piece_size
        parts: list[dict[fx.Node, Tensor]] = []
        first = 0
        for chunks in pieces:
            piece = slice(chunks[0][0].start, chunks[-1][0].stop)
            left = [_EndBuffer(end, windows[end.value][piece]) for end in self.program.ends]
            self._fill_ends(left, deltas.of(piece), chunks, cache)
            parts.append(self.dense_tail.read_values(finish.ends(left), cache))
            size = sum(value.nbytes for part in parts for value in part.values())
            if piece.stop == count or piece.stop - first >= batch or size >= READ_BYTES:
                read = {node: torch.cat([part[node] for part in parts]) for node in parts[0]}
                yield self.dense_tail.prediction(read, cache)
                first = piece.stop
                parts.clear()

    def _chunk_sizes(self, windows: Mapping[str, Windows]) -> tuple[int, int]:
        """Return how many probes go through the steps together, and how many end before something dense runs."""
        chunk = min(self.chunk, CHUNK_BYTES // max(live_bytes(self.program, windows), 1))
        whole = [FLOAT * math.prod(end.shape) for end in self.program.ends if end.kind == "map"]
        if whole:
            chunk = min(chunk, CHUNK_BYTES // sum(whole))
            return max(chunk, 1), max(chunk, 1)
        source = windows[self.program.source.name]
        # Deltas of the input, and the places of their cells.
        each = source.rows * (FLOAT * self.program.in_shape[0] + 40) // max(len(source), 1)
        return max(chunk, 1), max(chunk, 1, min(VECTORS, CHUNK_BYTES // max(each, 1)))

    def _fill_ends(
        self,
        buffers: Sequence[_EndBuffer],
        delta: Delta,
        chunks: Sequence[tuple[slice, Mapping[str, Windows]]],
        cache: ActivationCache,
    ) -> None:
        """Compute what some probes leave the windows with, one buffer per end, chunk by chunk.

        Args:
            buffers: filled.
            delta: delta of the input, for all at once, because PyTorch's threads spin for a while after their work
                and slow down the kernels' threads.
            chunks: probes that go through the steps together, and their windows.
            cache: activations of the photos.
        """
        first = chunks[0][0].start
        for some, windows in chunks:
            parts = self._ends(delta.some(some.start - first, some.stop - some.start), windows, cache)
            for left, part in zip(buffers, parts, strict=True):
                left.add(part, self.kernels)
            # Two ends may read one delta: it is released once.
            for part in dict.fromkeys(parts):
                self.kernels.release(part)

    def _fitted_windows(self, windows: Mapping[str, Windows], chunk: slice) -> dict[str, Windows]:
        """Return the windows of some probes as the kernels prefer them; shared windows stay shared."""
        # Windows of the input are the occlusions', and those at the ends are joined with other probes'.
        ends = {end.value for end in self.program.ends if end.kind != "mean"}
        unfitted = {id(windows[name]) for name in {self.program.source.name} | ends}
        found: dict[int, Windows] = {}
        for name, (_, height, width) in self.program.shapes.items():
            each = windows[name]
            if id(each) not in found:
                some = each[chunk]
                found[id(each)] = (
                    some if id(each) in unfitted else self.kernels.fit_windows(some, (height, width))
                )
        return {name: found[id(each)] for name, each in windows.items()}

    def _ends(self, delta: Delta, windows: Mapping[str, Windows], cache: ActivationCache) -> list[Delta]:
        """Return the deltas with which a chunk of probes leaves the windows, one per end."""
        program = self.program
        last = program.last_use()
        live = {program.source.name: delta}
        for place, step in enumerate(program.steps):
            inputs = tuple(live[name] for name in step.inputs)
            live[step.output] = self.kernels.step(Work(step, inputs, windows[step.output], cache))
            for name in set(step.inputs):
                if last.get(name) == place:
                    self.kernels.release(live.pop(name))
        return [live[end.value] for end in program.ends]


def _pieces(whole: slice, size: int) -> Iterator[slice]:
    """Split a slice into consecutive slices of at most ``size``."""
    for start in range(whole.start, whole.stop, size):
        yield slice(start, min(start + size, whole.stop))


def _is_finite(occlusions: Occlusions) -> bool:
    fills = [occlusions.fill] if isinstance(occlusions.fill, np.ndarray) else occlusions.fill
    return all(bool(np.isfinite(fill).all()) for fill in fills)


@dataclass(eq=False)
class _EndBuffer:
    """Values with which some probes leave the windows, at one end.

    Attributes:
        end: the end.
        windows: windows of the deltas.
        values: each changed cell's row; for a mean one sum per probe, since it needs no more.
    """

    end: End
    windows: Windows
    values: Float[Tensor, "n c"] = field(init=False)
    _filled: int = 0

    def add(self, delta: Delta, kernels: Kernels) -> None:
        """Copy what is needed of the next probes' delta."""
        is_mean = self.end.kind == "mean"
        if not self._filled:
            count = len(self.windows) if is_mean else self.windows.rows
            self.values = delta.rows.new_empty(count, delta.rows.shape[1])
        room = self.values[self._filled :][: len(delta.windows) if is_mean else len(delta.rows)]
        if is_mean:
            kernels.sums(delta, room)
        else:
            room.copy_(delta.rows)
        self._filled += len(room)


class _EndValues:
    """Values that the dense tail reads, computed from the deltas at the ends."""

    def __init__(self, program: Program, kernels: Kernels, cache: ActivationCache) -> None:
        self._kernels, self._cache = kernels, cache
        self._maps = {
            end.node: rows_of_map(cache.values[end.node].reshape(cache.photos, *end.shape))
            for end in program.ends
            if end.kind == "map"
        }

    def ends(self, buffers: Sequence[_EndBuffer]) -> dict[fx.Node, Tensor]:
        """Return the values of all probes by node."""
        return {left.end.node: self._value(left) for left in buffers}

    def _value(self, left: _EndBuffer) -> Tensor:
        end, windows = left.end, left.windows
        base = self._cache.values[end.node]
        if end.kind == "cells":
            return self._kernels.cells(end, Delta(left.values, windows), base)
        if end.kind == "map":
            return self._whole(end, Delta(left.values, windows)).view(-1, *base.shape[1:])
        sums = left.values * (1 / (end.shape[1] * end.shape[2]))
        if end.factor is not None:
            sums = sums * end.factor.to(sums)
        photos = torch.as_tensor(windows.photo, device=base.device).long()
        prediction: Tensor = base.index_select(0, photos) + sums.view(-1, *base.shape[1:])
        return prediction

    def _whole(self, end: End, delta: Delta) -> Float[Tensor, "n c h w"]:
        """Return the changed map of each probe."""
        channels, height, width = end.shape
        windows = delta.windows
        base = self._maps[end.node].view(-1, height * width, channels)
        photos = torch.as_tensor(windows.photo, device=base.device).long()
        cells = base.index_select(0, photos).view(-1, channels)
        owner, y, x = windows.places()
        places = torch.as_tensor((owner * height + y) * width + x, device=base.device)
        rows = delta.rows
        if end.factor is not None:
            factor = end.factor.to(rows).expand(channels * height * width).view(channels, -1).t()
            rows = rows * factor.index_select(0, torch.as_tensor(y * width + x, device=base.device).long())
        cells.index_add_(0, places, rows)
        return cells.view(-1, height, width, channels).permute(0, 3, 1, 2).contiguous()
