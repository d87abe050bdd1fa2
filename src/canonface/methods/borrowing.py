"""A user's module, borrowed to take gradients of: everything is as before afterwards, also on failure."""

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
"""Methods that need nothing of a model but its answers."""


def as_torch_model(name: str, model: Model, needs: str) -> TorchModel:
    """The model itself, if it is a PyTorch module.

    Args:
        name: of the method.
        model: any model.
        needs: what the method needs of it, in words.

    Raises:
        OptionError: it is none; names the methods that work.
    """
    if isinstance(model, TorchModel):
        return model
    raise OptionError(
        f"{title_of(name)} needs {needs} of a PyTorch module, and {model.name!r} gives answers alone. What needs no "
        f"more than answers: canonface's own map, {' and '.join(FOR_ANY_MODEL)}; or load the network as a "
        "torch.nn.Module."
    )


def require_package(name: str, package: str) -> None:
    """Refuse a method whose package is not installed.

    Raises:
        MissingDependencyError: it is not.
    """
    require("torch", "methods", title_of(name))
    require(package, "methods", title_of(name))


@contextmanager
def borrowed(name: str, model: TorchModel) -> Iterator[None]:
    """Evaluation mode, gradients and random numbers of our own inside; all of it is put back.

    Raises:
        ModelError: what the network or the library raised, in words.
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
                f"{title_of(name)} takes a network that can be run and differentiated; {model.name!r} raised "
                f"{one_line(error)}. Methods that need answers alone: {', '.join(FOR_ANY_MODEL)}."
            ) from error


def seed_noise(model: TorchModel, seed: int) -> None:
    """Seed PyTorch's random numbers of the CPU and of the model's device, to be called inside `borrowed`.

    Not ``torch.manual_seed``: it would seed the devices of others too, which nobody puts back.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if (device := torch.device(model.device)).type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def check_gradient(
    name: str, model: Model, confidence_fn: BoundConfidence | None, score: ScoreKind, package: str
) -> TorchModel:
    """The model, if a gradient of the question reaches its input.

    Raises:
        OptionError: none does; says why.
        MissingDependencyError: the package is not installed.
    """
    borrowable = as_torch_model(name, model, "the gradients")
    require_package(name, package)
    from canonface.methods.scoring import logit_index

    if confidence_fn is not None:
        logit_index(borrowable, confidence_fn, score)
    with borrowed(name, borrowable):
        prediction = borrowable.picked(borrowable.module(grey_input(borrowable).requires_grad_().clone()))
        if not prediction.requires_grad:
            raise OptionError(
                f"{title_of(name)} needs a gradient from the answer back to the input; {model.name!r} cuts it "
                "(torch.no_grad, detach, or an operation without a gradient). Methods that need answers alone: "
                f"{', '.join(FOR_ANY_MODEL)}."
            )
    return borrowable


def grey_input(model: TorchModel):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a tensor: torch is loaded late
    """One grey input ``(1, c, h, w)`` on the model's device, to try a network on."""
    import numpy as np

    grey = model.spec.from_pixels(np.full((*model.spec.size_hw, 3), 127.5))
    return model.to_device(grey)[None]
