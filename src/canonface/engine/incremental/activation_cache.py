"""Activation cache: activations of the unchanged photos that windows read, computed once per photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx

from canonface.engine.incremental.program import Program


@dataclass(frozen=True, eq=False)
class ActivationCache:
    """Activations of the unchanged network on some photos.

    Attributes:
        photos: number of photos.
        maps: by name, ``(photos * h * w, c)``: channels last, one row per cell.
        values: by node, in the network's own layout: values that ends add deltas to, and constants.
        prediction: output of the network.
    """

    photos: int
    maps: dict[str, Float[Tensor, "cells c"]]
    values: dict[fx.Node, Any]
    prediction: Any


def cache_activations(program: Program, x: Float[Tensor, "photos c h w"]) -> ActivationCache:
    """Run the network once and keep the values that its program reads.

    The caller puts the network into evaluation mode and switches gradients off.
    """
    recorder = _Recorder(program)
    # A copy: a first layer that works in place would write over the photos.
    prediction = recorder.run(x.clone())
    return ActivationCache(len(x), recorder.maps, recorder.values, prediction)


def rows_of_map(value: Float[Tensor, "n c h w"]) -> Float[Tensor, "cells c"]:
    """Return maps as rows, one per cell: a copy, since layers that work in place would change the original."""
    return value.permute(0, 2, 3, 1).reshape(-1, value.shape[1]).clone(memory_format=torch.contiguous_format)


class _Recorder(fx.Interpreter):
    """Interpreter that copies some values when they are computed."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        dense = {*program.maps, *program.tail}
        given = {node for last in dense for node in last.all_input_nodes if node not in dense}
        self._kept = given | {end.node for end in program.ends}
        self._maps = program.cached
        self.maps: dict[str, Tensor] = {}
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self._maps:
            self.maps[n.name] = rows_of_map(value)
        if n in self._kept:
            self.values[n] = value.clone() if isinstance(value, Tensor) else value
        return value
