"""A PyTorch module as a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface.errors import ModelOutputError, OptionError
from canonface.models.dependencies import require
from canonface.models.fingerprint import module_fingerprint, with_choices
from canonface.models.outputs import described, select_output
from canonface.models.probing import guessed_outputs
from canonface.types import InputSpec, Outputs


@dataclass(frozen=True, eq=False)
class TorchModel:
    """A ``torch.nn.Module`` from ``(n, c, h, w)`` float32 to ``(n, d)``.

    The module is asked in evaluation mode, without gradients, on a copy of each batch; every submodule's own mode
    is put back afterwards, also on failure. ``torch_model`` moves it to a device first.

    Attributes:
        module: the module, on ``device``.
        name: for messages, tables and manifests.
        spec: how it wants to be shown a face.
        labels: name of each output, in order.
        outputs: kind of its outputs.
        device: where it computes, as PyTorch writes it.
        output: which answer is read if the module returns several: a key or a position; None if it returns one.
    """

    module: Any = field(repr=False)
    name: str
    spec: InputSpec = field(default_factory=InputSpec)
    labels: tuple[str, ...] = ()
    outputs: Outputs = "logits"
    device: str = "cpu"
    output: str | int | None = None

    def __call__(self, batch: Any) -> Any:
        """Answer of the module as a NumPy array; ``checked_outputs`` checks it."""
        import torch

        with evaluating(self.module), torch.inference_mode():
            # A copy, since a first layer that works in place would change the caller's batch.
            outputs = self.picked(self.module(batch.clone()))
        return as_array(outputs)

    def picked(self, outputs: Any) -> Any:
        """The tensor that is read of what the module returned.

        Raises:
            ModelOutputError: it is none.
            OptionError: several were returned, and none of the name ``output``.
        """
        import torch

        if self.output is not None:
            outputs = select_output(self.name, outputs, self.output)
        if not isinstance(outputs, torch.Tensor):
            raise ModelOutputError(_not_a_tensor(self.name, outputs))
        return outputs

    def to_device(self, x: Float[np.ndarray, "*batch c h w"]) -> Any:
        """A copy of ``x`` as a float32 tensor on the module's device."""
        import torch

        # torch takes no negative strides.
        return torch.tensor(np.ascontiguousarray(x), dtype=torch.float32, device=self.device)

    def fingerprint(self) -> str:
        """SHA-256 of the module's tensors, structure, code, plain attributes and hooks; of a program's file."""
        from canonface.models.torch_files import Program

        is_program = isinstance(self.module, Program)
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
    """A module as a model, moved to a device.

    Args:
        outputs: None: ``probabilities`` if the answer to one grey input looks like them, or if the last layer is a
            sigmoid and the answer lies in 0..1; else ``logits``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``. ``auto`` leaves a module that is on an accelerator
            where it is and moves another to the best device there is.

    Raises:
        OptionError: the device does not exist here, or the module's weights are not float32.
    """
    import torch

    wrong = sorted({str(p.dtype) for p in module.parameters() if p.is_floating_point()} - {"torch.float32"})
    if wrong:
        raise OptionError(
            f"Models are asked in float32; {name!r} holds {', '.join(wrong)}: pass module.float(), or wrap it in a "
            "callable that converts."
        )
    chosen = choose_device(device, module)
    module.to(chosen)
    model = TorchModel(module, name, spec, labels, outputs or "logits", chosen, output)
    if outputs is not None:
        return model
    layers = [layer for layer in module.modules() if not list(layer.children())]
    ends_in_sigmoid = bool(layers) and isinstance(layers[-1], torch.nn.Sigmoid)
    return replace(model, outputs=guessed_outputs(model, ends_in_sigmoid))


def choose_device(device: str, module: Any = None) -> str:
    """The device to compute on; ``auto`` prefers where the module already is, then CUDA, Metal, the CPU.

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
    """Evaluation mode inside; afterwards every submodule's own mode again."""
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for layer, mode in modes:
            layer.training = mode


def as_array(outputs: Any) -> np.ndarray:
    """A tensor as an array; NumPy has no half-precision numbers of every kind."""
    import torch

    outputs = outputs.detach().cpu()
    array: np.ndarray = (
        outputs.float().numpy() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs.numpy()
    )
    return array


def _not_a_tensor(name: str, outputs: Any) -> str:
    return (
        f"A module returns one tensor (n, d); {name!r} returned {described(outputs)}. Say which one to explain by "
        "output=, its key or its position, or wrap it in a module whose forward picks it."
    )
