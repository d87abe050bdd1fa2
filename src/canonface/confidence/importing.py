"""From the text ``package.module:attribute`` to the object."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from canonface.errors import CanonfaceError, OptionError, near_names

_ATTRIBUTE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_attribute(text: str) -> bool:
    """Whether a text has the form ``package.module:attribute``."""
    return _ATTRIBUTE.fullmatch(text) is not None


def attribute(text: str) -> Any:
    """The object that ``package.module:attribute`` names; the current directory is searched too, last.

    Raises:
        OptionError: there is no such module or attribute, or the module fails.
    """
    module_name, _, path = text.partition(":")
    with _current_directory_importable():
        value = _module(module_name)
    for part in path.split("."):
        if not hasattr(value, part):
            known = (
                [name for name in vars(value) if not name.startswith("_")]
                if hasattr(value, "__dict__")
                else []
            )
            raise OptionError(f"{module_name} has no attribute {part!r}: {near_names(part, known)}")
        value = getattr(value, part)
    return value


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise OptionError(
                f"There is no module {name!r}: it lies in an installed package or in the current directory."
            ) from error
        raise OptionError(f"{name} needs the module {missing!r}, which is not installed.") from error
    except CanonfaceError:
        raise
    except Exception as error:
        raise OptionError(f"{name} fails while it is imported: {type(error).__name__}: {error}") from error


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    here = str(Path.cwd())
    # Last, so that a file of the user's never hides an installed package.
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
