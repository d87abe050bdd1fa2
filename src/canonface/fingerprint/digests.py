"""SHA-256 of Python values and code by content, bounded in depth and size, never by an address in memory.

- Numbers, texts, arrays and tensors count by content; containers by their content, sets and dicts in any order.
- Functions and classes count by source (by bytecode and constants where there is none), with the variables that they
  close over and the globals that they name. Those of another installed package count by source alone, those of Python
  and PyTorch by name, canonface's own by identity and stated version (``code.own_name``).
- PyTorch modules count by tensors, structure, classes, plain attributes and hooks.
- Any other object counts by its class and its attributes; locks, loggers, files and the like by type.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from canonface.fingerprint.code import (
    PACKAGE,
    globals_read,
    is_installed,
    is_local,
    is_own,
    is_own_module,
    own_name,
    own_version,
    qualname,
    source,
)

DEPTH = 8
_VALUES = 1_000_000
_OPAQUE = frozenset(
    "logging threading multiprocessing concurrent asyncio subprocess weakref contextvars _thread _weakref".split()
)
_SCALARS = (type(None), bool, int, float, complex, str, bytes, bytearray)


def sha256(*parts: bytes | str) -> bytes:
    """Return the digest of the parts, each with its length, so that no two lists of parts give the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.digest()


class Digester:
    """Computation of the digests of one fingerprint.

    Beyond ``DEPTH`` levels or ``_VALUES`` values, and where an object contains itself, only the type is digested.

    Args:
        package: top-level package of the object. The digest of its functions includes the globals that they name,
            even if the package is installed.

    Attributes:
        met_own: True if the object uses code of canonface.
    """

    def __init__(self, package: str) -> None:
        self.package = package
        self.met_own = False
        self.left = _VALUES
        self.kinds: dict[type, str] = {}
        self.inside: set[int] = set()
        # Values are kept with their digests, so that no address is used twice.
        self.code: dict[tuple[int, int], tuple[Any, bytes]] = {}

    def of(self, value: Any, depth: int = DEPTH) -> bytes:
        """Return the digest of a value."""
        self.left -= 1
        kind = self._kind(type(value))
        if isinstance(value, _SCALARS):
            return sha256(kind, repr(value))
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            array = np.ascontiguousarray(value)
            return sha256(kind, str(array.dtype), str(value.shape), array.tobytes())
        if is_own(value):
            self.met_own = True
            return self._own_code(value, kind, depth)
        if depth == 0 or self.left < 0 or id(value) in self.inside:
            return sha256(kind)
        if isinstance(value, FunctionType | type):
            if (id(value), depth) not in self.code:
                self.code[id(value), depth] = value, self._open(value, kind, depth)
            return self.code[id(value), depth][1]
        return self._open(value, kind, depth)

    def _kind(self, cls: type) -> str:
        """Return the name of a type."""
        if (name := self.kinds.get(cls)) is None:
            is_ours = is_own(cls)
            self.met_own |= is_ours
            name = self.kinds[cls] = self._own_kind(cls) if is_ours else qualname(cls)
        return name

    def _own_kind(self, cls: type) -> str:
        return own_name(cls)

    def _own_code(self, value: Any, kind: str, depth: int) -> bytes:  # noqa: ARG002
        digest = sha256(own_name(value), str(own_version(value)))
        if not is_local(value) or depth == 0 or self.left < 0 or id(value) in self.inside:
            return digest
        return sha256(digest, self._open(value, "", depth))

    def _own_base(self, cls: type) -> list[Any]:
        """Return what canonface's base of another package's class counts by."""
        return [own_name(cls), own_version(cls)]

    def _module_name(self, name: str) -> str:
        if not is_own_module(name):
            return name
        self.met_own = True
        return self._own_module(name)

    def _own_module(self, name: str) -> str:  # noqa: ARG002
        return PACKAGE

    def _open(self, value: Any, kind: str, depth: int) -> bytes:
        self.inside.add(id(value))
        try:
            return sha256(kind, *self._parts(value, depth - 1))
        finally:
            self.inside.discard(id(value))

    def _parts(self, value: Any, depth: int) -> list[bytes]:
        if isinstance(value, dict):
            return sorted(self.of(key, depth) + self.of(item, depth) for key, item in value.items())
        if isinstance(value, set | frozenset):
            return sorted(self.of(item, depth) for item in value)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return [_tensor(value)]
        if torch is not None and isinstance(value, torch.nn.Module):
            return list(self._module(value, depth))
        return [self.of(part, depth) for part in self._made_of(value)]

    def _made_of(self, value: Any) -> tuple[Any, ...]:
        """Return the parts of any other value, in order."""
        if isinstance(value, ModuleType):
            return (self._module_name(value.__name__),)
        if isinstance(value, FunctionType):
            return self._own_local(value) if is_own(value) else self._function(value)
        if isinstance(value, type):
            return self._class(value)
        for kinds, parts in _SPLIT:
            if isinstance(value, kinds):
                return parts(value)
        return _attributes(value)

    def _function(self, function: FunctionType) -> tuple[Any, ...]:
        if _is_known(function.__module__):
            return (qualname(function),)
        text = source(function)
        # Two lambdas may share a line, and the source of each is then the whole line.
        code = None if text and function.__name__ != "<lambda>" else function.__code__
        read = globals_read(function) if self._is_followed(function) else {}
        return text, code, function.__defaults__, function.__kwdefaults__, _captured(function), read

    def _own_local(self, function: FunctionType) -> tuple[Any, ...]:
        """Return what distinguishes canonface's local functions and lambdas of one name."""
        code = function.__code__ if function.__name__ == "<lambda>" else None
        return code, function.__defaults__, function.__kwdefaults__, _captured(function)

    def _class(self, cls: type) -> tuple[Any, ...]:
        parts: list[Any] = []
        for base in cls.__mro__:
            if is_own(base):
                self.met_own = True
                parts += self._own_base(base)
                continue
            parts.append(qualname(base))
            if _is_known(base.__module__):
                continue
            parts.append(source(base))
            if self._is_followed(base):
                members = {k: v for k, v in vars(base).items() if callable(v) or not k.startswith("__")}
                parts.append({k: v for k, v in members.items() if not inspect.ismemberdescriptor(v)})
        return tuple(parts)

    def _module(self, module: Any, depth: int) -> Iterator[bytes]:
        import torch

        layers = dict(module.named_modules())
        fresh = {id(layer) for layer in layers.values()} - self.inside
        # A layer may hold its parent or its neighbour, which are counted elsewhere.
        self.inside |= fresh
        try:
            yield sha256(_without_addresses(self._structure(module)))
            # Buffers that are not saved decide the outputs too.
            for name, tensor in sorted({**dict(module.named_buffers()), **module.state_dict()}.items()):
                yield sha256(name) + self.of(tensor, depth)
            classes = {self._kind(type(layer)): type(layer) for layer in layers.values()}
            for _, cls in sorted(classes.items()):
                yield self.of(cls, depth)
            usual = vars(torch.nn.Module())
            for name, layer in layers.items():
                plain = {key: value for key, value in vars(layer).items() if key not in usual}
                hooks = [*layer._forward_pre_hooks.values(), *layer._forward_hooks.values()]
                yield sha256(name, *(self.of(part, depth) for part in (plain, hooks, _written_code(layer))))
        finally:
            self.inside -= fresh

    def _structure(self, module: Any) -> str:
        """Return the layers of a PyTorch module as a text that contains the names of their classes."""
        return repr(module)

    def _is_followed(self, code: Any) -> bool:
        return str(code.__module__).partition(".")[0] == self.package or not is_installed(code)


_SPLIT: tuple[tuple[Any, Callable[[Any], tuple[Any, ...]]], ...] = (
    (list | tuple | deque, tuple),
    (np.ndarray, lambda array: (array.shape, array.tolist())),
    (PurePath, lambda path: (str(path),)),
    (functools.partial, lambda partial: (partial.func, partial.args, partial.keywords)),
    (MethodType, lambda method: (method.__func__, method.__self__)),
    (staticmethod | classmethod, lambda wrapped: (wrapped.__func__,)),
    (property, lambda wrapped: (wrapped.fget, wrapped.fset)),
    (CodeType, lambda code: (code.co_code, code.co_names, code.co_freevars, code.co_consts)),
)


def _captured(function: FunctionType) -> dict[str, Any]:
    """Return the variables that a function closes over, by name."""
    captured = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            captured[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return captured


def _attributes(value: Any) -> tuple[Any, ...]:
    """Return the class and attributes of an object, or its class and text if it has none."""
    cls: Any = type(value)
    package = cls.__module__.partition(".")[0]
    state = dict(getattr(value, "__dict__", {}))
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names = [_mangled(name, base) for name in ((slots,) if isinstance(slots, str) else slots)]
        state |= {name: getattr(value, name) for name in names if name[:2] != "__" and hasattr(value, name)}
    if package in _OPAQUE or (package == "torch" and state):
        return ()
    if not state and cls.__repr__ is not object.__repr__:
        return cls, _without_addresses(repr(value))
    return cls, state


def _mangled(name: str, cls: type) -> str:
    """Return the name under which Python stores an attribute: two leading underscores add the class's name."""
    private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if private else name


def _is_known(module: str | None) -> bool:
    """Return whether code belongs to Python or PyTorch, whose new versions do not make another model."""
    package = str(module).partition(".")[0]
    return package == "torch" or package in sys.stdlib_module_names


def _tensor(tensor: Any) -> bytes:
    import torch

    head = f"{tensor.dtype}{tuple(tensor.shape)}"
    if tensor.is_meta:
        return sha256(head)
    plain = tensor.detach().cpu()
    if plain.is_quantized:
        head, plain = f"{head}{tensor.qscheme()}{tensor}", plain.int_repr()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    plain = plain.resolve_conj().resolve_neg().contiguous().reshape(-1)
    # As bytes, since NumPy knows no bfloat16.
    return sha256(head, plain.view(torch.uint8).numpy().tobytes())


def _written_code(layer: Any) -> Any:
    """Return code, constants and attributes of a scripted or traced layer, or a graph's code: no class holds them."""
    try:
        if hasattr(layer, "code_with_constants"):
            code, constants = layer.code_with_constants
            named = sorted(set(re.findall(r"\w\.(\w+)", code)))
            held = {name: layer._c.getattr(name) for name in named if layer._c.hasattr(name)}
            return re.sub(r"___torch_mangle_\d+", "", code), constants.const_mapping, held
        return layer.code if hasattr(layer, "graph") and hasattr(layer, "code") else None
    except RuntimeError:  # a scripted layer without forward
        return None


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-fA-F]+", "0x", text)
