"""Objects by name: ``package.module:attribute``, looked for in the current directory too."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from canonface.errors import CanonfaceError, ModelError, near_names
from canonface.models.base import one_line


def is_torch_module(model: Any) -> bool:
    """Whether an object is a PyTorch module."""
    # An object can only be a module if torch was imported before.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def attribute(text: str) -> Any:
    """The object that ``package.module:attribute`` names.

    Raises:
        ModelError: there is no such module or attribute, or importing fails.
    """
    module_name, _, path = text.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ModelError(
            f"{text!r} names package.module:attribute; importing {module_name!r} raised {one_line(error)}. "
            f"It is looked for among the installed packages and in {Path.cwd()}."
        ) from error
    value: Any = module
    for part in path.split("."):
        if not hasattr(value, part):
            public = (
                [key for key in vars(value) if not key.startswith("_")] if hasattr(value, "__dict__") else []
            )
            raise ModelError(f"{module_name!r} has no attribute {path!r}. {near_names(part, public)}")
        value = getattr(value, part)
    return value


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


@contextmanager
def current_directory_importable() -> Iterator[None]:
    """The current directory is searched first inside."""
    added = str(Path.cwd())
    sys.path.insert(0, added)
    try:
        yield
    finally:
        sys.path.remove(added)
