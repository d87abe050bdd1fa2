"""Source, file and globals of functions and classes."""

from __future__ import annotations

import dis
import inspect
import sysconfig
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any


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
