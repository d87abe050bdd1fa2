"""Name and version of canonface's own classes and functions."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

PACKAGE = "canonface"
CODE = (FunctionType, type, functools._lru_cache_wrapper)
"""Types of code that a fingerprint may meet."""


def is_own_module(name: str | None) -> bool:
    """Return whether a module belongs to canonface."""
    return str(name).partition(".")[0] == PACKAGE


def is_own(value: Any) -> bool:
    """Return whether a value is a class or function of canonface."""
    return isinstance(value, CODE) and is_own_module(getattr(value, "__module__", None))


def own_name(value: Any) -> str:
    """Return the name of a class or function of canonface, without the file that it lies in."""
    return f"{PACKAGE}.{value.__qualname__}"


def own_version(value: Any) -> int:
    """Return the stated version of a class, by its attribute ``fingerprint_version``; 1 where nothing is stated.

    It is raised when the behaviour of the class changes, so that results of both can be distinguished.
    """
    return int(getattr(value, "fingerprint_version", 1))
