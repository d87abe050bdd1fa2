"""What a user's object is: a PyTorch module, something to be asked, or something that makes one."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from canonface.errors import CanonfaceError, ModelError
from canonface.models.base import one_line


def is_torch_module(model: Any) -> bool:
    """Whether an object is a PyTorch module."""
    # An object can only be a module if torch was imported before.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def made(value: Any, text: str) -> Any:
    """The value itself, or what it makes if it is a class or a function without required arguments."""
    if is_torch_module(value) or not callable(value):
        return value
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return value
    if any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return value
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and not isinstance(value, type):
        return value
    try:
        return value()
    except CanonfaceError:
        raise
    except Exception as error:
        raise ModelError(f"{text!r} makes a model; it raised {one_line(error)}.") from error
