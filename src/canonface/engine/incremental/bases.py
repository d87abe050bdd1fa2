"""What is computed once a photo: the activations that windows read, and the answers that changes are added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, fx

from canonface.engine.incremental.program import Program


@dataclass(frozen=True, eq=False)
class Bases:
    """The unchanged network on some photos.

    Attributes:
        photos: how many.
        maps: by name, ``(photos * h * w, c)``: channels last, one cell a row.
        values: by node, as the network computes them: what ends add changes to, and constants.
        prediction: what the network returns.
    """

    photos: int
    maps: dict[str, Float[Tensor, "cells c"]]
    values: dict[fx.Node, Any]
    prediction: Any


def bases_of(program: Program, x: Float[Tensor, "photos c h w"]) -> Bases:
    """Run the network once and keep what its program reads.

    The network is in evaluation mode, without gradients: see the caller.
    """
    recorder = _Recorder(program)
    # A copy: a first layer that works in place would write over the photos.
    prediction = recorder.run(x.clone())
    return Bases(len(x), recorder.maps, recorder.values, prediction)


def rows_of_map(value: Float[Tensor, "n c h w"]) -> Float[Tensor, "cells c"]:
    """Maps as rows, one a cell: a copy, since layers that work in place would change the original."""
    return value.permute(0, 2, 3, 1).reshape(-1, value.shape[1]).clone(memory_format=torch.contiguous_format)


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps some of its values as they are when they are made."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        dense = {*program.maps, *program.rest}
        given = {node for last in dense for node in last.all_input_nodes if node not in dense}
        self._kept = given | {end.node for end in program.ends}
        self._maps = program.bases
        self.maps: dict[str, Tensor] = {}
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self._maps:
            self.maps[n.name] = rows_of_map(value)
        if n in self._kept:
            self.values[n] = value.clone() if isinstance(value, Tensor) else value
        return value
