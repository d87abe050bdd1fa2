"""Record what canonface 0.1.0 digested of its own code: ``src/canonface/fingerprint/code_0_1_0.json``.

Run it with a checkout of 0.1.0 that is not installed, and with nothing newer:

    PYTHONPATH=CHECKOUT_OF_0.1.0/src python tests/fingerprint/record_code.py

Recorded are all networks, and the public classes and functions that a user's model, confidence or method may use.
What has no source text, as the methods that ``dataclass`` writes, counted by its bytecode: where 0.1.0 followed the
code of such a class, the digest holds for the version of Python that recorded it.
"""

import functools
import importlib
import inspect
import json
import pkgutil
import platform
from base64 import b64encode
from pathlib import Path
from types import FunctionType

import torch

import canonface
from canonface.fingerprint import Digester
from canonface.fingerprint import digests as module
from canonface.fingerprint.sources import is_installed, source

FILE = Path(__file__).parents[2] / "src" / "canonface" / "fingerprint" / "code_0_1_0.json"
EXPORTING = (
    "alignment",
    "maps",
    "mesh",
    "models",
    "occluders",
    "sampling",
    "engine",
    "methods",
    "confidence",
)
WHOLE = ("errors", "types", "functional", "geometry", "raster")
DEPTHS = range(1, 9)


def modules():
    for found in pkgutil.walk_packages(canonface.__path__, "canonface."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def chosen():
    """Classes and functions by their names."""
    values = []
    for name in EXPORTING:
        package = importlib.import_module(f"canonface.{name}")
        values += [getattr(package, each) for each in package.__all__]
    values += [getattr(canonface, name) for name in canonface.__all__]
    for one in modules():
        parts = one.__name__.split(".")
        for name, value in vars(one).items():
            public = parts[1] in WHOLE and not name.startswith("_")
            if public or (isinstance(value, type) and issubclass(value, torch.nn.Module)):
                values.append(value)
    own = [
        value
        for value in values
        if isinstance(value, FunctionType | type | functools._lru_cache_wrapper)
        and value.__module__.startswith("canonface.")
    ]
    return dict(sorted({f"{value.__module__}.{value.__qualname__}": value for value in own}.items()))


def text(digest):
    return b64encode(digest).decode()


def members(cls):
    """As ``Digester._class`` chooses them."""
    found = {k: v for k, v in vars(cls).items() if callable(v) or not k.startswith("__")}
    return {k: v for k, v in found.items() if not inspect.ismemberdescriptor(v)}


def short(digests):
    """One digest in place of many that are the same."""
    texts = list(map(text, digests))
    return texts[:1] if len(set(texts)) == 1 else texts


def entry(value):
    def digests():
        return short(Digester("canonface" if followed else "").of(value, depth) for depth in DEPTHS)

    followed = True
    found = {"followed": digests()}
    # As if canonface lay among the installed packages.
    followed, module.is_installed = (
        False,
        lambda code: code.__module__.startswith("canonface.") or is_installed(code),
    )
    try:
        found["installed"] = digests()
    finally:
        module.is_installed = is_installed
    if isinstance(value, type):
        found["source"] = short([Digester("").of(source(value))])
        found["members"] = short(Digester("canonface").of(members(value), depth - 1) for depth in DEPTHS)
    return found


def main():
    assert canonface.__version__ == "0.1.0", canonface.__version__
    assert not is_installed(canonface.CanonfaceError)
    code = {name: entry(value) for name, value in chosen().items()}
    python = ".".join(platform.python_version_tuple()[:2])
    lines = [f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in code.items()]
    head = f'{{\n "canonface": "{canonface.__version__}",\n "python": "{python}",\n "code": {{\n'
    FILE.write_text(head + ",\n".join(lines) + "\n }\n}\n", encoding="utf-8")
    print(len(code), "classes and functions,", FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
