"""Imports by text, of user code (``package.module:attribute``) and of optional packages.

The current directory is searched after the installed packages, so that a user's file never hides one of them.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from canonface.errors import CanonfaceError, MissingDependencyError, OptionError, near_names

_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_attribute(text: str) -> bool:
    """Return True if a text has the form ``package.module:attribute``."""
    return _ATTRIBUTE.fullmatch(text) is not None


def import_attribute(text: str, failure: type[CanonfaceError] = OptionError) -> Any:
    """Import and return the object that ``package.module:attribute`` names.

    Args:
        text: a text that ``is_attribute`` accepts.
        failure: class of the error to raise.

    Raises:
        CanonfaceError: there is no such module or attribute, or the module fails while it is imported.
    """
    module_name, _, path = text.partition(":")
    with current_directory_importable():
        value = module = _import_module(module_name, failure)
    for part in path.split("."):
        if not hasattr(value, part):
            public = [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]
            # The message names the file, since an installed package hides a local file of the same name.
            place = getattr(module, "__file__", None)
            whole = f"{module_name} ({place})" if place else module_name
            raise failure(f"{whole} has no attribute {part!r}: {near_names(part, public)}")
        value = getattr(value, part)
    return value


def _import_module(name: str, failure: type[CanonfaceError]) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise failure(
                f"There is no module {name!r} in the installed packages or in the current directory, {Path.cwd()}."
            ) from error
        raise failure(f"{name} needs the module {missing!r}, which is not installed.") from error
    except CanonfaceError:
        raise
    except Exception as error:
        raise failure(f"{name} fails while it is imported: {type(error).__name__}: {error}") from error


@contextmanager
def current_directory_importable() -> Iterator[None]:
    """Search the current directory too, after everything else, while the context lasts."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)


def is_factory(value: Any) -> bool:
    """Return True if a value is a class or a function that can be called without arguments.

    A function with ``*args`` is no factory: it may take a batch.
    """
    if not callable(value):
        return False
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return False
    if any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return False
    return isinstance(value, type) or not any(p.kind is p.VAR_POSITIONAL for p in parameters)


def require(module: str, extra: str, purpose: str) -> Any:
    """Import and return an optional package.

    Args:
        module: dotted name.
        extra: the extra of canonface that installs it.
        purpose: subject of the message, e.g. ``"An ONNX file"``.

    Raises:
        MissingDependencyError: it is not installed; names the extra that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if getattr(error, "name", None) not in (module, module.split(".", maxsplit=1)[0]):
            raise
        raise MissingDependencyError(
            f"{purpose} needs the package {module!r}, which is not installed: pip install 'canonface[{extra}]'."
        ) from error
