"""PyTorch modules as models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.errors import ModelOutputError, OptionError
from canonface.imports import require
from canonface.models.fingerprint import module_fingerprint, with_choices
from canonface.models.outputs import describe_outputs, guess_outputs, select_output
from canonface.types import InputSpec, Outputs


@dataclass(frozen=True, eq=False)
class TorchModel:
    """PyTorch module from ``(n, c, h, w)`` float32 to ``(n, d)``.

    The module runs in evaluation mode, without gradients, on a copy of each batch; every submodule's own mode is
    restored afterwards, also on failure. ``torch_model`` moves it to a device first.

    Attributes:
        module: the module, on ``device``.
        name: name in messages, tables and manifests.
        spec: input specification.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        device: device of the module, as PyTorch writes it.
        output: key or position of the output to explain if the module returns several; None if it returns one.
    """

    module: Any = field(repr=False)
    name: str
    spec: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    outputs: Outputs = "logits"
    device: str = "cpu"
    output: str | int | None = None

    def __call__(self, batch: Any) -> Any:
        """Return the output of the module as a NumPy array, not checked."""
        import torch

        with evaluating(self.module), torch.inference_mode():
            # A first layer that works in place would change the caller's batch.
            outputs = self.picked(self.module(batch.clone()))
        return as_array(outputs)

    def picked(self, outputs: Any) -> Any:
        """Return the tensor to explain out of the module's return value.

        Raises:
            ModelOutputError: it is not a tensor.
            OptionError: the module returned several, and none of the name ``output``.
        """
        import torch

        if self.output is not None:
            outputs = select_output(self.name, outputs, self.output)
        if not isinstance(outputs, torch.Tensor):
            raise ModelOutputError(_not_a_tensor(self.name, outputs))
        return outputs

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Any:
        """Return a copy of ``x`` as a float32 tensor on the module's device."""
        import torch

        # torch does not accept negative strides.
        return torch.tensor(np.ascontiguousarray(x), dtype=torch.float32, device=self.device)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the module's tensors, structure, code, plain attributes and hooks.

        That of the file for a program.
        """
        from canonface.models.torch_files import TorchProgram

        is_program = isinstance(self.module, TorchProgram)
        whole = self.module.fingerprint() if is_program else module_fingerprint(self.module)
        return with_choices(whole, self.output)


def torch_model(  # noqa: D417
    module: Any,
    name: str,
    spec: InputSpec,
    labels: tuple[str, ...],
    outputs: Outputs | None,
    device: str,
    output: str | int | None = None,
) -> TorchModel:
    """Wrap a module as a model and move it to a device.

    Args:
        outputs: kind of the outputs; None guesses it from one grey input: `guess_outputs`.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. ``auto`` leaves a module on its accelerator and
            moves another one to the best device available.

    Raises:
        OptionError: the device does not exist here, or the module's weights are not float32.
    """
    import torch

    wrong = sorted({str(p.dtype) for p in module.parameters() if p.is_floating_point()} - {"torch.float32"})
    if wrong:
        raise OptionError(
            f"Models run in float32; {name!r} holds {', '.join(wrong)}: pass module.float(), or wrap it in a "
            "callable that converts."
        )
    chosen = choose_device(device, module)
    module.to(chosen)
    model = TorchModel(module, name, spec, labels, outputs or "logits", chosen, output)
    if outputs is not None:
        return model
    layers = [layer for layer in module.modules() if not list(layer.children())]
    ends_in_sigmoid = bool(layers) and isinstance(layers[-1], torch.nn.Sigmoid)
    return replace(model, outputs=guess_outputs(model, ends_in_sigmoid))


def is_torch_module(model: Any) -> bool:
    """Return True if an object is a PyTorch module; does not import PyTorch."""
    # An object can only be a module if torch was imported before.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def choose_device(device: str, module: Any = None) -> str:
    """Return the device to compute on; ``auto`` prefers the module's own accelerator, then CUDA, Metal, the CPU.

    Raises:
        OptionError: there is no such device here.
    """
    torch = require("torch", "torch", "A PyTorch model")
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        places = {str(p.device) for p in module.parameters()} if module is not None else set()
        if len(places) == 1 and "cpu" not in places:
            return str(places.pop())
        return next(kind for kind in ("cuda", "mps", "cpu") if here[kind])
    kind, _, number = device.partition(":")
    if not here.get(kind) or (number and not number.isdigit()):
        found = ", ".join(["auto", *(kind for kind, is_here in here.items() if is_here)])
        raise OptionError(f"device is one that this machine has ({found}); got {device!r}.")
    if kind == "cuda" and number and int(number) >= torch.cuda.device_count():
        raise OptionError(f"There are {torch.cuda.device_count()} CUDA devices here, from 0; got {device!r}.")
    return device


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Set evaluation mode, and restore every submodule's own mode on exit."""
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode


def as_array(outputs: Any) -> np.ndarray:
    """Convert a tensor to an array; half precision becomes float32, since NumPy has no bfloat16."""
    import torch

    outputs = outputs.detach().cpu()
    array: np.ndarray = (
        outputs.float().numpy() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs.numpy()
    )
    return array


def _not_a_tensor(name: str, outputs: Any) -> str:
    return (
        f"A module returns one tensor (n, d); {name!r} returned {describe_outputs(outputs)}. Name the one to explain "
        "with output=, its key or its position, or wrap it in a module whose forward selects it."
    )
