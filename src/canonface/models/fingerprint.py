"""SHA-256 of everything that a model's predictions depend on, the same in every process."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

from canonface.files import sha256_file
from canonface.fingerprint import Fingerprint, object_fingerprint, sha256

# A protobuf pair of texts, key "location" (field 1, 8 bytes) and its value (field 2): a varint length follows.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]*[\x00-\x7f])", re.DOTALL)


def onnx_fingerprint(path: Path) -> str:
    """Return the SHA-256 of an ONNX file, together with the external weights files that it names."""
    whole = sha256_file(path)
    external = {name: sha256_file(path.parent / name) for name in _external_files(path)}
    if not external:
        return whole
    return sha256(whole, *(f"{name}:{digest}" for name, digest in sorted(external.items()))).hex()


def module_fingerprint(module: Any) -> Fingerprint:
    """Return the SHA-256 of a PyTorch module: all tensors, structure, its layers' classes, attributes and hooks."""
    return object_fingerprint(module)


def with_choices(fingerprint: str, *choices: str | int | None) -> str:
    """Return a fingerprint with the choices that were made, each after a colon; None is no choice."""

    def with_them(text: str) -> str:
        return ":".join(map(str, [text, *(choice for choice in choices if choice is not None)]))

    return fingerprint.mapped(with_them) if isinstance(fingerprint, Fingerprint) else with_them(fingerprint)


def external_names(path: Path) -> set[str]:
    """Return the names of the external weights files of an ONNX file, as the file spells them.

    They are found in the raw bytes, which needs neither the ``onnx`` package nor memory for the whole file.
    """
    if path.stat().st_size == 0:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names = {content[m.end() : m.end() + _varint(m[1])] for m in _LOCATION.finditer(content)}
    # No file system accepts a longer name or one with a zero byte.
    spelled = (raw.decode(errors="replace") for raw in names)
    return {name for name in spelled if 0 < len(name) < 1024 and "\0" not in name}


def _external_files(path: Path) -> set[str]:
    """Return the names that are files in or below the folder; ``onnxruntime`` refuses others."""
    folder = path.parent.resolve()
    targets = {name: (folder / name).resolve() for name in external_names(path)}
    return {name for name, file in targets.items() if file.is_relative_to(folder) and file.is_file()}


def _varint(raw: bytes) -> int:
    return min(sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(raw[:5])), 4096)
