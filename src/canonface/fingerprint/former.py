"""Digests as 0.1.0 computed them: canonface's own code by its source text, recorded in ``code_0_1_0.json``.

``tests/fingerprint/record_code.py`` wrote the file with 0.1.0. Today's source is not read. All networks are recorded,
and the public classes and functions that users' models and confidences call. ``names_0_1_0.json`` names what each is
today. Not reproduced: where two of these name
each other, and a user's code reaches both by different ways, 0.1.0's digest depended on the order.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from canonface.fingerprint.code import is_own, own_name
from canonface.fingerprint.digests import DEPTH, Digester, sha256

FILE = Path(__file__).with_name("code_0_1_0.json")
NAMES = Path(__file__).with_name("names_0_1_0.json")


class _Recorded:
    """A part whose digest is recorded, for each depth."""

    def __init__(self, digests: list[str]) -> None:
        self.digests = digests


class FormerDigester(Digester):
    """`Digester` of 0.1.0.

    Args:
        package: as of `Digester`.
        installed: whether canonface lay in a folder of installed packages. 0.1.0 then counted its own code by source
            alone, without the globals that it names, unless canonface was the object's own package.

    Raises:
        LookupError: while digesting, if code of canonface is met that is not recorded.
    """

    def __init__(self, package: str, installed: bool) -> None:
        super().__init__(package)
        self.follows = package == "canonface" or not installed

    def of(self, value: Any, depth: int = DEPTH) -> bytes:
        """Return the digest of a value."""
        if isinstance(value, _Recorded):
            self.left -= 1
            return _digest(value.digests, depth)
        return super().of(value, depth)

    def _own_kind(self, cls: type) -> str:
        return former_name(cls)

    def _own_code(self, value: Any, kind: str, depth: int) -> bytes:
        if depth == 0 or self.left < 0:
            return sha256(kind)
        entry = recorded()[former_name(value)]
        return _digest(entry["followed" if self.follows else "installed"], depth - 1)

    def _own_base(self, cls: type) -> list[Any]:
        name = former_name(cls)
        entry = recorded()[name]
        parts = [name, _Recorded(entry["source"])]
        return [*parts, _Recorded(entry["members"])] if self.follows else parts

    def _own_module(self, name: str) -> str:
        return name

    def _structure(self, module: Any) -> str:
        classes = {type(layer) for layer in module.modules() if is_own(type(layer))}
        former = {cls.__name__: former_name(cls).rpartition(".")[2] for cls in classes}
        if not former:
            return repr(module)
        return re.sub(rf"\b({'|'.join(former)})(?=\()", lambda found: former[found[1]], repr(module))


@cache
def recorded() -> Mapping[str, Mapping[str, list[str]]]:
    """Return the digests of 0.1.0's own code by its name then.

    ``followed`` and ``installed`` hold the digests of a class or function at depths 1, 2, ...; ``source`` and
    ``members`` those of a class's source and members at depths 0, 1, .... A list of one holds at every depth.
    """
    content: Mapping[str, Mapping[str, list[str]]] = json.loads(FILE.read_text(encoding="utf-8"))["code"]
    return content


@cache
def names_now() -> Mapping[str, str | None]:
    """Return today's `own_name` of each recorded class and function, by its name in 0.1.0; None where it is gone."""
    content: Mapping[str, str | None] = json.loads(NAMES.read_text(encoding="utf-8"))
    return content


def former_name(value: Any) -> str:
    """Return the module and name that a class or function of canonface had in 0.1.0.

    Raises:
        LookupError: it is not recorded.
    """
    if (name := _former_names().get(own_name(value))) is None:
        raise LookupError(f"{value.__module__}.{value.__qualname__} is not recorded of 0.1.0")
    return name


@cache
def _former_names() -> Mapping[str, str]:
    return {now: then for then, now in names_now().items() if now is not None}


def _digest(digests: list[str], place: int) -> bytes:
    """Return the digest at a place; a single one holds at every depth."""
    return b64decode(digests[0] if len(digests) == 1 else digests[place])
