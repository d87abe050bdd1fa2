"""SHA-256 of what a model's answers depend on, the same in every process."""

from __future__ import annotations

import hashlib
import mmap
import re
from pathlib import Path
from typing import Any

from canonface.fingerprint import object_fingerprint, sha256

# A protobuf pair of texts, key "location" (field 1, 8 bytes) and its value (field 2): a varint length follows.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]*[\x00-\x7f])", re.DOTALL)


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def onnx_fingerprint(path: Path) -> str:
    """SHA-256 of an ONNX file; with the files of weights beside it that it names, if it names any."""
    whole = file_fingerprint(path)
    beside = {name: file_fingerprint(path.parent / name) for name in _external_files(path)}
    if not beside:
        return whole
    return sha256(whole, *(f"{name}:{digest}" for name, digest in sorted(beside.items()))).hex()


def module_fingerprint(module: Any) -> str:
    """SHA-256 of a PyTorch module: every tensor, structure, and its layers' classes, attributes and hooks."""
    return object_fingerprint(module)


def external_names(path: Path) -> set[str]:
    """Names of the files that an ONNX file says hold its weights, as it spells them.

    Found in the raw bytes, since neither the ``onnx`` package nor gigabytes of memory should be needed.
    """
    if path.stat().st_size == 0:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        names = {content[m.end() : m.end() + _varint(m[1])] for m in _LOCATION.finditer(content)}
    # A longer name or one with a zero byte is none that a file system knows.
    spelled = (raw.decode(errors="replace") for raw in names)
    return {name for name in spelled if 0 < len(name) < 1024 and "\0" not in name}


def _external_files(path: Path) -> set[str]:
    """Those of the names that are files in or below the folder: others ``onnxruntime`` refuses."""
    folder = path.parent.resolve()
    targets = {name: (folder / name).resolve() for name in external_names(path)}
    return {name for name, file in targets.items() if file.is_relative_to(folder) and file.is_file()}


def _varint(raw: bytes) -> int:
    return min(sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(raw[:5])), 4096)
