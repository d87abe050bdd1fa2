"""From the text ``package.module:attribute`` to the object.

The current directory is searched after the installed packages, so that a user's file never hides one of them.
"""

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


def attribute(text: str, failure: type[CanonfaceError] = OptionError) -> Any:
    """The object that ``package.module:attribute`` names; the current directory is searched too, last.

    Args:
        text: what ``is_attribute`` is true of.
        failure: the error to raise.

    Raises:
        CanonfaceError: there is no such module or attribute, or the module fails.
    """
    module_name, _, path = text.partition(":")
    with current_directory_importable():
        value = module = _module(module_name, failure)
    for part in path.split("."):
        if not hasattr(value, part):
            public = [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]
            # The file is named, since an installed package hides a file of its name.
            place = getattr(module, "__file__", None)
            whole = f"{module_name} ({place})" if place else module_name
            raise failure(f"{whole} has no attribute {part!r}: {near_names(part, public)}")
        value = getattr(value, part)
    return value


def _module(name: str, failure: type[CanonfaceError]) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise failure(
                f"There is no module {name!r}: it lies in an installed package or in the current directory, "
                f"{Path.cwd()}."
            ) from error
        raise failure(f"{name} needs the module {missing!r}, which is not installed.") from error
    except CanonfaceError:
        raise
    except Exception as error:
        raise failure(f"{name} fails while it is imported: {type(error).__name__}: {error}") from error


@contextmanager
def current_directory_importable() -> Iterator[None]:
    """Inside, the current directory is searched too, after all else; afterwards no longer."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
