"""A user's module, compiled once for questions about windows, and found again as long as it stays as it is."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from canonface.engine.incremental.lowering import lowered
from canonface.engine.incremental.program import Program
from canonface.engine.incremental.tracing import traced
from canonface.models.torch_module import evaluating

SAMPLE = 16
"""Numbers of each tensor that are looked at to tell whether it changed."""

_programs: WeakKeyDictionary[nn.Module, dict[Any, Program]] = WeakKeyDictionary()


def program_of(module: nn.Module, x: Tensor) -> Program:
    """The program of a module for inputs like ``x``; that of an earlier call, if nothing has changed since.

    Args:
        module: in any mode; it is traced in evaluation mode.
        x: ``(n, c, h, w)``.

    Raises:
        NotTraceableError: no graph can be made of it.
    """
    key = (tuple(x.shape[1:]), x.dtype, x.device, state_of(module))
    known = _programs.setdefault(module, {})
    if key not in known:
        with evaluating(module), torch.no_grad():
            program = lowered(traced(module), x[:1])
        # One is kept: another state of the module, or another size, is a rare visitor.
        known.clear()
        known[key] = program
    return known[key]


def state_of(module: nn.Module) -> tuple[Any, ...]:
    """What differs after training, loading or surgery: layers, places, versions and some of the numbers."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    layers = tuple((name, id(layer)) for name, layer in module.named_modules())
    return (layers, *((name, *_trace_of(tensor)) for name, tensor in tensors))


def _trace_of(tensor: Tensor) -> tuple[Any, ...]:
    flat = tensor.detach().reshape(-1) if tensor.is_contiguous() else tensor.detach().contiguous().reshape(-1)
    step = max(1, flat.numel() // SAMPLE)
    version = 0 if tensor.is_inference() else tensor._version
    return (tensor.data_ptr(), version, tuple(flat[::step].tolist()))
