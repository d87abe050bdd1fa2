"""A user's module, compiled once for questions about windows, and found again as long as it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from canonface.engine.incremental.costs import filled
from canonface.engine.incremental.joining import joined
from canonface.engine.incremental.kernels import Kernels
from canonface.engine.incremental.lowering import lowered
from canonface.engine.incremental.program import Program
from canonface.engine.incremental.session import CHUNK_BYTES, Session
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.tracing import traced
from canonface.models.torch_module import evaluating

SAMPLE = 16
"""Numbers of each tensor that are looked at to tell whether it changed."""
FEW, ALL_BYTES = 64, 640 * 2**20
"""Bound on the changes of probes with what is kept beside them, from so many probes on: more only save calls."""


@dataclass(eq=False)
class Network:
    """A module as it was when it was compiled.

    Attributes:
        program: what is done.
        sessions: by engine: the program with its kernels, whose packed weights are kept.
        choice: the plan that was found, by the engine that was asked for.
        like: an input; None: in single precision on the CPU.
    """

    program: Program
    sessions: dict[str, Session] = field(default_factory=dict)
    choice: dict[str, Any] = field(default_factory=dict)
    like: Tensor | None = None

    def session(self, engine: str, probe_bytes: int, kept_bytes: int = 0) -> Session:
        """The program with the kernels of an engine.

        Args:
            engine: ``incremental``, ``bfloat16`` or, where it is, ``native``.
            probe_bytes: changes of one probe.
            kept_bytes: what the kernels hold beside them.
        """
        if engine not in self.sessions:
            program, kernels, most = self._with_kernels(engine)
            fitting = max(FEW, (ALL_BYTES - kept_bytes) // max(probe_bytes, 1))
            chunk = min(most, fitting, CHUNK_BYTES // max(probe_bytes, 1))
            self.sessions[engine] = Session(program, kernels, max(chunk, 1))
        return self.sessions[engine]

    def _with_kernels(self, engine: str) -> tuple[Program, Kernels, int]:
        """The program as the kernels of an engine take it, these kernels, and how many probes suit them at once."""
        if engine == "bfloat16":
            return self.program, TorchKernels(engine), 32
        if engine == "incremental":
            return self._with_whole_maps(), TorchKernels(), 32
        from canonface.engine import native
        from canonface.engine.incremental.native_kernels import CODES, NativeKernels

        library = native.library()
        assert library is not None
        return joined(self.program, frozenset(CODES)), NativeKernels(library), 256

    def _with_whole_maps(self) -> Program:
        """The program with whole maps from where windows save next to nothing."""
        graph, name = self.program.graph, filled(self.program)
        if not name:
            return self.program
        x = torch.zeros(1, *self.program.in_shape) if self.like is None else self.like
        with evaluating(graph), torch.no_grad():
            return lowered(graph, x, name)


_networks: WeakKeyDictionary[nn.Module, dict[Any, Network]] = WeakKeyDictionary()


def network_of(module: nn.Module, x: Tensor) -> Network:
    """A module compiled for inputs like ``x``; as in an earlier call, if nothing has changed since.

    Args:
        module: in any mode; it is traced in evaluation mode.
        x: ``(n, c, h, w)``.

    Raises:
        NotTraceableError: no graph can be made of it.
    """
    key = (tuple(x.shape[1:]), x.dtype, x.device, state_of(module))
    known = _networks.setdefault(module, {})
    if key not in known:
        # One is kept: another state of the module, or another size, is a rare visitor.
        known.clear()
        with evaluating(module), torch.no_grad():
            known[key] = Network(lowered(traced(module, x[:1]), x[:1]), like=torch.zeros_like(x[:1]))
    return known[key]


def state_of(module: nn.Module) -> tuple[Any, ...]:
    """What differs after training, loading or surgery: layers, what they are set to, hooks, some of the numbers."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    layers = tuple(
        (
            name,
            id(layer),
            type(layer),
            len(layer._forward_hooks),
            len(layer._forward_pre_hooks),
            *_set_to(layer),
        )
        for name, layer in module.named_modules()
    )
    return (layers, *((name, *_trace_of(tensor)) for name, tensor in tensors))


def _set_to(layer: nn.Module) -> tuple[Any, ...]:
    """The plain attributes of a layer: numbers and words by their text, tensors by theirs, all else by identity."""
    found: list[Any] = []
    for name, value in vars(layer).items():
        if name == "training" or name in _INNER:
            continue
        if isinstance(value, Tensor):
            found.append((name, *_trace_of(value)))
        elif isinstance(value, bool | int | float | str | tuple | list | type(None)):
            found.append((name, repr(value)))
        else:
            found.append((name, id(value)))
    return tuple(found)


_INNER = frozenset(vars(nn.Module()))
"""What every module keeps account of itself in."""


def _trace_of(tensor: Tensor) -> tuple[Any, ...]:
    flat = tensor.detach().reshape(-1)
    step = max(1, flat.numel() // SAMPLE)
    version = 0 if tensor.is_inference() else tensor._version
    return (tensor.data_ptr(), version, tuple(flat[::step].tolist()))
