"""Traced networks: a user's module compiled once to a program, and found again as long as it is unchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from canonface.engine.incremental.costs import saturated
from canonface.engine.incremental.executor import CHUNK_BYTES, Executor
from canonface.engine.incremental.fusion import fuse_convolutions
from canonface.engine.incremental.kernels import Kernels
from canonface.engine.incremental.lowering import lower
from canonface.engine.incremental.program import Program
from canonface.engine.incremental.torch_kernels import TorchKernels
from canonface.engine.incremental.trace import trace_module
from canonface.models.torch_module import evaluating

SAMPLED_VALUES = 16
"""Numbers of each tensor that are read to detect a change."""
MIN_CHUNK, KEPT_BYTES = 64, 640 * 2**20
"""Bound on the deltas of a chunk and the memory kept with them; ``MIN_CHUNK`` probes are always allowed."""


@dataclass(eq=False)
class TracedNetwork:
    """Module as it was when it was compiled.

    Attributes:
        program: the network's program.
        executors: by engine; each keeps its kernels' packed weights.
        choice: the chosen plan, by requested engine.
        like: an input; None: in single precision on the CPU.
    """

    program: Program
    executors: dict[str, Executor] = field(default_factory=dict)
    choice: dict[str, Any] = field(default_factory=dict)
    like: Tensor | None = None

    def executor(self, engine: str, probe_bytes: int, kept_bytes: int = 0) -> Executor:
        """Return the executor of an engine; the first call makes it.

        Args:
            engine: ``incremental`` or, where it is available, ``native``.
            probe_bytes: deltas of one probe.
            kept_bytes: memory that the kernels hold besides them.
        """
        if engine not in self.executors:
            program, kernels, most = self._with_kernels(engine)
            fitting = max(MIN_CHUNK, (KEPT_BYTES - kept_bytes) // max(probe_bytes, 1))
            chunk = min(most, fitting, CHUNK_BYTES // max(probe_bytes, 1))
            self.executors[engine] = Executor(program, kernels, max(chunk, 1))
        return self.executors[engine]

    def _with_kernels(self, engine: str) -> tuple[Program, Kernels, int]:
        """Return the program as an engine's kernels take it, the kernels, and their most probes per chunk."""
        if engine == "incremental":
            return self._with_whole_maps(), TorchKernels(), 32
        from canonface.engine import native
        from canonface.engine.incremental.native_kernels import CODES, NativeKernels

        library = native.library()
        assert library is not None
        return fuse_convolutions(self.program, frozenset(CODES)), NativeKernels(library), 256

    def _with_whole_maps(self) -> Program:
        """Return the program with whole maps from where windows save next to nothing."""
        graph, name = self.program.graph, saturated(self.program)
        if not name:
            return self.program
        x = torch.zeros(1, *self.program.in_shape) if self.like is None else self.like
        with evaluating(graph), torch.no_grad():
            return lower(graph, x, name)


_known_networks: WeakKeyDictionary[nn.Module, dict[Any, TracedNetwork]] = WeakKeyDictionary()


def traced_network(module: nn.Module, x: Tensor) -> TracedNetwork:
    """Return a module compiled for inputs like ``x``; the same as in an earlier call if nothing has changed since.

    Args:
        module: in any mode; it is traced in evaluation mode.
        x: ``(n, c, h, w)``.

    Raises:
        NotTraceableError: no graph can be made of it.
    """
    key = (tuple(x.shape[1:]), x.dtype, x.device, state_of(module))
    known = _known_networks.setdefault(module, {})
    if key not in known:
        # One compilation is kept per module: another state or size of it is rare.
        known.clear()
        with evaluating(module), torch.no_grad():
            known[key] = TracedNetwork(
                lower(trace_module(module, x[:1]), x[:1]), like=torch.zeros_like(x[:1])
            )
    return known[key]


def state_of(module: nn.Module) -> tuple[Any, ...]:
    """Return what differs after training, loading or surgery: layers, attributes, hooks, and some numbers."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    layers = tuple(
        (
            name,
            id(layer),
            type(layer),
            len(layer._forward_hooks),
            len(layer._forward_pre_hooks),
            *_attributes_of(layer),
        )
        for name, layer in module.named_modules()
    )
    return (layers, *((name, *_fingerprint_of(tensor)) for name, tensor in tensors))


def _attributes_of(layer: nn.Module) -> tuple[Any, ...]:
    """Return a layer's plain attributes: numbers and strings as text, tensors by fingerprint, others by identity."""
    found: list[Any] = []
    for name, value in vars(layer).items():
        if name == "training" or name in _INNER:
            continue
        if isinstance(value, Tensor):
            found.append((name, *_fingerprint_of(value)))
        elif isinstance(value, bool | int | float | str | tuple | list | type(None)):
            found.append((name, repr(value)))
        else:
            found.append((name, id(value)))
    return tuple(found)


_INNER = frozenset(vars(nn.Module()))
"""Attributes that every module has for its own bookkeeping."""


def _fingerprint_of(tensor: Tensor) -> tuple[Any, ...]:
    flat = tensor.detach().reshape(-1)
    step = max(1, flat.numel() // SAMPLED_VALUES)
    version = 0 if tensor.is_inference() else tensor._version
    return (tensor.data_ptr(), version, tuple(flat[::step].tolist()))
