"""Safe use of a user's PyTorch module for gradients: its state is restored afterwards, also on failure."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from canonface.confidence import BoundConfidence
from canonface.errors import (
    CanonfaceError,
    ModelError,
    OptionError,
    OutOfMemoryError,
    is_out_of_memory,
    single_image_too_large,
)
from canonface.imports import require
from canonface.methods.base import ScoreKind, title_of
from canonface.models import Model, TorchModel
from canonface.models.base import one_line
from canonface.models.torch_module import evaluating

FOR_ANY_MODEL = ("occlusion", "rise")
"""Methods that need only a model's outputs."""


def as_torch_model(name: str, model: Model, needs: str) -> TorchModel:
    """Return the model if it is a PyTorch module.

    Args:
        name: name of the method.
        model: any model.
        needs: what the method needs of the model, for the message.

    Raises:
        OptionError: it is not a PyTorch module; the message names the methods that work.
    """
    if isinstance(model, TorchModel):
        return model
    raise OptionError(
        f"{title_of(name)} needs {needs} of a PyTorch module; {model.name!r} gives outputs only. Methods for any "
        f"model: canonface's own map, {' and '.join(FOR_ANY_MODEL)}; or load the network as a torch.nn.Module."
    )


def require_package(name: str, package: str) -> None:
    """Raise MissingDependencyError if a method's package is not installed."""
    require("torch", "methods", title_of(name))
    require(package, "methods", title_of(name))


@contextmanager
def autograd_context(name: str, model: TorchModel) -> Iterator[None]:
    """Set evaluation mode, gradients and a separate random state inside the context, and restore all of them.

    Raises:
        ModelError: the network or the library failed.
        OutOfMemoryError: a single image does not fit.
    """
    import torch

    device = torch.device(model.device)
    drawn_on = [device] if device.type == "cuda" else []
    with (
        evaluating(model.module),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.random.fork_rng(drawn_on),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")
        try:
            yield
        except CanonfaceError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemoryError(single_image_too_large()) from error
            raise ModelError(
                f"{title_of(name)} needs a network that can be run and differentiated; {model.name!r} raised "
                f"{one_line(error)}. Methods for any model: {', '.join(FOR_ANY_MODEL)}."
            ) from error


def seed_noise(model: TorchModel, seed: int) -> None:
    """Seed PyTorch's random numbers of the CPU and of the model's device; call it inside `autograd_context`.

    ``torch.manual_seed`` would also seed other devices, whose state is not restored.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if (device := torch.device(model.device)).type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def check_gradient(
    name: str, model: Model, confidence_fn: BoundConfidence | None, score: ScoreKind, package: str
) -> TorchModel:
    """Return the model if a gradient of its output reaches its input.

    Raises:
        OptionError: none does; the message says why.
        MissingDependencyError: the package is not installed.
    """
    torch_model = as_torch_model(name, model, "the gradients")
    require_package(name, package)
    from canonface.methods.score import logit_index

    if confidence_fn is not None:
        logit_index(torch_model, confidence_fn, score)
    with autograd_context(name, torch_model):
        outputs = torch_model.picked(torch_model.module(grey_input(torch_model).requires_grad_().clone()))
        if not outputs.requires_grad:
            raise OptionError(
                f"{title_of(name)} needs a gradient from the output back to the input; {model.name!r} cuts it "
                "(torch.no_grad, detach, or an operation without a gradient). Methods for any model: "
                f"{', '.join(FOR_ANY_MODEL)}."
            )
    return torch_model


def grey_input(model: TorchModel):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a tensor: torch is loaded late
    """Return one grey input ``(1, c, h, w)`` on the model's device, for trial runs of the network."""
    import numpy as np

    grey = model.spec.from_pixels(np.full((*model.spec.size_hw, 3), 127.5))
    return model.to_device(grey)[None]
