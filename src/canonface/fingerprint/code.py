"""Functions and classes as code: identity and version of canonface's own, source and globals of all."""

from __future__ import annotations

import dis
import functools
import inspect
import sysconfig
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
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
    """Return the identity of a class or function of canonface, which no other one of the package has.

    A class counts by its qualified name, a member by that of its class: each class name exists once in the package.
    Another function counts by its file and its name, a command by its whole path in the package. So all but the
    commands keep their identity where a file moves to another package.
    """
    name, module = value.__qualname__, value.__module__.removeprefix(f"{PACKAGE}.")
    within = name.partition(".")[2]
    if isinstance(value, type) or (within and not within.startswith("<locals>")):
        return f"{PACKAGE}.{name}"
    place = module if module.startswith("cli.") else module.rpartition(".")[2]
    return f"{PACKAGE}.{place}.{name}"


def is_local(value: Any) -> bool:
    """Return whether a value is a function made inside another, or a lambda: its name alone does not identify it."""
    return isinstance(value, FunctionType) and "<" in value.__qualname__


def own_version(value: Any) -> int:
    """Return the stated version of a class, by its attribute ``fingerprint_version``; 1 where nothing is stated.

    It is raised when the behaviour of the class changes, so that results of both can be distinguished.
    """
    return int(getattr(value, "fingerprint_version", 1))


def source(value: FunctionType | type) -> str:
    """Return the source of a function or class; empty where there is none."""
    try:
        return inspect.getsource(value)
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""


def globals_read(function: FunctionType) -> dict[str, Any]:
    """Return the globals that a function names, in itself or in functions and comprehensions inside it."""
    names = sorted(_global_names(function.__code__))
    return {name: function.__globals__[name] for name in names if name in function.__globals__}


def is_installed(code: Any) -> bool:
    """Return whether a function or class lies in the folders of installed packages."""
    try:
        path = Path(inspect.getfile(code)).resolve()
    except (OSError, TypeError):
        return False
    return any(path.is_relative_to(place) for place in _installed_places())


def qualname(value: Any) -> str:
    """Return the module and the qualified name of a value, with a dot between them."""
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


@cache
def _installed_places() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib"))


def _global_names(code: CodeType) -> set[str]:
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            names |= _global_names(inner)
    return names
