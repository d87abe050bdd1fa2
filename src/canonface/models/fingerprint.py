"""SHA-256 of what a model's answers depend on, the same in every process."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np

_DEPTH = 6


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def object_fingerprint(value: Any) -> str:
    """SHA-256 of a callable: its source, and what it closes over, is bound to or holds.

    Arrays, numbers, texts and functions count by content; anything else by its type alone, since an address in
    memory differs between processes.
    """
    digest = hashlib.sha256()
    _feed(digest, value, _DEPTH)
    return digest.hexdigest()


def module_fingerprint(module: Any) -> str:
    """SHA-256 of a PyTorch module: its class, its structure and every tensor of its state."""
    digest = hashlib.sha256(_qualname(type(module)).encode())
    digest.update(_without_addresses(repr(module)).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:".encode())
        if hasattr(tensor, "detach"):
            _feed_tensor(digest, tensor)
        else:
            _feed(digest, tensor, _DEPTH)
    return digest.hexdigest()


def _feed_tensor(digest: Any, tensor: Any) -> None:
    import torch

    digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
    # As bytes, since NumPy knows no bfloat16.
    digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


def _feed(digest: Any, value: Any, depth: int) -> None:
    digest.update(f"|{_qualname(type(value))}:".encode())
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        digest.update(repr(value).encode())
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        digest.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif depth == 0:
        return
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            _feed(digest, key, depth - 1)
            _feed(digest, value[key], depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _feed(digest, item, depth - 1)
    elif hasattr(value, "state_dict") and callable(value.state_dict):
        digest.update(module_fingerprint(value).encode())
    else:
        for part in _parts(value):
            _feed(digest, part, depth - 1)


def _parts(value: Any) -> tuple[Any, ...]:
    """What a callable or an object is made of."""
    if isinstance(value, functools.partial):
        return value.func, value.args, value.keywords
    if inspect.ismethod(value):
        return value.__func__, value.__self__
    if inspect.isfunction(value):
        captured = inspect.getclosurevars(value).nonlocals
        return _source(value), captured, value.__defaults__, value.__kwdefaults__
    if inspect.isclass(value):
        return (_source(value),)
    return _source(type(value)), getattr(value, "__dict__", {})


def _source(value: Any) -> str:
    """Source of a function or class; its bytecode or its name where there is none."""
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        return _qualname(value) if code is None else f"{code.co_code!r}{code.co_names}"


def _qualname(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-fA-F]+", "0x", text)
